"""pylibmc, and so libmemcached, in text mode against a running sessiond.

Django's use of it is tested in django/, libmemcached's own programs in test_libmemcached_tools.py.
The names of the cases say what this client needs.
"""

import unittest

from interface_cases import CompressionCases, FlushCases, FullMemoryCases, InterfaceCases

import pylibmc
from client_case import ClientCase, FullMemoryCase, TwoServersCase, UnixSocketCase, specification
from sessiond_process import SessiondProcess


class Libmemcached:
    behaviors = {"cas": True, "connect_timeout": 20_000, "receive_timeout": 20_000_000}
    missing_error = pylibmc.NotFound, "."
    counting_error = pylibmc.ClientError, "."
    flush_error = pylibmc.SomeErrors, "flush_all not allowed"
    too_large_error = pylibmc.TooBig, ""
    no_room_error = pylibmc.Error, "error 48"  # MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE; it has no class for it
    bad_key_error = pylibmc.ClientError, "bad command line format"

    def connect(self, servers=None, **behaviors):
        client = pylibmc.Client([specification(server) for server in servers or self.servers()],
                                binary=False, behaviors={**self.behaviors, **behaviors})
        self.addCleanup(client.disconnect_all)
        return client


class CommandCases(Libmemcached, InterfaceCases, CompressionCases):
    def test_cas_of_what_is_gone(self):
        self.client.set(self.key, 1)
        store = self.prepare_cas(self.key)
        self.client.delete(self.key)
        with self.assertRaises(pylibmc.NotFound):
            store(self.key, 2)
        self.assertEqual(self.client.gets(self.key), (None, None))

    def test_delete_of_what_is_not_there(self):
        self.assertFalse(self.client.delete(self.key))

    def test_add_multi_and_incr_multi(self):
        keys = [f"{self.key}{number}" for number in range(10)]
        self.client.add_multi(dict.fromkeys(keys, 1))
        self.assertEqual(sorted(self.client.add_multi(dict.fromkeys(keys, 2))), sorted(keys))
        self.client.incr_multi(keys, delta=3)
        self.assertEqual(self.client.get_multi(keys), dict.fromkeys(keys, 4))

    def test_a_key_prefix(self):
        self.client.set_multi({"1": "a"}, key_prefix=self.key)
        self.assertEqual(self.client.get_multi(["1"], key_prefix=self.key), {"1": "a"})
        self.assertEqual(self.client.get(f"{self.key}1"), "a")

    def test_a_key_too_long_is_refused_by_the_client(self):
        with self.assertRaises(ValueError):
            self.client.set("x" * 251, "1")

    def test_a_key_with_a_blank_stores_nothing_and_shifts_no_answer(self):
        self.client.set(self.key, "1")
        with self.assertRaises(pylibmc.Error):
            self.client.set("with blank", "2")
        # The server has closed: the next command may fail, and never gets another one's answer.
        try:
            self.assertEqual(self.client.get(self.key), "1")
        except pylibmc.ConnectionError:
            self.assertEqual(self.client.get(self.key), "1")

    def test_stats_of_every_server(self):
        statistics = self.client.get_stats()
        self.assertEqual({int(rows["pid"]) for _, rows in statistics}, {server.pid for server in self.servers()})
        for _, rows in statistics:
            for name in ("uptime", "time", "pointer_size", "curr_items", "total_items", "bytes", "curr_connections",
                         "total_connections", "cmd_get", "cmd_set", "get_hits", "get_misses", "evictions",
                         "bytes_read", "bytes_written", "limit_maxbytes", "threads"):
                self.assertGreaterEqual(int(rows[name]), 0, name)
            self.assertRegex(rows["version"], rb"\A1\.\d+\.\d+\Z")
        for section in ("settings", "items", "slabs"):
            self.client.get_stats(section)

    def test_disconnect_and_back_again(self):
        self.client.set(self.key, "1")
        self.client.disconnect_all()
        self.assertEqual(self.client.get(self.key), "1")


class TextTest(CommandCases, ClientCase):
    """As Django makes it."""


class NoBlockTest(CommandCases, ClientCase):
    behaviors = {**Libmemcached.behaviors, "no_block": True, "tcp_nodelay": True, "tcp_keepalive": True}


