"""php-memcached's session handler in text mode against a running sessiond, word by word.

What every handler does is tested by test_php_handlers.py. The names of the cases say what this one needs.
"""

import unittest

from php_case import LIFETIME_S, LOCK_EXPIRE_S, PhpCase

from client_case import NEEDS_ROOM_BYTES, FullMemoryCase, TwoServersCase, UnixSocketCase
from sessiond_process import SessiondProcess

PATIENT = {"memcached.sess_lock_retries": 400, "memcached.sess_lock_wait_min": 50, "memcached.sess_lock_wait_max": 50}
IMPATIENT = {"memcached.sess_lock_retries": 2, "memcached.sess_lock_wait_min": 20, "memcached.sess_lock_wait_max": 20}
PERSISTENT = {"memcached.sess_persistent": 1}


class WireTest(PhpCase):
    """What one visitor's requests are on the wire."""

    def setUp(self):
        super().setUp()
        self.relayed = self.relay()
        self.server = self.php()

    def servers(self):
        return [self.relayed] if hasattr(self, "relayed") else [self.daemon]

    def lines_of(self, *arguments):
        """(what the page answered, what PHP sent for it)"""
        self.relayed.take_lines()
        answer = self.server.visit(*arguments)
        lines = self.relayed.take_lines()
        return answer, [line for line in lines if line != "quit"]

    def test_a_new_session_is_an_empty_add_and_ends_as_a_set_for_the_lifetime(self):
        answer, lines = self.lines_of("start,count")
        key, lock = self.key_prefix + answer["id"], self.lock_prefix + answer["id"]
        self.assertEqual(lines, [
            f"add {key} 0 {LOCK_EXPIRE_S} 0", f"add {lock} 0 {LOCK_EXPIRE_S} 1", f"get {key}",
            f"set {key} 0 {LIFETIME_S} 10", f"delete {lock}"])

    def test_lazy_write_touches_an_unchanged_session(self):
        session_id = self.new_session(self.server)
        _, lines = self.lines_of("start", session_id)
        self.assertIn(f"touch {self.key_prefix}{session_id} {LIFETIME_S}", lines)
        self.assertEqual([line for line in lines if line.startswith("set ")], [])

    def test_without_lazy_write_it_is_set_again(self):
        self.server = self.php(**{"session.lazy_write": 0})
        session_id = self.new_session(self.server)
        _, lines = self.lines_of("start", session_id)
        self.assertIn(f"set {self.key_prefix}{session_id} 0 {LIFETIME_S} 10", lines)
        self.assertEqual([line for line in lines if line.startswith("touch ")], [])

    def test_strict_mode_asks_whether_the_id_exists_and_leaves_nothing(self):
        for foreign in ("chosen-by-somebody-else-1", "a" * 32):
            answer, lines = self.lines_of("start,count", foreign)
            self.assertEqual(lines[0], f"add {self.key_prefix}{foreign} 0 2678400 0")
            self.assertNotEqual(answer["id"], foreign)
            self.assert_session(foreign, None)
        session_id = self.new_session(self.server)
        answer, lines = self.lines_of("start", session_id)
        self.assertEqual(lines[0], f"add {self.key_prefix}{session_id} 0 2678400 0")
        self.assert_count(answer, 1)

    def test_destroy_deletes_session_and_lock(self):
        session_id = self.new_session(self.server)
        _, lines = self.lines_of("start,destroy", session_id)
        self.assertEqual(lines[-2:],
                         [f"delete {self.key_prefix}{session_id}", f"delete {self.lock_prefix}{session_id}"])
        self.assert_lock(session_id, None)

    def test_each_request_connects_and_quits(self):
        session_id = self.new_session(self.server)
        self.relayed.wait_for_lines(6)
        self.server.visit("start", session_id)
        self.assertEqual(self.relayed.wait_for_lines(6)[5], "quit")

    def test_a_persistent_connection_is_kept(self):
        self.server = self.php(**PERSISTENT)
        session_id = self.new_session(self.server)
        before = int(self.daemon.stats()["total_connections"])
        for count in (2, 3, 4):
            answer, _ = self.lines_of("start,count", session_id)
            self.assert_count(answer, count)
        self.assertEqual(int(self.daemon.stats()["total_connections"]), before + 1)  # the one that asks
        self.assertNotIn("quit", self.relayed.lines())


