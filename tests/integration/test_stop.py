"""The end: SIGTERM finishes what was received, within a bound, with exit code 0."""

import signal
import threading
import time
import unittest

from integration_case import IntegrationCase
from sessiond_process import Conversation, ConversationError

MIB = 1 << 20
QUICK_S = 15


class StopTest(IntegrationCase):
    def stop_by(self, daemon, number):
        daemon.expect_exit()
        daemon.signal(number)

    def assert_ended(self, daemon, timeout_s=QUICK_S):
        self.assertEqual(daemon.wait(timeout_s), 0, daemon.stderr_text())

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                daemon = self.start()
                idle = self.connect(daemon)
                idle.expect_open()
                self.stop_by(daemon, number)
                idle.expect_closed()
                self.assert_ended(daemon)

    def test_requests_received_are_answered(self):
        for threads in ("1", "2"):
            with self.subTest(threads=threads):
                daemon = self.start("--threads", threads)
                conversation = self.connect(daemon, receive_buffer_bytes=4096)
                value = b"v" * (MIB // 4)
                self.assertEqual(conversation.set("pending", value), "STORED")
                # One send of less than one receive: when the first reply comes, all requests are there.
                conversation.send("get pending\r\n" * 32 + "version\r\n")
                conversation.read_exactly(1)
                self.stop_by(daemon, signal.SIGTERM)
                time.sleep(0.2)  # the daemon is stopping while most replies are still due
                reply = b"VALUE pending 0 %d\r\n" % len(value) + value + b"\r\nEND\r\n"
                everything = conversation.read_to_close()
                self.assertEqual(len(everything), 32 * len(reply) - 1 + len(b"VERSION 1.6.18\r\n"))
                self.assertEqual(b"V" + everything, reply * 32 + b"VERSION 1.6.18\r\n")
                self.assert_ended(daemon)

    def test_requests_that_wait_in_the_socket_are_answered(self):
        """More than one receive of them: all have arrived, though the daemon had no chance to look."""
        daemon = self.start("--threads", "1")
        conversations = [self.connect(daemon) for _ in range(4)]
        for conversation in conversations:
            conversation.expect_open()
        daemon.signal(signal.SIGSTOP)
        request = b"get " + b"n" * 250 + b"\r\n"
        n_requests = 600  # 150 KB, and soon answered by a slow build as well
        for conversation in conversations:
            conversation.send(request * n_requests)
        self.stop_by(daemon, signal.SIGTERM)
        daemon.signal(signal.SIGCONT)
        for conversation in conversations:
            self.assertEqual(len(conversation.read_to_close()), n_requests * len("END\r\n"))
        self.assert_ended(daemon)

    def test_nothing_runs_after_the_farewell(self):
        """What follows a framing error may be session data: the stop must not run it either."""
        daemon = self.start("--threads", "1")
        conversations = [self.connect(daemon) for _ in range(8)]
        for conversation in conversations:
            conversation.send("bogus\r\n")
            self.assertEqual(conversation.read_line(), "ERROR")
        daemon.signal(signal.SIGSTOP)
        for conversation in conversations:
            conversation.send("flush_all\r\n")
        self.stop_by(daemon, signal.SIGTERM)
        daemon.signal(signal.SIGCONT)
        self.assert_ended(daemon)
        self.assertNotIn("flush_all", daemon.stderr_text())

    def test_a_client_that_never_pauses_does_not_hold_the_stop(self):
        daemon = self.start("--threads", "1", "--stop-timeout", "30s")
        flooder = self.connect(daemon)
        flooder.expect_open()
        ended = threading.Event()

        def flood():
            while not ended.is_set():
                try:
                    flooder.socket.sendall(b"set flood 0 0 1 noreply\r\na\r\n" * 500)
                except OSError:
                    return

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            daemon.wait_for_stat("cmd_set", lambda count: count > 1000)
            self.stop_by(daemon, signal.SIGTERM)
            self.assert_ended(daemon)
        finally:
            ended.set()
            thread.join(QUICK_S)

    def test_half_a_request_is_closed(self):
        daemon = self.start()
        command, value = self.connect(daemon), self.connect(daemon)
        command.send("version\r\nget unfini")
        value.send("version\r\nset unfinished 0 0 100000\r\nabc")
        for conversation in (command, value):
            self.assertEqual(conversation.read_line(), "VERSION 1.6.18")
        self.stop_by(daemon, signal.SIGTERM)
        for conversation in (command, value):
            conversation.read_to_close(QUICK_S)
        self.assert_ended(daemon)

    def test_no_new_connection_while_stopping(self):
        daemon = self.start()
        slow = self.connect(daemon, receive_buffer_bytes=4096)
        self.assertEqual(slow.set("large", b"x" * MIB), "STORED")
        slow.send("get large\r\n" * 16)
        slow.read_exactly(1)
        self.stop_by(daemon, signal.SIGTERM)
        self.wait_until(lambda: self.is_refused(daemon.address), "the listener is closed")
        self.assertTrue(daemon.running, "the reader still has replies to get")
        self.assertEqual(len(slow.read_to_close()), 16 * (MIB + len(f"VALUE large 0 {MIB}\r\n\r\nEND\r\n")) - 1)
        self.assert_ended(daemon)

    def is_refused(self, address):
        try:
            with Conversation(address) as conversation:
                conversation.expect_closed()
        except ConnectionRefusedError:
            return True
        except (ConversationError, OSError):
            pass
        return False

    def test_a_reader_that_never_reads_does_not_hold_the_stop(self):
        daemon = self.start("--stop-timeout", "1s")
        stuck = self.connect(daemon, receive_buffer_bytes=4096)
        self.assertEqual(stuck.set("large", b"x" * MIB), "STORED")
        stuck.send("get large\r\n" * 32)
        stuck.read_exactly(1)
        began = time.monotonic()
        self.stop_by(daemon, signal.SIGTERM)
        self.assert_ended(daemon)
        self.assertGreater(time.monotonic() - began, 0.9)

    def test_stop_under_load(self):
        """Whatever was answered was answered whole, and the end is an orderly one."""
        for _ in range(5):
            daemon = self.start()
            clients = [self.connect(daemon) for _ in range(20)]
            for number, client in enumerate(clients):
                client.send(f"set load:{number} 0 0 5\r\nvalue\r\nget load:{number}\r\n" * 200)
            self.stop_by(daemon, signal.SIGTERM)
            for number, client in enumerate(clients):
                turn = b"STORED\r\nVALUE load:%d 0 5\r\nvalue\r\nEND\r\n" % number
                replies = client.read_to_close()
                self.assertTrue((turn * 200).startswith(replies), replies[-100:])
                whole_replies = (b"", b"STORED\r\n")
                self.assertIn(replies[len(replies) // len(turn) * len(turn):], whole_replies)
            self.assert_ended(daemon)

    def test_second_signal_while_stopping(self):
        daemon = self.start("--stop-timeout", "2s")
        stuck = self.connect(daemon, receive_buffer_bytes=4096)
        self.assertEqual(stuck.set("large", b"x" * MIB), "STORED")
        stuck.send("get large\r\n" * 32)
        stuck.read_exactly(1)
        self.stop_by(daemon, signal.SIGTERM)
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGINT)
        self.assert_ended(daemon)

    def test_signal_right_after_the_start(self):
        for _ in range(10):
            daemon = self.start()
            self.stop_by(daemon, signal.SIGTERM)
            self.assert_ended(daemon)

    def test_sighup_and_sigpipe_do_not_end_it(self):
        daemon = self.start()
        conversation = self.connect(daemon)
        daemon.signal(signal.SIGHUP)
        daemon.signal(signal.SIGPIPE)
        conversation.expect_open()
        self.connect(daemon).expect_open()


if __name__ == "__main__":
    unittest.main()
