"""Resident memory stays within `memory` + 24 MiB beside a full store, whatever clients send or do not read: design §4."""

import contextlib
import resource
import socket
import struct
import time
import unittest

from pressure_case import KIB, MIB, PressureCase
from sessiond_process import connect_socket

HALF_SENT = 500
SLOW_READERS = 100
HALF_LINES = 3900
HALF_REQUESTS = 2000
NEVER_READ = 200
DESCRIPTORS = 4096


def send_what_fits(sockets, data, timeout_s=5.0):
    """Sends data on each until it is sent, or nothing more is taken."""
    left = {conversation: memoryview(data) for conversation in sockets}
    quiet_since = time.monotonic()
    deadline = quiet_since + timeout_s
    for conversation in sockets:
        conversation.setblocking(False)
    while left and time.monotonic() < deadline and time.monotonic() - quiet_since < 0.5:
        before = sum(map(len, left.values()))
        for conversation in list(left):
            try:
                left[conversation] = left[conversation][conversation.send(left[conversation][: 64 * KIB]) :]
            except BlockingIOError:
                continue
            except OSError:
                del left[conversation]  # the daemon has had enough of it
                continue
            if not left[conversation]:
                del left[conversation]
        if sum(map(len, left.values())) < before:
            quiet_since = time.monotonic()
        else:
            time.sleep(0.02)  # the daemon has to do something now


class AbuseTest(PressureCase):
    @classmethod
    def setUpClass(cls):
        """Before the daemon starts: it allows as many connections as it may have descriptors."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if hard < DESCRIPTORS:
            raise AssertionError(f"{DESCRIPTORS} descriptors are needed, the system allows {hard}")

    def connect_many(self, stack, daemon, count, **options):
        """Every other one ends in a reset."""
        connected = [stack.enter_context(connect_socket(daemon.address, **options)) for _ in range(count)]
        for conversation in connected[::2]:
            conversation.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return connected

    @contextlib.contextmanager
    def abuse(self, daemon, what):
        """For sockets that are closed in the end; when the daemon has closed its side, too, the next may come."""
        with self.resident_bounded(daemon, what):
            with contextlib.ExitStack() as stack:
                yield stack
            self.wait_until(lambda: int(self.watcher.stats()["curr_connections"]) < 10, "connections are closed", 60)

    def serve_modestly(self, sessions):
        """A client whose requests and replies are small and come one by one is served, whatever others do."""
        for key in [key for key in sessions.some(200) if key not in self.large]:
            self.assertEqual(sessions.pipeline.get([key]), {key: sessions.live[key]})
            self.assertEqual(sessions.store({key: sessions.values.make(len(sessions.live[key]))}), [key])
            self.assertEqual(sessions.pipeline.ask([b"touch %b 1000\r\n" % key]), [b"TOUCHED"])

    def full_daemon(self, *args):
        """Small sessions, and 24 of 1 MiB: self.large are their keys."""
        daemon = self.start_small(*args)
        sessions = self.sessions_of(daemon)
        self.watcher = self.connect(daemon)
        self.large = [b"large:%d" % number for number in range(24)]
        sessions.store({key: sessions.values.make(MIB) for key in self.large})
        sessions.fill_small()
        return daemon, sessions

    def test_values_half_sent(self):
        daemon, sessions = self.full_daemon()
        with self.abuse(daemon, f"{HALF_SENT} connections have sent half a MiB of one") as stack:
            head = b"set half:sent 0 0 %d\r\n" % MIB
            send_what_fits(self.connect_many(stack, daemon, HALF_SENT), head + sessions.values.make(MIB // 2))
            self.serve_modestly(sessions)
        self.assertEqual(sessions.store({self.large[0]: sessions.values.make(MIB)}), [self.large[0]])
        self.assert_whole(daemon, sessions)

    def test_slow_readers_of_values_that_change(self):
        """What they still read is charged, though it is stored no more."""
        daemon, sessions = self.full_daemon()
        with self.abuse(daemon, f"{SLOW_READERS} slow readers") as stack:
            readers = self.connect_many(stack, daemon, SLOW_READERS, receive_buffer_bytes=4096)
            for number, reader in enumerate(readers):
                reader.sendall(b"get %b\r\n" % self.large[number % len(self.large)] * 4)
                reader.setblocking(False)
            until = time.monotonic() + 3
            received = 0
            while time.monotonic() < until:
                for reader in readers:
                    with contextlib.suppress(OSError):
                        received += len(reader.recv(16 * KIB))
                key = sessions.choice.choice(self.large)
                if key in sessions.live and sessions.choice.random() < 0.3:
                    sessions.delete([key])
                else:
                    sessions.store({key: sessions.values.make(MIB)})
            self.tell(f"{received / MIB:.1f} MiB of replies were read")
        self.assert_whole(daemon, sessions)

    def test_lines_and_small_values_half_sent(self):
        """More connections than memory allows: it refuses some."""
        daemon, sessions = self.full_daemon()
        halves = (
            (HALF_LINES, "lines", b"get " + b"k" * 240),
            (HALF_REQUESTS, "lines of 8 KiB", b"set " + b"k" * 8000),
            (HALF_REQUESTS, "values of 16 KiB", b"set half:sent 0 0 16384\r\n" + b"v" * 16000),
        )
        for count, what, half in halves:
            with self.abuse(daemon, f"{count} half-sent {what}") as stack:
                send_what_fits(self.connect_many(stack, daemon, count), half)
                self.serve_modestly(sessions)
        self.assert_whole(daemon, sessions)

    def test_replies_never_read(self):
        daemon, sessions = self.full_daemon()
        keys = b" ".join(sessions.some(100))
        gets = {
            "1 MiB": b"get large:0 large:1 large:2\r\n" * 20,
            "small values": b"get %b\r\n" % keys * 100,
            "misses": b"get m\r\n" * 100_000,
        }
        for what, request in gets.items():
            with self.abuse(daemon, f"{NEVER_READ} never read {what}") as stack:
                send_what_fits(self.connect_many(stack, daemon, NEVER_READ, receive_buffer_bytes=4096), request)
                self.serve_modestly(sessions)
        self.assert_whole(daemon, sessions)

    def test_all_of_it_at_once(self):
        daemon, sessions = self.full_daemon()
        with self.abuse(daemon, "all of it at once") as stack:
            send_what_fits(self.connect_many(stack, daemon, 300), b"set half:sent 0 0 %d\r\n" % MIB + b"h" * (MIB // 2))
            send_what_fits(self.connect_many(stack, daemon, 300), b"set half:sent 0 0 16384\r\n" + b"v" * 16000)
            readers = self.connect_many(stack, daemon, 100, receive_buffer_bytes=4096)
            send_what_fits(readers, b"get large:0 large:1 large:2\r\n" * 20)
            for _ in range(5):
                self.serve_modestly(sessions)
        self.assert_whole(daemon, sessions)


if __name__ == "__main__":
    unittest.main()
