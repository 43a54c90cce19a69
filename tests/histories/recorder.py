"""Drives a daemon over many connections at once, and records what each asked, when, and what it was told.

A process has some connections and one loop: it reads what has come, then sends the next burst of one to
BURST_MAX requests on each connection that has all its replies. All of them collide on few keys. Requests that
are wrong are not sent here: tests/protocol has them.

Values are unique, and show it to their last byte: what is half of one and half of another is found here, and
recorded as a value that nobody wrote.
"""

import collections
import concurrent.futures
import itertools
import multiprocessing
import random
import select
import socket
import struct
import time
import typing
import zlib

from history import READS, WRITES, Operation, merge

PROCESSES = 2
CONNECTIONS = 12  # of each process
BURST_MAX = 6
SILENCE_S = 60  # no reply at all for so long: the daemon hangs
RECORDING_S = 300

LONG_LIFE_S = 100_000
LARGE_BYTES = 100 * 1024
NUMBER_SPACE = 1_000_000  # between two numbers that are stored; no counter goes up by so much
ONE_IN_CUT = 400  # bursts are one request or half of one, and the connection is closed
ONE_IN_TWO_KEYS = 8  # reads ask for two keys
ONE_IN_FLUSH = 500  # bursts end with a flush_all, where that is allowed


class KeyKind(typing.NamedTuple):
    """Keys that are alike."""

    keys: int
    share: int  # of all requests, per cent
    lengths: tuple  # of the values; () for numbers
    requests: dict  # request -> how often; `dies` is with a negative exptime


TEXT_REQUESTS = {
    "get": 8, "gets": 22, "gat": 6, "gats": 4, "gat dies": 1, "set": 8, "set dies": 1, "add": 10, "add dies": 1,
    "replace": 8, "replace dies": 1, "cas": 22, "cas dies": 1, "delete": 5, "touch": 4, "touch dies": 1, "incr": 1,
}
NUMBER_REQUESTS = {
    "get": 6, "gets": 16, "gat": 3, "gats": 2, "set": 3, "add": 6, "replace": 2, "cas": 12, "delete": 3,
    "touch": 2, "touch dies": 1, "incr": 44,
}
KEY_KINDS = {
    "small": KeyKind(12, 50, (40, 300, 2000, 16_384, 16_385), TEXT_REQUESTS),
    "large": KeyKind(4, 15, (LARGE_BYTES, LARGE_BYTES, 200), TEXT_REQUESTS),
    "count": KeyKind(8, 35, (), NUMBER_REQUESTS),
}


class RecordingError(AssertionError):
    """The daemon said what is no reply to the request, or nothing."""


# ---- values ---------------------------------------------------------------------------------


