"""What docs/OPERATIONS.md says of sizes: so many sessions have room in so much memory, and take so much of the disk."""

import re
import unittest
from pathlib import Path

from pressure_case import BATCH, MIB, PressureCase

PAGE = Path(__file__).resolve().parents[2] / "docs" / "OPERATIONS.md"
VALUE_BYTES = 400
PREFIX = b":1:django.contrib.sessions.cache"
OWN_KEY_BYTES = 32
IMAGES_MAX = 20


def formula(name):
    """What the page writes behind `name =`, as Python reads it."""
    text = re.search(rf"^    {name} = (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)[1]
    return text.replace("×", "*").replace("÷", "/")


class SizingTest(PressureCase):
    def setUp(self):
        super().setUp()
        rows = re.findall(r"^\| ([\d,]+) \| (\d+)m \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
        self.rows = [(int(count.replace(",", "")), int(megabytes) * MIB) for count, megabytes in rows]
        self.count, memory = self.rows[0]
        self.daemon = self.start_small(memory=memory)
        self.sessions = self.sessions_of(self.daemon)

    def log_in(self, count):
        """New sessions with ids as Django draws them."""
        for _ in range(count // BATCH):
            keys = (PREFIX + b"%032x" % self.sessions.choice.getrandbits(128) for _ in range(BATCH))
            self.sessions.store({key: self.sessions.values.make(VALUE_BYTES) for key in keys})

    def churn(self):
        """Every session is stored again, larger or smaller."""
        keys = list(self.sessions.live)
        for at in range(0, len(keys), BATCH):
            self.sessions.store({key: self.sessions.values.between(200, 600) for key in keys[at : at + BATCH]})

    def test_as_many_sessions_as_the_page_says_have_room_and_go_on_having_it(self):
        self.log_in(self.count)
        for _ in range(2):
            self.churn()
            self.sessions.delete(self.sessions.some(self.count // 10))
            self.log_in(self.count // 10)
        self.assertEqual((self.sessions.refused, len(self.sessions.live)), (0, self.count))
        self.assertLess(int(self.daemon.stats()["bytes"]), int(self.daemon.stats()["limit_maxbytes"]))

    def test_an_image_is_as_large_as_the_page_says(self):
        self.log_in(self.count // 10)

        def image():
            journal = self.daemon.stats("journal")
            return int(journal["checkpoint_entries"]) == len(self.sessions.live) and int(journal["checkpoint_bytes"])

        for _ in range(IMAGES_MAX):
            self.churn()  # more of it makes the next image due
            if image():
                break
        self.wait_until(image, "there is an image of all sessions")
        size = eval(formula("image"), {"N": len(self.sessions.live), "V": VALUE_BYTES, "key": len(PREFIX) + OWN_KEY_BYTES})
        self.assertLess(abs(image() / size - 1), 0.03)

    def test_the_table_is_what_the_formula_gives(self):
        for count, memory in self.rows:
            wanted = eval(formula("memory"), {"N": count, "V": VALUE_BYTES, "K": OWN_KEY_BYTES})
            self.assertLess(wanted, memory)
            self.assertGreater(wanted, memory * 0.9)


if __name__ == "__main__":
    unittest.main()
