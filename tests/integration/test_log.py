"""What the log may hold: after a wild session, at the highest level, no key, no value and nothing that a client made up;
whole lines of printable characters; and no kind of line more often than its limit.
"""

import os
import re
import time
import unittest

from integration_case import IntegrationCase
from sessiond_process import Conversation

# Each is told apart in any text: in capitals, in lower case, or as hex.
KEY, VALUE, WORD, USER = (f"{name}{os.urandom(6).hex()}" for name in ("kkey", "vval", "wword", "uuser"))
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (error|warning|info|debug) [ -~]*")
KIND = re.compile(r"0x[0-9a-f]+|#[0-9a-f]+|\d+")  # what differs between lines of a kind
LEFT_OUT = " lines like the next were left out"
BIG = 5000


def request(verb, key, value, size=None):
    return f"{verb} {key} 0 0 {len(value) if size is None else size}\r\n{value}\r\n"


# What a client may come up with: each on a connection of its own, which may end by it.
WILD = (
    request("set", KEY, VALUE) + f"get {KEY}\r\ngets {KEY} {KEY}x\r\ntouch {KEY} 100\r\ndelete {KEY}\r\n",
    request("set", KEY, VALUE * BIG),  # too large
    request("set", KEY, VALUE * BIG, size=1 << 40),
    request("set", KEY * 20, VALUE),  # a key too long
    request("set", KEY, VALUE, size=3),  # a block that does not end where it should
    request("set", KEY, VALUE, size="x" + VALUE),
    request("add", f"{KEY}\x1b[2J\x00", VALUE),
    request("append", KEY, VALUE) + request("cas", KEY, VALUE),
    f"version\r\n{WORD} {KEY}\r\n" * 10,
    f"{WORD}\x1b]0;{KEY}\x07\r\n",
    f"get {KEY}{'x' * 300}\r\n",
    f"get {(KEY + ' ') * 2000}\r\n",
    f"set {KEY} " + "y" * 10000,
    f"incr {KEY} {VALUE}\r\ndecr {KEY} {VALUE}\r\ngat {VALUE} {KEY}\r\ntouch {KEY} {VALUE}\r\n",
    f"flush_all {WORD}\r\nflush_all noreply {WORD}\r\nflush_all\r\n",
    f"stats {WORD}\r\nstats cachedump {KEY} {VALUE}\r\nstats detail {WORD}\r\nverbosity {WORD}\r\nhelp {WORD}\r\n",
    f"GET /{KEY} HTTP/1.1\r\nCookie: {VALUE}\r\n\r\n",
    f"\x80{KEY}{VALUE}",
    f"\x16\x03\x01{KEY}{VALUE}",
    f"auth {USER} {VALUE}\r\nflush {WORD}\r\nreload {KEY}\r\nping {KEY}\r\n",
    f"mg {KEY} v O{WORD}\r\nms {KEY} {len(VALUE)}\r\n{VALUE}\r\n",
)


class LogTest(IntegrationCase):
    def behave_wildly(self, address):
        for wild in WILD:
            with Conversation(address) as conversation:
                try:
                    conversation.send(wild)
                    conversation.shutdown_write()
                    conversation.read_to_close()
                except OSError:  # it closed in between
                    pass

    def test_no_client_is_in_it(self):
        started_s = time.monotonic()
        admin = self.path("admin.sock")
        daemon = self.start("--log-level", "debug", "--memory", "16m", "--max-value", "10k", "--listen", "127.0.0.1:0",
                            "--listen", f"unix:{self.path('data.sock')}", "--admin-listen", f"unix:{admin}")
        for address in (*daemon.addresses * 3, admin):
            self.behave_wildly(address)
        lasted_s = time.monotonic() - started_s
        log = daemon.stop()
        for secret in (KEY, VALUE, WORD, USER):
            for form in (secret, secret.upper(), secret.encode().hex(), secret[:12]):
                self.assertFalse(form in log, form)
        kinds = {}
        for line in log.splitlines():
            self.assertRegex(line, f"^{LINE.pattern}$")
            text = line.split(" ", 2)[2]
            if not text.endswith(LEFT_OUT):
                kind = KIND.sub("", text)
                kinds[kind] = kinds.get(kind, 0) + 1
        for kind, count in kinds.items():
            self.assertLessEqual(count, lasted_s + 2, kind)
        for told in ("debug connection from .*[0-9]\n", "debug connection from .* closed\n", "flush_all from .* refused",
                     "flush_all from uid .*ended", "binary protocol", "a session of .* key #[0-9a-f]{8}, was refused"):
            self.assertTrue(re.search(told, log), told)

    def test_connections_that_come_and_go(self):
        """At debug level, where each is an event: one line a second about those that came, and one about those that went."""
        daemon = self.start("--log-level", "debug", "--threads", "4", "--data-dir", "none")
        before_s = time.monotonic()
        for _ in range(200):
            with daemon.connect() as client:
                client.expect_open()
        daemon.wait_for_stat("curr_connections", 1)
        lasted_s = time.monotonic() - before_s
        lines = [line.split(" ", 2)[2] for line in daemon.stderr.lines() if "connection from" in line]
        closed = [line for line in lines if line.endswith(" closed")]
        for kind in (closed, set(lines) - set(closed)):
            self.assertIn(len(kind), range(1, int(lasted_s) + 3))

        def is_told():
            with daemon.connect() as client:
                client.expect_open()
            return re.search(rf"debug \d+{LEFT_OUT}\n.*debug connection from ", daemon.stderr_text())

        self.wait_until(is_told, "how many were left out")

    def test_hash_is_of_this_process(self):
        """The same key has the same hash in one run, and another in the next."""
        daemon = self.start("--max-value", "1k")
        seen = []
        for _ in range(2):
            with daemon.connect() as conversation:
                conversation.send(request("set", KEY, VALUE * BIG, size=len(VALUE) * BIG))
            daemon.wait_for_stderr(r"key #[0-9a-f]{8}, was refused")
            seen.append(re.findall(r"key (#[0-9a-f]{8})", daemon.stderr_text())[0])
            daemon.stop()
            daemon.start()
        self.assertNotEqual(seen[0], seen[1])


if __name__ == "__main__":
    unittest.main()
