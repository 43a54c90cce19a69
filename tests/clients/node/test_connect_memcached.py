"""connect-memcached, the session store of express-session, against a running sessiond. The names say what it needs."""

import json
import unittest
import urllib.parse

from node_case import PATIENT, NodeCase, NodeSite

from client_case import TOO_LARGE_BYTES, FullMemoryCase, TwoServersCase
from driven_client import ClientError
from sessiond_process import SessiondProcess
from site_process import hold

LIFETIME_S = 1000
DAY_S = 86400
PREFIX = "sess:"
STORE = {"prefix": PREFIX, **PATIENT}
COOKIE = {"maxAge": LIFETIME_S * 1000}


class SiteCase(NodeCase):
    def site(self, servers=None, cookie=None, **store):
        return self.enterContext(NodeSite(servers or self.servers(), {**STORE, **store}, COOKIE if cookie is None else cookie))

    def new_session(self, site):
        """(what the browser sends, the session's key)"""
        answer = site.visit("count")
        self.assertEqual((answer["error"], answer["count"]), (None, 1))
        self.assertTrue(urllib.parse.unquote(answer["cookie"]).startswith(f"s:{answer['id']}."))
        return answer["cookie"], PREFIX + answer["id"]

    def visit_when_back(self, site, cookie):
        """What a visit is answered, once the client uses the server again."""

        def visit():
            answer = site.visit("count", cookie)
            if answer["error"] is not None:
                raise ClientError(answer["error"])
            return answer

        return self.eventually(visit)

    def assert_count(self, answer, count):
        self.assertEqual((answer["error"], answer["count"]), (None, count))

    def assert_session(self, key, count, wire=None):
        """What the server has; None: nothing."""
        value = (wire or self.wire).get(key)
        self.assertEqual(value if value is None else json.loads(value)["count"], count)


class WireTest(SiteCase):
    """What one visitor's requests are on the wire."""

    def setUp(self):
        super().setUp()
        self.relayed = self.relay()
        self.server = self.site([self.relayed])
        self.cookie, self.session = self.new_session(self.server)
        (self.stored,) = self.relayed.take_lines()

    def lines_of(self, steps):
        answer = self.server.visit(steps, self.cookie)
        self.assertIsNone(answer["error"])
        return self.relayed.take_lines()

    def assert_set(self, line, key):
        self.assertRegex(line, rf"\Aset {key} 2 ({LIFETIME_S - 1}|{LIFETIME_S}) \d+\Z")

    def test_a_new_session_is_a_set_for_the_cookies_lifetime_as_json(self):
        self.assert_set(self.stored, self.session)

    def test_a_visit_is_a_get_and_a_set_whether_it_changes_something_or_not(self):
        for steps in ("count", "read"):
            got, stored = self.lines_of(steps)
            self.assertEqual(got, f"get {self.session}")
            self.assert_set(stored, self.session)

    def test_destroy_is_a_delete(self):
        self.assertEqual(self.lines_of("destroy"), [f"get {self.session}", f"delete {self.session}"])
        self.assert_session(self.session, None)

    def test_regenerate_deletes_the_old_id_and_sets_the_new_one(self):
        got, deleted, stored = self.lines_of("replace,count")
        self.assertEqual((got, deleted), (f"get {self.session}", f"delete {self.session}"))
        key = stored.split(" ")[1]
        self.assertNotEqual(key, self.session)
        self.assert_set(stored, key)

    def test_without_a_lifetime_it_is_a_day(self):
        site = self.site([self.relayed], cookie={})
        site.visit("count")
        (stored,) = self.relayed.take_lines()
        self.assertEqual(stored.split(" ")[3], str(DAY_S))


