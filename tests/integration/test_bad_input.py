"""Every row of the catalogue of bad input (bad_input.py, bad_meta_input.py): delivered whole, byte by byte, in random pieces, and between
two good requests; while another client is served in order; and again and again, without memory growing."""

import os
import re
import sys
import unittest

import bad_input
import bad_meta_input
from integration_case import IntegrationCase, is_sanitized

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "protocol"))

import run_seq  # noqa: E402

ROW_NAMES = {f"B{number:02}" for number in range(1, 79)}
META_ROW_NAMES = {f"M{number:02}" for number in range(1, 29)}
SEED = 6
REPEATS = 6
GROWTH_MAX = 1 << 20  # bytes
FAILURES_MAX = 3  # each may take a deadline
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
GOOD = ("get good:none\r\n", "END\r\n")


def encode(text):
    return text.encode("latin-1")


class CatalogueTest(unittest.TestCase):
    def test_every_row_has_its_place(self):
        in_rows = {row.name for row in bad_input.ROWS}
        places = (in_rows, set(bad_input.ELSEWHERE), set(bad_input.LATER))
        self.assertEqual(set.union(*places), ROW_NAMES)
        self.assertEqual(sum(map(len, places)), len(ROW_NAMES), "a row has two places")

    def test_rows_of_meta_commands(self):
        """None is lost, and none says of a refused request that it may have changed something."""
        self.assertEqual({row.name for row in bad_meta_input.META_ROWS}, META_ROW_NAMES)
        for row in bad_meta_input.META_ROWS:
            if row.before == bad_input.OLD and row.reply.startswith("CLIENT_ERROR"):
                self.assertEqual(row.after, bad_input.KEPT, row.what)

    def test_what_is_elsewhere_is_there(self):
        for name, place in bad_input.ELSEWHERE.items():
            with self.subTest(name):
                path, test = place.split(" ")
                with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                    self.assertTrue(re.search(rf"(def |START_TEST\(){re.escape(test)}\b", file.read()), place)


class BadInputTest(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.daemon = self.start("--max-value", str(bad_input.VALUE_MAX), "--threads", "1", "--data-dir", "none")
        self.good = self.connect(self.daemon)
        self.n_good = 0
        self.n_failures = 0

    def ask_good(self):
        """Another client has its own answers, in their order."""
        self.n_good += 1
        self.good.send(f"set good 0 0 8\r\n{self.n_good:08}\r\nget good\r\ntouch good 60\r\ndelete good\r\n")
        wanted = f"STORED\r\nVALUE good 0 8\r\n{self.n_good:08}\r\nEND\r\nTOUCHED\r\nDELETED\r\n".encode()
        self.assertEqual(self.good.read_exactly(len(wanted)), wanted)

    def ask(self, sent, wanted):
        self.good.send(sent)
        self.assertEqual(self.good.read_exactly(len(wanted)), encode(wanted))

    def deliver(self, row, delivery, sent, reply, closes):
        """`row.before`, then `sent` in pieces; the replies, and whether the connection is open, must be these."""
        channel = run_seq.Channel(self.daemon.address, run_seq.Delivery(delivery, SEED), run_seq.REPLY_DEADLINE_S)
        try:
            for good_sent, good_reply in row.before:
                channel.queue(encode(good_sent))
                channel.expect_bytes(encode(good_reply))
            channel.queue(encode(sent))
            channel.flush()
            self.ask_good()
            channel.expect_bytes(encode(reply))
            if closes:
                channel.expect_closed()
            else:
                channel.expect_end()
        finally:
            channel.close()

    def check_session(self, row):
        self.ask_good()
        if row.after is not None:
            self.ask("get k\r\n", row.after + "END\r\n")
        self.good.send_line("delete k")
        self.good.read_line()

    def run_row(self, row, delivery):
        if delivery != "between":
            self.deliver(row, delivery, row.sent, row.reply, row.closes)
            self.check_session(row)
        elif row.before or row.behind is not None:
            reply, closes = row.behind or (row.reply, row.closes)
            self.deliver(row, "whole", GOOD[0] + row.sent + GOOD[0], GOOD[1] + reply + ("" if closes else GOOD[1]), closes)
            self.check_session(row if row.behind is None else row._replace(after=None))

    def run_all(self, delivery):
        for row in bad_input.ROWS + bad_meta_input.META_ROWS:
            if self.n_failures == FAILURES_MAX:
                return
            with self.subTest(row.name, what=row.what, delivery=delivery):
                try:
                    self.run_row(row, delivery)
                except (run_seq.StepFailure, AssertionError) as failure:
                    self.n_failures += 1
                    self.good = self.connect(self.daemon)  # what follows is judged by itself
                    self.good.ask("delete k")
                    self.fail(str(failure))

    def test_rows(self):
        for delivery in ("whole", "bytes", "random", "between"):
            self.run_all(delivery)
        self.assertGreater(self.n_good, 4 * (len(bad_input.ROWS) + len(bad_meta_input.META_ROWS)))

    def test_memory_does_not_grow(self):
        """What the rows take is given back, or used again."""
        self.run_all("whole")
        before = self.daemon.resident_bytes()
        for _ in range(1 if is_sanitized() else REPEATS):
            self.run_all("whole")
        if not is_sanitized():
            grown = self.daemon.resident_bytes() - before
            self.assertLess(grown, GROWTH_MAX)
        self.daemon.wait_for_stat("curr_connections", lambda count: count <= 2)


if __name__ == "__main__":
    unittest.main()
