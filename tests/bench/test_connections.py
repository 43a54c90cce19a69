"""The measurement of connections runs to its end and tells all that it promises; no figure is judged."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROWS = {"alone.p50_us", "alone.p99_us", "idle.bytes", "idle.p50_us", "idle.p99_us", "slow.bytes", "slow.connections", "slow.p50_us",
        "slow.p99_us", "slow.p99_ratio"}


class ConnectionsBenchTest(unittest.TestCase):
    def test_it_tells_everything(self):
        with tempfile.TemporaryDirectory(prefix="bench-connections-test-") as directory:
            file = Path(directory) / "figures.json"
            ended = subprocess.run(
                [sys.executable, str(HERE / "connections"), "--sessiond", os.environ["SESSIOND"], "--idle", "40", "--slow", "40",
                 "--operations", "200", "--json", str(file)],
                capture_output=True, text=True, timeout=100, check=False)
            self.assertEqual(ended.returncode, 0, ended.stderr)
            figures = json.loads(file.read_text(encoding="utf-8"))
        self.assertEqual(set(figures), ROWS)
        self.assertGreaterEqual(figures["slow.connections"], 76)
        self.assertEqual(len(ended.stdout.splitlines()), 8)


if __name__ == "__main__":
    unittest.main()
