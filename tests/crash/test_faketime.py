"""The clock's rules with the system's own clocks, as libfaketime lets the daemon see them; a release build does as well."""

import re
import tempfile
import time
import unittest
from pathlib import Path

from clock_case import DAY_S, HOUR_S, ClockCase
from crash_case import is_sanitized, needs

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


class FaketimeTest(ClockCase):
    @needs(FAKETIME, "libfaketime")
    def test_with_faketime(self):
        if is_sanitized():
            return  # its runtime wants to be the first library, and so does faketime's
        with tempfile.NamedTemporaryFile("w", prefix="sessiond-faketime-") as file:
            def wall_is(offset):
                file.seek(0)
                file.truncate()
                file.write(offset + "\n")
                file.flush()

            wall_is("+0")
            # Without the second of these CLOCK_BOOTTIME would be the wall clock.
            daemon = self.start(env={"LD_PRELOAD": str(FAKETIME), "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                                     "FAKETIME_TIMESTAMP_FILE": file.name, "FAKETIME_NO_CACHE": "1"})
            conversation = self.connect(daemon)
            self.assertLess(abs(int(daemon.stats()["time"]) - time.time()), 100)
            self.assertEqual(conversation.set("hour", b"hour", HOUR_S), "STORED")
            self.assertEqual(conversation.set("day", b"day", DAY_S), "STORED")
            wall_is("+2h")
            self.assert_gone(conversation, "hour")
            daemon.wait_for_stderr("stepped ahead by 7[12][0-9]{2} s: followed")
            wall_is("-3h")
            self.assert_gone(conversation, "hour")
            daemon.wait_for_stderr("stepped back by 1[78][0-9]{3} s: ignored")
            conversation = self.start_again(daemon, "stop")
            daemon.wait_for_stderr("but sessions were kept until")
            self.assert_gone(conversation, "hour")
            self.assert_there(conversation, "day")
            daemon.kill()
            wall_is("+3d")
            conversation = self.start_again(daemon)
            daemon.wait_for_stderr("sessions were last kept at")
            self.assert_gone(conversation, "day")
            wall_is("+2h")
            daemon.wait_for_stat("clock_in_grace", 0, section="journal")
            self.assert_there(conversation, "day")
            daemon.kill()
            self.assertTrue(re.search("put right", daemon.stderr_text()))


if __name__ == "__main__":
    unittest.main()
