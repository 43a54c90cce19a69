"""A real Django site moves in from memcached, from a database, from Redis; used as by a browser.

What the fallback engine does in detail is tested by test_fallback_engine.py.
"""

import shutil
import tempfile
import unittest

from django_site import LOGGED_IN, NOT_LOGGED_IN, USERS_DATABASE, Browser, SiteProcess, make_users, replay
from redis_process import RedisProcess, redis_binary
from sessiond_process import MemcachedProcess, SessiondProcess

KEY_PREFIX = ":1:django.contrib.sessions.cache"


def setUpModule():
    unittest.addModuleCleanup(make_users())


class MovingCases:
    """One site, with its old store in `mode`; `old` is the server of it."""

    mode = None

    @classmethod
    def setUpClass(cls):
        cls.directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="sessiond-moving-"))
        cls.database = shutil.copy(USERS_DATABASE, cls.directory)
        cls.sessiond = cls.enterClassContext(SessiondProcess(keeps_port=True))
        cls.memcached = cls.enterClassContext(MemcachedProcess())
        cls.old = cls.enterClassContext(cls.old_server())
        cls.before = cls.enterClassContext(cls.site_of(cls.mode, cls.old))
        cls.visitors = [Browser(cls.before) for _ in range(5)]
        for visitor in cls.visitors:
            assert visitor.log_in().json == LOGGED_IN
            assert visitor.get("/counter/").json == {"count": 1}
        left = cls.visitors.pop()
        cls.left_before = left.session_id
        assert left.log_out().json == NOT_LOGGED_IN
        cls.site = cls.enterClassContext(cls.site_of("engine", cls.sessiond, old=(cls.mode, cls.old)))

    @classmethod
    def old_server(cls):
        return MemcachedProcess()

    @classmethod
    def site_of(cls, mode, sessions, **more):
        return SiteProcess(mode, sessions, cls.memcached, database=cls.database, **more)

    def visitor(self, number):
        """A browser that was logged in before the move, and goes on at the new site."""
        browser = self.visitors[number]
        browser.use(self.site)
        return browser

    def is_here(self, session_id):
        with self.sessiond.connect() as conversation:
            return conversation.get(KEY_PREFIX + session_id) is not None

    def is_there(self, session_id):
        """Whether the old store answers for it: asked by the site as it was before, which nobody visits any more."""
        return replay(self.before, "/whoami/", session_id).json == LOGGED_IN

    def test_who_was_logged_in_is_and_moves_with_all_that_the_session_has(self):
        browser = self.visitor(0)
        session_id = browser.session_id
        self.assertFalse(self.is_here(session_id))
        self.assertEqual(browser.get("/whoami/").json, LOGGED_IN)
        self.assertTrue(self.is_here(session_id))
        self.assertFalse(self.is_there(session_id))
        self.assertEqual(browser.get("/counter/").json, {"count": 2})
        self.assertEqual(browser.session_id, session_id)

    def test_who_logged_out_is_not_whether_moved_before_or_not(self):
        for number, moves_first in ((1, False), (2, True)):
            browser = self.visitor(number)
            session_id = browser.session_id
            if moves_first:
                self.assertEqual(browser.get("/whoami/").json, LOGGED_IN)
            self.assertEqual(browser.log_out().json, NOT_LOGGED_IN)
            for path, answer in (("/whoami/", NOT_LOGGED_IN), ("/counter/", {"count": 1})):
                self.assertEqual(replay(self.site, path, session_id).json, answer)
            self.assertFalse(self.is_there(session_id))
        self.assertEqual(replay(self.site, "/whoami/", self.left_before).json, NOT_LOGGED_IN)

    def test_new_sessions_are_here(self):
        browser = Browser(self.site)
        self.assertEqual(browser.log_in().json, LOGGED_IN)
        self.assertTrue(self.is_here(browser.session_id))
        self.assertFalse(self.is_there(browser.session_id))


class MemcachedTest(MovingCases, unittest.TestCase):
    """PyMemcacheCache sessions in memcached."""

    mode = "pymemcache"

    def test_without_the_old_store_afterwards(self):
        stays, leaves = self.visitor(3), Browser(self.site)
        self.assertEqual(stays.get("/whoami/").json, LOGGED_IN)
        leaves.log_in()
        gone = leaves.session_id
        self.assertEqual(leaves.log_out().json, NOT_LOGGED_IN)
        self.sessiond.kill()
        self.sessiond.start()
        with self.site_of("engine", self.sessiond) as after:
            stays.use(after)
            self.assertEqual(stays.get("/whoami/").json, LOGGED_IN)
            self.assertEqual(replay(after, "/whoami/", gone).json, NOT_LOGGED_IN)


class RedisTest(MovingCases, unittest.TestCase):
    """Cache sessions in Redis with django-redis."""

    mode = "redis"

    @classmethod
    def old_server(cls):
        return RedisProcess(cls.directory, redis_binary())


class DatabaseTest(MovingCases, unittest.TestCase):
    """SQL: sessions in the file of the users. The server of `old` is not asked for them."""

    mode = "database"


class CachedDatabaseTest(MovingCases, unittest.TestCase):
    """SQL with a memcached in front."""

    mode = "cached_db"


if __name__ == "__main__":
    unittest.main()
