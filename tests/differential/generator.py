"""Draws conversations: what clients send, and what they should not. The same seed and index give the same one."""

import random

from conversation import Batch, CasId, Conversation, Date, Request
from grammar import COMMANDS, LINE_MAX, SWALLOW_MAX, VALUE_MAX

# How often each command is drawn. The word of a row may be any; b"" stands for an unknown one.
WEIGHTS = {
    b"get": 9, b"gets": 12, b"gat": 5, b"gats": 5, b"set": 14, b"add": 6, b"replace": 6, b"append": 6, b"prepend": 6,
    b"cas": 11, b"incr": 6, b"decr": 6, b"touch": 6, b"delete": 5, b"verbosity": 2, b"version": 1, b"stats": 1.5,
    b"quit": 1, b"flush_all": 3, b"": 2,
}  # fmt: skip
ENDS_BATCH = (b"incr", b"decr")  # what they leave may differ: see differences.py

UNKNOWN_WORDS = (
    b"bogus", b"GET", b"Set", b"getx", b"ge", b"g", b"sett", b"get\r", b"get\tkey", b"ver\0sion", b"helo", b"STAT",
    b"END", b"bget", b"slabs", b"lru_crawler", b"shutdown", b"\x80\x01", b"\x16\x03\x01", b"*1", b"PING",
)  # fmt: skip
FOREIGN_LINES = (
    b"\x80\x0a\0\0", b"\x80", b"\x16\x03\x01\x02\0", b"\x16", b"Host: localhost", b"*1", b"EHLO localhost",
    b"GET / HTTP/1.1", b"GET /x HTTP/1.0", b"SSH-2.0-OpenSSH_9.2p1", b"",
)  # fmt: skip
STATS_WORDS = (
    b"settings", b"items", b"slabs", b"sizes", b"conns", b"reset", b"detail", b"cachedump", b"sessions", b"shards", b"other",
)  # fmt: skip
ODD_KEYS = (
    b"k" * 251, b"k" * 300, b"bad\x01key", b"\x7f", b"tab\tkey", b"cr\rkey", b"end\r", b"nul\0key", b"\x1f", b"\x0b",
)  # fmt: skip
ODD_NUMBERS = (
    b"abc", b"-1", b"+5", b"-0", b"1.5", b"1e3", b"0x10", b"5x", b"-", b"--1", b"1\t", b"NaN", b"noreply",
    b"4294967295", b"4294967296", b"4294967297", b"2147483647", b"2147483648", b"-2147483649",
    b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808", b"-9223372036854775809",
    b"18446744073709551615", b"18446744073709551616", b"-18446744073709551615", b"1" * 30, b"0007",
)  # fmt: skip
EXPTIMES = (b"0", b"0", b"0", b"0", b"1000", b"2592000", b"100000", Date(100), Date(100_000), b"2147483646")
PAST_EXPTIMES = (b"-1", b"-100", b"2592001", b"2678400", Date(-5), Date(-100_000))
ODD_EXPTIMES = (
    b"2147483648", b"4026531839", b"4026531840", b"4294967295", b"4294967296", b"9223372036854775807",
    b"-9223372036854775808", b"-2147483648", b"-2147483649", b"00", b"0001000",
)  # fmt: skip
FLAGS = (b"0", b"0", b"0", b"1", b"5", b"65535", b"65536", b"2147483648", b"4294967295", b"007")
DELTAS = (b"0", b"1", b"1", b"2", b"5", b"10", b"100", b"9999999999", b"18446744073709551615", b"0009")
NUMBERS = (
    b"0", b"1", b"9", b"10", b"99", b"100", b"12345", b"4294967295", b"18446744073709551615",
    b"18446744073709551616", b"99999999999999999999", b"007", b"5 ", b"10   ",
)  # fmt: skip
ODD_VALUE_NUMBERS = (b"", b"-5", b"+5", b" 5", b"5x", b"5\r\n", b"1.5", b"0" * 21 + b"7", b"12 34")
TEXTS = (
    b"", b"a", b"hello", b"two words", b"\r\n", b"a\r\nb", b"get a\r\nversion", b"END\r\n", b"STORED", b"x" * 99,
    b"\0\x01\x7f\x80\xff", b"VALUE a 0 1", b"noreply",
)  # fmt: skip
# One of these stands for each region where a server does something else with a value.
LARGE_SIZES = (
    2046, 2048, 8000, 16383, 16384, 16385, VALUE_MAX - 1, VALUE_MAX, VALUE_MAX + 1, VALUE_MAX + 100, VALUE_MAX + 400,
    VALUE_MAX + 1000, 2 * VALUE_MAX, SWALLOW_MAX, SWALLOW_MAX + 1,
)  # fmt: skip
HALF_SIZES = (VALUE_MAX // 2, VALUE_MAX // 2 - 10, VALUE_MAX - 5, 15_000)  # two of them do not fit into one


def _as_text(words):
    """Words where none is worked out when it is sent."""
    return [word if isinstance(word, bytes) else b"2100000000" for word in words]


class Generator:
    """Draws the conversation of one seed and index."""

    def __init__(self, seed, index, commands=None):
        self._random = random.Random(f"{seed}:{index}")
        self._name = f"{seed}:{index}"
        self._weights = {word: weight for word, weight in WEIGHTS.items() if not commands or word in commands or not word}
        self._keys = ()
        self._oddity = 0.0  # how many of its requests are odd
        self._is_large = False

    def conversation(self):
        draw = self._random.random()
        if draw < 0.07:
            return self._two_acts("wait")
        if draw < 0.10:
            return self._two_acts("flush")
        if draw < 0.12:
            return self._storm()
        if draw < 0.27:
            return self._refusal()
        if draw < 0.28:
            return Conversation(self._name, ((Batch(1, (Request(tuple(self._random.choice(FOREIGN_LINES).split(b" "))),)),),))
        return self._plain()

    # -- kinds of conversations --

    def _plain(self):
        rng = self._random
        self._keys = self._draw_keys()
        self._oddity = rng.choice((0.0, 0.1, 0.2, 0.4))
        self._is_large = rng.random() < 0.15
        length = rng.randint(4, 28)
        requests = [self.request() for _ in range(length)]
        if rng.random() < 0.85:
            requests.insert(0, Request((b"version",)))
        return Conversation(self._name, (tuple(self._batches(requests)),))

    def _storm(self):
        """Errors upon errors."""
        rng = self._random
        self._keys = self._draw_keys()
        requests = [Request((b"version",))]
        for _ in range(rng.randint(6, 18)):
            requests.append(self._bad_line() if rng.random() < 0.9 else self._good(rng.choice((b"get", b"version"))))
        return Conversation(self._name, (tuple(self._batches(requests)),))

    def _refusal(self):
        """A storage line that fails, upon each state of its key."""
        rng = self._random
        self._keys = self._draw_keys()
        key = self._keys[0]
        before = rng.choice((
            [], [Request((b"set", key, b"0", b"0", b"3"), b"old")], [Request((b"set", key, b"0", b"-1", b"3"), b"old")],
        ))  # fmt: skip
        word = rng.choice([word for word, family in COMMANDS.items() if "b" in family])
        size = rng.choice((3, 3, VALUE_MAX + 1000, SWALLOW_MAX + 1))
        request = self._good(word, key)
        words = [*request.words[:4], b"%d" % size, *([b"0"] if word == b"cas" else ())]
        request = request.replaced(words=tuple(words), block=b"n" * size)
        draw = rng.random() * (1 if size == 3 else 2)
        if draw < 0.35:
            request = request.replaced(block_end=rng.choice((b"\n", b"\r\r", b"x\r\n")))
        if 0.3 < draw < 0.6:
            place = rng.choice((2, 3, 4, 4, 4) if size == 3 else (2, 3))
            request = request.replaced(words=(*words[:place], b"x", *words[place + 1 :]))
        if rng.random() < 0.5:
            request = request.replaced(words=(*request.words, b"noreply"))
        requests = [Request((b"version",)), *before, request, self._good(b"gets", key)]
        return Conversation(self._name, (tuple(self._batches(requests)),))

    def _bad_line(self):
        """A line that both servers call an error, and no more."""
        rng = self._random
        key = rng.choice(self._keys)
        return rng.choice((
            Request((b"bogus",)), Request((b"get",)), Request((b"touch", key, b"x")), Request((b"incr", key, b"x")),
            Request((b"delete", key, b"7")), Request((b"touch",)), Request((b"gat", b"x", key)), Request((b"gat",)),
            Request((b"decr", key)), Request((b"verbosity",)),
            Request((b"flush_all", b"x")), Request((b"flush_all", b"1", b"2", b"3")), Request((b"gats",)), Request((b"",)),
        ))  # fmt: skip

    def _two_acts(self, scene):
        """Keys that end between the acts, and what is said of them behind it."""
        rng = self._random
        self._keys = tuple(f"{self._name}:{number}".encode() for number in range(rng.randint(2, 4)))
        first = [self._good(rng.choice((b"set", b"add")), key=key) for key in self._keys for _ in range(2)]
        if scene == "wait":
            first += [self._short_life(key) for key in self._keys if rng.random() < 0.8]
        second = [self._good(self._draw_command(without=(b"quit", b"flush_all"))) for _ in range(rng.randint(3, 10))]
        acts = tuple(tuple(self._batches(requests)) for requests in (first, second))
        return Conversation(self._name, acts, scene)

    def _short_life(self, key):
        """A last word on a key: it has one second to live, and is not looked at before it is over."""
        word = self._random.choice([word for word in (b"set", b"touch", b"gat", b"gats", b"replace") if word in self._weights])
        if word in (b"gat", b"gats"):
            return Request((word, b"1", key))
        if word == b"touch":
            return Request((word, key, b"1"))
        return Request((word, key, b"3", b"1", b"5"), b"short")

    def _draw_keys(self):
        rng = self._random
        keys = rng.choice(((b"a", b"b"), (b"a", b"b", b"c"), (b"a",), (b"a", b"k" * 250), (b"\x80\xff", b"k" * 249)))
        return keys

    def _batches(self, requests):
        """Requests in batches on one connection or two."""
        rng = self._random
        channels = (1, 2) if rng.random() < 0.2 else (1,)
        most = rng.choice((1, 1, 3, 8))
        batch, channel = [], 1
        for request in requests:
            alone = self._begins_batch(request)
            if batch and (alone or len(batch) >= most):
                yield Batch(channel, tuple(batch))
                batch, channel = [], rng.choice(channels)
            batch.append(request)
            if alone or self._ends_batch(request) or rng.random() < 0.1:
                yield Batch(channel, tuple(batch))
                batch, channel = [], rng.choice(channels)
        if batch:
            yield Batch(channel, tuple(batch))

    @staticmethod
    def _begins_batch(request):
        """memcached reads by 16 KiB, and takes a line that begins late for one without an end."""
        return len(request.line()) > 1500

    @staticmethod
    def _ends_batch(request):
        return request.words[0] in ENDS_BATCH or (request.block is not None and len(request.block) > VALUE_MAX // 2)

    # -- requests --

    def _draw_command(self, without=()):
        words = [word for word in self._weights if word not in without and word]
        return self._random.choices(words, [self._weights[word] for word in words])[0]

    def request(self):
        rng = self._random
        words = list(self._weights)
        word = rng.choices(words, list(self._weights.values()))[0]
        if not word:
            return self._unknown()
        good = self._good(word)
        if rng.random() >= self._oddity:
            return good
        odd = self._odd(good)
        ends_in_cr = isinstance(odd.words[-1], bytes) and odd.words[-1].endswith(b"\r")
        return odd.replaced(line_end=b"\r\n") if ends_in_cr else odd

    def _unknown(self):
        rng = self._random
        arguments = rng.choice(((), (b"a",), (b"a", b"0"), (b"/", b"HTTP/1.1") if rng.random() < 0.3 else (b"x",)))
        return Request((rng.choice(UNKNOWN_WORDS), *arguments))

    def _good(self, word, key=None):
        """A request by the book."""
        rng = self._random
        family = COMMANDS[word]
        block = self._value() if "b" in family else None
        said = [word]
        for letter in family:
            said += self._argument(letter, said, block, key)
        line = {}
        if rng.random() < 0.04:
            line["line_end"] = b"\n"
        if rng.random() < 0.04:
            line["between"] = b"  "
        if rng.random() < 0.04:
            line["behind"] = b" "
        return Request(tuple(said), block, **line)

    def _argument(self, letter, said, block, key):
        rng = self._random
        if letter == "k":
            return [key or rng.choice(self._keys)]
        if letter in "KZ":
            return [rng.choice(self._keys) for _ in range(rng.choice((1, 1, 1, 2, 3, 30)))]
        if letter == "f":
            return [rng.choice(FLAGS)]
        if letter == "e":
            return [self._exptime()]
        if letter == "b":
            return [b"%d" % len(block)]
        if letter == "c":
            return [self._cas_id(said[1])]
        if letter == "d":
            return [rng.choice(DELTAS)]
        if letter == "n":
            return [b"noreply"] if rng.random() < 0.15 else []
        if letter == "0":
            return [b"0"] if rng.random() < 0.1 else []
        if letter == "t":
            return [] if rng.random() < 0.5 else [rng.choice((b"0", b"0", b"-1", b"1000000", b"1000000", Date(-5), Date(99_999), b"2592001", b"+5"))]
        if letter == "v":
            return [rng.choice((b"0", b"1", b"0", b"+1"))]
        if letter == "w":
            return [rng.choice(STATS_WORDS)] if rng.random() < 0.8 else []
        return [b"x"] if said == [b"version"] and rng.random() < 0.2 else []

    def _exptime(self):
        rng = self._random
        draw = rng.random()
        if draw < 0.12:
            return rng.choice(PAST_EXPTIMES)
        return rng.choice(EXPTIMES) if draw < 0.98 or not self._oddity else rng.choice(ODD_EXPTIMES)

    def _cas_id(self, key):
        """Of the same key: sessiond's ids are unique for a key, so one of another key may be right by chance."""
        rng = self._random
        draw = rng.random()
        if draw < 0.6:
            return CasId(key)
        if draw < 0.85:
            return CasId(key, rng.choice((0, 0, 1, -2)))
        return rng.choice((b"0", b"00", b"12345678901234567890", b"18446744073709551615"))

    def _value(self):
        rng = self._random
        draw = rng.random()
        if self._is_large and draw < 0.4:
            size = rng.choice(LARGE_SIZES + HALF_SIZES * 3)
            return rng.choice((b"v", b"7")) * size
        if draw < 0.5:
            return rng.choice(NUMBERS)
        if draw < 0.55:
            return rng.choice(ODD_VALUE_NUMBERS)
        return rng.choice(TEXTS)

    # -- odd requests: one thing is wrong --

    def _odd(self, request):
        rng = self._random
        if request.block is not None and len(request.block) > 1000:  # memcached may run it as a command line
            return self._odd_block(request) if rng.random() < 0.6 else self._odd_head(request)
        kinds = [self._odd_word, self._odd_word, self._drop_word, self._add_word, self._noreply_early, self._odd_blanks,
                 self._upper_case]
        if request.block is not None:
            kinds += [self._odd_block, self._odd_block]
        return rng.choice(kinds)(request)

    def _odd_word(self, request):
        """One argument is replaced by an odd one of its kind."""
        rng = self._random
        words = list(request.words)
        if len(words) < 2:
            return self._add_word(request)
        place = rng.randrange(1, len(words))
        family = COMMANDS[words[0]]
        letter = family[min(place - 1, len(family) - 1)]
        if letter in "kKZ" and rng.random() < 0.9:
            words[place] = rng.choice(ODD_KEYS)
        elif letter == "n":
            words[place] = rng.choice((b"NOREPLY", b"noreply1", b"norepl", b"0"))
        else:
            words[place] = rng.choice(ODD_NUMBERS)
        return request.replaced(words=tuple(words))

    def _odd_head(self, request):
        """The key, the flags or the exptime are odd: where the request ends is certain."""
        words = list(request.words)
        place = self._random.randint(1, 3)
        words[place] = self._random.choice(ODD_KEYS[:4] if place == 1 else (b"abc", b"-1x", b"1" * 30))
        return request.replaced(words=tuple(words))

    def _drop_word(self, request):
        words = list(request.words)
        del words[self._random.randrange(max(1, len(words) - 2), len(words)) if len(words) > 1 else 0 :]
        return request.replaced(words=tuple(words) or (b"",))

    def _add_word(self, request):
        rng = self._random
        surplus = [rng.choice((b"0", b"x", b"noreply", b"1", self._keys[0])) for _ in range(rng.choice((1, 1, 1, 2, 24)))]
        return request.replaced(words=(*request.words, *surplus))

    def _noreply_early(self, request):
        words = _as_text(request.words)
        words.insert(self._random.randint(1, len(words)), b"noreply")
        return request.replaced(words=tuple(words))

    def _odd_blanks(self, request):
        rng = self._random
        draw = rng.random()
        if draw < 0.3:
            return request.replaced(before=rng.choice((b" ", b"   ")))
        if draw < 0.5:
            return request.replaced(words=(b"\t".join(_as_text(request.words)),))
        if draw < 0.6:
            *words, last = _as_text(request.words)
            return request.replaced(words=(*words, last + b"\r"))
        if draw < 0.8:
            return request.replaced(between=b" " * 20)
        return request.replaced(behind=b" " * rng.choice((1, 1900, LINE_MAX)))

    def _upper_case(self, request):
        return request.replaced(words=(request.words[0].upper(), *request.words[1:]))

    def _odd_block(self, request):
        """A block that is not as long as announced, or not ended as it should be."""
        rng = self._random
        draw = rng.random()
        if draw < 0.35:
            return request.replaced(block_end=rng.choice((b"\n", b"\r", b"\r\r", b"\n\r", b"x\r\n", b"")))
        if draw < 0.7:
            return request.replaced(block=request.block + rng.choice((b"x", b"xy", b"\r\nversion", b"z" * 50)))
        return request.replaced(block=request.block[: -rng.randint(1, 3)])
