"""pymemcache against a running sessiond: Client, PooledClient, HashClient over two servers, RetryingClient.

Django's use of it is tested in django/. The names of the cases say what this client needs.
"""

import time
import unittest

from interface_cases import FlushCases, FullMemoryCases, InterfaceCases

from client_case import TOO_LARGE_BYTES, ClientCase, FullMemoryCase, TwoServersCase, UnixSocketCase
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.client.retrying import RetryingClient
from pymemcache.exceptions import (
    MemcacheClientError, MemcacheIllegalInputError, MemcacheServerError, MemcacheUnexpectedCloseError,
    MemcacheUnknownCommandError,
)
from pymemcache.serde import pickle_serde
from sessiond_process import SessiondProcess

DAY_S = 86400
OPTIONS = {"timeout": 20, "connect_timeout": 20, "default_noreply": False, "serde": pickle_serde}


class Pymemcache:
    """By Client; a subclass says by which other."""

    counting_error = MemcacheClientError, "non-numeric"
    flush_error = MemcacheClientError, "flush_all not allowed"
    too_large_error = MemcacheServerError, "object too large for cache"
    no_room_error = MemcacheServerError, "out of memory storing object"
    bad_key_error = MemcacheClientError, "bad command line format"

    def make(self, servers, **options):
        return Client(servers[0].address, **{**OPTIONS, **options})

    def connect(self, servers=None, **options):
        client = self.make(servers or self.servers(), **options)
        self.addCleanup(client.close)
        return client


class CommandCases(Pymemcache, InterfaceCases):
    def test_answers_are_true_false_or_none(self):
        self.assertIs(self.client.replace(self.key, "0"), False)
        self.assertIs(self.client.add(self.key, "1"), True)
        self.assertIs(self.client.touch(self.key, 60), True)
        self.assertIs(self.client.delete(self.key), True)
        self.assertIs(self.client.delete(self.key), False)
        self.assertIs(self.client.touch(self.key, 60), False)
        self.assertIsNone(self.client.incr(self.key, 1))

    def test_append_and_prepend_leave_flags_alone(self):
        self.client.set(self.key, b"b", flags=7)
        self.client.append(self.key, b"c", flags=1)
        self.client.prepend(self.key, b"a", flags=1)
        self.wire.send_line(f"get {self.key}")
        if found := self.wire.read_values():  # with two servers it may be on the other
            self.assertEqual(found, {self.key: (7, None, b"abc")})

    def test_cas_of_what_is_gone(self):
        self.assertEqual(self.client.gets("missing"), (None, None))
        self.client.set(self.key, "1")
        store = self.prepare_cas(self.key)
        self.client.delete(self.key)
        self.assertIsNone(store(self.key, "2"))

    def test_incr_wraps_at_64_bits(self):
        self.client.set(self.key, b"18446744073709551615")
        self.assertEqual(self.client.incr(self.key, 2), 1)

    def test_gets_many(self):
        self.client.set_many({f"{self.key}1": "1", f"{self.key}2": "2"})
        found = self.client.gets_many([f"{self.key}1", f"{self.key}2", "missing"])
        self.assertEqual({key: value for key, (value, _) in found.items()}, {f"{self.key}1": "1", f"{self.key}2": "2"})
        self.assertIs(self.client.cas(f"{self.key}1", "3", found[f"{self.key}1"][1]), True)

    def test_each_negative_exptime_is_taken(self):
        for exptime in (-(2**31) - 1, -(2**40)):
            self.assertIs(self.client.set(self.key, "1", exptime), True)
            self.assertIsNone(self.client.get(self.key))

    def test_dates_beyond_32_bits(self):
        for date in (2**31, 2**32, 2**32 + 1, 2**40):
            with self.subTest(date):
                self.client.set(self.key, "1", date)
                self.assertEqual(self.client.get(self.key), "1")

    def test_a_flush_with_a_delay_is_refused_as_well(self):
        self.client.set(self.key, "1")
        self.assert_refused(self.flush_error, self.client.flush_all, 10)
        self.assertEqual(self.client.get(self.key), "1")

    def test_keys_that_the_client_refuses(self):
        for key in ("with blank", "x" * 251, "nul\0", "line\r\nend", "caf\xe9"):
            for use in (self.client.get, lambda key: self.client.set(key, "1"), self.client.delete):
                with self.subTest(key), self.assertRaises(MemcacheIllegalInputError):
                    use(key)

    def test_unicode_keys(self):
        client = self.connect(allow_unicode_keys=True)
        client.set(f"{self.key}caf\xe9\u4e2d", "1")
        self.assertEqual(client.get(f"{self.key}caf\xe9\u4e2d"), "1")

    def test_a_key_prefix(self):
        client = self.connect(key_prefix=b"site:")
        client.set_many({self.key: "1"})
        self.assertEqual(client.get_many([self.key]), {self.key: "1"})
        self.assertIsNone(self.client.get(self.key))


