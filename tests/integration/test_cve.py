"""What has hurt memcached and Redis cannot hurt here: a test for each class of their published holes that can apply.

Each is named after its CVE, or the commit that mended it, with a line that says what it was. PLACES says where the others
are tested, or why they cannot apply; what wants a part that sessiond does not have yet is in LATER.
"""

import os
import random
import re
import socket
import struct
import unittest

from integration_case import IntegrationCase, is_sanitized
from sessiond_process import Conversation

MIB = 1 << 20
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SLOW = "tests/integration/test_slow_clients.py "

PLACES = {
    "CVE-2010-1152": SLOW + "test_endless_streams_are_closed",
    "CVE-2018-1000115": "tests/integration/test_listeners.py test_no_udp",
    "CVE-2022-48571": "tests/integration/test_listeners.py test_no_udp",
    "CVE-2025-48367": SLOW + "test_a_thousand_garbage_clients",
    "CVE-2026-23479": "tests/crash/test_parked.py test_a_limit_ends",
    "CVE-2023-45145": "tests/integration/test_listeners.py test_unix_socket_is_closed_to_others",
    "CVE-2021-32627": "tests/integration/test_limit_edges.py test_options_at_their_limits",
    "CVE-2021-41099": "tests/integration/test_limit_edges.py test_max_value",
    "28f4abf8e": SLOW + "test_two_large_values_interleaved",
}

# What there is none of: scripts, patterns, a binary protocol with its body lengths, a UDP port.
CANNOT_APPLY = ("CVE-2022-36021", "CVE-2024-31228", "CVE-2025-49844", "CVE-2022-0543", "CVE-2024-31449")

# Waiting for what they would be about; a row here becomes a test with it.
LATER = {
    "CVE-2013-7239": "authentication", "CVE-2021-37519": "authentication", "CVE-2026-47783": "authentication",
    "CVE-2021-32675": "authentication", "CVE-2025-21605": "authentication; without: see below", "CVE-2024-31227": "authentication",
    "CVE-2020-22570": "meta commands", "7eeac6e9a": "the verb dump (to a reader that is idle)",
}

# Words of each command of the data port, in their order; the first is the command.
COMMANDS = ("get k", "gets k", "gat 0 k", "gats 0 k", "set k 0 0 1", "add k 0 0 1", "replace k 0 0 1", "append k 0 0 1",
            "prepend k 0 0 1", "cas k 0 0 1 1", "incr k 1", "decr k 1", "delete k", "touch k 0", "flush_all 0", "verbosity 1",
            "stats settings", "version", "help", "quit", "lru mode", "lru_crawler metadump all", "slabs reassign 1 2", "watch",
            "cache_memlimit 1", "shutdown", "extstore", "debugtime p", "misbehave", "ping", "reload", "flush now", "mg k", "ms k 1", "md k", "ma k", "mn", "me k")
ODD_WORDS = ("", "x" * 300, "nan", "-1", "18446744073709551616", "\0", "%s%n", "\x7f")


class PlacesTest(unittest.TestCase):
    def test_they_are_there(self):
        for name, place in PLACES.items():
            path, test = place.split(" ")
            with self.subTest(name), open(os.path.join(ROOT, path), encoding="utf-8") as file:
                self.assertIn(f"def {test}(", file.read())


