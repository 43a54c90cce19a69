"""The load generator counts what is right and finds every kind of wrong reply.

    test_load.py LOAD      SESSIOND in the environment names the daemon

The lies are told by a small server of this file. Not tested: how fast anything is.
"""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from sessiond_process import SessiondProcess  # noqa: E402

LOAD = sys.argv.pop() if len(sys.argv) > 1 else None
DEADLINE_S = 60
KEYS = 50


def run_load(port, **options):
    """(exit code, figures, stderr)"""
    options = {"port": port, "keys": KEYS, "operations": 2000, "connections": 1, **options}
    command = [LOAD, *(text for name, value in options.items() for text in (f"--{name}", str(value)))]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    return ended.returncode, json.loads(ended.stdout), ended.stderr


class Liar(threading.Thread):
    """A server for one connection, honest but for the replies that `lie(verb, reply)` changes."""

    def __init__(self, lie):
        super().__init__(daemon=True)
        self._lie = lie
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(DEADLINE_S)
        self._values = {}
        self.port = self._listener.getsockname()[1]
        self.start()

    def run(self):
        with self._listener, self._listener.accept()[0] as connection:
            connection.settimeout(DEADLINE_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            requests = connection.makefile("rb")
            try:
                while line := requests.readline():
                    connection.sendall(self._lie(line.split()[0], self._answer(line.split(), requests)))
            except ConnectionError:
                pass  # a caught lie ends the connection

    def _answer(self, words, requests):
        if words[0] == b"set":
            self._values[words[1]] = requests.read(int(words[4]) + 2)
            return b"STORED\r\n"
        if words[0] == b"touch":
            return b"TOUCHED\r\n"
        value = self._values[words[1]]
        return b"VALUE %s 0 %d\r\n%sEND\r\n" % (words[1], len(value) - 2, value)


def longer(reply):
    """One byte more than was stored, announced as such."""
    head, _, rest = reply.partition(b"\r\n")
    length = int(head.split()[3])
    return b"%s %d\r\n%s" % (head.rpartition(b" ")[0], length + 1, b"v" + rest)


LIES = {  # what is wrong: (verb, reply -> reply)
    "a miss": (b"get", lambda reply: b"END\r\n"),
    "another key": (b"get", lambda reply: reply[:60] + b"-" + reply[61:]),
    "other flags": (b"get", lambda reply: reply.replace(b" 0 ", b" 1 ", 1)),
    "another length": (b"get", longer),
    "a wrong length announced": (b"get", lambda reply: re.sub(rb" 0 \d+\r", b" 0 999\r", reply, count=1)),
    "no number": (b"get", lambda reply: re.sub(rb" 0 \d+\r\n", b" 0 ", reply, count=1)),
    "another beginning": (b"get", lambda reply: re.sub(rb"\r\n.", b"\r\n\xff", reply, count=1, flags=re.DOTALL)),
    "a byte missing at the end": (b"get", lambda reply: reply.replace(b"v\r\nEND", b"\r\nEND")),
    "no END": (b"get", lambda reply: reply[:-5] + b"VALUE"),
    "not stored": (b"set", lambda reply: b"NOT_STORED\r\n"),
    "an error": (b"set", lambda reply: b"SERVER_ERROR out of memory storing object\r\n"),
    "not found": (b"touch", lambda reply: b"NOT_FOUND\r\n"),
    "an answer to a cas": (b"set", lambda reply: b"EXISTS\r\n"),
    "an answer to a delete": (b"touch", lambda reply: b"DELETED\r\n"),
}


class LoadTest(unittest.TestCase):
    def assert_caught(self, lie, complaint="wrong reply to"):
        code, figures, stderr = run_load(Liar(lie).port)
        self.assertEqual((code, figures["errors"]), (1, 1), stderr)
        self.assertIn(complaint, stderr)

    def test_honest_replies(self):
        for depth in (1, 16):
            code, figures, stderr = run_load(Liar(lambda _verb, reply: reply).port, depth=depth)
            self.assertEqual((code, figures["errors"], figures["operations"]), (0, 0, 2000), stderr)

    def test_lies(self):
        for what, (verb, change) in LIES.items():
            with self.subTest(what):
                self.assert_caught(lambda said, reply, verb=verb, change=change:
                                   change(reply) if said == verb else reply)

    def test_value_of_another_session(self):
        """A whole and well-formed value, under the wrong key."""
        seen = []

        def mix_up(verb, reply):
            if verb != b"get":
                return reply
            seen.append(reply.split(b" ", 2)[2])
            return b" ".join([*reply.split(b" ", 2)[:2], seen[0]])
        self.assert_caught(mix_up)

    def test_close(self):
        def close(verb, reply):
            if verb == b"get":
                raise ConnectionError
            return reply
        self.assert_caught(close, "closed a connection")

    def test_bytes_after_the_reply(self):
        self.assert_caught(lambda verb, reply: reply + b"\n" if verb == b"get" else reply, "more bytes")

    def test_sessiond(self):
        with SessiondProcess() as daemon:
            code, figures, stderr = run_load(daemon.port, connections=20, depth=16, operations=20000)
            self.assertEqual((code, figures["errors"]), (0, 0), stderr)
            done = [figures[name] for name in ("get", "set", "touch")]
            self.assertEqual(sum(done), 20000)
            for share, count in zip((0.80, 0.15, 0.05), done):
                self.assertAlmostEqual(share, count / 20000, delta=0.02)
            self.assertEqual(int(daemon.stats()["cmd_set"]), KEYS + done[1])
            self.assertLessEqual(figures["p50_us"], figures["p99_us"])
            self.assertLessEqual(figures["p99_us"], figures["p99.9_us"])

    def test_time_ends_the_run(self):
        with SessiondProcess() as daemon:
            code, figures, stderr = run_load(daemon.port, operations=10**9, milliseconds=300)
            self.assertEqual(code, 0, stderr)
            self.assertLess(figures["seconds"], 10)
            self.assertGreater(figures["operations"], 0)


if __name__ == "__main__":
    unittest.main()
