"""Clients that read slowly, write slowly, or leave in the middle: they hold up nobody, and cost little."""

import os
import resource
import threading
import time
import unittest

from integration_case import IntegrationCase, is_sanitized

MIB = 1 << 20
N_VALUES = 64
PROMPT_S = 5.0  # what counts as served at once, on a loaded machine


class SlowClientsTest(IntegrationCase):
    def assert_prompt(self, conversation):
        """Another client is served at once."""
        began = time.monotonic()
        for number in range(100):
            self.assertEqual(conversation.set("prompt", str(number)), "STORED")
            self.assertEqual(conversation.get("prompt"), str(number).encode())
        self.assertLess(time.monotonic() - began, PROMPT_S)

    def assert_resident_growth_below(self, daemon, before, bound):
        grown = daemon.resident_bytes() - before
        if not is_sanitized():
            self.assertLess(grown, bound, f"{grown / MIB:.1f} MiB")

    def store_values(self, daemon, n_keys, size):
        values = {f"large:{number}": bytes([number + 32]) * size for number in range(n_keys)}
        with daemon.connect() as conversation:
            for key, value in values.items():
                self.assertEqual(conversation.set(key, value), "STORED")
        return values

    # --- slow readers --------------------------------------------------------------------------

    def slow_reader(self, request_of_keys):
        daemon = self.start("--threads", "1", "--memory", "256m")
        values = self.store_values(daemon, 8, MIB)
        before = daemon.resident_bytes()
        reader = self.connect(daemon, receive_buffer_bytes=4096)
        keys = [f"large:{number % 8}" for number in range(N_VALUES)]
        reader.send(request_of_keys(keys))
        reader.read_exactly(1)  # the daemon is at it
        other = self.connect(daemon)
        self.assert_prompt(other)
        self.assert_resident_growth_below(daemon, before, 8 * MIB)
        used_s = daemon.cpu_seconds()
        time.sleep(0.5)  # the span over which CPU time is measured: nothing can be awaited
        self.assertLess(daemon.cpu_seconds() - used_s, 0.2, "spins while the reader does not read")
        return reader, keys, values, other

    def test_one_get_of_64_mib_not_read(self):
        reader, keys, values, other = self.slow_reader(lambda keys: f"get {' '.join(keys)}\r\n")
        self.assertEqual(reader.read_exactly(4), b"ALUE")
        for position, key in enumerate(keys):
            head = reader.read_line()
            self.assertEqual(head, f"{'' if position == 0 else 'VALUE'} {key} 0 {MIB}")
            self.assertEqual(reader.read_exactly(MIB + 2), values[key] + b"\r\n")
            if position == N_VALUES // 2:
                self.assert_prompt(other)
        self.assertEqual(reader.read_line(), "END")
        reader.expect_open()

    def test_64_gets_of_a_mib_not_read(self):
        reader, keys, values, _ = self.slow_reader(lambda keys: "".join(f"get {key}\r\n" for key in keys))
        self.assertEqual(reader.read_exactly(4), b"ALUE")
        for position, key in enumerate(keys):
            self.assertEqual(reader.read_line(), f"{'' if position == 0 else 'VALUE'} {key} 0 {MIB}")
            self.assertEqual(reader.read_exactly(MIB + 2), values[key] + b"\r\n")
            self.assertEqual(reader.read_line(), "END")
        reader.expect_open()

    def test_values_change_while_they_are_read(self):
        # Each value arrives whole, one version or the other; which one is the daemon's choice.
        daemon = self.start("--threads", "2", "--memory", "256m")
        self.store_values(daemon, 1, MIB)
        reader = self.connect(daemon, receive_buffer_bytes=4096)
        reader.send("get large:0\r\n" * 32)
        reader.read_exactly(1)
        writer = self.connect(daemon)
        for version in range(20):
            self.assertEqual(writer.set("large:0", bytes([65 + version]) * MIB), "STORED")
        self.assertEqual(writer.ask("delete large:0"), "DELETED")
        seen = 0
        self.assertEqual(reader.read_line(), f"ALUE large:0 0 {MIB}")
        while True:
            value = reader.read_exactly(MIB + 2)
            self.assertEqual(value, value[:1] * MIB + b"\r\n")
            self.assertEqual(reader.read_line(), "END")
            seen += 1
            line = reader.read_line() if seen < 32 else "END"
            if line == "END":
                break
            self.assertEqual(line, f"VALUE large:0 0 {MIB}")
        for _ in range(32 - seen - 1):
            self.assertEqual(reader.read_line(), "END")
        reader.expect_open()

    def test_many_slow_readers(self):
        daemon = self.start("--threads", "2", "--memory", "256m")
        values = self.store_values(daemon, 1, MIB)
        before = daemon.resident_bytes()
        readers = [self.connect(daemon, receive_buffer_bytes=4096) for _ in range(30)]
        for reader in readers:
            reader.send("get large:0\r\n" * 20)
        for reader in readers:
            reader.read_exactly(1)
        self.assert_prompt(self.connect(daemon))
        self.assert_resident_growth_below(daemon, before, 64 * MIB)
        expected = (b"VALUE large:0 0 %d\r\n" % MIB + values["large:0"] + b"\r\nEND\r\n")
        for reader in readers[:5]:
            self.assertEqual(reader.read_exactly(len(expected) - 1), expected[1:])
        for reader in readers[5:15]:
            reader.reset()
        for reader in readers[15:]:
            reader.close()
        self.assert_prompt(self.connect(daemon))
        daemon.wait_for_stat("curr_connections", lambda count: count <= 10)

    def test_half_close_with_8_mib_of_replies_pending(self):
        """B70"""
        daemon = self.start("--memory", "256m")
        values = self.store_values(daemon, 8, MIB)
        reader = self.connect(daemon, receive_buffer_bytes=4096)
        reader.send("".join(f"get {key}\r\n" for key in values))
        reader.shutdown_write()
        wanted = b"".join(
            b"VALUE %s 0 %d\r\n" % (key.encode(), MIB) + value + b"\r\nEND\r\n" for key, value in values.items()
        )
        self.assertEqual(reader.read_to_close(), wanted)

    def test_reset_with_replies_pending(self):
        """B71"""
        daemon = self.start("--memory", "256m")
        self.store_values(daemon, 4, MIB)
        for _ in range(20):
            reader = daemon.connect(receive_buffer_bytes=4096)
            reader.send("get large:0 large:1 large:2 large:3\r\n" * 4)
            reader.read_exactly(1)
            reader.reset()
        self.assert_prompt(self.connect(daemon))

    # --- slow writers --------------------------------------------------------------------------

    def test_two_large_values_interleaved(self):
        daemon = self.start("--threads", "1")
        one, two, other = self.connect(daemon), self.connect(daemon), self.connect(daemon)
        self.assertEqual(other.set("slow", "old"), "STORED")
        piece = 10_000
        one.send_line(f"set slow 1 0 {40 * piece}")
        two.send_line(f"set slow 2 0 {40 * piece}")
        for _ in range(40):
            one.send(b"1" * piece)
            two.send(b"2" * piece)
            self.assertEqual(other.get("slow"), b"old")
        self.assert_prompt(other)
        two.send("\r\n")
        self.assertEqual(two.read_line(), "STORED")
        self.assertEqual(other.get("slow"), b"2" * 40 * piece)
        one.send("\r\n")
        self.assertEqual(one.read_line(), "STORED")
        self.assertEqual(other.get("slow"), b"1" * 40 * piece)

    def test_add_decides_when_the_value_is_whole(self):
        daemon = self.start()
        slow, other = self.connect(daemon), self.connect(daemon)
        slow.send("add slow 0 0 30000\r\n" + "a" * 20000)
        self.assertEqual(other.store("add", "slow", "fast"), "STORED")
        slow.send("a" * 10000 + "\r\n")
        self.assertEqual(slow.read_line(), "NOT_STORED")
        self.assertEqual(other.get("slow"), b"fast")

    def test_leaving_in_the_value_leaves_nothing(self):
        """B31"""
        daemon = self.start("--threads", "1", "--memory", "64m")
        other = self.connect(daemon)
        self.assertEqual(other.set("kept", "old"), "STORED")
        used = int(daemon.stats()["bytes"])
        for leave in ("close", "reset", "shutdown_write"):
            for sent in (0, 1, 100_000, MIB - 1, MIB, MIB + 1):
                for key in ("kept", "new"):
                    writer = self.connect(daemon)
                    writer.send(f"set {key} 0 0 {MIB}\r\n".encode() + (b"x" * MIB + b"\r")[:sent])
                    getattr(writer, leave)()
                    if leave == "shutdown_write":
                        writer.expect_closed()
        daemon.wait_for_stat("curr_connections", lambda count: count <= 4)
        self.assertEqual(other.get("kept"), b"old")
        self.assertIsNone(other.get("new"))
        stats = daemon.stats()
        self.assertEqual(stats["curr_items"], "1")
        self.assertEqual(int(stats["bytes"]), used)

    def test_values_of_clients_that_left_make_room(self):
        """B31: more half-sent values than fit into the memory for values on their way; what they hold back
        besides fits into connection-memory, else who asks next would be closed."""
        daemon = self.start("--threads", "1", "--memory", "128m", "--connection-memory", "24m")
        for leave in ("close", "reset", "shutdown_write"):
            with self.subTest(leave):
                gone = [self.connect(daemon) for _ in range(60)]
                for number, writer in enumerate(gone):
                    writer.send(b"set gone:%d 0 0 %d\r\n" % (number, MIB))
                # Without reading, the daemon takes of each what fits; the rest waits in sockets, so send in threads.
                senders = [threading.Thread(target=self.send_and_leave, args=(writer, leave)) for writer in gone]
                for sender in senders:
                    sender.start()
                for sender in senders:
                    sender.join(30)
                    self.assertFalse(sender.is_alive(), "a sender hangs")
                writer = self.connect(daemon)
                self.assertEqual(writer.set("fresh", b"f" * MIB), "STORED")

    def send_and_leave(self, writer, leave):
        try:
            writer.send(b"g" * (MIB - 1000))
            getattr(writer, leave)()
        except OSError:
            pass  # the daemon may have had enough of it

    def test_more_values_on_their_way_than_fit(self):
        """Each waits for its turn, and none for ever: they must not wait for each other."""
        daemon = self.start("--threads", "2", "--memory", "128m", "--value-timeout", "1h")
        writers = [self.connect(daemon, timeout_s=30) for _ in range(60)]
        for number, writer in enumerate(writers):
            writer.send(b"set way:%d 0 0 %d\r\n" % (number, MIB) + b"w" * 500_000)
        replies = [None] * len(writers)

        def finish(number):
            try:
                writers[number].send(b"w" * (MIB - 500_000) + b"\r\n")
                replies[number] = writers[number].read_line()
            except (AssertionError, OSError) as error:
                replies[number] = str(error)

        senders = [threading.Thread(target=finish, args=(number,)) for number in range(len(writers))]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(40)
            self.assertFalse(sender.is_alive(), "a sender hangs")
        self.assertEqual(replies, ["STORED"] * len(writers))

    def test_announcing_costs_nothing(self):
        """B33: memory is charged as bytes arrive, not as they are announced."""
        daemon = self.start("--memory", "1g")
        before = daemon.resident_bytes()
        writers = [self.connect(daemon) for _ in range(500)]
        for number, writer in enumerate(writers):
            writer.send(f"set announced:{number} 0 0 {MIB}\r\n")
        other = self.connect(daemon)
        self.assert_prompt(other)
        daemon.wait_for_stat("curr_connections", lambda count: count >= 500)
        self.assert_resident_growth_below(daemon, before, 24 * MIB)
        for number in (0, 499):
            writers[number].send(b"y" * MIB + b"\r\n")
            self.assertEqual(writers[number].read_line(), "STORED")
            self.assertEqual(other.get(f"announced:{number}"), b"y" * MIB)

    # --- endless lines and streams -------------------------------------------------------------

    def test_endless_get_line_takes_no_memory(self):
        """B17: 64 MiB of keys without a line end."""
        daemon = self.start("--threads", "1")
        writer = self.connect(daemon)
        writer.send("get")
        before = daemon.resident_bytes()
        keys = b" 0123456789abcdef0123456789abcdef" * 32768
        for _ in range(64 * MIB // len(keys)):
            writer.send(keys)
        self.assert_resident_growth_below(daemon, before, 2 * MIB)
        writer.send("\r\n")
        self.assertEqual(writer.read_line(), "END")
        writer.expect_open()

    def test_endless_streams_are_closed(self):
        """B16, T-SEC-03: 64 MiB of letters or NULs without a line end."""
        daemon = self.start("--threads", "1")
        for junk in (b"x", b"\0", b" "):
            with self.subTest(junk):
                before = daemon.resident_bytes()
                writer = self.connect(daemon)
                writer.expect_open()
                sent = 0
                try:
                    while sent < 64 * MIB:
                        writer.send(junk * 65536)
                        sent += 65536
                except (ConnectionResetError, BrokenPipeError):
                    pass
                self.assertLess(sent, 64 * MIB, "the daemon read on")
                self.assertEqual(writer.read_to_close(), b"CLIENT_ERROR line too long\r\n")
                self.assert_resident_growth_below(daemon, before, 2 * MIB)

    def test_a_hundred_thousand_sets_without_reply_then_close(self):
        """B53"""
        daemon = self.start("--threads", "1")
        writer = self.connect(daemon)
        for start in range(0, 100_000, 10_000):
            writer.send("".join(f"set row:{number} 0 0 4 noreply\r\ndata\r\n" for number in range(start, start + 10_000)))
        writer.close()
        daemon.wait_for_stat("curr_items", 100_000)

    def test_connections_come_and_go(self):
        """B72: no descriptor is left."""
        daemon = self.start()
        keeper = self.connect(daemon)
        keeper.expect_open()
        # The journal opens its next file a little after the start.
        daemon.wait_for_stat("journal_segments", lambda count: count >= 2, section="journal")
        before = len(os.listdir(f"/proc/{daemon.pid}/fd"))
        for number in range(2000):
            with daemon.connect() as visitor:
                if number % 3 == 0:
                    visitor.expect_open()
                elif number % 3 == 1:
                    visitor.send("get half a li")
        self.wait_until(
            lambda: len(os.listdir(f"/proc/{daemon.pid}/fd")) <= before, "every descriptor is closed again"
        )
        keeper.expect_open()

    def test_a_thousand_garbage_clients(self):
        """T-SEC-18: the good client is served meanwhile."""
        daemon = self.start()
        stop = threading.Event()
        failures = []

        def babble():
            while not stop.is_set():
                try:
                    with daemon.connect() as babbler:
                        babbler.send(os.urandom(300) + b"\r\nversion\r\n")
                        babbler.read_to_close(timeout_s=10)
                except OSError:
                    pass
                except AssertionError as error:
                    failures.append(error)
                    return

        babblers = [threading.Thread(target=babble) for _ in range(4)]
        for babbler in babblers:
            babbler.start()
        try:
            good = self.connect(daemon)
            for _ in range(5):
                self.assert_prompt(good)
        finally:
            stop.set()
            for babbler in babblers:
                babbler.join(30)
        self.assertEqual(failures, [])


def setUpModule():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))


if __name__ == "__main__":
    unittest.main()
