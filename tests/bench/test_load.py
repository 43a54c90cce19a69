"""The load generator counts what is right and finds every kind of wrong reply.

    test_load.py LOAD NULL_SERVER      SESSIOND in the environment names the daemon

The lies are told by a small server of this file. Not tested: how fast anything is.
"""

import collections
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from sessiond_process import SessiondProcess  # noqa: E402

NULL_SERVER = sys.argv.pop() if len(sys.argv) > 2 else None
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
    """A server for one connection at a time, honest but for the replies that `lie(verb, reply)` changes.

    It speaks memcached's protocol and Redis's, each command as far as it is asked; canned: as the server that stores
    nothing.
    """

    def __init__(self, lie, canned=False):
        super().__init__(daemon=True)
        self._lie = lie
        self._canned = canned
        self.verbs = []  # in the order in which they came
        self.keys = []  # of each request
        self.n_connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(DEADLINE_S)
        self.values = {}
        self.port = self._listener.getsockname()[1]
        self.start()

    def run(self):
        with self._listener:
            while True:
                try:
                    connection = self._listener.accept()[0]
                except TimeoutError:
                    return
                self.n_connections += 1
                with connection:
                    self._serve(connection)

    def _serve(self, connection):
        connection.settimeout(DEADLINE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        requests = connection.makefile("rb")
        with contextlib.suppress(ConnectionError):  # a caught lie ends the connection
            while line := requests.readline():
                words = line.split()
                if line.startswith(b"*"):
                    words = [requests.read(int(requests.readline()[1:]) + 2)[:-2] for _ in range(int(line[1:]))]
                self.verbs.append(words[0])
                answer = self._answer_resp if line.startswith(b"*") else self._answer
                connection.sendall(self._lie(words[0], answer(words, requests)))

    def _answer(self, words, requests):
        verb, key = words[:2]
        if verb in (b"get", b"gets"):
            self.keys.append(words[1:])
            return b"".join(self._value(key) for key in words[1:]) + b"END\r\n"
        self.keys.append([key])
        was_there = key in self.values or self._canned
        if verb in (b"set", b"add"):
            value = requests.read(int(words[4]) + 2)[:-2]
            if verb == b"add" and was_there and not self._canned:
                return b"NOT_STORED\r\n"
            self.values[key] = value
            return b"STORED\r\n"
        if verb == b"delete":
            self.values.pop(key, None)
        return {b"touch": b"TOUCHED\r\n", b"delete": b"DELETED\r\n"}[verb] if was_there else b"NOT_FOUND\r\n"

    def _value(self, key):
        if self._canned:
            return b"VALUE %s 0 400\r\n%s\r\n" % (b"0" * 64, b"v" * 400)
        value = self.values.get(key)
        return b"" if value is None else b"VALUE %s 0 %d\r\n%s\r\n" % (key, len(value), value)

    def _answer_resp(self, words, _requests):
        verb, key = words[:2]
        was_there = key in self.values
        if verb in (b"GET", b"MGET"):
            values = [self.values.get(key) for key in words[1:]]
            bulks = [b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value) for value in values]
            return (b"*%d\r\n" % len(bulks) if verb == b"MGET" else b"") + b"".join(bulks)
        if verb == b"SET":
            if words[3] != b"EX" or (words[5:] == [b"NX"]) != (len(words) == 6):
                return b"-ERR not what a session store sends\r\n"
            if len(words) == 6 and was_there:
                return b"$-1\r\n"
            self.values[key] = words[2]
            return b"+OK\r\n"
        if verb == b"DEL":
            self.values.pop(key, None)
        return b":%d\r\n" % was_there


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
    "an error": (b"SET", lambda reply: b"-ERR no\r\n"),
    "not stored": (b"SET", lambda reply: b"$-1\r\n"),
    "memcached's word": (b"SET", lambda reply: b"STORED\r\n"),
    "a miss": (b"GET", lambda reply: b"$-1\r\n"),
    "another length": (b"GET", lambda reply: b"$999" + reply[4:]),
    "another beginning": (b"GET", lambda reply: reply[:6] + b"\xff" + reply[7:]),
    "another byte within": (b"GET", lambda reply: reply[:-9] + b"w" + reply[-8:]),
    "another end": (b"GET", lambda reply: reply[:-2] + b"\n\n"),
    "not there to touch": (b"EXPIRE", lambda reply: b":0\r\n"),
}
# Sessions come and go: what the server says must be what was done.
COMING = {"get": 30, "set": 20, "touch": 10, "add": 20, "delete": 20}
COMING_LIES = {
    "a session that is back": (b"delete", lambda reply: b"DELETED\r\n", b"NOT_FOUND"),
    "one that was not deleted": (b"delete", lambda reply: b"NOT_FOUND\r\n", b"DELETED"),
    "an add that did not add": (b"add", lambda reply: b"NOT_STORED\r\n", b"STORED"),
    "an add that overwrote": (b"add", lambda reply: b"STORED\r\n", b"NOT_STORED"),
    "a touch of nothing": (b"touch", lambda reply: b"TOUCHED\r\n", b"NOT_FOUND"),
    "a touch in vain": (b"touch", lambda reply: b"NOT_FOUND\r\n", b"TOUCHED"),
    "a miss of what is there": (b"get", lambda reply: b"END\r\n", b"VALUE"),
}
RESP_COMING_LIES = {
    "a session that is back": (b"DEL", lambda reply: b":1\r\n", b":0"),
    "one that was not deleted": (b"DEL", lambda reply: b":0\r\n", b":1"),
    "an add that did not add": (b"SET", lambda reply: b"$-1\r\n", b"+OK"),
    "an add that overwrote": (b"SET", lambda reply: b"+OK\r\n", b"$-1"),
    "a touch of nothing": (b"EXPIRE", lambda reply: b":1\r\n", b":0"),
    "a miss of what is there": (b"GET", lambda reply: b"$-1\r\n", b"$"),
}
CANNED_LIES = {
    "a miss": (b"get", lambda reply: b"END\r\n"),
    "another length": (b"get", lambda reply: reply.replace(b" 400\r", b" 401\r")),
    "a byte missing": (b"get", lambda reply: reply.replace(b"v\r\nEND", b"\r\nEND")),
    "no END": (b"get", lambda reply: reply[:-5] + b"VALUE"),
    "not stored": (b"set", lambda reply: b"NOT_STORED\r\n"),
    "not found": (b"touch", lambda reply: b"NOT_FOUND\r\n"),
}
WORKLOADS = {  # the key's form, bytes of a value, requests of each kind among 10,000
    "mixed": (rb":1:django\.contrib\.sessions\.cache[a-z0-9]{32}", (200, 600), {"get": 8000, "set": 1500, "touch": 500}),
    "php": (rb"memc\.sess\.key\.[0-9a-f]{32}", (32, 32768),
            {"lock": 2500, "get": 2500, "set": 600, "touch": 1900, "unlock": 2500, "missed": 200}),
    "django": (rb":1:django\.contrib\.sessions\.cache[a-z0-9]{32}", (200, 1200),
               {"get": 9200, "set": 600, "add": 100, "delete": 100}),
    "rack": (rb"_session_id:2::[0-9a-f]{64}", (32, 32768), {"get": 5200, "set": 4700, "missed": 300, "delete": 100}),
    "wiki": (rb"enwiki:MWSession:[0-9a-v]{32}|centralauth:session:central:[0-9a-v]{32}", (32, 32768),
             {"get": 7580, "set": 2320, "missed": 420, "delete": 100}),
}


