"""Settings of the test site. The environment says which session mode, and where the servers are.

SITE_SESSION_MODE   engine (sessiond_django); pymemcache, pylibmc or redis (Django's own cache sessions);
                    database, or cached_db with its cache in memcached
SITE_SESSIONS       HOST:PORT of the session server
SITE_OLD_MODE       the mode that a site had which moves in: its engine is the fallback one
SITE_OLD_SESSIONS   HOST:PORT of its session server
SITE_OBJECT_CACHE   HOST:PORT of the object cache
SITE_DATABASE       path of the sqlite file with the users
"""

import os

MODE = os.environ["SITE_SESSION_MODE"]
SESSIONS = os.environ["SITE_SESSIONS"]
OLD_MODE = os.environ.get("SITE_OLD_MODE")

CACHE_BACKENDS = {
    "pymemcache": "django.core.cache.backends.memcached.PyMemcacheCache",
    "pylibmc": "django.core.cache.backends.memcached.PyLibMCCache",
    "redis": "django_redis.cache.RedisCache",
    "cached_db": "django.core.cache.backends.memcached.PyMemcacheCache",
}
CACHES = {"default": {
    "BACKEND": CACHE_BACKENDS["pylibmc" if MODE == "pylibmc" else "pymemcache"],
    "LOCATION": os.environ["SITE_OBJECT_CACHE"],
}}


def session_engine(mode, server):
    """The engine of the mode, with its cache in CACHES where it is Django's own."""
    if mode == "engine":
        return "sessiond_django.session_engine"
    if mode == "database":
        return "django.contrib.sessions.backends.db"
    location = f"redis://{server}/0" if mode == "redis" else server
    CACHES["sessions"] = {"BACKEND": CACHE_BACKENDS[mode], "LOCATION": location}
    return f"django.contrib.sessions.backends.{'cached_db' if mode == 'cached_db' else 'cache'}"


SESSION_ENGINE = session_engine(MODE, SESSIONS)
SESSION_CACHE = f"memcached://{SESSIONS}/"
if OLD_MODE:
    SESSION_ENGINE = "sessiond_django.fallback_engine"
    SESSION_FALLBACK_ENGINE = session_engine(OLD_MODE, os.environ["SITE_OLD_SESSIONS"])
SESSION_CACHE_ALIAS = "sessions"

SECRET_KEY = "only for this test site"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "urls"
USE_TZ = True
DATABASES = {"default": {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": os.environ["SITE_DATABASE"],
    "OPTIONS": {"timeout": 20},
}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
# A slow hash protects nobody here.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "/whoami/"
LOGIN_PAGE = '<form method="post">{% csrf_token %}{{ form }}<button>Log in</button></form>'
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"registration/login.html": LOGIN_PAGE})]},
}]
