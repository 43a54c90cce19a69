"""check_manual.py hears what either formatter says of a page."""

import unittest

from tiny_tree import TinyTree

SCRIPT = "check_manual.py"
PAGE = '.TH PAGE 8 "2026-12-01" "here" "Manual"\n.SH NAME\npage \\- a page\n'


class Manual(TinyTree):
    def write_page(self, text):
        self.write("docs/man/page.8", text)

    def test_good_page(self):
        self.write_page(PAGE)
        self.assert_passes(SCRIPT)

    def test_what_groff_finds(self):
        self.write_page(PAGE + "\\[nosuchcharacter]\n")
        self.assert_finds("troff: ", SCRIPT)

    def test_what_mandoc_finds(self):
        self.write_page(PAGE + ".RS\n.RE\n")
        self.assert_finds("empty block", SCRIPT)

    def test_no_page(self):
        self.assert_finds("no page", SCRIPT)


if __name__ == "__main__":
    unittest.main()