def honest(_verb, reply):
    return reply


class LoadTest(unittest.TestCase):
    def assert_caught(self, lie, complaint="wrong reply to", **options):
        code, figures, stderr = run_load(Liar(lie, canned="canned" in options).port, **options)
        self.assertEqual((code, figures["errors"]), (1, 1), stderr)
        self.assertIn(complaint, stderr)

    def test_honest_replies(self):
        for depth in (1, 16):
            code, figures, stderr = run_load(Liar(honest).port, depth=depth)
            self.assertEqual((code, figures["errors"], figures["operations"]), (0, 0, 2000), stderr)

    def assert_all_caught(self, lies, **options):
        """lies: {what: (verb, how the reply is changed, how the replies begin that are)}"""
        for what, (verb, change, *begin) in lies.items():
            with self.subTest(what):
                self.assert_caught(lambda said, reply, verb=verb, change=change, begin=begin:
                                   change(reply) if said == verb and reply.startswith(tuple(begin) or b"") else reply,
                                   **options)

    def assert_right(self, port, **options):
        """The figures of a run without an error."""
        code, figures, stderr = run_load(port, **options)
        self.assertEqual((code, figures["errors"]), (0, 0), stderr)
        return figures

    def test_lies(self):
        self.assert_all_caught(LIES)

    def test_php_lies(self):
        self.assert_all_caught(PHP_LIES, php=1)

    def test_resp_lies(self):
        self.assert_all_caught(RESP_LIES, resp=1)

    def test_canned_lies(self):
        self.assert_all_caught(CANNED_LIES, canned=1)

    def test_lies_of_sessions_that_come_and_go(self):
        self.assert_all_caught(COMING_LIES, **COMING)
        self.assert_all_caught(RESP_COMING_LIES, resp=1, **COMING)

    def test_a_session_that_never_was(self):
        """A value where there can be none, whole and well-formed."""
        kept = []

        def bring_back(verb, reply):
            if verb == b"get" and len(reply) > 5:
                kept.append(reply)
            return kept[0] if kept and reply == b"END\r\n" else reply
        self.assert_caught(bring_back, miss=20)

    def test_lies_of_a_multi_get(self):
        lies = {
            "one missing": lambda reply: reply[:reply.rindex(b"VALUE")] + b"END\r\n",
            "one twice": lambda reply: reply[:reply.index(b"VALUE", 1)] + reply,
            "none": lambda reply: b"END\r\n",
            "a byte within the last": lambda reply: reply[:-10] + b"w" + reply[-9:],
        }
        self.assert_all_caught({what: (b"get", change) for what, change in lies.items()}, batch=10)
        self.assert_all_caught({"too few": (b"MGET", lambda reply: b"*9" + reply[3:]),
                                "none": (b"MGET", lambda reply: b"$-1\r\n")}, batch=10, resp=1)

    def test_php_asks_for_whole_pages(self):
        """Also when the operations are not a multiple of four; the requests of a page have one order."""
        for depth in (1, 7):
            liar = Liar(honest)
            code, figures, stderr = run_load(liar.port, php=1, operations=401, depth=depth)
            self.assertEqual((code, figures["operations"]), (0, 404), stderr)
            pages = liar.verbs[KEYS:]
            for page in (pages[at:at + 4] for at in range(0, len(pages), 4)):
                self.assertIn(page, ([b"add", b"get", b"set", b"delete"], [b"add", b"get", b"touch", b"delete"]))
            self.assertGreater(pages.count(b"touch"), 0)
            self.assertGreater(pages.count(b"set"), 0)

    def test_resp(self):
        for depth in (1, 16):
            for options in ({}, COMING, {"batch": 10}, {"php": 1}):
                self.assert_right(Liar(honest).port, depth=depth, resp=1, **options)

    def test_the_server_that_stores_nothing(self):
        with subprocess.Popen([NULL_SERVER], stdout=subprocess.PIPE, text=True) as server:
            try:
                port = int(server.stdout.readline().rpartition(":")[2])
                for options in ({"depth": 1}, {"depth": 16}, {"depth": 16, "php": 1}, {"fill": 0, "rate": 20000}):
                    figures = self.assert_right(port, canned=1, connections=20, keys=1000, operations=10000, **options)
                    self.assertGreater(figures["touch"], 0)
            finally:
                server.terminate()

    def test_multi_gets(self):
        """Ten keys a get, all different; those that are not there are left out."""
        liar = Liar(honest)
        figures = self.assert_right(liar.port, batch=10, **COMING)
        gets = [keys for verb, keys in zip(liar.verbs, liar.keys) if verb == b"get"]
        self.assertEqual(len(gets), figures["get"])
        for keys in gets:
            self.assertEqual(len(set(keys)), 10)

    def test_a_connection_for_each_batch_or_page(self):
        liar = Liar(honest)
        figures = self.assert_right(liar.port, reconnect=1, operations=100, depth=4)
        self.assertEqual(figures["connections_opened"], 25 - 1)  # the first one is there
        self.assertEqual(liar.n_connections, 25)
        liar = Liar(honest)
        figures = self.assert_right(liar.port, reconnect=1, operations=100, php=1)
        self.assertEqual((figures["lock"], liar.n_connections), (25, 25))

    def test_what_is_not_there_at_the_end_is_stored(self):
        for restore in (1, 0):
            liar = Liar(honest)
            self.assert_right(liar.port, get=0, set=50, touch=0, delete=50, restore=restore)
            self.assertEqual(len(liar.values) == KEYS, bool(restore), liar.values.keys())

    def test_workloads(self):
        """Keys, lengths and shares are what the plan says."""
        for name, (key_form, (least, most), wanted) in WORKLOADS.items():
            with self.subTest(name):
                liar = Liar(honest)
                figures = self.assert_right(liar.port, workload=name, operations=10000, keys=500)
                self.assertEqual(figures["workload"], name)
                for kind in ("get", "set", "touch", "add", "delete", "lock", "unlock", "missed"):
                    self.assertAlmostEqual(wanted.get(kind, 0), figures[kind], delta=200, msg=kind)
                for key, value in liar.values.items():
                    self.assertRegex(key, b"^(?:" + key_form + b")$")
                    self.assertTrue(least <= len(value) <= most, len(value))

    def test_lengths_of_a_lognormal_workload(self):
        liar = Liar(honest)
        self.assert_right(liar.port, workload="rack", operations=0, keys=4000)
        lengths = sorted(map(len, liar.values.values()))
        for share, wanted in ((0.5, 800), (0.95, 4070), (0.99, 8000)):
            self.assertAlmostEqual(lengths[int(share * len(lengths))] / wanted, 1, delta=0.2)

    def test_some_sessions_are_more_popular(self):
        """By Zipf's law with exponent 1 the first of 1000 has 1 / (1 + 1/2 + ... + 1/1000) of all requests."""
        for zipf, wanted in ((0, 0.001), (100, 0.1336)):
            liar = Liar(honest)
            self.assert_right(liar.port, zipf=zipf, keys=1000, operations=20000)
            counts = collections.Counter(keys[0] for keys in liar.keys[1000:])
            self.assertAlmostEqual(counts.most_common(1)[0][1] / 20000, wanted, delta=max(0.001, 0.1 * wanted))
            self.assertGreater(len(counts), 900)

    def test_a_php_session_that_begins_is_missed_and_stored(self):
        liar = Liar(honest)
        figures = self.assert_right(liar.port, workload="php", operations=4000)
        self.assertEqual(len(liar.values), KEYS + figures["missed"], "the ended ones are there until they expire")
        for at, verb in enumerate(liar.verbs[KEYS:], KEYS):
            if verb == b"add":
                key = liar.keys[at + 1][0]
                self.assertEqual(liar.keys[at], [b"memc.sess.key.lock." + key.removeprefix(b"memc.sess.key.")])

    def test_options_that_do_not_go_together(self):
        for options in ({"get": 0, "set": 0, "touch": 0}, {"value-min": 700}, {"php": 1, "batch": 2}, {"workload": "none"},
                        {"canned": 1, "resp": 1}, {"canned": 1, "workload": "wiki"}, {"delete": 1, "connections": 40}):
            command = [LOAD, "--port", "1", "--keys", str(KEYS)]
            ended = subprocess.run([*command, *(word for name, value in options.items() for word in (f"--{name}", str(value)))],
                                   capture_output=True, text=True, timeout=DEADLINE_S, check=False)
            self.assertEqual((ended.returncode, ended.stdout), (64, ""), options)
            self.assertIn("usage", ended.stderr)

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
                figures = self.assert_right(daemon.port, connections=20, operations=20001, php=1, depth=depth, seed=seed,
                                            keys=200)
                pages = figures["lock"]
                self.assertEqual([figures[name] for name in ("get", "unlock")], [pages, pages])
                self.assertEqual(figures["set"] + figures["touch"], pages)
                self.assertGreaterEqual(figures["operations"], 20001)
            self.assertEqual(int(daemon.stats()["curr_items"]), 200)

    def test_workloads_with_sessiond(self):
        """Many connections, many requests at once: every reply is known nevertheless."""
        with SessiondProcess() as daemon:
            for seed, (name, options) in enumerate((
                    ("php", {}), ("php", {"depth": 4, "reconnect": 1}), ("django", {"batch": 10}), ("rack", {"depth": 8}),
                    ("wiki", {"connections": 2, "depth": 32}), ("mixed", {**COMING, "depth": 16}))):
                self.assert_right(daemon.port, **{"connections": 20, "workload": name, "operations": 10000, "keys": 2000,
                                                  "seed": seed, **options})

    def test_a_paced_run_takes_its_time(self):
        """It asks as many a second as it is told, and not all at once; every reply is checked as ever."""
        with SessiondProcess() as daemon:
            code, figures, stderr = run_load(daemon.port, connections=5, operations=300, rate=1000)
        self.assertEqual((code, figures["errors"], figures["operations"], figures["loop"]), (0, 0, 300, "paced"), stderr)
        self.assertGreaterEqual(figures["seconds"], 0.29)

    def test_a_stall_makes_all_late_that_was_due_meanwhile(self):
        """At 1000 a second a third of 600 is due while the server sleeps; a closed loop notices one."""
        def stall(said, reply, slept=[]):
            if said == b"get" and not slept:
                slept.append(time.sleep(0.2))
            return reply
        late = self.assert_right(Liar(stall).port, rate=1000, operations=600)
        self.assertGreater(late["p99_us"], 100_000)

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
