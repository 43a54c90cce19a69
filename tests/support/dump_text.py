"""Reads dumps by their description alone (include/sessiond/journal/dump.h). The checksum is sessionctl's to judge.

Not a test.
"""

import re
import urllib.parse
from typing import NamedTuple

_HEAD = re.compile(rb"sessiond-dump 1 (\d+)\n")
_ENTRY = re.compile(rb"(\S+) (\d+) (\d+) (\d+) (\d+)(?: (X?W?E?|H))?\n")
_END = re.compile(rb"END (\d+) [0-9a-f]{16}\n")


class Dumped(NamedTuple):
    key: bytes
    flags: int
    deadline: int  # wall seconds; 0: none
    cas: int
    marks: bytes
    value: bytes


def read_dump(content):
    """All sessions of a dump, in its order; it must be whole."""
    head = _HEAD.match(content)
    assert head, content[:80]
    at, sessions = head.end(), []
    while not (end := _END.fullmatch(content, at)):
        line = _ENTRY.match(content, at)
        assert line, content[at:at + 80]
        key, flags, deadline, cas, size, marks = line.groups()
        at = line.end() + int(size)
        assert content[at:at + 1] == b"\n", content[at:at + 20]
        sessions.append(Dumped(urllib.parse.unquote_to_bytes(key), int(flags), int(deadline), int(cas), marks or b"",
                               content[line.end():at]))
        at += 1
    assert int(end[1]) == len(sessions), (end[0], len(sessions))
    return sessions


def is_whole(content):
    """Whether it ends as a dump does."""
    return re.search(rb"\nEND \d+ [0-9a-f]{16}\n\Z", content) is not None
