"""sessionctl against running daemons: where it finds them, what its verbs say, how it ends, and what it asks.

dump and restore are test_transfer.py.
"""

import os
import re
import shutil
import unittest

from ctl_case import EXIT_REFUSED, EXIT_UNAVAILABLE, EXIT_USAGE, SESSIONCTL, SessionctlCase
from integration_case import needs

STRANGER = 60000


class SessionctlTest(SessionctlCase):
    def test_ping(self):
        for place in (self.socket, f"unix:{self.socket}"):
            ended = self.run_tool("ping", "--socket", place)
            self.assertEqual(ended.stdout, f"sessiond answers at {self.socket}\n")

    def test_stats(self):
        figures = dict(line.split(None, 1) for line in self.run_tool("stats", "--socket", self.socket).stdout.splitlines())
        self.assertEqual(figures["curr_items"], "0")
        self.assertEqual(figures["pid"], str(self.daemon.pid))
        settings = self.run_tool("stats", "settings", "--socket", self.socket).stdout
        self.assertRegex(settings, rf"(?m)^admin-listen +unix:{self.socket}$")
        self.run_tool("stats", "reset", "--socket", self.socket)
        refused = self.run_tool("stats", "nonsense", "--socket", self.socket, code=EXIT_REFUSED)
        self.assertIn("ERROR", refused.stderr)

    def test_stats_takes_one_word(self):
        """What looks like one must not be a second request."""
        with self.daemon.connect() as conversation:
            self.assertEqual(conversation.set("key", "value"), "STORED")
            for what in ("settings\r\nflush", "settings\nflush", "a b", "\x7f", "x" * 65):
                self.run_tool("stats", what, "--socket", self.socket, code=EXIT_USAGE)
            self.assertEqual(conversation.get("key"), b"value")

    def test_flush(self):
        with self.daemon.connect() as conversation:
            self.assertEqual(conversation.set("key", "value"), "STORED")
            ended = self.run_tool("flush", "--socket", self.socket, code=EXIT_USAGE)
            self.assertIn("give --yes if", ended.stderr)
            self.assertEqual(conversation.get("key"), b"value")
            ended = self.run_tool("flush", "--socket", self.socket, "--yes")
            self.assertEqual(ended.stdout, f"{self.socket}: all sessions have ended\n")
            self.assertIsNone(conversation.get("key"))
        self.daemon.wait_for_stderr(rf"flush from uid {os.geteuid()}, pid \d+: every session has ended")

    def test_flush_asks_on_a_terminal(self):
        for said, code in (("yes\n", 0), ("no\n", EXIT_REFUSED), ("y\n", EXIT_REFUSED), ("\x04", EXIT_REFUSED)):
            with self.subTest(said), self.daemon.connect() as conversation:
                self.assertEqual(conversation.set("key", "value"), "STORED")
                ended = self.say_on_terminal(said, "flush", "--socket", self.socket, code=code)
                self.assertIn(f"All sessions of the sessiond at {self.socket} end", ended.stderr)
                self.assertEqual(conversation.get("key"), None if code == 0 else b"value")

    def test_reload(self):
        self.daemon.stop()
        config = self.write_file("sessiond.conf", "")
        self.start("--config", config, "--listen", "127.0.0.1:0", "--admin-listen", f"unix:{self.socket}")
        self.write_file("sessiond.conf", "flush-all = allow\nthreads = 3\n")
        ended = self.run_tool("reload", "--socket", self.socket)
        self.assertRegex(ended.stdout, r"(?m)^flush-all +allow$")
        self.assertRegex(ended.stdout, r"(?m)^threads +3 \(needs a restart\)$")
        self.assertTrue(ended.stdout.endswith(f"{self.socket}: reloaded\n"))
        self.write_file("sessiond.conf", "flush-all = perhaps\n")
        ended = self.run_tool("reload", "--socket", self.socket, code=78)
        self.assertIn("nothing was changed", ended.stderr)

    def test_the_socket_is_found(self):
        """By --socket, which is first; by the environment; in the data directory; and what is named must be there."""
        nowhere = self.path("nowhere.sock")
        self.run_tool("ping", env={"SESSIOND_ADMIN": self.socket})
        self.run_tool("ping", "--socket", self.socket, env={"SESSIOND_ADMIN": nowhere})
        self.run_tool("ping", "--socket", nowhere, env={"SESSIOND_ADMIN": self.socket}, code=EXIT_UNAVAILABLE)
        self.run_tool("ping", env={"SESSIOND_ADMIN": nowhere, "STATE_DIRECTORY": self.directory}, code=EXIT_UNAVAILABLE)
        if os.path.exists("/run/sessiond/admin.sock"):
            self.skipTest("a sessiond runs on this machine")
        self.run_tool("ping", env={"STATE_DIRECTORY": self.directory})
        state = self.path("state")
        os.mkdir(state)
        os.symlink(self.directory, os.path.join(state, "sessiond"))
        self.run_tool("ping", env={"XDG_STATE_HOME": state})

    def test_nobody_is_there(self):
        gone = self.path("gone.sock")
        os.symlink("/nowhere", gone)
        for place in (gone, self.write_file("plain", ""), os.path.join(self.write_file("file", ""), "below")):
            ended = self.run_tool("ping", "--socket", place, code=EXIT_UNAVAILABLE)
            self.assertIn(f"no sessiond answers at {place}: is it running?", ended.stderr)
            self.assertIn("--socket", ended.stderr)
        ended = self.run_tool("ping", env={"STATE_DIRECTORY": "/nowhere"}, code=EXIT_UNAVAILABLE)
        self.assertIn("/run/sessiond/admin.sock", ended.stderr)
        self.assertIn("/nowhere/admin.sock", ended.stderr)
        self.run_tool("ping", "--socket", "/" + "x" * 107, code=EXIT_USAGE)

    @needs(os.geteuid() == 0, "root")
    def test_strangers_are_told_what_to_do(self):
        os.chmod(self.directory, 0o755)
        tool = shutil.copy(SESSIONCTL, self.path("sessionctl"))  # where a stranger gets at it
        stranger = {"user": STRANGER, "group": STRANGER, "extra_groups": []}
        ended = self.run_tool("ping", "--socket", self.socket, code=EXIT_REFUSED, executable=tool, **stranger)
        self.assertIn("set admin-mode and admin-allow", ended.stderr)
        self.daemon.stop()
        self.start("--admin-listen", f"unix:{self.socket}", "--admin-mode", "666")
        ended = self.run_tool("ping", "--socket", self.socket, code=EXIT_REFUSED, executable=tool, **stranger)
        self.assertRegex(ended.stderr, re.escape("CLIENT_ERROR you may not connect here"))


if __name__ == "__main__":
    unittest.main()