class SessionTest(SiteCase):
    def setUp(self):
        super().setUp()
        self.server = self.site()
        self.cookie, self.session = self.new_session(self.server)

    def test_a_session_comes_back_and_goes_on(self):
        for count in (2, 3):
            self.assert_count(self.server.visit("count", self.cookie), count)
        self.assert_session(self.session, 3)

    def test_a_second_site_process_shares_it(self):
        self.assert_count(self.site().visit("count", self.cookie), 2)

    def test_logged_out_is_logged_out(self):
        self.server.visit("destroy", self.cookie)
        self.assert_session(self.session, None)
        answer = self.server.visit("count", self.cookie)
        self.assert_count(answer, 1)
        self.assertNotEqual(PREFIX + answer["id"], self.session)

    def test_an_id_that_somebody_made_up_is_not_taken_over(self):
        for cookie in ("s%3Amade-up.signature", "made-up"):
            answer = self.server.visit("count", cookie)
            self.assert_count(answer, 1)
            self.assertNotEqual(answer["id"], "made-up")

    def test_a_visit_that_ends_after_the_logout_brings_the_session_back(self):
        """Even one that changed nothing: the store's touch is a set. docs/CLIENTS.md says so."""
        held = hold(self, self.server, "hold,read", self.cookie)
        self.server.visit("destroy", self.cookie)
        self.assert_session(self.session, None)
        self.assert_count(held.release(), 1)
        self.assert_session(self.session, 1)

    def test_with_logout_hold_it_stays_gone(self):
        """Nor does a crash between the logout and the late save bring it back."""
        for steps, ends in (("hold,read", False), ("hold,count", False), ("hold,read", True)):
            with self.subTest(steps, ends=ends), SessiondProcess(["--logout-hold", "60s"], keeps_port=True) as own:
                site = self.site([own])
                cookie, session = self.new_session(site)
                other, _ = self.new_session(site)
                held = hold(self, site, steps, cookie)
                site.visit("destroy", cookie)
                if ends:
                    own.kill()
                    own.start()
                    self.assert_count(self.visit_when_back(site, other), 2)
                self.assertIsNotNone(held.release())
                own.wait_for_stat("revived_refused", 1, section="sessions")
                with own.connect() as wire:
                    self.assert_session(session, None, wire)
                self.assertNotEqual(PREFIX + site.visit("count", cookie)["id"], session)

    def test_a_large_session(self):
        self.server.visit("grow,count", self.cookie, bytes=900_000)
        self.assert_count(self.server.visit("count", self.cookie), 3)

    def test_a_session_too_large_is_told_by_the_client_and_the_old_one_stays(self):
        self.server.visit("grow,count", self.cookie, bytes=TOO_LARGE_BYTES)
        self.server.wait_for_stderr("not saved: The length of the value is greater than 1048576")
        self.assert_session(self.session, 1)

    def test_clear_is_refused_and_told(self):
        self.assertEqual(self.server.visit("clear", self.cookie)["error"], "flush_all not allowed")
        self.assert_session(self.session, 1)

    def test_length_asks_the_items(self):
        (classes,) = self.server.visit("length", self.cookie)["results"]["length"]
        self.assertGreaterEqual(classes["1"]["number"], 1)


class TimeTest(SiteCase):
    def test_a_session_ends_after_its_lifetime_unless_a_visit_renews_it(self):
        with SessiondProcess() as own, own.connect() as wire:
            site = self.site([own])
            cookie, session = self.new_session(site)
            for _ in range(3):
                own.move_clock(LIFETIME_S - 60)
                self.assert_count(site.visit("read", cookie), 1)
            own.move_clock(LIFETIME_S + 1)
            self.assert_session(session, None, wire)
            self.assertNotEqual(PREFIX + site.visit("count", cookie)["id"], session)

    def test_a_lifetime_of_40_days_is_taken_for_a_date_long_past(self):
        """Nothing is kept: docs/clients/NODE.md says what to set."""
        cookie = {"maxAge": 40 * DAY_S * 1000}
        answer = self.site(cookie=cookie).visit("count")
        self.assert_session(PREFIX + answer["id"], None)
        answer = self.site(cookie=cookie, ttl=30 * DAY_S).visit("count")
        self.assert_session(PREFIX + answer["id"], 1)


class FullMemoryTest(FullMemoryCase, SiteCase):
    def test_a_session_that_does_not_fit_is_not_kept_and_others_go_on(self):
        """Nobody is told: of a SERVER_ERROR this client makes no error."""
        site = self.site()
        answer = site.visit("grow,count", bytes=900_000)
        self.assertIsNone(answer["error"])
        self.assert_session(PREFIX + answer["id"], None)
        self.assertNotIn("not saved", site.stderr_text())
        self.assertGreater(int(self.daemon.stats()["store_no_memory"]), 0)


class TwoServersTest(TwoServersCase, SiteCase):
    def test_sessions_spread_over_two_servers(self):
        site = self.site()
        cookies = [self.new_session(site)[0] for _ in range(16)]
        for cookie in cookies:
            self.assert_count(site.visit("count", cookie), 2)
        self.assert_both_have_a_part()


class DownTest(SiteCase):
    def test_a_server_that_is_down_is_an_error_and_is_used_again_when_it_is_back(self):
        with SessiondProcess() as own:
            site = self.site([own])
            cookie, session = self.new_session(site)
            address, data_dir = "%s:%d" % own.address, own.data_dir
            own.stop()
            self.assertIsNotNone(site.visit("count", cookie)["error"])
            with SessiondProcess(["--listen", address, "--data-dir", data_dir]) as again, again.connect() as wire:
                self.assert_session(session, 1, wire)
                self.assert_count(self.visit_when_back(site, cookie), 2)


if __name__ == "__main__":
    unittest.main()
