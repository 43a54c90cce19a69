"""sessionctl check beside real directories: whole, torn, damaged, in use, empty, missing; and what a start that
meets damage prints, run as printed.

Sessions are told apart by when they were stored: in front of the damage, or behind it.
"""

import glob
import json
import os
import re
import shlex
import stat
import subprocess
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "crash"), os.path.join(HERE, "..", "support"),
                os.path.join(HERE, "..", "data")]

import decode  # noqa: E402
import dump_text  # noqa: E402
from crash_case import EXIT_DAMAGED, EXIT_IO, LONG_S, CrashCase  # noqa: E402
from sessiond_process import SessiondProcess, run_sessiond, sessiond_binary  # noqa: E402

EXIT_USAGE = 64
RUN_S = 60
MANY, BIG = 110, 50_000  # stores, and bytes of each: with 16 MiB of memory, enough for one checkpoint
SESSIONCTL = os.path.join(os.path.dirname(sessiond_binary()), "sessionctl")


def run(*args, code=0, **options):
    """Runs sessionctl, which must end with that exit code; returns CompletedProcess with text output."""
    ended = subprocess.run([SESSIONCTL, *args], stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
                           timeout=RUN_S, check=False, **options)
    assert ended.returncode == code, f"exit {ended.returncode}, not {code}\n{ended.stdout}\n{ended.stderr}"
    return ended


def read_dump(path):
    """{key: value} of a dump."""
    with open(path, "rb") as file:
        sessions = dump_text.read_dump(file.read())
    entries = {session.key.decode(): session.value for session in sessions}
    assert len(entries) == len(sessions), "a session twice"
    return entries


class PrintedStart(SessiondProcess):
    """The daemon, started by a command as it was printed."""

    def __init__(self, printed, **options):
        super().__init__(**options)
        self._printed = printed

    def command(self):
        return ["/bin/sh", "-c", f"exec {self._printed}"]


class CheckCase(CrashCase):
    def fill(self, daemon, *keys, value=b"hello", life_s=LONG_S):
        with daemon.connect() as conversation:
            for key in keys:
                self.assertEqual(conversation.set(key, value, life_s), "STORED")

    def delete(self, daemon, key):
        self.assertEqual(self.connect(daemon).ask(f"delete {key}"), "DELETED")

    def check(self, directory, *args, code=0):
        return json.loads(run("check", directory, "--json", *args, code=code).stdout)

    def first_file(self, directory):
        return min(glob.glob(os.path.join(glob.escape(directory), "journal-*")))

    def damage(self, directory, marker):
        """Flip a bit where marker stands; returns the file's name and the offset."""
        for path in glob.glob(os.path.join(glob.escape(directory), "journal-*")):
            with open(path, "r+b") as file:
                at = file.read().find(marker)
                if at >= 0:
                    file.seek(at)
                    file.write(bytes([marker[0] ^ 1]))
                    return os.path.basename(path), at
        raise AssertionError(f"no {marker} on disk")

    def contents(self, directory):
        found = {}
        for name in os.listdir(directory):
            with open(os.path.join(directory, name), "rb") as file:
                found[name] = (file.read(), os.stat(file.fileno()).st_mtime_ns)
        return found

    def path(self, daemon, name):
        return os.path.join(os.path.dirname(daemon.data_dir), name)

    def damaged(self, *args):
        """A stopped daemon, damaged where the session `middle` was stored.

        front-1 and gone were stored in front of it, gone was deleted behind it; back was stored behind it.
        """
        daemon = self.start("--fsync", "always", *args)
        self.fill(daemon, "front-1", "gone")
        self.fill(daemon, "middle", value=b"THE MIDDLE")
        self.fill(daemon, "back")
        self.delete(daemon, "gone")
        self.stop(daemon)
        return daemon


