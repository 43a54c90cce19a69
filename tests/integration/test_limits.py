"""Limits: connections, descriptors, and the times that a client may take."""

import os
import resource
import socket
import time
import unittest

from integration_case import IntegrationCase
from sessiond_process import Conversation, ConversationError

MIB = 1 << 20


class FarewellTest(IntegrationCase):
    def test_the_last_reply_ends_in_order(self):
        """Though the daemon has not read all that was sent: a reset could overtake the reply."""
        daemon = self.start()
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=20) as client:
            client.sendall(b"bogus\r\n" + b"x" * 500_000)
            received = b""
            while piece := client.recv(65536):  # raises where the connection was reset
                received += piece
        self.assertEqual(received, b"ERROR\r\n")


class ConnectionLimitTest(IntegrationCase):
    def fill(self, daemon, count):
        held = [self.connect(daemon) for _ in range(count)]
        for conversation in held:
            conversation.expect_open()
        return held

    def test_too_many_connections(self):
        """B73"""
        daemon = self.start("--max-connections", "20")
        held = self.fill(daemon, 20)
        for _ in range(30):
            with daemon.connect() as refused:
                self.assertEqual(refused.read_line(), "ERROR Too many open connections")
                refused.expect_closed()
        for conversation in held:
            conversation.expect_open()
        held[0].close()
        self.wait_until(lambda: self.is_served(daemon), "a place is free again")
        self.assertEqual(held[1].stats()["rejected_connections"].isdigit(), True)
        self.assertGreaterEqual(int(held[1].stats()["rejected_connections"]), 30)

    def is_served(self, daemon):
        with daemon.connect() as conversation:
            conversation.send_line("version")
            return conversation.read_line().startswith("VERSION")

    def test_the_limit_counts_over_all_workers_and_listeners(self):
        path = self.path("data.sock")
        daemon = self.start(
            "--max-connections", "7", "--threads", "3", "--listen", "127.0.0.1:0", "--listen", f"unix:{path}"
        )
        self.fill(daemon, 7)
        for address in daemon.addresses:
            with self.subTest(address), Conversation(address) as refused:
                self.assertEqual(refused.read_line(), "ERROR Too many open connections")

    def test_limit_is_lowered_to_what_descriptors_allow(self):
        daemon = self.start(
            "--max-connections", "5000",
            popen={"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))},
        )
        stats = daemon.stats()
        limit = int(stats["max_connections"])
        self.assertLess(limit, 128)
        self.assertGreater(limit, 32)
        daemon.wait_for_stderr(r"max-connections")
        self.assertEqual(daemon.stderr_text().count("max-connections"), 1)
        self.wait_until(lambda: int(daemon.stats()["curr_connections"]) <= 3, "only this one is open")
        held = [self.connect(daemon) for _ in range(limit)]
        held[0].expect_open()

        def is_full():
            # A connection of before may still have counted when one of these came: then it was refused.
            n_open = int(held[0].stats()["curr_connections"])
            if n_open < limit:
                held.append(self.connect(daemon))
            return n_open == limit

        self.wait_until(is_full, "all places are taken")
        with daemon.connect() as refused:
            self.assertEqual(refused.read_line(), "ERROR Too many open connections")

    def test_out_of_descriptors_pauses_accepting(self):
        """B74: waits, does not spin, and goes on when there are descriptors again."""
        daemon = self.start()
        held = self.fill(daemon, 3)
        _, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (self.n_descriptors(daemon), hard))
        waiting = [self.connect(daemon) for _ in range(20)]
        for conversation in waiting:
            conversation.send_line("version")
        daemon.wait_for_stderr(r"(?i)descriptor|open files|EMFILE")
        used_s = daemon.cpu_seconds()
        began = time.monotonic()
        while time.monotonic() - began < 1.0:  # the span over which CPU time is measured
            for conversation in held:
                conversation.expect_open()
            time.sleep(0.1)
        self.assertLess(daemon.cpu_seconds() - used_s, 0.4, "spins on accept")
        self.assertLess(len(daemon.stderr_text()), 20_000, "floods the log")
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (hard, hard))
        for conversation in waiting:
            self.assertEqual(conversation.read_line(), "VERSION 1.6.18")

    def n_descriptors(self, daemon):
        return max(int(name) for name in os.listdir(f"/proc/{daemon.pid}/fd")) + 1


