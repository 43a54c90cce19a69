"""What many clients were told at the same time can be explained, key by key, by an order of their requests.

    test_linearizable.py GAPS      SESSIOND in the environment names the daemon

GAPS is the library of gaps.c. Not tested here: whether the checker finds what is wrong (test_checker.py).
"""

import os
import sys
import time
import unittest

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "integration")]

from integration_case import is_sanitized  # noqa: E402
from sessiond_process import MemcachedProcess, SessiondProcess  # noqa: E402

from history import count_results, overlap  # noqa: E402
from linearizability import find_violation  # noqa: E402
from model import RULES  # noqa: E402
from recorder import record  # noqa: E402

N_REQUESTS = 100_000
OVERLAP_MIN = 0.2
TOLD_MIN = 20  # how often at least everything that may be told was told


def print_summary(history, recorded_s, checked_s):
    overlaps = {key: overlap(operations) for key, operations in history.items()}
    total = sum(map(len, history.values()))
    print(f"{total} operations on {len(history)} keys, recorded in {recorded_s:.1f} s, checked in {checked_s:.1f} s")
    print("overlapping: " + ", ".join(f"{key} {part:.0%}" for key, part in sorted(overlaps.items())))
    for (kind, result), number in sorted(count_results(history).items(), key=str):
        print(f"{number:8} {kind} -> {result or 'no reply'}")


class LinearizableTest(unittest.TestCase):
    def check(self, daemon, n_requests, may_flush):
        """Records and checks; returns the history."""
        began = time.monotonic()
        history = record(daemon.address, n_requests, may_flush)
        recorded = time.monotonic()
        violations = {key: find_violation(operations) for key, operations in sorted(history.items())}
        print_summary(history, recorded - began, time.monotonic() - recorded)
        found = [f"{key}: {violation}" for key, violation in violations.items() if violation is not None]
        if found:
            self.fail("\n\n".join([f"{len(found)} keys are not linearizable", *found]))
        self.assertGreaterEqual(sum(map(len, history.values())), n_requests)
        for key, operations in history.items():
            self.assertGreaterEqual(overlap(operations), OVERLAP_MIN, key)
        return history

    def test_sessiond(self):
        options = ["--memory", "64m", "--flush-all", "allow"]
        with SessiondProcess(options, env={"LD_PRELOAD": GAPS}) as daemon:
            history = self.check(daemon, N_REQUESTS, may_flush=True)
        told = count_results(history)
        for kind, rules in RULES.items():
            for result in rules:
                self.assertGreaterEqual(told[kind, result], TOLD_MIN, f"{kind} -> {result}: too rare to say anything")
        self.assertGreater(sum(number for (_, result), number in told.items() if result is None), TOLD_MIN)

    @unittest.skipIf(is_sanitized(), "it is not our code")
    def test_memcached(self):
        # What is known to be right is found right: neither the recorder nor the rules ask for too much.
        # With one thread it is right by its making; with four it was once found wrong.
        # Its flush_all goes by seconds, and so takes what was stored after it.
        with MemcachedProcess(["-t", "1"]) as daemon:
            self.check(daemon, N_REQUESTS // 5, may_flush=False)


if __name__ == "__main__":
    GAPS = os.path.abspath(sys.argv.pop())
    unittest.main()