class WholeTest(CheckCase):
    def test_a_stopped_daemons(self):
        daemon = self.start("--fsync", "always")
        self.fill(daemon, "a", "b", "c")
        self.fill(daemon, "dead", life_s=100)
        self.delete(daemon, "b")
        self.stop(daemon)
        before = self.contents(daemon.data_dir)
        found = self.check(daemon.data_dir)
        self.assertEqual((found["damaged"], found["sessions"], found["uncertain"], found["expired"]),
                         (False, 3, 0, 0))
        self.assertEqual((found["gaps"], found["in_use"], found["records"]), ([], False, 5))
        self.assertEqual([each["number"] for each in found["segments"]][0], 1)
        self.assertEqual(self.contents(daemon.data_dir), before, "something was changed")
        text = run("check", daemon.data_dir).stdout
        self.assertTrue(text.startswith(f"{daemon.data_dir}: whole\n"), text)
        self.assertRegex(text, r"sessions +3 live")

    def test_a_dump_of_it(self):
        daemon = self.start("--fsync", "always")
        self.fill(daemon, "END", "%41/=&?", "plain", value=b"x\r\n\0END 1 2\n")
        self.fill(daemon, "big", value=b"v" * 300_000)
        self.fill(daemon, "again", value=b"old")
        self.fill(daemon, "again", value=b"new")
        self.stop(daemon)
        dump = self.path(daemon, "dump")
        run("check", daemon.data_dir, "--salvage", dump)
        self.assertEqual(stat.S_IMODE(os.stat(dump).st_mode), 0o600)
        odd = b"x\r\n\0END 1 2\n"
        self.assertEqual(read_dump(dump), {"END": odd, "%41/=&?": odd, "plain": odd, "big": b"v" * 300_000,
                                           "again": b"new"})
        self.assertIn("a whole dump of 5 sessions", run("check", dump).stdout)
        self.assertEqual(json.loads(run("check", "--json", dump).stdout)["sessions"], 5)

    def test_one_that_was_killed_and_torn(self):
        daemon = self.start("--fsync", "never")
        self.fill(daemon, "a", "b", value=b"THE VALUE")
        daemon.kill()
        content = self.contents(daemon.data_dir)
        name = os.path.basename(self.first_file(daemon.data_dir))
        at = content[name][0].rindex(b"THE VALUE")
        with open(os.path.join(daemon.data_dir, name), "r+b") as file:
            file.seek(at + 4)
            file.write(bytes(5))
        found = self.check(daemon.data_dir)
        self.assertEqual((found["damaged"], found["sessions"]), (False, 1))
        self.assertGreater(found["unsynced_bytes"], 0)
        self.assertRegex(run("check", daemon.data_dir).stdout, r"unsynced +\d+ bytes")
        daemon.start()
        self.assertEqual(daemon.stats()["curr_items"], "1")
        self.stop(daemon)

    def test_a_running_daemons(self):
        daemon = self.start("--fsync", "always")
        self.fill(daemon, "a", "b")
        for _ in range(3):
            found = self.check(daemon.data_dir)
            self.assertEqual((found["in_use"], found["damaged"], found["sessions"]), (True, False, 2))
        self.assertRegex(run("check", daemon.data_dir).stdout, r"in use +by another process")
        self.restart(daemon)  # nothing was in its way
        self.assertEqual(self.connect(daemon).get("a"), b"hello")
        self.stop(daemon)

    def test_one_that_is_written_to_meanwhile(self):
        daemon = self.start("--fsync", "everysec")
        must_end = threading.Event()

        def write():
            with daemon.connect() as conversation:
                number = 0
                while not must_end.is_set():
                    number += 1
                    conversation.set(f"k{number % 1000}", b"v" * (number % 3000), LONG_S)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(10):
                found = self.check(daemon.data_dir)
                self.assertEqual((found["in_use"], found["damaged"]), (True, False))
        finally:
            must_end.set()
            writer.join()
        self.assertGreater(self.check(daemon.data_dir)["records"], 0)
        self.stop(daemon)

    def test_an_empty_one_and_a_missing_one(self):
        empty = self.enterContext(SessiondProcess()).data_dir + "-empty"
        os.mkdir(empty)
        found = self.check(empty)
        self.assertEqual((found["damaged"], found["sessions"], found["segments"]), (False, 0, []))
        self.assertEqual(os.listdir(empty), [])
        ended = run("check", empty + "-not", code=EXIT_IO)
        self.assertIn("No such file or directory", ended.stderr)
        self.assertEqual(ended.stdout, "")