class ServiceCases:
    """What clients of one server have besides."""

    def test_version_is_that_of_a_memcached(self):
        self.assertRegex(self.client.version(), rb"\AVERSION 1\.\d+\.\d+\Z|\A1\.\d+\.\d+\Z")

    def test_stats_are_read_to_their_end(self):
        stats = self.client.stats()
        self.assertEqual(stats[b"pid"], self.daemon.pid)
        for name in (b"uptime", b"curr_items", b"cmd_get", b"get_hits", b"bytes", b"limit_maxbytes", b"threads"):
            self.assertIsInstance(stats[name], int, name)
        self.assertIsInstance(stats[b"rusage_user"], float)
        for section in ("settings", "items", "slabs"):
            self.assertIsInstance(self.client.stats(section), dict)
        self.assertEqual(self.client.stats("cachedump", "1", "0"), {})

    def test_quit_and_back_again(self):
        self.client.set(self.key, b"1")
        self.client.quit()
        self.assertEqual(self.client.get(self.key), b"1")

    def test_nobody_shuts_it_down(self):
        for graceful in (False, True):
            with self.assertRaises(MemcacheUnknownCommandError):
                self.client.shutdown(graceful)
        self.assertTrue(self.daemon.running)
        self.assertIsNone(self.client.get("missing"))


class ClientTest(ServiceCases, CommandCases, ClientCase):
    def test_gat_and_gats_as_release_4_sends_them(self):
        # Debian's release has no method for these two; what it reads is the same.
        self.client.set(self.key, 1)
        self.assertEqual(self.client._fetch_cmd(b"gat 60", [self.key, "missing"], False), {self.key: 1})
        value, cas = self.client._fetch_cmd(b"gats 60", [self.key], True)[self.key]
        self.assertEqual(value, 1)
        self.assertIs(self.client.cas(self.key, 2, cas), True)
        self.assertEqual(self.client._fetch_cmd(b"gat 60", ["missing"], False), {})

    def test_answers_come_in_the_order_of_the_commands(self):
        # set_many, but for the verb: that add can say no shows which answer is whose.
        values = {f"{self.key}2": "", f"{self.key}1": ""}
        self.wire.set(f"{self.key}1", "")
        added = self.client._store_cmd(b"add", values, 0, False)
        self.assertEqual(added, {f"{self.key}2": True, f"{self.key}1": False})

    def test_cache_memlimit_is_refused(self):
        with self.assertRaises(MemcacheUnknownCommandError):
            self.client.cache_memlimit(1)

    def test_a_value_far_too_large_ends_the_connection_and_the_old_one_stays(self):
        self.client.set(self.key, b"old")
        with self.assertRaises((MemcacheServerError, OSError)):
            self.client.set(self.key, b"x" * 20_000_000)
        self.assertEqual(self.client.get(self.key), b"old")


class UnixSocketTest(CommandCases, UnixSocketCase):
    pass


class PooledTest(ServiceCases, CommandCases, ClientCase):
    def make(self, servers, **options):
        return PooledClient(servers[0].address, max_pool_size=4, **{**OPTIONS, **options})

    def test_a_connection_that_failed_leaves_the_pool(self):
        with self.assertRaises(MemcacheServerError):
            self.client.set(self.key, b"x" * TOO_LARGE_BYTES)
        self.assertEqual(len(self.client.client_pool.free), 0)
        self.assertIs(self.client.set(self.key, b"1"), True)


class RetryingTest(ServiceCases, CommandCases, ClientCase):
    def make(self, servers, **options):
        return RetryingClient(super().make(servers, **options), attempts=2,
                              retry_for=[MemcacheUnexpectedCloseError, OSError])

    def test_a_restart_between_two_commands_is_not_seen(self):
        with SessiondProcess() as first:
            plain, retrying = Pymemcache.make(self, [first]), self.connect([first])
            self.assertIsNone(plain.get(self.key))
            self.assertIsNone(retrying.get(self.key))
            first.kill()
            with SessiondProcess(["--listen", "%s:%d" % first.address]):
                with self.assertRaises((MemcacheUnexpectedCloseError, OSError)):
                    plain.get(self.key)
                self.assertIs(retrying.set(self.key, b"1"), True)


