"""Random conversations of meta commands, compared: what `talk.py` does for classic ones, with fewer rules.

A conversation is batches; each ends with `mn`, so that quiet commands need no guess about who answers: all replies up to
MN are compared, in their order. What is drawn keeps away from the intended differences of docs/decisions/0014-meta.md;
those are held one by one against both servers (`DIFFERENCES`). Of `t` the ten nearest is compared, of `l` nothing, of a key in base64 its bytes.
A conversation is about marks or about numbers: whether a count keeps marks depends, in memcached, on who looks at
the number meanwhile.
"""

import base64
import collections
import dataclasses
import random
import re

from conversation import CasId, Date, Request
from replies import META_CODES, Ids

NOOP = b"mn\r\n"
KEYS = (b"a", b"b", b"c", b"k" * 250, b"\x80\xff")
VALUES = (b"", b"x", b"hello", b"two words", b"a\r\nb", b"END", b"VA 2", b"w" * 99, b"l" * 17_000, b"m" * 16_384)
NUMBERS = (b"0", b"1", b"9", b"99", b"12345")
LIVES = (b"0", b"100", b"1000", b"100000", Date(1000))
PAST = (b"-1", b"-100", b"2592001", Date(-5))
DELTAS = (b"0", b"1", b"5", b"10", b"9999999999")
ODD_FLAGS = (b"Q", b"Z", b"v v", b"T", b"Tx", b"T5x", b"Nx", b"Rx", b"Dx", b"Jx", b"Cx", b"F-1", b"Fx", b"M", b"Mxx", b"Mx",
             b"Tx Dx", b"Tx v v", b"\xff", b"1", b"T- Fx", b"Fx T-")  # fmt: skip