class DamagedTest(CheckCase):
    def test_what_is_told(self):
        daemon = self.damaged()
        name, at = self.damage(daemon.data_dir, b"THE MIDDLE")
        found = self.check(daemon.data_dir, code=EXIT_DAMAGED)
        self.assertEqual((found["damaged"], found["sessions"], found["uncertain"]), (True, 2, 1))
        [gap] = found["gaps"]
        self.assertEqual((gap["segment"], gap["missing"]), (int(name[-12:]), 1))
        self.assertLess(gap["offset"], at)
        self.assertLess(at, gap["next_offset"])
        self.assertIn(f"{name}, offset {gap['offset']}", found["damage"])
        text = run("check", daemon.data_dir, code=EXIT_DAMAGED).stdout
        self.assertIn("DAMAGED", text)
        self.assertRegex(text, r"uncertain +1 of them")

    def test_a_salvage_leaves_out_who_logged_out(self):
        daemon = self.damaged()
        self.damage(daemon.data_dir, b"THE MIDDLE")
        dump = self.path(daemon, "dump")
        ended = run("check", daemon.data_dir, "--salvage", dump, code=EXIT_DAMAGED)
        self.assertEqual(set(read_dump(dump)), {"front-1", "back"})
        self.assertRegex(ended.stdout, r"WARNING +1 of them cannot be guaranteed")
        run("check", dump)

    def test_a_salvage_to_standard_output(self):
        daemon = self.damaged()
        self.damage(daemon.data_dir, b"THE MIDDLE")
        ended = run("check", daemon.data_dir, "--salvage", "-", code=EXIT_DAMAGED)
        self.assertTrue(ended.stdout.startswith("sessiond-dump 1 "))
        self.assertIn("salvaged     2 sessions", ended.stderr)

    def test_a_terminal_is_refused(self):
        daemon = self.damaged()
        ours, theirs = os.openpty()
        self.addCleanup(os.close, ours)
        ended = subprocess.run([SESSIONCTL, "check", daemon.data_dir, "--salvage", "-"], stdin=subprocess.DEVNULL,
                               stdout=theirs, stderr=subprocess.PIPE, timeout=RUN_S, check=False)
        os.close(theirs)
        self.assertEqual(ended.returncode, EXIT_USAGE)
        self.assertIn(b"terminal", ended.stderr)

    def test_a_file_that_is_there_stays(self):
        daemon = self.damaged()
        there = self.path(daemon, "there")
        with open(there, "w", encoding="ascii") as file:
            file.write("mine")
        ended = run("check", daemon.data_dir, "--salvage", there, code=EXIT_IO)
        self.assertIn("is there already", ended.stderr)
        with open(there, encoding="ascii") as file:
            self.assertEqual(file.read(), "mine")

    def test_a_dump_that_was_cut_or_changed(self):
        daemon = self.damaged()
        whole = self.path(daemon, "whole")
        run("check", daemon.data_dir, "--salvage", whole)
        with open(whole, "rb") as file:
            content = file.read()
        other = self.path(daemon, "other")
        at = content.index(b"hello")
        for changed in (content[:-1], content[:at], content[:at + 7], content[:20], b"", content + b"x",
                        content[:at] + b"jello" + content[at + 5:]):
            with open(other, "wb") as file:
                file.write(changed)
            ended = run("check", other, code=EXIT_DAMAGED)
            self.assertIn(other, ended.stderr)
            self.assertEqual(ended.stdout, "")

    def test_a_file_that_is_missing_at_the_end(self):
        daemon = self.damaged()
        daemon.start()
        self.fill(daemon, "later")
        self.stop(daemon)
        for path in sorted(glob.glob(os.path.join(daemon.data_dir, "journal-*")))[1:]:
            os.remove(path)
        found = self.check(daemon.data_dir, code=EXIT_DAMAGED)
        self.assertEqual((found["sessions"], found["uncertain"]), (3, 3))
        self.assertEqual(found["gaps"][0]["next_segment"], 0)


