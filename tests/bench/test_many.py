"""The measurement of many connections runs to its end, with so many open, and divides rightly; no figure is judged.

    test_many.py LOAD      SESSIOND in the environment names the daemon
"""

import os
import sys
import unittest
from pathlib import Path

from measurement_case import FailedRunCase, FiguresCase, run_measurement

HERE = Path(__file__).resolve().parent
LOAD = sys.argv.pop() if len(sys.argv) > 1 else None
OPEN = 120


class ManyTest(FailedRunCase, FiguresCase, unittest.TestCase):
    def run_bench(self, *options, load=LOAD):
        """(CompletedProcess, what --json wrote or None)"""
        file = self.directory / "figures.json"
        command = [sys.executable, HERE / "many", "--pairs", "2", "--open", OPEN, "--operations", "1000", "--load", load,
                   "--sessiond", os.environ["SESSIOND"], "--json", file, *options]
        return run_measurement(command, file)

    def test_it_tells_everything(self):
        ended, results = self.run_bench()
        names = [f"many.{name}" for name in ("alone_us", "among_us", "ratio", "open")]
        rows = self.check_rows(ended, results, names, {"many.ratio": ("<=", 1.1)})
        pairs = results["runs"]["many"]
        self.assertEqual([(pair["alone"]["open"], pair["among"]["open"]) for pair in pairs], [(50, OPEN)] * 2)
        self.assertEqual([pair[name]["operations"] for pair in pairs for name in ("alone", "among")], [1000] * 4)
        self.assertEqual(rows["many.open"]["values"], [OPEN, OPEN])
        self.check_ratios(rows["many.ratio"]["values"], rows["many.among_us"]["values"], rows["many.alone_us"]["values"])

    def test_none_that_only_wait(self):
        ended, results = self.run_bench("--open", "50")
        self.assertEqual((ended.returncode, results), (2, None))


if __name__ == "__main__":
    unittest.main()
