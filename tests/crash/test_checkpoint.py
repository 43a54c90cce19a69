"""Checkpoints of a daemon in use: what was deleted is gone from its files, and they stay small."""

import os
import unittest
from pathlib import Path

from crash_case import FSYNC_MODES, CrashCase, cycles

MARKER = b"marker-of-a-deleted-session"
HOUR_S = 3600
SEGMENT_BYTES = 4 << 20  # of 64 MiB of memory
LIVE_BYTES = 2 << 20
VALUE_BYTES = 8000


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

    def checkpoints(self, daemon):
        return int(daemon.stats("journal")["checkpoints"])

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
            self.assertGreater(self.checkpoints(daemon), 2)
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


if __name__ == "__main__":
    assert "SESSIOND" in os.environ, "set SESSIOND to the path of a test build"
    unittest.main()
