"""What a request is, by the book: docs/PROTOCOL.md, said a second time and independently of the daemon.

A row for each command; the letters are its arguments in their order. `read` tells what a line means and which of its
words are at fault. Numbers are plain digits here; what memcached's strtol makes of odd ones is
`lenient_*`. Knows nothing of any server's state.
"""

import dataclasses
import functools
import re

from conversation import CasId, Date

KEY_MAX = 250
LINE_MAX = 8192  # line-limit
VALUE_MAX = 24_000  # --max-value of the runs
ITEM_MAX = 24 * 1024  # memcached's -I of the runs; it counts more than the value
ITEM_OVERHEAD = 48 + 8 + 1 + 2  # header, CAS, NUL behind the key, line end
SWALLOW_MAX = 8 * VALUE_MAX  # a refused block that is read and dropped
UNSIGNED_PAST = range((1 << 32) - (1 << 28), 1 << 32)  # negative exptimes that have lost their sign
MONTH_S = 60 * 60 * 24 * 30  # a larger exptime is a date

# k key, K keys, Z keys or none, f flags, e exptime, b bytes, c CAS id, d delta, 0 an optional literal 0, t an optional delay,
# v a level of 64 bits, n an optional noreply, w an optional word, ~ whatever comes
COMMANDS = {
    b"get": "K",
    b"gets": "K",
    b"gat": "eZ",
    b"gats": "eZ",
    b"set": "kfebn",
    b"add": "kfebn",
    b"replace": "kfebn",
    b"append": "kfebn",
    b"prepend": "kfebn",
    b"cas": "kfebcn",
    b"incr": "kdn",
    b"decr": "kdn",
    b"touch": "ken",
    b"delete": "k0n",
    b"flush_all": "tn",
    b"verbosity": "vn",
    b"version": "~",
    b"stats": "w~",
    b"quit": "~",
}
OPTIONAL = "Z0tnw~"
FAULT_NAMES = {"k": "key", "K": "key", "Z": "key", "f": "flags", "e": "exptime", "b": "bytes", "c": "cas id", "d": "delta",
               "t": "exptime", "v": "level"}
BAD_IN_KEY = re.compile(rb"[\x00-\x20\x7f]")
DIGITS = re.compile(rb"0*[0-9]{1,40}")
SIGNED = re.compile(rb"-?0*[0-9]{1,40}")
STRTOL = re.compile(rb"[ \t\n\v\f\r]*([+-]?0*[0-9]{1,25})(?=[ \t\n\v\f\r\0]|$)")


def is_key(word):
    return 0 < len(word) <= KEY_MAX and not BAD_IN_KEY.search(word)


def unsigned(word, most):
    """The number that plain digits are, or None."""
    return int(word) if DIGITS.fullmatch(word) and int(word) <= most else None


def signed(word):
    """The number that digits are, with a - before them if it is negative; or None."""
    if not SIGNED.fullmatch(word) or word.startswith(b"-") and int(word) == 0:
        return None
    return int(word) if -(1 << 63) <= int(word) < 1 << 63 else None


def lenient_signed(word):
    """What strtol of 64 bits reads in a word, as memcached calls it; None where it refuses."""
    match = STRTOL.match(word)
    if not match or not -(1 << 63) <= int(match[1]) < 1 << 63:
        return None
    return int(match[1])


