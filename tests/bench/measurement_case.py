"""What the tests of measurements share. Not a test by itself. Only the standard library."""

import json
import subprocess

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
