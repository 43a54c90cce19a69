"""The session engine: Django's cache sessions, kept in the server that SESSION_CACHE names.

It changes what a session store must not share with a cache: an unreachable server is an
error and never an empty session, and a save never brings a deleted session back.
It is not the connection; that is session_cache.
"""

import re

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends import cache
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError

from sessiond_django.session_cache import session_cache

# What can stand in a memcached key, with room for the prefix within its 250 bytes.
STORABLE_KEY = re.compile(r"[!-~]{8,128}")


class SessionStore(cache.SessionStore):
    """One visitor's session. Any operation may raise SessionServerError."""

    def __init__(self, session_key=None):
        # Not the parent's: it takes the cache from settings.CACHES.
        SessionBase.__init__(self, session_key)
        self._cache = session_cache()

    def _validate_session_key(self, key):
        """A cookie that cannot be a key means "no session", without asking the server."""
        return bool(super()._validate_session_key(key) and STORABLE_KEY.fullmatch(key))

    def load(self):
        """Return the stored dictionary, or {} and forget the key when there is none.

        An empty session is stored as {} and is there; only None means that it is not.
        """
        session_data = self._cache.get(self.cache_key)
        if session_data is None:
            self._session_key = None
            return {}
        return session_data

    def save(self, must_create=False):
        """Store with `add` (raises CreateError) or `replace` (raises UpdateError).

        `replace` decides in the server: between a get and a set, as the parent does it,
        a logout could be undone. An expiry age of 0 or less goes out as exptime -1, with
        which both commands keep nothing.
        """
        if self.session_key is None:
            return self.create()
        store = self._cache.add if must_create else self._cache.replace
        stored = store(self.cache_key, self._get_session(no_load=must_create), self.get_expiry_age())
        if not stored:
            raise CreateError if must_create else UpdateError

    # From Django 5.1 on the parent has asynchronous twins. These two would bypass the methods above.

    async def aload(self):
        """See load()."""
        return await sync_to_async(self.load)()

    async def asave(self, must_create=False):
        """See save()."""
        return await sync_to_async(self.save)(must_create)


# A wrong setting stops the site at its start, not at its first visitor.
session_cache()
