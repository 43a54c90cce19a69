#!/usr/bin/python3
"""Makes seeds for the fuzz targets out of what the other tests have: conversations, directories of releases.

usage: seeds.py DIRECTORY    writes DIRECTORY/TARGET/...; tests/fuzz/run merge keeps of them what reaches more code
Not a test.
"""

import glob
import hashlib
import os
import re
import struct
import sys
import tarfile
import tempfile

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [os.path.join(TESTS, "protocol"), os.path.join(TESTS, "data")]

import decode  # noqa: E402
import run_seq  # noqa: E402

SIZE_MAX = 4096
CONFIGS = (
    b"", b"# nothing\n", b"memory = 64m\nthreads = 2\n", b"listen = 127.0.0.1:0\nlisten = unix:/tmp/s\n",
    b"  max-value = 1k # comment\r\nidle-timeout = none\n", b"fsync = always\nsync-revocations = overwrites\n",
    b"memory 64m\n", b"no-such = 1\n", b"memory = 99999999999999999999g\n", b"flush-all = allow\nflush-all = refuse",
    b"command-timeout = 500ms\nvalue-timeout = 14d\n", b"memory = \0 64m\n", b"log-level = loud\n", b"= x\n", b"listen =\n",
)


class Variables(dict):
    """What a reply would have set."""

    def __missing__(self, name):
        return "1"


def conversations():
    for path in sorted(glob.glob(os.path.join(TESTS, "protocol", "*.seq"))):
        for block in run_seq.parse_script(path).blocks:
            sent = {}
            for step in block.steps:
                if step.kind == ">" and step.form not in ("close", "fin"):
                    text = run_seq.expand(step.text, Variables(), lambda: 1700000000)
                    sent[step.channel] = sent.get(step.channel, b"") + text + (b"" if step.form == "|" else b"\r\n")
                elif step.kind == "<" and step.form == "open":
                    sent[step.channel] = sent.get(step.channel, b"") + b"version\r\n"
            yield from sent.values()


def frames_of(file):
    at = decode.HEADER_BYTES
    while at < len(file.content):
        try:
            frame = decode.read_frame(file, at) if file.content[at + 8:at + 12] == decode.FRAME_MAGIC else None
        except decode.Wrong:
            frame = None
        if frame is not None:
            size, n_records = struct.unpack_from("<I24xI", file.content, at + 12)
            yield frame, n_records, file.content[at + 48:at + 48 + size]
        at = frame.end if frame is not None else at + 8


TYPES = {name: (number, layout) for number, (name, layout, _) in decode.RECORDS.items()}
NEVER = decode.NO_DEADLINE
START_S = 1700000000


def record(name, *fields, key=b"", value=b""):
    number, layout = TYPES[name]
    return struct.pack("<BBH" + layout, number, len(key), 0, *fields) + key + value


def set_record(key, value, deadline_s=NEVER, cas=1):
    return record("SET", len(value), 7, deadline_s, cas, key=key, value=value)


