"""Starts real daemons for tests and talks to them.

SessiondProcess and MemcachedProcess are context managers: the daemon they start is
ended by them, by its own pid. Conversation is one client socket with deadlines.
This module holds no test and knows nothing of any command but `stats`.
Only the standard library, Python 3.11.
"""

import contextlib
import mmap
import os
import re
import shlex
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

START_DEADLINE_S = 30.0  # a sanitizer build on a loaded machine starts slowly
STOP_DEADLINE_S = 45.0  # above the daemon's own stop-timeout of 30 s
REPLY_DEADLINE_S = 20.0

SANITIZER_REPORT = re.compile(
    r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|SUMMARY: \w+Sanitizer|runtime error: "
)
READY_LINE = re.compile(r"^listening (\S+) (\S+)$")


class ConversationError(AssertionError):
    """The peer did not say what the test waited for."""


class DaemonError(AssertionError):
    """The daemon did not start, ended by itself, ended badly or was caught by a sanitizer."""


def parse_address(text):
    """`127.0.0.1:80` or `[::1]:80` -> (host, port); `unix:PATH` -> PATH."""
    if text.startswith("unix:"):
        return text[len("unix:"):]
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def connect_socket(address, timeout_s=REPLY_DEADLINE_S, receive_buffer_bytes=None):
    """A connected stream socket; address is (host, port) or the path of a unix socket."""
    if isinstance(address, str):
        family = socket.AF_UNIX
    else:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    connected = socket.socket(family, socket.SOCK_STREAM)
    try:
        if receive_buffer_bytes is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        if family != socket.AF_UNIX:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(timeout_s)
        connected.connect(address)
    except BaseException:
        connected.close()
        raise
    return connected