def lenient_unsigned(word):
    """The same for strtoull: what is negative wraps, and is refused only where it still looks negative."""
    match = STRTOL.match(word)
    if not match or abs(int(match[1])) >= 1 << 64:
        return None
    number = int(match[1]) % (1 << 64)
    return None if number >= 1 << 63 and match[1].startswith(b"-") else number


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a line means."""

    command: bytes | None  # None: no such command
    family: str  # its letters
    keys: tuple = ()
    faults: frozenset = frozenset()  # names of what is wrong
    noreply: bool = False
    numbers: dict = dataclasses.field(default_factory=dict)  # letter -> int, of what could be read
    words: tuple = ()

    @property
    def key(self):
        return self.keys[0] if self.keys else None

    @property
    def stores(self):
        return "b" in self.family

    @property
    def reads(self):
        return self.family.endswith(("K", "Z"))

    @property
    def is_framed(self):
        """The announced length of the data block is certain."""
        return not self.faults & {"missing", "surplus", "bytes"}

    @property
    def size(self):
        return self.numbers.get("b")


class _Reader:
    """Takes the words of one line, letter by letter."""

    def __init__(self, family, words):
        self.family = family
        self.rest = list(words)
        self.keys = []
        self.faults = set()
        self.numbers = {}
        self.noreply = False

    def run(self):
        for letter in self.family:
            if letter in "KZ" and self.rest:
                for word in self.rest:
                    self._key(word)
                self.rest = []
            elif letter in OPTIONAL:
                self._optional(letter)
            elif not self.rest:
                self.faults.add("missing")
            else:
                self._required(letter, self.rest.pop(0))
        if self.rest:
            self.faults.add("surplus")

    def _optional(self, letter):
        if letter in "w~":
            self.rest = self.rest[1:] if letter == "w" else []
        elif self.rest and letter == "n" and self.rest[0] == b"noreply":
            self.noreply = True
            self.rest.pop(0)
        elif self.rest and letter == "0" and self.rest[0] == b"0":
            self.rest.pop(0)
        elif self.rest and letter == "t" and self.rest[0] != b"noreply":
            self._number("t", self.rest.pop(0))

    def _required(self, letter, word):
        if letter == "k":
            self._key(word)
        else:
            self._number(letter, word)

    def _key(self, word):
        self.keys.append(word)
        if not is_key(word):
            self.faults.add("key")

    def _number(self, letter, word):
        if isinstance(word, CasId):
            return
        if isinstance(word, Date):
            self.numbers[letter] = word
            return
        if letter in "et":
            number = signed(word)
        elif letter == "f":
            number = unsigned(word, (1 << 32) - 1)
        else:
            number = unsigned(word, (1 << 64) - 1 if letter in "cdv" else float("inf"))
        if number is None:
            self.faults.add(FAULT_NAMES[letter])
        else:
            self.numbers[letter] = number


def _in_place(word, family, place):
    """A placeholder where none of its kind belongs is digits like others."""
    belongs = {CasId: "c", Date: "et"}.get(type(word))
    return word if belongs is None or family[min(place, len(family) - 1)] in belongs else b"2100000000"


@functools.lru_cache(maxsize=4096)
def read(request):
    """The Reading of a request. A word may be a placeholder; it is good where its kind belongs."""
    words = [word for word in request.words if word != b""]
    if request.before or not words or words[0] not in COMMANDS:
        return Reading(None, "", words=tuple(word if isinstance(word, bytes) else b"1" for word in words))
    family = COMMANDS[words[0]]
    words = [words[0], *(_in_place(word, family, place) for place, word in enumerate(words[1:]))]
    reader = _Reader(family, words[1:])
    reader.run()
    return Reading(
        words[0], family, tuple(reader.keys), frozenset(reader.faults), reader.noreply, reader.numbers, tuple(words)
    )


# How many words memcached takes; outside of it, it says ERROR before it looks for a noreply.
def _takes_words(family, count):
    least = sum(letter not in OPTIONAL for letter in family) + 1
    most = len(family) + 1
    return least <= count <= most


def is_silent(reading):
    """memcached says nothing, be it an error: the last word of a line of the right length is noreply."""
    least = 3 if reading.command == b"delete" else 2
    return (
        "n" in reading.family
        and reading.words[-1] == b"noreply"
        and len(reading.words) >= least
        and _takes_words(reading.family, len(reading.words))
    )


def expires_at_once(exptime):
    """Negative, with or without its sign, or a date of the past."""
    if isinstance(exptime, Date):
        return exptime.offset_s <= 0
    return exptime is not None and (exptime < 0 or MONTH_S < exptime < 1_700_000_000 or exptime in UNSIGNED_PAST)


def is_over(reading):
    return reading.size is not None and reading.size > VALUE_MAX


def fits_item(key, flags, size):
    """memcached has room for a value of that size."""
    return ITEM_OVERHEAD + len(key) + (4 if flags else 0) + size <= ITEM_MAX


def take_block(request, reading, behind):
    """The data block as the line's byte count cuts it out of what follows, and how it ends there:

    whole      as it was meant
    swallowed  by chance there is a line end; the request holds more or less than it was meant to
    bad        there is none
    short      nothing comes any more
    """
    if not reading.stores or not reading.is_framed or reading.size is None or request.block is None:
        return b"", "whole"
    size = reading.size
    if size == len(request.block) and request.block_end == b"\r\n":
        return request.block, "whole"
    follows = request.block + request.block_end + behind
    end = follows[size : size + 2]
    framing = "short" if len(end) < 2 else "swallowed" if end == b"\r\n" else "bad"
    return follows[:size], framing
