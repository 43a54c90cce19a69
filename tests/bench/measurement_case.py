"""What the tests of measurements share. Not a test by itself. Only the standard library."""

import json
import statistics
import subprocess
import tempfile
from pathlib import Path

DEADLINE_S = 300  # ctest has a shorter one


def run_measurement(command, file):
    """(CompletedProcess, what it wrote to `file`, named behind --json, or None)"""
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=DEADLINE_S,
                           check=False)
    return ended, json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


class FailedRunCase:
    """For a TestCase with a directory and run_bench(*options, load=FILE)."""

    FAILED_RUN = ()  # options of a run that comes to the load generator

    def test_a_failed_run_fails(self):
        """A load generator that says a reply was wrong ends it, and no figures are told."""
        fake = self.directory / "load"
        fake.write_text("#!/bin/sh\necho 'load: wrong reply to get' >&2\nexit 1\n", encoding="ascii")
        fake.chmod(0o755)
        ended, results = self.run_bench(*self.FAILED_RUN, load=fake)
        self.assertEqual((ended.returncode, results), (1, None))
        self.assertIn("wrong reply to get", ended.stderr)


class FiguresCase:
    """For a TestCase of a measurement with aims: runs of it in a directory of their own, and what every one must tell."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="bench-test-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def check_rows(self, ended, results, names, aims):
        """Each row is told with what was measured, and judged by its median. Returns {name: row}."""
        self.assertEqual(ended.returncode, 0, ended.stderr)
        rows = {row["name"]: row for row in results["rows"]}
        self.assertEqual(list(rows), names)
        self.assertEqual({name: tuple(row["aim"]) for name, row in rows.items() if row["aim"]}, aims)
        for row in rows.values():
            self.assertIn(row["what"], ended.stdout)
            self.assertIn(row["title"], ended.stdout)
            self.assertEqual([row["least"], row["median"], row["most"]],
                             [min(row["values"]), statistics.median(row["values"]), max(row["values"])])
            if row["aim"]:
                sign, bound = row["aim"]
                self.assertEqual(row["met"], row["median"] <= bound if sign == "<=" else row["median"] >= bound)
        return rows

    def check_ratios(self, values, dividends, divisors):
        self.assertEqual(len(values), len(dividends))
        for value, dividend, divisor in zip(values, dividends, divisors):
            self.assertAlmostEqual(value, dividend / divisor)
