"""Starts a Redis for the measurements.

Debian's package redis-server would start a service. Its program is in redis-tools, too, as redis-check-rdb:
that one is Redis itself when it is called redis-server.
"""

import os
import shutil

from nutcracker_process import START_ATTEMPTS, free_port
from sessiond_process import START_DEADLINE_S, _DaemonProcess

PROGRAMS = ("redis-server", "redis-check-rdb")
READY_LINE = "Ready to accept connections"
KEEPING = ("--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")


def redis_binary():
    """The path of the program, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class RedisProcess(_DaemonProcess):
    """A running Redis whose directory is `directory`.

    keeps   it syncs each change before it answers, and never rewrites its file; else nothing is on disk
    """

    def __init__(self, directory, binary, keeps=True):
        super().__init__()
        self._directory = directory
        self._binary = binary
        self._kept = KEEPING if keeps else ("--appendonly", "no")
        self.port = None

    def start(self):
        for attempt in range(START_ATTEMPTS):
            self.port = free_port()  # port 0 would mean none to it
            self._spawn(self._command(), os.environ, executable=self._binary)
            if self.stdout.wait_for(lambda lines: any(READY_LINE in line for line in lines), START_DEADLINE_S):
                return
            if self.running or attempt == START_ATTEMPTS - 1:
                self._raise("not ready")

    def _command(self):
        return ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._directory),
                *self._kept, "--save", "", "--daemonize", "no"]

    @property
    def address(self):
        return ("127.0.0.1", self.port)
