"""How the session engine reaches its servers: settings, addresses, trouble, connections.

What it does with a session is tested by test_session_engine.py.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import warnings

from engine_case import (
    ENGINE, KEY_PREFIX, WAIT_S, EngineCase, SessionStore, end_request, loaded, location_of, stored_session,
)

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test.utils import override_settings
from sessiond_django.session_cache import parse_servers, session_cache
from sessiond_process import SessiondProcess


def has_ipv6_loopback():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


class SettingTest(unittest.TestCase):
    """SESSION_CACHE and its neighbours."""

    def test_forms(self):
        for location, servers in {
            "memcached://127.0.0.1:11200/": [("127.0.0.1", 11200)],
            "memcached://127.0.0.1:11200": [("127.0.0.1", 11200)],
            "memcached://sessions.example/": [("sessions.example", 11200)],
            "memcached://a:11200,b:11201/": [("a", 11200), ("b", 11201)],
            "memcached://[::1]:11202/": [("::1", 11202)],
            "memcached://[::1],a/": [("::1", 11200), ("a", 11200)],
            "memcached+unix:///run/sessiond/sessiond.sock": ["/run/sessiond/sessiond.sock"],
        }.items():
            with self.subTest(location):
                self.assertEqual(parse_servers(location), servers)

    def test_a_wrong_setting_says_what_to_write(self):
        for location in (
            "", "127.0.0.1:11200", "memcached:", "memcached://", "memcached:///", "redis://127.0.0.1:11200/",
            "memcached://a:0/", "memcached://a:65536/", "memcached://a:-1/", "memcached://a:x/", "memcached://a:/",
            "memcached://a:11200/path/", "memcached://a,,b/", "memcached://a,/", "memcached://a, b/",
            "memcached://user:secret@a:11200/", "memcached://::1:11200/", "memcached://[::1:11200/",
            "memcached://[::g]:11200/", "memcached://a..b:11200/", f"memcached://{'a' * 64}:11200/",
            "memcached+unix://", "memcached+unix:///", "memcached+unix://relative", "memcached://a:11200/\n",
            b"memcached://a:11200/", 11200, ["memcached://a:11200/"],
        ):
            with self.subTest(location), override_settings(SESSION_CACHE=location):
                with self.assertRaisesRegex(ImproperlyConfigured, "Write SESSION_CACHE = 'memcached://"):
                    SessionStore()

    def test_a_missing_setting_says_what_to_write(self):
        with override_settings():
            del settings.SESSION_CACHE
            with self.assertRaisesRegex(ImproperlyConfigured, "SESSION_CACHE is missing. Write SESSION_CACHE = "):
                SessionStore()

    def test_a_wrong_timeout_is_refused(self):
        for timeout_s in (0, -1, None, "2", True, float("inf"), float("nan")):
            with self.subTest(timeout_s), override_settings(SESSION_CACHE_TIMEOUT=timeout_s):
                with self.assertRaisesRegex(ImproperlyConfigured, "SESSION_CACHE_TIMEOUT"):
                    SessionStore()

    def import_engine(self, prepare):
        """The last line that an interpreter says which imports the engine after prepare."""
        program = f"import sys; from django.conf import settings; {prepare}; import sessiond_django.session_engine"
        env = {**os.environ, "PYTHONPATH": str(ENGINE)}
        run = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 1, run.stderr)
        return run.stderr.splitlines()[-1]

    def test_missing_pymemcache_says_what_to_install(self):
        said = self.import_engine("sys.modules['pymemcache'] = None; settings.configure(SESSION_CACHE='memcached://a/')")
        self.assertRegex(said, "ImproperlyConfigured: .*apt install python3-pymemcache")

    def test_a_wrong_setting_stops_the_site_at_its_start(self):
        self.assertRegex(self.import_engine("settings.configure()"), "ImproperlyConfigured: .*SESSION_CACHE is missing")


class TroubleTest(EngineCase):
    """A server that is down, silent, or something else: always an error, never an empty session."""

    def assert_every_operation_fails(self, location, key, deletes_too=True):
        fresh = SessionStore()
        fresh["mine"] = 1
        store = SessionStore(key)
        changed = SessionStore(key)
        changed._session_cache = {"mine": 2}
        operations = [store.load, changed.save, fresh.save, SessionStore().create,
                      lambda: SessionStore().exists(key), lambda: SessionStore(key).get("mine")]
        if deletes_too:
            operations += [store.delete, store.flush]
        for operation in operations:
            self.assert_names(location, operation)
        self.assertEqual(SessionStore(key).session_key, key)

    def test_server_down_and_back(self):
        with SessiondProcess() as daemon:
            location = location_of(daemon)
            self.use(location)
            key = stored_session(mine=1)
            daemon.stop()
            # Twice: HashClient would not even try again at once, and answer as if the key were missing.
            for _ in range(2):
                self.assert_every_operation_fails(location, key)
                self.assert_names("Session server 127.0.0.1:%d " % daemon.port, SessionStore(key).load)
            with SessiondProcess(["--listen", "127.0.0.1:%d" % daemon.port]):
                self.assertEqual(loaded(stored_session(mine=2))[0], {"mine": 2})
                end_request()

    def test_unknown_host_and_missing_socket(self):
        for location in ("memcached://nowhere.invalid:11200/", "memcached+unix:///nowhere/sessiond.sock"):
            with self.subTest(location):
                self.use(location)
                self.assert_every_operation_fails(location, "a" * 32)

    def test_a_silent_server_costs_the_timeout_only(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            location = "memcached://127.0.0.1:%d/" % silent.getsockname()[1]
            self.use(location, SESSION_CACHE_TIMEOUT=0.1)
            self.run_threads(1, lambda _: self.assert_every_operation_fails(location, "a" * 32))

    def test_timeouts_are_short_by_default(self):
        client = session_cache()._cache.clients["127.0.0.1:1"]
        self.assertEqual((client.connect_timeout, client.timeout), (2, 2))

    def test_a_server_of_another_kind(self):
        def answer(listener):
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    client.recv(65536)
                    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=answer, args=(listener,), daemon=True).start()
            location = "memcached://127.0.0.1:%d/" % listener.getsockname()[1]
            self.use(location)
            # pymemcache takes any answer to a delete but an error for NOT_FOUND.
            self.assert_every_operation_fails(location, "a" * 32, deletes_too=False)
            listener.shutdown(socket.SHUT_RDWR)


class AddressTest(EngineCase):
    """The other kinds of address, for real."""

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "sessiond.sock")
            with SessiondProcess(["--listen", f"unix:{path}"]):
                self.use(f"memcached+unix://{path}")
                self.assertEqual(loaded(stored_session(mine=1))[0], {"mine": 1})
                end_request()

    @unittest.skipUnless(os.environ.get("CI") == "true" or has_ipv6_loopback(), "no [::1] here")
    def test_ipv6(self):
        with SessiondProcess(["--listen", "[::1]:0"]) as daemon:
            self.use("memcached://[::1]:%d/" % daemon.port)
            self.assertEqual(loaded(stored_session(mine=1))[0], {"mine": 1})
            end_request()


class SeveralServersTest(EngineCase):
    """Sessions are spread, and stay where they are."""

    def test_a_dead_server_does_not_lose_its_sessions_to_the_others(self):
        with SessiondProcess() as first, SessiondProcess() as second:
            location = location_of(first, second)
            self.use(location)
            keys = [stored_session(number=number) for number in range(40)]
            with first.connect() as conversation:
                on_first = {key for key in keys if conversation.get(KEY_PREFIX + key) is not None}
            with second.connect() as conversation:
                on_second = {key for key in keys if conversation.get(KEY_PREFIX + key) is not None}
            self.assertTrue(on_first and on_second)
            self.assertEqual(on_first ^ on_second, set(keys))

            first.kill()
            for _ in range(3):
                for number, key in enumerate(keys):
                    store = SessionStore(key)
                    if key in on_first:
                        self.assert_names("Session server 127.0.0.1:%d " % first.port, store.load)
                        store._session_cache = {}
                        self.assert_names(location, store.save)
                    else:
                        self.assertEqual(store["number"], number)
                        store.save()
                end_request()
            self.assertEqual(int(second.stats()["curr_items"]), len(on_second))


class ConnectionTest(EngineCase):
    """Each thread has its own connection, and it ends with the request."""

    def setUp(self):
        self.daemon = self.enterContext(SessiondProcess())
        self.use(location_of(self.daemon))
        self.idle = int(self.daemon.stats()["curr_connections"])

    def wait_for_connections(self, wanted):
        # One of those that are counted is the one that asks; so it is in self.idle, too.
        self.daemon.wait_for_stat("curr_connections", self.idle + wanted)

    def test_a_request_keeps_one_connection_and_its_end_closes_it(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ResourceWarning)  # told when a socket is dropped, not closed
            for _ in range(3):
                key = stored_session(mine=1)
                loaded(key)
                self.wait_for_connections(1)
                end_request()
                self.wait_for_connections(0)
        self.assertEqual([str(warning.message) for warning in caught], [])

    def test_ending_a_request_that_used_no_session_connects_nowhere(self):
        session_cache()
        end_request()
        self.wait_for_connections(0)

    def test_threads_do_not_share_connections(self):
        threads = 8
        all_connected = threading.Barrier(threads + 1)
        all_counted = threading.Barrier(threads + 1)

        def visit(number):
            key = stored_session(number=number)
            all_connected.wait(WAIT_S)
            all_counted.wait(WAIT_S)
            for _ in range(200):
                self.assertEqual(loaded(key), ({"number": number}, key))
            end_request()

        def count():
            all_connected.wait(WAIT_S)
            self.wait_for_connections(threads)
            all_counted.wait(WAIT_S)

        self.run_threads(threads + 1, lambda number: visit(number) if number < threads else count())
        self.wait_for_connections(0)

    def test_the_end_of_one_request_does_not_disturb_another(self):
        key = stored_session(mine=1)
        self.run_threads(1, lambda _: (loaded(key), end_request()))
        self.wait_for_connections(1)
        self.assertEqual(loaded(key)[0], {"mine": 1})

    def ignore_resource_warnings(self):
        """For a thread that ends without the end of a request: its sockets end with it, and Python tells."""
        self.enterContext(warnings.catch_warnings())
        warnings.simplefilter("ignore", ResourceWarning)

    def test_a_thread_that_never_ends_a_request_leaves_nothing(self):
        self.ignore_resource_warnings()
        self.run_threads(4, lambda number: stored_session(number=number))
        self.wait_for_connections(0)

    def test_a_session_may_be_used_from_another_thread(self):
        self.ignore_resource_warnings()
        store = SessionStore(stored_session(mine=1))
        self.run_threads(1, lambda _: store.load())
        self.wait_for_connections(1)

    def test_a_forked_worker_has_its_own_connection(self):
        key = stored_session(mine=1)
        asked, asking = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(asking)
                right = loaded(key)[0] == {"mine": 1}
                os.read(asked, 1)
                os._exit(0 if right else 1)
            finally:
                os._exit(2)
        os.close(asked)
        try:
            self.wait_for_connections(2)
            self.assertEqual(loaded(key)[0], {"mine": 1})
        finally:
            os.close(asking)
            _, status = os.waitpid(child, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)


if __name__ == "__main__":
    unittest.main()
