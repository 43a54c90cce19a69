"""What Python's clients for memcached have in common: one interface, three ways to say no.

The names of the cases say what the clients need. Not a test: test_pymemcache.py, test_pylibmc.py and
test_python_memcache.py give the clients.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from client_case import NEEDS_ROOM_BYTES, TOO_LARGE_BYTES


class ConnectsClient:
    """How a client is made, and how it says no. An error is (class, pattern of its text), or None: it says so by False.

    connect(**options)  a client for self.servers(), ended with the test
    """

    too_large_error = None
    no_room_error = None
    bad_key_error = None

    def setUp(self):
        super().setUp()
        self.client = self.connect()

    def assert_refused(self, error, call, *arguments):
        if error is None:
            self.assertFalse(call(*arguments))
        else:
            with self.assertRaisesRegex(*error):
                call(*arguments)

    def prepare_cas(self, key):
        """A function (key, value) that stores if the value of key is still what it is now."""
        _, cas = self.client.gets(key)
        return lambda key, value: self.client.cas(key, value, cas)


class InterfaceCases(ConnectsClient):
    """Every client, over every kind of connection, with one server and with two."""

    missing_error = None  # incr of what is not there; None: the result is None
    counting_error = None  # incr of text
    flush_error = None  # a refused flush; None: not noticed

    def test_get_set_and_types_by_flags(self):
        for value in (b"", b"\r\nEND\r\n\0\xff", "caf\xe9", 42, -7, 1.5, {"a": [1, None]}, b"x" * 1_000_000):
            self.assertTrue(self.client.set(self.key, value))
            found = self.client.get(self.key)
            self.assertEqual((type(found), found), (type(value), value))
        self.assertIsNone(self.client.get("missing"))

    def test_add_and_replace_tell_whether_they_stored(self):
        self.assertFalse(self.client.replace(self.key, "0"))
        self.assertTrue(self.client.add(self.key, "1"))
        self.assertFalse(self.client.add(self.key, "2"))
        self.assertTrue(self.client.replace(self.key, "3"))
        self.assertEqual(self.client.get(self.key), "3")

    def test_append_and_prepend_only_to_what_is_there(self):
        self.assertFalse(self.client.append(self.key, "c"))
        self.assertFalse(self.client.prepend(self.key, "a"))
        self.client.set(self.key, "b")
        self.assertTrue(self.client.append(self.key, "c"))
        self.assertTrue(self.client.prepend(self.key, "a"))
        self.assertEqual(self.client.get(self.key), "abc")

    def test_gets_and_cas(self):
        self.client.set(self.key, 1)
        first = self.prepare_cas(self.key)
        self.assertTrue(first(self.key, 2))
        second = self.prepare_cas(self.key)
        self.connect().set(self.key, 3)
        self.assertFalse(second(self.key, 4))
        self.assertEqual(self.client.get(self.key), 3)

    def test_incr_and_decr(self):
        for count in (self.client.incr, self.client.decr):
            self.assert_refused(self.missing_error, count, self.key, 1)
        self.client.set(self.key, 10)
        self.assertEqual(self.client.incr(self.key, 5), 15)
        self.assertEqual(self.client.decr(self.key, 14), 1)
        self.assertEqual(self.client.decr(self.key, 14), 0)
        self.assertEqual(self.client.get(self.key), 0)

    def test_counting_of_text_is_an_error_and_the_next_command_works(self):
        self.client.set(self.key, "text")
        for count in (self.client.incr, self.client.decr):
            self.assert_refused(self.counting_error, count, self.key, 1)
        self.assertEqual(self.client.get(self.key), "text")

    def test_touch(self):
        self.assertFalse(self.client.touch(self.key, 60))
        self.client.set(self.key, "1")
        self.assertTrue(self.client.touch(self.key, 60))
        self.assertTrue(self.client.touch(self.key, 0))
        self.assertEqual(self.client.get(self.key), "1")
        self.assertTrue(self.client.touch(self.key, -1))
        self.assertIsNone(self.client.get(self.key))

    def test_delete(self):
        self.client.set(self.key, "1")
        self.assertTrue(self.client.delete(self.key))
        self.assertIsNone(self.client.get(self.key))

    def test_set_multi_get_multi_delete_multi(self):
        values = {f"{self.key}{number}": number for number in range(100)}
        self.assertEqual(self.client.set_multi(values), [])
        self.assertEqual(self.client.get_multi([*values, "missing"]), values)
        self.assertTrue(self.client.delete_multi(list(values)))
        self.assertEqual(self.client.get_multi(list(values)), {})

    def test_get_multi_of_more_keys_than_a_line_may_have(self):
        values = {f"{self.key}{'y' * 100}{number}": number for number in range(500)}
        self.client.set_multi(values)
        self.assertEqual(self.client.get_multi(list(values)), values)

    def test_an_exptime_that_has_passed_is_stored_and_not_kept(self):
        for exptime in (-1, -500, 2592001, int(time.time()) - 1):
            with self.subTest(exptime):
                self.client.set(self.key, "1")
                self.assertTrue(self.client.set(self.key, "2", exptime))
                self.assertIsNone(self.client.get(self.key))

    def test_a_refused_flush_is_no_success_and_nothing_goes(self):
        self.client.set(self.key, "1")
        self.assert_refused(self.flush_error, self.client.flush_all)
        self.assertEqual(self.client.get(self.key), "1")

    def test_a_value_too_large_is_refused_and_the_old_one_stays(self):
        self.client.set(self.key, "old")
        for store in (self.client.set, self.client.replace, self.client.append, self.client.prepend):
            self.assert_refused(self.too_large_error, store, self.key, b"x" * TOO_LARGE_BYTES)
            self.assertEqual(self.client.get(self.key), "old")

    def test_a_key_that_only_the_server_refuses(self):
        self.assert_refused(self.bad_key_error, self.client.set, "rubout\x7f", "1")
        self.assertTrue(self.client.set("x" * 250, "1"))
        self.assertEqual(self.client.get("x" * 250), "1")


class CompressionCases:
    """Clients that compress."""

    def test_compressed_values(self):
        value = "again and " * 200_000  # too large, were it not for the compression
        self.assertTrue(self.client.set(self.key, value, min_compress_len=100))
        self.assertEqual(self.client.get(self.key), value)


class FlushCases(ConnectsClient):
    options = ("--flush-all", "allow")

    def test_an_allowed_flush_empties(self):
        self.client.set(self.key, "1")
        self.client.flush_all()
        self.assertIsNone(self.client.get(self.key))
        self.assertTrue(self.client.set(self.key, "2"))
        self.assertEqual(self.client.get(self.key), "2")


class FullMemoryCases(ConnectsClient):
    def test_a_new_session_is_refused(self):
        for store in (self.client.set, self.client.add):
            self.assert_refused(self.no_room_error, store, self.key, b"x" * NEEDS_ROOM_BYTES)
        self.assertIsNone(self.client.get(self.key))

    def test_a_session_that_grows_too_much_is_refused_and_the_old_one_stays(self):
        for store in (self.client.set, self.client.replace, self.client.append, self.client.prepend,
                      self.prepare_cas("kept")):
            self.assert_refused(self.no_room_error, store, "kept", b"x" * NEEDS_ROOM_BYTES)
            self.assertEqual(self.client.get("kept"), b"old")

    def test_a_session_that_fits_is_overwritten_touched_and_deleted(self):
        self.assertTrue(self.client.set("kept", b"new"))
        self.assertTrue(self.client.touch("kept", 60))
        self.assertEqual(self.client.get("kept"), b"new")
        self.assertTrue(self.client.delete("kept"))
