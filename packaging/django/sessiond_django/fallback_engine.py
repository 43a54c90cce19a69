"""The session engine of a site that moves in: what is not here yet comes from the store that it had before.

It is session_engine plus the old store, for as long as sessions live there; then session_engine takes its
place. It copies nothing ahead: a session moves when its visitor comes.

Settings, beside those of session_engine:
SESSION_FALLBACK_ENGINE     the SESSION_ENGINE before; what else that one is told stays as it was

Why nobody who logged out comes back: the end of a session leaves a mark in its place here (ENDED). A move is
an `add`, which the mark refuses, however old the copy is that the request has of the old store, and whatever
became of the deletion there: a transaction rolled back, a replica that lags, a snapshot that was loaded.
A save is a `cas` over a session and never over the mark.
"""

import math
from importlib import import_module

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.sessions.backends import cache, db, signed_cookies
from django.contrib.sessions.backends.base import UpdateError
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from sessiond_django import session_engine
from sessiond_django.session_cache import SessionServerError

DAY_S = 86400
ATTEMPTS = 20  # each lost to another request of the same visitor in the same milliseconds

# Other engines that find it read "no session".
ENDED = None
NOT_HERE = object()


class OldStoreError(SessionServerError):
    """The old store did not do what was asked."""


def old_store_class():
    """The class of the old sessions; raises ImproperlyConfigured."""
    path = getattr(settings, "SESSION_FALLBACK_ENGINE", None)
    hint = ("Write as SESSION_FALLBACK_ENGINE the SESSION_ENGINE that the site had before, such as "
            "'django.contrib.sessions.backends.cache'.")
    if not isinstance(path, str):
        raise ImproperlyConfigured("The setting SESSION_FALLBACK_ENGINE is missing. " + hint)
    try:
        store = import_module(path).SessionStore
    except (AttributeError, ImportError, ValueError) as error:
        raise ImproperlyConfigured("SESSION_FALLBACK_ENGINE is %r: %s. %s" % (path, error, hint)) from error
    if issubclass(store, session_engine.SessionStore):
        raise ImproperlyConfigured("SESSION_FALLBACK_ENGINE is %r, which keeps sessions here already. %s" % (path, hint))
    if issubclass(store, signed_cookies.SessionStore):
        raise ImproperlyConfigured(
            "SESSION_FALLBACK_ENGINE is %r: sessions that are in cookies cannot be ended, so they cannot move." % path)
    return store


class OldSession:
    """One session in the old store. Any operation may raise OldStoreError."""

    def __init__(self, session_key):
        self._store = old_store_class()(session_key)
        if isinstance(self._store, cache.SessionStore) and isinstance(self._store._cache, PyMemcacheCache):
            # For a second after a failure pymemcache would say "no such session", and its visitor lose the cookie.
            client = self._store._cache._cache
            client.retry_attempts, client.retry_timeout = math.inf, -math.inf

    def _ask(self, function, *args):
        try:
            return function(*args)
        except Exception as error:  # of whatever library the old store uses
            raise OldStoreError(
                "The old session store failed (%s: %s), which SESSION_FALLBACK_ENGINE = %r names."
                % (type(error).__name__, error, settings.SESSION_FALLBACK_ENGINE)
            ) from error

    def load(self):
        """The dictionary, or None where there is no session."""
        if isinstance(self._store, cache.SessionStore):
            # Its load() takes a server that is down for "no session".
            return self._ask(self._store._cache.get, self._store.cache_key)
        data = self._ask(self._store.load)
        return None if self._store.session_key is None else data

    def remaining_s(self, age_s):
        """The seconds it has to live; age_s where the old store does not tell."""
        if isinstance(self._store, db.SessionStore):
            rows = self._store.model.objects.filter(session_key=self._store.session_key)
            dates = self._ask(lambda: list(rows.values_list("expire_date", flat=True)))
            return math.ceil((dates[0] - timezone.now()).total_seconds()) if dates else 0
        ttl = getattr(getattr(self._store, "_cache", None), "ttl", None)  # django-redis has it
        told_s = self._ask(ttl, self._store.cache_key) if ttl else None
        return age_s if told_s is None else told_s

    def delete(self):
        """Nothing of it stays there."""
        self._ask(self._store.delete, self._store.session_key)


class SessionStore(session_engine.SessionStore):
    """One visitor's session. Any operation may raise SessionServerError; one that asks the old store, OldStoreError."""

    def load(self):
        """See session_engine; a session of the old store moves here first."""
        data = self._cache.get(self.cache_key, NOT_HERE)
        if data is NOT_HERE:
            data = self._move_in()
        if data is ENDED:
            self._session_key = None
            return {}
        return data

    def _move_in(self):
        """The session, from now on here and no longer there; ENDED where there is none."""
        old = OldSession(self.session_key)
        data = old.load()
        if data is None:
            return self._cache.get(self.cache_key, ENDED)  # another request may just have moved it
        age_s = old.remaining_s(self.get_expiry_age(expiry=data.get("_session_expiry")))
        if age_s <= 0:
            return ENDED
        if not self._cache.add(self.cache_key, data, age_s):
            return self._cache.get(self.cache_key, ENDED)  # moved by another request, or ended meanwhile
        old.delete()
        return data

    def save(self, must_create=False):
        """See session_engine. Between the two commands of a save nothing is lost: `cas` sees each change."""
        if must_create or self.session_key is None:
            return super().save(must_create)
        key, session_key = self.cache_key, self.session_key
        data = self._get_session()
        age_s = self.get_expiry_age()
        for _ in range(ATTEMPTS):
            stored, cas_id = self._cache.gets(key)
            if stored is ENDED:
                raise UpdateError
            if age_s <= 0:
                return self.delete(session_key)
            if self._cache.cas(key, data, cas_id, age_s):
                return None
        raise SessionServerError("Session not saved: others changed it %d times meanwhile." % ATTEMPTS)

    def delete(self, session_key=None):
        """End it in both stores. If the old one fails, it is ended here all the same."""
        session_key = session_key or self.session_key
        if session_key is None:
            return
        self._end(self.cache_key_prefix + session_key)
        OldSession(session_key).delete()

    def _end(self, key):
        for _ in range(ATTEMPTS):
            # Not one `set`: the server syncs a delete to the disk before it answers.
            self._cache.delete(key)
            if self._cache.add(key, ENDED, max(settings.SESSION_COOKIE_AGE, DAY_S)):
                return
        raise SessionServerError("Session not ended: others moved it here %d times meanwhile." % ATTEMPTS)

    async def adelete(self, session_key=None):
        """See delete()."""
        await sync_to_async(self.delete)(session_key)

    @classmethod
    def clear_expired(cls):
        """What `manage.py clearsessions` does: the old store's own."""
        old_store_class().clear_expired()


# A wrong setting stops the site at its start, not at its first visitor.
old_store_class()
