"""twemproxy (Debian: nutcracker) between clients and two sessionds, ketama, auto_eject_hosts: false.

The names of the cases say what the proxy needs.
"""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import pylibmc
from client_case import NEEDS_ROOM_BYTES, TOO_LARGE_BYTES, FullMemoryCase, TwoServersCase
from nutcracker_process import NutcrackerProcess
from pymemcache.client.base import Client
from sessiond_process import SessiondProcess

VALUES = {f"session{number}": b"%d" % number for number in range(200)}


class ProxyCase(TwoServersCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.proxy = cls.enterClassContext(NutcrackerProcess([cls.daemon, cls.second]))

    def setUp(self):
        super().setUp()
        self.client = self.enterContext(self.proxy.connect())


class CommandTest(ProxyCase):
    """Bytes in, bytes out."""

    def test_set_and_get(self):
        for value in (b"", b"hello", b"\r\nEND\r\n\0\xff", b"x" * 1_000_000):
            self.assertEqual(self.client.set(self.key, value), "STORED")
            self.assertEqual(self.client.get(self.key), value)
        self.assertIsNone(self.client.get("missing"))

    def test_flags_and_exptime(self):
        self.client.set(self.key, "1", flags=4294967295, exptime=1209600)
        self.client.send_line(f"get {self.key}")
        self.assertEqual(self.client.read_values(), {self.key: (4294967295, None, b"1")})

    def test_add_and_replace(self):
        for verb, reply in (("replace", "NOT_STORED"), ("add", "STORED"), ("add", "NOT_STORED"), ("replace", "STORED")):
            self.assertEqual(self.client.store(verb, self.key, verb), reply)
        self.assertEqual(self.client.get(self.key), b"replace")

    def test_append_and_prepend(self):
        for verb in ("append", "prepend"):
            self.assertEqual(self.client.store(verb, self.key, "a"), "NOT_STORED")
        self.client.set(self.key, "b")
        self.assertEqual(self.client.store("append", self.key, "c"), "STORED")
        self.assertEqual(self.client.store("prepend", self.key, "a"), "STORED")
        self.assertEqual(self.client.get(self.key), b"abc")

    def compare_and_set(self, cas, value):
        self.client.send(f"cas {self.key} 0 0 {len(value)} {cas}\r\n{value}\r\n")
        return self.client.read_line()

    def test_gets_and_cas(self):
        self.client.set(self.key, "1")
        self.client.send_line(f"gets {self.key}")
        cas = self.client.read_values()[self.key][1]
        self.assertEqual(self.compare_and_set(cas, "2"), "STORED")
        self.assertEqual(self.compare_and_set(cas, "3"), "EXISTS")
        self.client.ask(f"delete {self.key}")
        self.assertEqual(self.compare_and_set(cas, "4"), "NOT_FOUND")

    def test_incr_and_decr(self):
        self.assertEqual(self.client.ask(f"incr {self.key} 1"), "NOT_FOUND")
        self.client.set(self.key, "10")
        self.assertEqual(self.client.ask(f"incr {self.key} 5"), "15")
        self.assertEqual(self.client.ask(f"decr {self.key} 7").rstrip(" "), "8")
        self.client.set(self.key, "text")
        self.assertEqual(self.client.ask(f"incr {self.key} 1"),
                         "CLIENT_ERROR cannot increment or decrement non-numeric value")
        self.assertEqual(self.client.get(self.key), b"text")

    def test_touch(self):
        self.assertEqual(self.client.ask(f"touch {self.key} 60"), "NOT_FOUND")
        self.client.set(self.key, "1")
        self.assertEqual(self.client.ask(f"touch {self.key} 60"), "TOUCHED")
        self.assertEqual(self.client.ask(f"touch {self.key} 2592001"), "TOUCHED")  # a date in 1970
        self.assertIsNone(self.client.get(self.key))

    def test_delete(self):
        self.client.set(self.key, "1")
        self.assertEqual(self.client.ask(f"delete {self.key}"), "DELETED")
        self.assertEqual(self.client.ask(f"delete {self.key}"), "NOT_FOUND")

    def test_noreply(self):
        self.client.send(f"set {self.key} 0 0 1 noreply\r\n1\r\n")
        self.assertEqual(self.client.get(self.key), b"1")
        self.client.send_line(f"delete {self.key} noreply")
        self.assertIsNone(self.client.get(self.key))

    def test_multi_get_and_multi_gets_from_both_servers(self):
        for key, value in VALUES.items():
            self.client.set(key, value)
        for verb in ("get", "gets"):
            self.client.send_line(" ".join([verb, *VALUES, "missing"]))
            found = self.client.read_values()
            self.assertEqual({key: value for key, (_, _, value) in found.items()}, VALUES)
            self.assertEqual({cas is not None for _, cas, _ in found.values()}, {verb == "gets"})

    def test_pipelined_answers_stay_in_order(self):
        self.client.send("".join(f"set {key} 0 0 1\r\n{number % 10}\r\nget {key}\r\n"
                                 for number, key in enumerate(VALUES)))
        for number, key in enumerate(VALUES):
            self.assertEqual(self.client.read_line(), "STORED")
            self.assertEqual(self.client.read_values(), {key: (0, None, b"%d" % (number % 10))})

    def test_a_value_too_large_is_refused_and_the_old_one_stays(self):
        self.client.set(self.key, "old")
        self.assertEqual(self.client.set(self.key, b"x" * TOO_LARGE_BYTES), "SERVER_ERROR object too large for cache")
        self.assertEqual(self.client.get(self.key), b"old")

    def test_quit(self):
        self.client.get("missing")
        self.client.send_line("quit")
        self.client.expect_closed()

    def test_version_is_that_of_a_server(self):
        self.assertRegex(self.client.ask("version"), r"\AVERSION 1\.\d+\.\d+\Z")

    def test_what_the_proxy_does_not_pass_on_closes_and_changes_nothing(self):
        self.client.set(self.key, "1")
        for line in ("flush_all", "stats", "verbosity 1", f"gat 60 {self.key}", f"set {self.key} 0 -1 0"):
            with self.subTest(line), self.proxy.connect() as other:
                other.send_line(line)
                other.expect_closed()
        self.assertEqual(self.client.get(self.key), b"1")


class ServersTest(ProxyCase):
    def test_sessions_spread_and_each_is_on_one(self):
        for key in VALUES:
            self.client.set(key, VALUES[key])
        with self.second.connect() as second:
            places = [(self.wire.get(key) is not None, second.get(key) is not None) for key in VALUES]
        self.assertEqual(set(places), {(True, False), (False, True)})

    def test_clients_through_the_proxy(self):
        first, second = Client(self.proxy.address, timeout=20), pylibmc.Client([self.proxy.address])
        self.addCleanup(first.close)
        self.addCleanup(second.disconnect_all)
        first.set_many(VALUES, noreply=False)
        self.assertEqual(second.get_multi(list(VALUES)), VALUES)
        second.set_multi({key: b"new" for key in VALUES})
        self.assertEqual(set(first.get_many(list(VALUES)).values()), {b"new"})

    def test_a_server_that_is_down_is_an_error_for_its_own_sessions_and_back_with_none_of_them_moved(self):
        with SessiondProcess() as kept, SessiondProcess() as lost, NutcrackerProcess([kept, lost]) as proxy:
            with proxy.connect() as client, lost.connect() as wire:
                for key in VALUES:
                    client.set(key, VALUES[key])
                gone = {key for key in VALUES if wire.get(key)}
                lost.kill()
                for key in VALUES:
                    reply = client.set(key, "2")
                    self.assertEqual(reply.startswith("SERVER_ERROR"), key in gone, reply)
                self.assertEqual(int(kept.stats()["curr_items"]), len(VALUES) - len(gone))
            with SessiondProcess(["--listen", "%s:%d" % lost.address]) as back, proxy.connect() as client:
                for key in gone:
                    self.assertIsNone(client.get(key))
                    self.assertEqual(client.set(key, "3"), "STORED")
                self.assertEqual(int(back.stats()["curr_items"]), len(gone))


class FullMemoryTest(FullMemoryCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.proxy = cls.enterClassContext(NutcrackerProcess([cls.daemon]))

    def test_a_new_or_growing_session_is_a_server_error_and_the_old_one_stays(self):
        with self.proxy.connect() as client:
            for key in ("kept", self.key):
                self.assertEqual(client.set(key, b"x" * NEEDS_ROOM_BYTES), "SERVER_ERROR out of memory storing object")
            self.assertEqual(client.get("kept"), b"old")
            self.assertEqual(client.set("kept", b"new"), "STORED")
            self.assertEqual(client.ask("touch kept 60"), "TOUCHED")
            self.assertEqual(client.ask("delete kept"), "DELETED")


if __name__ == "__main__":
    unittest.main()
