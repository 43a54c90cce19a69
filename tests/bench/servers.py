"""The servers that are measured side by side: how each is started, what it is asked in, what it holds.

A further one, which speaks memcached's text protocol, is a row made of `--server NAME=COMMAND`.
Not a program. Nothing here measures.
"""

import contextlib
import dataclasses
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench_common import BenchError, SessiondProcess, build_program
from nutcracker_process import START_ATTEMPTS, free_port
from redis_process import RedisProcess, redis_binary
from sessiond_process import READY_LINE, START_DEADLINE_S, DaemonError, MemcachedProcess, _DaemonProcess, parse_address

OWN, MEMCACHED, NULL = "sessiond", "memcached", "null"
MEMORY_MB = 4096  # so that nothing is evicted or refused


class NullProcess(_DaemonProcess):
    """null_server.c: the limit."""

    stop_returncode = -signal.SIGTERM  # it leaves the signal to the system

    def __init__(self, binary):
        super().__init__()
        self._binary = binary
        self.address = None

    def start(self):
        self._spawn([str(self._binary)], os.environ)
        if not self.stdout.wait_for(lambda lines: any(map(READY_LINE.match, lines)), START_DEADLINE_S):
            self._raise("not ready")
        self.address = parse_address(READY_LINE.match(self.stdout.lines()[0])[2])

    @property
    def port(self):
        return self.address[1]


class CommandProcess(_DaemonProcess):
    """A server of somebody else's, by its command line."""

    def __init__(self, command):
        super().__init__()
        self._command = command
        self.port = None

    def start(self):
        for attempt in range(START_ATTEMPTS):
            self.port = free_port()  # most have no way to pick one
            self._spawn(shlex.split(self._command.replace("{port}", str(self.port))), os.environ)
            try:
                return self._await_answer()
            except DaemonError:
                if self.running or attempt == START_ATTEMPTS - 1:
                    raise

    def _finish(self):
        if not self.running:
            self._raise("ended by itself")
        self.kill()  # what signal it obeys is not known

    @property
    def address(self):
        return ("127.0.0.1", self.port)


@dataclasses.dataclass(frozen=True)
class Server:
    """A row: what is started, and how it is asked."""

    name: str
    make: Callable  # () -> a _DaemonProcess
    version: str
    load_options: dict = dataclasses.field(default_factory=dict)  # of the load generator
    stores: bool = True
    count_command: str = "stats"  # whose answer tells how many sessions are there


def first_line(*command):
    """What a program says of its version, or an empty text."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(command, capture_output=True, text=True, timeout=START_DEADLINE_S, check=False)
        return (told.stdout or told.stderr).partition("\n")[0].strip()
    return ""


def redis_row(directory):
    binary = redis_binary()
    if binary is None:
        return []
    with tempfile.TemporaryDirectory() as links:  # called by this name it is the server itself
        program = Path(links) / "redis-server"
        program.symlink_to(binary)
        version = first_line(program, "--version")
    return [Server("redis", lambda: RedisProcess(directory, binary, keeps=False), " ".join(version.split()[:3]),
                   {"resp": 1}, count_command="DBSIZE")]


def make_servers(arguments, directory):
    """The rows in the order in which they are shown.

    arguments  sessiond, memcached, null_server: programs; server: [NAME=COMMAND]
    directory  for those that want one
    """
    null = arguments.null_server or build_program("null_server")
    rows = [
        Server(OWN, lambda: SessiondProcess(["--threads", 1, "--memory", f"{MEMORY_MB}m", "--data-dir", "none"],
                                            binary=arguments.sessiond), first_line(arguments.sessiond, "--version")),
        Server(MEMCACHED, lambda: MemcachedProcess(["-t", 1, "-m", MEMORY_MB], binary=arguments.memcached),
               first_line(arguments.memcached, "--version")),
        *redis_row(directory),
        *(further_row(text) for text in arguments.server),
        Server(NULL, lambda: NullProcess(null), "libevent, one recv, one send, stores nothing", {"canned": 1},
               stores=False),
    ]
    if len({row.name for row in rows}) < len(rows):
        raise BenchError("two servers have one name")
    return rows


def further_row(text):
    name, separator, command = text.partition("=")
    if not (name and separator and "{port}" in command):
        raise BenchError(f"--server {text}: not NAME=COMMAND with {{port}}")
    return Server(name, lambda: CommandProcess(command), command)


def count_sessions(row, process):
    """How many a server says that it holds."""
    if row.count_command == "stats":
        return int(process.stats()["curr_items"])
    with process.connect() as conversation:
        return int(conversation.ask(row.count_command).lstrip(":"))