class Conversation:
    """One client connection. Every read has a deadline; strings are sent as latin-1."""

    def __init__(self, address, timeout_s=REPLY_DEADLINE_S, receive_buffer_bytes=None):
        self.socket = connect_socket(address, timeout_s, receive_buffer_bytes)
        self.timeout_s = timeout_s
        self._received = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def shutdown_write(self):
        """Half-close: no more requests, replies still wanted."""
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data):
        if isinstance(data, str):
            data = data.encode("latin-1")
        self.socket.settimeout(self.timeout_s)
        self.socket.sendall(data)

    def send_line(self, line):
        self.send(line + ("\r\n" if isinstance(line, str) else b"\r\n"))

    def ask(self, line):
        """Sends one line, returns the one-line reply."""
        self.send_line(line)
        return self.read_line()

    def _fill(self, deadline):
        """Receives once more; False when the peer has closed."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise ConversationError(f"no reply within {self.timeout_s} s; so far {bytes(self._received[-200:])!r}")
        self.socket.settimeout(remaining)
        try:
            piece = self.socket.recv(1 << 18)
        except TimeoutError:
            return self._fill(deadline)
        except (ConnectionResetError, BrokenPipeError):
            return False
        self._received += piece
        return bool(piece)

    def _read(self, find_end, what, timeout_s):
        """Reads until find_end(buffer) gives a length, and takes that much."""
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        while (end := find_end(self._received)) is None:
            if not self._fill(deadline):
                raise ConversationError(f"closed while waiting for {what}; got {bytes(self._received[-200:])!r}")
        taken = bytes(self._received[:end])
        del self._received[:end]
        return taken

    def read_until(self, marker, timeout_s=None):
        """Bytes up to and with marker."""
        searched = 0

        def find_end(buffer):
            nonlocal searched
            at = buffer.find(marker, searched)
            searched = max(0, len(buffer) - len(marker))
            return None if at < 0 else at + len(marker)

        return self._read(find_end, repr(marker), timeout_s)

    def read_exactly(self, length, timeout_s=None):
        return self._read(lambda buffer: length if len(buffer) >= length else None, f"{length} bytes", timeout_s)

    def read_line(self, timeout_s=None):
        """The next line as text, without its line end, which must be CRLF."""
        line = self.read_until(b"\n", timeout_s)
        if not line.endswith(b"\r\n"):
            raise ConversationError(f"line does not end in CRLF: {line!r}")
        return line[:-2].decode("latin-1")

    def read_values(self, timeout_s=None):
        """The reply of get or gets: {key: (flags, cas or None, value)}."""
        values = {}
        while (line := self.read_line(timeout_s)) != "END":
            fields = line.split(" ")
            if fields[0] != "VALUE" or len(fields) not in (4, 5):
                raise ConversationError(f"not a VALUE line: {line!r}")
            block = self.read_exactly(int(fields[3]) + 2, timeout_s)
            if block[-2:] != b"\r\n":
                raise ConversationError(f"value of {fields[1]!r} does not end in CRLF")
            values[fields[1]] = (int(fields[2]), int(fields[4]) if len(fields) == 5 else None, block[:-2])
        return values

    def get(self, key):
        """The value of key as bytes, or None."""
        self.send_line(f"get {key}")
        found = self.read_values().get(key)
        return found[2] if found else None

    def store(self, verb, key, value, exptime=0, flags=0):
        """Stores value, returns the reply line."""
        if isinstance(value, str):
            value = value.encode("latin-1")
        self.send(f"{verb} {key} {flags} {exptime} {len(value)}\r\n".encode("latin-1") + value + b"\r\n")
        return self.read_line()

    def set(self, key, value, exptime=0, flags=0):
        return self.store("set", key, value, exptime, flags)

    def stats(self, section=""):
        """`stats SECTION` as {name: text}."""
        self.send_line(f"stats {section}" if section else "stats")
        rows = {}
        while (line := self.read_line()) not in ("END", "RESET"):
            word, _, rest = line.partition(" ")
            if word != "STAT":
                raise ConversationError(f"not a STAT line: {line!r}")
            name, _, value = rest.partition(" ")
            rows[name] = value
        return rows

    def expect_closed(self, timeout_s=None):
        """The peer closes, and says nothing before it."""
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        while not self._received and self._fill(deadline):
            pass
        if self._received:
            raise ConversationError(f"expected close, got {bytes(self._received[:200])!r}")

    def read_to_close(self, timeout_s=None):
        """Everything the peer still says until it closes."""
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        while self._fill(deadline):
            pass
        taken = bytes(self._received)
        self._received.clear()
        return taken

    def expect_open(self):
        """The connection answers a request, and says nothing before the answer."""
        reply = self.ask("version")
        if not reply.startswith("VERSION "):
            raise ConversationError(f"expected VERSION, got {reply!r}")


class LineCollector(threading.Thread):
    """Reads a pipe to its end, so the daemon never blocks on it."""

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self._pipe = pipe
        self._lines = []
        self._ended = False
        self._changed = threading.Condition()
        self.start()

    def run(self):
        with self._pipe:
            for line in self._pipe:
                with self._changed:
                    self._lines.append(line.decode("utf-8", "backslashreplace"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def text(self):
        with self._changed:
            return "".join(self._lines)

    def lines(self):
        with self._changed:
            return [line.rstrip("\n") for line in self._lines]

    def wait_for(self, predicate, timeout_s):
        """Waits until predicate(lines) holds; False when the pipe ended or the time is over first."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or predicate(self._lines), timeout_s)
            return bool(predicate(self._lines))


class TestClock:
    """The file that moves the daemon's clocks, mapped by both: two native int64 of milliseconds, the first for the
    elapsed time and the wall clock, the second for the wall clock alone."""

    __test__ = False

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.write(bytes(16))
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 16)

    def offset_ms(self):
        return struct.unpack("=q", self._map[:8])[0]

    def move(self, seconds):
        self._map[:8] = struct.pack("=q", self.offset_ms() + round(seconds * 1000))

    def step(self, seconds):
        """Somebody sets the wall clock, ahead or back."""
        (stepped_ms,) = struct.unpack("=q", self._map[8:])
        self._map[8:] = struct.pack("=q", stepped_ms + round(seconds * 1000))

    def close(self):
        self._map.close()


