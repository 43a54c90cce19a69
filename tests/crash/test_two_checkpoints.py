"""Two checkpoints, as a kill right behind the naming of the newer one leaves them: each damaged in turn."""

import unittest

from two_checkpoints import TwoCheckpointsCase


class TwoCheckpointsTest(TwoCheckpointsCase):
    def damage(self, name):
        """In its END, behind all entries."""
        self.flip(name, len(self.files[name]) - 20)

    def test_both_whole(self):
        older, _ = self.names("checkpoint")
        self.assert_works([older, self.names("journal")[0]])

    def test_the_older_one_damaged(self):
        older, _ = self.names("checkpoint")
        self.damage(older)
        self.assert_works([older])

    def test_the_newer_one_damaged(self):
        """The older one is used, and the journal from its begin."""
        _, newer = self.names("checkpoint")
        for at in (8, 4096, 4096 + 60, len(self.files[newer]) - 20):
            with self.subTest(at):
                self.setUp()
                self.flip(newer, at)
                self.assert_works([newer])

    def test_the_newer_one_damaged_and_a_gap_behind_the_older_one(self):
        """Each journal file from there on, missing or damaged."""
        _, newer = self.names("checkpoint")
        journals = [name for name in self.names("journal") if any(self.files[name][4096:])]
        self.assertGreaterEqual(len(journals), 2)
        for name in journals:
            for break_file in (self.remove, lambda name: self.flip(name, 4096 + 60)):
                with self.subTest(name):
                    self.setUp()
                    self.damage(newer)
                    break_file(name)
                    self.assert_damaged("journal-")

    def test_both_damaged(self):
        older, newer = self.names("checkpoint")
        self.damage(older)
        self.damage(newer)
        self.assert_damaged("checkpoint-")


if __name__ == "__main__":
    unittest.main()
