"""What the integration tests share: the path to the helpers, and a test case that waits with deadlines.

Not a test.
"""

import os
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import sessiond_process  # noqa: E402
from sessiond_process import SessiondProcess, run_sessiond  # noqa: E402

EXIT_COMMAND_LINE = 64
EXIT_IN_USE = 75
EXIT_CONFIGURATION = 78
EXIT_BAD_VALUE = (EXIT_COMMAND_LINE, EXIT_CONFIGURATION)  # a value that is wrong, given on the command line


class IntegrationCase(unittest.TestCase):
    """A case with a daemon of its own options, and a directory for its files."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="sessiond-integration-")
        self.addCleanup(holder.cleanup)
        self.directory = holder.name

    def path(self, name):
        return os.path.join(self.directory, name)

    def write_file(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def start(self, *args, **options):
        """A daemon that is judged and stopped when the test ends."""
        return self.enterContext(SessiondProcess(args, **options))

    def connect(self, daemon, **options):
        return self.enterContext(daemon.connect(**options))

    def run_to_exit(self, *args, code, **options):
        """Runs a daemon that must end by itself with that exit code, or one of those; returns it."""
        ended = run_sessiond(args, **options)
        codes = code if isinstance(code, tuple) else (code,)
        self.assertIn(ended.returncode, codes, f"stdout:\n{ended.stdout}\nstderr:\n{ended.stderr}")
        return ended

    def wait_until(self, holds, what, timeout_s=20):
        deadline = time.monotonic() + timeout_s
        while not holds():
            self.assertLess(time.monotonic(), deadline, f"not within {timeout_s} s: {what}")
            time.sleep(0.01)


def needs(available, what):
    """Skips a test that this machine cannot run; where CI is set that is a failure."""

    def decorate(test):
        if available:
            return test
        if os.environ.get("CI"):
            def fail(self):
                self.fail(f"CI has no {what}")
            return fail
        return unittest.skip(f"needs {what}")(test)

    return decorate


def has_ipv6_loopback():
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as interfaces:
            return any(line.startswith("0" * 31 + "1 ") for line in interfaces)
    except FileNotFoundError:
        return False


def is_sanitized():
    """Sanitizers multiply memory: figures of resident memory mean nothing then."""
    with open(sessiond_process.sessiond_binary(), "rb") as binary:
        content = binary.read()
    return any(mark in content for mark in (b"__asan_init", b"__tsan_init", b"__msan_init"))