class UnixSocketTest(CommandCases, UnixSocketCase):
    pass


class KetamaTest(CommandCases, TwoServersCase):
    """Two servers, each key on one of them."""

    behaviors = {**Libmemcached.behaviors, "ketama": True}

    def test_both_have_a_part(self):
        self.client.set_multi({f"{self.key}{number}": number for number in range(100)})
        self.assert_both_have_a_part()

    def test_a_server_that_is_down_is_an_error_for_its_own_sessions_only(self):
        with SessiondProcess() as kept, SessiondProcess() as lost:
            client = self.connect([kept, lost])
            keys = [f"{self.key}{number}" for number in range(32)]
            client.set_multi(dict.fromkeys(keys, "1"))
            with lost.connect() as wire:
                gone = {key for key in keys if wire.get(key)}
            lost.kill()
            self.assertTrue(0 < len(gone) < len(keys))
            for key in keys:
                if key in gone:
                    with self.assertRaises(pylibmc.Error):
                        client.get(key)
                    with self.assertRaises(pylibmc.Error):
                        client.set(key, "moved")
                else:
                    self.assertEqual(client.get(key), "1")
            self.assertEqual(int(kept.stats()["curr_items"]), len(keys) - len(gone))


class FlushTest(Libmemcached, FlushCases, ClientCase):
    pass


class FullMemoryTest(Libmemcached, FullMemoryCases, FullMemoryCase):
    pass


class PoolTest(Libmemcached, ClientCase):
    def test_a_pool_of_clients(self):
        pool = pylibmc.ClientPool(self.connect(), 4)
        with pool.reserve() as first, pool.reserve() as second:
            first.set(self.key, "1")
            self.assertEqual(second.get(self.key), "1")


class WireTest(Libmemcached, ClientCase):
    """The words that libmemcached has of its own."""

    def setUp(self):
        super().setUp()
        self.relayed = self.relay()

    def servers(self):
        return [self.relayed]

    def test_stats_and_flush_all_with_a_trailing_blank(self):
        client = self.connect()
        client.get_stats()
        self.assertRaises(pylibmc.Error, client.flush_all)
        self.assertEqual(self.relayed.take_lines(), ["stats ", "flush_all "])

    def test_a_negative_exptime_is_sent_as_32_bits_without_its_sign_and_keeps_nothing(self):
        client = self.connect()
        client.set(self.key, "1")
        self.relayed.take_lines()
        client.set(self.key, "2", -1)
        client.add(self.key, "3", -500)
        self.assertEqual(self.relayed.take_lines(),
                         [f"set {self.key} 16 4294967295 1", f"add {self.key} 16 4294966796 1"])
        self.assert_stored(self.key, None)

    def test_quit_ends_the_connection(self):
        client = self.connect()
        client.get("missing")
        client.disconnect_all()
        self.assertEqual(self.relayed.wait_for_lines(2), ["gets missing", "quit"])

    def test_noreply(self):
        client = self.connect(_noreply=True)
        for change in (client.set, client.add, client.replace, client.append, client.prepend):
            self.assertTrue(change(self.key, "a"))
        self.assertEqual(client.get(self.key), "aaa")
        self.assertTrue(client.delete(self.key))
        self.assertTrue(client.flush_all())
        self.assertIsNone(client.get(self.key))
        self.assertEqual(self.relayed.take_lines(), [
            *(f"{verb} {self.key} 16 0 1 noreply" for verb in ("set", "add", "replace", "append", "prepend")),
            f"gets {self.key}", f"delete {self.key} noreply", "flush_all  noreply", f"gets {self.key}"])

    def test_buffered_requests_are_answered_in_order(self):
        client = self.connect(buffer_requests=True)
        for number in range(50):
            with self.assertRaisesRegex(pylibmc.Error, "error 32"):  # MEMCACHED_BUFFERED: not sent yet
                client.set(f"{self.key}{number}", number)
        found = client.get_multi([f"{self.key}{number}" for number in range(50)])
        self.assertEqual(found, {f"{self.key}{number}": number for number in range(50)})


if __name__ == "__main__":
    unittest.main()
