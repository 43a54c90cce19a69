"""The clock's rules, one by one and across restarts: nobody is logged out by a wrong clock, nobody who expired is back.

The daemon's two clocks are moved by the seam of test builds. The system's own: test_faketime.py.
"""

import os
import unittest

from clock_case import DAY_S, HOUR_S, MINUTE_S, ClockCase
from crash_case import has_test_hooks
from sessiond_process import DaemonError

GRACE_S = 10 * MINUTE_S
FOR_EVER_S = 29 * DAY_S
ENDS = ("kill", "stop")
FAILPOINTS = ("recovery.begun", "recovery.replayed", "segment.created", "recovery.linked", "recovery.copied",
              "segment.synced", "segment.renamed", "segment.named", "recovery.finished", "recovery.removed",
              "recovery.sealed", "recovery.cut")


class SeamCase(ClockCase):
    def setUp(self):
        self.assertTrue(has_test_hooks(), "this is no test build")


class TimeGoesOnTest(SeamCase):
    def test_a_life_runs_on_while_the_daemon_is_down(self):
        for how in ENDS:
            with self.subTest(how):
                daemon, _ = self.start_with(short=100, longer=300)
                self.end(daemon, how)
                daemon.clock.move(101)
                conversation = self.start_again(daemon)
                self.assert_there(conversation, "longer")
                self.assert_gone(conversation, "short")
                self.assertNotIn("wall clock", daemon.stderr_text())

    def test_a_suspend_counts(self):
        """Both clocks jump together: that is no step, however long it was."""
        daemon, conversation = self.start_with(hour=HOUR_S, days=7 * DAY_S)
        daemon.clock.move(2 * HOUR_S)
        self.assert_gone(conversation, "hour")
        daemon.clock.move(5 * DAY_S)
        self.assert_there(conversation, "days")
        daemon.clock.move(3 * DAY_S)
        self.assert_gone(conversation, "days")
        self.assertNotIn("wall clock", daemon.stderr_text())

    def test_a_step_ahead_by_an_hour_is_followed(self):
        daemon, conversation = self.start_with(half=HOUR_S // 2, two=2 * HOUR_S)
        daemon.clock.step(HOUR_S + 0.5)
        self.assert_gone(conversation, "half")
        self.assert_there(conversation, "two")
        daemon.wait_for_stderr("info the wall clock stepped ahead by 3600 s: followed")

    def test_a_step_ahead_by_two_days_is_ignored(self):
        daemon, conversation = self.start_with(day=DAY_S)
        daemon.clock.step(2 * DAY_S)
        self.assert_there(conversation, "day")
        daemon.wait_for_stderr("warning the wall clock stepped ahead by 17[0-9]{4} s: ignored.*restart")
        daemon.clock.move(DAY_S)
        self.assert_gone(conversation, "day")

    def test_a_step_back_is_ignored(self):
        daemon, conversation = self.start_with(half=HOUR_S // 2)
        daemon.clock.step(-HOUR_S)
        daemon.clock.move(HOUR_S // 2 + 1)
        self.assert_gone(conversation, "half")
        daemon.wait_for_stderr("warning the wall clock stepped back by 3[0-9]{3} s: ignored")


class BehindTest(SeamCase):
    def test_what_has_expired_stays_so(self):
        """And time does not stand still until the wall clock has come as far."""
        for how in ENDS:
            with self.subTest(how):
                daemon, conversation = self.start_with(short=100, longer=HOUR_S)
                self.expire(daemon, conversation, 200, "short")
                conversation = self.start_again(daemon, how, -HOUR_S // 2)
                daemon.wait_for_stderr("warning the wall clock says 20.*Z, but sessions were kept until 20.*Z: .*"
                                       "--accept-clock")
                self.assertNotIn("stepped", daemon.stderr_text())
                self.assert_gone(conversation, "short")
                self.assert_there(conversation, "longer")
                self.assertEqual(conversation.set("new", b"new", 50), "STORED")
                daemon.clock.move(51)
                self.assert_gone(conversation, "new")
                self.assert_there(conversation, "longer")

    def test_a_time_frame_tells_what_expired_unseen(self):
        """Nobody asks for it, nobody changes anything: that it was taken back is enough."""
        daemon, _ = self.start_with(short=100)
        # The session's and, when that is synced, a mark: from then on nothing is written but for the time.
        self.wait_for_time_frame(daemon, 1)
        before = self.n_frames(daemon)
        daemon.clock.move(200)
        self.wait_for_time_frame(daemon, before)
        conversation = self.start_again(daemon, "kill", -HOUR_S)
        self.assert_gone(conversation, "short")

    def test_accept_clock(self):
        """What had expired is dropped first, then time is the wall clock's, also for later starts."""
        for how in ENDS:
            with self.subTest(how):
                daemon, conversation = self.start_with(short=100, longer=FOR_EVER_S)
                daemon.clock.step(20 * HOUR_S)
                self.expire(daemon, conversation, 10, "short")
                self.assertEqual(conversation.set("late", b"late", DAY_S), "STORED")
                conversation = self.start_again(daemon, how, -20 * HOUR_S, "--accept-clock")
                daemon.wait_for_stderr("warning --accept-clock: time goes on from the clock's, 7[0-9]{4} s back")
                self.assert_there(conversation, "longer", "late")
                self.assert_gone(conversation, "short")
                self.assertEqual(conversation.set("new", b"new", 100), "STORED")
                conversation = self.start_again(daemon, how)
                self.assertNotIn("wall clock", daemon.stderr_text())
                self.assert_there(conversation, "longer", "late", "new")
                daemon.clock.move(101)
                self.assert_gone(conversation, "new", "short")
                conversation = self.start_again(daemon, how)
                self.assertNotIn("wall clock", daemon.stderr_text())
                self.assert_there(conversation, "longer", "late")
                self.assert_gone(conversation, "new", "short")

    def test_accept_clock_with_nothing_to_accept(self):
        daemon, _ = self.start_with(k=HOUR_S)
        conversation = self.start_again(daemon, "stop", 0, "--accept-clock")
        daemon.wait_for_stderr("info --accept-clock: .*nothing to accept")
        self.assert_there(conversation, "k")

    def test_accept_clock_outlives_a_checkpoint(self):
        """The image has the earlier time, and nothing of what is read beside it has the later one."""
        daemon, conversation = self.start_with("--fsync", "never", longer=FOR_EVER_S)
        daemon.clock.step(20 * HOUR_S)
        self.assertEqual(conversation.set("late", b"late", DAY_S), "STORED")
        conversation = self.start_again(daemon, "kill", -20 * HOUR_S, "--accept-clock")
        self.assertEqual(conversation.ask("delete late"), "DELETED")
        self.assertEqual(conversation.set("hour", b"hour", HOUR_S), "STORED")
        daemon.clock.move(HOUR_S // 2 + 1)
        daemon.wait_for_stat("checkpoints", 1, section="journal")
        conversation = self.start_again(daemon)
        self.assertNotIn("wall clock", daemon.stderr_text())
        self.assert_there(conversation, "longer", "hour")
        self.assert_gone(conversation, "late")

    def test_accept_clock_cut_short_anywhere(self):
        """Either the time before or the wall clock's, and nothing in between; then it is accepted all the same."""
        for name in FAILPOINTS:
            with self.subTest(name):
                daemon, conversation = self.start_with(short=100, longer=FOR_EVER_S)
                daemon.clock.step(20 * HOUR_S)
                self.expire(daemon, conversation, 10, "short")
                # What the start leaves out is there, too.
                daemon.wait_for_stat("journal_segments", lambda count: count >= 2, section="journal")
                daemon.env["SESSIOND_TEST_FAILPOINT"] = f"{name}:kill:1"
                with self.assertRaises(DaemonError):
                    self.end(daemon, "kill")
                    daemon.expect_exit()
                    self.start_again(daemon, "kill", -20 * HOUR_S, "--accept-clock")
                del daemon.env["SESSIOND_TEST_FAILPOINT"]
                for more in ((), ("--accept-clock",), ()):
                    conversation = self.start_again(daemon, "kill", 0, *more)
                    self.assert_there(conversation, "longer")
                    self.assert_gone(conversation, "short")
                self.assertNotIn("wall clock", daemon.stderr_text())
                daemon.kill()


class GraceTest(SeamCase):
    def start_in_grace(self, how="kill", **sessions):
        """Two days ahead."""
        daemon, _ = self.start_with(**sessions)
        conversation = self.start_again(daemon, how, 2 * DAY_S)
        daemon.wait_for_stderr("warning the wall clock says 20.*Z, and sessions were last kept at 20.*Z.*10 minutes")
        self.assertEqual(daemon.stats("journal")["clock_in_grace"], "1")
        return daemon, conversation

    def put_right(self, daemon):
        daemon.clock.step(-2 * DAY_S)
        daemon.wait_for_stat("clock_in_grace", 0, section="journal")
        daemon.wait_for_stderr("info the wall clock was put right")

    def test_put_right_nobody_is_lost(self):
        for how in ENDS:
            with self.subTest(how):
                daemon, conversation = self.start_in_grace(how, day=DAY_S, week=7 * DAY_S, short=100)
                self.assert_gone(conversation, "day", "short")
                self.assert_there(conversation, "week")
                daemon.clock.move(GRACE_S / 10)
                self.put_right(daemon)
                self.assert_there(conversation, "day", "week", "short")
                self.assertEqual(daemon.stats()["reclaimed"], "0")
                conversation = self.start_again(daemon, how)
                self.assertNotIn("wall clock", daemon.stderr_text())
                self.assert_there(conversation, "day", "week", "short")
                daemon.clock.move(100)
                self.assert_gone(conversation, "short")

    def test_the_mark_does_not_move(self):
        """Not by changes, not by an end, whatever that is; so the next start has its grace again."""
        daemon, conversation = self.start_in_grace(day=DAY_S)
        for how in ("stop", "kill", "stop"):
            self.assertEqual(conversation.set("new", b"new", HOUR_S), "STORED")
            self.assertEqual(conversation.ask("delete new"), "DELETED")
            conversation = self.start_again(daemon, how)
            self.assertEqual(daemon.stats("journal")["clock_in_grace"], "1")
        self.put_right(daemon)
        self.assert_there(conversation, "day")
        conversation = self.start_again(daemon)
        self.assertNotIn("wall clock", daemon.stderr_text())
        self.assert_there(conversation, "day")

    def test_who_logs_out_meanwhile_stays_so(self):
        """Their session has expired by the clock, so the reply says that it is not there."""
        keys = ("deleted", "touched", "got", "stored", "added")
        daemon, conversation = self.start_in_grace(other=DAY_S, **dict.fromkeys(keys, DAY_S))
        self.assertEqual(conversation.ask("delete deleted"), "NOT_FOUND")
        self.assertEqual(conversation.ask("touch touched -1"), "NOT_FOUND")
        self.assertEqual(conversation.ask("gat -1 got"), "END")
        self.assertEqual(conversation.set("stored", b"x", -1), "STORED")
        conversation.send(b"add added 0 -1 1\r\nx\r\n")
        self.assertEqual(conversation.read_line(), "STORED")
        self.assertEqual(conversation.ask("touch other 100"), "NOT_FOUND")
        self.put_right(daemon)
        self.assert_gone(conversation, *keys)
        self.assert_there(conversation, "other")
        for how in ENDS:
            conversation = self.start_again(daemon, how)
            self.assert_gone(conversation, *keys)
            self.assert_there(conversation, "other")

    def test_who_logs_in_meanwhile_is_there(self):
        daemon, conversation = self.start_in_grace(again=DAY_S, number=DAY_S)
        conversation.send(b"replace again 0 0 1\r\nx\r\n")
        self.assertEqual(conversation.read_line(), "NOT_STORED")
        self.assertEqual(conversation.ask("incr number 1"), "NOT_FOUND")
        conversation.send(b"add again 0 86400 3\r\nnew\r\n")
        self.assertEqual(conversation.read_line(), "STORED")
        self.put_right(daemon)
        self.assertEqual(conversation.get("again"), b"new")
        self.assert_there(conversation, "number")
        conversation = self.start_again(daemon)
        self.assertEqual(conversation.get("again"), b"new")

    def test_a_checkpoint_keeps_whoever_may_be_back(self):
        daemon, conversation = self.start_in_grace(day=DAY_S)
        for number in range(1500):
            conversation.set(f"big-{number % 50}", b"x" * 8000, 300)
        daemon.wait_for_stat("checkpoints", lambda count: count >= 1, section="journal")
        self.put_right(daemon)
        conversation = self.start_again(daemon)
        self.assertNotIn("wall clock", daemon.stderr_text())
        self.assert_there(conversation, "day")

    def test_it_ends(self):
        """The clock is believed then: what has expired goes, and does not come back when the clock is put right."""
        daemon, conversation = self.start_in_grace(day=DAY_S, week=7 * DAY_S)
        daemon.clock.move(GRACE_S)
        daemon.wait_for_stat("reclaimed", 1)
        daemon.wait_for_stderr("warning the wall clock was not put right: it is believed")
        daemon.wait_for_stat("clock_in_grace", 0, section="journal")
        self.assertEqual(conversation.set("tick", b"tick", 1), "STORED")
        daemon.clock.step(-2 * DAY_S)
        self.assert_gone(conversation, "day")
        self.assert_there(conversation, "week")
        conversation = self.start_again(daemon)
        daemon.wait_for_stderr("but sessions were kept until")
        self.assert_gone(conversation, "day")
        self.assert_there(conversation, "week")

    def test_a_flush_that_is_due_takes_effect(self):
        daemon, conversation = self.start_with("--flush-all", "allow", week=7 * DAY_S)
        self.assertEqual(conversation.ask(f"flush_all {DAY_S}"), "OK")
        conversation = self.start_again(daemon, "kill", 2 * DAY_S)
        self.assert_gone(conversation, "week")
        self.put_right(daemon)
        self.assert_gone(conversation, "week")


if __name__ == "__main__":
    assert "SESSIOND" in os.environ, "set SESSIOND to the path of a test build"
    unittest.main()
