"""What the pressure tests share: pipelined requests, sessions with what they must hold, memory seen from outside.

Not a test.
"""

import contextlib
import os
import random
import select
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from integration_case import IntegrationCase, is_sanitized  # noqa: E402
from sessiond_process import connect_socket  # noqa: E402

KIB = 1 << 10
MIB = 1 << 20
PATIENCE = 5 if is_sanitized() else 1  # times as slow
REPLY_DEADLINE_S = 60.0 * PATIENCE
BATCH = 500  # requests on their way at once
BATCH_BYTES = 4 * MIB

DJANGO_KEY = b":1:django.contrib.sessions.cache%032d"  # of 64 bytes
NO_ROOM = b"SERVER_ERROR out of memory storing object"
RESIDENT_BEYOND_MEMORY = 24 * MIB
RESERVE_SHARE = 0.03  # of the data part
CLOCK_GRAIN_S = 0.01  # the daemon counts in whole milliseconds: it may be that much ahead of us


def data_part(daemon):
    """Bytes of `memory` that are for sessions: the rest is for connections and for values on their way."""
    return int(daemon.stats()["limit_maxbytes"])


def key_of(number):
    return DJANGO_KEY % number


def set_request(key, value, exptime=0, verb=b"set"):
    return b"%b %b 0 %d %d\r\n%b\r\n" % (verb, key, exptime, len(value), value)


class Values:
    """Values of letters and digits, each another one."""

    LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    def __init__(self, seed):
        self.choice = random.Random(seed)
        table = bytes(self.LETTERS[byte % len(self.LETTERS)] for byte in range(256))
        self._pool = self.choice.randbytes(4 * MIB).translate(table)
        self._made = 0

    def make(self, size):
        self._made += 1
        at = self.choice.randrange(len(self._pool) - size)
        return (b"%d|" % self._made + self._pool[at : at + size])[:size]

    def between(self, low, high):
        return self.make(self.choice.randint(low, high))

    def spread(self, low, high):
        """As often below the middle of the scale as above it, the scale being logarithmic."""
        return self.make(min(high, int(low * (high / low) ** self.choice.random())))


class Pipeline:
    """One connection with many requests on their way at once; sends and receives together, so neither side blocks."""

    def __init__(self, daemon):
        self.socket = connect_socket(daemon.address)
        self.socket.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.socket.close()

    def _exchange(self, request, is_whole):
        """Sends request, receives until is_whole(what came)."""
        to_send = memoryview(request)
        received = bytearray()
        deadline = time.monotonic() + REPLY_DEADLINE_S
        poll = select.poll()
        while to_send or not is_whole(received):
            poll.register(self.socket, select.POLLIN | (select.POLLOUT if to_send else 0))
            remaining_ms = (deadline - time.monotonic()) * 1000
            if remaining_ms <= 0 or not poll.poll(remaining_ms):
                raise AssertionError(f"no whole reply within {REPLY_DEADLINE_S} s; ends in {bytes(received[-100:])!r}")
            with contextlib.suppress(BlockingIOError):
                to_send = to_send[self.socket.send(to_send) :] if to_send else to_send
            with contextlib.suppress(BlockingIOError):
                piece = self.socket.recv(MIB)
                if not piece:
                    raise AssertionError(f"closed by the daemon; the last it said: {bytes(received[-100:])!r}")
                received += piece
        return received

    def _ask_batch(self, requests):
        replies = self._exchange(b"".join(requests), lambda received: received.count(b"\n") >= len(requests))
        lines = bytes(replies).split(b"\r\n")
        if len(lines) != len(requests) + 1 or lines.pop():
            raise AssertionError(f"{len(requests)} requests, {len(lines)} replies: {bytes(replies[:200])!r}")
        return lines

    def ask(self, requests):
        """Requests with one line of reply each; the lines."""
        replies = []
        for batch in batches(requests, len):
            replies += self._ask_batch(batch)
        return replies

    def get(self, keys):
        """{key: value} of those that are there; no value may hold a line end."""
        request = b"get " + b" ".join(keys) + b"\r\n"
        reply = self._exchange(request, lambda received: received.endswith(b"END\r\n"))
        lines = bytes(reply).split(b"\r\n")
        heads, values = lines[:-2:2], lines[1:-2:2]
        found = {}
        for head, value in zip(heads, values, strict=True):
            word, key, _, size = head.split(b" ")
            if word != b"VALUE" or int(size) != len(value):
                raise AssertionError(f"{head!r} with {len(value)} bytes")
            found[key] = value
        return found


