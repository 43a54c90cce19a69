"""What the tests of PHP share: PHP's own web server on the folder site/, and the base of their cases.

A PHP server handles one request at a time: a case that needs two at once starts two. Not a test.
"""

import os
import re
import signal
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))

from client_case import ClientCase, specification
from site_process import SiteProcess, Visit, hold

LIFETIME_S = 1000
LOCK_EXPIRE_S = 30
NOT_WRITTEN = "Failed to write session data"

COMMON_SETTINGS = {"session.use_strict_mode": 1, "session.gc_maxlifetime": LIFETIME_S}
# The handler of php-memcached as docs/clients/PHP.md has it.
MEMCACHED_SETTINGS = {
    **COMMON_SETTINGS,
    "session.save_handler": "memcached",
    "memcached.sess_binary_protocol": 0,
    "memcached.sess_lock_expire": LOCK_EXPIRE_S,
}


class PhpServer(SiteProcess):
    """`php -S` on the folder site/.

    settings   of php.ini; each {servers} in them stands for the addresses of `servers`
    """

    stop_signal = signal.SIGINT
    page, cookie = "/session.php", "PHPSESSID"

    def __init__(self, servers, settings):
        super().__init__()
        addresses = ",".join(specification(server) for server in servers)
        self._settings = {name: str(value).format(servers=addresses) for name, value in settings.items()}

    def start(self):
        options = [word for name, value in self._settings.items() for word in ("-d", f"{name}={value}")]
        self._spawn(["php", *options, "-S", "127.0.0.1:0", "-t", str(HERE / "site")], os.environ)
        self.wait_for_stderr(r"Development Server \(http://[\d.:]+\) started")
        self.url = re.search(r"http://[\d.:]+", self.stderr_text())[0]


class PhpCase(ClientCase):
    settings = {**MEMCACHED_SETTINGS, "session.save_path": "{servers}"}
    key_prefix, lock_prefix = "memc.sess.key.", "memc.sess.key.lock."

    def php(self, servers=None, **settings):
        """A PHP server with the settings of the class and these."""
        return self.enterContext(PhpServer(servers or self.servers(), {**self.settings, **settings}))

    def hold(self, php, session_id):
        """A visit that stands still in the middle of its session, so with the lock, until it is released."""
        return hold(self, php, "start,count,hold", session_id)

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
