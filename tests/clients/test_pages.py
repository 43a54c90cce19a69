"""The examples of the pages for clients: each block is taken out of its page and run, against a running sessiond.

In front of each block stands a comment, which nobody sees who reads the page:

<!-- test: NAME -->            it is run by the test of that name below
<!-- not run: REASON -->       it is not
<!-- printed by: NAME -->      it is what that one prints

The addresses of the pages, 127.0.0.1:11200 and 127.0.0.1:11211, are replaced by the test's own. What clients do in all their
cases is tested by the other files of this folder.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "clients" / "django")]

from client_case import ClientCase
from django_site import LOGGED_IN, NOT_LOGGED_IN, Browser, SiteProcess, make_users, replay
from driven_client import node_environment
from sessiond_process import MemcachedProcess, _DaemonProcess

PAGES = ("../README.md", "DJANGO.md", "MOVING-IN.md", *(f"clients/{name}.md" for name in ("PHP", "NODE", "RAILS", "JAVA", "SOCKETS")))
DEADLINE_S = 60
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"^ *<!-- (?P<word>test|not run|printed by): (?P<rest>[^\n]+) -->\n\Z", re.MULTILINE)
DJANGO_KEY = ":1:django.contrib.sessions.cache"


def setUpModule():
    unittest.addModuleCleanup(make_users())


def read_blocks(text, page):
    """(word of the mark, what it says, the block) for each block of the page; raises where one has no mark."""
    for fence in FENCE.finditer(text):
        mark = MARK.search(text, 0, fence.start())
        if mark is None:
            raise ValueError(f"{page}: no mark in front of ```{fence['language']}\n{fence['text']}")
        lines = fence["text"].splitlines(keepends=True)
        yield mark["word"], mark["rest"], "".join(line.removeprefix(fence["indent"]) for line in lines)


def pages():
    return [block for page in PAGES for block in read_blocks((ROOT / "docs" / page).read_text(encoding="utf-8"), page)]


BLOCKS = {(word, name): text for word, name, text in pages() if word != "not run"}


class MarkTest(unittest.TestCase):
    def test_each_block_that_is_marked_to_be_run_is_run(self):
        source = Path(__file__).read_text(encoding="utf-8")
        for word, use in (("test", r'self\.block\("([\w-]+)"\)'), ("printed by", r'self\.assert_printed\("([\w-]+)"')):
            self.assertEqual(set(re.findall(use, source)), {name for marked, name in BLOCKS if marked == word})
        names = [(word, name) for word, name, _text in pages() if word != "not run"]
        self.assertEqual(len(names), len(BLOCKS), "two blocks have one name")

    def test_a_block_without_a_mark_is_told(self):
        for text in ("```sh\nrm\n```\n", "<!-- test: a -->\n\n```sh\nrm\n```\n", "<!-- test: a -->\n```sh\na\n```\n```sh\nrm\n```\n"):
            with self.assertRaisesRegex(ValueError, "no mark in front of ```sh\nrm"):
                list(read_blocks(text, "page"))


class PhpSite(_DaemonProcess):
    """PHP's own web server with one page and a php.ini."""

    stop_returncode = None

    def __init__(self, directory, page, settings):
        super().__init__()
        Path(directory, "page.php").write_text(page, encoding="utf-8")
        Path(directory, "page.ini").write_text(settings, encoding="utf-8")
        self._directory = directory
        self.url = None

    def start(self):
        # Debian keeps what loads the extensions in conf.d, which is read, too.
        self._spawn(["php", "-c", f"{self._directory}/page.ini", "-S", "127.0.0.1:0", f"{self._directory}/page.php"], os.environ)
        self.wait_for_stderr(r"Development Server \(http://[\d.:]+\) started")
        self.url = re.search(r"http://[\d.:]+", self.stderr_text())[0]

    def _finish(self):
        self.kill()

    def visit(self, cookie=None):
        """(what the page says, the cookie to come back with)"""
        request = urllib.request.Request(self.url, headers={"Cookie": cookie} if cookie else {})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=DEADLINE_S) as response:
            return response.read().decode(), (response.headers["Set-Cookie"] or "").partition(";")[0]


