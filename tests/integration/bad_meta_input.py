"""Bad input of meta commands, and the only right answer to it: rows as those of bad_input.py.

The catalogue has no rows about meta commands. What its rows (in brackets) say of classic ones holds for these, too:
memcached's doc/protocol.txt and decision 0014 say the rest.
"""

from bad_input import (
    BAD_DATA, BAD_FORMAT, ERROR, KEPT, LINE_MAX, LONG, LONGEST, NOT_A_NUMBER, OLD, TOO_LARGE, TOO_LONG, VALUE_MAX, Row, several,
    value,
)

BAD_TOKEN = "CLIENT_ERROR bad token in command line format\r\n"
BAD_FLAGS = "CLIENT_ERROR invalid or duplicate flag\r\n"
DUPLICATE = "CLIENT_ERROR duplicate flag\r\n"
INVALID = "CLIENT_ERROR invalid flag\r\n"
BAD_KEY = "CLIENT_ERROR error decoding key\r\n"
BAD_OPAQUE = "CLIENT_ERROR opaque token too long\r\n"
BAD_MODE = "CLIENT_ERROR incorrect length for M token\r\n"
NO_KEY = "mg\r\nmd \r\nma\r\n"
BASE64_OF_250 = "eHh4" * 83 + "eA=="
OPAQUE = "O" + "o" * 31
KEYED = ("mg", "md", "ma")


def kept(name, what, texts, form, reply, **more):
    """A row for each of some texts, none of which changes what is there."""
    return several(name, what, texts, form, reply, before=OLD, after=KEPT, **more)


def meta_keys():
    yield Row("M01", "no key (B09)", NO_KEY, ERROR * 3)
    yield Row("M01", "me with no key, and with a flag", "me\r\nme k Q\r\nme k v v\r\n", BAD_FORMAT * 3, before=OLD, after=KEPT)
    yield Row("M02", "a key of 250 bytes (B01)", f"ms {LONGEST} 1\r\nx\r\nmg {LONGEST} v k\r\nmd {LONGEST}\r\n",
              f"HD\r\nVA 1 k{LONGEST}\r\nx\r\nHD\r\n")
    yield from several("M02", "a key of 251 bytes (B02)", KEYED, f"{{}} {LONG} q\r\nmn\r\n", f"{BAD_FORMAT}MN\r\n")
    yield from several("M03", "a key of 251 bytes, its value swallowed (B04)", ("", " q", " MX", " T"),
                       f"ms {LONG} 11{{}}\r\nflush_all\r\n\r\n", BAD_FORMAT)
    for byte in ("\t", "\x01", "\x7f", "\0", "\r"):
        yield Row("M04", f"{byte!r} in a key (B05 to B07)", f"mg k{byte}b\r\nms k{byte}b 1\r\nx\r\nmd k{byte}b\r\n",
                  BAD_FORMAT * 3, before=OLD, after=KEPT)
    yield Row("M04", "0x80 and above in a key", "ms \x80\xff 1\r\nx\r\nmd \x80\xff k\r\n", "HD\r\nHD k\x80\xff\r\n")
    yield from kept("M05", "a key that is no base64", ("!!!!", "aw=", "aw", "a===", "aw==aw==", "ax==", "="),
                    "mg {0} b\r\nmd {0} b q\r\n", BAD_KEY + BAD_FLAGS)
    yield Row("M05", "a set with one, its value swallowed", "ms !!!! 11 b\r\nflush_all\r\n\r\n", BAD_KEY, before=OLD, after=KEPT)
    yield Row("M05", "base64 of 250 bytes", f"ms {BASE64_OF_250[:248]} 1 b\r\nx\r\nmd {BASE64_OF_250[:248]} b\r\n", "HD\r\nHD\r\n")
    yield Row("M05", "a text of more than 250 bytes", f"mg {BASE64_OF_250} b\r\n", BAD_FORMAT)
    yield Row("M05", "base64 of any bytes", "ms AAoNIP8= 1 b\r\nx\r\nmg AAoNIP8= b k v\r\nmd AAoNIP8= b\r\n",
              "HD\r\nVA 1 kAAoNIP8= b\r\nx\r\nHD\r\n")