class CheckpointTest(CheckCase):
    def checkpointed(self):
        """A stopped daemon with a checkpoint, which holds `early` and not `gone`, and a journal behind it.

        The journal deletes `logout`, of the checkpoint, and stores `late`.
        """
        daemon = self.start("--memory", "16m", "--fsync", "always")
        self.fill(daemon, "early", value=b"THE EARLY ONE")
        self.fill(daemon, "logout", "gone")
        self.delete(daemon, "gone")
        with daemon.connect() as conversation:
            for number in range(MANY):
                self.assertEqual(conversation.set(f"big-{number % 4}", b"v" * BIG, LONG_S), "STORED")
        daemon.wait_for_stat("checkpoints", 1, section="journal")
        self.delete(daemon, "logout")
        self.fill(daemon, "late", value=b"THE LATE ONE")
        self.stop(daemon)
        return daemon

    def damage_checkpoint(self, daemon, marker):
        [path] = glob.glob(os.path.join(glob.escape(daemon.data_dir), "checkpoint-*"))
        with open(path, "r+b") as file:
            at = file.read().rindex(marker)
            file.seek(at)
            file.write(bytes([marker[0] ^ 1]))

    def salvage(self, daemon, code):
        dump = self.path(daemon, f"dump-{code}")
        run("check", daemon.data_dir, "--salvage", dump, code=code)
        return set(read_dump(dump))

    def test_a_directory_with_one(self):
        daemon = self.checkpointed()
        found = self.check(daemon.data_dir)
        self.assertEqual((found["damaged"], found["sessions"], found["uncertain"]), (False, 6, 0))
        checkpoint = found["checkpoint"]
        self.assertEqual((checkpoint["number"], checkpoint["damaged"], checkpoint["newer_damaged"]), (1, False, 0))
        self.assertGreaterEqual(checkpoint["entries"], 3)
        [path] = glob.glob(os.path.join(glob.escape(daemon.data_dir), "checkpoint-*"))
        self.assertEqual(checkpoint["bytes"], os.path.getsize(path))
        self.assertRegex(run("check", daemon.data_dir).stdout, r"checkpoint +1, whole; \d+ entries, ")
        sessions = self.salvage(daemon, 0)
        self.assertEqual(sessions, {"early", "late", *(f"big-{number}" for number in range(4))})
        daemon.start()
        self.assertEqual(int(daemon.stats()["curr_items"]), len(sessions))
        self.stop(daemon)

    def test_what_is_damaged_in_it(self):
        daemon = self.checkpointed()
        self.damage_checkpoint(daemon, b"THE EARLY ONE")
        found = self.check(daemon.data_dir, code=EXIT_DAMAGED)
        self.assertEqual((found["damaged"], found["checkpoint"]["damaged"]), (True, True))
        self.assertIn("checkpoint-000000000001, offset ", found["damage"])
        self.assertGreater(found["sessions"], found["uncertain"])
        self.assertIn("DAMAGED; ", run("check", daemon.data_dir, code=EXIT_DAMAGED).stdout)
        sessions = self.salvage(daemon, EXIT_DAMAGED)
        self.assertIn("late", sessions)
        self.assertFalse(sessions & {"early", "logout", "gone"})

    def test_damage_behind_it(self):
        daemon = self.checkpointed()
        self.damage(daemon.data_dir, b"THE LATE ONE")
        found = self.check(daemon.data_dir, code=EXIT_DAMAGED)
        self.assertEqual((found["damaged"], found["checkpoint"]["damaged"]), (True, False))
        self.assertEqual((found["sessions"], found["uncertain"]), (5, 5))
        self.assertFalse(self.salvage(daemon, EXIT_DAMAGED) & {"late", "logout", "gone"})