class LockTest(PhpCase):
    """Two requests to one session at a time."""

    def test_two_requests_serialise(self):
        relay = self.relay()
        first, second = self.php(), self.php([relay], **PATIENT)
        session_id = self.new_session(first)
        held = self.hold(first, session_id)
        waiting = self.visit_meanwhile(second, session_id)
        relay.wait_for_lines(4)  # it has asked for the lock more than once
        self.assert_count(held.release(), 2)
        self.assert_count(waiting.join(), 3)
        self.assert_lock(session_id, None)

    def test_a_busy_lock_fails_the_start_and_changes_nothing(self):
        first, second = self.php(), self.php(**IMPATIENT)
        session_id = self.new_session(first)
        held = self.hold(first, session_id)
        answer = second.visit("start", session_id)
        self.assertEqual(answer["results"], {"start": False})
        self.assertIn("Unable to clear session lock record", " ".join(answer["warnings"]))
        self.assert_lock(session_id, b"1")
        self.assert_count(held.release(), 2)
        self.assert_count(second.visit("start,count", session_id), 3)

    def test_without_locking_nobody_waits(self):
        free = {"memcached.sess_locking": 0}
        first, second = self.php(**free), self.php(**free)
        session_id = self.new_session(first)
        held = self.hold(first, session_id)
        self.assert_count(second.visit("start,count", session_id), 2)
        self.assert_lock(session_id, None)
        self.assert_count(held.release(), 2)

    def test_the_lock_of_a_request_that_died_ends_by_itself(self):
        with SessiondProcess() as own:  # its clock moves
            first, second = self.php([own]), self.php([own], **IMPATIENT)
            session_id = self.new_session(first)
            self.hold(first, session_id)
            first.kill()
            own.move_clock(LOCK_EXPIRE_S - 10)
            self.assertEqual(second.visit("start", session_id)["results"], {"start": False})
            own.move_clock(11)
            self.assert_count(second.visit("start,count", session_id), 2)

    def test_ids_that_a_regenerate_made_and_did_not_use_end_with_the_lock_time(self):
        with SessiondProcess() as own:
            server = self.php([own])
            answer = server.visit("start,replace", self.new_session(server))
            own.move_clock(LOCK_EXPIRE_S + 1)
            own.wait_for_stat("curr_items", 1)
            with own.connect() as wire:
                self.assertIsNotNone(wire.get(self.key_prefix + answer["id"]))


class SeveralServersTest(TwoServersCase, PhpCase):
    def test_sessions_spread_over_two_servers(self):
        server = self.php()
        session_ids = [self.new_session(server) for _ in range(16)]
        for session_id in session_ids:
            self.assert_count(server.visit("start,count", session_id), 2)
        self.assert_both_have_a_part()
        self.assertEqual(sum(int(one.stats()["curr_items"]) for one in self.servers()), 16)


class UnixSocketTest(UnixSocketCase, PhpCase):
    def test_sessions_over_a_unix_socket(self):
        server = self.php()
        session_id = self.new_session(server)
        self.assert_count(server.visit("start,count", session_id), 2)


class DownTest(PhpCase):
    def test_a_server_that_is_down_fails_the_start(self):
        for settings in ({}, PERSISTENT):
            with self.subTest(settings), SessiondProcess() as own:
                server = self.php([own], **settings)
                session_id = self.new_session(server)
                own.kill()
                for _ in range(2):
                    answer = server.visit("start", session_id)
                    self.assertTrue(answer["error"] or answer["results"] == {"start": False}, answer)

    def test_a_persistent_connection_is_made_again_after_a_restart(self):
        with SessiondProcess() as own:
            server = self.php([own], **PERSISTENT)
            self.new_session(server)
            own.kill()
            with SessiondProcess(["--listen", "%s:%d" % own.address]):
                server.visit("start,count")  # may find the old connection
                session_id = self.new_session(server)
                self.assert_count(server.visit("start,count", session_id), 2)


class StockTest(PhpCase):
    """memcached.sess_binary_protocol as PHP comes: on."""

    def test_the_start_fails_cleanly_and_the_log_names_what_to_set_once_a_minute(self):
        for strict in (0, 1):
            server = self.php(**{"memcached.sess_binary_protocol": 1, "session.use_strict_mode": strict})
            answer = server.visit("start,count")
            self.assertIn("Failed to create session ID", answer["error"])
            self.assertEqual(answer["results"], {})
        self.daemon.wait_for_stderr(r"binary protocol.*memcached\.sess_binary_protocol=0")
        self.assertGreater(int(self.daemon.stats()["binary_refused"]), 1)
        self.assertEqual(self.daemon.stderr_text().count("sess_binary_protocol"), 1)
        self.new_session(self.php())


class FullMemoryTest(FullMemoryCase, PhpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with cls.daemon.connect() as wire:
            wire.ask("delete fill0")  # room for the lock and a small session

    def test_a_session_that_does_not_fit_is_a_warning_and_the_old_one_stays(self):
        server = self.php()
        session_id = self.new_session(server)
        self.assert_not_written(server.visit("start,count,grow", session_id, bytes=NEEDS_ROOM_BYTES))
        self.assert_session(session_id, b"count|i:1;")
        self.assert_count(server.visit("start,count", session_id), 2)


if __name__ == "__main__":
    unittest.main()
