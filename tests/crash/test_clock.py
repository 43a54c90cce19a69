"""The clock's rules, one by one and across restarts: nobody is logged out by a wrong clock, nobody who expired is back.

The daemon's two clocks are moved by the seam of test builds; and once by libfaketime.
"""

import os
import re
import tempfile
import time
import unittest
from pathlib import Path

from crash_case import CrashCase, has_test_hooks, is_sanitized, needs
from sessiond_process import DaemonError

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
GRACE_S = 10 * MINUTE_S
FOR_EVER_S = 29 * DAY_S
ENDS = ("kill", "stop")
FAILPOINTS = ("recovery.begun", "recovery.replayed", "segment.created", "recovery.linked", "recovery.copied",
              "segment.synced", "segment.renamed", "segment.named", "recovery.finished", "recovery.removed",
              "recovery.sealed", "recovery.cut")
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


class ClockCase(CrashCase):
    def setUp(self):
        self.assertTrue(has_test_hooks(), "this is no test build")

    def end(self, daemon, how):
        if how == "kill":
            daemon.kill()
        else:
            self.stop(daemon)
        self.assert_clean(daemon)

    def start_again(self, daemon, how="kill", step_s=0, *more):
        """End it, set the wall clock while it is down, and start it. Returns a conversation with it."""
        if daemon.running:
            self.end(daemon, how)
        daemon.clock.step(step_s)
        daemon._args += more
        try:
            daemon.start()
        finally:
            del daemon._args[len(daemon._args) - len(more):]
        return self.connect(daemon)

    def start_with(self, *args, **sessions):
        """A daemon with these sessions, each with its life in seconds, and a conversation with it."""
        daemon = self.start(*args)
        conversation = self.connect(daemon)
        for key, life_s in sessions.items():
            self.assertEqual(conversation.set(key, key.encode(), life_s), "STORED")
        return daemon, conversation

    def assert_there(self, conversation, *keys):
        for key in keys:
            self.assertEqual(conversation.get(key), key.encode(), key)

    def assert_gone(self, conversation, *keys):
        for key in keys:
            self.assertIsNone(conversation.get(key), key)

    def n_frames(self, daemon):
        return int(daemon.stats("journal")["journal_frames"])

    def wait_for_time_frame(self, daemon, before):
        daemon.wait_for_stat("journal_frames", lambda count: count > before, section="journal")

    def expire(self, daemon, conversation, seconds, *keys):
        """Time passes; it is on disk that these have expired: a change behind it carries the time."""
        daemon.clock.move(seconds)
        self.assert_gone(conversation, *keys)
        self.assertEqual(conversation.set("tick", b"tick", 1), "STORED")


class TimeGoesOnTest(ClockCase):
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


class BehindTest(ClockCase):
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


class GraceTest(ClockCase):
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


class FaketimeTest(ClockCase):
    """The system's own clocks, as libfaketime lets the daemon see them."""

    @needs(FAKETIME, "libfaketime")
    def test_with_faketime(self):
        if is_sanitized():
            return  # its runtime wants to be the first library, and so does faketime's
        with tempfile.NamedTemporaryFile("w", prefix="sessiond-faketime-") as file:
            def wall_is(offset):
                file.seek(0)
                file.truncate()
                file.write(offset + "\n")
                file.flush()

            wall_is("+0")
            # Without the second of these CLOCK_BOOTTIME would be the wall clock.
            daemon = self.start(env={"LD_PRELOAD": str(FAKETIME), "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                                     "FAKETIME_TIMESTAMP_FILE": file.name, "FAKETIME_NO_CACHE": "1"})
            conversation = self.connect(daemon)
            self.assertLess(abs(int(daemon.stats()["time"]) - time.time()), 100)
            self.assertEqual(conversation.set("hour", b"hour", HOUR_S), "STORED")
            self.assertEqual(conversation.set("day", b"day", DAY_S), "STORED")
            wall_is("+2h")
            self.assert_gone(conversation, "hour")
            daemon.wait_for_stderr("stepped ahead by 7[12][0-9]{2} s: followed")
            wall_is("-3h")
            self.assert_gone(conversation, "hour")
            daemon.wait_for_stderr("stepped back by 1[78][0-9]{3} s: ignored")
            conversation = self.start_again(daemon, "stop")
            daemon.wait_for_stderr("but sessions were kept until")
            self.assert_gone(conversation, "hour")
            self.assert_there(conversation, "day")
            daemon.kill()
            wall_is("+3d")
            conversation = self.start_again(daemon)
            daemon.wait_for_stderr("sessions were last kept at")
            self.assert_gone(conversation, "day")
            wall_is("+2h")
            daemon.wait_for_stat("clock_in_grace", 0, section="journal")
            self.assert_there(conversation, "day")
            daemon.kill()
            self.assertTrue(re.search("put right", daemon.stderr_text()))


if __name__ == "__main__":
    assert "SESSIOND" in os.environ, "set SESSIOND to the path of a test build"
    unittest.main()
