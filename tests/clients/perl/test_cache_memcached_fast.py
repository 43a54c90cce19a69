"""Cache::Memcached::Fast of Perl (Debian: libcache-memcached-fast-perl) against a running sessiond.

What it did not do is false (""), what is an error undef. The names of the cases say what this client needs.
"""

import json
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))

from client_case import NEEDS_ROOM_BYTES, TOO_LARGE_BYTES, ClientCase, FullMemoryCase, TwoServersCase, UnixSocketCase, specification
from driven_client import DrivenClient
from sessiond_process import SessiondProcess

DAY_S = 86400
NO = ""
ERROR = None
OPTIONS = {"io_timeout": 20, "connect_timeout": 20, "max_size": 1 << 24}  # the server is to refuse


def many(text, times):
    """A long text, made by the driver: Perl's reader of JSON is slow."""
    return {"many": [text, times]}


class PerlCase(ClientCase):
    def connect(self, servers=None, noreply=False, **options):
        addresses = [{"address": specification(server), "noreply": int(noreply)} for server in servers or self.servers()]
        return self.enterContext(DrivenClient(["perl", HERE / "driver.pl", json.dumps(addresses), json.dumps({**OPTIONS, **options})]))

    def setUp(self):
        super().setUp()
        self.client = self.connect()

    def assert_done(self, done):
        self.assertEqual(done, 1)


class CommandTest(PerlCase):
    def test_get_set_and_a_structure(self):
        for value in ("text", "", "line\r\nEND\r\n", "x" * 50_000, {"a": ["1", None]}):
            self.assert_done(self.client.set(self.key, value, 60))
            self.assertEqual(self.client.get(self.key), value)
        self.assertIsNone(self.client.get("missing"))

    def test_compressed_values(self):
        client = self.connect(compress_threshold=1000)
        self.assert_done(client.set(self.key, "again and " * 5000))
        self.assertEqual(client.get(self.key), "again and " * 5000)
        self.assert_done(client.set(self.key, many("again and ", 200_000)))  # too large, were it not for the compression
        self.assertLess(len(self.wire.get(self.key)), 100_000)

    def test_add_replace_append_prepend_tell_whether_they_stored(self):
        for store in (self.client.replace, self.client.append, self.client.prepend):
            self.assertEqual(store(self.key, "0"), NO)
        self.assert_done(self.client.add(self.key, "b", 60))
        self.assertEqual(self.client.add(self.key, "2"), NO)
        self.assert_done(self.client.append(self.key, "c"))
        self.assert_done(self.client.prepend(self.key, "a"))
        self.assertEqual(self.client.get(self.key), "abc")
        self.assert_done(self.client.replace(self.key, "3"))
        self.assertEqual(self.client.get(self.key), "3")

    def test_gets_and_cas(self):
        self.client.set(self.key, "1")
        cas, value = self.client.gets(self.key)
        self.assertEqual(value, "1")
        self.assert_done(self.client.cas(self.key, cas, "2"))
        self.assertEqual(self.client.cas(self.key, cas, "3"), NO)
        self.assertEqual(self.client.cas("missing", cas, "3"), NO)
        self.assertEqual(self.client.get(self.key), "2")

    def test_incr_and_decr(self):
        for count in (self.client.incr, self.client.decr):
            self.assertEqual(count(self.key, 1), NO)
        self.client.set(self.key, 10)
        self.assertEqual(int(self.client.incr(self.key, 5)), 15)
        self.assertEqual(int(self.client.decr(self.key)), 14)
        self.assertEqual(self.client.decr(self.key, 20), "0E0")  # it wants to be true
        self.client.set(self.key, "text")
        self.assertIs(self.client.incr(self.key), ERROR)
        self.assertEqual(self.client.get(self.key), "text")

    def test_touch_and_gat(self):
        self.assertEqual(self.client.touch(self.key, 60), NO)
        self.assertIsNone(self.client.gat(60, self.key))
        self.client.set(self.key, "1")
        self.assert_done(self.client.touch(self.key, 60))
        self.wire.send_line(f"mg {self.key} t")
        self.assertEqual(self.wire.read_line(), "HD t60")
        self.assertEqual(self.client.gat(100, self.key), "1")
        cas, value = self.client.gats(100, self.key)
        self.assertEqual((value, int(cas) > 0), ("1", True))
        self.wire.send_line(f"mg {self.key} t")
        self.assertEqual(self.wire.read_line(), "HD t100")

    def test_delete(self):
        self.client.set(self.key, "1")
        self.assert_done(self.client.delete(self.key))
        self.assertEqual(self.client.delete(self.key), NO)
        self.assertIsNone(self.client.get(self.key))

    def test_many_at_once(self):
        values = {f"{self.key}{'y' * 100}{number}": str(number) for number in range(500)}
        self.assertEqual(set(self.client.set_multi(*map(list, values.items())).values()), {1})
        self.assertEqual(self.client.get_multi(*values, "missing"), values)
        self.assertEqual(set(self.client.delete_multi(*values).values()), {1})
        self.assertEqual(self.client.get_multi(*values), {})

    def test_an_exptime_that_has_passed_is_stored_and_not_kept(self):
        for exptime in (-1, 2592001, int(time.time()) - 1):
            with self.subTest(exptime):
                self.client.set(self.key, "1")
                self.assert_done(self.client.set(self.key, "2", exptime))
                self.assertIsNone(self.client.get(self.key))

    def test_a_date_beyond_30_days(self):
        self.assert_done(self.client.set(self.key, "1", int(time.time()) + 40 * DAY_S))
        self.assertEqual(self.client.get(self.key), "1")

    def test_in_void_context_nothing_is_answered_if_it_is_told_so(self):
        relay = self.relay()
        client = self.connect([relay], noreply=True)
        client.call("void set", self.key, "1", 60)
        self.assertEqual(client.get(self.key), "1")
        client.call("void delete", self.key)
        self.assertIsNone(client.get(self.key))
        self.assertEqual([line for line in relay.take_lines() if "noreply" in line],
                         [f"set {self.key} 0 60 1 noreply", f"delete {self.key} noreply"])

    def test_versions_and_a_namespace(self):
        self.assertEqual(list(self.client.server_versions().values()), ["1.6.18"])
        self.connect(namespace="site:").set(self.key, "1")
        self.assert_stored(f"site:{self.key}", b"1")

    def test_a_refused_flush_is_not_among_the_done_and_nothing_goes(self):
        self.client.set(self.key, "1")
        self.assertEqual(list(self.client.flush_all().values()), [])
        self.assertEqual(self.client.get(self.key), "1")

    def test_what_the_server_refuses_is_an_error_and_the_old_value_stays(self):
        self.client.set(self.key, "old")
        for store in (self.client.set, self.client.replace, self.client.append):
            self.assertIs(store(self.key, many("x", TOO_LARGE_BYTES)), ERROR)
            self.assertEqual(self.client.get(self.key), "old")
        for key in ("rubout\x7f", "with blank", "x" * 251):
            self.assertIs(self.client.set(key, "1"), ERROR)
            self.assertEqual(self.client.get(self.key), "old")
        self.assert_done(self.client.set("x" * 250, "1"))


