"""The measurement of tails runs to its end, makes happen what it names, and divides rightly; no figure is judged.

    test_latency.py LOAD      SESSIOND in the environment names the daemon
"""

import os
import runpy
import sys
import unittest
from pathlib import Path

from measurement_case import FailedRunCase, FiguresCase, run_measurement

HERE = Path(__file__).resolve().parent
LOAD = sys.argv.pop() if len(sys.argv) > 1 else None
SESSIONS = 4000  # fills a file of the journal in three rounds
IDLE_ROWS = ["rate", "reached", "p50_us", "p99_us", "p99.9_us", "max_us", "share", "busy"]
ROWS = [*IDLE_ROWS, "p99_ratio", "p99.9_ratio", "allowed"]
SCENES = {"idle": IDLE_ROWS, "expiry": ROWS, "idle_sized": IDLE_ROWS, "squeeze": ROWS, "stuck": ROWS, "idle_disk": IDLE_ROWS,
          "checkpoint": ROWS}


class LatencyTest(FailedRunCase, FiguresCase, unittest.TestCase):
    FAILED_RUN = ("--only", "stuck")

    def run_bench(self, *options, load=LOAD):
        """(CompletedProcess, what --json wrote or None)"""
        file = self.directory / "figures.json"
        data = self.directory / "data"
        data.mkdir(exist_ok=True)
        command = [sys.executable, HERE / "latency", "--pairs", "1", "--sessions", SESSIONS, "--milliseconds", "200",
                   "--memory-mb", "64", "--directory", data, "--load", load, "--sessiond", os.environ["SESSIOND"],
                   "--json", file, *options]
        ended, results = run_measurement(command, file)
        self.assertEqual(list(data.iterdir()), [], "data was left behind")
        return ended, results

    def test_it_tells_everything(self):
        ended, results = self.run_bench()
        rows = self.check_rows(ended, results, [f"{scene}.{name}" for scene, names in SCENES.items() for name in names],
                               {f"{scene}.allowed": ("<=", 1) for scene, names in SCENES.items() if names is ROWS})
        runs = {scene: results["runs"][scene][0] for scene in SCENES}
        self.assertEqual({run["loop"] for run in runs.values()}, {"paced"})
        self.assertEqual(runs["expiry"]["expired"], SESSIONS // 2)
        self.assertEqual(runs["stuck"]["held"], 1)
        self.assertEqual(runs["idle_sized"]["moved"], 0)
        self.assertGreater(runs["squeeze"]["moved"], 0)
        self.assertGreater(runs["squeeze"]["share"], 0)
        self.assertTrue(all(runs[scene]["beside"] > 0 for scene in ("idle_sized", "squeeze")))
        for scene, idle in (("expiry", "idle"), ("squeeze", "idle_sized"), ("stuck", "idle"), ("checkpoint", "idle_disk")):
            during, alone = runs[scene], runs[idle]
            self.assertEqual(rows[f"{scene}.p99.9_us"]["values"], [during["p99.9_us"]])
            self.assertEqual(rows[f"{scene}.p99_ratio"]["values"], [during["p99_us"] / alone["p99_us"]])
            self.assertEqual(rows[f"{scene}.p99.9_ratio"]["values"], [during["p99.9_us"] / alone["p99.9_us"]])
            most = max(alone["p99.9_us"] + 50, alone["p99.9_us"] * 1.2)
            self.assertEqual(rows[f"{scene}.allowed"]["values"], [during["p99.9_us"] / most])
            self.assertEqual(rows[f"{scene}.rate"]["values"], rows[f"{idle}.rate"]["values"])
            self.check_ratios(rows[f"{scene}.reached"]["values"], [during["rate"]], rows[f"{scene}.rate"]["values"])
            self.assertLessEqual(during["p99.9_us"], during["max_us"] * 65 / 64)

    def test_only_one(self):
        ended, results = self.run_bench("--only", "stuck")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(list(results["runs"]), ["idle", "stuck"])

    def test_an_extra(self):
        """It is there when it is asked for, and has no aim."""
        ended, results = self.run_bench("--only", "storm")
        self.check_rows(ended, results, [f"idle.{name}" for name in IDLE_ROWS] + [f"storm.{name}" for name in ROWS], {})
        expired = results["runs"]["storm"][0]["expired"]
        self.assertTrue(SESSIONS // 4 <= expired <= SESSIONS // 2)  # two thirds of those that may


class SharesTest(unittest.TestCase):
    def test_changing(self):
        """Steps in which the figure grew, of the whole time."""
        changing_share = runpy.run_path(str(HERE / "latency"))["changing_share"]
        samples = [(0, -50), (1, -50), (3, -40), (4, -40), (8, -41), (10, -30)]
        self.assertEqual(changing_share(samples), (2 + 2) / 10)
        self.assertEqual(changing_share([(0, 50)]), 0)


if __name__ == "__main__":
    unittest.main()
