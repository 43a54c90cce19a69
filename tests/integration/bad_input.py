"""The catalogue of bad input: what a client may send by mistake or malice, and the only right answer to it.

A table, and no test: test_bad_input.py delivers each row in every way. What meta commands may be sent is in
bad_meta_input.py. The numbers are those of the catalogue;
rows R5 and B23 of it hold as decision 0004 has them: a write that fails leaves the old value.
"""

from typing import NamedTuple

VALUE_MAX = 65536  # --max-value of the daemon that the rows are for
LINE_MAX = 8192

BAD_FORMAT = "CLIENT_ERROR bad command line format\r\n"
BAD_DATA = "CLIENT_ERROR bad data chunk\r\n"
BAD_EXPTIME = "CLIENT_ERROR invalid exptime argument\r\n"
BAD_DELTA = "CLIENT_ERROR invalid numeric delta argument\r\n"
NOT_A_NUMBER = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
DELETE_USAGE = "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"
TOO_LONG = "CLIENT_ERROR line too long\r\n"
TOO_LARGE = "SERVER_ERROR object too large for cache\r\n"
ERROR = "ERROR\r\n"
VERSION = "VERSION 1.6.18\r\n"

LONGEST = "k" * 250
LONG = "k" * 251


class Row(NamedTuple):
    name: str
    what: str
    sent: str  # latin-1, as all texts here
    reply: str
    closes: bool = False
    before: tuple = (("version\r\n", VERSION),)  # (sent, reply) on the same connection; (): it comes first there
    after: str = ""  # the reply to `get k` on another connection, afterwards; k is deleted before each delivery
    behind: tuple | None = None  # (reply, closes) behind a good request, where it is not the same


OLD = (("set k 5 0 3\r\nold\r\n", "STORED\r\n"),)
KEPT = "VALUE k 5 3\r\nold\r\n"


def value(text, flags=0):
    return f"VALUE k {flags} {len(text)}\r\n{text}\r\n"


def several(name, what, texts, form, reply, **more):
    """A row for each of some texts."""
    return [Row(name, f"{what}: {text[:30]!r}", form.format(text), reply, **more) for text in texts]


def keys_and_lines():
    yield Row("B01", "a key of 250 bytes", f"set {LONGEST} 0 0 1\r\nx\r\nget {LONGEST}\r\ndelete {LONGEST}\r\n",
              f"STORED\r\nVALUE {LONGEST} 0 1\r\nx\r\nEND\r\nDELETED\r\n")
    yield Row("B02", "a key of 251 bytes", f"get {LONG}\r\n", BAD_FORMAT)
    yield from several("B02", "a key of 251 bytes", ("gets", "delete", "gat 0"), f"{{}} {LONG}\r\n", BAD_FORMAT)
    yield Row("B02", "a key of 251 bytes: touch", f"touch {LONG} 0\r\n", BAD_FORMAT)
    yield Row("B03", "a long key between others", f"get a {LONG} b\r\n", BAD_FORMAT)
    yield from several("B04", "a long key, its value swallowed", ("set", "add", "replace", "append", "prepend"),
                       f"{{}} {LONG} 0 0 11\r\nflush_all\r\n\r\n", BAD_FORMAT)
    for byte in ("\t", "\x01", "\x1f", "\x7f"):
        yield Row("B05", f"{byte!r} in a key", f"get a{byte}b\r\nset a{byte}b 0 0 1\r\nx\r\n", BAD_FORMAT * 2)
    yield Row("B05", "0x80 and above in a key", "set \x80\xff 0 0 1\r\nx\r\ndelete \x80\xff\r\n", "STORED\r\nDELETED\r\n")
    yield Row("B06", "NUL in a key", "get k\0b\r\nset k\0b 0 0 1\r\nx\r\ndelete k\0b\r\n", BAD_FORMAT * 3, before=OLD, after=KEPT)
    yield Row("B07", "CR in a key", "get a\rb\r\ntouch a\rb 0\r\n", BAD_FORMAT * 2)
    yield Row("B08", "empty lines", "\r\n\n", ERROR * 2)
    yield Row("B08", "an empty line first", "\r\n", ERROR, closes=True, before=(), behind=(ERROR, False))
    yield Row("B09", "no key", "get\r\ngets \r\ngat\r\ndelete\r\ntouch\r\n", ERROR * 5)
    yield Row("B10", "spaces alone", f"{' ' * 70}\r\n", ERROR)
    yield Row("B10", "70,000 spaces", f"{' ' * 70000}\r\n", TOO_LONG, closes=True)
    yield Row("B11", "a space first", " get k\r\n", ERROR)
    yield Row("B12", "many spaces between", "set  k   0    0     1 \r\nx\r\nget    k  \r\n", "STORED\r\n" + value("x") + "END\r\n",
              after=value("x"))
    yield Row("B13", "no such command", "gte k\r\nset2 k 0 0 1\r\n", ERROR * 2)
    yield Row("B13", "no such command, first", "gte k\r\nversion\r\n", ERROR, closes=True, before=(), behind=(ERROR + VERSION, False))
    yield Row("B14", "upper case", "GET k\r\nSet k 0 0 1\r\n", ERROR * 2)
    yield Row("B15", "LF alone", "get k\nset k 0 0 1\nx\r\ntouch k 0\n", "END\r\nSTORED\r\nTOUCHED\r\n", after=value("x"))
    yield Row("B16", "a line without an end", "set " + "x" * LINE_MAX, TOO_LONG, closes=True)
    yield Row("B16", "a long line with an end", "x" * (LINE_MAX + 1) + "\r\n", TOO_LONG, closes=True)
    yield Row("B18", "a get of 2,000 keys", "get" + "".join(f" key:{number:06}:{'x' * 20}" for number in range(2000)) + "\r\n",
              "END\r\n")
    yield from several("B19", "no exptime", ("1e9999", "abc", "-", "1.5", "0x10"), "gat {} k\r\n", BAD_EXPTIME)
    yield Row("B20", "24 words too many", "set k 0 0 1" + " x" * 24 + "\r\nx\r\n", BAD_FORMAT, closes=True, before=OLD, after=KEPT)


