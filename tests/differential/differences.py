"""The intended differences from memcached, each with its reason: the checked-in list.

A rule recognises a request, and says what each server answers to it. A difference that no rule recognises fails the
run; so does a rule whose servers do not answer as it says, and one that is never needed. Reasons point to the tables of
docs/decisions/0004-protocol.md.
"""

import dataclasses
import enum
import re
import typing

from conversation import Date
from grammar import (
    KEY_MAX,
    LINE_MAX,
    SWALLOW_MAX,
    VALUE_MAX,
    expires_at_once,
    fits_item,
    is_key,
    is_silent,
    lenient_signed,
    lenient_unsigned,
    read,
)

MAX_U64 = (1 << 64) - 1
INT32_MAX = (1 << 31) - 1
MEMCACHED_LINE_MAX = 2048  # of a line that has no end yet
ERRORS_MAX = 8  # in a row, then sessiond closes

ANY = rb"(?s:.*)"
ERROR = rb"ERROR\r\n"
BAD_FORMAT = rb"CLIENT_ERROR bad command line format\r\n"
BAD_DATA = rb"CLIENT_ERROR bad data chunk\r\n"
BAD_EXPTIME = rb"CLIENT_ERROR invalid exptime argument\r\n"
BAD_DELTA = rb"CLIENT_ERROR invalid numeric delta argument\r\n"
NON_NUMERIC = rb"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
TOO_LARGE = rb"SERVER_ERROR object too large for cache\r\n"
TOO_LONG = rb"CLIENT_ERROR line too long\r\n"
NUMBER = rb"[0-9]+\r\n"
END = rb"END\r\n"
OK = rb"OK\r\n"
STORED = rb"STORED\r\n"
NOT_STORED = rb"NOT_STORED\r\n"
VALUE = rb"VALUE (?s:.*)END\r\n"


class Then(enum.Enum):
    """What is left after it."""

    GO_ON = "both hold the same, and go on"
    RESYNC = "they may hold different values of its keys: the keys are deleted on both"
    LAST = "they do not agree on where the next request begins: the conversation ends"


@dataclasses.dataclass(frozen=True)
class Situation:
    """A request where it stands."""

    request: object
    reading: object
    framing: str = "whole"  # of the data block: see grammar.take_block
    block: bytes = b""  # what is taken for the data block
    version: int | None = None  # that the CAS id named when it was sent
    is_first: bool = False  # no valid request came before it on its connection
    errors: int = 0  # in a row before it
    position: int = 0  # in its batch
    batch_size: int = 1
    model: object = None  # of the keys, before it; for rules about state
    code: str = ""  # of its reply, or of its outcome; for rules about state

    @property
    def item(self):
        return self.model.item(self.reading.key) if self.model and self.reading.key else None


@dataclasses.dataclass(frozen=True)
class Rule:
    name: str
    reason: str
    applies: typing.Callable
    memcached: typing.Any = ()  # patterns of its replies, or a function of the situation that gives them
    sessiond: typing.Any = ()
    then: Then = Then.GO_ON
    closes: bool | None = False  # sessiond closes the connection behind its replies; None: or goes on, somewhere
    left: typing.Any = ()  # patterns of what a get of the key then finds in memcached and in sessiond, or a function
    spoils_batch: bool = False  # memcached's replies to the requests before it in the batch are lost, too

    def patterns(self, which, situation):
        said = getattr(self, which)
        return said(situation) if callable(said) else said


def is_fault(reading):
    """sessiond counts it as an error. The time of a flush is no matter of form: it is read where flushes are allowed."""
    return reading.command is None or bool(reading.faults - {"exptime"} if reading.command == b"flush_all" else reading.faults)


def unless_silent(*patterns):
    """Nothing, where the request says noreply."""
    return lambda situation: () if is_silent(situation.reading) else patterns


# ---- what memcached makes of a line --------------------------------------------------------------------


def word_count_fits(reading):
    return len(reading.words) in ((6, 7) if reading.command == b"cas" else (5, 6))


