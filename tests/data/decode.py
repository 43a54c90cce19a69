"""A decoder of data directories, written from docs/DISK-FORMAT.md alone: it shares no code with the daemon.

Not a test, and no tool: it believes what it reads, and fails at the first thing that the document does not allow.
usage: decode.py DIR    prints every record
"""

import ctypes
import os
import re
import struct
import sys
from typing import NamedTuple

HEADER_BYTES, BLOCK_BYTES, FRAME_HEAD_BYTES = 4096, 4096, 48
VERSION = 1
NO_DEADLINE = 2**63 - 1
MAGICS = {"journal": b"SESSJRNL", "checkpoint": b"SESSCKPT"}
FRAME_MAGIC = b"SFRM"

# By type: (name, fields, has a key). The sizes are in the fields: I is 4 bytes, Q and q are 8.
RECORDS = {
    1: ("SET", "IIqQ", True),
    2: ("TOUCH", "q", True),
    3: ("DELETE", "", True),
    4: ("FLUSH", "qQ", False),
    5: ("LINK", "QQQQ", False),
    6: ("SEAL", "Q", False),
    8: ("HOLD", "q", True),
    9: ("CLOCK", "qq", False),
    11: ("END", "QQQQQq", False),
    12: ("MARKED", "IIqQI", True),
    13: ("PROBATION", "IIqQIq", True),
}


STATES = ("SET", "MARKED", "PROBATION")  # of a key, with a value
IMAGES = (*STATES, "HOLD")  # what a checkpoint has of a key


class Wrong(AssertionError):
    """What is there is not what the document says."""


class Record(NamedTuple):
    name: str
    fields: tuple
    key: bytes
    value: bytes


class Frame(NamedTuple):
    at: int
    end: int
    sequence: int
    mark: int
    time_s: int
    records: list


class File(NamedTuple):
    name: str
    number: int
    salt: int
    content: bytes


class Entry(NamedTuple):
    value: bytes
    flags: int
    deadline_s: int
    cas: int


def demand(holds, what):
    if not holds:
        raise Wrong(what)


_library = ctypes.CDLL("libxxhash.so.0")
_library.XXH3_64bits_withSeed.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64)
_library.XXH3_64bits_withSeed.restype = ctypes.c_uint64


def checksum(content, seed):
    return _library.XXH3_64bits_withSeed(bytes(content), len(content), seed)


def sealed_header(header):
    """A header with the checksum that it must have."""
    return bytes(header[:HEADER_BYTES - 8]) + struct.pack("<Q", checksum(header[:HEADER_BYTES - 8], 0))


def sealed_frame(frame, salt):
    """A frame, head and body, with both checks that it must have."""
    frame = bytearray(frame)
    frame[44:48] = struct.pack("<I", checksum(frame[8:44], salt) & 0xffffffff)
    frame[:8] = struct.pack("<Q", checksum(frame[8:], salt))
    return bytes(frame)


def read_file(path):
    name = os.path.basename(path)
    kind, _, number = name.rpartition("-")
    with open(path, "rb") as file:
        content = file.read()
    magic, version, required, _other, cipher, key, salt, at, size, _made_s = struct.unpack_from("<8sIIII16sQQQq", content)
    demand(magic == MAGICS[kind], f"{name}: magic {magic}")
    demand(content[:HEADER_BYTES] == sealed_header(content[:HEADER_BYTES]), f"{name}: checksum of the header")
    demand((version, required, cipher, key) == (VERSION, 0, 0, bytes(16)), f"{name}: version {version}")
    demand(at == int(number), f"{name}: number {at}")
    demand((size == 0) == (kind == "checkpoint"), f"{name}: size {size}")
    demand(not any(content[72:HEADER_BYTES - 8]), f"{name}: space in the header")
    return File(name, at, salt, content)


