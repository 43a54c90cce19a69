"""The measurement of many sessions runs to its end, tells all that it promises and divides rightly; no figure is judged.

    test_scale.py LOAD CHASE STORE_GROW      SESSIOND in the environment names the daemon
"""

import os
import sys
import unittest
from pathlib import Path

from measurement_case import FailedRunCase, FiguresCase, run_measurement

HERE = Path(__file__).resolve().parent
GROW = sys.argv.pop() if len(sys.argv) > 3 else None
CHASE = sys.argv.pop() if len(sys.argv) > 2 else None
LOAD = sys.argv.pop() if len(sys.argv) > 1 else None
FEW, MANY = 500, 4000
OPERATIONS = 600
DEPTH_ROWS = ["few_us", "many_us", "ratio", "added_ns", "chase_few_ns", "chase_many_ns", "chase_ratio", "loads"]
GROW_ROWS = ["over_1ms", "max_us", "p99.999_us", "overwrite_max_us", "faults", "faulting_over_1ms", "faulting_max_us"]


class ScaleTest(FailedRunCase, FiguresCase, unittest.TestCase):
    def run_bench(self, *options, load=LOAD):
        """(CompletedProcess, what --json wrote or None)"""
        file = self.directory / "figures.json"
        command = [sys.executable, HERE / "scale", "--pairs", "2", "--few", FEW, "--many", MANY, "--operations", OPERATIONS,
                   "--loads", "1000", "--load", load, "--chase", CHASE, "--grow", GROW, "--sessiond", os.environ["SESSIOND"],
                   "--json", file, *options]
        return run_measurement(command, file)

    def test_depths(self):
        ended, results = self.run_bench("--only", "depths")
        rows = self.check_rows(ended, results, [f"depth{depth}.{name}" for depth in (1, 16) for name in DEPTH_ROWS],
                               {"depth1.ratio": ("<=", 1.35), "depth16.ratio": ("<=", 1.35)})
        for depth, operations in ((1, OPERATIONS), (16, 8 * OPERATIONS)):
            pairs = results["runs"][f"depth{depth}"]
            self.assertEqual([pair[name]["operations"] for pair in pairs for name in ("few", "many")], [operations] * 4)
            values = {name: rows[f"depth{depth}.{name}"]["values"] for name in DEPTH_ROWS}
            for which in ("few", "many"):
                self.assertEqual(values[f"{which}_us"], [pair[which]["cpu_us"] for pair in pairs])
                self.assertEqual(values[f"chase_{which}_ns"], [pair[which]["load_ns"] for pair in pairs])
                self.assertGreater(min(values[f"chase_{which}_ns"]), 0)
            self.check_ratios(values["ratio"], values["many_us"], values["few_us"])
            self.check_ratios(values["chase_ratio"], values["chase_many_ns"], values["chase_few_ns"])
            self.check_ratios(values["loads"], values["added_ns"], values["chase_many_ns"])
            self.check_ratios(values["added_ns"], [many - few for few, many in zip(values["few_us"], values["many_us"])],
                              [1 / 1000] * 2)

    def test_growth(self):
        """Every insert counts, by itself, either with or without a page fault; overwrites need no new memory."""
        ended, results = self.run_bench("--only", "grow")
        rows = self.check_rows(ended, results, [f"grow.{name}" for name in GROW_ROWS], {"grow.over_1ms": ("<=", 0)})
        (told,) = results["runs"]["grow"]
        for phase in ("grow", "overwrite"):
            kinds = [told[phase][kind] for kind in ("smooth", "faulting")]
            self.assertEqual(sum(kind["n"] for kind in kinds), MANY)
            for kind in kinds:
                # a percentile is the middle of a bucket, whose width is a 64th
                self.assertLessEqual(kind["p99.999_us"], kind["max_us"] * 65 / 64)
        self.assertGreaterEqual(told["grow"]["faults"], told["grow"]["faulting"]["n"])
        self.assertGreater(told["grow"]["faulting"]["n"], MANY * 464 // 4096 // 2)
        self.assertLess(told["overwrite"]["faulting"]["n"], MANY // 100)
        self.assertEqual(rows["grow.max_us"]["values"], [told["grow"]["smooth"]["max_us"]])
        self.assertEqual(rows["grow.faulting_max_us"]["values"], [told["grow"]["faulting"]["max_us"]])


if __name__ == "__main__":
    unittest.main()
