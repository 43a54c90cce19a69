"""A store that is full goes on serving whoever is logged in: design §4, "Memory limit"."""

import unittest

from pressure_case import (
    KIB,
    MIB,
    RESERVE_SHARE,
    PressureCase,
    data_part,
    set_request,
)

COUNTER_FIRST = 10_000_000  # of as many digits as it will ever have here
A_FORTNIGHT_S = 1_209_600
ACTS = ("touch", "delete", "same", "smaller", "incr", "get")


class MemoryLimitTest(PressureCase):
    """Whatever the values, and however small the memory, life goes on at the limit."""

    def fill(self, make_value, memory, batch, least):
        """A daemon that is full; self.sessions are its sessions. least: the share of the data part that keys and
        values must have when somebody is refused."""
        self.make_value, self.batch = make_value, batch
        self.daemon = self.start_small(memory=memory)
        self.data = data_part(self.daemon)
        self.sessions = self.sessions_of(self.daemon)
        self.counters = {b"counter:%d" % number: COUNTER_FIRST for number in range(100)}
        self.sessions.store({key: b"%d" % value for key, value in self.counters.items()})
        at_refusal = self.sessions.fill(make_value, A_FORTNIGHT_S, batch)
        self.tell(
            f"{memory // MIB}m: {len(self.sessions.live)} sessions; keys and values are {at_refusal / self.data:.3f} of "
            f"the data part at the first refusal, {self.sessions.size() / self.data:.3f} at the last, "
            f"{self.sessions.size() / memory:.3f} of memory"
        )
        self.assertGreater(at_refusal, least * self.data)

    def refill(self):
        self.sessions.fill(self.make_value, A_FORTNIGHT_S, self.batch)

    # --- what must never fail ------------------------------------------------------------------

    def request(self, act, key, after):
        """One request and its reply; `after` is told what will then be there."""
        sessions = self.sessions
        if act == "touch":
            return b"touch %b %d\r\n" % (key, sessions.choice.choice((0, 3600, A_FORTNIGHT_S))), b"TOUCHED"
        if act == "delete":
            del after[key]
            return b"delete %b\r\n" % key, b"DELETED"
        if act == "incr":
            counter = sessions.choice.choice(list(self.counters))
            self.counters[counter] += 1
            after[counter] = b"%d" % self.counters[counter]
            return b"incr %b 1\r\n" % counter, after[counter]
        size = len(after[key]) if act == "same" else sessions.choice.randint(0, len(after[key]))
        after[key] = sessions.values.make(size)
        return set_request(key, after[key], A_FORTNIGHT_S), b"STORED"

    def serve(self):
        """In a random order, on random sessions."""
        sessions = self.sessions
        after = dict(sessions.live)
        keys = [key for key in sessions.some(min(self.batch, len(after) // 2)) if key not in self.counters]
        requests = [self.request(sessions.choice.choice(ACTS), key, after) for key in keys]
        replies = sessions.pipeline.ask([request for request, _ in requests])
        failed = [
            (request[:90], reply)
            for (request, wanted), reply in zip(requests, replies, strict=True)
            if reply != wanted
        ]
        self.assertEqual(failed[:5], [], f"{len(failed)} of {len(replies)} failed at the limit")
        sessions.live = after

    # --- logins in the place of logouts --------------------------------------------------------

    def replace_one_by_one(self, count):
        """A login after each logout, of the same size."""
        sessions = self.sessions
        refused_before = sessions.refused
        for key in [key for key in sessions.some(count) if key not in self.counters]:
            size = len(sessions.live[key])
            sessions.delete([key])
            sessions.store({sessions.new_key(): sessions.values.make(size)}, A_FORTNIGHT_S)
        refused = sessions.refused - refused_before
        self.tell(f"{refused} of {count} logins refused, each right after a logout of the same size")
        self.assertLess(refused, 0.1 * count)

    def replace_many(self, count):
        """After many logouts, as many logins: they work soon, and each of them in the end."""
        sessions = self.sessions
        keys = [key for key in sessions.some(count) if key not in self.counters]
        sizes = [len(sessions.live[key]) for key in keys]
        sessions.delete(keys)
        waiting = {sessions.new_key(): sessions.values.make(size) for size in sizes}
        refused_at_once = None

        def all_logged_in():
            nonlocal refused_at_once
            for key in sessions.store(waiting, A_FORTNIGHT_S):
                del waiting[key]
            refused_at_once = len(waiting) if refused_at_once is None else refused_at_once
            return len(waiting) <= 0.02 * count

        self.wait_until(all_logged_in, f"{count} logins after as many logouts")
        self.tell(f"{refused_at_once} of {count} logins refused at once after as many logouts, {len(waiting)} in the end")

    # --- the reserve ---------------------------------------------------------------------------

    def use_up_reserve(self, growth):
        """Sessions may grow until the reserve is gone; new ones have nothing of it."""
        sessions = self.sessions
        grown, refused, first_refusal, new = 0, 0, None, 0
        self.refill()
        while refused < 2 * self.batch and grown < 0.2 * self.data:
            keys = [key for key in sessions.some(self.batch) if key not in self.counters]
            stored = sessions.store(
                {key: sessions.values.make(len(sessions.live[key]) + growth) for key in keys}, A_FORTNIGHT_S
            )
            grown += len(stored) * growth
            refused += len(keys) - len(stored)
            if first_refusal is None and len(stored) < len(keys):
                first_refusal = grown
            newcomers = {sessions.new_key(): self.make_value() for _ in range(self.batch // 10)}
            new += sum(len(sessions.live[key]) for key in sessions.store(newcomers, A_FORTNIGHT_S))
        self.tell(
            f"overwrites grew by {(first_refusal or grown) / self.data:.4f} of the data part before the first refusal, "
            f"by {grown / self.data:.4f} before nearly all were; new sessions meanwhile took {new / self.data:.4f}"
        )
        self.assertIsNotNone(first_refusal, "the reserve has no end")
        self.assertGreater(grown, 0.85 * RESERVE_SHARE * self.data)
        self.assertLess(new, 0.1 * RESERVE_SHARE * self.data)

    def use_up_reserve_twice(self, growth):
        """It comes back with the next logouts, before there is room for new sessions."""
        self.use_up_reserve(growth)
        self.serve()
        self.judge()
        self.sessions.delete([key for key in self.sessions.some(len(self.sessions.live) // 10) if key not in self.counters])
        self.use_up_reserve(growth)
        self.judge()

    # --- all of it -----------------------------------------------------------------------------

    def judge(self):
        stats = self.assert_whole(self.daemon, self.sessions)
        self.assertEqual(int(stats["store_no_memory"]), self.sessions.refused)

    def live_at_the_limit(self, rounds):
        for _ in range(rounds):
            self.serve()
            self.refill()
        self.judge()

    def test_small_values(self):
        self.fill(lambda: self.sessions.values.between(200, 600), 64 * MIB, 500, 0.8)
        self.live_at_the_limit(20)
        self.use_up_reserve_twice(16)

    def test_small_values_in_the_least_memory(self):
        self.fill(lambda: self.sessions.values.between(200, 600), 16 * MIB, 500, 0.75)
        self.live_at_the_limit(20)
        self.use_up_reserve_twice(16)

    def test_values_of_all_sizes(self):
        self.fill(lambda: self.sessions.values.spread(10, 16 * KIB), 64 * MIB, 500, 0.75)
        self.live_at_the_limit(20)
        self.use_up_reserve_twice(64)

    def test_large_values(self):
        """They are received elsewhere, so they need no place beside the old value's."""
        self.fill(lambda: self.sessions.values.spread(17 * KIB, 900 * KIB), 64 * MIB, 40, 0.9)
        self.live_at_the_limit(20)
        self.use_up_reserve_twice(4 * KIB)

    def test_logins_after_logouts(self):
        self.fill(lambda: self.sessions.values.between(200, 600), 64 * MIB, 500, 0.8)
        self.replace_one_by_one(2000)
        self.refill()
        self.replace_many(2000)
        self.judge()


if __name__ == "__main__":
    unittest.main()
