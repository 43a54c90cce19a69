"""A directory with two checkpoints and the journal from the begin of the older one. Not a test."""

import glob
import json
import os
import subprocess

from crash_case import EXIT_DAMAGED, LONG_S, CrashCase
from sessiond_process import run_sessiond, sessiond_binary

SESSIONCTL = os.path.join(os.path.dirname(sessiond_binary()), "sessionctl")
HALF_HOUR_S = 1801
RUN_S = 60


class TwoCheckpointsCase(CrashCase):
    """Its directory, of a daemon that was killed, is as it was made in front of each test.

    The checkpoints hold `first`, and `first` and `second`; the journal behind them `last`; `gone` was deleted.
    """

    @classmethod
    def setUpClass(cls):
        cls.case = cls("make")
        cls.addClassCleanup(cls.case.doCleanups)
        cls.case.make()

    def make(self):
        self.daemon_ = daemon = self.start("--fsync", "always")
        side = daemon.data_dir + "-side"
        os.mkdir(side)
        with daemon.connect() as conversation:
            for n, marker in enumerate(("first", "second")):
                self.assertEqual(conversation.set("gone", "x", LONG_S), "STORED")
                self.assertEqual(conversation.set(marker, b"in the checkpoint", LONG_S), "STORED")
                self.assertEqual(conversation.ask("delete gone"), "DELETED")
                daemon.wait_for_stat("journal_segments", lambda count: count >= 2, section="journal")
                for name in os.listdir(daemon.data_dir):
                    if n == 1 and not name.endswith(".new"):
                        os.link(os.path.join(daemon.data_dir, name), os.path.join(side, name))
                daemon.clock.move(HALF_HOUR_S)
                daemon.wait_for_stat("checkpoints", n + 1, section="journal")
            self.assertEqual(conversation.set("last", b"in the journal", LONG_S), "STORED")
            daemon.wait_for_stat("journal_segments", lambda count: count >= 2, section="journal")
        daemon.kill()
        for name in os.listdir(side):  # what the second checkpoint had removed
            if not os.path.exists(os.path.join(daemon.data_dir, name)):
                os.link(os.path.join(side, name), os.path.join(daemon.data_dir, name))
        self.altered = {"lock"}
        self.files = {name: self.read(name) for name in os.listdir(daemon.data_dir)}

    def setUp(self):
        self.directory = self.case.daemon_.data_dir
        self.files = self.case.files
        for name in set(self.files).difference(os.listdir(self.directory)) | self.case.altered:
            with open(os.path.join(self.directory, name), "wb") as file:
                file.write(self.files[name])
        self.case.altered.clear()

    def read(self, name):
        with open(os.path.join(self.daemon_.data_dir, name), "rb") as file:
            return file.read()

    def names(self, kind):
        return sorted(name for name in self.files if name.startswith(kind))

    def everything(self):
        """Bytes and times of all files, and of the directory."""
        found = {".": (b"", os.stat(self.directory).st_mtime_ns)}
        for path in glob.glob(os.path.join(self.directory, "*")):
            with open(path, "rb") as file:
                found[os.path.basename(path)] = (file.read(), os.fstat(file.fileno()).st_mtime_ns)
        return found

    def write(self, name, at, content):
        self.case.altered.add(name)
        with open(os.path.join(self.directory, name), "r+b") as file:
            file.seek(at)
            file.write(content)

    def start_fails(self, *args):
        ended = run_sessiond(["--listen", "127.0.0.1:0", "--data-dir", self.directory, *args],
                             env={"SESSIOND_TEST_CLOCK": self.case.daemon_.clock.path})
        self.assertEqual(ended.returncode, EXIT_DAMAGED, ended.stderr)
        self.assertEqual(ended.stdout, "")
        return ended.stderr

    def check_fails(self):
        ended = subprocess.run([SESSIONCTL, "check", "--json", self.directory], stdin=subprocess.DEVNULL,
                               capture_output=True, encoding="utf-8", timeout=RUN_S, check=False)
        self.assertEqual(ended.returncode, EXIT_DAMAGED, ended.stderr)
        return ended

    def flip(self, name, at):
        self.write(name, at, bytes([self.files[name][at] ^ 4]))

    def remove(self, name):
        self.case.altered.add(name)
        os.remove(os.path.join(self.directory, name))

    def assert_damaged(self, name):
        """A start and the tool say so, and change nothing; returns what the start said."""
        before = self.everything()
        told = self.start_fails()
        self.assertIn(name, told)
        self.assertIn("--set-aside-damaged", told)
        after = self.everything()
        after["lock"] = before["lock"]  # who tried
        self.assertEqual(after, before)
        self.assertTrue(json.loads(self.check_fails().stdout)["damaged"])
        return told

    def assert_works(self, gone):
        """A start brings all sessions back, and removes those files."""
        daemon = self.daemon("--data-dir", self.directory, env={"SESSIOND_TEST_CLOCK": self.case.daemon_.clock.path})
        daemon.start()
        with daemon.connect() as conversation:
            conversation.send_line("get first second last gone")
            self.assertEqual(set(conversation.read_values()), {"first", "second", "last"})
        daemon.kill()
        self.assertEqual(set(gone) & set(os.listdir(self.directory)), set())
        for name in os.listdir(self.directory):
            os.remove(os.path.join(self.directory, name))
