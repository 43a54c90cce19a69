"""Resident memory stays within `memory` + 24 MiB, whatever clients store, and stays of use: design §4."""

import time
import unittest

from pressure_case import (
    BATCH,
    KIB,
    MIB,
    Pipeline,
    PressureCase,
    Sessions,
    data_part,
)
from sessiond_process import SessiondProcess


class StoredTest(PressureCase):
    def test_smallest_sessions(self):
        """What a session costs beside its bytes is within `memory`, too; so is what is left of the many in the end."""
        memory = 16 * MIB
        daemon = self.start_small(memory=memory)
        sessions = self.sessions_of(daemon)
        with self.resident_bounded(daemon, "smallest sessions", memory):
            for _ in range(2):
                sessions.fill(lambda: b"", key_form=b"%d", exptime=3600)
                self.tell(f"{len(sessions.live)} sessions of {sessions.size() / len(sessions.live):.1f} bytes")
                self.assert_whole(daemon, sessions)
                sessions.delete(sessions.some(len(sessions.live) * 9 // 10))
            sessions.fill_small()
        self.tell(f"then others: {sessions.size() / data_part(daemon):.3f} of the data part")
        self.assertGreater(sessions.size(), 0.5 * data_part(daemon))
        self.assert_whole(daemon, sessions)

    def test_churn_of_all_sizes_at_the_limit(self):
        """Overwrites and deletes of 10 bytes to 16 KiB leave holes of all sizes."""
        daemon = self.start_small()
        sessions = self.sessions_of(daemon)

        def make_value():
            return sessions.values.spread(10, 16 * KIB)

        with self.resident_bounded(daemon, "churn of all sizes"):
            sessions.fill(make_value)
            filled = sessions.size()
            for _ in range(40):
                sessions.store({key: make_value() for key in sessions.some(BATCH)})
                sessions.delete(sessions.some(BATCH // 4))
                sessions.store({sessions.new_key(): make_value() for _ in range(BATCH // 4)})
        sessions.fill(make_value)
        self.tell(f"keys and values: {filled / MIB:.1f} MiB before, {sessions.size() / MIB:.1f} after the churn")
        self.assertGreater(sessions.size(), 0.9 * filled)
        self.assert_whole(daemon, sessions)

    def size_when_filled(self, make_value, batch):
        with SessiondProcess(("--memory", f"{self.memory // MIB}m")) as daemon, Pipeline(daemon) as pipeline:
            sessions = Sessions(pipeline)
            sessions.fill(make_value, batch=batch)
            return sessions.size()

    def shift_to(self, daemon, sessions, what, make_value, batch):
        """Nine of ten sessions end, at random, and others come, of another size: about as many as an empty store takes."""
        alone = self.size_when_filled(make_value, batch)
        sessions.delete(sessions.some(len(sessions.live) * 9 // 10))
        kept = sessions.size()
        began = time.monotonic()
        at_once = None

        def are_in():
            nonlocal at_once
            sessions.fill(make_value, batch=batch)
            at_once = at_once or sessions.size() - kept
            return sessions.size() > 0.9 * alone

        self.wait_until(are_in, "new sessions have most of the memory")
        data = data_part(daemon)
        self.tell(
            f"shift to {what}: new keys and values take {at_once / data:.3f} of the data part at once, "
            f"{(sessions.size() - kept) / data:.3f} {time.monotonic() - began:.1f} s later, {alone / data:.3f} if alone; "
            f"{kept / data:.3f} are older ones"
        )

    def test_sizes_shift(self):
        """No size may be left without memory because another had it before."""
        daemon = self.start_small()
        sessions = self.sessions_of(daemon)
        with self.resident_bounded(daemon, "sizes shift"):
            sessions.fill_small()
            self.shift_to(daemon, sessions, "4 to 16 KiB", lambda: sessions.values.between(4 * KIB, 16 * KIB), 200)
            self.shift_to(daemon, sessions, "100 KiB", lambda: sessions.values.make(100 * KIB), 20)
            self.shift_to(daemon, sessions, "1 MiB", lambda: sessions.values.make(MIB), 4)
            self.shift_to(daemon, sessions, "200 to 600 bytes", lambda: sessions.values.between(200, 600), BATCH)
        self.assert_whole(daemon, sessions)

    def test_large_values_come_and_go(self):
        daemon = self.start_small()
        sessions = self.sessions_of(daemon)
        with self.resident_bounded(daemon, "1 MiB values come and go"):
            sessions.fill(lambda: sessions.values.make(MIB), batch=10)
            held = len(sessions.live)
            for _ in range(30):
                sessions.store({key: sessions.values.between(MIB // 2, MIB) for key in sessions.some(3)})
                sessions.delete(sessions.some(2))
                sessions.store({sessions.new_key(): sessions.values.between(MIB // 2, MIB) for _ in range(3)})
            sessions.delete(list(sessions.live))

            def as_many():
                sessions.fill(lambda: sessions.values.make(MIB), batch=10)
                return len(sessions.live) >= 0.9 * held

            self.wait_until(as_many, "there is room for nearly as many as in the beginning")
        self.assert_whole(daemon, sessions)

    def test_all_expire_and_others_come(self):
        daemon = self.start_small()
        sessions = self.sessions_of(daemon)
        filled = []
        with self.resident_bounded(daemon, "all expire, others come"):
            for _ in range(2):
                sessions.fill_small()
                filled.append(sessions.size())
                deadline = int(time.time()) + 2
                sessions.pipeline.ask([b"touch %b %d\r\n" % (key, deadline) for key in sessions.live])
                daemon.wait_for_stat("curr_items", 0)
                sessions.live.clear()
            sessions.fill_small()
            filled.append(sessions.size())
        self.tell(f"keys and values: {', '.join(f'{size / MIB:.1f}' for size in filled)} MiB")
        self.assertGreater(min(filled), 0.95 * max(filled))
        self.assert_whole(daemon, sessions)


if __name__ == "__main__":
    unittest.main()