def value_bytes(value):
    """What is stored for a value: a number's digits; a text `CLIENT.SERIAL.LENGTH` repeated to its length."""
    if isinstance(value, int):
        return b"%d" % value
    unit = value.encode() + b"|"
    length = int(value.rpartition(".")[2])
    return (unit * (length // len(unit) + 1))[:length]


def value_flags(value):
    """The client flags that go with it; what an incr makes has those of the number that it began with."""
    version = value // NUMBER_SPACE if isinstance(value, int) else value
    return zlib.crc32(str(version).encode()) & 0xFFFF


def recognise(data, flags):
    """The value that these bytes and flags are; if they are none, a text that says what they look like."""
    try:
        value = int(data) if data.isdigit() else data[:data.index(b"|")].decode()
        if value_bytes(value) == data and value_flags(value) == flags:
            return value
    except ValueError:
        pass
    parts = [part.decode("latin-1") for part, _ in itertools.groupby(data.split(b"|"))]
    return f"torn: {len(data)} bytes, flags {flags}: {' '.join(parts[:6])[:200]}"


# ---- requests -------------------------------------------------------------------------------


class Request(typing.NamedTuple):
    """What is sent, and what it asks of which keys: [(key, fields of the Operation that are known)]."""

    data: bytes
    asked: list

    def parse(self, received):
        """(length of the reply, [(key, fields of the Operation)]), or None while it is not whole."""
        if self.asked[0][1]["kind"] in READS:
            return self._parse_values(received)
        end = received.find(b"\r\n")
        if end < 0:
            return None
        told = {"result": received[:end].decode("latin-1")}
        if told["result"].isdigit():
            told = {"result": "NUMBER", "found": int(told["result"])}
        return end + 2, [(key, fields | told) for key, fields in self.asked]

    def _parse_values(self, received):
        found, at = {}, 0
        while (end := received.find(b"\r\n", at)) >= 0:
            words = received[at:end].decode("latin-1").split(" ")
            if words == ["END"]:
                return end + 2, [(key, fields | found.get(key, {"result": "END"})) for key, fields in self.asked]
            if words[0] != "VALUE" or len(words) not in (4, 5) or words[1] not in dict(self.asked):
                raise RecordingError(f"{self.data!r} is answered with {words}")
            start, at = end + 2, end + 4 + int(words[3])
            if len(received) < at:
                return None
            if received[at - 2:at] != b"\r\n":
                raise RecordingError(f"behind the value of {words} stands {bytes(received[at - 2:at])!r}")
            value = recognise(bytes(received[start:at - 2]), int(words[2]))
            found[words[1]] = {"result": "VALUE", "found": value, "found_id": int(words[4]) if words[4:] else None}
        return None


def every_key():
    return [f"{name}:{number}" for name, kind in KEY_KINDS.items() for number in range(kind.keys)]


class Requests:
    """Chooses requests and writes them. Knows the CAS id that its process was told last of each key."""

    def __init__(self, seed, may_flush):
        self._random = random.Random(seed)
        self._may_flush = may_flush
        self._serial = 0
        self.known_ids = {}

    def one_in(self, number):
        return self._random.randrange(number) == 0

    def burst(self, client):
        requests = [self.request(client) for _ in range(self._random.randint(1, BURST_MAX))]
        if self._may_flush and self.one_in(ONE_IN_FLUSH):
            requests.append(Request(b"flush_all\r\n", [(key, {"kind": "flush_all"}) for key in every_key()]))
        return requests

    def request(self, client):
        name = self._choose({name: kind.share for name, kind in KEY_KINDS.items()})
        key = self._key(name)
        chosen = self._choose(KEY_KINDS[name].requests)
        if chosen.startswith("cas") and key not in self.known_ids:
            chosen = "gets"
        kind, _, dies = chosen.partition(" ")
        fields = {"kind": kind, "dies": dies != ""}
        exptime = -1 if dies else LONG_LIFE_S
        if kind in WRITES:
            return self._write(key, fields, exptime, self._new_value(client, KEY_KINDS[name].lengths))
        keys = [key]
        if kind in READS and self.one_in(ONE_IN_TWO_KEYS):
            keys = list(dict.fromkeys((key, self._key(name))))  # one key twice would be two operations
        words = {
            "gat": lambda: (exptime, *keys),
            "gats": lambda: (exptime, *keys),
            "touch": lambda: (key, exptime),
            "incr": lambda: (key, fields.setdefault("value", self._random.randint(1, 9))),
        }.get(kind, lambda: keys)()
        line = " ".join(map(str, (kind, *words))) + "\r\n"
        return Request(line.encode(), [(key, fields) for key in keys])

    def _choose(self, weights):
        return self._random.choices(list(weights), weights.values())[0]

    def _key(self, name):
        return f"{name}:{self._random.randrange(KEY_KINDS[name].keys)}"

    def _new_value(self, client, lengths):
        self._serial += 1
        if not lengths:
            return (client << 20 | self._serial) * NUMBER_SPACE
        return f"{client}.{self._serial}.{self._random.choice(lengths)}"

    def _write(self, key, fields, exptime, value):
        data = value_bytes(value)
        words = [fields["kind"], key, value_flags(value), exptime, len(data)]
        fields["value"] = value
        if fields["kind"] == "cas":
            fields["cas_id"] = self.known_ids[key]
            words.append(self.known_ids[key])
        return Request(" ".join(map(str, words)).encode() + b"\r\n" + data + b"\r\n", [(key, fields)])


# ---- connections ----------------------------------------------------------------------------


class Connection:
    """One socket, and the requests that are under way on it."""

    def __init__(self, address, client):
        self.client = client
        self.socket = socket.create_connection(address, SILENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.begin_ns = 0
        self.requests = collections.deque()  # without a reply
        self.unsent = memoryview(b"")
        self._received = bytearray()

    def send(self, requests, data):
        self.requests.extend(requests)
        self.unsent = memoryview(data)
        self.begin_ns = time.monotonic_ns()
        self.send_on()

    def send_on(self):
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent):]
        except BlockingIOError:
            pass

    def receive(self):
        """[(key, Operation)] of the replies that have come."""
        try:
            piece = self.socket.recv(1 << 18)
        except BlockingIOError:
            return []
        end_ns = time.monotonic_ns()
        if not piece:
            raise RecordingError(f"the daemon closed a connection before {list(self.requests)[:1]!r:.200}")
        self._received += piece
        operations = []
        while self.requests and (reply := self.requests[0].parse(self._received)):
            length, told = reply
            del self._received[:length]
            self.requests.popleft()
            operations += [(key, self.operation(fields, end_ns)) for key, fields in told]
        if self._received and not self.requests:
            raise RecordingError(f"more than was asked for: {bytes(self._received[:60])!r}")
        return operations

    def operation(self, fields, end_ns=None):
        return Operation(client=self.client, begin_ns=self.begin_ns, end_ns=end_ns, **fields)

    def close(self, reset=False):
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Recorder:
    """The connections and the loop of one process."""

    def __init__(self, address, number, n_requests, may_flush):
        self._address = address
        self._left = n_requests
        self._requests = Requests(number, may_flush)
        self._clients = itertools.count(number, PROCESSES)
        self._poll = select.epoll()
        self._connections = {}  # by file number
        self._history = collections.defaultdict(list)

    def run(self):
        """The history of that many requests, or a few more."""
        for _ in range(CONNECTIONS):
            self._send(self._connect())
        while any(connection.requests for connection in self._connections.values()):
            ready = self._poll.poll(SILENCE_S)
            if not ready:
                raise RecordingError("the daemon says nothing any more")
            served = [self._serve(self._connections[number], events) for number, events in ready]
            for connection in served:
                if not connection.requests:
                    self._send(connection)
        for connection in self._connections.values():
            connection.close()
        return dict(self._history)

    def _connect(self):
        connection = Connection(self._address, next(self._clients))
        self._connections[connection.socket.fileno()] = connection
        self._poll.register(connection.socket, select.EPOLLIN)
        return connection

    def _serve(self, connection, events):
        if events & select.EPOLLOUT:
            connection.send_on()
            self._await(connection)
        if events & ~select.EPOLLOUT:
            for key, operation in connection.receive():
                self._history[key].append(operation)
                if operation.found_id is not None:
                    self._requests.known_ids[key] = operation.found_id
        return connection

    def _await(self, connection):
        self._poll.modify(connection.socket, select.EPOLLIN | (select.EPOLLOUT if connection.unsent else 0))

    def _send(self, connection):
        while self._left > 0 and self._requests.one_in(ONE_IN_CUT):
            connection = self._cut(connection)
        if self._left <= 0:
            return
        burst = self._requests.burst(connection.client)
        self._left -= len(burst)
        connection.send(burst, b"".join(request.data for request in burst))
        if connection.unsent:
            self._await(connection)

    def _cut(self, connection):
        """Sends a request, or half of one, and closes; returns the connection in its place."""
        request = self._requests.request(connection.client)
        if self._requests.one_in(2):
            connection.send([request], request.data)
            for key, fields in request.asked:
                self._history[key].append(connection.operation(fields))
        else:
            connection.send([request], request.data[:len(request.data) // 2])  # that must not do anything
        del self._connections[connection.socket.fileno()]
        connection.close(reset=self._requests.one_in(2))
        return self._connect()


def _record_alone(*arguments):
    return Recorder(*arguments).run()


def record(address, n_requests, may_flush):
    """The history of that many requests, or a few more, to the daemon at that address."""
    with concurrent.futures.ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        parts = [pool.submit(_record_alone, address, number, n_requests // PROCESSES, may_flush)
                 for number in range(PROCESSES)]
        return merge([part.result(RECORDING_S) for part in parts])
