"""What the session engine does with a session, against a running sessiond.

How it reaches the server is tested by test_session_cache.py, the engine behind a real site by
test_django_site.py.
"""

import asyncio
import datetime
import unittest

from engine_case import KEY_PREFIX, EngineCase, SessionStore, end_request, loaded, location_of, stored_session

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.test.utils import override_settings
from relay import Relay
from sessiond_process import SessiondProcess

DAY_S = 86400


class SessionTest(EngineCase):
    """One session and one server."""

    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.enterClassContext(SessiondProcess())

    def setUp(self):
        self.use(location_of(self.daemon))

    def relay(self):
        """Lets the engine speak through a relay from here on."""
        relay = self.enterContext(Relay(self.daemon.address))
        self.use("memcached://127.0.0.1:%d/" % relay.port)
        return relay

    def delete_behind_the_back(self, key):
        with self.daemon.connect() as conversation:
            self.assertEqual(conversation.ask(f"delete {KEY_PREFIX}{key}"), "DELETED")

    def test_an_empty_session_exists(self):
        store = SessionStore()
        store.create()
        self.assertTrue(SessionStore().exists(store.session_key))
        self.assertEqual(loaded(store.session_key), ({}, store.session_key))
        SessionStore(store.session_key).save()
        store.save()

    def test_a_session_comes_back_as_it_was(self):
        data = {"text": "café", "number": -1, "none": None, "list": [1, {"a": b"\r\nEND\r\n\0"}], "large": "x" * 500_000}
        key = stored_session(**data)
        self.assertEqual(loaded(key), (data, key))
        store = SessionStore(key)
        store["number"] = 2
        store.save()
        self.assertEqual(loaded(key)[0]["number"], 2)

    def test_an_unknown_session_is_not_there_and_its_key_not_kept(self):
        self.assertFalse(SessionStore().exists("a" * 32))
        self.assertEqual(loaded("a" * 32), ({}, None))

    def test_create_does_not_overwrite(self):
        key = stored_session(mine=1)
        with self.assertRaises(CreateError):
            SessionStore(key).save(must_create=True)
        self.assertEqual(loaded(key), ({"mine": 1}, key))

    def test_delete_deletes(self):
        key = stored_session(mine=1)
        SessionStore().delete(key)
        self.assertFalse(SessionStore().exists(key))
        SessionStore().delete(key)
        SessionStore().delete()

    def test_flush_and_cycle_key(self):
        store = SessionStore(stored_session(mine=1))
        before = store.session_key
        store.cycle_key()
        store.save()
        self.assertNotEqual(store.session_key, before)
        self.assertFalse(SessionStore().exists(before))
        self.assertEqual(loaded(store.session_key)[0], {"mine": 1})
        after = store.session_key
        store.flush()
        self.assertFalse(SessionStore().exists(after))

    def test_a_deleted_session_is_not_saved_again(self):
        key = stored_session(mine=1)
        for load_first in (True, False):
            store = SessionStore(key)
            if load_first:
                store["mine"] = 2
                SessionStore().delete(key)
            with self.assertRaises(UpdateError):
                store.save()
            self.assertFalse(SessionStore().exists(key))

    def test_a_session_deleted_at_the_very_moment_of_a_save_stays_deleted(self):
        """However many commands a save takes: the logout comes in just before the one that stores."""
        relay = self.relay()
        key = stored_session(mine=1)
        store = SessionStore(key)
        store["mine"] = 2
        stores = []

        def log_out_first(line):
            if line.split()[0] in ("set", "add", "replace", "cas", "ms"):
                stores.append(line)
                self.delete_behind_the_back(key)

        relay.before = log_out_first
        with self.assertRaises(UpdateError):
            store.save()
        self.assertEqual(len(stores), 1)
        self.assertFalse(SessionStore().exists(key))

    def test_a_save_is_one_command(self):
        relay = self.relay()
        store = SessionStore(stored_session(mine=1))
        store["mine"] = 2
        relay.take_lines()
        store.save()
        self.assertEqual([line.split()[0] for line in relay.take_lines()], ["replace"])

    def test_a_cookie_that_cannot_be_a_key_is_no_session(self):
        relay = self.relay()
        for junk in ("short", "with space", "a" * 129, "a" * 5000, "café" * 8, "line\r\nbreak", "nul\0" * 4, "\x7f" * 8):
            with self.subTest(junk):
                self.assertEqual(loaded(junk), ({}, None))
        self.assertEqual(relay.lines(), [])

    def test_a_save_that_the_server_refuses_leaves_the_session(self):
        key = stored_session(mine=1)
        store = SessionStore(key)
        store["large"] = "x" * 3_000_000
        self.assert_names(location_of(self.daemon), store.save)
        self.assertEqual(loaded(key), ({"mine": 1}, key))
        fresh = SessionStore()
        fresh["large"] = "x" * 3_000_000
        self.assert_names(location_of(self.daemon), fresh.save)

    def test_an_expiry_age_of_zero_or_less_keeps_nothing(self):
        past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
        for expiry in (-1, -500, -40 * DAY_S, past):
            with self.subTest(expiry):
                store = SessionStore(stored_session(mine=1))
                key = store.session_key
                store.set_expiry(expiry)
                store.save()
                self.assertFalse(SessionStore().exists(key))
                with self.assertRaises(UpdateError):
                    store.save()
                self.assertFalse(SessionStore().exists(key))
                fresh = SessionStore()
                fresh.set_expiry(expiry)
                fresh.save()
                self.assertFalse(SessionStore().exists(fresh.session_key))

    def test_a_cookie_age_of_zero_is_not_forever(self):
        key = stored_session(mine=1)
        store = SessionStore(key)
        store["mine"] = 2
        with override_settings(SESSION_COOKIE_AGE=0):
            store.save()
        self.assertFalse(SessionStore().exists(key))

    def test_a_session_until_the_browser_closes_has_the_ordinary_age(self):
        store = SessionStore()
        store.set_expiry(0)
        store.save()
        self.assertTrue(SessionStore().exists(store.session_key))

    def test_asynchronous_load_and_save(self):
        key = stored_session(mine=1)

        async def scenario():
            store = SessionStore(key)
            store._session_cache = await store.aload()
            store["mine"] += 1
            await store.asave()
            self.assertEqual(loaded(key)[0], {"mine": 2})
            SessionStore().delete(key)
            with self.assertRaises(UpdateError):
                await store.asave()
            created = SessionStore()
            await created.asave()
            self.assertTrue(SessionStore().exists(created.session_key))
            await sync_to_async(end_request)()

        asyncio.run(scenario())


