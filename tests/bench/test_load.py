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
    """A server for one connection, honest but for the replies that `lie(verb, reply)` changes.

    It knows both protocols, of Redis's the one command that is asked.
    """

    def __init__(self, lie):
        super().__init__(daemon=True)
        self._lie = lie
        self.verbs = []  # in the order in which they came
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
                    words = line.split()
                    self.verbs.append(words[0])
                    connection.sendall(self._lie(words[0], self._answer(words, requests)))
            except ConnectionError:
                pass  # a caught lie ends the connection

    def _answer(self, words, requests):
        if words[0] == b"set":
            self._values[words[1]] = requests.read(int(words[4]) + 2)
            return b"STORED\r\n"
        if words[0] == b"touch":
            return b"TOUCHED\r\n"
        if words[0] == b"add":
            if words[1] in self._values:
                return b"NOT_STORED\r\n"
            self._values[words[1]] = requests.read(int(words[4]) + 2)
            return b"STORED\r\n"
        if words[0] == b"delete":
            return b"DELETED\r\n" if self._values.pop(words[1], None) else b"NOT_FOUND\r\n"
        if words[0] == b"*5":
            return self._answer_resp(requests)
        value = self._values[words[1]]
        return b"VALUE %s 0 %d\r\n%sEND\r\n" % (words[1], len(value) - 2, value)

    @staticmethod
    def _answer_resp(requests):
        words = [requests.read(int(requests.readline()[1:]) + 2)[:-2] for _ in range(5)]
        if words[0] != b"SET" or len(words[1]) != 64 or words[3:] != [b"EX", b"1209600"]:
            return b"-ERR not what a session store sends\r\n"
        return b"+OK\r\n"


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

PHP_LIES = {
    "a lock that another has": (b"add", lambda reply: b"NOT_STORED\r\n"),
    "a lock, an error": (b"add", lambda reply: b"SERVER_ERROR out of memory storing object\r\n"),
    "no lock to give back": (b"delete", lambda reply: b"NOT_FOUND\r\n"),
    "a deleted lock, stored": (b"delete", lambda reply: b"STORED\r\n"),
    "a session, missed": (b"get", lambda reply: b"END\r\n"),
    "another session": (b"get", lambda reply: reply[:60] + b"-" + reply[61:]),
    "a session, not stored": (b"set", lambda reply: b"NOT_STORED\r\n"),
    "a session, not found": (b"touch", lambda reply: b"NOT_FOUND\r\n"),
}
RESP_LIES = {
    "an error": (b"*5", lambda reply: b"-ERR no\r\n"),
    "nothing there": (b"*5", lambda reply: b"$-1\r\n"),
    "memcached's word": (b"*5", lambda reply: b"STORED\r\n"),
}
RESP = {"resp": 1, "get": 0, "set": 100, "touch": 0}


class LoadTest(unittest.TestCase):
    def assert_caught(self, lie, complaint="wrong reply to", **options):
        code, figures, stderr = run_load(Liar(lie).port, **options)
        self.assertEqual((code, figures["errors"]), (1, 1), stderr)
        self.assertIn(complaint, stderr)

    def test_honest_replies(self):
        for depth in (1, 16):
            code, figures, stderr = run_load(Liar(lambda _verb, reply: reply).port, depth=depth)
            self.assertEqual((code, figures["errors"], figures["operations"]), (0, 0, 2000), stderr)

    def assert_all_caught(self, lies, **options):
        for what, (verb, change) in lies.items():
            with self.subTest(what):
                self.assert_caught(lambda said, reply, verb=verb, change=change:
                                   change(reply) if said == verb else reply, **options)

    def test_lies(self):
        self.assert_all_caught(LIES)

    def test_php_lies(self):
        self.assert_all_caught(PHP_LIES, php=1)

    def test_resp_lies(self):
        self.assert_all_caught(RESP_LIES, **RESP)

    def test_php_asks_for_whole_pages(self):
        """Also when the operations are not a multiple of four; the requests of a page have one order."""
        for depth in (1, 7):
            liar = Liar(lambda _verb, reply: reply)
            code, figures, stderr = run_load(liar.port, php=1, operations=401, depth=depth)
            self.assertEqual((code, figures["operations"]), (0, 404), stderr)
            pages = liar.verbs[KEYS:]
            for page in (pages[at:at + 4] for at in range(0, len(pages), 4)):
                self.assertIn(page, ([b"add", b"get", b"set", b"delete"], [b"add", b"get", b"touch", b"delete"]))
            self.assertGreater(pages.count(b"touch"), 0)
            self.assertGreater(pages.count(b"set"), 0)

    def test_resp(self):
        for depth in (1, 16):
            code, figures, stderr = run_load(Liar(lambda _verb, reply: reply).port, depth=depth, **RESP)
            self.assertEqual((code, figures["set"]), (0, 2000), stderr)

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

    def test_php_with_sessiond(self):
        """Many connections: no two of them want one lock, and none is left behind."""
        with SessiondProcess() as daemon:
            for depth, seed in ((1, 1), (7, 2)):
                code, figures, stderr = run_load(daemon.port, connections=20, operations=20001, php=1, depth=depth,
                                                 seed=seed)
                self.assertEqual((code, figures["errors"]), (0, 0), stderr)
                pages = figures["lock"]
                self.assertEqual([figures[name] for name in ("get", "unlock")], [pages, pages])
                self.assertEqual(figures["set"] + figures["touch"], pages)
                self.assertGreaterEqual(figures["operations"], 20001)
            self.assertEqual(int(daemon.stats()["curr_items"]), KEYS)

    def test_a_paced_run_takes_its_time(self):
        """It asks as many a second as it is told, and not all at once; every reply is checked as ever."""
        with SessiondProcess() as daemon:
            code, figures, stderr = run_load(daemon.port, connections=5, operations=300, rate=1000)
        self.assertEqual((code, figures["errors"], figures["operations"], figures["loop"]), (0, 0, 300, "paced"), stderr)
        self.assertGreaterEqual(figures["seconds"], 0.29)

    def test_paced_lies(self):
        self.assert_all_caught(LIES, rate=20000)

    def test_time_ends_the_run(self):
        with SessiondProcess() as daemon:
            code, figures, stderr = run_load(daemon.port, operations=10**9, milliseconds=300)
            self.assertEqual(code, 0, stderr)
            self.assertLess(figures["seconds"], 10)
            self.assertGreater(figures["operations"], 0)


if __name__ == "__main__":
    unittest.main()
