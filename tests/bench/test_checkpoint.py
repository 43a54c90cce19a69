"""The checkpoint's measurement runs to its end and tells all that it promises.

    test_checkpoint.py LOAD      SESSIOND in the environment names the daemon

Not tested: any figure.
"""

import os
import sys
import tempfile
import unittest
from pathlib import Path

from measurement_case import FailedRunCase, run_measurement

HERE = Path(__file__).resolve().parent
LOAD = sys.argv.pop() if len(sys.argv) > 1 else None
START = ["ready_s", "cpu_s", "recovered_ms", "files_mb"]
HOUR = ["changed_mb", "told_ratio", "written_ratio", "checkpoints", "journal_ratio", "directory_ratio"]
ROWS = {
    "tail": [f"tail.{name}" for name in ("rate", "p99.9_during_us", "p99.9_idle_us", "p99.9_ratio", "p99_ratio", "share",
                                         "checkpoint_ms")],
    "start": [f"{part}.{name}" for part in ("start", "start_journal") for name in START],
    "hour": [f"{part}.{name}" for part in ("read_mostly", "rewrite_mostly") for name in HOUR],
}
AIMS = {"hour": [], "tail": ["tail.p99.9_ratio"], "start": ["start.ready_s", "start_journal.ready_s"]}
SESSIONS = 4000  # fills a file of the journal in three rounds


class CheckpointBenchTest(FailedRunCase, unittest.TestCase):
    FAILED_RUN = ("--only", "tail")

    def setUp(self):
        self._directory = tempfile.TemporaryDirectory(prefix="bench-checkpoint-test-")
        self.addCleanup(self._directory.cleanup)
        self.directory = Path(self._directory.name)

    def run_bench(self, *options, load=LOAD):
        """(CompletedProcess, what --json wrote or None)"""
        file = self.directory / "figures.json"
        data = self.directory / "data"
        data.mkdir(exist_ok=True)
        command = [sys.executable, HERE / "checkpoint", "--quick", "--pairs", "1", "--sessions", SESSIONS,
                   "--milliseconds", "100", "--starts", "1", "--memory-mb", "64", "--hour-sessions", "1000",
                   "--hour-operations", "600", "--hour-steps", "2", "--directory", data, "--load", load,
                   "--sessiond", os.environ["SESSIOND"], "--clocked", os.environ["SESSIOND"], "--json", file, *options]
        ended, results = run_measurement(command, file)
        self.assertEqual(list(data.iterdir()), [], "data was left behind")
        return ended, results

    def check(self, part):
        ended, results = self.run_bench("--only", part)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        rows = {row["name"]: row for row in results["rows"]}
        self.assertEqual(list(rows), ROWS[part])
        self.assertEqual([name for name in rows if rows[name]["aim"]], AIMS[part])
        for name, row in rows.items():
            self.assertIn(row["what"], ended.stdout)
            self.assertEqual(len(row["values"]), 1, name)
            self.assertEqual(row["met"] is not None, row["aim"] is not None)
        return rows, results["runs"]

    def test_tail(self):
        _, runs = self.check("tail")
        for pair in runs["tail"]:
            self.assertEqual({pair[name]["loop"] for name in ("during", "idle")}, {"paced"})
            self.assertGreater(pair["during"]["operations"], 0)

    def test_starts(self):
        """The one from the checkpoint has all sessions from there, the other one none."""
        _, runs = self.check("start")
        self.assertEqual([start["recovered_images"] for start in runs["start"]], [SESSIONS])
        self.assertGreaterEqual(runs["start"][0]["recovered_records"], SESSIONS // 10)
        self.assertEqual([(start["recovered_images"], start["recovered_records"]) for start in runs["start_journal"]],
                         [(0, SESSIONS)])

    def test_hours(self):
        """In an hour all that was deleted goes: there is a checkpoint, which writes more than what changed."""
        rows, _ = self.check("hour")
        for part in ("read_mostly", "rewrite_mostly"):
            self.assertGreaterEqual(rows[f"{part}.checkpoints"]["median"], 1)
            self.assertGreater(rows[f"{part}.told_ratio"]["median"], 1)


if __name__ == "__main__":
    unittest.main()
