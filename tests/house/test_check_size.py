"""check_size.py finds what is too long, by one line, and passes what just fits."""

import unittest

from tiny_tree import TinyTree

SCRIPT = "check_size.py"


def function(lines):
    """A function of so many lines, from its name to its closing brace."""
    return "int f(void)\n{\n" + "    g();\n" * (lines - 3) + "}\n"


class Size(TinyTree):
    def setUp(self):
        super().setUp()
        self.write("src/base/slice.c", function(80))
        self.write("include/sessiond/base/slice.h", "\n" * 250)

    def test_what_just_fits_passes(self):
        self.write("src/base/number.c", "\n" * 500)
        output = self.assert_passes(SCRIPT)
        self.assertIn("longest 80 (src/base/slice.c: f)", output)
        self.assertIn("longest 500 (src/base/number.c)", output)

    def test_long_function(self):
        self.write("src/base/slice.c", function(81))
        self.assert_finds("src/base/slice.c: f: 81 lines, at most 80", SCRIPT)

    def test_long_inline_function(self):
        self.write("include/sessiond/base/slice.h", "static inline " + function(81))
        self.assert_finds("include/sessiond/base/slice.h: f: 81 lines", SCRIPT)

    def test_long_file(self):
        self.write("src/base/number.c", "\n" * 501)
        self.assert_finds("src/base/number.c: 501 lines, at most 500", SCRIPT)

    def test_long_header(self):
        self.write("include/sessiond/base/slice.h", "\n" * 251)
        self.assert_finds("include/sessiond/base/slice.h: 251 lines, at most 250", SCRIPT)

    def test_empty_tree_fails(self):
        (self.root / "src/base/slice.c").unlink()
        self.assert_finds("no functions found", SCRIPT)


if __name__ == "__main__":
    unittest.main()
