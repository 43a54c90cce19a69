"""The journal's measurement runs to its end and tells all that it promises.

    test_journal.py LOAD      SESSIOND in the environment names the daemon

Not tested: any figure. Redis is a package of the measurement alone; without it its rows are there and empty.
"""

import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

from measurement_case import FailedRunCase, run_measurement

HERE = Path(__file__).resolve().parent
LOAD = sys.argv.pop() if len(sys.argv) > 1 else None
ON_OFF = ["cpu_on_us", "cpu_off_us", "cpu_ratio", "p99.9_on_us", "p99.9_off_us", "p99.9_ratio", "rate_ratio"]
ROWS = [
    *(f"{part}.{name}" for part in ("mixed", "php") for name in ON_OFF),
    "always.append_sync_us", "always.in_place_sync_us", "always.rate", "always.everysec_rate", "always.redis_rate",
    "always.cpu_us", "always.redis_cpu_us", "always.operations_per_sync",
    "always.journal_sync_us", "always.over_disk", "always.over_disk_in_place", "always.over_everysec",
    "always.over_bound", "always.over_redis",
]
AIMS = ["mixed.cpu_ratio", "mixed.p99.9_ratio", "php.cpu_ratio", "always.over_bound", "always.over_redis"]
REDIS_ROWS = ["always.redis_rate", "always.redis_cpu_us", "always.over_redis"]


class JournalBenchTest(FailedRunCase, unittest.TestCase):
    def setUp(self):
        self._directory = tempfile.TemporaryDirectory(prefix="bench-journal-test-")
        self.addCleanup(self._directory.cleanup)
        self.directory = Path(self._directory.name)

    def run_bench(self, *options, load=LOAD):
        """(CompletedProcess, what --json wrote or None)"""
        file = self.directory / "figures.json"
        data = self.directory / "data"
        data.mkdir()
        command = [sys.executable, HERE / "journal", "--quick", "--pairs", "2", "--operations", "400", "--syncs", "5",
                   "--directory", data, "--load", load,
                   "--sessiond", os.environ["SESSIOND"], "--json", file, *options]
        ended, results = run_measurement(command, file)
        self.assertEqual(list(data.iterdir()), [], "data was left behind")
        return ended, results

    def test_every_row(self):
        ended, results = self.run_bench()
        self.assertEqual(ended.returncode, 0, ended.stderr)
        rows = {row["name"]: row for row in results["rows"]}
        self.assertEqual(list(rows), ROWS)
        self.assertEqual([name for name in rows if rows[name]["aim"]], AIMS)
        has_redis = any(map(shutil.which, ("redis-server", "redis-check-rdb")))
        for name, row in rows.items():
            self.assertIn(row["what"], ended.stdout)
            if name in REDIS_ROWS and not has_redis:
                self.assertEqual((row["median"], row["values"], row["met"]), (None, [], None))
                continue
            self.assertEqual(len(row["values"]), 2, name)
            self.assertGreater(row["most"], 0, name)
            self.assertLessEqual(row["least"], row["median"])
            self.assertLessEqual(row["median"], row["most"])
            self.assertEqual(row["met"] is not None, row["aim"] is not None)
        self.check_runs(results["runs"])

    def check_runs(self, runs):
        """What was measured is what is claimed."""
        for pair in runs["php"]:
            self.assertEqual(pair["on"]["lock"], pair["on"]["unlock"])
            self.assertGreater(pair["on"]["lock"], 0)
        for pair in runs["mixed"]:
            self.assertEqual([pair["on"][name] for name in ("get", "set", "touch")],
                             [pair["off"][name] for name in ("get", "set", "touch")])
        for pair in runs["always"]:
            self.assertEqual(pair["always"]["set"], 400)
            self.assertGreater(pair["always"]["journal_syncs"], 0)


if __name__ == "__main__":
    unittest.main()
