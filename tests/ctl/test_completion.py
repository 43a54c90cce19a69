"""The words that bash offers for sessionctl and sessiond, asked as bash asks: by the function that `complete` names."""

import os
import re
import subprocess
import tempfile
import unittest

from ctl_case import SESSIONCTL, EXIT_USAGE, RUN_S
from sessiond_process import sessiond_binary

# $1 script, $2 directory; then the words, of which the last is completed.
ASK = """
set -u
source "$1" && cd "$2" && shift 2
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
function=$(complete -p "${1##*/}") && function=${function#*-F } && "${function%% *}" "$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def run(*command):
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=RUN_S, check=False)


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="sessiond-test-"))
        cls.folder = os.path.join(folder, "here")
        os.makedirs(os.path.join(cls.folder, "data dir"))
        open(os.path.join(cls.folder, "a file"), "w", encoding="ascii").close()
        cls.script = os.path.join(folder, "script")
        with open(cls.script, "w", encoding="ascii") as script:
            printed = run(SESSIONCTL, "completion", "bash")
            script.write(printed.stdout)

    def offered(self, *words):
        """What stands in COMPREPLY; nothing may be said on stderr."""
        ended = run("bash", "--norc", "-c", ASK, "bash", self.script, self.folder, *words)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        return sorted(ended.stdout.split("\n")[:-1]) if ended.stdout != "\n" else []

    def test_every_verb(self):
        verbs = re.findall(r"^  ([a-z]+) ", run(SESSIONCTL, "--help").stdout, re.MULTILINE)
        self.assertIn("check", verbs)
        self.assertEqual(self.offered("sessionctl", ""), sorted([*verbs, "--help", "--version"]))
        self.assertEqual(self.offered("sessionctl", "re"), ["reload", "restore"])

    def test_every_option_of_a_verb(self):
        for verb in re.findall(r"^  ([a-z]+) ", run(SESSIONCTL, "--help").stdout, re.MULTILINE):
            options = re.findall(r"^  (--[a-z-]+)", run(SESSIONCTL, verb, "--help").stdout, re.MULTILINE)
            self.assertIn("--help", options)
            self.assertEqual(self.offered("sessionctl", verb, "--"), sorted(options))

    def test_files_where_one_is_meant(self):
        files = ["a file", "data dir"]
        self.assertEqual(self.offered("sessionctl", "check", "--salvage", ""), files)
        self.assertEqual(self.offered("sessionctl", "check", "--salvage", "=", "a"), ["a file"])
        self.assertEqual(self.offered("sessionctl", "check", "--salvage", "="), files)
        self.assertEqual(self.offered("sessionctl", "check", "da"), ["data dir"])
        self.assertEqual(self.offered("sessionctl", "ping", "a"), [])
        self.assertEqual(self.offered("sessionctl", "nonsense", ""), [])

    def test_shells(self):
        self.assertEqual(self.offered("sessionctl", "completion", "b"), ["bash"])
        refused = run(SESSIONCTL, "completion", "fish")
        self.assertEqual((refused.returncode, refused.stdout), (EXIT_USAGE, ""))
        self.assertIn("'fish'", refused.stderr)

    def test_every_option_of_the_daemon(self):
        settings = re.findall(r"^([a-z-]+) =", run(sessiond_binary(), "--print-config").stdout, re.MULTILINE)
        self.assertIn("fsync", settings)
        offered = self.offered(sessiond_binary(), "--")
        self.assertEqual(set(offered), {f"--{name}" for name in settings} | set(
            re.findall(r"^  (--[a-z-]+) ", run(sessiond_binary(), "--help").stdout, re.MULTILINE)))
        self.assertIn("--set-aside-damaged", offered)
        self.assertIn("-p", self.offered(sessiond_binary(), "-"))

    def test_values_of_the_daemon(self):
        for words, values in (
            (("--fsync", ""), ["always", "everysec", "never"]),
            (("--fsync", "=", "e"), ["everysec"]),
            (("--insecure-listen", ""), ["no", "yes"]),
            (("--threads", ""), ["auto"]),
            (("--memory", ""), []),
            (("-m", ""), []),
            (("--config", ""), ["a file", "data dir"]),
            (("--config", "=", "a"), ["a file"]),
            (("--data-dir", "d"), ["data dir"]),
            (("--print-config", "--ver"), ["--version"]),
        ):
            self.assertEqual(self.offered(sessiond_binary(), *words), values, words)

    def test_no_daemon(self):
        self.assertEqual(self.offered("/nowhere/sessiond", ""), [])


if __name__ == "__main__":
    unittest.main()
