"""A client in another language: a program that is told method and arguments in a line of JSON, and answers in one.

Not a test.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

from sessiond_process import REPLY_DEADLINE_S, LineCollector

ROOT = Path(__file__).resolve().parents[2]
NODE_MODULES = ROOT / "build" / "node" / "node_modules"  # ./dev test installs them
CLOSE_DEADLINE_S = 20


class ClientError(Exception):
    """What the client said."""


def node_environment():
    """The environment in which node finds the packages of tests/clients/node."""
    if not NODE_MODULES.is_dir() or shutil.which("node") is None:
        raise AssertionError(f"{NODE_MODULES} is missing: ./dev test makes it")
    return {**os.environ, "NODE_PATH": str(NODE_MODULES), "NODE_NO_WARNINGS": "1"}


class DrivenClient:
    """command: the program; it reads lines [METHOD, ARGUMENT...] and writes lines [ERROR, RESULT]."""

    def __init__(self, command, env=None):
        self._process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         env=env)
        self._answers = LineCollector(self._process.stdout)
        self._n_asked = 0

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self._process.stdin.close()
        try:
            self._process.wait(CLOSE_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def __getattr__(self, method):
        return lambda *arguments: self.call(method, *arguments)

    def call(self, method, *arguments):
        """What the method gives; raises ClientError with what the client says of an error."""
        self._n_asked += 1
        self._process.stdin.write(json.dumps([method, *arguments]).encode() + b"\n")
        self._process.stdin.flush()
        if not self._answers.wait_for(lambda lines: len(lines) >= self._n_asked, REPLY_DEADLINE_S):
            raise AssertionError(f"{method}: no answer; the program ended with {self._process.poll()}")
        error, result = json.loads(self._answers.lines()[-1])
        if error is not None:
            raise ClientError(error)
        return result