def meta_flags():
    yield from kept("M06", "no such flag", ("Q", "Z", "W", "X", "0", "-", "\x01"), "mg k v {}\r\n", INVALID)
    yield from kept("M06", "no byte of a flag", ("\x80", "\xff"), "mg k v {}\r\n", DUPLICATE)
    yield from kept("M07", "a flag twice", ("v v", "T1 T-1", "k k", "Oa Ob", "q q", "N0 N0"), "mg k {}\r\n", DUPLICATE)
    yield from kept("M07", "a flag twice, its value swallowed", ("T1 T-1", "MS MA", "q q", "c c"), "ms k 11 {}\r\nflush_all\r\n\r\n",
                    DUPLICATE)
    for verb in ("md", "ma"):
        yield from kept("M08", f"flags of {verb}", ("Q", "q q", "Cx", "C-1", f"C{2**64}", "Tx", "Ex", "E0", f"E{2**64 - 1}", "\xff"),
                        f"{verb} k {{}}\r\n", BAD_FLAGS)
    yield from kept("M09", "a token of mg that is none", ("T", "Tx", "T1.5", f"T{2**63}", "N", "Nx", "R", "R+1", "Cx", "E0"),
                    "mg k v {}\r\n", BAD_TOKEN)
    yield from kept("M09", "a token of ms that is none, its value swallowed (B43, B46)",
                    ("T", "Tx", "T1e9", f"T{2**63}", "C", "C-1", f"C{2**64}", "E0", "Ex"), "ms k 11 {}\r\nflush_all\r\n\r\n", BAD_TOKEN)
    yield from kept("M10", "client flags (B35, B36)", ("F", "Fx", "F-1", "F1.5", "F4294967296", f"F{2**64}"),
                    "ms k 11 {}\r\nflush_all\r\n\r\n", BAD_FORMAT)
    for verb, reply in (("mg", f"HD {OPAQUE}\r\n"), ("ms", f"NS {OPAQUE}\r\n"), ("md", f"EX {OPAQUE}\r\n"), ("ma", f"EX {OPAQUE}\r\n")):
        line, block = {"mg": ("mg k", ""), "ms": ("ms k 11 ME", "flush_all\r\n\r\n")}.get(verb, (f"{verb} k C1", ""))
        yield Row("M11", f"the longest opaque of {verb}", f"{line} {OPAQUE}\r\n{block}", reply, before=OLD, after=KEPT)
        yield Row("M11", f"a longer opaque of {verb}", f"{line} {OPAQUE}o q\r\n{block}mn\r\n", f"{BAD_OPAQUE}MN\r\n", before=OLD,
                  after=KEPT)
    yield Row("M11", "an opaque of a line's length", f"mg k O{'o' * (LINE_MAX - 6)}\r\nmg k O{'o' * (LINE_MAX - 5)}\r\n",
              BAD_OPAQUE + TOO_LONG, closes=True, before=OLD, after=KEPT)
    yield from kept("M12", "no mode of ms, its value swallowed", ("MX", "MI", "M+", "M-"), "ms k 11 {}\r\nflush_all\r\n\r\n",
                    "CLIENT_ERROR invalid mode for ms M token\r\n")
    yield from kept("M12", "no letter of a mode", ("M", "Mset", "MSS"), "ms k 11 {}\r\nflush_all\r\n\r\n", BAD_MODE)
    yield from kept("M12", "no mode of ma", ("MX", "MS", "ME"), "ma k {}\r\n", "CLIENT_ERROR invalid mode for ma M token\r\n")
    yield Row("M13", "every flag, and more words than memcached takes", "mg k " + " ".join("bcfhklqstuvxIL") + " P C1 D1 F1 J1 MS N0 O1 "
              "R0 T0 E1\r\n", BAD_KEY, before=OLD, after=KEPT)
    yield Row("M13", "a thousand words", "mg k" + " P" * 1000 + "\r\n", DUPLICATE, before=OLD, after=KEPT)
    yield Row("M13", "many spaces (B12)", f"mg   k{' ' * 3000}v   \r\n", "VA 3\r\nold\r\n", before=OLD, after=KEPT)
    yield Row("M14", "noreply is none here (B51)", "mg k noreply\r\nmd k noreply\r\nma k noreply\r\n", INVALID + BAD_FLAGS * 2,
              before=OLD, after=KEPT)