class AdviceTest(CheckCase):
    def fail_to_start(self, *args, **options):
        """Returns the two commands that it prints."""
        ended = run_sessiond(["--listen", "127.0.0.1:0", *args], **options)
        self.assertEqual(ended.returncode, EXIT_DAMAGED, ended.stderr)
        [salvage, start] = re.findall(r"^    (\S.*)$", ended.stderr, re.MULTILINE)
        return salvage, start

    def run_both(self, daemon, directory, salvage, start):
        ended = subprocess.run(["/bin/sh", "-c", salvage], capture_output=True, timeout=RUN_S, check=False,
                               stdin=subprocess.DEVNULL, encoding="utf-8")
        self.assertEqual(ended.returncode, EXIT_DAMAGED, ended.stderr)
        self.assertEqual(set(read_dump(shlex.split(salvage)[-1])), {"front-1", "back"})
        before = {name: content for name, content in self.contents(directory).items() if name != "lock"}
        with PrintedStart(start) as fresh:
            self.assertEqual(fresh.stats()["curr_items"], "0")
            self.fill(fresh, "new")
            self.assertIn("journal-000000000001", os.listdir(directory))
            self.assertRegex(fresh.stderr_text(), r"warning the damaged data-dir .* is now .*\.damaged-\d{8}-\d{6}")
        [aside] = glob.glob(glob.escape(directory) + ".damaged-*")
        after = {name: content for name, content in self.contents(aside).items() if name != "lock"}
        self.assertEqual(after, before)
        with PrintedStart(start) as again:  # what is whole is not set aside
            self.assertEqual(again.stats()["curr_items"], "1")
        self.assertEqual(glob.glob(glob.escape(directory) + ".damaged-*"), [aside])

    def test_both_commands_as_printed(self):
        daemon = self.damaged()
        directory = self.path(daemon, "it's a directory; $HOME")
        os.rename(daemon.data_dir, directory)
        self.damage(directory, b"THE MIDDLE")
        salvage, start = self.fail_to_start("--data-dir", directory)
        self.run_both(daemon, directory, salvage, start)

    def test_with_the_default_directory_it_is_named(self):
        daemon = self.damaged()
        self.damage(daemon.data_dir, b"THE MIDDLE")
        salvage, start = self.fail_to_start(env={"XDG_STATE_HOME": os.path.dirname(daemon.data_dir)})
        self.assertIn(daemon.data_dir, start)
        self.run_both(daemon, daemon.data_dir, salvage, start)

    def test_another_version_is_not_set_aside(self):
        daemon = self.damaged()
        with open(self.first_file(daemon.data_dir), "r+b") as file:
            header = bytearray(file.read(decode.HEADER_BYTES))
            header[8] = 99
            file.seek(0)
            file.write(decode.sealed_header(header))
        before = self.contents(daemon.data_dir)
        ended = run_sessiond(["--listen", "127.0.0.1:0", "--data-dir", daemon.data_dir, "--set-aside-damaged"])
        self.assertEqual(ended.returncode, EXIT_DAMAGED)
        self.assertNotIn("set-aside", ended.stderr)
        del before["lock"]
        after = self.contents(daemon.data_dir)
        del after["lock"]
        self.assertEqual(after, before)
        self.assertIn("has format 99", run("check", daemon.data_dir, code=EXIT_DAMAGED).stderr)


class ArgumentsTest(unittest.TestCase):
    def test_help_and_version(self):
        self.assertIn("check", run("--help").stdout)
        self.assertIn("--salvage", run("check", "--help").stdout)
        self.assertRegex(run("--version").stdout, r"^sessionctl \d+\.\d+\.\d+\n$")

    def test_usage(self):
        for words in ((), ("nonsense",), ("check",), ("check", ""), ("check", "/", "/"), ("check", "/", "--nonsense"),
                      ("check", "/", "--salvage"), ("check", SESSIONCTL, "--salvage", "/tmp/never-made")):
            ended = run(*words, code=EXIT_USAGE)
            self.assertEqual(ended.stdout, "")
            self.assertTrue(ended.stderr.startswith("sessionctl: "), ended.stderr)

    def test_what_is_no_dump(self):
        self.assertIn("is no dump of sessiond", run("check", __file__, code=EXIT_DAMAGED).stderr)


if __name__ == "__main__":
    unittest.main()
