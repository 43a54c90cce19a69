"""Every message that names a command: it is run as printed, and works. A new one that is not covered here fails.

What a damaged directory's start prints is run in test_check.py (AdviceTest).
"""

import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.path[:0] = [os.path.join(HERE, "..", "crash"), os.path.join(HERE, "..", "support")]

from crash_case import EXIT_CONFIGURATION, EXIT_IO, CrashCase, needs  # noqa: E402
from sessiond_process import run_sessiond, sessiond_binary  # noqa: E402

RUN_S = 60
TWO_HOURS_S = 2 * 60 * 60
EXIT_USAGE = 64
NOBODY = 65534
SESSIOND = sessiond_binary()
SESSIONCTL = os.path.join(os.path.dirname(SESSIOND), "sessionctl")

# What names a command or an option of one: the text in src, and who runs it, or why nobody has to.
MESSAGES = {
    "sessiond --help lists the options.": "test_wrong_command_line",
    "there is no option '%.100s'; sessiond --print-config lists them": "test_unknown_option_in_a_file",
    "started as root: set user = sessiond, or --user root to stay root": "test_started_as_root",
    "sessionctl: %s\\nsessionctl --help lists what it can do.": "test_wrong_verb",
    "sessionctl VERB --help lists the options of a verb.": "test_verbs_help",
    "start it as that user (--user), or let this one own it": "test_directory_of_another_user",
    "if that time was wrong, start once with --accept-clock": "test_clock_behind",
    "--accept-clock: the clock is not behind": "says what came of it: no command",
    "--accept-clock: time goes on from the clock's": "says what came of it: no command",
    " --salvage ": "AdviceTest in test_check.py",
    "--data-dir ": "AdviceTest in test_check.py",
    "--set-aside-damaged": "AdviceTest in test_check.py",
    "file: --name VALUE": "a comment in the printed configuration: no command",
    "--salvage is for a data directory": "says which option is wrong: no command",
    "name it with --socket or $SESSIOND_ADMIN": "SessionctlTest in test_admin.py",
    "there is no file to read: sessiond was started without --config": "ReloadTest in test_reload.py",
    "give --yes if it is meant": "SessionctlTest in test_admin.py",
    "--help": "the name of an option, which is compared",
    "--version": "the name of an option, which is compared",
}
NAMES_A_COMMAND = re.compile(r"\bsession(?:d|ctl) (?:--?[a-z]|check\b|VERB --)|(?<![\w-])--[a-z]")
LITERAL = r'"(?:[^"\\]|\\.)*"'
LITERALS = re.compile(rf"{LITERAL}(?:\s*(?:PRI\w+\s*)?{LITERAL})*")


def texts(source):
    """The string literals of a C source without comments, those side by side as one."""
    code = re.sub(r"/\*.*?\*/|^\s*#include.*?$", "", source, flags=re.DOTALL | re.MULTILINE)
    for found in LITERALS.findall(code):
        yield re.sub(r'"\s*(?:PRI\w+\s*)?"', "", found)[1:-1]


class CoveredTest(unittest.TestCase):
    def test_each_message_is_covered(self):
        uncovered, met = [], set()
        for path in glob.glob(os.path.join(ROOT, "src", "**", "*.c"), recursive=True):
            with open(path, encoding="utf-8") as file:
                for text in filter(NAMES_A_COMMAND.search, texts(file.read())):
                    known = [part for part in MESSAGES if part in text]
                    met.update(known)
                    if not known:
                        uncovered.append(f"{os.path.relpath(path, ROOT)}: {text}")
        self.assertEqual(uncovered, [], "run them here, as printed")
        self.assertEqual(set(MESSAGES) - met, set(), "these are no more")
        named = [how for how in MESSAGES.values() if how.startswith("test_")]
        self.assertEqual([how for how in named if not hasattr(CommandsTest, how)], [])


class CommandsTest(CrashCase):
    def run_printed(self, command, code=0):
        """As a shell takes it, with both programs on the path, like where they are installed."""
        ended = subprocess.run(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True,
                               encoding="utf-8", timeout=RUN_S, check=False,
                               env={**os.environ, "PATH": os.path.dirname(SESSIOND) + ":" + os.environ["PATH"]})
        self.assertEqual(ended.returncode, code, ended.stderr)
        self.assertEqual(ended.stderr, "")
        return ended.stdout

    def printed(self, said, pattern):
        """The command in what was said."""
        found = re.search(pattern, said)
        self.assertIsNotNone(found, said)
        return found[1]

    def test_wrong_command_line(self):
        ended = run_sessiond(["--no-such-option"])
        self.assertEqual(ended.returncode, EXIT_USAGE)
        command = self.printed(ended.stderr, r"(sessiond --help) lists the options")
        self.assertIn("--data-dir", self.run_printed(command))

    def test_unknown_option_in_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("no-such-option = 1\n")
            file.flush()
            ended = run_sessiond(["--config", file.name])
        self.assertEqual(ended.returncode, EXIT_CONFIGURATION)
        listed = self.run_printed(self.printed(ended.stderr, r"(sessiond --print-config) lists them"))
        self.assertRegex(listed, r"(?m)^#? ?data-dir = ")

    @needs(os.geteuid() == 0, "root")
    def test_started_as_root(self):
        ended = run_sessiond(["--listen", "127.0.0.1:0"], as_root_options=False)
        self.assertEqual(ended.returncode, EXIT_CONFIGURATION)
        self.stop(self.start(*shlex.split(self.printed(ended.stderr, r"or (--user root) to stay root"))))

    def test_clock_behind(self):
        daemon = self.start()
        with daemon.connect() as conversation:
            self.assertEqual(conversation.set("key", b"value"), "STORED")
        daemon.stop()
        daemon.clock.step(-TWO_HOURS_S)
        daemon.start()
        daemon.wait_for_stderr("start once with ")
        option = self.printed(daemon.stderr_text(), r"start once with (--\S+)")
        daemon.stop()
        daemon._args.append(option)
        daemon.start()
        daemon.wait_for_stderr("time goes on from the clock's")
        with daemon.connect() as conversation:
            self.assertEqual(conversation.get("key"), b"value")

    def test_wrong_verb(self):
        ended = subprocess.run([SESSIONCTL, "no-such-verb"], capture_output=True, encoding="utf-8", check=False,
                               timeout=RUN_S)
        self.assertEqual(ended.returncode, EXIT_USAGE)
        command = self.printed(ended.stderr, r"(sessionctl --help) lists what it can do")
        self.assertIn("check", self.run_printed(command))

    def test_verbs_help(self):
        helped = self.run_printed("sessionctl --help")
        command = self.printed(helped, r"(sessionctl VERB --help) lists the options of a verb")
        verbs = re.findall(r"(?m)^  ([a-z]+) ", helped)
        self.assertIn("check", verbs)
        for verb in verbs:
            self.assertIn("--", self.run_printed(command.replace("VERB", verb)))

    @needs(os.geteuid() == 0, "root")
    def test_directory_of_another_user(self):
        with tempfile.TemporaryDirectory(prefix="sessiond-crash-") as above:
            os.chmod(above, 0o755)
            path = os.path.join(above, "data")
            os.mkdir(path, 0o700)
            os.chown(path, NOBODY, -1)
            ended = run_sessiond(["--listen", "127.0.0.1:0", "--data-dir", path])
            self.assertEqual(ended.returncode, EXIT_IO)
            option = self.printed(ended.stderr, r"start it as that user \((--user)\)")
            self.stop(self.start(option, "nobody", "--data-dir", path))


if __name__ == "__main__":
    unittest.main()
