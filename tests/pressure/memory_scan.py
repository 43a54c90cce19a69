"""Looks for words in the memory of a process. Not a test."""

import re

CHUNK = 4 << 20
LARGEST_MAPPING = 1 << 30  # what is larger are the shadows of sanitizers
MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)$")


def writable_mappings(pid):
    """(start, end, name) of all memory that the process can write: heap, stacks, data, anonymous."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            start, end, access, name = MAPPING.match(line).groups()
            start, end = int(start, 16), int(end, 16)
            if access.startswith("rw") and end - start <= LARGEST_MAPPING:
                yield start, end, name or "anonymous"


def read_mapping(memory, start, end):
    """Its bytes in pieces; pages that cannot be read are left out."""
    at = start
    while at < end:
        try:
            memory.seek(at)
            piece = memory.read(min(CHUNK, end - at))
        except OSError:
            return  # it went away, or is a device's
        if not piece:
            return
        yield at, piece
        at += len(piece)


def count_words(pid, words):
    """{word: how often it is there}; words of one length, in which no letter is there twice."""
    (length,) = {len(word) for word in words}
    counts = dict.fromkeys(words, 0)
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, _ in writable_mappings(pid):
            tail = b""
            for _, piece in read_mapping(memory, start, end):
                searched = tail + piece
                for word in words:
                    counts[word] += searched.count(word)
                tail = searched[1 - length :]
    return counts


def find_word(pid, word, most=5):
    """Where it is, for whoever wants to know why: lines of mapping, address and surroundings."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, name in writable_mappings(pid):
            for at, piece in read_mapping(memory, start, end):
                for match in re.finditer(re.escape(word), piece):
                    around = piece[max(0, match.start() - 48) : match.end() + 48]
                    found.append(f"{name} {start:#x}+{at - start + match.start():#x}: {around!r}")
                    if len(found) == most:
                        return found
    return found