def reads_numbers(reading):
    """memcached's strtol takes every number of a storage line."""
    words = reading.words
    lengths = lenient_signed(words[4])
    return (
        word_count_fits(reading)
        and len(words[1]) <= KEY_MAX
        and lenient_unsigned(words[2]) is not None
        and (isinstance(words[3], Date) or lenient_signed(words[3]) is not None)
        and lengths is not None
        and 0 <= lengths <= INT32_MAX - 2
        and (reading.command != b"cas" or not isinstance(words[5], bytes) or lenient_unsigned(words[5]) is not None)
    )


def runs_as_one_error(request):
    """A data block that memcached, taking it for a command line, answers with one ERROR."""
    block = request.block
    return (
        request.block_end == b"\r\n"
        and len(block) < 1000
        and re.fullmatch(rb"[ -~]*", block)
        and not block.startswith((b" ", b"m"))
        and block.split(b" ")[0] not in MEMCACHED_WORDS
        and b"HTTP/" not in block
    )


def has_long_line(block):
    """memcached, taking it for a command line, closes the connection and drops what it has not sent yet."""
    return len(block.split(b"\n")[0]) > MEMCACHED_LINE_MAX


def date_in_memcached(exptime):
    """A number of 64 bits as memcached keeps it, in 32."""
    return (exptime + (1 << 31)) % (1 << 32) - (1 << 31)


MEMCACHED_WORDS = {
    b"get", b"gets", b"gat", b"gats", b"bget", b"set", b"add", b"replace", b"append", b"prepend", b"cas", b"incr",
    b"decr", b"touch", b"delete", b"flush_all", b"verbosity", b"version", b"stats", b"quit", b"shutdown", b"slabs",
    b"lru", b"lru_crawler", b"watch", b"cache_memlimit", b"extstore", b"refresh_certs", b"mn", b"mg", b"ms", b"md", b"ma",
    b"me",
}


# ---- whom a rule means ---------------------------------------------------------------------------------


def stores_with(fault):
    return lambda s: s.reading.stores and fault in s.reading.faults


def is_refused_but_framed(s):
    """A storage line with a fault that does not touch its length."""
    return s.reading.stores and s.reading.is_framed and s.reading.faults and s.framing == "whole"


def has_control_byte(s):
    return any(0 < len(key) <= KEY_MAX and not is_key(key) for key in s.reading.keys)


def has_long_key(s):
    return any(len(key) > KEY_MAX for key in s.reading.keys)


def ends_in_http(s):
    return s.reading.command is None and s.reading.words and s.reading.words[-1].startswith(b"HTTP/")


def closes_both(s):
    """Both servers close the connection, and say nothing."""
    return s.reading.command == b"quit" or ends_in_http(s)


def looks_like_command(word):
    """memcached goes by the first letter, up to a NUL, and says ERROR before it looks for HTTP; or knows the word."""
    return word in MEMCACHED_WORDS or word[:1] in (b"g", b"s", b"a", b"c", b"i", b"d", b"t") or b"\0" in word or len(word) < 2


def exptime_word(reading):
    return reading.words[2 if reading.command == b"touch" else 1]


def takes_surplus_word(s):
    """A last word in the place of noreply that is not noreply."""
    reading = s.reading
    count = {b"touch": 4, b"incr": 4, b"decr": 4, b"verbosity": 3, b"flush_all": 3}.get(reading.command)
    faults = reading.faults - {"exptime", "level"} if reading.command in (b"flush_all", b"verbosity") else reading.faults
    return len(reading.words) == count and reading.words[-1] != b"noreply" and faults == {"surplus"}


def has_words_too_many_and_noreply(s):
    reading = s.reading
    return (
        "n" in reading.family
        and not reading.stores
        and len(reading.words) > len(reading.family) + 1
        and reading.words[-1] == b"noreply"
    )


def storage_error(s):
    """memcached's word to a storage line that it refuses; it runs the data block then."""
    if is_silent(s.reading):
        return ()
    return (BAD_FORMAT if word_count_fits(s.reading) else ERROR,)


def is_date_beyond_32_bits(s):
    """The command has done its work, and memcached's date is another than was said."""
    exptime = s.reading.numbers.get("e")
    if exptime is None or isinstance(exptime, Date) or s.reading.faults:
        return False
    kept = date_in_memcached(exptime)
    return (
        kept != exptime
        and s.code in ("STORED", "TOUCHED", "VALUE")
        and s.reading.command not in (b"append", b"prepend")
        and expires_at_once(kept) != expires_at_once(exptime)
    )


