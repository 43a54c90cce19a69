"""The directories of every release: files that never change, that each later build must open, whole and unchanged.

One folder for each release, made by make.py. The decoder beside them was written from docs/DISK-FORMAT.md alone:
what it reads out of them, and out of what this build writes, holds the document to the code.
"""

import glob
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "crash")]

import decode  # noqa: E402
from crash_case import CrashCase  # noqa: E402
from make import FAR_S, describe  # noqa: E402
from sessiond_process import sessiond_binary  # noqa: E402

SESSIONCTL = os.path.join(os.path.dirname(sessiond_binary()), "sessionctl")
RUN_S = 60
RELEASES = sorted(name for name in os.listdir(HERE) if os.path.isdir(os.path.join(HERE, name)) and name[0].isdigit())
FIRST = "0.1.0"
MET = {"SET", "TOUCH", "DELETE", "FLUSH", "LINK", "SEAL", "CLOCK", "END"}  # in the files of the first release


def deadline_of(entry):
    return decode.NO_DEADLINE if entry["deadline"] is None else entry["deadline"]


class GoldenCase(CrashCase):
    def for_each(self, look):
        """Of all releases: look(a daemon whose directory it is and that is not started, what it must hold)."""
        for release in RELEASES:
            paths = sorted(glob.glob(os.path.join(HERE, release, "*.tar.xz")))
            self.assertNotEqual(paths, [])
            for path in paths:
                with self.subTest(os.path.relpath(path, HERE)):
                    with open(path.removesuffix(".tar.xz") + ".json", encoding="ascii") as file:
                        look(self.unpack(path), json.load(file))

    def unpack(self, path):
        daemon = self.daemon("--flush-all", "allow")
        daemon.prepare()
        os.mkdir(daemon.data_dir, 0o700)
        with tarfile.open(path) as archive:
            archive.extractall(daemon.data_dir)
        return daemon

    def live(self, expected):
        """What is there at the time that the files tell of, which is never before their last frame's."""
        return {key: entry for key, entry in expected["entries"].items()
                if deadline_of(entry) > expected["ended"]}


class FilesTest(GoldenCase):
    def test_nothing_was_changed(self):
        self.assertIn(FIRST, RELEASES)
        for release in RELEASES:
            folder = os.path.join(HERE, release)
            with open(os.path.join(folder, "SHA256SUMS"), encoding="ascii") as sums:
                wanted = {name: digest for digest, name in (line.split() for line in sums)}
            found = {}
            for name in os.listdir(folder):
                if name != "SHA256SUMS":
                    with open(os.path.join(folder, name), "rb") as file:
                        found[name] = hashlib.sha256(file.read()).hexdigest()
            self.assertEqual(found, wanted)

    def test_they_hold_what_they_must_show(self):
        counts = {}
        tails = []

        def look(daemon, _expected):
            contents = decode.read_directory(daemon.data_dir)
            tails.append(contents.mark < contents.last_sequence)
            self.assertGreaterEqual(contents.n_files, 2)
            counts.update(contents.counts)

        self.for_each(look)
        self.assertGreaterEqual(set(counts), MET)
        self.assertIn(True, tails)

    def test_the_document_reads_them(self):
        self.for_each(lambda daemon, expected: self.compare(decode.read_directory(daemon.data_dir), expected))

    def compare(self, contents, expected):
        found = {key.decode("ascii"): {**describe(entry.value), "flags": entry.flags, "cas": entry.cas,
                                       "deadline": None if entry.deadline_s == decode.NO_DEADLINE
                                       else entry.deadline_s}
                 for key, entry in contents.entries.items()}
        self.assertEqual(found, expected["entries"])
        self.assertEqual(None if contents.flush_at_s == decode.NO_DEADLINE else contents.flush_at_s,
                         expected["flush_at"])
        self.assertLessEqual(contents.time_s, expected["ended"] + 60)


