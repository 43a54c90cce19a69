"""What the fallback engine does with a session of the old store, between two commands of others and in trouble.

The old stores are Django's cache sessions in a memcached, and sessions in files. Real sites that move in are in
test_moving_in.py.
"""

import asyncio
import datetime
import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

from engine_case import ENGINE, KEY_PREFIX, EngineCase, end_request, location_of

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.sessions.backends import cache as django_cache
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.contrib.sessions.backends.file import SessionStore as FileStore
from django.core.exceptions import ImproperlyConfigured
from django.test.utils import override_settings
from sessiond_process import MemcachedProcess, SessiondProcess

OLD_ENGINE = "django.contrib.sessions.backends.cache"
settings.SESSION_FALLBACK_ENGINE = OLD_ENGINE
settings.SECRET_KEY = "only for this test"

from sessiond_django import session_engine
from sessiond_django.fallback_engine import OldSession, OldStoreError, SessionStore

DAY_S = 86400


def moved(key):
    """The session as a request sees it, or None."""
    store = SessionStore(key)
    data = dict(store.items())
    return data if store.session_key == key else None


class FallbackCase(EngineCase):
    """A sessiond for the class, and a memcached as the old store."""

    options = ()

    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.enterClassContext(SessiondProcess(cls.options))
        cls.memcached = cls.enterClassContext(MemcachedProcess())

    def setUp(self):
        self.use(location_of(self.daemon), SESSION_FALLBACK_ENGINE=OLD_ENGINE, SESSION_CACHE_ALIAS="old", CACHES={
            "default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
            "old": {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
                    "LOCATION": "%s:%d" % self.memcached.address},
        })
        self.wire = self.enterContext(self.daemon.connect())

    def old_session(self, **data):
        """A session that is only in the old store; returns its key."""
        store = django_cache.SessionStore()
        store.update(data)
        store.save()
        return store.session_key

    def put_back(self, key, **data):
        """The old store has it again: a snapshot was loaded, a transaction rolled back."""
        django_cache.SessionStore(key)._cache.set(django_cache.KEY_PREFIX + key, data)

    def is_there(self, key):
        return django_cache.SessionStore().exists(key)

    def is_here(self, key):
        return session_engine.SessionStore(key)._cache.get(django_cache.KEY_PREFIX + key) is not None

    def meanwhile(self, method, action):
        """Right after the old store has answered `method` for the first time, others do something."""
        real, done = getattr(OldSession, method), []

        def answered(old, *arguments):
            answer = real(old, *arguments)
            if not done:
                done.append(True)
                action()
            return answer

        self.enterContext(mock.patch.object(OldSession, method, answered))


class MoveTest(FallbackCase):
    def test_a_session_moves_at_its_first_look_and_is_no_longer_there(self):
        key = self.old_session(mine=1)
        self.assertEqual(moved(key), {"mine": 1})
        self.assertTrue(self.is_here(key))
        self.assertFalse(self.is_there(key))
        self.assertEqual(moved(key), {"mine": 1})

    def test_an_empty_session_moves(self):
        key = self.old_session()
        self.assertEqual(moved(key), {})
        self.assertTrue(self.is_here(key))

    def test_an_unknown_session_is_nowhere_and_leaves_nothing(self):
        self.assertIsNone(moved("a" * 32))
        self.assertIsNone(self.wire.get(KEY_PREFIX + "a" * 32))

    def test_a_moved_session_is_saved_here(self):
        key = self.old_session(mine=1)
        store = SessionStore(key)
        store["mine"] = 2
        store.save()
        self.assertEqual(moved(key), {"mine": 2})
        self.assertFalse(self.is_there(key))

    def test_a_new_session_is_here_alone(self):
        store = SessionStore()
        store["mine"] = 1
        store.save()
        self.assertEqual(moved(store.session_key), {"mine": 1})
        self.assertFalse(self.is_there(store.session_key))
        with self.assertRaises(CreateError):
            SessionStore(store.session_key).save(must_create=True)

    def test_a_login_takes_the_data_along_and_ends_the_old_key(self):
        key = self.old_session(mine=1)
        store = SessionStore(key)
        store.cycle_key()
        store.save()
        self.assertEqual(moved(store.session_key), {"mine": 1})
        self.assertIsNone(moved(key))

    def test_another_request_that_moves_it_in_between_is_no_logout(self):
        for method in ("load", "remaining_s"):
            with self.subTest(method):
                key = self.old_session(mine=1)
                self.meanwhile(method, lambda: moved(key))
                self.assertEqual(moved(key), {"mine": 1})

    def test_a_session_keeps_the_end_that_it_was_given(self):
        with SessiondProcess() as own:
            self.use(location_of(own))
            store = django_cache.SessionStore()
            store.set_expiry(3600)
            store.save()
            self.assertEqual(moved(store.session_key), {"_session_expiry": 3600})
            own.move_clock(3601)
            self.assertIsNone(moved(store.session_key))

    def test_a_session_that_should_have_ended_does_not_move(self):
        key = self.old_session()
        past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
        self.put_back(key, _session_expiry=past)
        self.assertIsNone(moved(key))
        self.assertFalse(self.is_here(key))

    def test_clearsessions_clears_the_old_store(self):
        with mock.patch.object(django_cache.SessionStore, "clear_expired") as clear:
            SessionStore.clear_expired()
        clear.assert_called_once_with()

    def test_asynchronous_load_save_and_delete(self):
        key = self.old_session(mine=1)

        async def scenario():
            store = SessionStore(key)
            store._session_cache = await store.aload()
            store["mine"] += 1
            await store.asave()
            self.assertEqual(moved(key), {"mine": 2})
            await store.adelete()
            self.assertIsNone(moved(key))
            await sync_to_async(end_request)()

        with mock.patch.dict(os.environ, DJANGO_ALLOW_ASYNC_UNSAFE="1"):
            asyncio.run(scenario())


