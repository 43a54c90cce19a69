"""The connection to the session server: settings, one client per thread, clear errors.

It is not one of settings.CACHES, so that cache.clear() and whatever else walks the
caches never reaches a session.

Settings:
SESSION_CACHE           where the server is, see FORMS
SESSION_CACHE_TIMEOUT   seconds to wait for a connection, and for an answer; default 2
"""

import ipaddress
import math
import os
import re
import threading
from contextlib import contextmanager

from django.conf import settings
from django.core import signals
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.exceptions import ImproperlyConfigured

try:
    from pymemcache.exceptions import MemcacheError
except ImportError as error:
    raise ImproperlyConfigured(
        "SESSION_ENGINE = 'sessiond_django.session_engine' needs pymemcache. "
        "Install it: apt install python3-pymemcache, or pip install pymemcache."
    ) from error

DEFAULT_PORT = 11200
DEFAULT_TIMEOUT_S = 2

FORMS = (
    "Write SESSION_CACHE = 'memcached://127.0.0.1:11200/', "
    "for several servers 'memcached://a.example:11200,b.example:11200/', "
    "for IPv6 'memcached://[::1]:11200/', "
    "for a unix socket 'memcached+unix:///run/sessiond/sessiond.sock'."
)

LABEL = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"
TCP_SERVER = re.compile(
    rf"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>{LABEL}(?:\.{LABEL})*))(?::(?P<port>[0-9]{{1,5}}))?"
)


class SessionServerError(Exception):
    """The session server did not do what was asked: down, too slow, full, or not a session server."""


def parse_server(text):
    """`HOST[:PORT]` -> (host, port); raises ValueError."""
    match = TCP_SERVER.fullmatch(text)
    if not match:
        raise ValueError("%r is not HOST:PORT" % text)
    host = match["name"] or str(ipaddress.IPv6Address(match["ipv6"]))
    port = int(match["port"] or DEFAULT_PORT)
    if not 0 < port < 65536:
        raise ValueError("port %d is not in 1..65535" % port)
    return host, port


def parse_servers(location):
    """SESSION_CACHE -> the servers as pymemcache wants them: (host, port), or the path of a unix socket."""
    if location is None:
        raise ImproperlyConfigured("The setting SESSION_CACHE is missing. " + FORMS)
    try:
        unix = re.fullmatch(r"memcached\+unix://(/.*[^/])", location)
        if unix:
            return [unix[1]]
        tcp = re.fullmatch(r"memcached://([^/]+)/?", location)
        if not tcp:
            raise ValueError("not memcached://SERVERS/ nor memcached+unix:///PATH")
        return [parse_server(server) for server in tcp[1].split(",")]
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured("SESSION_CACHE is %r: %s. %s" % (location, error, FORMS)) from error


def check_timeout(timeout_s):
    """SESSION_CACHE_TIMEOUT as it is; a socket would take None and 0 for other things than a time."""
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)) or not 0 < timeout_s < math.inf:
        raise ImproperlyConfigured(
            "SESSION_CACHE_TIMEOUT is %r: write a number of seconds above 0." % (timeout_s,)
        )
    return timeout_s


class SessionCache(PyMemcacheCache):
    """Django's memcached backend plus `replace`, without failover, with clear errors.

    One object serves all threads; each thread has a client of its own, whose connections
    live until the end of the request. So no two threads ever read each other's answers,
    and a connection never outlives a restart of the server.
    """

    def __init__(self, location, timeout_s):
        self._location = location
        self._thread = threading.local()
        super().__init__(parse_servers(location), {"OPTIONS": {
            "connect_timeout": check_timeout(timeout_s),
            "timeout": timeout_s,
            "no_delay": True,
            # HashClient's failover would answer "no such session" for a while, then move the
            # sessions of a dead server to the others: a logout for everyone there, and when it
            # comes back, its old copies, with those of people who have since logged out, are
            # valid again. A server that is always worth one more try is never given up.
            "retry_attempts": math.inf,
            "retry_timeout": -math.inf,
        }})

    @property
    def _cache(self):
        """This thread's client. The parent keeps one for whoever holds the object."""
        try:
            return self._thread.client
        except AttributeError:
            self._thread.client = self._class(self.client_servers, **self._options)
            return self._thread.client

    def close(self, **kwargs):
        """Close this thread's connections; the next operation opens new ones."""
        client = self._thread.__dict__.pop("client", None)
        if client is not None:
            client.close()

    @contextmanager
    def _clear_errors(self, key):
        """Raise SessionServerError, which says where and what to do, for what goes wrong with a server."""
        try:
            yield
        except (OSError, MemcacheError) as error:
            raise SessionServerError(
                "Session server %s failed (%s: %s). Check that sessiond runs there, and the setting SESSION_CACHE = %r."
                % (self._cache.hasher.get_node(self.make_key(key)), type(error).__name__, error, self._location)
            ) from error

    def get(self, key, default=None, version=None):
        """See BaseCache.get()."""
        with self._clear_errors(key):
            return super().get(key, default, version)

    def add(self, key, value, timeout=DEFAULT_TIMEOUT, version=None):
        """See BaseCache.add()."""
        with self._clear_errors(key):
            return super().add(key, value, timeout, version)

    def replace(self, key, value, timeout=DEFAULT_TIMEOUT, version=None):
        """Store only where the key exists; return whether it was stored."""
        key_sent = self.make_key(key, version=version)
        self.validate_key(key_sent)
        with self._clear_errors(key):
            return self._cache.replace(key_sent, value, self.get_backend_timeout(timeout))

    def gets(self, key, version=None):
        """(value, the id of its last change); (None, None) where there is nothing."""
        with self._clear_errors(key):
            return self._cache.gets(self.make_key(key, version=version), default=None, cas_default=None)

    def cas(self, key, value, cas_id, timeout=DEFAULT_TIMEOUT, version=None):
        """Store only where the last change is still that one; return whether it was stored."""
        with self._clear_errors(key):
            return bool(self._cache.cas(self.make_key(key, version=version), value, cas_id,
                                        self.get_backend_timeout(timeout)))

    def delete(self, key, version=None):
        """See BaseCache.delete()."""
        with self._clear_errors(key):
            return super().delete(key, version)


_caches = {}


def session_cache():
    """The process's one SessionCache for the settings as they are (tests change them)."""
    location = getattr(settings, "SESSION_CACHE", None)
    timeout_s = getattr(settings, "SESSION_CACHE_TIMEOUT", DEFAULT_TIMEOUT_S)
    key = (repr(location), repr(timeout_s))
    if key not in _caches:
        _caches.setdefault(key, SessionCache(location, timeout_s))
    return _caches[key]


def close_session_caches(**kwargs):
    """Close the calling thread's connections."""
    for cache in list(_caches.values()):
        cache.close()


signals.request_finished.connect(close_session_caches)
# A forked worker that went on with its parent's connection would read its parent's answers.
os.register_at_fork(after_in_child=close_session_caches)