def meta_blocks():
    for text in ("", "-1", "abc", "S3", "1.5", "+5", "5x", "0x5", "-0", "q", "T0"):
        yield Row("M15", f"a byte count of {text!r} (B21, B27)", f"ms k {text} q\r\nmd k\r\n" if text else "ms k\r\nmd k\r\n",
                  BAD_FORMAT, closes=True, before=OLD, after=KEPT)
    yield Row("M15", "ms alone", "ms\r\nmd k\r\n", BAD_FORMAT, closes=True, before=OLD, after=KEPT)
    for number in (2**31 - 1, 2**31, 2**32, 2**63, 2**64, 10**30):
        yield Row("M16", f"a byte count of {number} (B22)", f"ms k {number}\r\nmd k\r\n", TOO_LARGE, closes=True, before=OLD, after=KEPT)
    yield Row("M17", "a value above the limit (B23)", f"ms k {VALUE_MAX + 1} q\r\n{'x' * (VALUE_MAX + 1)}\r\nmn\r\n",
              f"{TOO_LARGE}MN\r\n", before=OLD, after=KEPT)
    yield Row("M17", "one far above it", f"ms k {8 * VALUE_MAX + 1}\r\n", TOO_LARGE, closes=True, before=OLD, after=KEPT)
    yield from several("M18", "a block that ends otherwise (B24 to B26)", ("abcd\r\n", "ab\r\nmd k\r\n", "abc\n\n", "abc\r\r", "abc\rx"),
                       "ms k 3 q\r\n{}", BAD_DATA, closes=True, before=OLD, after=KEPT)
    yield Row("M18", "a large one", f"ms k 20000 q\r\n{'x' * 20000}md k\r\n", BAD_DATA, closes=True, before=OLD, after=KEPT)
    yield Row("M19", "an empty value, zeros in front, commands in it (B28 to B30)", "ms k 0\r\n\r\nmg k v\r\nms k 0011\r\nflush_all\r\n\r\n",
              "HD\r\nVA 0\r\n\r\nHD\r\n", after=value("flush_all\r\n"))
    yield Row("M19", "LF alone (B15)", "mg k\nms k 1\nx\r\nmn\n", "EN\r\nHD\r\nMN\r\n", after=value("x"))
    for text in ("-1", str(-2**63), "1000000000"):
        yield Row("M20", f"a time that has passed (B37, B40): {text}", f"ms k 1 T{text}\r\nx\r\nmg k\r\n", "HD\r\nEN\r\n", before=OLD)


def meta_counting():
    for text in ("", "abc", "-1", "1.5", "18446744073709551616"):
        yield Row("M21", f"a count of {text!r} (B54)", "ma k\r\nma k MD q v\r\n", NOT_A_NUMBER * 2,
                  before=((f"set k 0 0 {len(text)}\r\n{text}\r\n", "STORED\r\n"),), after=value(text))
    yield from kept("M22", "no delta (B57)", ("D", "D-1", "Dx", "D1.0", "D+1", f"D{2**64}"), "ma k {}\r\n", BAD_FLAGS)
    yield from several("M22", "no first number, of what is not there", ("J", "J-1", "Jx", f"J{2**64}"), "ma k N0 {}\r\n", BAD_FLAGS)
    yield Row("M23", "beyond 64 bits, and below 0 (B55, B56)", "ma k v\r\nma k MD v\r\n", "VA 1\r\n0\r\nVA 1\r\n0\r\n",
              before=((f"set k 0 0 20\r\n{2**64 - 1}\r\n", "STORED\r\n"),), after=value("0"))
    full = "x" * VALUE_MAX
    for mode in "AP":
        yield Row("M24", f"M{mode} past the limit (B59)", f"ms k 1 M{mode} k\r\ny\r\n", "NS kk\r\n",
                  before=((f"set k 0 0 {VALUE_MAX}\r\n{full}\r\n", "STORED\r\n"),), after=value(full))


def meta_places():
    yield from several("M25", "upper case (B14)", ("MG k", "Mg k", "MN", "mG k"), "{}\r\n", ERROR)
    yield from several("M25", "no such command, first (B13)", ("mx k", "mgk", "m"), "{}\r\nmn\r\n", ERROR, closes=True, before=(),
                       behind=(f"{ERROR}MN\r\n", False))
    yield Row("M26", "a first line with a bad flag is a command, and closes nothing", "mg k Q\r\nmn\r\n", f"{INVALID}MN\r\n", before=())
    yield Row("M27", "bad flags for ever (B76)", "mg k Q\r\n" * 100, INVALID * 8, closes=True)
    yield Row("M27", "misses and refused conditions are no errors", "mg k\r\nmd k\r\nma k\r\nme k\r\n" * 5, "EN\r\nNF\r\nNF\r\nEN\r\n" * 5)
    yield Row("M28", "a line without an end (B16)", "mg k" + " " * LINE_MAX, TOO_LONG, closes=True, before=OLD, after=KEPT)
    yield Row("M28", "a long line of ms", "ms k 1" + " " * LINE_MAX + "\r\nx\r\n", TOO_LONG, closes=True, before=OLD, after=KEPT)


META_ROWS = [*meta_keys(), *meta_flags(), *meta_blocks(), *meta_counting(), *meta_places()]