class PageTest(ClientCase):
    """What each block does."""

    def setUp(self):
        super().setUp()
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="sessiond-pages-"))
        self.memcached = None

    def block(self, name):
        """The block, with the addresses of this test's servers."""
        text = BLOCKS["test", name].replace("11200", str(self.daemon.port))
        if "11211" in text:
            self.memcached = self.enterContext(MemcachedProcess())
            text = text.replace("11211", str(self.memcached.port))
        return text

    def file(self, name, text):
        path = Path(self.directory, name)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def run_to_its_end(self, *command, env=None, stdin=""):
        ended = subprocess.run(command, input=stdin, env=env, cwd=self.directory, capture_output=True, text=True,
                               timeout=DEADLINE_S, check=False)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout.replace("\r\n", "\n")

    def assert_ada(self):
        self.assert_stored("session:ada", b"hello")

    # Django: the block is what the test site's settings end with.

    def django_site(self, settings, old=None):
        self.file("page_settings.py", "from settings import *\n" + settings)
        object_cache = self.memcached or self.daemon
        site = SiteProcess("engine", self.daemon, object_cache, old=old)
        site.env["DJANGO_SETTINGS_MODULE"] = "page_settings"
        site.env["PYTHONPATH"] += os.pathsep + self.directory
        return self.enterContext(site)

    def assert_site_works(self, site):
        browser = Browser(site)
        self.assertEqual(browser.log_in().json, LOGGED_IN)
        self.assertIsNotNone(self.wire.get(DJANGO_KEY + browser.session_id))
        gone = browser.session_id
        self.assertEqual(browser.log_out().json, NOT_LOGGED_IN)
        self.assertEqual(replay(site, "/whoami/", gone).json, NOT_LOGGED_IN)

    def test_django_engine(self):
        self.assertEqual(self.block("readme-django"), self.block("django-engine"))
        self.assert_site_works(self.django_site(self.block("django-engine")))

    def test_django_cache(self):
        site = self.django_site(self.block("django-cache"))
        self.assert_site_works(site)
        browser = Browser(site)
        browser.get("/login/")
        browser.post("/object-cache/write/", value="page").json
        with self.memcached.connect() as wire:
            self.assertIsNotNone(wire.get(":1:page"))

    def test_django_fallback(self):
        old = self.enterContext(MemcachedProcess())
        with SiteProcess("pymemcache", old, old) as before:
            browser = Browser(before)
            browser.log_in()
        site = self.django_site(self.block("django-fallback"), old=("pymemcache", old))
        browser.use(site)
        self.assertEqual(browser.get("/whoami/").json, LOGGED_IN)
        self.assert_site_works(site)

    def test_django_moved(self):
        self.assert_site_works(self.django_site(self.block("django-moved")))

    # PHP

    def assert_php_counts(self, settings):
        site = self.enterContext(PhpSite(self.directory, self.block("php-page"), settings))
        count, cookie = site.visit()
        self.assertEqual(count, "1")
        self.assertEqual(site.visit(cookie)[0], "2")
        return cookie.partition("=")[2]

    def test_php_handler(self):
        session_id = self.assert_php_counts(self.block("php-handler"))
        self.assert_stored("memc.sess.key." + session_id, b"visits|i:2;")

    def test_php_memcache(self):
        self.assert_stored(self.assert_php_counts(self.block("php-memcache")), b"visits|i:2;")

    def test_php_class(self):
        self.assertEqual(self.run_to_its_end("php", self.file("page.php", self.block("php-class"))), "hello")
        self.assert_ada()

    # Node

    def run_node(self, text):
        return self.run_to_its_end("node", self.file("page.js", text),
                                   env={**node_environment(), "SESSION_SECRET": "only for this test"})

    def test_node_express(self):
        """Two visits to the block's `app`; its handlers are called as express calls them."""
        around = Path(ROOT, "tests/clients/node/page_app.js").read_text(encoding="utf-8")
        told = json.loads(self.run_node(around.replace("/* the page's block */", self.block("node-express"))))
        self.assertEqual(told["counts"], [1, 2])
        self.assertEqual(json.loads(self.wire.get("sess:" + told["id"]))["count"], 2)

    def test_node_memcached(self):
        self.assertEqual(self.run_node(self.block("node-memcached")), "hello\n")
        self.assert_ada()

    # Java

    def test_java_spymemcached(self):
        page = self.file("Sessions.java", self.block("java-spymemcached"))
        self.assertEqual(self.run_to_its_end("java", "-XX:TieredStopAtLevel=1", "-cp", "/usr/share/java/spymemcached.jar", page),
                         "hello\n")
        self.assert_ada()

    # Sockets

    def assert_printed(self, name, printed):
        self.assertEqual(printed, BLOCKS["printed by", name])

    def test_nc(self):
        self.assert_printed("nc", self.run_to_its_end("sh", "-c", self.block("nc")))
        self.assert_ada()

    def test_python_socket(self):
        self.assert_printed("python-socket", self.run_to_its_end(sys.executable, "-c", self.block("python-socket")))

    def test_the_look_by_hand_of_the_readme(self):
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        lines = re.search(r"    Escape character is '\^]'\.\n(.+?)    stats\n", text, re.DOTALL)[1].split("\n")
        typed = re.compile(r"(version|set|get|touch|delete|flush_all)\b")
        answers = []
        for line in filter(None, (line.removeprefix("    ") for line in lines)):
            value = answers is None  # it stands behind the line of a set, and is typed, too
            if typed.match(line) or value:
                self.assertFalse(answers)
                self.wire.send_line(line)
                answers = None if line.startswith("set ") else []
            else:
                self.assertEqual(self.wire.read_line(), line)
        self.wire.expect_open()


if __name__ == "__main__":
    unittest.main()