def left_by_date(s):
    exptime = s.reading.numbers["e"]
    return tuple(END if expires_at_once(date) else VALUE for date in (date_in_memcached(exptime), exptime))


def flushes(delay):
    """When a flush takes place."""
    return "now" if delay == 0 or expires_at_once(delay) else "later"


def flushes_in_memcached(delay):
    """The same there; in the second of a flush that is one second ahead, what is stored later is flushed, too."""
    kept = delay if isinstance(delay, Date) else date_in_memcached(delay)
    if kept == 1:
        return "now, and for a while"
    return "never" if kept != 0 and flushes(kept) == "now" and not isinstance(kept, Date) and kept > 0 else flushes(kept)


def joins_to_item_only(s):
    """append and prepend make what memcached still stores, and is over max-value."""
    if s.reading.command not in (b"append", b"prepend") or not s.item or s.reading.faults:
        return False
    size = len(s.item.value) + s.reading.size
    return max(size, s.reading.size) > VALUE_MAX >= s.reading.size and s.code == "STORED"


def shortens_a_number(s):
    result = s.model.counted(s.reading) if s.reading.command in (b"incr", b"decr") and s.code == "NUMBER" else None
    return result is not None and len(b"%d" % result) < len(s.item.value)


def counts_odd_number(s):
    """A value that strtoull takes for a number, and is no row of digits with blanks behind it."""
    return (
        s.reading.command in (b"incr", b"decr")
        and s.code == "NUMBER"
        and s.item
        and not re.fullmatch(rb"[0-9]{1,20} *", s.item.value)
    )


# ---- the rules -----------------------------------------------------------------------------------------

