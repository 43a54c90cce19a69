"""What a later version may have written: refused, with nothing changed. What only looks like it is damage.

A file is altered so that every checksum holds, as that version would have written it.
"""

import glob
import json
import os
import struct
import subprocess
import sys
import unittest

from crash_case import EXIT_DAMAGED, HERE, LONG_S, CrashCase
from sessiond_process import run_sessiond, sessiond_binary

sys.path[:0] = [os.path.join(HERE, "..", "data")]

import decode  # noqa: E402

SESSIONCTL = os.path.join(os.path.dirname(sessiond_binary()), "sessionctl")
HALF_HOUR_S = 1801
RUN_S = 60
UNKNOWN = 200  # a type of record that no version has yet

# what: (offset in the header, the 4 bytes that a later version may have there, what is said)
HEADERS = {
    "version": (8, decode.VERSION + 1, f"has format {decode.VERSION + 1}, and this sessiond knows format"),
    "version 0": (8, 0, "has format 0"),
    "required feature": (12, 1, "needs a feature that this sessiond does not know"),
    "another required feature": (12, 1 << 31, "needs a feature that this sessiond does not know"),
    "cipher": (20, 1, "needs a feature that this sessiond does not know"),
}
ADVICE = "start the version that wrote it"


class NewerFormatTest(CrashCase):
    """One directory with two checkpoints, the older of which could be used too: no way round what is not known."""

    @classmethod
    def setUpClass(cls):
        cls.case = cls("make")
        cls.addClassCleanup(cls.case.doCleanups)
        cls.case.make()

    def make(self):
        self.daemon_ = daemon = self.start("--fsync", "always")
        side = daemon.data_dir + "-side"
        os.mkdir(side)
        with daemon.connect() as conversation:
            for n, marker in enumerate(("first", "second")):
                self.assertEqual(conversation.set("gone", "x", LONG_S), "STORED")
                self.assertEqual(conversation.set(marker, b"in the checkpoint", LONG_S), "STORED")
                self.assertEqual(conversation.ask("delete gone"), "DELETED")
                daemon.wait_for_stat("journal_segments", lambda count: count >= 2, section="journal")
                for name in os.listdir(daemon.data_dir):
                    if n == 1 and not name.endswith(".new"):
                        os.link(os.path.join(daemon.data_dir, name), os.path.join(side, name))
                daemon.clock.move(HALF_HOUR_S)
                daemon.wait_for_stat("checkpoints", n + 1, section="journal")
            self.assertEqual(conversation.set("last", b"in the journal", LONG_S), "STORED")
            daemon.wait_for_stat("journal_segments", lambda count: count >= 2, section="journal")
        daemon.kill()
        for name in os.listdir(side):  # what the second checkpoint had removed
            if not os.path.exists(os.path.join(daemon.data_dir, name)):
                os.link(os.path.join(side, name), os.path.join(daemon.data_dir, name))
        self.altered = {"lock"}
        self.files = {name: self.read(name) for name in os.listdir(daemon.data_dir)}

    def setUp(self):
        self.directory = self.case.daemon_.data_dir
        self.files = self.case.files
        for name in set(self.files).difference(os.listdir(self.directory)) | self.case.altered:
            with open(os.path.join(self.directory, name), "wb") as file:
                file.write(self.files[name])
        self.case.altered.clear()

    def read(self, name):
        with open(os.path.join(self.daemon_.data_dir, name), "rb") as file:
            return file.read()

    def names(self, kind):
        return sorted(name for name in self.files if name.startswith(kind))

    def everything(self):
        """Bytes and times of all files, and of the directory."""
        found = {".": (b"", os.stat(self.directory).st_mtime_ns)}
        for path in glob.glob(os.path.join(self.directory, "*")):
            with open(path, "rb") as file:
                found[os.path.basename(path)] = (file.read(), os.fstat(file.fileno()).st_mtime_ns)
        return found

    def write(self, name, at, content):
        self.case.altered.add(name)
        with open(os.path.join(self.directory, name), "r+b") as file:
            file.seek(at)
            file.write(content)

    def start_fails(self, *args):
        ended = run_sessiond(["--listen", "127.0.0.1:0", "--data-dir", self.directory, *args],
                             env={"SESSIOND_TEST_CLOCK": self.case.daemon_.clock.path})
        self.assertEqual(ended.returncode, EXIT_DAMAGED, ended.stderr)
        self.assertEqual(ended.stdout, "")
        return ended.stderr

    def check_fails(self):
        ended = subprocess.run([SESSIONCTL, "check", "--json", self.directory], stdin=subprocess.DEVNULL,
                               capture_output=True, encoding="utf-8", timeout=RUN_S, check=False)
        self.assertEqual(ended.returncode, EXIT_DAMAGED, ended.stderr)
        return ended

    def assert_refused(self, name, said):
        before = self.everything()
        for args in ((), ("--set-aside-damaged",)):
            told = self.start_fails(*args)
            for part in (name, said, ADVICE, "nothing was changed"):
                self.assertIn(part, told)
            self.assertNotIn("--set-aside-damaged", told)
            after = self.everything()
            after["lock"] = before["lock"]  # who tried
            self.assertEqual(after, before)
        before = self.everything()
        ended = self.check_fails()
        self.assertEqual(ended.stdout, "")
        for part in (name, said, ADVICE):
            self.assertIn(part, ended.stderr)
        self.assertEqual(self.everything(), before)
        self.assertEqual(glob.glob(self.directory + ".damaged*"), [])

    def assert_damaged(self, name):
        before = self.everything()
        told = self.start_fails()
        self.assertIn(name, told)
        self.assertIn("damaged", told)
        self.assertIn("--set-aside-damaged", told)
        after = self.everything()
        after["lock"] = before["lock"]
        self.assertEqual(after, before)
        self.assertTrue(json.loads(self.check_fails().stdout)["damaged"])

    def test_a_header_of_another_version(self):
        journals = self.names("journal")
        for name, whats in ((journals[0], HEADERS), (journals[-1], ("version",)),
                            (self.names("checkpoint")[-1], ("version", "required feature", "cipher"))):
            for what in whats:
                at, value, said = HEADERS[what]
                with self.subTest(f"{name} {what}"):
                    self.setUp()
                    header = bytearray(self.files[name][:decode.HEADER_BYTES])
                    struct.pack_into("<I", header, at, value)
                    self.write(name, 0, decode.sealed_header(header))
                    self.assert_refused(name, said)

    def test_a_flipped_bit_is_no_version(self):
        """Of a checkpoint the older one is used then."""
        journals = self.names("journal")
        for name in (journals[0], journals[-1]):
            for at in (8, 11, 12, 20):
                with self.subTest(f"{name} {at}"):
                    self.setUp()
                    self.write(name, at, bytes([self.files[name][at] ^ 4]))
                    self.assert_damaged(name)
        self.setUp()
        newer = self.names("checkpoint")[-1]
        self.write(newer, 8, bytes([self.files[newer][8] ^ 4]))
        self.assert_works(newer)

    def assert_works(self, damaged):
        daemon = self.daemon("--data-dir", self.directory, env={"SESSIOND_TEST_CLOCK": self.case.daemon_.clock.path})
        daemon.start()
        with daemon.connect() as conversation:
            conversation.send_line("get first second last gone")
            self.assertEqual(set(conversation.read_values()), {"first", "second", "last"})
        daemon.kill()
        self.assertNotIn(damaged, os.listdir(self.directory))
        for name in os.listdir(self.directory):
            os.remove(os.path.join(self.directory, name))

    def frame_with(self, name, marker):
        """The frame that has this key; and where its record begins in it."""
        content = self.files[name]
        file = decode.File(name, 0, struct.unpack_from("<Q", content, 40)[0], content)
        for at in range(decode.HEADER_BYTES, len(content), 8):
            frame = decode.read_frame(file, at) if content[at + 8:at + 12] == decode.FRAME_MAGIC else None
            if frame is not None and any(record.key == marker for record in frame.records):
                key_at = content.index(marker, at)
                return file.salt, frame, key_at - 28
        raise AssertionError(f"no {marker} in {name}")

    def test_a_record_of_an_unknown_type(self):
        """Its frame holds; it may end sessions, so nothing is read past it, and no older checkpoint instead."""
        for name, marker in ((self.names("journal")[-2], b"last"), (self.names("checkpoint")[-1], b"second")):
            with self.subTest(name):
                self.setUp()
                salt, frame, at = self.frame_with(name, marker)
                size = struct.unpack_from("<I", self.files[name], frame.at + 12)[0]
                whole = bytearray(self.files[name][frame.at:frame.at + decode.FRAME_HEAD_BYTES + size])
                self.assertEqual(whole[at - frame.at], 1)
                whole[at - frame.at] = UNKNOWN
                self.write(name, frame.at, decode.sealed_frame(whole, salt))
                self.assert_refused(name, f"offset {frame.at}: has a record of ")


if __name__ == "__main__":
    unittest.main()
