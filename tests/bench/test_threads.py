"""The measurement of two threads runs to its end, tells all that it promises and divides rightly; no figure is judged.

    test_threads.py STORE_THREADS
"""

import sys
import unittest
from pathlib import Path

from measurement_case import FiguresCase, run_measurement

HERE = Path(__file__).resolve().parent
PROGRAM = sys.argv.pop() if len(sys.argv) > 1 else None
OPERATIONS = 5000
ROWS = ["one_rate", "two_rate", "ratio", "compute_ratio", "of_machine", "cpu_ratio", "lock_waits", "waited_share"]


class ThreadsTest(FiguresCase, unittest.TestCase):
    def run_bench(self, program=PROGRAM):
        """(CompletedProcess, what --json wrote or None)"""
        file = self.directory / "figures.json"
        command = [sys.executable, HERE / "threads", "--pairs", "2", "--sessions", "2000", "--operations", OPERATIONS,
                   "--store-threads", program, "--json", file]
        return run_measurement(command, file)

    def fake(self, text):
        fake = self.directory / "fake"
        fake.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
        fake.chmod(0o755)
        return fake

    def test_it_tells_everything(self):
        ended, results = self.run_bench()
        rows = self.check_rows(ended, results, [f"threads.{name}" for name in ROWS], {"threads.ratio": (">=", 1.8)})
        pairs = results["runs"]["threads"]
        self.assertEqual(len(pairs), 2)
        self.assertIn(f"threads of a core, as lscpu says: {results['threads_of_a_core']}", ended.stdout)
        for pair in pairs:
            self.assertEqual([pair[name]["lock_waits"] for name in ("store1", "compute1", "compute2")], [0, 0, 0])
        self.check_ratios(rows["threads.of_machine"]["values"], rows["threads.ratio"]["values"],
                          rows["threads.compute_ratio"]["values"])

    def test_sums(self):
        """What is printed, of a program that says what it is told to."""
        ended, results = self.run_bench(self.fake(
            'part() { printf \'"%s": {"rate": %s, "cpu_us": %s, "lock_waits": %s, "waited_ms": %s}\' "$@"; }\n'
            'pair="{$(part store1 400 4 0 0), $(part store2 500 6 50 1000), $(part compute1 10 1 0 0), '
            '$(part compute2 20 1 0 0)}"\necho "{\\"pairs\\": [$pair, $pair]}"'))
        self.assertEqual(ended.returncode, 0, ended.stderr)
        told = {row["name"].partition(".")[2]: row["values"][0] for row in results["rows"]}
        wanted = {"one_rate": 400, "two_rate": 500, "ratio": 1.25, "compute_ratio": 2, "of_machine": 0.625, "cpu_ratio": 1.5,
                  "lock_waits": 50 / (2 * OPERATIONS) * 1e6, "waited_share": 1 / (2 * 2 * OPERATIONS / 500)}
        self.assertEqual(list(told), list(wanted))
        for name, value in wanted.items():
            self.assertAlmostEqual(told[name], value, msg=name)

    def test_a_failed_run_fails(self):
        ended, results = self.run_bench(self.fake("echo 'store_threads: lock waits are not counted' >&2; exit 1"))
        self.assertEqual((ended.returncode, results), (1, None))
        self.assertIn("not counted", ended.stderr)


if __name__ == "__main__":
    unittest.main()