# About words, and about where requests begin and end: the first that applies. They need no reply to apply.
RULES = (
    Rule(
        "binary protocol", "Other protocols: binary protocol",
        lambda s: s.is_first and not s.errors and s.request.line().startswith(b"\x80"),
        then=Then.LAST, closes=True,
    ),
    Rule(
        "TLS", "Other protocols: TLS to the plain port",
        lambda s: s.is_first and not s.errors and s.request.line().startswith(b"\x16"),
        then=Then.LAST, closes=True,
    ),
    Rule(
        "line too long", "Keys and lines: a line without end, or too long",
        lambda s: not s.reading.reads and len(s.request.line()) > LINE_MAX,
        sessiond=(TOO_LONG,), then=Then.LAST, closes=True,
    ),
    Rule(
        "first line unknown", "Other protocols: the first line is no command",
        lambda s: s.is_first and s.reading.command is None and not ends_in_http(s),
        sessiond=(ERROR,), then=Then.LAST, closes=True,
    ),
    Rule(
        "errors in a row", "Other protocols: 8 errors in a row",
        lambda s: s.errors == ERRORS_MAX - 1 and is_fault(s.reading) and not ends_in_http(s),
        sessiond=(rb"(CLIENT_)?ERROR.*\r\n",), then=Then.LAST, closes=True,
    ),
    Rule(
        "HTTP drops the replies before it", "Replies that memcached loses: HTTP behind other requests",
        lambda s: ends_in_http(s) and s.position > 0 and not looks_like_command(s.reading.words[0]),
        then=Then.LAST, closes=True, spoils_batch=True,
    ),
    Rule(
        "HTTP behind a word like a command", "Other protocols: a line that ends in HTTP/... and begins like a command",
        lambda s: ends_in_http(s) and looks_like_command(s.reading.words[0]),
        memcached=(ANY,), then=Then.LAST, closes=True,
    ),
    Rule(
        "NUL", "Keys and lines: NUL in or behind a command word, NUL in a key",
        lambda s: b"\0" in s.request.line(),
        sessiond=unless_silent(rb"(CLIENT_)?ERROR.*\r\n"), then=Then.LAST,
    ),
    Rule(
        "blank in front", "Keys and lines: a blank in front of a line",
        lambda s: s.request.before and s.reading.words and s.request.block is None,
        sessiond=(ERROR,), then=Then.LAST,
    ),
    Rule(
        "blank in front of a storage line", "Keys and lines: a blank in front of a line",
        lambda s: s.request.before and s.reading.words,
        sessiond=(ERROR,), then=Then.LAST, closes=None,
    ),
    Rule(
        "memcached's own commands", "stats: lru_crawler, watch, slabs",
        lambda s: s.reading.command is None and s.reading.words and s.reading.words[0] in MEMCACHED_WORDS,
        memcached=(ANY,), sessiond=(ERROR,),
    ),
    Rule(
        "stats of our own", "Not visible: stats has our own lines beside memcached's",
        lambda s: s.reading.command == b"stats" and s.reading.words[1:2] in ((b"sessions",), (b"shards",)),
        memcached=(ERROR,), sessiond=(END,),
    ),
    Rule(
        "stats cachedump", "stats: cachedump",
        lambda s: s.reading.command == b"stats" and s.reading.words[1:2] == (b"cachedump",),
        memcached=(ANY,), sessiond=(END,),
    ),
    Rule(
        "storage line: a word missing", "The end of a request: a word too few",
        stores_with("missing"),
        memcached=(ERROR,), sessiond=(BAD_FORMAT,), then=Then.LAST, closes=True,
    ),
    Rule(
        "storage line: a word too many", "The end of a request: a word too many on a storage line",
        stores_with("surplus"),
        sessiond=(BAD_FORMAT,), then=Then.LAST, closes=True,
    ),
    Rule(
        "byte count no number", "The end of a request: byte count no number, signed, -0",
        stores_with("bytes"),
        sessiond=(BAD_FORMAT,), then=Then.LAST, closes=True,
    ),
    Rule(
        "byte count beyond 31 bits", "The end of a request: byte count from about 2^31 on",
        lambda s: s.reading.stores and not s.reading.faults and s.reading.size > INT32_MAX - 2,
        sessiond=(TOO_LARGE,), then=Then.LAST, closes=True,
    ),
    Rule(
        "faulty line, and a block above 8 times the limit", "A write that fails: the refused block",
        lambda s: s.reading.stores and s.reading.is_framed and s.reading.faults and s.reading.size > SWALLOW_MAX,
        sessiond=(BAD_FORMAT,), then=Then.LAST, closes=True, spoils_batch=True,
    ),
    Rule(
        "block above 8 times the limit", "A write that fails: the refused block",
        lambda s: s.reading.stores and not s.reading.faults and s.reading.size > SWALLOW_MAX,
        memcached=unless_silent(TOO_LARGE), sessiond=(TOO_LARGE,), then=Then.LAST, closes=True,
    ),
    Rule(
        "refused block not ended", "A write that fails: the refused block",
        lambda s: s.framing == "bad" and not s.reading.faults and s.reading.size > VALUE_MAX,
        sessiond=unless_silent(TOO_LARGE), then=Then.LAST, closes=True,
    ),
    Rule(
        "faulty line, and its block is a line too long, not ended", "A write that fails: the refused block",
        lambda s: s.framing in ("bad", "short") and s.reading.faults and has_long_line(s.request.block),
        sessiond=unless_silent(BAD_FORMAT), then=Then.LAST, closes=True, spoils_batch=True,
    ),
    Rule(
        "faulty line, and its block not ended", "A write that fails: the refused block",
        lambda s: s.framing in ("bad", "short") and s.reading.faults,
        sessiond=unless_silent(BAD_FORMAT), then=Then.LAST, closes=True,
    ),
    Rule(
        "block not ended", "The end of a request: data block longer than announced, or not ended by CR LF",
        lambda s: s.framing == "bad" and not s.reading.faults,
        memcached=unless_silent(BAD_DATA), sessiond=(BAD_DATA,), then=Then.LAST, closes=True,
    ),
    Rule(
        "storage line: control byte in the key", "Keys and lines: control bytes, TAB, DEL, NUL, CR in a key",
        lambda s: is_refused_but_framed(s) and has_control_byte(s) and reads_numbers(s.reading),
        memcached=unless_silent(ANY), sessiond=unless_silent(BAD_FORMAT), then=Then.RESYNC,
    ),
    Rule(
        "storage line: a number that only strtol reads",
        "The end of a request: key, flags or exptime wrong on a storage line",
        lambda s: is_refused_but_framed(s) and reads_numbers(s.reading),
        memcached=unless_silent(ANY), sessiond=unless_silent(BAD_FORMAT), then=Then.RESYNC,
    ),
    Rule(
        "storage line: refused, and its block is one bad line",
        "The end of a request: key, flags or exptime wrong on a storage line",
        lambda s: is_refused_but_framed(s) and runs_as_one_error(s.request),
        memcached=lambda s: (*storage_error(s), ERROR), sessiond=unless_silent(BAD_FORMAT),
    ),
    Rule(
        "storage line: refused, and its block is a line too long",
        "The end of a request: key, flags or exptime wrong on a storage line",
        lambda s: is_refused_but_framed(s) and has_long_line(s.request.block),
        sessiond=unless_silent(BAD_FORMAT), then=Then.LAST, spoils_batch=True,
    ),
    Rule(
        "storage line: refused, and its block runs",
        "The end of a request: key, flags or exptime wrong on a storage line",
        is_refused_but_framed,
        memcached=storage_error, sessiond=unless_silent(BAD_FORMAT), then=Then.LAST,
    ),
    Rule(
        "size limit", "A write that fails: the size limit",
        lambda s: s.reading.stores and not s.reading.faults and s.reading.size > VALUE_MAX and fits_item(s.reading.key, s.reading.numbers["f"], s.reading.size),
        memcached=unless_silent(ANY), sessiond=unless_silent(TOO_LARGE), then=Then.RESYNC,
    ),
    Rule(
        "a long key drops the replies before it", "Replies that memcached loses: a key over 250 bytes",
        lambda s: s.reading.reads and has_long_key(s) and s.position > 0,
        sessiond=(BAD_FORMAT,), then=Then.LAST, spoils_batch=True,
    ),
    Rule(
        "gat of a key before a bad one", "Keys and lines: gat of several keys, one of them over 250 bytes",
        lambda s: s.reading.command in (b"gat", b"gats") and s.reading.faults == {"key"} and len(s.reading.keys[0]) <= KEY_MAX
        and has_long_key(s),
        memcached=(BAD_FORMAT,), sessiond=(BAD_FORMAT,), then=Then.RESYNC,
    ),
    Rule(
        "control byte in a key", "Keys and lines: control bytes, TAB, DEL, NUL, CR in a key",
        lambda s: has_control_byte(s) and not s.reading.stores and not has_long_key(s),
        memcached=unless_silent(ANY), sessiond=unless_silent(rb"CLIENT_ERROR .*\r\n"), then=Then.RESYNC,
    ),
    Rule(
        "an exptime that only strtol reads", "Numbers: +5 or -0 as exptime",
        lambda s: s.reading.faults == {"exptime"} and s.reading.command in (b"touch", b"gat", b"gats")
        and lenient_signed(exptime_word(s.reading)) is not None,
        memcached=unless_silent(ANY), sessiond=unless_silent(BAD_EXPTIME), then=Then.RESYNC,
    ),
    Rule(
        "a flush time that only strtol reads", "Numbers: +5 or -0 as time",
        lambda s: s.reading.faults == {"exptime"} and s.reading.command == b"flush_all"
        and lenient_signed(s.reading.words[1]) is not None,
        memcached=unless_silent(OK), sessiond=unless_silent(BAD_EXPTIME), then=Then.LAST,
    ),
    Rule(
        "a delta that only strtoull reads", "Numbers: +5 or -0 as delta",
        lambda s: s.reading.faults == {"delta"} and lenient_unsigned(s.reading.words[2]) is not None,
        memcached=unless_silent(ANY), sessiond=unless_silent(BAD_DELTA), then=Then.RESYNC,
    ),
    Rule(
        "a level that only strtoul reads", "Numbers: +5 or -0 as level",
        lambda s: s.reading.faults == {"level"} and lenient_unsigned(s.reading.words[1]) is not None,
        memcached=unless_silent(OK), sessiond=unless_silent(BAD_FORMAT),
    ),
    Rule(
        "words too many, and noreply behind them", "Keys and lines: two words too many, the last of them noreply",
        has_words_too_many_and_noreply,
        memcached=(ERROR,),
    ),
    Rule(
        "a last word that is not noreply", "Keys and lines: a last word that is not noreply",
        takes_surplus_word,
        memcached=(ANY,), sessiond=(BAD_FORMAT,), then=Then.RESYNC,
    ),
)

