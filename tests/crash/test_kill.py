"""kill -9, again and again, under load: what was answered is there, and what ended stays ended.

One set of sessions over all cycles, in each fsync mode: no mode loses anything by a crash of the process.

usage: test_kill.py [CYCLES]    or SESSIOND_CRASH_CYCLES in the environment; a release build does as well
"""

import os
import random
import sys
import time
import unittest

from crash_case import FSYNC_MODES, CrashCase, cycles, has_test_hooks, kill_after
from fleet import Fleet

SEED = 20260731
FRESH_AFTER = 100  # cycles, after which a journal that was never compacted is too long for this test


class KillTest(CrashCase):
    def test_kill_under_load(self):
        n_cycles = cycles(51, 9)
        for number, mode in enumerate(FSYNC_MODES):
            left = n_cycles // len(FSYNC_MODES) + (number < n_cycles % len(FSYNC_MODES))
            while left > 0:
                with self.subTest(mode):
                    self.run_cycles(mode, SEED + left, min(left, FRESH_AFTER))
                left -= FRESH_AFTER

    def run_cycles(self, mode, seed, n_cycles):
        daemon = self.start("--fsync", mode, "--flush-all", "allow")
        chance = random.Random(seed)
        fleet = Fleet(daemon.clock, seed)
        moved_s = 0
        has_hooks = has_test_hooks()
        for cycle in range(n_cycles):
            # Left connections and flushes would have no order.
            fleet.abandons = 0.02 if cycle % 3 == 1 else 0.0
            fleet.flushes = cycle % 6 == 5
            fleet.run(daemon.address, kill_after(daemon, chance.uniform(0.02, 0.6)))
            if has_hooks and chance.random() < 0.5:
                step_s = chance.choice((100, 500, 2000))
                daemon.move_clock(step_s)
                moved_s += step_s
            self.restart(daemon)
            if chance.random() < 0.15:
                self.restart(daemon)  # and nothing read after the first recovery would have been told
            try:
                self.judge(fleet, daemon)
            except AssertionError as error:
                error.add_note(f"{mode}, seed {seed}, cycle {cycle}")
                raise
        print(f"{mode}: {n_cycles} cycles, {fleet.n_confirmed} of {fleet.n_operations} operations answered, "
              f"{fleet.n_judged} sessions judged, clock ahead by {moved_s} s", flush=True)
        self.assertGreater(fleet.n_confirmed, 100 * n_cycles, "hardly any load: the test shows nothing")
        daemon.kill()
        self.assert_clean(daemon)

    @unittest.skipUnless(has_test_hooks(), "a release build's clock cannot be moved")
    def test_time_runs_on_while_it_is_down(self):
        daemon = self.start("--flush-all", "allow")
        first = self.connect(daemon)
        for name, exptime in (("short", 100), ("long", 400), ("ever", 0), ("date", int(time.time()) + 250)):
            self.assertEqual(first.set(name, name, exptime), "STORED")
        self.assertEqual(first.set("renewed", "x", 100), "STORED")
        self.assertEqual(first.ask("touch renewed 300"), "TOUCHED")
        self.assertEqual(first.set("cut", "x", 10_000), "STORED")
        self.assertEqual(first.ask("touch cut 100"), "TOUCHED")
        for step_s, there in ((90, {"short", "long", "ever", "date", "renewed", "cut"}),
                              (20, {"long", "ever", "date", "renewed"}),
                              (130, {"long", "ever", "date", "renewed"}), (20, {"long", "ever", "renewed"}),
                              (50, {"long", "ever"}), (100, {"ever"}), (0, {"ever"})):
            daemon.kill()
            daemon.move_clock(step_s)
            daemon.start()
            with daemon.connect() as conversation:
                conversation.send_line("get short long ever date renewed cut")
                self.assertEqual(set(conversation.read_values()), there)

    @unittest.skipUnless(has_test_hooks(), "a release build's clock cannot be moved")
    def test_expired_stays_expired_when_the_clock_is_put_back(self):
        daemon = self.start()
        conversation = self.connect(daemon)
        self.assertEqual(conversation.set("old", "x", 100), "STORED")
        daemon.move_clock(200)
        self.assertIsNone(conversation.get("old"))
        self.assertEqual(conversation.set("new", "x"), "STORED")
        daemon.kill()
        daemon.move_clock(-200)
        daemon.start()
        again = self.connect(daemon)
        self.assertIsNone(again.get("old"))
        self.assertEqual(again.get("new"), b"x")

    @unittest.skipUnless(has_test_hooks(), "a release build's clock cannot be moved")
    def test_flush_for_later_is_kept(self):
        daemon = self.start("--flush-all", "allow")
        conversation = self.connect(daemon)
        self.assertEqual(conversation.set("before", "x"), "STORED")
        self.assertEqual(conversation.ask("flush_all 1000"), "OK")
        daemon.kill()
        daemon.move_clock(900)
        daemon.start()
        self.assertEqual(self.connect(daemon).get("before"), b"x")
        daemon.kill()
        daemon.move_clock(200)
        for _ in range(2):
            daemon.start()
            conversation = self.connect(daemon)
            self.assertIsNone(conversation.get("before"))
            self.assertIn(conversation.ask("add after 0 0 0\r\n"), ("STORED", "NOT_STORED"))
            daemon.kill()
        daemon.start()
        self.assertEqual(self.connect(daemon).get("after"), b"")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        os.environ["SESSIOND_CRASH_CYCLES"] = sys.argv.pop(1)
    unittest.main()
