"""Connections that are ready together receive first and run then: each has its own replies, whatever the others do.

The daemon is stopped while they send, so that all are ready when it goes on.
"""

import signal
import threading
import unittest

from integration_case import IntegrationCase, SessiondProcess

N_CLIENTS = 40  # more than one round has room for
LONG_S = 1000
LARGE = 100_000  # received straight into its place


class ReadyTogetherTest(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.daemon = self.start("--threads", "1", "--flush-all", "allow")
        self.conversations = [self.connect(self.daemon) for _ in range(N_CLIENTS)]
        for number, conversation in enumerate(self.conversations):
            self.assertEqual(conversation.set(f"k{number}", f"v{number}", LONG_S), "STORED")

    def send_together(self, *requests):
        """A request for each of the first clients; they are all there before the daemon looks."""
        self.daemon.signal(signal.SIGSTOP)
        try:
            for conversation, request in zip(self.conversations, requests):
                if request is None:
                    conversation.reset()
                else:
                    conversation.send(request)
        finally:
            self.daemon.signal(signal.SIGCONT)

    def value_line(self, number):
        value = f"v{number}"
        return f"VALUE k{number} 0 {len(value)}\r\n{value}\r\n".encode()

    def expect(self, number, reply):
        self.assertEqual(self.conversations[number].read_exactly(len(reply)), reply, number)

    def expect_all_in_step(self):
        """Nothing is left over, and nothing is missing."""
        for number, conversation in enumerate(self.conversations):
            if conversation is not None:
                self.assertEqual(conversation.get(f"k{number}"), f"v{number}".encode())

    def test_each_has_its_own_reply(self):
        self.send_together(*(f"get k{number}\r\n" for number in range(N_CLIENTS)))
        for number in range(N_CLIENTS):
            self.expect(number, self.value_line(number) + b"END\r\n")
        self.expect_all_in_step()

    def test_pipelines_of_all_lengths(self):
        """One that is longer than what is parsed ahead, beside short ones, empty lines, and a request that is cut."""
        counts = [1 + number * 7 % 45 for number in range(N_CLIENTS)]
        self.send_together(*(f"get k{number}\r\n" * count + "get k" for number, count in enumerate(counts)))
        for number, count in enumerate(counts):
            self.expect(number, (self.value_line(number) + b"END\r\n") * count)
            self.conversations[number].send(f"{number}\r\n")
            self.expect(number, self.value_line(number) + b"END\r\n")
        self.expect_all_in_step()

    def test_changes_run_in_their_order(self):
        """Of requests on one key, however they are spread, each sees what those before it did."""
        self.send_together(*(f"append shared 0 {LONG_S} 1\r\nx\r\nadd shared 0 {LONG_S} 1\r\n{number % 10}\r\n"
                             f"append shared 0 {LONG_S} 1\r\n{number % 10}\r\n" for number in range(N_CLIENTS)))
        replies = [[conversation.read_line() for _ in range(3)] for conversation in self.conversations]
        self.assertEqual(sum(reply[1] == "STORED" for reply in replies), 1)
        for first, added, second in replies:
            self.assertEqual((first, second), ("NOT_STORED" if added == "STORED" else "STORED", "STORED"))
        self.assertEqual(len(self.conversations[0].get("shared")), 1 + 2 * N_CLIENTS - 1)

    def test_one_that_breaks_takes_nobody_along(self):
        requests = [f"get k{number}\r\n" for number in range(N_CLIENTS)]
        broken = (0, 7, 8, 20, N_CLIENTS - 1)
        for number in broken:
            requests[number] = None
        self.send_together(*requests)
        for number in range(N_CLIENTS):
            if number in broken:
                self.conversations[number] = None
            else:
                self.expect(number, self.value_line(number) + b"END\r\n")
        self.expect_all_in_step()

    def test_one_that_ends_is_alone_in_it(self):
        """quit, an error that closes, and a large value among those that go on."""
        requests = [f"get k{number}\r\n" for number in range(N_CLIENTS)]
        requests[3] = "get k3\r\nquit\r\nget k3\r\n"
        requests[4] = "set k4 0 0 nonsense\r\nget k4\r\n"
        requests[5] = f"set large 0 {LONG_S} {LARGE}\r\n" + "x" * (LARGE // 2)
        requests[6] = "flush_all 1000\r\nget k6\r\n"
        self.send_together(*requests)
        for number in range(N_CLIENTS):
            if number not in (3, 4, 5, 6):
                self.expect(number, self.value_line(number) + b"END\r\n")
        self.expect(3, self.value_line(3) + b"END\r\n")
        self.conversations[3].expect_closed()
        self.assertIn("CLIENT_ERROR", self.conversations[4].read_line())
        self.conversations[4].expect_closed()
        self.expect(6, b"OK\r\n" + self.value_line(6) + b"END\r\n")
        self.conversations[5].send("x" * (LARGE - LARGE // 2) + "\r\n")
        self.assertEqual(self.conversations[5].read_line(), "STORED")
        self.assertEqual(self.conversations[5].get("large"), b"x" * LARGE)
        self.conversations[3] = self.conversations[4] = None
        self.expect_all_in_step()

    def test_much_input_at_once(self):
        """More than a round's input: the rest has the next round."""
        block = 9000
        self.send_together(*(f"set k{number} 0 {LONG_S} {block}\r\n{'y' * block}\r\nget k{number}\r\n"
                             for number in range(N_CLIENTS)))
        for number in range(N_CLIENTS):
            self.expect(number, f"STORED\r\nVALUE k{number} 0 {block}\r\n{'y' * block}\r\nEND\r\n".encode())
        for number, conversation in enumerate(self.conversations):
            self.assertEqual(conversation.set(f"k{number}", f"v{number}", LONG_S), "STORED")
        self.expect_all_in_step()

    def test_values_that_wait_for_room(self):
        """Large values stall, with a part of them received, while others take the room; their bytes are no requests."""
        size = 250_000
        value = ("set evil 0 0 1\r\nx\r\n" * size)[:size]
        with SessiondProcess(["--threads", "1", "--connection-memory", "1m", "--max-value", "300k"]) as daemon:
            writers = [self.connect(daemon, timeout_s=60) for _ in range(12)]
            threads = [threading.Thread(target=writer.send, args=(f"set k{number} 0 {LONG_S} {size}\r\n{value}\r\n",))
                       for number, writer in enumerate(writers)]
            for thread in threads:
                thread.start()
            for number, writer in enumerate(writers):
                self.assertEqual(writer.read_line(), "STORED")
                self.assertEqual(writer.get(f"k{number}"), value.encode())
            for thread in threads:
                thread.join(60)
            self.assertIsNone(writers[0].get("evil"))

    def test_values_that_wait_with_their_first_bytes_here(self):
        """What came of one with its line is kept until there is room for it, and is no request, whatever it looks like."""
        size, first = 250_000, 60_000
        value = ("get" + " evil" * size)[:size]
        with SessiondProcess(["--threads", "1", "--memory", "16m", "--max-value", "300k"]) as daemon:
            writers = [self.connect(daemon, timeout_s=60) for _ in range(20)]
            for number, writer in enumerate(writers):
                writer.send(f"set k{number} 0 {LONG_S} {size}\r\n{value[:first]}")
            with daemon.connect() as looker:
                self.wait_until(lambda: list(looker.stats("conns").values()).count("conn_io_queue") >= 5,
                                "some wait for room")
            threads = [threading.Thread(target=writer.send, args=(f"{value[first:]}\r\n",)) for writer in writers]
            for thread in threads:
                thread.start()
            for number, writer in enumerate(writers):
                self.assertEqual(writer.read_line(), "STORED")
                writer.expect_open()
                self.assertEqual(writer.get(f"k{number}"), value.encode())
            for thread in threads:
                thread.join(60)


if __name__ == "__main__":
    unittest.main()