def lengths():
    for text in ("-1", "abc", "NaN", "1.5", "+5", "", "5x", "0x5", "-0"):
        yield Row("B29" if text == "-0" else "B21", f"a byte count of {text!r}", f"set k 0 0 {text}\r\ndelete k\r\n", BAD_FORMAT,
                  closes=True, before=OLD, after=KEPT)
    for number in (2**31 - 3, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**64 + 1, 10**30):
        yield Row("B22", f"a byte count of {number}", f"set k 0 0 {number}\r\ndelete k\r\n", TOO_LARGE, closes=True,
                  before=OLD, after=KEPT)
    yield Row("B23", "a value above the limit", f"set k 0 0 {VALUE_MAX + 1}\r\n{'x' * (VALUE_MAX + 1)}\r\n", TOO_LARGE,
              before=OLD, after=KEPT)
    yield Row("B23", "one far above it", f"set k 0 0 {8 * VALUE_MAX + 1}\r\n", TOO_LARGE, closes=True, before=OLD, after=KEPT)
    yield Row("B24", "a block one byte short", "set k 0 0 3\r\nab\r\ndelete k\r\n", BAD_DATA, closes=True, before=OLD, after=KEPT)
    yield Row("B25", "a block longer than announced", "set k 0 0 1\r\n123\r\n", BAD_DATA, closes=True, before=OLD, after=KEPT)
    yield Row("B25", "a large one", f"set k 0 0 20000\r\n{'x' * 20000}delete k\r\n", BAD_DATA, closes=True, before=OLD, after=KEPT)
    yield from several("B26", "a block that ends otherwise", ("\n\n", "\r\r", "\nx", "\rx", "\n\r"), "set k 0 0 3\r\nabc{}",
                       BAD_DATA, closes=True, before=OLD, after=KEPT)
    for text in ("set", "set k", "set k 0", "set k 0 0", "cas k 0 0 3", "set k 0 0 noreply"):
        yield Row("B27", f"a word too few: {text}", f"{text}\r\ndelete k\r\n", BAD_FORMAT, closes=True, before=OLD, after=KEPT)
    yield Row("B28", "an empty value", "set k 0 0 0\r\n\r\n", "STORED\r\n", after=value(""))
    yield Row("B29", "zeros in front", "set k 0 0 0005\r\nabcde\r\n", "STORED\r\n", after=value("abcde"))
    yield Row("B30", "a value like commands", "set k 0 0 13\r\n\r\nflush_all\r\n\r\n", "STORED\r\n", after=value("\r\nflush_all\r\n"))


