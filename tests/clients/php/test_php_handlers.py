"""PHP's three session handlers for memcached against a running sessiond, behind PHP's own web server.

They are php-memcached's (in text mode), php-memcache's, and Symfony's on top of the class Memcached. What the first
does in detail is tested by test_php_memcached.py. The names of the cases say what the handlers need.
"""

import unittest

from php_case import COMMON_SETTINGS, HERE, LIFETIME_S, PhpCase

from sessiond_process import SessiondProcess

DAY_S = 86400
STORED = b"count|i:%d;"


class HandlerCases:
    """What holds with every handler."""

    def setUp(self):
        super().setUp()
        self.server = self.php()

    def test_a_session_comes_back_and_goes_on(self):
        session_id = self.new_session(self.server)
        for count in (2, 3):
            self.assert_count(self.server.visit("start,count", session_id), count)
        self.assert_session(session_id, STORED % 3)

    def test_regenerate_keeps_the_session_and_the_old_id(self):
        old_id = self.new_session(self.server)
        answer = self.server.visit("start,regenerate,count", old_id)
        self.assert_count(answer, 2)
        self.assertEqual(answer["results"]["regenerate"], True)
        self.assertEqual(answer["cookie"], answer["id"])
        self.assertNotEqual(answer["id"], old_id)
        self.assert_count(self.server.visit("start", old_id), 1)
        self.assert_count(self.server.visit("start", answer["id"]), 2)

    def test_regenerate_with_delete_ends_the_old_id(self):
        old_id = self.new_session(self.server)
        answer = self.server.visit("start,replace,count", old_id)
        self.assert_count(answer, 2)
        self.assertEqual(answer["results"]["replace"], True)
        self.assert_session(old_id, None)
        self.assert_dead(self.server, old_id)
        self.assert_count(self.server.visit("start", answer["id"]), 2)

    def test_destroy_ends_the_session(self):
        session_id = self.new_session(self.server)
        answer = self.server.visit("start,destroy", session_id)
        self.assertEqual(answer["results"], {"start": True, "destroy": True})
        self.assert_session(session_id, None)
        self.assert_dead(self.server, session_id)

    def test_a_large_session(self):
        session_id = self.server.visit("start,count,grow", bytes=900_000)["id"]
        answer = self.server.visit("start,count", session_id)
        self.assert_count(answer, 2)

    def test_a_session_too_large_is_a_warning_and_the_old_one_stays(self):
        session_id = self.new_session(self.server)
        self.assert_not_written(self.server.visit("start,count,grow", session_id, bytes=4_000_000))
        self.assert_session(session_id, STORED % 1)
        self.assert_count(self.server.visit("start", session_id), 1)

    def assert_lives_for(self, lifetime_s):
        with SessiondProcess() as own:  # its clock moves
            server = self.php([own], **{"session.gc_maxlifetime": lifetime_s})
            session_id = self.new_session(server)
            own.move_clock(lifetime_s - 60)
            with own.connect() as wire:
                self.assertEqual(wire.get(self.key_prefix + session_id), STORED % 1)
            own.move_clock(61)
            self.assert_dead(server, session_id)

    def test_a_session_ends_after_gc_maxlifetime(self):
        self.assert_lives_for(LIFETIME_S)

    def test_a_lifetime_beyond_30_days(self):
        self.assert_lives_for(40 * DAY_S)


class RenewalCases:
    """With handlers that send a time from now; php-memcache sends a date, and PHP's clock does not move."""

    def test_a_visit_that_changes_nothing_renews(self):
        with SessiondProcess() as own:
            server = self.php([own])
            session_id = self.new_session(server)
            for _ in range(3):
                own.move_clock(LIFETIME_S - 60)
                self.assert_count(server.visit("start", session_id), 1)
            own.move_clock(LIFETIME_S + 1)
            self.assert_dead(server, session_id)


class MemcachedTest(HandlerCases, RenewalCases, PhpCase):
    pass


class MemcacheTest(HandlerCases, PhpCase):
    """php-memcache, of PECL: its first word on a connection is incr."""

    settings = {**COMMON_SETTINGS, "session.save_handler": "memcache", "session.save_path": "tcp://{servers}"}
    key_prefix = ""

    def assert_dead(self, php, session_id):
        """The id opens nothing. This handler takes a foreign id over even in strict mode."""
        self.assert_count(php.visit("start,count", session_id), 1)

    def test_the_lock_is_counted_and_the_session_has_a_date(self):
        relay = self.relay()
        server = self.php([relay])
        session_id = self.new_session(server)
        lines = relay.take_lines()
        self.assertEqual([line.rpartition(" ")[0] for line in lines[:3]], [
            f"incr {session_id}.lock", f"add {session_id}.lock 768 15", "get"])
        self.assertRegex(lines[3], rf"\Aset {session_id} 0 \d{{10}} 10\Z")
        self.assertEqual(lines[4], f"set {session_id}.lock 768 15 1")
        self.assert_stored(f"{session_id}.lock", b"0")

    def test_two_requests_serialise(self):
        relay = self.relay()
        second = self.php([relay])
        session_id = self.new_session(self.server)
        held = self.hold(self.server, session_id)
        waiting = self.visit_meanwhile(second, session_id)
        relay.wait_for_lines(6)  # it has asked for the lock twice
        self.assert_count(held.release(), 2)
        self.assert_count(waiting.join(), 3)


class SymfonyTest(HandlerCases, RenewalCases, PhpCase):
    settings = {**COMMON_SETTINGS, "session.save_path": "{servers}", "auto_prepend_file": HERE / "symfony.php"}
    key_prefix = "sf2s"


if __name__ == "__main__":
    unittest.main()
