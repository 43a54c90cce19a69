"""python-memcached (Debian: python3-memcache) against a running sessiond.

It does not raise for what a server says: what it did not expect is 0, False or None.
The names of the cases say what this client needs.
"""

import unittest
from unittest import mock

from interface_cases import CompressionCases, FlushCases, FullMemoryCases, InterfaceCases

import memcache
from client_case import (
    TOO_LARGE_BYTES, ClientCase, FullMemoryCase, TwoServersCase, UnixSocketCase, specification,
)
from sessiond_process import SessiondProcess

# Without its own limits: the server is to refuse.
OPTIONS = {"socket_timeout": 20, "cache_cas": True, "check_keys": False, "server_max_value_length": 0}


class Memcache:
    counting_error = ValueError, "CLIENT_ERROR cannot increment or decrement non-numeric value"

    def connect(self, servers=None, **options):
        client = memcache.Client([specification(server, unix="unix:") for server in servers or self.servers()],
                                 **{**OPTIONS, **options})
        self.addCleanup(client.disconnect_all)
        return client

    def prepare_cas(self, key):
        self.client.gets(key)
        return self.client.cas


class CommandCases(Memcache, InterfaceCases, CompressionCases):
    def test_cas_of_what_is_gone(self):
        self.client.set(self.key, 1)
        store = self.prepare_cas(self.key)
        self.connect().delete(self.key)
        self.assertFalse(store(self.key, 2))
        self.assertIsNone(self.client.get(self.key))

    def test_delete_with_and_without_its_old_time(self):
        for arguments in ((), (0,)):
            self.client.set(self.key, "1")
            for _ in range(2):  # also what is not there counts as deleted
                self.assertTrue(self.client.delete(self.key, *arguments))
                self.assertIsNone(self.client.get(self.key))

    def test_keys_that_are_numbers_and_a_prefix(self):
        self.assertEqual(self.client.set_multi({42: "a", 46: "b"}, key_prefix=self.key), [])
        self.assertEqual(self.client.get_multi([46, 42], key_prefix=self.key), {42: "a", 46: "b"})
        self.assertEqual(self.client.get(f"{self.key}42"), "a")

    def test_set_multi_tells_which_were_refused(self):
        self.client.set(self.key, "old")
        refused = self.client.set_multi({self.key: b"x" * TOO_LARGE_BYTES, f"{self.key}2": "2"})
        self.assertEqual(refused, [self.key])
        self.assertEqual(self.client.get_multi([self.key, f"{self.key}2"]), {self.key: "old", f"{self.key}2": "2"})

    def test_the_limits_of_the_client(self):
        client = self.connect(check_keys=True, server_max_value_length=None)
        for key in ("with blank", "x" * 251, "rubout\x7f"):
            with self.assertRaises(client.MemcachedKeyError):
                client.set(key, "1")
        self.assertTrue(client.set(self.key, b"x" * 1_048_576))
        self.assertFalse(client.set(self.key, b"x" * 1_048_577))

    def test_stats_of_every_server(self):
        statistics = [rows for _, rows in self.client.get_stats()]
        self.assertEqual({int(rows["pid"]) for rows in statistics}, {server.pid for server in self.servers()})
        for rows in statistics:
            self.assertRegex(rows["version"], r"\A1\.\d+\.\d+\Z")

    def test_stats_slabs_and_stats_items_have_names_of_its_form(self):
        """get_slab_stats and get_slabs split them so; under Python 3 they fail in the client before that."""
        self.client.set(self.key, "1")
        for _, rows in self.client.get_stats("slabs"):
            for name in rows.keys() - {"active_slabs", "total_malloced"}:
                self.assertRegex(name, r"\A\d+:\w+\Z")
        for _, rows in self.client.get_stats("items"):
            for name in rows:
                self.assertRegex(name, r"\Aitems:\d+:\w+\Z")

    def test_disconnect_and_back_again(self):
        self.client.set(self.key, "1")
        self.client.disconnect_all()
        self.assertEqual(self.client.get(self.key), "1")


class OneServerTest(CommandCases, ClientCase):
    pass


class UnixSocketTest(CommandCases, UnixSocketCase):
    pass


class TwoServersTest(CommandCases, TwoServersCase):
    def test_both_have_a_part(self):
        self.client.set_multi({f"{self.key}{number}": number for number in range(100)})
        self.assert_both_have_a_part()

    def test_a_server_that_is_down_loses_none_of_its_sessions_to_the_other(self):
        # Otherwise it asks up to ten servers in turn, and the session goes on elsewhere from nothing.
        with SessiondProcess() as kept, SessiondProcess() as lost, mock.patch.object(memcache.Client, "_SERVER_RETRIES", 1):
            client = self.connect([kept, lost])
            keys = [f"{self.key}{number}" for number in range(32)]
            client.set_multi(dict.fromkeys(keys, "1"))
            with lost.connect() as wire:
                gone = {key for key in keys if wire.get(key)}
            self.assertTrue(0 < len(gone) < len(keys))
            lost.kill()
            for key in keys:
                self.assertEqual(client.get(key), None if key in gone else "1")
                self.assertEqual(bool(client.set(key, "2")), key not in gone)
            self.assertEqual(int(kept.stats()["curr_items"]), len(keys) - len(gone))


class FlushTest(Memcache, FlushCases, ClientCase):
    pass


class FullMemoryTest(Memcache, FullMemoryCases, FullMemoryCase):
    pass


class WireTest(Memcache, ClientCase):
    """The words that this client has of its own."""

    def setUp(self):
        super().setUp()
        self.relayed = self.relay()
        self.client = self.connect()

    def servers(self):
        return [self.relayed]

    def test_blanks_at_the_end_of_lines(self):
        self.assertTrue(self.client.set(self.key, "1"))
        self.assertTrue(self.client.delete_multi([self.key]))
        self.assertIsNone(self.client.get(self.key))
        self.assertEqual(self.relayed.take_lines(),
                         [f"set {self.key} 16 0 1 ", f"delete {self.key} ", f"get {self.key}"])

    def test_noreply(self):
        for store in (self.client.set, self.client.add, self.client.replace, self.client.append, self.client.prepend):
            self.assertTrue(store(self.key, "1", noreply=True))
        self.assertEqual(self.client.gets(self.key), "111")
        self.client.cas(self.key, "7", noreply=True)
        self.client.incr(self.key, 5, noreply=True)
        self.client.decr(self.key, 2, noreply=True)
        self.client.touch(self.key, 60, noreply=True)
        self.assertEqual(self.client.get(self.key), "10")
        self.client.set_multi({self.key: "2"}, noreply=True)
        self.client.delete_multi(["other"], noreply=True)
        self.client.delete("other", noreply=True)
        self.assertEqual(self.client.get(self.key), "2")
        lines = [line for line in self.relayed.take_lines() if not line.startswith("get")]
        self.assertEqual([line for line in lines if "noreply" not in line], [])
        self.assertEqual(len(lines), 12)


if __name__ == "__main__":
    unittest.main()