class TimeLimitTest(IntegrationCase):
    """Real time, short limits: what must close does so within the bound, what may stay is asked afterwards."""

    LIMIT_S = 1
    BOUND_S = 12

    def assert_closes_in_time(self, conversation, began):
        """Not before the limit, and not long after."""
        conversation.read_to_close(timeout_s=self.BOUND_S)
        self.assertGreater(time.monotonic() - began, self.LIMIT_S * 0.9)

    def test_partial_command(self):
        """B69"""
        daemon = self.start("--command-timeout", "1s")
        idle = self.connect(daemon)
        idle.expect_open()
        silent_from_the_start = self.connect(daemon)
        began = time.monotonic()
        stalled = [self.connect(daemon) for _ in range(3)]
        for conversation, part in zip(stalled, ("g", "get stal", "get stalled\r"), strict=True):
            conversation.send(part)
        for conversation in stalled:
            self.assert_closes_in_time(conversation, began)
        idle.expect_open()
        silent_from_the_start.expect_open()

    def test_partial_command_byte_by_byte(self):
        """B69: a byte now and then does not prolong the limit."""
        daemon = self.start("--command-timeout", "1s")
        slow = self.connect(daemon)
        began = time.monotonic()
        with self.assertRaises((ConnectionResetError, BrokenPipeError, ConversationError)):
            slow.send("get ")
            while time.monotonic() - began < self.BOUND_S:
                slow.send("k")
                slow.socket.settimeout(0.1)
                try:
                    if slow.socket.recv(100) == b"":
                        raise ConversationError("closed")
                except TimeoutError:
                    pass
        self.assertLess(time.monotonic() - began, self.BOUND_S)
        self.assertGreater(time.monotonic() - began, self.LIMIT_S * 0.9)

    def test_partial_command_after_good_ones(self):
        daemon = self.start("--command-timeout", "1s")
        conversation = self.connect(daemon)
        began = time.monotonic()
        conversation.send("version\r\nversion\r\nget unfin")
        self.assertEqual(conversation.read_line(), "VERSION 1.6.18")
        self.assertEqual(conversation.read_line(), "VERSION 1.6.18")
        self.assert_closes_in_time(conversation, began)

    def test_partial_value(self):
        """B32: the old value stays, nothing is left."""
        daemon = self.start("--value-timeout", "1s", "--command-timeout", "1s")
        other = self.connect(daemon)
        self.assertEqual(other.set("stalled", "old"), "STORED")
        began = time.monotonic()
        stalled = []
        for announced, sent in ((10, 0), (10, 5), (10, 10), (10, 11), (20_000, 0), (20_000, 15_000)):
            conversation = self.connect(daemon)
            conversation.send(f"set stalled 0 0 {announced}\r\n".encode() + (b"x" * announced + b"\r")[:sent])
            stalled.append(conversation)
        for conversation in stalled:
            self.assert_closes_in_time(conversation, began)
        self.assertEqual(other.get("stalled"), b"old")
        self.assertEqual(daemon.stats()["curr_items"], "1")

    def test_partial_value_that_is_swallowed(self):
        daemon = self.start("--value-timeout", "1s", "--command-timeout", "1s", "--max-value", "1k")
        began = time.monotonic()
        stalled = self.connect(daemon)
        stalled.send("set stalled 0 0 2000\r\nabc")
        self.assert_closes_in_time(stalled, began)

    def test_a_large_value_may_take_longer(self):
        """16 KiB/s beyond the limit: 160 KiB have ten seconds more."""
        daemon = self.start("--value-timeout", "1s")
        slow = self.connect(daemon)
        slow.send("set slow 0 0 163840\r\n")
        for _ in range(16):
            slow.send(b"x" * 10_240)
            time.sleep(0.15)  # the pace is what is tested
        slow.send("\r\n")
        self.assertEqual(slow.read_line(), "STORED")

    def test_idle(self):
        daemon = self.start("--idle-timeout", "1s")
        began = time.monotonic()
        idle, silent, busy = (self.connect(daemon) for _ in range(3))
        idle.expect_open()
        while time.monotonic() - began < 2.5:
            busy.expect_open()
            time.sleep(0.1)
        self.assert_closes_in_time(idle, began)
        self.assert_closes_in_time(silent, began)
        busy.expect_open()

    def test_no_limit_for_the_idle_by_default(self):
        daemon = self.start()
        idle = self.connect(daemon)
        idle.expect_open()
        daemon.move_clock(90 * 86400)
        daemon.wait_for_stat("curr_connections", lambda count: count >= 2)
        time.sleep(0.5)  # an absence: there is nothing to await
        idle.expect_open()

    def test_reader_without_progress(self):
        daemon = self.start("--memory", "64m", "--output-timeout", "1s")
        other = self.connect(daemon)
        self.assertEqual(other.set("large", b"x" * MIB), "STORED")
        stuck, steady = (self.connect(daemon, receive_buffer_bytes=4096) for _ in range(2))
        began = time.monotonic()
        for reader in (stuck, steady):
            reader.send("get large\r\n" * 64)
            reader.read_exactly(1)
        due = 64 * len(b"VALUE large 0 %d\r\n\r\nEND\r\n" % MIB) + 64 * MIB - 1
        while time.monotonic() - began < 3.0:  # well over the limit, but never without progress for so long
            steady.read_exactly(1_000_000)
            due -= 1_000_000
            time.sleep(0.1)
        self.wait_until(lambda: int(daemon.stats()["curr_connections"]) <= 3, "the stuck reader is closed")
        self.assertLess(len(stuck.read_to_close()), 64 * MIB)
        steady.read_exactly(due)
        steady.expect_open()
        other.expect_open()


if __name__ == "__main__":
    unittest.main()