class OpenTest(GoldenCase):
    def assert_holds(self, daemon, expected):
        with daemon.connect() as conversation:
            for key, entry in expected["entries"].items():
                conversation.send_line(f"gets {key}")
                found = conversation.read_values().get(key)
                if deadline_of(entry) <= expected["ended"]:
                    self.assertIsNone(found, f"{key} is back")
                    continue
                self.assertIsNotNone(found, f"{key} is gone")
                flags, cas, value = found
                self.assertEqual((key, flags, cas, describe(value)), (
                    key, entry["flags"], entry["cas"], {"size": entry["size"], "sha256": entry["sha256"]}))

    def test_this_build_opens_them(self):
        """Again and again, also when it is killed; what it makes of them is as the document says."""

        def look(daemon, expected):
            for _ in range(2):
                daemon.start()
                self.assert_holds(daemon, expected)
                with daemon.connect() as conversation:
                    self.assertEqual(conversation.set("new", b"of this build", FAR_S), "STORED")
                    conversation.send_line("gets new")
                    cas = conversation.read_values()["new"][1]
                    self.assertGreater(cas, max(entry["cas"] for entry in expected["entries"].values()))
                daemon.kill()
            contents = decode.read_directory(daemon.data_dir)
            self.assertEqual(contents.entries.pop(b"new"), (b"of this build", 0, FAR_S, cas))
            self.assert_reads(contents, expected)

        self.for_each(look)

    def assert_reads(self, contents, expected):
        """All that lives, and of what has expired what is still in the files: a checkpoint may have left it out."""
        found = {key.decode("ascii"): (entry.flags, entry.deadline_s, entry.cas, describe(entry.value))
                 for key, entry in contents.entries.items()}
        self.assertLessEqual(set(self.live(expected)), set(found))
        self.assertEqual(found, {key: (entry["flags"], deadline_of(entry), entry["cas"],
                                       {"size": entry["size"], "sha256": entry["sha256"]})
                                 for key, entry in expected["entries"].items() if key in found})
        self.assertEqual(contents.flush_at_s, expected["flush_at"] or decode.NO_DEADLINE)

    def test_a_checkpoint_of_them(self):
        """What this build writes into one is what was there."""

        def look(daemon, expected):
            daemon.start()
            with daemon.connect() as conversation:
                self.assertEqual(conversation.set("gone", b"of this build"), "STORED")
                self.assertEqual(conversation.ask("delete gone"), "DELETED")
            daemon.clock.move(3600)
            daemon.wait_for_stat("checkpoints", lambda count: count >= 1, timeout_s=60, section="journal")
            daemon.kill()
            self.assert_reads(decode.read_directory(daemon.data_dir), expected)
            daemon.start()
            self.assert_holds(daemon, expected)
            daemon.kill()

        self.for_each(look)

    def run_tool(self, *args):
        ended = subprocess.run([SESSIONCTL, *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=RUN_S,
                               check=False)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout

    def test_the_tool_reads_them(self):
        def look(daemon, expected):
            directory = daemon.data_dir
            found = json.loads(self.run_tool("check", directory, "--json"))
            live = self.live(expected)
            self.assertEqual((found["damaged"], found["gaps"], found["uncertain"]), (False, [], 0))
            self.assertEqual(found["sessions"], len(live))
            self.assertEqual(found["expired"], len(expected["entries"]) - len(live))
            self.assertEqual(found.get("flush_at"), expected["flush_at"])
            dump = directory + ".dump"
            self.run_tool("check", directory, "--salvage", dump)
            self.assertEqual(self.read_dump(dump), {
                key: (entry["flags"], deadline_of(entry), entry["cas"], entry["size"], entry["sha256"])
                for key, entry in live.items()})

        self.for_each(look)

    def read_dump(self, path):
        entries = {}
        with open(path, "rb") as file:
            file.readline()
            while not (line := file.readline()).startswith(b"END ") or len(line.split()) == 5:
                key, flags, deadline, cas, size = line.split()
                value = file.read(int(size) + 1)[:-1]
                entries[urllib.parse.unquote(key.decode("ascii"))] = (
                    int(flags), int(deadline) or decode.NO_DEADLINE, int(cas), *describe(value).values())
        return entries


if __name__ == "__main__":
    unittest.main()
