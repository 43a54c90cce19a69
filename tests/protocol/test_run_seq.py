"""The runner of conversations must notice what is wrong: each case here has to fail, or to hold, as said.

Runs against memcached, so it needs no daemon of ours. Not a test of any daemon.
"""

import contextlib
import io
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import run_seq  # noqa: E402

HOLDS = {
    "a plain conversation": "== t\n> set a 5 0 1\n> x\n< STORED\n> get a\n< VALUE a 5 1\n< x\n< END\n",
    "raw bytes and repetition": "== t\n>| set a 0 0 {1*3}\\r\\n{\\x41*111}\\r\\n\n<| STORED\\r\\n\n",
    "counting and nesting": "== t\n>| {get a# {b*3}#\\r\\n*3}\n<| {END\\r\\n*3}\n",
    "close": "== t\n> quit\n<closed\n",
    "silence": "== t\n> set a 0 0 1 noreply\n> x\n<silent\n<open\n",
    "two connections": "== t\n> set a 0 0 1\n> x\n< STORED\n>2 get a\n<2 VALUE a 0 1\n<2 x\n<2 END\n",
    "counter": "== t\n> get nothing\n< END\n+ get_misses 1\n",
    "variable": "== t\n> set a 0 0 1\n> x\n< STORED\n> gets a\n<re VALUE a 0 1 (?P<id>\\d+)\n< x\n< END\n"
    "> gets a\n< VALUE a 0 1 {$id}\n< x\n< END\n",
    "half-close": "== t\n> version\n>fin\n< VERSION 1.6.18\n<closed\n",
    "a difference that is one": "== t\n! differs: it has no such command\n> frobnicate\n< OK\n",
    "a line without an end closes": "== t\n>| {x*9000}\n<closed\n",
}
FAILS = {
    "wrong reply": "== t\n> version\n< VERSION 0\n",
    "reply too short": "== t\n> version\n<| VERSION 1.6.1\n",
    "value differs in its last byte": "== t\n> set a 0 0 2\n> xy\n< STORED\n> get a\n< VALUE a 0 2\n< xx\n< END\n",
    "a reply nobody asked for at the end": "== t\n> bogus\n",
    "a reply nobody asked for on another connection": "== t\n>2 bogus\n> version\n< VERSION 1.6.18\n",
    "a second reply hidden by the closing version": "== t\n> version\n> version\n< VERSION 1.6.18\n",
    "not silent": "== t\n> get a\n<silent\n<open\n",
    "not closed but talking": "== t\n> version\n<closed\n",
    "closed instead of open": "== t\n> quit\n<open\n",
    "something before the close": "== t\n> version\n> quit\n<closed\n",
    "counter": "== t\n> get nothing\n< END\n+ get_misses 2\n",
    "counter that does not come in time": "== t\n> get nothing\n< END\n+ get_misses 2 within 50ms\n",
    "unknown counter": "== t\n> get nothing\n< END\n+ no_such_row 1\n",
    "pattern": "== t\n> version\n<re VERSION [2-9]\\..*\n",
    "pattern that matches the start only": "== t\n> version\n<re VERSION\n",
    "a difference that is none": "== t\n! differs: it does not\n> version\n< VERSION 1.6.18\n",
}
BAD_FORM = {
    "nothing in it": "# only a comment\n",
    "step before a block": "> version\n",
    "unknown step": "== t\n? version\n",
    "expectation that cannot be sent": "== t\n>closed\n",
    "duration": "== t\n@ soon\n",
    "delta": "== t\n+ get_hits many\n",
    "unknown daemon": "% redis -p 1\n== t\n",
    "text after <closed": "== t\n<closed now\n",
}


class RunSeqTest(unittest.TestCase):
    def run_text(self, text, *options):
        """(exit code, output) of run_seq over a file of that text."""
        with tempfile.TemporaryDirectory(prefix="run-seq-test-") as directory:
            path = os.path.join(directory, "case.seq")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            output = io.StringIO()
            arguments, sys.argv = sys.argv, ["run_seq", "--memcached=memcached", *options, path]
            deadline, run_seq.REPLY_DEADLINE_S = run_seq.REPLY_DEADLINE_S, 3.0
            try:
                with contextlib.redirect_stdout(output):
                    return run_seq.main(), output.getvalue()
            finally:
                sys.argv = arguments
                run_seq.REPLY_DEADLINE_S = deadline

    def test_holds(self):
        # One file of all: each block stands for itself.
        text = "".join(block.replace("== t\n", f"== {title}\n") for title, block in HOLDS.items())
        code, output = self.run_text(text, "--delivery", "whole", "--delivery", "bytes", "--delivery", "random")
        self.assertEqual(code, 0, output)
        self.assertEqual(output.count(f"{len(HOLDS)} of {len(HOLDS)} held, 0 left out"), 3, output)

    def test_fails(self):
        text = "".join(block.replace("== t\n", f"== {title}\n") for title, block in FAILS.items())
        code, output = self.run_text(text)
        self.assertEqual(code, 1)
        for title in FAILS:
            with self.subTest(title):
                self.assertIn(f": == {title} [memcached, whole]\n    expected ", output)
        self.assertIn(f"0 of {len(FAILS)} held", output)

    def test_failure_names_the_line(self):
        code, output = self.run_text("== t\n> version\n< VERSION 1.6.18\n\n> get a\n< WRONG\n")
        self.assertEqual(code, 1)
        self.assertIn("case.seq:6: == t", output)
        self.assertIn("expected b'WRONG\\r\\n'\n    got      b'END\\r\\n'", output)

    def test_clock_is_left_out(self):
        code, output = self.run_text("== t\n> version\n@ 5s\n< WRONG\n", "--left-out")
        self.assertEqual(code, 0)
        self.assertIn("0 of 0 held, 1 left out", output)
        self.assertIn("left out line 1: t: moves the clock", output)

    def test_bad_form(self):
        for title, text in BAD_FORM.items():
            with self.subTest(title), self.assertRaises(run_seq.FormatError):
                self.run_text(text)

    def test_deliveries_send_every_byte_once(self):
        for name in ("whole", "bytes", "random"):
            for length in (0, 1, 2, 2047, 2048, 2049, 6141, 6142, 100_000):
                with self.subTest(name, length=length):
                    cuts = run_seq.Delivery(name, 1).cuts(bytes(length))
                    self.assertEqual(sum(cuts), length)
                    self.assertTrue(length == 0 or all(cut > 0 for cut in cuts))
        self.assertEqual(run_seq.Delivery("bytes", 1).cuts(bytes(2000)), [1] * 2000)
        self.assertEqual(run_seq.Delivery("random", 7).cuts(bytes(999)), run_seq.Delivery("random", 7).cuts(bytes(999)))
        self.assertNotEqual(
            run_seq.Delivery("random", 7).cuts(bytes(999)), run_seq.Delivery("random", 8).cuts(bytes(999))
        )


if __name__ == "__main__":
    unittest.main()