class _DaemonProcess:
    """What all daemons share: spawn, collect output, stop, judge the end."""

    stop_signal = signal.SIGTERM
    stop_returncode = 0  # of an orderly end after stop_signal

    def __init__(self):
        self._process = None
        self._end_expected = False
        self.stdout = None
        self.stderr = None

    # what a subclass provides: start(), address

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(self, kind, error, _traceback):
        try:
            if kind is not None:
                self._abandon(error)
            else:
                self._finish()
        finally:
            self._discard()

    def _finish(self):
        if not self._end_expected:
            if self._process.poll() is not None:
                self._raise("ended by itself")
            self.stop()
        self._judge_stderr()

    def _abandon(self, error):
        """A test failed: say what the daemon knows about it, and do not hide the first error."""
        ended = None if self.running or self._end_expected else self._process.returncode
        self.kill()
        notes = self.stderr_text()[-4000:]
        if ended is not None or SANITIZER_REPORT.search(notes):
            error.add_note(f"daemon returncode {ended}, its stderr:\n{notes}")

    def _discard(self):
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _spawn(self, command, env, **options):
        self._end_expected = False
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, **options
        )
        self.stdout = LineCollector(self._process.stdout)
        self.stderr = LineCollector(self._process.stderr)

    def _raise(self, what):
        raise DaemonError(
            f"{shlex.join(map(str, self._process.args))}: {what}; returncode {self._process.poll()}\n"
            f"stdout:\n{self.stdout.text()[-2000:]}\nstderr:\n{self.stderr_text()[-8000:]}"
        )

    def _judge_stderr(self):
        if SANITIZER_REPORT.search(self.stderr_text()):
            self._raise("sanitizer report")

    @property
    def pid(self):
        return self._process.pid

    @property
    def returncode(self):
        return self._process.poll()

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    def stderr_text(self):
        if self._process.poll() is not None:
            self.stderr.join(START_DEADLINE_S)
        return self.stderr.text()

    def wait_for_stderr(self, pattern, timeout_s=REPLY_DEADLINE_S):
        """Waits until a line of stderr matches; raises when none does."""
        seen = re.compile(pattern)
        if not self.stderr.wait_for(lambda lines: any(seen.search(line) for line in lines), timeout_s):
            self._raise(f"no line on stderr matches {pattern!r}")

    def signal(self, number):
        os.kill(self.pid, number)

    def expect_exit(self):
        """From here on the end of the daemon is what the test wants."""
        self._end_expected = True

    def wait(self, timeout_s=STOP_DEADLINE_S):
        """Waits for the end that the test caused; returns the exit code."""
        self._end_expected = True
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._raise(f"still running after {timeout_s} s")
        return self._process.returncode

    def stop(self, timeout_s=STOP_DEADLINE_S):
        """The stop signal; the daemon ends orderly and in time. Returns its stderr."""
        if self._process.poll() is not None:
            self._raise("ended by itself")
        self._process.send_signal(self.stop_signal)
        if self.wait(timeout_s) != self.stop_returncode:
            self._raise(f"{self.stop_signal.name} did not end in exit {self.stop_returncode}")
        self._judge_stderr()
        return self.stderr_text()

    def kill(self):
        """SIGKILL, and wait."""
        self._end_expected = True
        self._process.kill()
        self._process.wait()

    def connect(self, timeout_s=REPLY_DEADLINE_S, **options):
        return Conversation(self.address, timeout_s, **options)

    def _await_answer(self):
        """For a daemon that does not tell when it is ready: waits until it answers `version`."""
        deadline = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline and self.running:
            with contextlib.suppress(OSError), self.connect() as conversation:
                conversation.expect_open()
                return
            time.sleep(0.005)
        self._raise("does not answer")

    def stats(self, section=""):
        """`stats SECTION` asked on a connection of its own."""
        with self.connect() as conversation:
            return conversation.stats(section)

    def wait_for_stat(self, name, wanted, timeout_s=REPLY_DEADLINE_S, section=""):
        """Asks until STAT name equals wanted (or wanted(int) holds); returns the value."""
        holds = wanted if callable(wanted) else lambda value: value == wanted
        deadline = time.monotonic() + timeout_s
        with self.connect() as conversation:
            while True:
                value = int(conversation.stats(section)[name])
                if holds(value):
                    return value
                if time.monotonic() > deadline:
                    raise ConversationError(f"STAT {name} is {value} after {timeout_s} s")
                time.sleep(0.01)

    def resident_bytes(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise DaemonError("no VmRSS")

    def cpu_seconds(self):
        """User and system time used so far."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _names_option(args, *names):
    """Is one of the options there? Understands `--name VALUE`, `--name=VALUE`, `-pVALUE`."""
    for arg in map(str, args):
        for name in names:
            if arg == name or (name.startswith("--") and arg.startswith(name + "=")):
                return True
            if len(name) == 2 and re.match(name + r"[^-]", arg):
                return True
    return False


def sessiond_binary(binary=None):
    """The path of the daemon under test; SESSIOND in the environment unless given."""
    found = binary or os.environ.get("SESSIOND")
    if not found:
        raise DaemonError("no daemon: set SESSIOND to the path of the binary")
    return os.path.abspath(found)


def root_options(args):
    """Tests may run as root, the daemon then wants to be told so."""
    if os.geteuid() != 0 or _names_option(args, "--user", "-u"):
        return []
    return ["--user", "root"]


class SessiondProcess(_DaemonProcess):
    """A running sessiond.

    args     options after the defaults `--listen 127.0.0.1:0 --threads 2 --admin-listen none` (+ `--user root` as
             root); a default is left out when args name it, `--listen` also when they name --config, -l, -p or -s
             data-dir is the default one, in a directory of this object's: it lasts from start to start
    binary   default $SESSIOND
    env      added to this process's environment; the attribute may be changed between starts
    keeps_port  listen where the last start did, so that clients find it again
    listeners  ready lines to wait for; default: as many as args name, at least 1
    popen    more arguments of Popen (preexec_fn, ...)
    """

    def __init__(self, args=(), binary=None, env=None, listeners=None, popen=None, keeps_port=False):
        super().__init__()
        self.binary = sessiond_binary(binary)
        self._keeps_port = keeps_port
        self._args = [str(arg) for arg in args]
        self.env = dict(env or {})
        self._popen = dict(popen or {})
        named = sum(arg == "--listen" or arg.startswith("--listen=") for arg in self._args)
        self._listeners = listeners or max(1, named)
        self._admin_listeners = int(_names_option(self._args, "--admin-listen") and "none" not in self._args)
        self._directory = None
        self.clock = None
        self.listening = []  # (role, address text) of every ready line

    def command(self):
        defaults = []
        if not _names_option(self._args, "--listen", "--config", "-l", "-p", "-s"):
            defaults += ["--listen", f"127.0.0.1:{self.port if self._keeps_port and self.listening else 0}"]
        if not _names_option(self._args, "--threads", "-t", "--config"):
            defaults += ["--threads", "2"]
        if not _names_option(self._args, "--admin-listen"):
            defaults += ["--admin-listen", "none"]
        return [self.binary, *defaults, *root_options(self._args), *self._args]

    def prepare(self):
        """Make what it is started with: from here on data_dir has its name, and the clock can be moved."""
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="sessiond-test-")
            os.chmod(self._directory.name, 0o755)  # the daemon may become another user
            self.clock = TestClock(os.path.join(self._directory.name, "clock"))

    def start(self):
        self.prepare()
        env = {**os.environ, "SESSIOND_TEST_CLOCK": self.clock.path, "XDG_STATE_HOME": self._directory.name,
               **self.env}
        self._spawn(self.command(), env, **self._popen)

        def all_ready(lines):
            roles = [match[1] for match in map(READY_LINE.match, lines) if match]
            return roles.count("data") >= self._listeners and roles.count("admin") >= self._admin_listeners

        if not self.stdout.wait_for(all_ready, START_DEADLINE_S):
            with contextlib.suppress(subprocess.TimeoutExpired):  # its output ends before it does
                self._process.wait(2)
            self._raise(f"fewer than {self._listeners} ready lines")
        matches = [READY_LINE.match(line) for line in self.stdout.lines()]
        self.listening = [match.groups() for match in matches if match]

    def _discard(self):
        super()._discard()
        if self.clock is not None:
            self.clock.close()
        if self._directory is not None:
            self._directory.cleanup()

    @property
    def data_dir(self):
        """Where it keeps its sessions unless args say otherwise."""
        return os.path.join(self._directory.name, "sessiond")

    @property
    def addresses(self):
        """Addresses of all data listeners in the order of their ready lines."""
        return [parse_address(text) for role, text in self.listening if role == "data"]

    @property
    def address(self):
        return self.addresses[0]

    @property
    def admin_address(self):
        """The address of the admin listener, where args name --admin-listen."""
        return next(parse_address(text) for role, text in self.listening if role == "admin")

    @property
    def port(self):
        return next(address[1] for address in self.addresses if not isinstance(address, str))

    def move_clock(self, seconds):
        """Moves the daemon's time forward."""
        self.clock.move(seconds)


def run_sessiond(args, binary=None, env=None, timeout_s=START_DEADLINE_S, as_root_options=True, **popen):
    """Runs the daemon where it should end by itself; returns CompletedProcess with text output.

    A daemon that keeps running is ended and fails the test.
    """
    args = [str(arg) for arg in args]
    command = [sessiond_binary(binary), *(root_options(args) if as_root_options else []), *args]
    state = tempfile.TemporaryDirectory(prefix="sessiond-test-")
    try:
        with state:
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s,
                env={**os.environ, "XDG_STATE_HOME": state.name, **(env or {})},
                encoding="utf-8", errors="backslashreplace", check=False, **popen,
            )
    except subprocess.TimeoutExpired as error:
        raise DaemonError(f"{shlex.join(command)}: still running after {timeout_s} s") from error
    if SANITIZER_REPORT.search(ended.stderr):
        raise DaemonError(f"{shlex.join(command)}: sanitizer report\n{ended.stderr}")
    return ended


