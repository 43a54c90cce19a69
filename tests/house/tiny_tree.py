"""A temporary source tree for the tests of the house checks. Not a test."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HOUSE = Path(__file__).resolve().parent


class TinyTree(unittest.TestCase):
    """A test case with a directory of its own in self.root."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sessiond house ")
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run_check(self, script, *arguments):
        """(exit status, output) of a house check run on the tree as ctest runs it."""
        run = subprocess.run(
            [sys.executable, HOUSE / script, "--root", self.root, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        return run.returncode, run.stdout

    def assert_passes(self, script, *arguments):
        status, output = self.run_check(script, *arguments)
        self.assertEqual(status, 0, output)
        return output

    def assert_finds(self, expected, script, *arguments):
        status, output = self.run_check(script, *arguments)
        self.assertEqual(status, 1, output)
        self.assertIn(expected, output)
