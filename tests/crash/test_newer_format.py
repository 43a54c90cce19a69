"""What a later version may have written: refused, with nothing changed. What only looks like it is damage.

A file is altered so that every checksum holds, as that version would have written it.
"""

import glob
import os
import struct
import sys
import unittest

from crash_case import HERE
from two_checkpoints import TwoCheckpointsCase

sys.path[:0] = [os.path.join(HERE, "..", "data")]

import decode  # noqa: E402

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


class NewerFormatTest(TwoCheckpointsCase):
    """There is an older checkpoint that could be used too: no way round what is not known."""

    def assert_refused(self, name, said, *args):
        before = self.everything()
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

    def test_a_header_of_another_version(self):
        journals = self.names("journal")
        for name, whats in ((journals[0], HEADERS), (journals[-1], ("version",)),
                            (self.names("checkpoint")[-1], ("version",))):
            for what in whats:
                at, value, said = HEADERS[what]
                with self.subTest(f"{name} {what}"):
                    self.setUp()
                    header = bytearray(self.files[name][:decode.HEADER_BYTES])
                    struct.pack_into("<I", header, at, value)
                    self.write(name, 0, decode.sealed_header(header))
                    self.assert_refused(name, said, *(["--set-aside-damaged"] if at == 8 else []))

    def test_a_flipped_bit_is_no_version(self):
        """Of a checkpoint the older one is used then."""
        journals = self.names("journal")
        for name, places in ((journals[0], (8, 11, 12, 20)), (journals[-1], (8,))):
            for at in places:
                with self.subTest(f"{name} {at}"):
                    self.setUp()
                    self.flip(name, at)
                    self.assertIn("its header, offset 0, is damaged", self.assert_damaged(name))
        self.setUp()
        newer = self.names("checkpoint")[-1]
        self.flip(newer, 8)
        self.assert_works([newer])

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

    def test_a_record_of_another_version(self):
        """Of an unknown type, or with unknown bits. Its frame holds; it may end sessions, so nothing is read past it,
        and no older checkpoint instead."""
        for name, marker in ((self.names("journal")[-2], b"last"), (self.names("checkpoint")[-1], b"second")):
            for byte, value in ((0, UNKNOWN), (2, 1)):
                with self.subTest(f"{name} {byte}"):
                    self.setUp()
                    salt, frame, at = self.frame_with(name, marker)
                    size = struct.unpack_from("<I", self.files[name], frame.at + 12)[0]
                    whole = bytearray(self.files[name][frame.at:frame.at + decode.FRAME_HEAD_BYTES + size])
                    self.assertEqual((whole[at - frame.at], whole[at - frame.at + 2]), (1, 0))
                    whole[at - frame.at + byte] = value
                    self.write(name, frame.at, decode.sealed_frame(whole, salt))
                    self.assert_refused(name, f"offset {frame.at}: has a record (type {UNKNOWN if byte == 0 else 1})",
                                        "--set-aside-damaged")


if __name__ == "__main__":
    unittest.main()