class LogoutTest(FallbackCase):
    def test_a_logout_is_one_in_both_stores_moved_or_not(self):
        for moves_first in (True, False):
            key = self.old_session(mine=1)
            if moves_first:
                moved(key)
            SessionStore(key).flush()
            self.assertFalse(self.is_here(key))
            self.assertFalse(self.is_there(key))

    def test_what_the_old_store_brings_back_stays_logged_out(self):
        for moves_first in (True, False):
            key = self.old_session(mine=1)
            if moves_first:
                moved(key)
            SessionStore().delete(key)
            self.put_back(key, mine=1)
            self.assertIsNone(moved(key))
            self.assertFalse(self.is_here(key))

    def test_a_request_that_read_the_old_store_before_the_logout_brings_nothing_back(self):
        for method in ("load", "remaining_s"):
            with self.subTest(method):
                key = self.old_session(mine=1)
                self.meanwhile(method, lambda: SessionStore().delete(key))
                self.assertIsNone(moved(key))
                self.assertIsNone(moved(key))

    def test_nor_does_one_that_moves_it_while_it_is_ended(self):
        key = self.old_session(mine=1)
        real, others = SessionStore()._cache.delete, [key, key]

        def delete(key_sent):
            deleted = real(key_sent)
            if others:
                self.assertEqual(moved(others.pop()), {"mine": 1})
                self.put_back(key, mine=1)
            return deleted

        with mock.patch.object(SessionStore()._cache, "delete", delete):
            SessionStore().delete(key)
        self.assertEqual(others, [])
        self.assertIsNone(moved(key))

    def test_a_save_after_the_logout_is_refused(self):
        for moves_first in (True, False):
            key = self.old_session(mine=1)
            store = SessionStore(key)
            store["mine"] = 2
            SessionStore().delete(key)
            with self.assertRaises(UpdateError):
                store.save()
            self.assertIsNone(moved(key))

    def test_a_save_right_at_the_logout_is_refused(self):
        key = self.old_session(mine=1)
        store = SessionStore(key)
        store["mine"] = 2
        real = store._cache.gets

        def gets(key_sent):
            answer = real(key_sent)
            SessionStore().delete(key)
            return answer

        with mock.patch.object(store._cache, "gets", gets), self.assertRaises(UpdateError):
            store.save()
        self.assertIsNone(moved(key))

    def test_a_save_while_others_save_is_the_last(self):
        key = self.old_session(mine=1)
        store, other = SessionStore(key), SessionStore(key)
        store["mine"], other["mine"] = 2, 3
        real, others = store._cache.gets, [other]

        def gets(key_sent):
            answer = real(key_sent)
            if others:
                others.pop().save()
            return answer

        with mock.patch.object(store._cache, "gets", gets):
            store.save()
        self.assertEqual(others, [])
        self.assertEqual(moved(key), {"mine": 2})

    def test_an_expiry_age_of_zero_or_less_is_an_end_in_both_stores(self):
        key = self.old_session(mine=1)
        store = SessionStore(key)
        store.set_expiry(-1)
        store.save()
        self.put_back(key, mine=1)
        self.assertIsNone(moved(key))
        with self.assertRaises(UpdateError):
            store.save()

    def test_the_engine_afterwards_takes_the_mark_for_no_session(self):
        key = self.old_session(mine=1)
        SessionStore().delete(key)
        for engine in (session_engine, django_cache):
            store = engine.SessionStore(key)
            if engine is django_cache:
                store._cache = SessionStore()._cache
            self.assertEqual((dict(store.items()), store.session_key), ({}, None))

    def test_the_mark_outlives_what_the_old_store_may_have(self):
        with SessiondProcess() as own:
            self.use(location_of(own), SESSION_COOKIE_AGE=40 * DAY_S)
            key = self.old_session(mine=1)
            SessionStore().delete(key)
            own.move_clock(40 * DAY_S - 60)
            self.put_back(key, mine=1)
            self.assertIsNone(moved(key))

    def test_a_logout_outlives_a_kill(self):
        with SessiondProcess(keeps_port=True) as own:
            self.use(location_of(own))
            key = self.old_session(mine=1)
            moved(key)
            SessionStore().delete(key)
            self.put_back(key, mine=1)
            own.kill()
            own.start()
            end_request()
            self.assertIsNone(moved(key))


