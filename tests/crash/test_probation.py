"""first-write-ttl: whose session was used again has it after a crash and a checkpoint, too; the others end on time."""

import os
import subprocess
import sys
import unittest

from crash_case import HERE, LONG_S, CrashCase
from sessiond_process import sessiond_binary

sys.path[:0] = [os.path.join(HERE, "..", "data")]

import decode  # noqa: E402

SESSIONCTL = os.path.join(os.path.dirname(sessiond_binary()), "sessionctl")
FIRST_S = 8000
HOUR_S = 3600
LARGE = b"x" * 40_000  # kept by reference


class ProbationTest(CrashCase):
    def start_and_use(self, *args):
        """Two sessions that were read and written again, and one that was not."""
        daemon = self.start("--first-write-ttl", f"{FIRST_S}s", *args)
        with daemon.connect() as talk:
            for key, value in (("read", LARGE), ("written", b"v"), ("bot", b"v")):
                self.assertEqual(talk.set(key, value, LONG_S), "STORED")
            daemon.clock.move(3)
            self.assertEqual(talk.get("read"), LARGE)
            self.assertEqual(talk.set("written", b"v", LONG_S), "STORED")
        return daemon

    def judge(self, daemon):
        """Looks that leave no trace; then time goes on."""
        with daemon.connect() as talk:
            for key, least_s, most_s in (("read", LONG_S - 2 * HOUR_S, LONG_S), ("written", LONG_S - 2 * HOUR_S, LONG_S),
                                         ("bot", 1, FIRST_S)):
                talk.send_line(f"mg {key} t u")
                reply = talk.read_line()
                self.assertRegex(reply, r"^HD t\d+$")
                self.assertIn(int(reply[4:]), range(least_s, most_s + 1), key)

    def judge_at_the_end(self, daemon):
        daemon.clock.move(FIRST_S)
        with daemon.connect() as talk:
            self.assertEqual((talk.get("read"), talk.get("written"), talk.get("bot")), (LARGE, b"v", None))
        daemon.wait_for_stat("unused", 1, section="sessions")

    def test_after_a_crash(self):
        for mode in ("always", "everysec", "never"):
            with self.subTest(mode):
                daemon = self.start_and_use("--fsync", mode)
                for _ in range(2):
                    self.restart(daemon)
                    self.judge(daemon)
                daemon.kill()
                contents = decode.read_directory(daemon.data_dir)
                self.assertEqual(set(contents.asked), {b"bot"})
                self.assertLess(contents.entries[b"bot"].deadline_s, contents.asked[b"bot"])
                daemon.start()
                self.judge_at_the_end(daemon)

    def test_after_a_checkpoint(self):
        daemon = self.start_and_use()
        with daemon.connect() as talk:
            self.assertEqual(talk.set("gone", b"v"), "STORED")
            self.assertEqual(talk.ask("delete gone"), "DELETED")
        daemon.clock.move(HOUR_S)
        daemon.wait_for_stat("checkpoints", lambda count: count >= 1, timeout_s=60, section="journal")
        self.restart(daemon)
        self.judge(daemon)
        self.judge_at_the_end(daemon)

    def test_one_that_is_used_after_a_crash(self):
        daemon = self.start_and_use()
        self.restart(daemon)
        with daemon.connect() as talk:
            self.assertEqual(talk.get("bot"), b"v")
        self.restart(daemon)
        daemon.clock.move(FIRST_S)
        with daemon.connect() as talk:
            self.assertEqual(talk.get("bot"), b"v")

    def test_salvage_has_what_was_asked_for(self):
        daemon = self.start_and_use()
        daemon.kill()
        dump = os.path.join(daemon.data_dir, "..", os.path.basename(daemon.data_dir) + ".dump")
        self.addCleanup(os.unlink, dump)
        subprocess.run([SESSIONCTL, "check", daemon.data_dir, "--salvage", dump], stdin=subprocess.DEVNULL,
                       capture_output=True, timeout=60, check=True)
        with open(dump, "rb") as file:
            line = next(line for line in file if line.startswith(b"bot "))
        self.assertEqual(int(line.split()[2]), decode.read_directory(daemon.data_dir).asked[b"bot"])


if __name__ == "__main__":
    unittest.main()
