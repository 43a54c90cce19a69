"""What the tests of the session engine share: its settings, small verbs, and the base of their cases.

Importing this module configures Django, so it comes before any module of sessiond_django. It holds no test.
"""

import sys
import threading
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ENGINE = ROOT / "packaging" / "django"
sys.path[:0] = [str(ENGINE), str(ROOT / "tests" / "support")]

from django.conf import settings
from django.core.signals import request_finished
from django.test.utils import override_settings

# Nothing listens on port 1: a test that forgets its own server fails.
settings.configure(SESSION_CACHE="memcached://127.0.0.1:1/", USE_TZ=True)

from sessiond_django.session_cache import SessionServerError
from sessiond_django.session_engine import SessionStore

WAIT_S = 20
KEY_PREFIX = ":1:django.contrib.sessions.cache"


def location_of(*daemons):
    return "memcached://%s/" % ",".join("%s:%d" % daemon.address for daemon in daemons)


def end_request():
    request_finished.send(sender=None)


def stored_session(**data):
    """A saved session; returns its key."""
    store = SessionStore()
    store.update(data)
    store.save()
    return store.session_key


def loaded(key):
    """(data, key) as another request sees them."""
    store = SessionStore(key)
    return dict(store.items()), store.session_key


class EngineCase(unittest.TestCase):
    """Ends each test as Django ends a request, so that no connection goes from one to the next."""

    def use(self, location, **more):
        self.addCleanup(end_request)
        override = override_settings(SESSION_CACHE=location, **more)
        override.enable()
        self.addCleanup(override.disable)

    def assert_names(self, location, function, *args):
        """The call raises, and says which server and which setting."""
        with self.assertRaises(SessionServerError) as caught:
            function(*args)
        self.assertIn("SESSION_CACHE", str(caught.exception))
        self.assertIn(location, str(caught.exception))

    def run_threads(self, count, body):
        """Runs body(0) ... body(count - 1), each on a thread of its own; none may hang or fail."""
        errors = []

        def guarded(number):
            try:
                body(number)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=guarded, args=(number,), daemon=True) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
        self.assertFalse(any(thread.is_alive() for thread in threads))
        self.assertEqual(errors, [])