class HeldLogoutTest(LogoutTest):
    """The same where sessiond holds keys after their end."""

    options = ("--logout-hold", "60s")


class TroubleTest(FallbackCase):
    """The old store is down."""

    def setUp(self):
        super().setUp()
        self.here = SessionStore()
        self.here["mine"] = 1
        self.here.save()
        end_request()
        self.old = self.enterContext(MemcachedProcess())
        old = {**settings.CACHES["old"], "LOCATION": "%s:%d" % self.old.address}
        self.use(location_of(self.daemon), CACHES={**settings.CACHES, "old": old})
        self.key = self.old_session(mine=1)
        self.old.kill()

    def assert_told(self, function, *arguments):
        with self.assertRaisesRegex(OldStoreError, "SESSION_FALLBACK_ENGINE = '%s'" % OLD_ENGINE):
            function(*arguments)

    def test_a_session_that_may_be_there_is_an_error_again_and_again_and_never_an_empty_one(self):
        for _ in range(6):
            self.assert_told(SessionStore(self.key).load)
        self.assertFalse(self.is_here(self.key))

    def test_sessions_that_are_here_go_on_and_new_ones_begin(self):
        self.assertEqual(moved(self.here.session_key), {"mine": 1})
        fresh = SessionStore()
        fresh["mine"] = 2
        fresh.save()
        self.assertEqual(moved(fresh.session_key), {"mine": 2})

    def test_a_logout_is_an_error_and_counts_here_all_the_same(self):
        self.assert_told(SessionStore().delete, self.here.session_key)
        self.assertIsNone(moved(self.here.session_key))
        self.assert_told(SessionStore().delete, self.key)
        self.old.start()
        self.put_back(self.key, mine=1)
        self.assertIsNone(moved(self.key))

    def test_the_new_server_down_is_an_error(self):
        self.use("memcached://127.0.0.1:1/")
        self.assert_names("memcached://127.0.0.1:1/", SessionStore(self.key).load)
        self.assert_names("memcached://127.0.0.1:1/", SessionStore().delete, self.key)


class FileTest(EngineCase):
    """An old store that is no cache: Django's sessions in files."""

    def test_sessions_move_and_end(self):
        daemon = self.enterContext(SessiondProcess())
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="sessiond-files-"))
        self.use(location_of(daemon), SESSION_FALLBACK_ENGINE="django.contrib.sessions.backends.file",
                 SESSION_FILE_PATH=directory)
        keys = []
        for _ in range(2):
            store = FileStore()
            store["mine"] = 1
            store.save()
            keys.append(store.session_key)
        self.assertEqual(moved(keys[0]), {"mine": 1})
        SessionStore().delete(keys[1])
        self.assertIsNone(moved(keys[1]))
        self.assertIsNone(moved("a" * 32))
        self.assertEqual(os.listdir(directory), [])


class SettingTest(unittest.TestCase):
    def test_a_wrong_setting_says_what_to_write(self):
        for path, said in (
            (None, "is missing. Write"), (7, "is missing. Write"), ("", "Write as SESSION_FALLBACK_ENGINE"),
            ("no.such.engine", "No module named"), ("os.path", "has no attribute 'SessionStore'"),
            ("sessiond_django.session_engine", "here already"),
            ("django.contrib.sessions.backends.signed_cookies", "cannot move"),
        ):
            with self.subTest(path), override_settings(SESSION_FALLBACK_ENGINE=path):
                with self.assertRaisesRegex(ImproperlyConfigured, said):
                    OldSession("a" * 32)

    def test_it_stops_the_site_at_its_start(self):
        program = ("from django.conf import settings; settings.configure(SESSION_CACHE='memcached://127.0.0.1:1/'); "
                   "import sessiond_django.fallback_engine")
        run = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(ENGINE)},
                             capture_output=True, text=True, timeout=60)
        self.assertIn("ImproperlyConfigured: The setting SESSION_FALLBACK_ENGINE is missing", run.stderr)


if __name__ == "__main__":
    unittest.main()
