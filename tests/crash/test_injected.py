"""The n-th call of the system that fails, from the start on: exit 74, the file and the reason, and nothing is lost.

strace starts the daemon and makes the call fail. One directory through all lives, so that each starts from what the
last one left. tests/crash/failing_calls.c tries every call inside the process; here it is the program as it is built,
also the release.
"""

import os
import re
import signal
import tempfile
import time
import unittest

from crash_case import EXIT_IO, LONG_S, WAIT_S, CrashCase, needs_strace
from sessiond_process import ConversationError, DaemonError, SessiondProcess

REASONS = {"EIO": "Input/output error", "ENOSPC": "No space left on device", "EROFS": "Read-only file system"}
SYNC = re.compile(r"^(\d+) +(?:fsync|fdatasync)\((\d+)<([^>]*)>")
RESUMED_SYNC = re.compile(r"^(\d+) +<\.\.\. (?:fsync|fdatasync) resumed>")
JOURNAL_FILE = re.compile(r"^journal-(\d+)$")
N_CHANGES = 12
# call, error, which ones; strace counts in each thread by itself
CALLS = (
    ("fdatasync", "EIO", range(1, 11)),
    ("fdatasync", "ENOSPC", (1, 3, 5)),
    ("fsync", "EIO", range(1, 4)),
    ("pwritev", "EIO", range(1, 11)),
    ("pwritev", "EROFS", (2, 6)),
    ("pwrite64", "EIO", (1,)),
    ("renameat", "EIO", (1, 2)),
    ("fallocate", "EIO", (1, 2)),
    ("ftruncate", "EIO", (1, 2)),
    ("unlinkat", "EIO", (1, 2)),
    ("openat", "EIO", range(1, 7)),
    ("getdents64", "EIO", (1, 2)),
)
OF_THE_DIRECTORY = {"openat", "unlinkat", "renameat", "getdents64"}  # others of them are nobody's business


class InjectedProcess(SessiondProcess):
    """A daemon that strace started."""

    def __init__(self, call, error, n, trace, data_dir):
        super().__init__(["--memory", "64m", "--fsync", "always", "--data-dir", data_dir],
                         env={"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"})
        path = ["-P", data_dir] if call in OF_THE_DIRECTORY else []
        self._strace = ["strace", "-D", "-f", "-y", "-s", "32", "-e", "signal=none", *path,
                        "-e", f"trace={call},fsync,fdatasync", "-e", f"inject={call}:error={error}:when={n}",
                        "-o", trace]

    def command(self):
        return [*self._strace, *super().command()]


@needs_strace
class InjectedTest(CrashCase):
    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="sessiond-crash-"))
        self.data_dir = os.path.join(self.directory, "data")
        self.allowed = {}  # key: the values that it may have
        self.n_lives = 0

    def change(self, conversation, key, value):
        """value None: its end. Until it is answered it may be either."""
        before = self.allowed.get(key, {None})
        self.allowed[key] = before | {value}
        if value is None:
            reply = conversation.ask(f"delete {key}")
            self.assertEqual(reply, "NOT_FOUND" if before == {None} else "DELETED")
        else:
            reply = conversation.set(key, value, LONG_S)
            self.assertEqual(reply, "STORED")
        self.allowed[key] = {value}

    def change_some(self, daemon):
        """Until it is gone."""
        with daemon.connect(timeout_s=WAIT_S) as conversation:
            for number in range(N_CHANGES):
                key = f"k{(self.n_lives * 5 + number) % 40}"
                ends = number % 3 == 2 and self.allowed.get(key, {None}) != {None}
                self.change(conversation, key, None if ends else b"%d of %d " % (number, self.n_lives) * 300)

    def judge_all(self):
        """Everything that was acknowledged is there, and nothing else; what is found now is never lost again."""
        daemon = self.start("--data-dir", self.data_dir)
        with daemon.connect(timeout_s=WAIT_S) as conversation:
            for key, values in self.allowed.items():
                found = conversation.get(key)
                self.assertIn(found, values, key)
                self.allowed[key] = {found}
        self.stop(daemon)

    def assert_not_synced_again(self, lines):
        """Of no file whose sync failed is another sync tried."""
        begun, failed = {}, set()
        for line in lines:
            sync = SYNC.search(line)
            resumed = RESUMED_SYNC.search(line)
            if sync:
                self.assertNotIn(sync[3], failed, line)
                begun[sync[1]] = sync[3]
            if (sync or resumed) and re.search(r"= -1 E", line):
                failed.add(begun[(sync or resumed)[1]])

    def read_trace(self, trace):
        """When strace has seen the end."""
        deadline = time.monotonic() + WAIT_S
        while True:
            with open(trace, encoding="utf-8", errors="backslashreplace") as file:
                lines = file.read().splitlines()
            if lines and re.search(r"\+\+\+ (exited|killed)", lines[-1]):
                return lines
            self.assertLess(time.monotonic(), deadline, "strace has not ended")
            time.sleep(0.01)

    def last_number(self):
        """Of the journal's files."""
        names = os.listdir(self.data_dir) if os.path.isdir(self.data_dir) else []
        return max((int(match[1]) for match in map(JOURNAL_FILE.match, names) if match), default=0)

    def await_next_file(self, daemon, before):
        """A start begins a file, and another one is made behind it. A stop would cut that short, and what fails then
        is nobody's business."""
        deadline = time.monotonic() + WAIT_S
        while self.last_number() < before + 2 and daemon.running:
            self.assertLess(time.monotonic(), deadline, "no next file")
            time.sleep(0.005)

    def live(self, call, error, n):
        """Returns whether the call failed."""
        self.n_lives += 1
        before = self.last_number()
        trace = os.path.join(self.directory, f"trace-{self.n_lives}")
        daemon = InjectedProcess(call, error, n, trace, self.data_dir)
        self.addCleanup(daemon._discard)
        try:
            daemon.start()
            daemon.expect_exit()
            self.change_some(daemon)
            self.await_next_file(daemon, before)
            daemon.signal(signal.SIGTERM)
        except (ConversationError, DaemonError, OSError) as failure:
            self.assertNotIn("still running", str(failure))
        code = daemon.wait(WAIT_S)
        self.assert_clean(daemon)
        lines = self.read_trace(trace)
        has_failed = any("(INJECTED)" in line for line in lines)
        self.assertEqual(code, EXIT_IO if has_failed else 0, daemon.stderr_text())
        if has_failed:
            self.assert_told(daemon.stderr_text(), error)
        self.assert_not_synced_again(lines)
        return has_failed

    def assert_told(self, said, error):
        """What was tried, on what, and the reason."""
        self.assertRegex(said, rf"error cannot [a-z ]+ (data-dir )?{re.escape(self.data_dir)}\S*: {REASONS[error]}")

    def test_each(self):
        for call, error, which in CALLS:
            for n in which:
                with self.subTest(f"{call} {error} {n}"):
                    has_failed = self.live(call, error, n)
                    self.assertTrue(has_failed or n > 1, "there is no such call")
                    self.judge_all()


if __name__ == "__main__":
    unittest.main()