class MemcachedProcess(_DaemonProcess):
    """A running memcached of the distribution, the oracle and the object cache of the tests."""

    def __init__(self, args=(), binary="memcached"):
        super().__init__()
        self.binary = binary
        self._args = [str(arg) for arg in args]
        self.address = None

    def start(self):
        """Starts on the port of the last run, the first time on a port that memcached picks."""
        with tempfile.TemporaryDirectory(prefix="memcached-test-") as directory:
            port_file = os.path.join(directory, "port")
            port = -1 if self.address is None else self.address[1]
            command = [self.binary, "-l", "127.0.0.1", "-p", str(port), "-U", "0", *self._args]
            if os.geteuid() == 0 and not _names_option(self._args, "-u"):
                command += ["-u", "root"]
            self._spawn(command, {**os.environ, "MEMCACHED_PORT_FILENAME": port_file})
            self.address = ("127.0.0.1", self._await_port(port_file))
        self._await_answer()

    def _await_port(self, port_file):
        deadline = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline and self.running:
            with contextlib.suppress(FileNotFoundError), open(port_file, encoding="ascii") as file:
                match = re.search(r"TCP INET: (\d+)", file.read())
                if match:
                    return int(match.group(1))
            time.sleep(0.005)
        self._raise("did not name its port")

    @property
    def port(self):
        return self.address[1]

    def restart(self):
        """Ends it and starts it again, empty, on the same port."""
        if self.running:
            self.kill()
        self.start()
