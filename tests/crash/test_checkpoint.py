"""Checkpoints of a daemon in use: what was deleted is gone from its files, and they stay small."""

import os
import time
import unittest
from pathlib import Path

from crash_case import FSYNC_MODES, WAIT_S, CrashCase, cycles

MARKER = b"marker-of-a-deleted-session"
HOUR_S = 3600
SEGMENT_BYTES = 4 << 20  # of 64 MiB of memory
LIVE_BYTES = 2 << 20
VALUE_BYTES = 8000
N_FILLED, TURN = 30_000, 100
TRIES = 5


class CheckpointTest(CrashCase):
    def files(self, daemon):
        found = {}
        for path in Path(daemon.data_dir).iterdir():
            try:
                found[path.name] = path.read_bytes()
            except FileNotFoundError:
                pass  # removed meanwhile
        return found

    def size(self, daemon):
        total = 0
        for path in Path(daemon.data_dir).iterdir():
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                pass  # removed or named meanwhile
        return total

    def wait_for_checkpoints(self, daemon, n):
        daemon.wait_for_stat("checkpoints", lambda count: count >= n, timeout_s=60, section="journal")

    def test_a_deleted_value_is_gone_within_an_hour(self):
        """Nothing happens in that hour but that it passes."""
        for mode in FSYNC_MODES:
            with self.subTest(mode):
                daemon = self.start("--fsync", mode)
                with daemon.connect() as conversation:
                    conversation.set("kept", b"kept")
                    conversation.set("gone", MARKER)
                    conversation.set("other", MARKER * 2)
                    self.assertEqual(conversation.ask("delete gone"), "DELETED")
                    conversation.set("other", b"overwritten")
                self.assertTrue(any(MARKER in data for data in self.files(daemon).values()))
                daemon.clock.move(HOUR_S)
                self.wait_for_checkpoints(daemon, 1)
                self.assertEqual([name for name, data in self.files(daemon).items() if MARKER in data], [])
                self.restart(daemon)
                with daemon.connect() as conversation:
                    self.assertEqual(conversation.get("kept"), b"kept")
                    self.assertEqual(conversation.get("other"), b"overwritten")
                    self.assertIsNone(conversation.get("gone"))

    def overwrite(self, conversation, n_bytes):
        n_keys = LIVE_BYTES // VALUE_BYTES
        for number in range(n_bytes // VALUE_BYTES):
            value = b"%08d" % number * (VALUE_BYTES // 8)
            conversation.set(f"key-{number % n_keys}", value)
            self.last[f"key-{number % n_keys}"] = value

    def test_the_directory_stays_small(self):
        self.last = {}
        daemon = self.start("--fsync", "never")
        largest = 0
        with daemon.connect() as conversation:
            for _ in range(20):
                self.overwrite(conversation, cycles(5, 1) << 20)
                largest = max(largest, self.size(daemon))
            # An image or two, what came since the last one, and the file that is ready.
            self.assertLess(largest, 2 * LIVE_BYTES + 8 * SEGMENT_BYTES)
            self.wait_for_checkpoints(daemon, 2)
        self.restart(daemon)
        with daemon.connect() as conversation:
            for key, value in self.last.items():
                self.assertEqual(conversation.get(key), value)

    def test_during_mass_expiry(self):
        """All but a few sessions end while checkpoints are taken: none of the few is lost, none of the rest is back."""
        daemon = self.start("--fsync", "everysec")
        with daemon.connect() as conversation:
            for number in range(4000):
                conversation.set(f"short-{number}", b"x" * 500, exptime=1800)
            for number in range(500):
                conversation.set(f"long-{number}", b"%d" % number, exptime=20_000)
            self.assertEqual(conversation.ask("delete long-0"), "DELETED")
            daemon.clock.move(1790)
            for number in range(4000, 8000):
                conversation.set(f"short-{number}", b"y" * 500, exptime=12)
            daemon.clock.move(20)
            self.wait_for_checkpoints(daemon, 1)
        self.restart(daemon)
        with daemon.connect() as conversation:
            for number in range(1, 500):
                self.assertEqual(conversation.get(f"long-{number}"), b"%d" % number)
            for number in range(0, 8000, 97):
                self.assertIsNone(conversation.get(f"short-{number}"))
            self.assertIsNone(conversation.get("long-0"))


class BusyTest(CrashCase):
    """Work of one client that goes on while a checkpoint is written; then a kill, and a start from both.

    What work does is a turn at a time: a request, and how the sessions are known to be then.
    """

    def fill(self):
        self.daemon_ = self.start("--fsync", "everysec", "--flush-all", "allow")
        self.talk = self.connect(self.daemon_)
        self.sessions = {}
        for at in range(0, N_FILLED, TURN):
            self.send_sets(f"filled-{number}" for number in range(at, at + TURN))

    def send_sets(self, keys, value=b"v" * 200):
        keys = list(keys)
        self.talk.send(b"".join(b"set %s 0 0 %d noreply\r\n%s\r\n" % (key.encode(), len(value), value)
                                for key in keys))
        self.talk.expect_open()
        self.sessions.update(dict.fromkeys(keys, value))

    def send_deletes(self, keys):
        keys = list(keys)
        self.talk.send("".join(f"delete {key} noreply\r\n" for key in keys))
        self.talk.expect_open()
        for key in keys:
            del self.sessions[key]

    def is_written(self):
        return any(name.startswith("checkpoint-") and name.endswith(".new")
                   for name in os.listdir(self.daemon_.data_dir))

    def overlap(self, work):
        """Returns how many turns a checkpoint saw that were begun and ended while it was written."""
        n_before = int(self.talk.stats("journal")["checkpoints"])
        self.daemon_.clock.move(HOUR_S)
        n_turns = 0
        deadline = time.monotonic() + WAIT_S
        while int(self.talk.stats("journal")["checkpoints"]) == n_before:
            began_in_it = self.is_written()
            work()
            n_turns += began_in_it and self.is_written()
            self.assertLess(time.monotonic(), deadline, "no checkpoint came")
        return n_turns

    def run_busy(self, work):
        """Until a checkpoint saw some of it: how long one takes is the machine's."""
        self.fill()
        self.send_deletes(["filled-0"])
        for _ in range(TRIES):
            if self.overlap(work) > 0:
                break
            self.send_sets(["again"])
            self.send_deletes(["again"])
        else:
            self.fail(f"no checkpoint of {TRIES} took as long as a turn")
        self.restart(self.daemon_)
        self.assertEqual(self.read_all(), self.sessions)

    def read_all(self):
        found = {}
        with self.daemon_.connect() as conversation:
            self.assertEqual(int(conversation.stats()["curr_items"]), len(self.sessions))
            keys = sorted(self.sessions)
            for at in range(0, len(keys), 100):
                conversation.send_line("get " + " ".join(keys[at:at + 100]))
                found.update((key, value) for key, (_, _, value) in conversation.read_values().items())
        return found

    def test_during_growth_of_the_index(self):
        """Sessions move to other buckets in front of the walk and behind it: none is missed."""
        numbers = iter(range(10**9))
        self.run_busy(lambda: self.send_sets(f"new-{next(numbers)}" for _ in range(TURN)))
        self.assertGreater(len(self.sessions), N_FILLED)

    def test_during_a_flush(self):
        """What was told before it is not back; what came behind it is there."""
        numbers = iter(range(10**9))

        def work():
            self.assertEqual(self.talk.ask("flush_all"), "OK")
            self.sessions.clear()
            self.send_sets(f"after-{next(numbers)}" for _ in range(TURN))

        self.run_busy(work)

    def test_while_entries_are_moved(self):
        """Deletes leave room in pages, and what is left there is moved together."""
        numbers = iter(range(1, N_FILLED))

        def work():
            part = [number for _, number in zip(range(TURN), numbers)]
            self.send_deletes(f"filled-{number}" for number in part if number % 7 > 0)
            if not part:  # all of it again: there is room
                self.send_sets(f"more-{number}" for number in range(TURN))

        self.run_busy(work)


if __name__ == "__main__":
    assert "SESSIOND" in os.environ, "set SESSIOND to the path of a test build"
    unittest.main()