def terms():
    yield from several("B35", "flags", ("-1", "abc", "1.5"), "set k {} 0 11\r\ndelete k\r\nx\r\n", BAD_FORMAT, before=OLD, after=KEPT)
    yield from several("B36", "flags", ("4294967296", "18446744073709551616"), "set k {} 0 1\r\nx\r\n", BAD_FORMAT, before=OLD, after=KEPT)
    for name, exptime in (("B37", "-1"), ("B39", "2592001"), ("B40", "1000000000"), ("B40", "-9223372036854775808")):
        yield Row(name, f"a time that has passed: {exptime}", f"set k 0 {exptime} 1\r\nx\r\n", "STORED\r\n", before=OLD)
    for name, exptime in (("B38", 0), ("B39", 2592000), ("B41", 2**31), ("B41", 4000000000), ("B42", 2**32), ("B45", 2**63 - 1)):
        yield Row(name, f"a time to come: {exptime}", f"set k 0 {exptime} 1\r\nx\r\n", "STORED\r\n", before=OLD, after=value("x"))
    yield from several("B43", "no time", (str(2**63), str(2**64), "1e9", "1.5", "+1"), "set k 0 {} 1\r\nx\r\n", BAD_FORMAT,
                       before=OLD, after=KEPT)
    yield Row("B44", "touch with a date of 2106", "touch k 4294967296\r\n", "TOUCHED\r\n", before=OLD, after=KEPT)
    yield Row("B44", "touch with no time", "touch k 1e9\r\n", BAD_EXPTIME, before=OLD, after=KEPT)
    yield from several("B46", "no CAS id", (str(2**64), "-1", "abc"), "cas k 0 0 1 {}\r\nx\r\n", BAD_FORMAT, before=OLD, after=KEPT)
    yield Row("B47", "a CAS id of 0", "cas k 0 0 1 0\r\nx\r\n", "EXISTS\r\n", before=OLD, after=KEPT)
    yield Row("B47", "a CAS id of 0, no session", "cas k 0 0 1 0\r\nx\r\n", "NOT_FOUND\r\n")
    yield Row("B49", "noreply", "add k 0 0 1 noreply\r\n1\r\nset k 0 0 1 noreply\r\n2\r\nreplace k 0 0 1 noreply\r\n3\r\n"
              "append k 0 0 1 noreply\r\n4\r\nprepend k 0 0 1 noreply\r\n1\r\ncas k 0 0 1 1 noreply\r\nx\r\nincr k 2 noreply\r\n"
              "decr k 1 noreply\r\ntouch k 0 noreply\r\ndelete none noreply\r\nflush_all noreply\r\nverbosity 1 noreply\r\n", "",
              after=value("135"))
    yield Row("B49", "noreply of what is wrong", "set k x 0 1 noreply\r\n1\r\nincr k x noreply\r\ntouch k x noreply\r\n", "",
              before=OLD, after=KEPT)
    yield Row("B50", "noreply with a bad block", "set k 0 0 1 noreply\r\n123\r\n", BAD_DATA, closes=True, before=OLD, after=KEPT)
    yield Row("B50", "noreply with a bad byte count", "set k 0 0 x noreply\r\n1\r\n", BAD_FORMAT, closes=True, before=OLD, after=KEPT)
    yield from several("B51", "no noreply", ("NOREPLY", "noreply x", "noreplyx"), "set k 0 0 1 {}\r\nx\r\n", BAD_FORMAT, closes=True,
                       before=OLD, after=KEPT)
    yield Row("B51", "no noreply of touch", "touch k 0 NOREPLY\r\ntouch k 0 noreply x\r\n", BAD_FORMAT + ERROR, before=OLD, after=KEPT)
    yield Row("B52", "delete with a time of 0", "delete k 0\r\n", "DELETED\r\n", before=OLD)
    yield from several("B52", "delete with a time", ("10", "-1", "x"), "delete k {}\r\n", DELETE_USAGE, before=OLD, after=KEPT)


def counting():
    for text in ("", "abc", "-1", "1.5", " 1", "18446744073709551616"):
        yield Row("B54", f"incr of {text!r}", "incr k 1\r\ndecr k 1\r\n", NOT_A_NUMBER * 2,
                  before=((f"set k 0 0 {len(text)}\r\n{text}\r\n", "STORED\r\n"),), after=value(text))
    yield Row("B55", "incr beyond 64 bits", "incr k 1\r\n", "0\r\n", before=((f"set k 0 0 20\r\n{2**64 - 1}\r\n", "STORED\r\n"),),
              after=None)
    yield Row("B56", "decr below 0", "decr k 11\r\n", "0\r\n", before=(("set k 0 0 2\r\n10\r\n", "STORED\r\n"),), after=None)
    yield from several("B57", "no delta", ("-1", "abc", str(2**64), "1" * 30, "+1", "1.0"), "incr k {}\r\n", BAD_DELTA, before=OLD, after=KEPT)
    yield Row("B58", "decr that needs fewer digits", "decr k 1\r\n", "9\r\n", before=(("set k 0 0 2\r\n10\r\n", "STORED\r\n"),),
              after=value("9"))
    full = "x" * VALUE_MAX
    for verb in ("append", "prepend"):
        yield Row("B59", f"{verb} past the limit", f"{verb} k 0 0 1\r\ny\r\n", "NOT_STORED\r\n",
                  before=((f"set k 0 0 {VALUE_MAX}\r\n{full}\r\n", "STORED\r\n"),), after=value(full))


