"""Starts twemproxy (Debian's nutcracker) in front of running servers, for tests.

Only the standard library.
"""

import os
import signal
import socket
import tempfile

from sessiond_process import DaemonError, _DaemonProcess

CONFIGURATION = """\
pool:
  listen: {listen} 0600
  hash: fnv1a_64
  distribution: ketama
  auto_eject_hosts: false
  timeout: 20000
  servers:
"""
START_ATTEMPTS = 3


def free_port():
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class NutcrackerProcess(_DaemonProcess):
    """A running proxy that listens on a unix socket and spreads keys over the servers.

    servers     each has the `address` (host, port) of a memcached or the like
    """

    stop_returncode = -signal.SIGTERM  # it leaves the signal to the system

    def __init__(self, servers):
        super().__init__()
        self._servers = servers
        self._directory = tempfile.TemporaryDirectory(prefix="nutcracker-test-")
        self.address = self._path("socket")

    def _path(self, name):
        return os.path.join(self._directory.name, name)

    def start(self):
        with open(self._path("configuration"), "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(listen=self.address))
            for number, server in enumerate(self._servers):
                file.write("   - %s:%d:1 server%d\n" % (*server.address, number))
        for attempt in range(START_ATTEMPTS):
            # Its figures want a port, and it has no way to pick a free one.
            self._spawn(["nutcracker", "-c", self._path("configuration"), "-o", "/dev/stderr", "-p", self._path("pid"),
                         "-a", "127.0.0.1", "-s", str(free_port())], os.environ)
            try:
                return self._await_answer()
            except DaemonError:
                if self.running or attempt == START_ATTEMPTS - 1:
                    raise

    def _discard(self):
        super()._discard()
        self._directory.cleanup()
