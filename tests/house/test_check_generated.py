"""check_generated.py finds a stale text, --write mends it, and nothing else changes."""

import unittest

from tiny_tree import TinyTree

SCRIPT = "check_generated.py"


class Generated(TinyTree):
    def setUp(self):
        super().setUp()
        for name, body in (("sessiond", 'echo "listen = here"'), ("sessionctl", 'echo "complete"'),
                           ("tests/house/print_tables", '[ "$1" = known ] && echo "| $1 |"')):
            self.write(f"build/{name}", f"#!/bin/sh\n{body}\n").chmod(0o755)
        self.arguments = ("--build", self.root / "build")
        self.write("sessiond.conf.example", "listen = here\n")
        self.write("packaging/sessiond.conf", "listen = here\n")
        self.write("packaging/completion/sessionctl", "complete\n")
        self.page = self.write("docs/PAGE.md", self.page_text("known", "| known |\n"))

    @staticmethod
    def page_text(name, block):
        return f"# Page\n<!-- generated: {name} -->\n{block}<!-- end generated -->\nby hand\n"

    def test_fresh_texts_pass(self):
        self.assert_passes(SCRIPT, *self.arguments)

    def test_stale_example(self):
        self.write("sessiond.conf.example", "listen = there\n")
        self.assert_finds("-listen = there", SCRIPT, *self.arguments)

    def test_missing_example(self):
        (self.root / "sessiond.conf.example").unlink()
        self.assert_finds("+listen = here", SCRIPT, *self.arguments)

    def test_stale_block(self):
        for place in ("docs/deeper/PAGE.md", "README.md"):
            path = self.write(place, self.page_text("known", "| old |\n"))
            self.assert_finds("-| old |", SCRIPT, *self.arguments)
            path.unlink()

    def test_stale_manual(self):
        page = ('.\\" generated: known\n', "| known |\n", '.\\" end generated\n')
        self.write("docs/man/page.8", "".join(page))
        self.assert_passes(SCRIPT, *self.arguments)
        self.write("docs/man/page.8", "".join((page[0], "| old |\n", page[2])))
        self.assert_finds("-| old |", SCRIPT, *self.arguments)
        self.write("docs/man/page.8", "".join(page[:2]))
        self.assert_finds("not closed", SCRIPT, *self.arguments)

    def test_stale_in_a_package(self):
        for place in ("packaging/sessiond.conf", "packaging/completion/sessionctl"):
            path = self.root / place
            fresh = path.read_text()
            path.write_text("old\n")
            self.assert_finds("-old", SCRIPT, *self.arguments)
            path.write_text(fresh)

    def test_trailing_space_counts(self):
        self.write("docs/PAGE.md", self.page_text("known", "| known | \n"))
        self.assert_finds("-| known | ", SCRIPT, *self.arguments)

    def test_unknown_name(self):
        self.write("docs/PAGE.md", self.page_text("unknown", ""))
        self.assert_finds("unknown: exit 1", SCRIPT, *self.arguments)

    def test_open_block(self):
        self.write("docs/PAGE.md", "<!-- generated: known -->\n| known |\n")
        self.assert_finds("not closed", SCRIPT, *self.arguments)

    def test_write(self):
        self.write("docs/PAGE.md", self.page_text("known", "| old |\n"))
        self.write("sessiond.conf.example", "")
        self.assert_passes(SCRIPT, *self.arguments, "--write")
        self.assertEqual(self.page.read_text(), self.page_text("known", "| known |\n"))
        self.assert_passes(SCRIPT, *self.arguments)


if __name__ == "__main__":
    unittest.main()