def read_records(body, n_records):
    at = 0
    for _ in range(n_records):
        kind, key_size, zero = struct.unpack_from("<BBH", body, at)
        demand(kind in RECORDS and zero == 0, f"record of type {kind}, {zero}")
        name, layout, has_key = RECORDS[kind]
        demand((1 <= key_size <= 250) if has_key else key_size == 0, f"key of {key_size} bytes in {name}")
        fields = struct.unpack_from("<" + layout, body, at + 4)
        key_at = at + 4 + struct.calcsize("<" + layout)
        value_at = key_at + key_size
        at = value_at + (fields[0] if name in STATES else 0)
        demand(at <= len(body), f"{name} ends behind its frame")
        yield Record(name, fields, body[key_at:value_at], body[value_at:at])
    demand(at == len(body), "bytes behind the last record of a frame")


def read_frame(file, at):
    """The frame at this place, or None."""
    head = file.content[at:at + FRAME_HEAD_BYTES]
    if len(head) < FRAME_HEAD_BYTES or head[8:12] != FRAME_MAGIC:
        return None
    size, sequence, mark, time_s, n_records = struct.unpack_from("<IQQqI", head, 12)
    whole = file.content[at:at + FRAME_HEAD_BYTES + size]
    if len(whole) < FRAME_HEAD_BYTES + size or sealed_frame(whole, file.salt) != whole:
        return None
    return Frame(at, at + FRAME_HEAD_BYTES + (size + 7) // 8 * 8, sequence, mark, time_s,
                 list(read_records(whole[FRAME_HEAD_BYTES:], n_records)))