# About what is stored, seen only where it has been done: the first that applies.
STATE_RULES = (
    Rule(
        "too large drops the old value", "A write that fails: value too large",
        lambda s: s.reading.command == b"set" and s.code.endswith("too large for cache") and s.item,
        memcached=unless_silent(TOO_LARGE), sessiond=unless_silent(TOO_LARGE), then=Then.RESYNC, left=(END, VALUE),
    ),
    Rule(
        "size limit of what append makes", "A write that fails: the size limit",
        joins_to_item_only,
        memcached=unless_silent(STORED), sessiond=unless_silent(NOT_STORED), then=Then.RESYNC,
    ),
    Rule(
        "a flush to come undoes a flush", "Flushes: a flush to come, behind a flush",
        lambda s: s.reading.command == b"flush_all" and s.code == "OK" and s.model.was_flushed
        and flushes(s.reading.numbers.get("t", 0)) == "later",
        memcached=unless_silent(OK), sessiond=unless_silent(OK), then=Then.RESYNC,
    ),
    Rule(
        "a flush at another time", "Flushes: after N seconds, at a date that has passed; Time: cut to 32 bits",
        lambda s: s.reading.command == b"flush_all" and s.code == "OK"
        and flushes(s.reading.numbers.get("t", 0)) != flushes_in_memcached(s.reading.numbers.get("t", 0)),
        memcached=unless_silent(OK), sessiond=unless_silent(OK), then=Then.LAST,
    ),
    Rule(
        "dates beyond 32 bits", "Time: dates after 2038, after 2106, up to 64 bits",
        is_date_beyond_32_bits,
        memcached=unless_silent(ANY), sessiond=unless_silent(ANY), then=Then.RESYNC, left=left_by_date,
    ),
    Rule(
        "numbers from 2^63 on", "Numbers: memcached reads on behind the value, and looks for a minus sign",
        lambda s: s.reading.command in (b"incr", b"decr") and not s.reading.faults and s.item
        and re.fullmatch(rb"[0-9]{1,20}", s.item.value) and 1 << 63 <= int(s.item.value) <= MAX_U64,
        memcached=unless_silent(NUMBER + rb"|" + NON_NUMERIC),
        sessiond=lambda s: () if is_silent(s.reading) else (rb"%d\r\n" % s.model.counted(s.reading),), then=Then.RESYNC,
    ),
    Rule(
        "blanks counted", "Numbers: memcached reads on behind the value",
        lambda s: s.reading.command in (b"incr", b"decr") and not s.reading.faults and s.item and s.item.value.isspace(),
        memcached=unless_silent(rb"[0-9]+\r\n|" + NON_NUMERIC), sessiond=unless_silent(NON_NUMERIC), then=Then.RESYNC,
    ),
    Rule(
        "odd numbers counted", "Numbers: a value with a sign, a blank in front, or words behind its digits",
        counts_odd_number,
        memcached=unless_silent(NUMBER), sessiond=unless_silent(NON_NUMERIC), then=Then.RESYNC,
    ),
    Rule(
        "a shorter number is padded", "Numbers: decr that needs fewer digits",
        shortens_a_number,
        memcached=unless_silent(NUMBER), sessiond=unless_silent(NUMBER), then=Then.RESYNC,
        left=(rb"VALUE \S+ \d+ \d+\r\n\d+ *\r\nEND\r\n", rb"VALUE \S+ \d+ \d+\r\n\d+\r\nEND\r\n"),
    ),
)


def counters_left_out(requests):
    """The names of counters that may grow otherwise. A word of their meaning differs:

    sessiond keeps nothing of a value that has expired when it comes, and does not count it as an item; memcached makes
    a new item of a number that it cannot change in its place, which depends on who looks at it meanwhile; it looks
    keys up until it finds a bad one, and counts every flush_all.
    """
    left_out = set()
    for reading in map(read, requests):
        if reading.command in (b"incr", b"decr") or reading.stores and expires_at_once(reading.numbers.get("e")):
            left_out.add("total_items")
        if reading.command == b"flush_all" and reading.faults:
            left_out.add("cmd_flush")
        if reading.reads and reading.faults:
            left_out |= {"cmd_get", "get_hits", "get_misses", "cmd_touch", "touch_hits", "touch_misses"}
    return left_out


def find(rules, situation):
    """The rule for a request, or None."""
    return next((rule for rule in rules if rule.applies(situation)), None)