class File:
    """A file in the form that recovery.c reads."""

    def __init__(self, letter, number):
        self.parts = letter + bytes([number, 0])
        self.at = decode.HEADER_BYTES

    def frame(self, sequence, mark, *records, is_aligned=False, time_s=START_S, faults=0):
        body = b"".join(records)
        if is_aligned:
            self.at = -(-self.at // decode.BLOCK_BYTES) * decode.BLOCK_BYTES
        self.parts += b"F" + struct.pack("<BHIIIBH", faults, self.at // 8, sequence, mark, time_s, len(records), len(body))
        self.parts += body
        self.at += -(-(decode.FRAME_HEAD_BYTES + len(body)) // 8) * 8
        return self


def first_file():
    """One that begins a journal, with changes of every kind."""
    return (File(b"J", 1).frame(1, 0, record("LINK", 0, 1, 0, 1 << 24))
            .frame(2, 1, set_record(b"a", b"1"), set_record(b"b", b"22", NEVER - 1, 2), is_aligned=True)
            .frame(3, 1, record("TOUCH", START_S + (1 << 30), key=b"a"), record("DELETE", key=b"b"))
            .frame(4, 3, set_record(b"c", b"", START_S + 5, 3), is_aligned=True)
            .frame(5, 4, set_record(b"d", b"x" * 300, START_S + (1 << 30), 4), is_aligned=True))


def second_file(first, sequence, *, number=2, cas=2 << 24):
    return File(b"J", number).frame(sequence, sequence - 2, record("LINK", 1, sequence, first.at, cas))


def checkpoint(number, n_told, segment, sequence):
    return (File(b"C", number).frame(1, 0, set_record(b"k", b"v", NEVER, 9), set_record(b"l", b"w", NEVER, 10))
            .frame(2, 0, set_record(b"m", b"z", START_S + (1 << 30), 11))
            .frame(3, 0, record("END", segment, sequence, sequence - 1, n_told, 12, NEVER)))


def made_directories():
    yield first_file().parts
    yield first_file().parts + File(b"J", 2).parts  # made ahead
    first = first_file()
    first.frame(6, 5, record("SEAL", 2), is_aligned=True)
    sealed = first_file()
    last = second_file(sealed, 6)
    last.frame(7, 6, set_record(b"e", b"2", cas=40), is_aligned=True).frame(8, 6, record("DELETE", key=b"e"))
    yield first.parts + last.parts
    yield first.parts  # its successor is missing
    yield sealed.parts + last.parts + last.parts[:-10]
    flushed = first_file().frame(6, 5, record("FLUSH", START_S + 10, 0), set_record(b"e", b"1", cas=50))
    yield flushed.frame(7, 6, record("FLUSH", START_S + (1 << 31), 1), is_aligned=True).parts
    yield first_file().frame(6, 5, record("CLOCK", START_S, START_S - 100), time_s=START_S - 100).parts
    yield first_file().frame(7, 5, set_record(b"e", b"1")).parts  # a gap
    yield first_file().frame(6, 5, set_record(b"e", b"1"), faults=1).parts  # a torn tail
    yield first_file().frame(6, 5, set_record(b"e", b"1"), faults=1).frame(7, 6, set_record(b"f", b"1")).parts
    yield first_file().frame(6, 5, b"\x63\0\0\0").parts  # a record of another version
    tail = File(b"J", 2).frame(20, 18, record("LINK", 1, 20, 9000, 9 << 24)).frame(21, 20, set_record(b"n", b"1", cas=99))
    for n_told in (3, 4):
        yield checkpoint(1, n_told, 2, 20).parts + tail.parts
    yield checkpoint(1, 3, 2, 20).parts + checkpoint(2, 4, 2, 20).parts + tail.parts
    yield checkpoint(2, 3, 2, 21).parts[:-20] + tail.parts
    yield b"J\1\1" + b"J\2\2" + b"J\3\4"
    yield first_file().parts + b"Z\x10\x10\4abcd"


def directories():
    for path in sorted(glob.glob(os.path.join(TESTS, "data", "*", "*.tar.xz"))):
        with tempfile.TemporaryDirectory() as holder, tarfile.open(path) as archive:
            archive.extractall(holder)
            for directory, _, names in sorted(os.walk(holder)):
                if any(name.startswith("journal-") for name in names):
                    yield directory


def dumps():
    lines = (b"k 0 0 1 1\nx\n", b"a%20b%FF 4294967295 9999999999 18446744073709551615 3\n\n\0\n", b"e 1 1 1 0\n\n")
    for chosen in (lines, lines[:1], lines[1:], ()):
        content = b"sessiond-dump 1 1700000000\n" + b"".join(chosen)
        yield content + b"END %d %016x\n" % (len(chosen), decode.checksum(content, 0))
        yield content + b"END %d 0\n" % len(chosen)
    yield b"sessiond-dump 2 1\n"
    yield b"k 0 0 1 1\n"


def write(directory, target, content):
    if 0 < len(content) <= SIZE_MAX:
        os.makedirs(os.path.join(directory, target), exist_ok=True)
        with open(os.path.join(directory, target, hashlib.sha1(content).hexdigest()), "wb") as file:
            file.write(content)


def main():
    out = sys.argv[1]
    for sent in conversations():
        for target in ("request", "conversation"):
            write(out, target, sent)
    write(out, "request", b"ping\r\nreload\r\nflush now\r\nflush\r\nversion\r\n")
    for content in CONFIGS:
        write(out, "config", content)
    with open(os.path.join(TESTS, "..", "sessiond.conf.example"), "rb") as example:
        write(out, "config", re.sub(rb"(?m)^#[^=]*\n|^# ?", b"", example.read())[:SIZE_MAX])
    for content in made_directories():
        write(out, "recovery", content)
    for directory in directories():
        for kind in decode.MAGICS:
            for file in decode.read_files(directory, kind).values():
                for _, _, body in frames_of(file):
                    write(out, "record", body)
    for content in dumps():
        write(out, "dump", content)


if __name__ == "__main__":
    main()