def next_frame(file, at, sequence):
    """Where the one before ends, or at the next multiple of 4096; None: not the one with this sequence."""
    for place in (at, (at + BLOCK_BYTES - 1) // BLOCK_BYTES * BLOCK_BYTES):
        frame = read_frame(file, place)
        if frame is not None and (sequence is None or frame.sequence == sequence):
            return frame
    return None


class Contents:
    """What a directory holds. No record is judged by time, but for what CLOCK says."""

    def __init__(self):
        self.entries = {}  # key: Entry
        self.holds = {}  # key: deadline
        self.asked = {}  # key: the deadline that it gets when it is used again, of those on probation
        self.flush_at_s = NO_DEADLINE
        self.time_s = 0
        self.mark = 0
        self.last_sequence = 0
        self.counts = {}  # record's name: how many were met
        self.n_files = 0

    def note(self, frame):
        self.mark = max(self.mark, frame.mark)
        for record in frame.records:
            self.counts[record.name] = self.counts.get(record.name, 0) + 1

    def apply_all(self, frame):
        self.time_s = max(self.time_s, frame.time_s)
        for record in frame.records:
            self.apply(record)

    def apply(self, record):
        name, fields, key, value = record
        if name in STATES:
            self.entries[key] = Entry(value, *fields[1:4])
            self.asked.pop(key, None)
            if name == "PROBATION":
                self.asked[key] = fields[5]
            self.holds.pop(key, None)
        elif name == "HOLD":
            self.entries.pop(key, None)
            self.holds[key] = fields[0]
        elif name == "TOUCH" and key in self.entries:
            self.entries[key] = self.entries[key]._replace(deadline_s=fields[0])
            self.asked.pop(key, None)
        elif name == "DELETE":
            self.entries.pop(key, None)
            self.holds.pop(key, None)
        elif name == "FLUSH":
            self.flush_at_s = fields[0] if fields[1] else NO_DEADLINE
            if not fields[1]:
                self.entries.clear()
        elif name == "CLOCK":
            self.entries = {key: entry for key, entry in self.entries.items() if entry.deadline_s > fields[0]}
            self.holds = {key: deadline_s for key, deadline_s in self.holds.items() if deadline_s > fields[0]}
            self.time_s = fields[1]


def read_checkpoint(contents, file):
    """Returns the fields of its END."""
    at, sequence, n_entries = HEADER_BYTES, 1, 0
    while True:
        frame = read_frame(file, at)
        demand(frame is not None and (frame.sequence, frame.mark) == (sequence, 0), f"{file.name}, offset {at}")
        contents.note(frame)
        at, sequence = frame.end, sequence + 1
        if [record.name for record in frame.records] == ["END"]:
            break
        for record in frame.records:
            demand(record.name in IMAGES, f"{file.name}: {record.name}")
            n_entries += 1
        contents.apply_all(frame)
    end = frame.records[0].fields
    demand(end[3] == n_entries, f"{file.name}: {end[3]} entries, not {n_entries}")
    contents.flush_at_s = end[5]
    return end


def read_segment(contents, file, begin, successor):
    """Apply the frames from the sequence `begin` on, up to where the successor's link (None: no limit) says."""
    limit = None if successor is None else successor.fields[2]
    frame = next_frame(file, HEADER_BYTES, None)
    at = HEADER_BYTES
    while frame is not None and (limit is None or frame.end <= limit):
        names = [record.name for record in frame.records]
        demand((names == ["LINK"]) == (at == HEADER_BYTES), f"{file.name}, offset {frame.at}: {names}")
        demand(names != ["SEAL"], f"{file.name} is sealed, and nothing goes on from it")
        contents.note(frame)
        contents.last_sequence = frame.sequence
        if frame.sequence >= begin:
            contents.apply_all(frame)
        at = frame.end
        frame = next_frame(file, at, frame.sequence + 1) if at != limit else None
    if limit is not None:
        demand((at, contents.last_sequence + 1) == (limit, successor.fields[1]), f"{file.name} ends at {at}")
        note_seal(contents, file, at, successor)


def note_seal(contents, file, at, successor):
    seal = read_frame(file, (at + BLOCK_BYTES - 1) // BLOCK_BYTES * BLOCK_BYTES)
    if seal is not None:
        demand([record.name for record in seal.records] == ["SEAL"], f"{file.name}: no seal at {seal.at}")
        demand(seal.sequence == successor.fields[1], f"{file.name}: its seal has sequence {seal.sequence}")
        contents.counts["SEAL"] = contents.counts.get("SEAL", 0) + 1


def links_of(files):
    """{number: its LINK}; a segment that was made ahead has none."""
    links = {}
    for number, file in files.items():
        frame = read_frame(file, HEADER_BYTES)
        if frame is not None and [record.name for record in frame.records] == ["LINK"]:
            links[number] = frame.records[0]
    return links


def read_files(directory, kind):
    names = [name for name in os.listdir(directory) if re.fullmatch(kind + r"-\d{12,}", name)]
    files = [read_file(os.path.join(directory, name)) for name in names]
    return {file.number: file for file in files}


def read_directory(directory):
    contents = Contents()
    segments, checkpoints = read_files(directory, "journal"), read_files(directory, "checkpoint")
    contents.n_files = len(segments) + len(checkpoints)
    links = links_of(segments)
    number, begin, last = min(segments), 0, 0
    if checkpoints:
        number, begin, last = read_checkpoint(contents, checkpoints[max(checkpoints)])[:3]
    else:
        demand(links[number].fields[0] == 0, f"segment {links[number].fields[0]} is missing")
    while number is not None:
        nexts = [other for other, link in links.items() if link.fields[0] == number]
        successor = max(nexts, default=None)
        read_segment(contents, segments[number], begin, links.get(successor))
        number = successor
    demand(contents.last_sequence >= last, "the journal ends before its checkpoint")
    return contents


def main():
    for kind in MAGICS:
        for _, file in sorted(read_files(sys.argv[1], kind).items()):
            print(file.name)
            for at in range(HEADER_BYTES, len(file.content), 8):
                frame = read_frame(file, at) if file.content[at + 8:at + 12] == FRAME_MAGIC else None
                if frame is not None:
                    print(f"  {frame.at}: sequence {frame.sequence}, mark {frame.mark}, time {frame.time_s}")
                    for record in frame.records:
                        print(f"    {record.name} {record.fields} {record.key!r} {len(record.value)} bytes")


if __name__ == "__main__":
    main()
