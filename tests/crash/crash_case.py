"""What the crash tests share: daemons that are killed and started again, and a disk that is made slow or bad.

Not a test. The disk's troubles are made by strace, which is attached to the running daemon.
"""

import asyncio
import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "integration")]

from integration_case import is_sanitized, needs  # noqa: E402
from sessiond_process import SessiondProcess, sessiond_binary  # noqa: E402

EXIT_DAMAGED, EXIT_IO, EXIT_LOCKED, EXIT_CONFIGURATION = 65, 74, 75, 78
FSYNC_MODES = ("always", "everysec", "never")
WAIT_S = 60
LONG_S = 100_000  # a life that every revocation of it must be waited for

needs_strace = needs(shutil.which("strace") and os.geteuid() == 0, "strace and root")


def has_test_hooks():
    """Whether the daemon's clock can be moved, and failpoints be set."""
    with open(sessiond_binary(), "rb") as binary:
        return b"SESSIOND_TEST_CLOCK" in binary.read()


def cycles(usual, instrumented):
    """How many; SESSIOND_CRASH_CYCLES in the environment overrides it."""
    return int(os.environ.get("SESSIOND_CRASH_CYCLES") or (instrumented if is_sanitized() else usual))


class Strace:
    """strace, attached to a daemon; its calls are changed until leave().

    inject   as behind `-e inject=`; None changes nothing
    trace    calls that are told in lines()
    """

    def __init__(self, daemon, inject, trace="fdatasync"):
        self._file = tempfile.NamedTemporaryFile(prefix="sessiond-strace-")
        command = ["strace", "-f", "-y", "-s", "64", "-e", f"trace={trace}", "-e", "signal=none",
                   *(["-e", f"inject={inject}"] if inject else []), "-o", self._file.name, "-p", str(daemon.pid)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = self._process.stderr.readline()
        if b"attached" not in said:
            self.leave()
            raise AssertionError(f"strace: {said!r}")

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.leave()
        self._file.close()

    def leave(self):
        """Detach: calls that are held up go on."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        self._process.stderr.close()

    def wait(self):
        """Until the daemon has ended."""
        self._process.wait(WAIT_S)

    def lines(self):
        with open(self._file.name, encoding="utf-8", errors="backslashreplace") as file:
            return file.read().splitlines()

    def wait_for(self, pattern, n=1):
        """Until n lines match."""
        deadline = time.monotonic() + WAIT_S
        while len(found := [line for line in self.lines() if re.search(pattern, line)]) < n:
            if time.monotonic() > deadline:
                raise AssertionError(f"strace told of no {pattern!r}: {self.lines()}")
            time.sleep(0.01)
        return found


HELD = "fdatasync:delay_enter=600000000"  # until strace leaves


def is_answered(conversation):
    """Whether anything has come, without waiting for it."""
    return bool(select.select([conversation.socket], [], [], 0)[0])


class CrashCase(unittest.TestCase):
    """A case whose daemons may end by SIGKILL."""

    def daemon(self, *args, **options):
        """One that is not started yet; ended when the test is over."""
        daemon = SessiondProcess(["--memory", "64m", *args], **options)
        self.addCleanup(daemon._discard)
        return daemon

    def start(self, *args, **options):
        daemon = self.daemon(*args, **options)
        daemon.start()
        return daemon

    def start_traced(self, *args, **options):
        """One whose next journal file is ready, so that only the syncer syncs from here on."""
        env = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0", **options.pop("env", {})}
        daemon = self.start(*args, env=env, **options)
        daemon.wait_for_stat("journal_segments", lambda count: count >= 2, section="journal")
        return daemon

    def connect(self, daemon, **options):
        return self.enterContext(daemon.connect(timeout_s=WAIT_S, **options))

    def restart(self, daemon):
        if daemon.running:
            daemon.kill()
        self.assert_clean(daemon)
        daemon.start()

    def assert_clean(self, daemon):
        daemon._judge_stderr()

    def stop(self, daemon):
        """SIGTERM; exit 0."""
        daemon.stop(WAIT_S)

    def judge(self, fleet, daemon):
        with daemon.connect(timeout_s=WAIT_S) as conversation:
            fleet.judge(conversation)

    def wait_until(self, holds, what):
        deadline = time.monotonic() + WAIT_S
        while not holds():
            self.assertLess(time.monotonic(), deadline, f"not within {WAIT_S} s: {what}")
            time.sleep(0.01)


def kill_after(daemon, seconds):
    """For Fleet.run: SIGKILL after that time, or its own end before."""

    async def end():
        await gone_or_after(daemon, seconds)
        daemon.expect_exit()
        if daemon.running:
            daemon.kill()

    return end


def stop_after(daemon, seconds):
    """For Fleet.run: SIGTERM in the middle of everything; returns when the daemon is gone."""

    async def end():
        await gone_or_after(daemon, seconds)
        daemon.expect_exit()
        daemon.signal(signal.SIGTERM)
        await gone_or_after(daemon, WAIT_S)

    return end


async def gone_or_after(daemon, seconds):
    deadline = time.monotonic() + seconds
    while daemon.running and time.monotonic() < deadline:
        await asyncio.sleep(0.005)