def other_protocols():
    for line in ("GET / HTTP/1.1", "POST /x HTTP/1.0", "DELETE k HTTP/1.1"):
        yield Row("B60", line, f"{line}\r\nHost: a\r\n\r\nset k 0 0 1\r\nx\r\n", "", closes=True, before=())
    for line in ("GET /x%20", "Host: 127.0.0.1:11200", "Content-Length: 5"):
        yield Row("B61", f"HTTP without its mark: {line}", f"{line}\r\nset k 0 0 1\r\nx\r\n", ERROR, closes=True, before=(),
                  behind=(ERROR + "STORED\r\n", False))
    hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "r" * 32 + "\r\nset k 0 0 1\r\nx\r\n"
    yield Row("B62", "TLS", hello, "", closes=True, before=(), behind=(ERROR + "STORED\r\n", False))
    yield Row("B64", "the binary protocol", "\x80\x00\x00\x01" + "\0" * 20 + "k\r\n", "", closes=True, before=(), behind=(ERROR, False))
    yield Row("B65", "Redis", "*1\r\n$4\r\nPING\r\n", ERROR, closes=True, before=(), behind=(ERROR * 3, False))
    for line in ("EHLO a", "SSH-2.0-OpenSSH_9.2", "PROXY TCP4 127.0.0.1 127.0.0.1 1 2"):
        yield Row("B65", line, f"{line}\r\n", ERROR, closes=True, before=(), behind=(ERROR, False))
    yield Row("B65", "PROXY, version 2", "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c", ERROR, closes=True, before=(), behind=None)


def volume():
    yield Row("B76", "garbage", "x\r\n" * 100, ERROR * 8, closes=True)
    yield Row("B76", "garbage of other kinds", "get\r\ntouch k x\r\nincr k x\r\n" * 5, (ERROR + BAD_EXPTIME + BAD_DELTA) * 2 + ERROR
              + BAD_EXPTIME, closes=True)
    yield Row("B78", "verbosity", "verbosity 99999\r\nverbosity\r\nverbosity x\r\n", f"OK\r\n{ERROR}{BAD_FORMAT}")
    yield Row("B78", "stats reset and detail", "stats reset\r\nstats detail on\r\nstats detail dump\r\nstats detail off\r\n",
              "RESET\r\nOK\r\nEND\r\nOK\r\n")


ROWS = [*keys_and_lines(), *lengths(), *terms(), *counting(), *other_protocols(), *volume()]

# Rows that want more than bytes on a connection: the tests that prove them.
ELSEWHERE = {
    "B17": "tests/integration/test_slow_clients.py test_endless_get_line_takes_no_memory",
    "B31": "tests/integration/test_slow_clients.py test_leaving_in_the_value_leaves_nothing",
    "B32": "tests/integration/test_limits.py test_partial_value",
    "B33": "tests/integration/test_slow_clients.py test_announcing_costs_nothing",
    "B34": "tests/integration/test_limit_edges.py test_max_value",
    "B48": "tests/unit/journal/test_recovery.c the_ids_of_what_is_cut_are_not_given_out_again",
    "B53": "tests/integration/test_slow_clients.py test_a_hundred_thousand_sets_without_reply_then_close",
    "B67": "tests/integration/test_bad_input.py test_rows",
    "B68": "tests/integration/test_slow_clients.py test_64_gets_of_a_mib_not_read",
    "B69": "tests/integration/test_limits.py test_partial_command",
    "B70": "tests/integration/test_slow_clients.py test_half_close_with_8_mib_of_replies_pending",
    "B71": "tests/integration/test_slow_clients.py test_reset_with_replies_pending",
    "B72": "tests/integration/test_slow_clients.py test_connections_come_and_go",
    "B73": "tests/integration/test_limits.py test_too_many_connections",
    "B74": "tests/integration/test_limits.py test_out_of_descriptors_pauses_accepting",
    "B75": "tests/unit/net/test_listener.c test_descriptors_run_out",
    "B77": "tests/unit/base/test_hash.c hash_depends_on_all_of_the_key",
}

# Rows of what is not there yet.
LATER = {"B63": "TLS", "B66": "TLS"}
