"""Many clients on few keys: every reply belongs to its request, every value is whole. Runs under TSan, too."""

import os
import random
import threading
import time
import unittest

from integration_case import IntegrationCase, is_sanitized

N_CLIENTS = 50
N_KEYS = 20
BATCHES = 12 if is_sanitized() else 30
REQUESTS_IN_A_BATCH = 30
LENGTHS = (1, 30, 300, 2000, 16_383, 16_384, 16_385, 60_000)


def make_value(key, author, length):
    """A value that shows what it is: key, author, and a filler of one letter to its end."""
    head = f"{key}|{author}|{length}|".encode()
    return head + bytes([97 + author % 26]) * length


def check_value(key, value):
    name, author, length, filler = value.split(b"|")
    if name.decode() != key or filler != bytes([97 + int(author) % 26]) * int(length):
        raise AssertionError(f"value of {key!r} is {value[:80]!r}... of {len(value)} bytes")


class ConcurrencyTest(IntegrationCase):
    def run_clients(self, work, count=N_CLIENTS):
        """work(number) in as many threads; the first failure is raised."""
        failures = []
        barrier = threading.Barrier(count)

        def run(number):
            try:
                barrier.wait(60)
                work(number)
            except BaseException as error:  # handed to the main thread
                failures.append(error)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
            self.assertFalse(thread.is_alive(), "a client hangs")
        if failures:
            raise failures[0]

    def hammer(self, daemon, number):
        """Batches of pipelined requests, each reply checked against its request."""
        choice = random.Random(number)
        with daemon.connect(timeout_s=60) as conversation:
            for _ in range(BATCHES):
                requests = [self.request(choice, number) for _ in range(REQUESTS_IN_A_BATCH)]
                conversation.send(b"".join(request for request, _ in requests))
                for _, check in requests:
                    check(conversation)

    def request(self, choice, number):
        key = f"shared:{choice.randrange(N_KEYS)}"
        kind = choice.choice(("get", "gets", "multi", "set", "add", "replace", "touch", "delete", "kill", "quiet"))
        value = make_value(key, number, choice.choice(LENGTHS))
        if kind in ("get", "gets"):
            return f"{kind} {key}\r\n".encode(), lambda conversation: self.check_values(conversation, {key})
        if kind == "multi":
            keys = [f"shared:{choice.randrange(N_KEYS)}" for _ in range(5)]
            return f"get {' '.join(keys)}\r\n".encode(), lambda conversation: self.check_values(conversation, set(keys))
        if kind == "quiet":
            return f"set {key} {number} 0 {len(value)} noreply\r\n".encode() + value + b"\r\n", lambda _: None
        if kind in ("set", "add", "replace"):
            allowed = ("STORED",) if kind == "set" else ("STORED", "NOT_STORED")
            line = f"{kind} {key} {number} {choice.choice((0, 1000))} {len(value)}\r\n".encode() + value + b"\r\n"
        elif kind == "delete":
            allowed, line = ("DELETED", "NOT_FOUND"), f"delete {key}\r\n".encode()
        else:
            exptime = -1 if kind == "kill" else 500
            allowed, line = ("TOUCHED", "NOT_FOUND"), f"touch {key} {exptime}\r\n".encode()
        return line, lambda conversation: self.assertIn(conversation.read_line(), allowed)

    def check_values(self, conversation, keys):
        for key, (flags, _, value) in conversation.read_values().items():
            self.assertIn(key, keys)
            check_value(key, value)
            self.assertEqual(flags, int(value.split(b"|")[1]))

    def test_hammer_shared_keys(self):
        daemon = self.start("--threads", "4", "--memory", "128m")
        self.run_clients(lambda number: self.hammer(daemon, number))
        with daemon.connect() as conversation:
            held = 0
            for number in range(N_KEYS):
                key = f"shared:{number}"
                value = conversation.get(key)
                if value is not None:
                    held += 1
                    check_value(key, value)
                    self.assertEqual(conversation.ask(f"delete {key}"), "DELETED")
            self.assertGreater(held, 0)
        daemon.wait_for_stat("curr_items", 0)

    def test_hammer_while_time_passes(self):
        daemon = self.start("--threads", "4", "--memory", "128m")
        done = threading.Event()

        def move_time():
            while not done.wait(0.02):
                daemon.move_clock(100)

        mover = threading.Thread(target=move_time)
        mover.start()
        try:
            self.run_clients(lambda number: self.hammer(daemon, number), count=20)
        finally:
            done.set()
            mover.join()

    def test_own_keys_are_read_as_written(self):
        daemon = self.start("--threads", "4")

        def work(number):
            choice = random.Random(number)
            with daemon.connect(timeout_s=60) as conversation:
                for turn in range(BATCHES * 5):
                    value = make_value(f"own:{number}", turn, choice.choice(LENGTHS))
                    self.assertEqual(conversation.set(f"own:{number}", value), "STORED")
                    self.assertEqual(conversation.get(f"own:{number}"), value)
                self.assertEqual(conversation.ask(f"delete own:{number}"), "DELETED")
                self.assertIsNone(conversation.get(f"own:{number}"))

        self.run_clients(work)
        self.assertEqual(daemon.stats()["curr_items"], "0")

    def test_one_of_many_adds_wins(self):
        daemon = self.start("--threads", "4")
        rounds = 20
        winners = [[] for _ in range(rounds)]

        def work(number):
            with daemon.connect(timeout_s=60) as conversation:
                for turn in range(rounds):
                    if conversation.store("add", f"race:{turn}", str(number)) == "STORED":
                        winners[turn].append(number)

        self.run_clients(work)
        with daemon.connect() as conversation:
            for turn in range(rounds):
                self.assertEqual(len(winners[turn]), 1, f"race {turn}")
                self.assertEqual(conversation.get(f"race:{turn}"), str(winners[turn][0]).encode())

    def test_one_of_many_deletes_wins(self):
        daemon = self.start("--threads", "4")
        rounds = 200
        deleted = [0] * N_CLIENTS
        with daemon.connect() as conversation:
            for turn in range(rounds):
                self.assertEqual(conversation.set(f"once:{turn}", "x"), "STORED")

        def work(number):
            with daemon.connect(timeout_s=60) as conversation:
                conversation.send("".join(f"delete once:{turn}\r\n" for turn in range(rounds)))
                deleted[number] = sum(conversation.read_line() == "DELETED" for _ in range(rounds))

        self.run_clients(work)
        self.assertEqual(sum(deleted), rounds)
        stats = daemon.stats()
        self.assertEqual(int(stats["delete_hits"]), rounds)
        self.assertEqual(int(stats["delete_misses"]), rounds * (N_CLIENTS - 1))

    def test_a_deleted_key_is_gone_for_all(self):
        # After DELETED is read, no client may see the value, whichever worker serves it.
        daemon = self.start("--threads", "4")
        readers = [self.connect(daemon) for _ in range(8)]
        writer = self.connect(daemon)
        for turn in range(100):
            self.assertEqual(writer.set("gone", "x" * (turn * 300)), "STORED")
            for reader in readers:
                self.assertEqual(reader.get("gone"), b"x" * (turn * 300))
            self.assertEqual(writer.ask("delete gone"), "DELETED")
            for reader in readers:
                self.assertIsNone(reader.get("gone"))

    def test_ids_never_repeat(self):
        daemon = self.start("--threads", "4")
        seen = [[] for _ in range(10)]

        def work(number):
            with daemon.connect(timeout_s=60) as conversation:
                for _ in range(200):
                    self.assertEqual(conversation.set(f"ids:{number}", "x"), "STORED")
                    conversation.send_line(f"gets ids:{number}")
                    seen[number].append(conversation.read_values()[f"ids:{number}"][1])

        self.run_clients(work, count=10)
        for ids in seen:
            self.assertEqual(len(set(ids)), 200)

    def test_two_connections_use_two_workers(self):
        daemon = self.start("--threads", "2")
        connections = [self.connect(daemon, timeout_s=60) for _ in range(2)]
        for conversation in connections:
            conversation.expect_open()
        before = self.thread_times_ns(daemon)
        request, reply = b"get spread\r\n" * 1000, b"END\r\n" * 1000
        for _ in range(50):
            for conversation in connections:
                conversation.send(request)
            for conversation in connections:
                self.assertEqual(conversation.read_exactly(len(reply)), reply)
        after = self.thread_times_ns(daemon)
        used = sorted(after[thread] - before.get(thread, 0) for thread in after)
        self.assertGreater(used[-2], 0.2 * used[-1], f"threads used {used} ns")

    def thread_times_ns(self, daemon):
        times = {}
        for thread in os.listdir(f"/proc/{daemon.pid}/task"):
            with open(f"/proc/{daemon.pid}/task/{thread}/schedstat", encoding="ascii") as file:
                times[thread] = int(file.read().split()[0])
        return times

    def test_a_busy_client_does_not_starve_its_neighbour(self):
        daemon = self.start("--threads", "1")
        done = threading.Event()
        failures = []

        def flood():
            try:
                with daemon.connect(timeout_s=60) as conversation:
                    self.assertEqual(conversation.set("busy", b"x" * 10_000), "STORED")
                    reply = len(b"VALUE busy 0 10000\r\n" + b"x" * 10_000 + b"\r\nEND\r\n")
                    while not done.is_set():
                        conversation.send("get busy\r\n" * 2000)
                        conversation.read_exactly(reply * 2000)
            except BaseException as error:  # handed to the main thread
                failures.append(error)

        flooder = threading.Thread(target=flood)
        flooder.start()
        try:
            quiet = self.connect(daemon)
            slowest_s = 0.0
            for _ in range(50):
                began = time.monotonic()
                quiet.expect_open()
                slowest_s = max(slowest_s, time.monotonic() - began)
        finally:
            done.set()
            flooder.join(60)
        self.assertEqual(failures, [])
        self.assertLess(slowest_s, 5.0 if is_sanitized() else 1.0)


if __name__ == "__main__":
    unittest.main()
