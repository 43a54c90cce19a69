"""Expiry by the real clock: within 2 s of its deadline a session is gone from curr_items, though nobody reads it."""

import time
import unittest

from pressure_case import CLOCK_GRAIN_S, MIB, PATIENCE, BusyClient, PressureCase, key_of, set_request

GONE_WITHIN_S = 2.0
CROWD = 200_000
LARGER_CROWD = 300_000
MIXED = 20_000


class ExpiryTest(PressureCase):
    def slowness(self):
        """1 on a machine that is free; more when others leave us, and so the daemon, a part of it only."""
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        while time.process_time() < began_cpu_s + 0.05:
            pass
        return PATIENCE * max(1.0, (time.monotonic() - began_s) / 0.05)

    def start_watched(self):
        daemon = self.start("--memory", "256m")
        self.watcher = self.connect(daemon)
        return daemon, self.pipeline(daemon)

    def curr_items(self):
        """(when it was asked, when it was answered, the figure)"""
        asked = time.time()
        n_items = int(self.watcher.stats()["curr_items"])
        return asked, time.time(), n_items

    def log_in(self, pipeline, count):
        """All with one deadline, which is still to come when the last has logged in; returns it."""
        lead_s = 5
        while True:
            deadline = int(time.time()) + lead_s
            requests = [set_request(key_of(number), b"expires unread", deadline) for number in range(count)]
            replies = pipeline.ask(requests)
            if time.time() < deadline - 1:
                self.assertEqual(replies.count(b"STORED"), count)
                return deadline
            self.assertLess(lead_s, 60 * PATIENCE, "too slow for this test")
            lead_s *= 2

    def expire_crowd(self, count):
        """Returns how long after their deadline the last was gone; meanwhile others are served."""
        daemon, pipeline = self.start_watched()
        pipeline.ask([set_request(b"stays", b"s")])
        deadline = self.log_in(pipeline, count)
        reclaimed = int(daemon.stats()["reclaimed"])
        with BusyClient(daemon) as busy:
            n_items = count + 1
            while n_items > 1:
                asked, answered, n_items = self.curr_items()
                if answered < deadline - CLOCK_GRAIN_S:
                    self.assertEqual(n_items, count + 1, "somebody was logged out early")
                self.assertLess(asked, deadline + 20 * PATIENCE, f"{n_items - 1} sessions are still there")
                time.sleep(0.02)
        self.tell(
            f"{count} sessions were gone {answered - deadline:.2f} s after their deadline; meanwhile another connection "
            f"was answered {busy.n_answered} times, in {busy.slowest_s * 1000:.1f} ms at the slowest"
        )
        stats = daemon.stats()
        self.assertEqual(int(stats["reclaimed"]) - reclaimed, count)
        self.assertEqual(stats["get_expired"], "0")
        self.assertEqual(pipeline.get([b"stays"]), {b"stays": b"s"})
        return asked - deadline

    def test_a_crowd_of_one_deadline(self):
        self.assertLess(self.expire_crowd(CROWD), GONE_WITHIN_S * self.slowness())

    def test_a_larger_crowd_goes_in_slices(self):
        self.expire_crowd(LARGER_CROWD)

    def change_deadlines(self, pipeline, deadlines, start):
        """A third gets more time, a third less."""
        touched = {}
        for number, key in enumerate(deadlines):
            if number % 3 == 1:
                touched[key] = start + 7 + number % 2
            elif number % 3 == 2:
                touched[key] = max(start + 2, deadlines[key] - 1 - number % 3)
        replies = pipeline.ask([b"touch %b %d\r\n" % item for item in touched.items()])
        self.assertEqual(set(replies), {b"TOUCHED"})
        deadlines.update(touched)

    def test_deadlines_that_are_moved(self):
        daemon, pipeline = self.start_watched()
        start = int(time.time()) + 2 * PATIENCE
        deadlines = {key_of(number): start + 3 + number % 4 for number in range(MIXED)}
        pipeline.ask([set_request(key, b"v", deadline) for key, deadline in deadlines.items()])
        self.change_deadlines(pipeline, deadlines, start)
        self.assertLess(time.time(), start + 2, "too slow for this test")
        latest = 0.0
        n_items = MIXED
        while n_items > 0:
            asked, answered, n_items = self.curr_items()
            alive = sum(deadline - CLOCK_GRAIN_S > answered for deadline in deadlines.values())
            self.assertGreaterEqual(n_items, alive, "somebody was logged out early")
            overdue = sorted(deadlines.values())[MIXED - n_items :]
            if overdue and overdue[0] <= asked:
                latest = max(latest, asked - overdue[0])
                if latest >= GONE_WITHIN_S:
                    self.assertLess(latest, GONE_WITHIN_S * self.slowness(), "a session is still counted")
            time.sleep(0.02)
        self.tell(f"{MIXED} sessions of moved deadlines: the last one of a second was gone within {latest:.2f} s")
        self.assertEqual(int(daemon.stats()["reclaimed"]), MIXED)

    def test_a_large_value_expires_unread(self):
        daemon, pipeline = self.start_watched()
        deadline = int(time.time()) + 2
        pipeline.ask([set_request(key_of(number), b"v" * MIB, deadline) for number in range(20)])
        daemon.wait_for_stat("curr_items", 0, timeout_s=20 * PATIENCE)
        self.assertEqual(daemon.stats()["bytes"], "0")


if __name__ == "__main__":
    unittest.main()
