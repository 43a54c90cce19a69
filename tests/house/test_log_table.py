"""docs/OPERATIONS.md has a row for each line of level warning and error that src/ can log, and no row for another.

In the page's first column `…` stands for each part that varies; here that is what printf fills in.
"""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "OPERATIONS.md"

STRING = r'"(?:[^"\\]|\\.)*"'
CALL = re.compile(r"\blog_(?:write|limited)\(")
FORMAT = re.compile(rf"{STRING}(?:\s*(?:{STRING}|PRI[a-zA-Z]+\d+))*")
VARIES = re.compile(r"%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|h|ll|l|z|j)?[a-zA-Z]")
ROW = re.compile(r"^\| `([^|]+)` \| (error|warning|error or warning|as the next) \|", re.MULTILINE)
ENDS = re.compile(r"^\| (`[^|]+) \| \d\d \|", re.MULTILINE)


def arguments_of(source, start):
    """The text between the parentheses of a call; `start` is behind the first one."""
    depth = 1
    for piece in re.compile(rf"{STRING}|[()]").finditer(source, start):
        depth += {"(": 1, ")": -1}.get(piece[0], 0)
        if depth == 0:
            return source[start:piece.start()]
    raise ValueError("a call without an end")


def literal(text):
    """What a run of string literals and PRI macros is, with `…` for what varies."""
    pieces = re.findall(rf"{STRING}|PRI[a-zA-Z]+\d+", text)
    joined = "".join(piece[1:-1] if piece.startswith('"') else "d" for piece in pieces)
    return re.sub("…+", "…", VARIES.sub("…", joined).replace("%%", "%").replace('\\"', '"'))


def logged(source):
    """The lines of level warning and error, or of a level that the source does not tell."""
    for call in CALL.finditer(source):
        arguments = arguments_of(source, call.end())
        levels = set(re.findall(r"LOG_LEVEL_(\w+)", arguments))
        text = FORMAT.search(arguments)
        if text and (levels & {"WARNING", "ERROR"} or not levels):
            yield literal(text[0])


def sources():
    return {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.[ch]"))}


class LogTableTest(unittest.TestCase):
    def test_each_line_has_a_row_and_each_row_a_line(self):
        lines = {line for source in sources().values() for line in logged(source)}
        rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
        self.assertGreater(len(lines), 30)
        self.assertEqual(sorted(lines - {row for row, _level in rows}), [], "logged, and without a row in docs/OPERATIONS.md")
        self.assertEqual(sorted({row for row, _level in rows} - lines), [], "rows of docs/OPERATIONS.md that nothing logs")
        self.assertEqual(len(rows), len({row for row, _level in rows}), "a row twice")

    def test_what_a_daemon_says_at_its_end_is_said_in_the_sources(self):
        said = "\n".join(literal(text) for source in sources().values() for text in FORMAT.findall(source))
        cells = ENDS.findall(PAGE.read_text(encoding="utf-8"))
        self.assertGreaterEqual(len(cells), 5)
        for cell in cells:
            for words in re.findall("`([^`]+)`", cell):
                for part in filter(None, (part.strip() for part in words.split("…"))):
                    self.assertIn(part, said)

    def test_what_is_logged_is_found(self):
        for call, line in {
            'log_write(LOG_LEVEL_WARNING, "a %s, %d%%", f(a), 1);': ["a …, …%"],
            'log_limited(&limit, 1, LOG_LEVEL_ERROR, "a %" PRIu64 " of %08" PRIx32 " (%zu"\n  " b)", n);': ["a … of … (… b)"],
            'log_write(is ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG, "%s: %s%s", a, b, c);': ["…: …"],
            'log_write(LOG_LEVEL_ERROR, "%.*s, %-5d.", n, a, b);': ["…, …."],
            'log_write(level, "told (%llu", n);': ["told (…"],
            'log_write(LOG_LEVEL_INFO, "a");': [],
            "void log_write(enum log_level level, const char *format, ...)": [],
        }.items():
            self.assertEqual(list(logged(call)), line, call)


if __name__ == "__main__":
    unittest.main()
