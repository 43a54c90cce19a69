"""Settings of the test site. The environment says which session mode, and where the servers are.

SITE_SESSION_MODE   engine (sessiond_django), pymemcache or pylibmc (Django's own cache sessions)
SITE_SESSIONS       HOST:PORT of the session server
SITE_OBJECT_CACHE   HOST:PORT of the object cache
SITE_DATABASE       path of the sqlite file with the users
"""

import os

MODE = os.environ["SITE_SESSION_MODE"]
SESSIONS = os.environ["SITE_SESSIONS"]

CACHE_BACKEND = "django.core.cache.backends.memcached." + {
    "engine": "PyMemcacheCache",
    "pymemcache": "PyMemcacheCache",
    "pylibmc": "PyLibMCCache",
}[MODE]

CACHES = {"default": {"BACKEND": CACHE_BACKEND, "LOCATION": os.environ["SITE_OBJECT_CACHE"]}}
if MODE == "engine":
    SESSION_ENGINE = "sessiond_django.session_engine"
    SESSION_CACHE = f"memcached://{SESSIONS}/"
else:
    CACHES["sessions"] = {"BACKEND": CACHE_BACKEND, "LOCATION": SESSIONS}
    SESSION_ENGINE = "django.contrib.sessions.backends.cache"
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
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
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
