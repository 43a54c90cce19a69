"""What the tests of PHP share: PHP's own web server on the folder site/, and the base of their cases.

A PHP server handles one request at a time: a case that needs two at once starts two. Not a test.
"""

import contextlib
import http.client
import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))

from client_case import ClientCase, specification
from sessiond_process import REPLY_DEADLINE_S, _DaemonProcess

ANSWER_DEADLINE_S = 60
LIFETIME_S = 1000
LOCK_EXPIRE_S = 30
NOT_WRITTEN = "Failed to write session data"

COMMON_SETTINGS = {"session.use_strict_mode": 1, "session.gc_maxlifetime": LIFETIME_S}
# The handler of php-memcached as docs/CLIENTS.md has it.
MEMCACHED_SETTINGS = {
    **COMMON_SETTINGS,
    "session.save_handler": "memcached",
    "memcached.sess_binary_protocol": 0,
    "memcached.sess_lock_expire": LOCK_EXPIRE_S,
}


class PhpServer(_DaemonProcess):
    """`php -S` on the folder site/.

    settings   of php.ini; each {servers} in them stands for the addresses of `servers`
    """

    stop_signal = signal.SIGINT

    def __init__(self, servers, settings):
        super().__init__()
        addresses = ",".join(specification(server) for server in servers)
        self._settings = {name: str(value).format(servers=addresses) for name, value in settings.items()}
        self._url = None

    def start(self):
        options = [word for name, value in self._settings.items() for word in ("-d", f"{name}={value}")]
        self._spawn(["php", *options, "-S", "127.0.0.1:0", "-t", str(HERE / "site")], os.environ)
        self.wait_for_stderr(r"Development Server \(http://[\d.:]+\) started")
        self._url = re.search(r"http://[\d.:]+", self.stderr_text())[0]

    def visit(self, steps, session_id=None, **query):
        """What session.php answers; `cookie` is the session id that the browser is told to keep, if any."""
        url = f"{self._url}/session.php?" + urllib.parse.urlencode({"do": steps, **query})
        headers = {"Cookie": f"PHPSESSID={session_id}"} if session_id else {}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(url, headers=headers), timeout=ANSWER_DEADLINE_S) as response:
            cookies = re.findall(r"PHPSESSID=([^;]+)", " ".join(response.headers.get_all("Set-Cookie", [])))
            return {**json.load(response), "cookie": cookies[-1] if cookies else None}


class Visit(threading.Thread):
    """A visit on a thread of its own."""

    def __init__(self, php, *arguments, **query):
        super().__init__(daemon=True)
        self._visit = lambda: php.visit(*arguments, **query)
        self.answer = None
        self.start()

    def run(self):
        with contextlib.suppress(http.client.HTTPException, OSError):  # the test has ended the PHP server
            self.answer = self._visit()

    def join(self):
        """What the page answered; None if it did not."""
        super().join(ANSWER_DEADLINE_S)
        return self.answer


class HeldVisit(Visit):
    """A visit that stands still in the middle of its session, so with the lock, until it is released."""

    def __init__(self, php, session_id, directory):
        entered, self._release = (Path(directory, name) for name in ("entered", "release"))
        super().__init__(php, "start,count,hold", session_id, entered=entered, release=self._release)
        deadline = time.monotonic() + REPLY_DEADLINE_S
        while not entered.exists():
            if time.monotonic() > deadline or not self.is_alive():
                raise AssertionError(f"it did not start its session: {self.answer}")
            time.sleep(0.005)

    def release(self):
        self._release.touch()
        return self.join()


class PhpCase(ClientCase):
    settings = {**MEMCACHED_SETTINGS, "session.save_path": "{servers}"}
    key_prefix, lock_prefix = "memc.sess.key.", "memc.sess.key.lock."

    def php(self, servers=None, **settings):
        """A PHP server with the settings of the class and these."""
        return self.enterContext(PhpServer(servers or self.servers(), {**self.settings, **settings}))

    def hold(self, php, session_id):
        return HeldVisit(php, session_id, self.enterContext(tempfile.TemporaryDirectory(prefix="sessiond-php-")))

    def visit_meanwhile(self, php, session_id):
        return Visit(php, "start,count", session_id)

    def assert_count(self, answer, count):
        self.assertEqual((answer["warnings"], answer["error"], answer["session"]), ([], None, {"count": count}))

    def assert_not_written(self, answer):
        self.assertIn(NOT_WRITTEN, " ".join(answer["warnings"]))

    def assert_session(self, session_id, value):
        """What the server has for it; None: nothing."""
        self.assert_stored(self.key_prefix + session_id, value)

    def assert_lock(self, session_id, value):
        self.assert_stored(self.lock_prefix + session_id, value)

    def new_session(self, php):
        answer = php.visit("start,count")
        self.assert_count(answer, 1)
        self.assertEqual(answer["cookie"], answer["id"])
        return answer["id"]

    def assert_dead(self, php, session_id):
        """The id opens nothing, and is not taken over."""
        answer = php.visit("start,count", session_id)
        self.assert_count(answer, 1)
        self.assertNotEqual(answer["id"], session_id)
