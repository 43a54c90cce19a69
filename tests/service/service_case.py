"""What the tests of the service share: a supervisor made of a socket for notices, and of sockets that it holds.

systemd's side of sd_notify(3), sd_watchdog_enabled(3) and sd_listen_fds(3), without systemd. Not a test.
"""

import contextlib
import os
import re
import socket
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SUPPORT = os.path.join(HERE, "..", "support")
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path[:0] = [SUPPORT, os.path.join(HERE, "..", "integration")]

from integration_case import IntegrationCase  # noqa: E402
from sessiond_process import SessiondProcess  # noqa: E402

__all__ = ["ActivatedProcess", "Notices", "ROOT", "ServiceCase", "SessiondProcess", "unittest"]

DEADLINE_S = 30


class Notices:
    """The socket of NOTIFY_SOCKET; what came there, each notice as a dict of its lines."""

    def __init__(self, address):
        self.address = address
        self.all = []  # that came
        self._unread = []  # by wait_for
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)

    def close(self):
        self._socket.close()

    def collect(self, timeout_s=0.0):
        """What has come and was not waited for, and what comes next within the time. Returns it."""
        new, self._unread = self._unread, []
        return new + self._receive(0.0 if new else timeout_s)

    def _receive(self, timeout_s):
        new = []
        self._socket.settimeout(timeout_s)
        with contextlib.suppress(BlockingIOError, TimeoutError):
            while True:
                text = self._socket.recv(65536).decode()
                new.append(dict(line.partition("=")[::2] for line in text.split("\n")))
                self._socket.settimeout(0)
        self.all += new
        return new

    def wait_for(self, name, pattern=r".*", timeout_s=DEADLINE_S):
        """The first notice not yet looked at that says NAME=PATTERN."""
        deadline = time.monotonic() + timeout_s
        seen = []
        while time.monotonic() < deadline:
            self._unread += self._receive(0.0 if self._unread else 0.05)
            while self._unread:
                notice = self._unread.pop(0)
                seen.append(notice)
                if name in notice and re.fullmatch(pattern, notice[name]):
                    return notice
        raise AssertionError(f"no {name}={pattern} within {timeout_s} s; there was {seen}")

    def has_said(self, status):
        """Whether that STATUS has come and was not waited for; it stays so."""
        self._unread += self._receive(0.0)
        return any(notice.get("STATUS") == status for notice in self._unread)

    def comes(self, name, within_s):
        """Whether one with NAME comes within the time."""
        with contextlib.suppress(AssertionError):
            self.wait_for(name, timeout_s=within_s)
            return True
        return False


class ActivatedProcess(SessiondProcess):
    """A daemon that is handed these sockets, by these names (None: without names)."""

    def __init__(self, args, sockets, names, **options):
        super().__init__(args, popen={"pass_fds": [held.fileno() for held in sockets]}, **options)
        self._handed = [",".join(str(held.fileno()) for held in sockets), "-" if names is None else ":".join(names)]

    def command(self):
        return ["/usr/bin/python3", os.path.join(SUPPORT, "hand_over.py"), *self._handed, *super().command()]


class ServiceCase(IntegrationCase):
    def listen(self, address=("127.0.0.1", 0), family=socket.AF_INET, backlog=128):
        """A socket that this process holds, as systemd does: it blocks."""
        held = socket.socket(family, socket.SOCK_STREAM)
        self.addCleanup(held.close)
        held.bind(address)
        held.listen(backlog)
        return held

    def notices(self, address=None):
        made = Notices(address or self.path("notify"))
        self.addCleanup(made.close)
        return made