class HashTest(CommandCases, TwoServersCase):
    """Two servers, as docs/CLIENTS.md has it: no session moves to the other one while its own is down."""

    def make(self, servers, **options):
        stay = {"retry_attempts": 1_000_000, "retry_timeout": 0}
        return HashClient([server.address for server in servers], **{**OPTIONS, **stay, **options})

    @staticmethod
    def stored(daemon, keys):
        with daemon.connect() as wire:
            return {key for key in keys if wire.get(key) is not None}

    def test_sessions_spread_and_each_is_on_one(self):
        values = {f"{self.key}{number}": number for number in range(64)}
        for pooling in (False, True):
            client = self.connect(use_pooling=pooling)
            self.assertEqual(client.set_many(values), [])
            first, second = (self.stored(server, values) for server in self.servers())
            self.assertTrue(first and second)
            self.assertFalse(first & second)
            self.assertEqual(first | second, set(values))
            self.assertEqual(client.get_many(values), values)

    def test_a_server_that_is_down_is_an_error_for_its_own_sessions_only(self):
        values = {f"{self.key}{number}": number for number in range(64)}
        with SessiondProcess() as kept, SessiondProcess() as lost:
            client = self.connect([kept, lost])
            client.set_many(values)
            gone = self.stored(lost, values)
            lost.kill()
            for key in gone:
                for use in (client.get, lambda key: client.set(key, "moved"), client.get):
                    with self.assertRaises((MemcacheUnexpectedCloseError, OSError)):
                        use(key)
            self.assertEqual({key: client.get(key) for key in values.keys() - gone},
                             {key: values[key] for key in values.keys() - gone})
            self.assertEqual(self.stored(kept, values), values.keys() - gone)


class NoreplyTest(Pymemcache, ClientCase):
    """noreply is this client's default: no answer may come, to none of these, nor to an error among them."""

    def setUp(self):
        super().setUp()
        self.relayed = self.relay()
        self.client = self.connect([self.relayed], default_noreply=True, serde=None)

    def assert_sent(self, *lines):
        """These lines went out, and the next answer is that of the next question."""
        self.assertIsNone(self.client.get("missing"))
        self.assertEqual(self.relayed.take_lines(), [*lines, "get missing"])

    def test_each_command_that_changes_something(self):
        self.client.set(self.key, b"b")
        self.assert_sent(f"set {self.key} 0 0 1 noreply")
        self.client.add(self.key, b"x")
        self.client.replace(self.key, b"b")
        self.client.append(self.key, b"c")
        self.client.prepend(self.key, b"a")
        self.client.touch(self.key, 60)
        self.assert_sent(f"add {self.key} 0 0 1 noreply", f"replace {self.key} 0 0 1 noreply",
                         f"append {self.key} 0 0 1 noreply", f"prepend {self.key} 0 0 1 noreply",
                         f"touch {self.key} 60 noreply")
        self.assert_stored(self.key, b"abc")
        self.client.delete(self.key)
        self.assert_sent(f"delete {self.key} noreply")
        self.assert_stored(self.key, None)

    def test_many_at_once(self):
        self.client.set_many({f"{self.key}1": b"1", f"{self.key}2": b"2"})
        self.client.delete_many([f"{self.key}1", "other"])
        self.assert_sent(f"set {self.key}1 0 0 1 noreply", f"set {self.key}2 0 0 1 noreply",
                         f"delete {self.key}1 noreply", "delete other noreply")
        self.assertEqual(self.client.get_many([f"{self.key}1", f"{self.key}2"]), {f"{self.key}2": b"2"})

    def test_counting_and_cas_where_asked_for(self):
        self.client.set(self.key, b"1")
        cas = self.client.gets(self.key)[1]
        self.relayed.take_lines()
        self.client.cas(self.key, b"7", cas, noreply=True)
        self.client.incr(self.key, 2, noreply=True)
        self.client.decr(self.key, 1, noreply=True)
        self.assert_sent(f"cas {self.key} 0 0 1 {cas.decode()} noreply", f"incr {self.key} 2 noreply",
                         f"decr {self.key} 1 noreply")
        self.assert_stored(self.key, b"8")

    def test_a_refused_flush_is_silent_and_nothing_goes(self):
        self.client.set(self.key, b"1")
        self.assertIs(self.client.flush_all(), True)
        self.assert_sent(f"set {self.key} 0 0 1 noreply", "flush_all 0 noreply")
        self.assert_stored(self.key, b"1")

    def test_errors(self):
        self.client.set(self.key, b"text")
        self.client.incr(self.key, 1, noreply=True)
        self.client.set(self.key, b"x" * TOO_LARGE_BYTES)
        self.assertEqual(self.client.get(self.key), b"text")

    def test_quit(self):
        self.assertIsNone(self.client.get("missing"))
        self.client.quit()
        self.assertEqual(self.relayed.wait_for_lines(2), ["get missing", "quit"])


class FlushTest(Pymemcache, FlushCases, ClientCase):
    pass


class FullMemoryTest(Pymemcache, FullMemoryCases, FullMemoryCase):
    pass


class ExpiryTest(Pymemcache, ClientCase):
    def test_ends_on_time_below_and_above_30_days(self):
        for age_s, exptime in ((3600, 3600), (30 * DAY_S, 30 * DAY_S), (40 * DAY_S, int(time.time()) + 40 * DAY_S)):
            with self.subTest(age_s), SessiondProcess() as daemon:
                client = self.connect([daemon])
                client.set("session", b"1", expire=exptime)
                daemon.move_clock(age_s - 60)
                self.assertEqual(client.get("session"), b"1")
                daemon.move_clock(61)
                self.assertIsNone(client.get("session"))


if __name__ == "__main__":
    unittest.main()
