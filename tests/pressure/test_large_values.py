"""Values over 16 KiB stay whole while they are overwritten, deleted and expire under slow readers: design §3."""

import random
import threading
import time
import unittest

from pressure_case import KIB, MIB, PATIENCE, PressureCase
from sessiond_process import connect_socket

KEYS = [b"large:%d" % number for number in range(4)]
READERS = 8
WRITERS = 2
SPAN_S = 4 * PATIENCE
REPLY_DEADLINE_S = 60 * PATIENCE


class Store:
    """What was written, by the serial number that each value consists of; told before it is sent."""

    def __init__(self):
        self.lock = threading.Lock()
        self.written = {}  # serial: (key, size)
        self.latest = dict.fromkeys(KEYS)

    def next_value(self, key, size):
        with self.lock:
            serial = b"%016d" % (len(self.written) + 1)
            self.written[serial] = (key, size)
            self.latest[key] = serial
        return (serial * (size // len(serial) + 1))[:size]

    def forget(self, key):
        with self.lock:
            self.latest[key] = None


class SlowReader(threading.Thread):
    """Gets values through a small window, with pauses, and checks that each is one that was written."""

    def __init__(self, daemon, store, seed, until):
        super().__init__()
        self._socket = connect_socket(daemon.address, REPLY_DEADLINE_S, receive_buffer_bytes=4 * KIB)
        self._store, self._choice, self._until = store, random.Random(seed), until
        self.n_hits, self.n_misses, self.n_overtaken = 0, 0, 0
        self.error = None

    def run(self):
        try:
            with self._socket:
                while time.monotonic() < self._until:
                    self._read_one(self._choice.choice(KEYS))
        except (AssertionError, OSError) as error:
            self.error = error

    def _read_one(self, key):
        self._socket.sendall(b"get %b\r\n" % key)
        reply = bytearray()
        size = None
        while size is None or len(reply) < size:
            reply += self._receive()
            if size is None and b"\r\n" in reply:
                head, _, _ = reply.partition(b"\r\n")
                size = len(reply) if head == b"END" else len(head) + 2 + int(head.split(b" ")[3]) + len(b"\r\nEND\r\n")
        self._check(key, bytes(reply))

    def _receive(self):
        piece = self._socket.recv(64 * KIB)
        if not piece:
            raise AssertionError("the daemon closed the connection")
        if self._choice.random() < 0.1:
            time.sleep(0.002)  # it is slow
        return piece

    def _check(self, key, reply):
        if reply == b"END\r\n":
            self.n_misses += 1
            return
        head, _, rest = reply.partition(b"\r\n")
        serial = rest[:16]
        if serial not in self._store.written or self._store.written[serial][0] != key:
            raise AssertionError(f"{key!r} has a value that nobody wrote under it: {head!r} {rest[:40]!r}")
        size = self._store.written[serial][1]
        value = (serial * (size // 16 + 1))[:size]
        if reply != b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (key, size, value):
            raise AssertionError(f"not the whole of what was written: {head!r}, {len(rest)} bytes, {size} written")
        self.n_hits += 1
        self.n_overtaken += self._store.latest[key] != serial


class LargeValuesTest(PressureCase):
    def write(self, daemon, store, seed, until, sizes):
        """Overwrites, deletes, lets expire; at least one of the keys stays."""
        choice = random.Random(seed)
        with daemon.connect(timeout_s=REPLY_DEADLINE_S) as writer:
            while time.monotonic() < until:
                key = choice.choice(KEYS)
                act = choice.choice(("set", "set", "set", "set", "set", "expire", "delete", "kill"))
                if act in ("set", "expire"):
                    value = store.next_value(key, choice.choice(sizes))
                    reply = writer.set(key.decode(), value, exptime=int(act == "expire"))
                    self.assertIn(reply, ("STORED", "SERVER_ERROR out of memory storing object"))
                else:
                    store.forget(key)
                    reply = writer.ask(f"delete {key.decode()}" if act == "delete" else f"touch {key.decode()} -1")
                    self.assertIn(reply, ("DELETED", "TOUCHED", "NOT_FOUND"))
                time.sleep(0.005 * choice.random())  # readers are to get in between

    def read_while_written(self, memory, sizes):
        daemon = self.start_small(memory=memory)
        store = Store()
        until = time.monotonic() + SPAN_S
        readers = [SlowReader(daemon, store, number, until) for number in range(READERS)]
        for reader in readers:
            reader.start()
        errors = []

        def write(seed):
            try:
                self.write(daemon, store, seed, until, sizes)
            except (AssertionError, OSError) as error:
                errors.append(error)

        writers = [threading.Thread(target=write, args=(seed,)) for seed in range(WRITERS)]
        with self.resident_bounded(daemon, "values change under slow readers", memory):
            for writer in writers:
                writer.start()
            for thread in (*writers, *readers):
                thread.join(SPAN_S + 2 * REPLY_DEADLINE_S)
                self.assertFalse(thread.is_alive(), "a client hangs")
        errors += [reader.error for reader in readers if reader.error is not None]
        self.assertEqual(errors, [])
        hits, misses, overtaken = (
            sum(getattr(reader, name) for reader in readers) for name in ("n_hits", "n_misses", "n_overtaken")
        )
        self.tell(f"{len(store.written)} values written; {hits} read, {overtaken} of them overtaken meanwhile; {misses} misses")
        self.assertGreater(overtaken, 20)
        self.assertGreater(misses, 5)

    def test_values_of_a_mib(self):
        self.read_while_written(64 * MIB, [MIB])

    def test_values_of_many_sizes(self):
        """On both sides of what is copied under the lock, and of a page."""
        self.read_while_written(64 * MIB, [16 * KIB, 16 * KIB + 1, 20 * KIB, 64 * KIB, 65 * KIB, 300 * KIB, MIB - 1, MIB])

    def test_values_in_the_least_memory(self):
        """Not all readers can be served at once: they wait, and get what they asked for."""
        self.read_while_written(16 * MIB, [MIB])


if __name__ == "__main__":
    unittest.main()