class FlushTest(PerlCase):
    options = ("--flush-all", "allow")

    def test_an_allowed_flush_empties(self):
        self.client.set(self.key, "1")
        self.assertEqual(list(self.client.flush_all().values()), [1])
        self.assertIsNone(self.client.get(self.key))


class FullMemoryTest(FullMemoryCase, PerlCase):
    def test_a_session_that_needs_room_is_an_error_and_the_old_one_stays(self):
        for key, found in (("kept", "old"), (self.key, None)):
            self.assertIs(self.client.set(key, many("x", NEEDS_ROOM_BYTES)), ERROR)
            self.assertEqual(self.client.get(key), found)
        self.assert_done(self.client.set("kept", "new"))
        self.assert_done(self.client.touch("kept", 60))
        self.assert_done(self.client.delete("kept"))


class UnixSocketTest(UnixSocketCase, PerlCase):
    def test_over_a_unix_socket(self):
        self.assert_done(self.client.set(self.key, "1"))
        self.assertEqual(self.client.get(self.key), "1")


class TwoServersTest(TwoServersCase, PerlCase):
    def test_keys_spread_over_two_servers(self):
        for options in ({}, {"ketama_points": 150}):
            client = self.connect(**options)
            values = {f"{self.key}{number}": str(number) for number in range(50)}
            client.set_multi(*map(list, values.items()))
            self.assertEqual(client.get_multi(*values), values)
            self.assert_both_have_a_part()


class RestartTest(PerlCase):
    def test_a_server_that_comes_back_is_used_again_with_its_sessions(self):
        with SessiondProcess() as own:
            client = self.connect([own])
            client.set(self.key, "1")
            address, data_dir = specification(own), own.data_dir
            own.stop()
            self.assertIsNone(client.get(self.key))
            with SessiondProcess(["--listen", address, "--data-dir", data_dir]):
                self.assertEqual(client.get(self.key), "1")


if __name__ == "__main__":
    unittest.main()