def batches(items, size_of):
    """Lists of at most BATCH items and about BATCH_BYTES."""
    batch, size = [], 0
    for item in items:
        batch.append(item)
        size += size_of(item)
        if len(batch) == BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class Sessions:
    """The live sessions, as the daemon has acknowledged them."""

    def __init__(self, pipeline, seed=1):
        self.pipeline = pipeline
        self.values = Values(seed)
        self.choice = self.values.choice
        self.live = {}
        self.refused = 0  # stores for which there was no room
        self._keys_made = 0

    def size(self):
        """Bytes of all keys and values."""
        return sum(map(len, self.live)) + sum(map(len, self.live.values()))

    def new_key(self, form=DJANGO_KEY):
        self._keys_made += 1
        return form % self._keys_made

    def some(self, count):
        return self.choice.sample(list(self.live), count)

    def store(self, wanted, exptime=0):
        """Stores {key: value}; a store that finds no room changes nothing. Returns the keys that were stored."""
        keys = list(wanted)
        replies = self.pipeline.ask([set_request(key, wanted[key], exptime) for key in keys])
        stored = [key for key, reply in zip(keys, replies, strict=True) if reply == b"STORED"]
        if replies.count(NO_ROOM) != len(keys) - len(stored):
            raise AssertionError(f"replies to set: {set(replies)}")
        self.refused += len(keys) - len(stored)
        self.live.update((key, wanted[key]) for key in stored)
        return stored

    def delete(self, keys):
        replies = self.pipeline.ask([b"delete %b\r\n" % key for key in keys])
        if replies != [b"DELETED"] * len(keys):
            raise AssertionError(f"replies to delete: {set(replies)}")
        for key in keys:
            del self.live[key]

    def fill(self, make_value, exptime=0, batch=BATCH, key_form=DJANGO_KEY):
        """Logs new sessions in until the store takes one in ten. Returns bytes of keys and values at the first refusal."""
        first_refusal = None
        while True:
            before = self.refused
            self.store({self.new_key(key_form): make_value() for _ in range(batch)}, exptime)
            if first_refusal is None and self.refused > before:
                first_refusal = self.size()
            if self.refused - before > batch * 0.9:
                return first_refusal

    def fill_small(self, exptime=0):
        return self.fill(lambda: self.values.between(200, 600), exptime)

    def check_all(self):
        """Every live session is there, with its last value."""
        for keys in batches(self.live, lambda key: len(self.live[key])):
            found = self.pipeline.get(keys)
            lost = [key for key in keys if key not in found]
            wrong = [key for key in found if found[key] != self.live[key]]
            if lost or wrong:
                raise AssertionError(f"{len(lost)} sessions lost, {len(wrong)} with another value: {(lost + wrong)[:3]}")


class BusyClient:
    """Asks one request after the other on its own connection, and notes the slowest."""

    def __init__(self, daemon):
        self._conversation = daemon.connect()
        self._end = threading.Event()
        self._error = None
        self._thread = threading.Thread(target=self._run)
        self.n_answered = 0
        self.slowest_s = 0.0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        self._end.set()
        self._thread.join()
        self._conversation.close()
        if self._error is not None:
            raise self._error

    def _run(self):
        try:
            while not self._end.is_set():
                began = time.monotonic()
                self._conversation.set("busy", str(self.n_answered), exptime=-1)
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                self.n_answered += 1
                self._end.wait(0.001)
        except (AssertionError, OSError) as error:
            self._error = error


class PressureCase(IntegrationCase):
    memory = 64 * MIB

    def start_small(self, *args, memory=None, **options):
        """A daemon whose memory is soon full."""
        return self.start("--memory", f"{(memory or self.memory) // MIB}m", *args, **options)

    def pipeline(self, daemon):
        return self.enterContext(Pipeline(daemon))

    def sessions_of(self, daemon, seed=1):
        return Sessions(self.pipeline(daemon), seed)

    def tell(self, figure):
        """For whoever wants to know more than passed or failed."""
        print(f"figure: {self.id().rpartition('.')[2]}: {figure}", flush=True)

    def assert_whole(self, daemon, sessions):
        """Nobody was logged out, nobody is there who should not be."""
        sessions.check_all()
        stats = daemon.stats()
        self.assertEqual(int(stats["curr_items"]), len(sessions.live))
        self.assertEqual(stats["evictions"], "0")
        return stats

    @contextlib.contextmanager
    def resident_bounded(self, daemon, what, memory=None):
        """Resident memory stays within its bound meanwhile, even for a moment."""
        with open(f"/proc/{daemon.pid}/clear_refs", "w", encoding="ascii") as clear:
            clear.write("5")  # forgets the peak
        yield
        peak = status_bytes(daemon.pid, "VmHWM")
        bound = (memory or self.memory) + RESIDENT_BEYOND_MEMORY
        self.tell(
            f"{what}: resident at most {peak / MIB:.1f} MiB, now {status_bytes(daemon.pid, 'VmRSS') / MIB:.1f},"
            f" bound {bound / MIB:.0f}"
        )
        if not is_sanitized():
            self.assertLessEqual(peak, bound, f"{what}: {peak / MIB:.1f} MiB resident")


def status_bytes(pid, name):
    """A figure of /proc/PID/status."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * KIB
    raise AssertionError(f"no {name}")
