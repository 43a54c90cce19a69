"""A real Django site with its sessions in sessiond and its object cache in memcached, used as by a browser.

Every case runs in three modes: the session engine of packaging/django, and Django's own cache
sessions with each of its two memcached backends. What the engine does in detail is tested by
test_session_engine.py and test_session_cache.py.
"""

import threading
import time
import unittest

from django_site import (
    ANSWER_DEADLINE_S, LOGGED_IN, NAME, NOT_LOGGED_IN, Browser, SiteProcess, make_users, named, replay,
)
from relay import Relay
from sessiond_process import MemcachedProcess, SessiondProcess


def setUpModule():
    unittest.addModuleCleanup(make_users())


class SiteCases:
    """The cases of every mode."""

    mode = None

    @classmethod
    def setUpClass(cls):
        cls.sessiond = cls.enterClassContext(SessiondProcess())
        cls.memcached = cls.enterClassContext(MemcachedProcess())
        cls.site = cls.enterClassContext(SiteProcess(cls.mode, cls.sessiond, cls.memcached))

    def visitor(self, logged_in=True):
        browser = Browser(self.site)
        if logged_in:
            self.assertEqual(browser.log_in().json, LOGGED_IN)
        return browser

    def assert_dead(self, session_id):
        """The id opens nothing, and is not taken over for a new session."""
        self.assertEqual(replay(self.site, "/whoami/", session_id).json, NOT_LOGGED_IN)
        self.assertEqual(replay(self.site, "/counter/", session_id).json, {"count": 1})
        self.assertEqual(replay(self.site, "/counter/", session_id).json, {"count": 1})

    def test_sessions_are_in_sessiond_and_pages_are_not(self):
        browser = self.visitor()
        with self.sessiond.connect() as conversation:
            self.assertIsNotNone(conversation.get(f":1:django.contrib.sessions.cache{browser.session_id}"))
            browser.post("/object-cache/write/", value="mine")
            self.assertIsNone(conversation.get(":1:page"))
        with self.memcached.connect() as conversation:
            self.assertIsNotNone(conversation.get(":1:page"))

    def test_wrong_password_does_not_log_in(self):
        browser = self.visitor(logged_in=False)
        browser.get("/login/")
        browser.post("/login/", username=NAME, password="wrong")
        self.assertEqual(browser.get("/whoami/").json, NOT_LOGGED_IN)

    def test_still_logged_in_after_the_object_cache_is_cleared_and_restarted(self):
        browser = self.visitor()
        browser.post("/object-cache/write/", value="cached").json
        self.assertEqual(browser.get("/object-cache/read/").json, {"value": "cached"})
        browser.post("/object-cache/clear/").json
        self.assertEqual(browser.get("/object-cache/read/").json, {"value": None})
        self.assertEqual(browser.get("/whoami/").json, LOGGED_IN)
        self.memcached.restart()
        self.assertEqual(browser.get("/whoami/").json, LOGGED_IN)
        browser.post("/object-cache/write/", value="cached again").json
        self.assertEqual(browser.get("/object-cache/read/").json, {"value": "cached again"})

    def test_logged_out_stays_out(self):
        browser = self.visitor()
        session_id = browser.session_id
        self.assertEqual(replay(self.site, "/whoami/", session_id).json, LOGGED_IN)
        self.assertEqual(browser.log_out().json, NOT_LOGGED_IN)
        self.assertEqual(browser.get("/whoami/").json, NOT_LOGGED_IN)
        self.assert_dead(session_id)

    def test_login_changes_the_session_id_and_keeps_the_session(self):
        browser = self.visitor(logged_in=False)
        self.assertEqual(browser.get("/counter/").json, {"count": 1})
        before = browser.session_id
        self.assertEqual(browser.log_in().json, LOGGED_IN)
        self.assertNotEqual(browser.session_id, before)
        self.assertEqual(browser.get("/counter/").json, {"count": 2})
        self.assert_dead(before)

    def test_sessions_end_on_time(self):
        # Django's clock stands still here: the cookie stays, only the session server's time moves.
        short, ordinary = self.visitor(), self.visitor()
        short.post("/expire-after/", seconds=3600).json
        self.sessiond.move_clock(3600 - 60)
        self.assertEqual(short.get("/whoami/").json, LOGGED_IN)
        self.sessiond.move_clock(61)
        session_id = short.session_id
        self.assertEqual(short.get("/whoami/").json, NOT_LOGGED_IN)
        self.assert_dead(session_id)
        self.sessiond.move_clock(14 * 86400 - 3600 - 60)
        self.assertEqual(ordinary.get("/whoami/").json, LOGGED_IN)
        self.sessiond.move_clock(61)
        self.assertEqual(ordinary.get("/whoami/").json, NOT_LOGGED_IN)

    def test_a_session_that_is_to_end_at_once_is_gone(self):
        for seconds in (-1, -500):
            browser = self.visitor()
            session_id = browser.session_id
            browser.post("/expire-after/", seconds=seconds).json
            self.assert_dead(session_id)

    def test_a_visit_renews_the_session(self):
        browser = self.visitor()
        browser.post("/expire-after/", seconds=3600).json
        for visit in range(1, 4):
            self.sessiond.move_clock(3000)
            self.assertEqual(browser.get("/counter/").json, {"count": visit})

    def test_a_request_in_flight_at_logout_does_not_bring_the_session_back(self):
        with SiteProcess(self.mode, self.sessiond, self.memcached) as site:
            browser = Browser(site)
            self.assertEqual(browser.log_in().json, LOGGED_IN)
            session_id = browser.session_id
            in_flight = []
            thread = threading.Thread(target=lambda: in_flight.append(replay(site, "/slow/", session_id)))
            thread.start()
            self.assertEqual(Browser(site).get("/slow/entered/").json, {"entered": True})
            self.assertEqual(browser.log_out().json, NOT_LOGGED_IN)
            Browser(site).get("/slow/finish/").json
            thread.join(ANSWER_DEADLINE_S)
            self.assertEqual([answer.status for answer in in_flight], [400])
            self.assertEqual(replay(site, "/whoami/", session_id).json, NOT_LOGGED_IN)
            self.assertEqual(replay(site, "/counter/", session_id).json, {"count": 1})

    def test_a_save_that_comes_behind_the_logout_is_refused_with_logout_hold(self):
        """Django has found the session and is about to save it; it is logged out between the two."""
        with SessiondProcess(["--logout-hold", "60s"]) as sessiond, Relay(sessiond.address) as relay, \
                SiteProcess(self.mode, relay, self.memcached) as site:
            browser = Browser(site)
            self.assertEqual(browser.log_in().json, LOGGED_IN)
            session_id = browser.session_id
            saves = []

            def log_out_first(line):
                if line.split(" ")[0] in ("set", "replace") and session_id in line:
                    relay.before = lambda line: None
                    saves.append(line)
                    self.assertEqual(browser.log_out().json, NOT_LOGGED_IN)

            relay.before = log_out_first
            replay(site, "/counter/", session_id)
            self.assertEqual(len(saves), 1)
            refused = 1 if saves[0].startswith("set ") else 0  # a replace is refused in any case
            self.assertEqual(sessiond.stats("sessions")["revived_refused"], str(refused))
            self.assertEqual(replay(site, "/whoami/", session_id).json, NOT_LOGGED_IN)
            self.assertEqual(replay(site, "/counter/", session_id).json, {"count": 1})
            self.assertEqual(Browser(site).log_in().json, LOGGED_IN)

    def find_answered(self, site, session_id):
        """Whom the session names, once the site has found the restarted server again."""
        deadline = time.monotonic() + ANSWER_DEADLINE_S
        while (answer := replay(site, "/whoami/", session_id)).status != 200 or answer.json != LOGGED_IN:
            self.assertLess(time.monotonic(), deadline, answer.text)
            time.sleep(0.05)

    def test_restarts_and_crashes_log_nobody_in_or_out(self):
        with SessiondProcess(keeps_port=True) as sessiond, SiteProcess(self.mode, sessiond, self.memcached) as site:
            stays, leaves, leaves_at_the_crash = Browser(site), Browser(site), Browser(site)
            for browser in (stays, leaves, leaves_at_the_crash):
                self.assertEqual(browser.log_in().json, LOGGED_IN)
            gone = [leaves.session_id]
            self.assertEqual(leaves.log_out().json, NOT_LOGGED_IN)
            for end, leaving in ((sessiond.stop, None), (sessiond.kill, leaves_at_the_crash), (sessiond.kill, None)):
                if leaving is not None:
                    gone.append(leaving.session_id)
                    self.assertEqual(leaving.log_out().json, NOT_LOGGED_IN)
                end()
                sessiond.start()
                self.find_answered(site, stays.session_id)
                for session_id in gone:
                    self.assertEqual(replay(site, "/whoami/", session_id).json, NOT_LOGGED_IN)
                self.assertEqual(stays.get("/whoami/").json, LOGGED_IN)
            count = stays.get("/counter/").json["count"]
            sessiond.kill()
            sessiond.start()
            self.find_answered(site, stays.session_id)
            self.assertEqual(stays.get("/counter/").json, {"count": count + 1})
            for session_id in gone:
                self.assertEqual(replay(site, "/counter/", session_id).json, {"count": 1})

    def test_clearing_the_session_server_by_mistake_is_refused(self):
        browser = self.visitor()
        with SiteProcess(self.mode, self.sessiond, object_cache=self.sessiond) as wrong_site:
            other = Browser(wrong_site)
            other.get("/login/")
            answer = other.post("/object-cache/clear/")
            self.assertEqual(answer.status, 500, answer.text)
            self.assertIn("flush_all not allowed", answer.text)
        self.assertEqual(browser.get("/whoami/").json, LOGGED_IN)