CODE = re.compile(rb"(HD|VA|EN|NS|EX|NF|MN|ME|(?:CLIENT_|SERVER_)?ERROR[^\r]*|[A-Z_]+|)")
# What must have been met; by command: codes.
CODES = {
    b"mg": "HD VA EN", b"ms": "HD NS EX NF", b"md": "HD NF EX", b"ma": "HD VA NF EX",
}  # fmt: skip
FLAGS = {
    b"mg": "bcfhklOqstuvNRTPL", b"ms": "bcCFIkOqTMPL", b"md": "bCIkOqTPL", b"ma": "bCNJDTMOqtcvkPL",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Difference:
    """One that is meant: the same requests, and what each server says up to MN."""

    name: str  # a row of decision 0014
    requests: bytes
    memcached: bytes  # patterns
    sessiond: bytes


DIFFERENCES = (
    Difference("time left of what ends", b"ms %k 1\r\na\r\nmg %k T-1 t\r\n", rb"HD\r\nHD t\d{10}\r\n", rb"HD\r\nHD t0\r\n"),
    Difference("mg N that has ended", b"mg %k N-1\r\n", rb"HD W\r\n", rb"EN\r\n"),
    Difference("F beyond 32 bits", b"ms %k 1 F4294967296\r\na\r\n", rb"HD\r\n", rb"CLIENT_ERROR bad command line format\r\n"),
    Difference("T beyond 32 bits", b"ms %k 1 T99999999999\r\na\r\nmg %k\r\n", rb"HD\r\nEN\r\n", rb"HD\r\nHD\r\n"),
    Difference(
        "an opaque that is too long", b"mg %k N9 O%o\r\nmg %k\r\n",
        rb"CLIENT_ERROR opaque token too long\r\nHD.*\r\n", rb"CLIENT_ERROR opaque token too long\r\nEN\r\n",
    ),
    Difference(
        "t in front of T", b"ms %k 1 T100\r\n1\r\nma %k t T2000\r\n", rb"HD\r\nHD t(100|99)\r\n", rb"HD\r\nHD t(2000|1999)\r\n"
    ),
    Difference("t in front of N", b"mg %k t N1000\r\n", rb"HD t-1 W\r\n", rb"HD t(1000|999) W\r\n"),
    Difference(
        "T of a number that grows", b"ms %k 1\r\n9\r\nma %k T1000\r\nmg %k t\r\n",
        rb"HD\r\nHD\r\nHD t-1\r\n", rb"HD\r\nHD\r\nHD t(1000|999)\r\n",
    ),
    Difference(
        "the key as it was sent", b"ms ZGlmZg== 1 b\r\na\r\nmg diff k\r\n",
        rb"HD\r\nHD kZGlmZg== b\r\n", rb"HD\r\nHD kdiff\r\n",
    ),
    Difference("base64 with bits left over", b"mg YR== b\r\n", rb"(EN|HD[ WXZ]*)\r\n", rb"CLIENT_ERROR error decoding key\r\n"),
    Difference("me", b"ms %k 1 T100\r\na\r\nme %k\r\n", rb"HD\r\nME \S+ exp=-100 .*\r\n", rb"HD\r\nME \S+ exp=(100|99) .*\r\n"),
    Difference("c of what ends", b"ms %k 1 T-1 c\r\na\r\n", rb"HD c[1-9]\d*\r\n", rb"HD c0\r\n"),
    Difference("E", b"ms %k 1 E5\r\na\r\n", rb"CLIENT_ERROR invalid flag\r\n", rb"HD\r\n"),
    Difference("x", b"ms %k 1\r\na\r\nmd %k x\r\n", rb"HD\r\nCLIENT_ERROR invalid or duplicate flag\r\n", rb"HD\r\nHD\r\n"),
    Difference("N with MA", b"ms %k 1 MA N9\r\na\r\n", rb"NS\r\n", rb"HD\r\n"),
    Difference("s of ms", b"ms %k 1 s\r\na\r\n", rb"HD\r\n", rb"HD s1\r\n"),
)


class MetaGenerator:
    """Draws the conversation of one seed and index: [[Request]], the requests of each batch."""

    def __init__(self, seed, index):
        self._random = random.Random(f"meta:{seed}:{index}")
        self._keys = self._random.sample(KEYS, self._random.randint(1, 3))
        self._counts = self._random.random() < 0.3

    @property
    def keys(self):
        return self._keys

    def batches(self):
        rng = self._random
        most = rng.choice((1, 3, 6))
        return [[one for _ in range(rng.randint(1, most)) for one in self._step()] for _ in range(rng.randint(3, 10))]

    def _step(self):
        rng = self._random
        key = rng.choice(self._keys)
        draw = rng.random()
        if draw < 0.12:
            return [self._odd(key)]
        if draw < 0.27:
            return [self._classic(key)]
        if self._counts and draw < 0.7:
            return self._ma(key)
        return [rng.choice((self._mg, self._mg, self._ms, self._ms, self._md))(key)]

    # -- parts --

    def _value(self):
        return self._random.choice(NUMBERS if self._counts else VALUES)

    def _line(self, word, key, flags, block=None):
        """The flags in any order, the key in base64 at times."""
        rng = self._random
        flags = list(flags)
        if rng.random() < 0.1:
            flags.append(rng.choice((b"P", b"L")) + rng.choice((b"", b"hint", b"/a/b")))
        if rng.random() < 0.15 and len(key) < 180:
            key = base64.b64encode(key)
            flags.append(b"b")
        rng.shuffle(flags)
        size = () if block is None else (b"%d" % len(block),)
        return Request((word, key, *size, *flags), block)

    def _some(self, *flags):
        return [flag for flag in flags if self._random.random() < 0.25]

    def _echo(self):
        """What is asked back; `c` never without `k`, by which its id is renamed."""
        rng = self._random
        draw = rng.random()
        flags = [b"k", b"c"] if draw < 0.3 else [b"k"] if draw < 0.4 else []
        return flags + ([b"O" + rng.choice((b"", b"1", b"x" * 31, b"a,b"))] if rng.random() < 0.2 else [])

    def _cas(self, key):
        rng = self._random
        return [b"C", CasId(key, rng.choice((-1, -1, 0, -2)))] if rng.random() < 0.25 else []

    def _life(self, chance):
        rng = self._random
        return [[b"T", rng.choice(LIVES)]] if rng.random() < chance else []

    # -- commands --

    def _mg(self, key):
        rng = self._random
        marks = [] if self._counts else self._some(b"h")
        flags = self._some(b"v", b"s", b"t", b"f", b"l", b"u", b"q") + self._echo() + marks
        if rng.random() < 0.15:
            flags += [[b"T", rng.choice(LIVES)]]
        elif rng.random() < 0.05 and b"t" not in flags:
            flags += [[b"T", rng.choice(PAST)]]
        ends = any(isinstance(flag, list) and flag[1] in PAST for flag in flags)
        if not self._counts and b"t" not in flags and not ends and rng.random() < 0.25:
            flags += [[b"N", rng.choice(LIVES[:4])]]
        if not self._counts and rng.random() < 0.2:
            flags += [[b"R", rng.choice((b"0", b"30", b"500", b"5000", b"-1"))]]
        return self._line(b"mg", key, flags)

    def _ms(self, key):
        rng = self._random
        flags = self._some(b"q", *(() if self._counts else (b"I",))) + self._echo()
        flags += self._life(0.4) if rng.random() < 0.9 or b"c" in flags else [[b"T", rng.choice(PAST)]]
        if rng.random() < 0.3:
            flags.append(b"F" + rng.choice((b"0", b"1", b"4294967295")))
        if rng.random() < 0.5:
            joins = () if self._counts else (b"A", b"P")  # what is joined may begin with zeros: it gets shorter, too
            flags.append(b"M" + rng.choice((b"S", b"E", b"R", *joins)))
        cas = self._cas(key)
        return self._line(b"ms", key, flags + ([cas] if cas else []), self._value())

    def _md(self, key):
        flags = self._some(b"q") + [flag for flag in self._echo() if flag != b"c"]
        if not self._counts and self._random.random() < 0.6:
            flags += [b"I", *self._life(0.3)]
        cas = self._cas(key)
        return self._line(b"md", key, flags + ([cas] if cas else []))

    def _ma(self, key):
        """A number that gets smaller is padded by memcached, and one that grows loses its T: it is written anew."""
        rng = self._random
        flags = self._some(b"v", b"q") + self._echo()
        flags += self._life(0.2) if rng.random() < 0.5 else self._some(b"t")
        renews = any(isinstance(flag, list) for flag in flags)
        if rng.random() < 0.4:
            flags.append(b"D" + rng.choice(DELTAS))
        if rng.random() < 0.4 and not renews and b"t" not in flags:
            flags.append([b"N", rng.choice(LIVES[:4])])
            flags += [b"J" + rng.choice(NUMBERS[:5])] if rng.random() < 0.5 else []
        mode = rng.choice((b"", b"", b"MI", b"M+", b"MD", b"M-"))
        cas = self._cas(key)
        count = self._line(b"ma", key, flags + [mode] * bool(mode) + ([cas] if cas else []))
        anew = [self._line(b"ms", key, [b"T0"], rng.choice(NUMBERS))] if mode in (b"MD", b"M-") or renews else []
        return [count, *anew]

    def _classic(self, key):
        rng = self._random
        value = self._value()
        kinds = [
            Request((b"get", key)), Request((b"gets", key)), Request((b"touch", key, b"1000")), Request((b"gat", b"1000", key)),
            Request((b"set", key, b"3", b"0", b"%d" % len(value)), value), Request((b"delete", key)),
            Request((b"add", key, b"0", b"0", b"%d" % len(value)), value),
            Request((b"cas", key, b"0", b"0", b"%d" % len(value), CasId(key)), value),
        ]  # fmt: skip
        if self._counts:
            kinds.append(Request((b"incr", key, b"1")))
        else:
            kinds.append(Request((b"append", key, b"0", b"0", b"%d" % len(value)), value))
        return rng.choice(kinds)

    def _odd(self, key):
        """An error in a line that ends with certainty."""
        rng = self._random
        word = rng.choice((b"mg", b"ms", b"md", b"ma"))
        if rng.random() < 0.1:
            return Request(rng.choice(((b"mg",), (b"md",), (b"ma",), (b"me",), (b"me", b"k" * 251), (b"mg", b"k" * 251), (b"me", b"none"))))
        flags = rng.choice(ODD_FLAGS)
        if word == b"mg" and flags.startswith(b"M"):
            flags = b"Q"
        if word == b"ms" and rng.random() < 0.2:
            flags = b"O" + b"x" * 32
        block = b"quit" if word == b"ms" else None
        size = (b"4",) if word == b"ms" else ()
        if word == b"mg" and flags == b"Mx":
            flags = b"Mxx"
        return Request((word, key, *size, *flags.split(b" ")), block)


def render(request, ids):
    """A flag that is a list is a letter and a word that is worked out now."""
    words = []
    for word in request.words:
        if isinstance(word, list):
            letter, token = word
            words.append(letter + Request((token,)).line(ids))
        else:
            words.append(Request((word,)).line(ids))
    return request.replaced(words=tuple(words)).render()


def _normal(text):
    """A reply without what two servers cannot say alike."""
    line, end, rest = text.partition(b"\r\n")
    if line[:2] in META_CODES and line[2:3] in (b"", b" "):
        words = [re.sub(rb"^l\d+$", b"l", word) for word in line.split(b" ")]
        if b"b" in words:  # memcached tells a key as it was stored, sessiond as it was asked for
            words.remove(b"b")
            words = [b"k" + base64.b64decode(word[1:]) if word.startswith(b"k") else word for word in words]
        words = [b"t%d" % round(int(word[1:]), -1) if re.fullmatch(rb"t\d+", word) else word for word in words]
        line = b" ".join(words)
    return line + end + rest


def _replies_to_noop(wire, normal=_normal):
    found = []
    while not found or found[-1] != b"MN\r\n":
        more = wire.replies(1)
        if not more:
            return found + [b"(closed)"]
        found.append(normal(more[0].text))
    return found


@dataclasses.dataclass
class MetaResult:
    requests: int = 0
    difference: str | None = None
    codes: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # (command, code)
    flags: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # (command, flag)


def _note(result, batch, replies):
    for request in batch:
        result.requests += 1
        word = request.words[0]
        for flag in request.words[3 if word == b"ms" else 2 :] if word in FLAGS else ():
            result.flags[word, (flag[0] if isinstance(flag, list) else flag)[:1].decode("latin-1")] += 1
    if len(batch) == 1:
        for reply in replies[:-1]:
            result.codes[batch[0].words[0], CODE.match(reply)[1].decode()] += 1


def converse(servers, seed, index):
    """Say one conversation to both; what differs first is in the result."""
    generator = MetaGenerator(seed, index)
    ids = (Ids(), Ids())
    wires = [server.connect(one) for server, one in zip(servers, ids)]
    result = MetaResult()
    batches = [*generator.batches(), [Request((b"gets", *generator.keys))]]
    try:
        for wire in wires:
            wire.send(b"".join(b"delete %b noreply\r\n" % key for key in generator.keys) + NOOP)
            _replies_to_noop(wire)
        for batch in batches:
            for wire, one in zip(wires, ids):
                wire.send(b"".join(render(request, one.shown) for request in batch) + NOOP)
            replies = [_replies_to_noop(wire) for wire in wires]
            _note(result, batch, replies[1])
            if replies[0] != replies[1]:
                said = b"".join(render(request, ids[1].shown) for request in batch)
                result.difference = f"meta {seed}:{index}: {said[:400]!r}\n  memcached: {replies[0]}\n  sessiond:  {replies[1]}"
                break
    finally:
        for wire in wires:
            wire.close()
    return result


def hold_differences(servers):
    """What is wrong with the list of those that are meant, as lines."""
    wrong = []
    for number, difference in enumerate(DIFFERENCES):
        said = difference.requests.replace(b"%k", b"difference%d" % number).replace(b"%o", b"x" * 32)
        for server, pattern in zip(servers, (difference.memcached, difference.sessiond)):
            wire = server.connect(Ids())
            wire.send(said + NOOP)
            found = b"".join(_replies_to_noop(wire, lambda text: text))
            wire.close()
            if not re.fullmatch(pattern + rb"MN\r\n", found):
                wrong.append(f"not as listed: {difference.name}: {server.name} says {found!r}")
    return wrong
