"""What meta commands leave beside a value is there again after a crash: stale, CAS ids that clients chose."""

import unittest

from crash_case import CrashCase

LARGE = "x" * 40_000  # kept by reference
HOUR_S = 3600
LIFE_S = 100_000


class MarksTest(CrashCase):
    def ask(self, talk, line, wanted):
        talk.send_line(line)
        self.assertRegex(talk.read_line(), wanted)

    def put(self, talk):
        self.ask(talk, "ms low 1 E7\r\na", "^HD$")
        for key, value in (("stale", "b"), ("large", LARGE)):
            self.ask(talk, f"ms {key} {len(value)} T10\r\n{value}", "^HD$")
            self.ask(talk, f"md {key} I T{LIFE_S}", "^HD$")
        self.ask(talk, "ms high 1 E4611686018427387904\r\nc", "^HD$")
        self.ask(talk, f"mg stub N{LIFE_S}", "^HD W$")
        self.ask(talk, "ms again 1\r\nd", "^HD$")
        self.ask(talk, "md again I", "^HD$")
        self.ask(talk, "ms again 1\r\nd", "^HD$")
        self.ask(talk, "ms gone 1\r\nd", "^HD$")
        self.ask(talk, "md gone", "^HD$")

    def look(self, talk):
        self.ask(talk, "mg low c", "^HD c7$")
        self.ask(talk, "mg stale t", r"^HD t\d{5,6} X W$")
        self.ask(talk, "mg stale", "^HD Z X$")
        self.ask(talk, "mg large s", "^HD s40000 X W$")
        self.ask(talk, "mg high c", "^HD c4611686018427387904$")
        self.ask(talk, f"mg stub N{LIFE_S}", "^HD Z$")
        self.ask(talk, "mg again", "^HD$")
        self.ask(talk, "mg gone", "^EN$")
        # Ids go on where they stood, far below a client's.
        self.ask(talk, "ms next 1 c\r\ne", r"^HD c\d{8,10}$")

    def start_and_put(self):
        daemon = self.start()
        with daemon.connect() as talk:
            self.put(talk)
        return daemon

    def test_after_a_crash(self):
        """Twice: the second start reads what the first has copied."""
        daemon = self.start_and_put()
        for _ in range(2):
            self.restart(daemon)
            with daemon.connect() as talk:
                self.look(talk)

    def test_after_a_checkpoint(self):
        daemon = self.start_and_put()
        daemon.clock.move(HOUR_S)
        daemon.wait_for_stat("checkpoints", lambda count: count >= 1, timeout_s=60, section="journal")
        self.restart(daemon)
        with daemon.connect() as talk:
            self.look(talk)


if __name__ == "__main__":
    unittest.main()