class EngineTest(SiteCases, unittest.TestCase):
    """SESSION_ENGINE = 'sessiond_django.session_engine'."""

    mode = "engine"

    def test_server_down_is_an_error_that_says_where(self):
        with SessiondProcess() as sessiond:
            where = named(sessiond.address)
            with SiteProcess(self.mode, sessiond, self.memcached) as site:
                browser = Browser(site)
                self.assertEqual(browser.log_in().json, LOGGED_IN)
                session_id = browser.session_id
                sessiond.kill()
                for path in ("/whoami/", "/counter/", "/whoami/"):
                    answer = browser.get(path)
                    self.assertEqual(answer.status, 500, answer.text)
                    self.assertIn("SessionServerError", answer.text)
                    self.assertIn(where, answer.text)
                    self.assertIn("SESSION_CACHE", answer.text)
                self.assertEqual(browser.log_out().status, 500)
                self.assertEqual(browser.session_id, session_id)
                self.assertEqual(browser.get("/object-cache/read/").status, 200)
                with SessiondProcess(["--listen", where]):
                    self.assertEqual(Browser(site).log_in().json, LOGGED_IN)

    def test_a_cookie_that_cannot_be_a_key_is_no_session(self):
        for junk in ("x" * 300, "with space in it", "nul\\000nul\\000", "caf\xe9caf\xe9"):
            self.assertEqual(replay(self.site, "/whoami/", f'"{junk}"').json, NOT_LOGGED_IN)

    def test_requests_leave_no_connection_behind(self):
        browser = self.visitor()
        idle = self.sessiond.wait_for_stat("curr_connections", lambda count: count > 0)
        for _ in range(20):
            browser.get("/counter/").json
        self.sessiond.wait_for_stat("curr_connections", lambda count: count <= idle)


class PyMemcacheTest(SiteCases, unittest.TestCase):
    """Django's cache sessions with PyMemcacheCache."""

    mode = "pymemcache"


class PyLibMCTest(SiteCases, unittest.TestCase):
    """Django's cache sessions with PyLibMCCache."""

    mode = "pylibmc"


if __name__ == "__main__":
    unittest.main()