class ExpiryTest(EngineCase):
    """The daemon's clock moves, so each test has its own."""

    def setUp(self):
        self.daemon = self.enterContext(SessiondProcess())
        self.use(location_of(self.daemon))

    def assert_ends_after(self, store, age_s):
        self.daemon.move_clock(age_s - 60)
        self.assertTrue(SessionStore().exists(store.session_key))
        self.daemon.move_clock(61)
        self.assertFalse(SessionStore().exists(store.session_key))
        with self.assertRaises(UpdateError):
            store.save()

    def test_the_ordinary_age(self):
        store = SessionStore(stored_session(mine=1))
        self.assertEqual(store["mine"], 1)
        self.assert_ends_after(store, 14 * DAY_S)

    def test_an_age_of_its_own_below_and_above_what_memcached_takes_as_a_date(self):
        for age_s in (3600, 40 * DAY_S):
            with self.subTest(age_s), SessiondProcess() as self.daemon:
                self.use(location_of(self.daemon))
                store = SessionStore()
                store.set_expiry(age_s)
                store.save()
                self.assert_ends_after(store, age_s)

    def test_a_date(self):
        store = SessionStore()
        store.set_expiry(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1))
        store.save()
        self.assert_ends_after(store, 3600)

    def test_a_save_renews(self):
        store = SessionStore()
        store.set_expiry(3600)
        store.save()
        self.daemon.move_clock(3000)
        store.save()
        self.assert_ends_after(store, 3600)


if __name__ == "__main__":
    unittest.main()