class CveTest(IntegrationCase):
    def start_plain(self, *args):
        daemon = self.start("--data-dir", "none", "--threads", "1", *args)
        self.good = self.connect(daemon)
        self.assertEqual(self.good.set("secret:sessionid", "secret:value"), "STORED")
        return daemon

    def assert_serves(self):
        self.assertEqual(self.good.get("secret:sessionid"), b"secret:value")

    def answer(self, daemon, sent, address=None):
        """All that comes of it on a connection of its own, which the daemon ends or this does."""
        with Conversation(address or daemon.address) as client:
            try:
                client.send(sent)
                client.shutdown_write()
            except OSError:  # it was closed while more was sent
                pass
            return client.read_to_close()

    def test_cve_2009_1255_stats_tells_no_addresses(self):
        """`stats maps` printed /proc/self/maps, and so defeated address randomisation."""
        daemon = self.start_plain()
        words = ("", "maps", "malloc", "items", "slabs", "sizes", "settings", "conns", "sessions", "journal", "shards",
                 "cachedump 1 100", "cachedump 0 0", "detail dump", "proxy", "extstore", "../../etc/passwd", "x" * 200)
        for word in words:
            with self.subTest(word):
                told = self.answer(daemon, f"version\r\nstats {word}\r\n")
                self.assertNotIn(b"secret", told)
                self.assertNotRegex(told, rb"\b(0x)?[0-9a-f]{9,}-[0-9a-f]{9,}\b|0x[0-9a-f]{6,}|/proc|/lib")
        self.assert_serves()

    def test_cve_2009_2415_lengths_do_not_wrap(self):
        """A negative or huge byte count became a small allocation, and the value ran over the heap."""
        daemon = self.start_plain()
        for verb in ("set", "add", "replace", "append", "prepend", "cas"):
            for number in (-1, -0.0, -(2**31), 2**31 - 3, 2**31 - 2, 2**31 - 1, 2**31, 2**32 - 2, 2**32, 2**63, 2**64 - 2, 2**64, 10**30):
                cas = " 1" if verb == "cas" else ""
                told = self.answer(daemon, f"{verb} k 0 0 {number}{cas}\r\n" + "x" * 5000)
                self.assertIn(told, (b"CLIENT_ERROR bad command line format\r\n", b"SERVER_ERROR object too large for cache\r\n"))
        self.assert_serves()

    def test_cve_2011_4971_2016_8704_2017_9951_2020_10931_no_binary_protocol(self):
        """Body lengths of the binary protocol were trusted: below the key's, negative, or beyond 2^31."""
        daemon = self.start_plain()
        chance = random.Random(4971)
        for _ in range(300):
            head = struct.pack(">BBHBBHIIQ", 0x80, chance.randrange(256), chance.choice((0, 1, 250, 0xffff)),
                               chance.choice((0, 8, 20, 255)), 0, 0, chance.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1)), 0, 0)
            self.assertEqual(self.answer(daemon, head + os.urandom(chance.randrange(60)) + b"\r\nversion\r\n"), b"")
        self.assertIn(b"ERROR\r\n", self.answer(daemon, b"\x81" + b"\0" * 23 + b"\r\n"))
        self.assert_serves()

    def test_cve_2013_0179_7290_7291_the_log_is_bounded(self):
        """Verbose logging of a key read over its end; what clients sent stood in the log as it was."""
        daemon = self.start_plain("--log-level", "debug")
        for byte in ("\xff", "\x1b", "\r", "\0", "%"):
            key = "secret" + byte * 244
            self.answer(daemon, f"version\r\nget {key}\r\nset {key} 0 0 1\r\nx\r\ndelete {key}\r\nflush_all\r\n{key}\r\n")
        self.answer(daemon, b"\x80" + b"secret" * 50)
        self.assert_serves()
        log = daemon.stderr_text()
        self.assertNotIn("secret", log)
        for line in log.splitlines():
            self.assertTrue(len(line) < 500 and line.isprintable(), line[:200])

    def test_cve_2018_1000127_references_do_not_wrap(self):
        """A reference count of 16 bits ended at 0 when one get named a key 65,536 times: the item was used again."""
        daemon = self.start_plain()
        large = b"L" * 100_000
        self.assertEqual(self.good.set("k", "v" * 40), "STORED")
        self.assertEqual(self.good.set("large", large), "STORED")
        n_keys = 70_000
        client = self.connect(daemon)
        wanted = b"VALUE k 0 40\r\n" + b"v" * 40 + b"\r\n"
        for _ in range(n_keys // 10_000):
            client.send("get" + " k" * 10_000 + "\r\n")
            self.assertEqual(client.read_exactly(10_000 * len(wanted) + 5), wanted * 10_000 + b"END\r\n")
        readers = [self.connect(daemon, receive_buffer_bytes=4096) for _ in range(50)]
        for reader in readers:
            reader.send("get large\r\n" * 2)
        for reader in readers:
            reader.read_exactly(1)
        self.assertEqual(self.good.ask("delete large"), "DELETED")
        self.assertEqual(self.good.set("other", b"O" * 100_000), "STORED")
        for reader in readers:
            head = b"ALUE large 0 100000\r\n"
            self.assertEqual(reader.read_exactly(len(head) + len(large)), head + large)
        self.assert_serves()

    def say_odd_words(self, daemon, address=None):
        for command in COMMANDS:
            words = command.split(" ")
            for n_words in range(1, len(words) + 3):
                lines = [" ".join((words + [odd, odd])[:n_words - 1] + [odd if n_words > 1 else words[0]]) for odd in ODD_WORDS]
                for line in lines:
                    told = self.answer(daemon, f"version\r\n{line}\r\nx\r\n", address)
                    self.assertTrue(told.startswith(b"VERSION 1.6.18\r\n"), line)

    def test_cve_2019_11596_2020_22570_any_number_of_words(self):
        """`lru mode` and meta get with missing or odd words read a null or unset pointer."""
        daemon = self.start_plain()
        self.say_odd_words(daemon)
        self.assert_serves()

    def test_0240ddee0_6ab74b585_admin_verbs(self):
        """Verbs for administrators alone crashed it: nobody had tried them with odd words."""
        daemon = self.start_plain("--admin-listen", f"unix:{self.path('admin.sock')}")
        self.say_odd_words(daemon, daemon.admin_address)
        self.assertEqual(self.good.set("k", "x"), "STORED")
        self.assertEqual(self.good.get("k"), b"x")

    def test_cve_2019_15026_peers_of_unix_sockets(self):
        """`stats conns` read over the end of a unix socket's address."""
        path = self.path("s" * (107 - len(self.directory) - 1))
        daemon = self.start("--data-dir", "none", "--listen", f"unix:{path}")
        names = ("\0" + "a" * 107, "\0\r\nSTAT evil 1\r\n", self.path("c" * (107 - len(self.directory) - 1)), None)
        for name in names:
            with socket.socket(socket.AF_UNIX) as client:
                if name is not None:
                    client.bind(name)
                client.connect(path)
                client.sendall(b"stats conns\r\n")
                told = b""
                while not told.endswith(b"END\r\n"):
                    told += client.recv(65536)
                self.assertNotIn(b"evil", told)
                self.assertEqual([line for line in told.split(b"\r\n")[:-2] if not re.fullmatch(rb"STAT \d+:\w+ \S+", line)], [])
        with Conversation(daemon.address) as client:
            client.expect_open()

    def test_cve_2023_46852_many_spaces(self):
        """A multiget with many spaces behind the command ran over a buffer."""
        daemon = self.start_plain()
        for n_spaces in (1, 2, 10, 100, 2047, 2048, 2049, 8000, 70_000):
            told = self.answer(daemon, f"version\r\nget{' ' * n_spaces}k{' ' * n_spaces}l\r\n")
            self.assertEqual(told, b"VERSION 1.6.18\r\nEND\r\n", n_spaces)
            told = self.answer(daemon, f"version\r\ndelete{' ' * n_spaces}k\r\n")
            too_long = n_spaces + 7 > 8192
            self.assertEqual(told[16:], b"CLIENT_ERROR line too long\r\n" if too_long else b"NOT_FOUND\r\n", n_spaces)
        self.assert_serves()

    def test_cve_2023_46853_lf_alone(self):
        """LF instead of CR LF was off by one."""
        daemon = self.start_plain()
        for command in COMMANDS:
            crlf, lf = (self.answer(daemon, f"set k 0 0 1{end}5\r\n{command}{end}x\r\nversion{end}") for end in ("\r\n", "\n"))
            if command.split(" ")[0] not in ("stats", "gets", "gats", "me"):  # they tell of ids and figures
                self.assertEqual(crlf, lf, command)
        self.assert_serves()

    def test_cve_2025_21605_replies_that_are_never_read(self):
        """Errors to a client that does not read filled the output buffer without limit."""
        daemon = self.start_plain()
        before = daemon.resident_bytes()
        for line in (b"version\r\n", b"bogus\r\n", b"get k\r\n"):
            with daemon.connect(receive_buffer_bytes=4096) as client:
                client.socket.setblocking(False)
                sent = 0
                try:
                    while sent < 32 * MIB:
                        sent += client.socket.send(line * 20_000)
                except OSError:  # it does not take more, or is closed
                    pass
                self.assertLess(sent, 32 * MIB)
                self.assert_serves()
        if not is_sanitized():
            self.assertLess(daemon.resident_bytes() - before, 4 * MIB)


if __name__ == "__main__":
    unittest.main()
