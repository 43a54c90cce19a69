"""The test site as a process, and the browser that visits it.

Not a test. Who starts a site calls make_users() first.
"""

import http.cookiejar
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from sessiond_process import _DaemonProcess, parse_address  # noqa: E402

SITE = HERE / "site"
NAME, PASSWORD = "ada", "correct horse"
ANSWER_DEADLINE_S = 30

NOT_LOGGED_IN = {"user": ""}
LOGGED_IN = {"user": NAME}

_users = tempfile.TemporaryDirectory(prefix="sessiond-site-")
USERS_DATABASE = os.path.join(_users.name, "users.sqlite3")


def site_environment(mode, sessions, object_cache, database, engine_path):
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, [SITE, *engine_path])),
        "SITE_SESSION_MODE": mode,
        "SITE_SESSIONS": sessions,
        "SITE_OBJECT_CACHE": object_cache,
        "SITE_DATABASE": database,
    }


def make_users():
    """Makes the database with its one user; each site gets a copy. Returns what removes it."""
    env = {
        **site_environment("pymemcache", "127.0.0.1:1", "127.0.0.1:1", USERS_DATABASE, []),
        "DJANGO_SETTINGS_MODULE": "settings",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    for command in (["migrate", "--verbosity", "0"],
                    ["createsuperuser", "--noinput", "--username", NAME, "--email", "ada@example.org", "--verbosity", "0"]):
        subprocess.run([sys.executable, "-m", "django", *command], env=env, check=True, timeout=60)
    return _users.cleanup


def named(address):
    return "%s:%d" % address


class SiteProcess(_DaemonProcess):
    """The running site; sessions and object_cache are the servers it uses.

    engine_path  where Python looks for sessiond_django before its own places
    database     the file with its users, and with its sessions in mode database; default: a copy of its own
    old          (mode, server) where its sessions were before
    env          may be changed before the start
    """

    def __init__(self, mode, sessions, object_cache, engine_path=(ROOT / "packaging" / "django",), database=None, old=None):
        super().__init__()
        self._directory = tempfile.TemporaryDirectory(prefix="sessiond-site-")
        database = database or shutil.copy(USERS_DATABASE, self._directory.name)
        self.env = site_environment(mode, named(sessions.address), named(object_cache.address), database, engine_path)
        if old:
            self.env.update(SITE_OLD_MODE=old[0], SITE_OLD_SESSIONS=named(old[1].address))
        self.address = None

    def start(self):
        self._spawn([sys.executable, str(SITE / "serve.py")], self.env)
        if not self.stdout.wait_for(lambda lines: lines, ANSWER_DEADLINE_S):
            self._raise("did not start")
        self.address = parse_address(self.stdout.lines()[0].rpartition(" ")[2])

    def _discard(self):
        super()._discard()
        self._directory.cleanup()


class Answer:
    """What the site said: status, the text, and the text as JSON."""

    def __init__(self, response):
        with response:
            self.status = response.status
            self.text = response.read().decode()

    @property
    def json(self):
        if self.status != 200:
            raise AssertionError(f"the site answered {self.status}: {self.text[:500]}")
        return json.loads(self.text)


class Browser:
    """Keeps cookies and sends forms back with their hidden token."""

    def __init__(self, site):
        self.use(site)
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._cookies)
        )

    def use(self, site):
        """Goes on there, with its cookies."""
        self._site = f"http://{named(site.address)}"

    def _open(self, path, body=None, headers=None):
        request = urllib.request.Request(self._site + path, body, headers or {})
        try:
            return Answer(self._opener.open(request, timeout=ANSWER_DEADLINE_S))
        except urllib.error.HTTPError as error:
            return Answer(error)

    def get(self, path):
        return self._open(path)

    def post(self, path, **fields):
        fields.setdefault("csrfmiddlewaretoken", self.cookie("csrftoken"))
        return self._open(path, urllib.parse.urlencode(fields).encode())

    def cookie(self, name):
        return next((cookie.value for cookie in self._cookies if cookie.name == name), None)

    @property
    def session_id(self):
        return self.cookie("sessionid")

    def log_in(self):
        """Fills in the login form; the answer is the page that follows it."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get("/login/").text)[1]
        return self.post("/login/", username=NAME, password=PASSWORD, csrfmiddlewaretoken=token)

    def log_out(self):
        return self.post("/logout/")


def replay(site, path, session_id):
    """A visit with a cookie that was kept aside."""
    return Browser(site)._open(path, headers={"Cookie": f"sessionid={session_id}"})
