"""A file system whose sync fails once, and then succeeds with the data gone: ext4 on a disk that is too small for it.

The daemon must end at the failure. Then the power is cut, and what was acknowledged must be there.
"""

import os
import re
import unittest

from crash_case import EXIT_IO, LONG_S, WAIT_S, CrashCase, Strace, needs_strace
from sessiond_process import ConversationError
from small_disk import LossyDisk, needs_loop

MIB = 1 << 20
N_WRITES = 40
VALUE = b"v" * 3000


@needs_loop
class RigTest(unittest.TestCase):
    def test_a_sync_fails_and_the_next_one_succeeds(self):
        """What the tests below rely on."""
        with LossyDisk() as disk:
            with open(os.path.join(disk.path, "file"), "wb", buffering=0) as file:
                failures = 0
                for _ in range(N_WRITES):
                    file.write(os.urandom(MIB))
                    try:
                        os.fdatasync(file)
                    except OSError:
                        failures += 1
                        os.fdatasync(file)
                        break
            self.assertEqual(failures, 1)


@needs_loop
@needs_strace
class LostSyncTest(CrashCase):
    def test_nothing_is_acknowledged_after_it(self):
        for mode in ("always", "everysec"):
            with self.subTest(mode):
                self.lose(mode, self.enterContext(LossyDisk()))

    def lose(self, mode, disk):
        """Stores and logouts until the disk below is full: in a file that is in use, or in one that is being made."""
        daemon = self.start("--fsync", mode, "--data-dir", disk.data_dir,
                            env={"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"})
        self.stored, self.gone = [], []
        with Strace(daemon, None, "fdatasync,fsync") as strace:
            daemon.expect_exit()
            with self.connect(daemon) as conversation:
                self.change_until_closed(conversation)
            self.assertEqual(daemon.wait(WAIT_S), EXIT_IO, daemon.stderr_text())
            strace.wait()
            lines = strace.lines()
        # When it cannot write its own notes either, the file system may refuse writes before a sync fails.
        self.assertRegex(daemon.stderr_text(),
                         r"error cannot (sync|write|rename|open|reserve space for) " + re.escape(disk.data_dir))
        self.assert_not_synced_again(lines, "error cannot sync" in daemon.stderr_text())
        disk.cut_power()
        daemon.start()
        with daemon.connect(timeout_s=WAIT_S) as conversation:
            self.assertEqual([key for key in self.gone if conversation.get(key) is not None], [])
            if mode == "always":
                self.assertEqual([key for key in self.stored if conversation.get(key) != VALUE], [])
        self.stop(daemon)
        disk.close()

    def change_until_closed(self, conversation):
        try:
            for number in range(200_000):
                self.change(conversation, number)
        except (ConversationError, OSError) as error:
            self.assertNotIn("SERVER_ERROR", str(error))
            return
        self.fail("the disk is never full")

    def change(self, conversation, number):
        """A store; now and then the end of an earlier one, of which nobody knows before it is answered."""
        self.assertEqual(conversation.set(f"k{number}", VALUE, LONG_S), "STORED")
        self.stored.append(f"k{number}")
        if number % 10 == 9:
            key = self.stored.pop(-5)
            self.assertEqual(conversation.ask(f"delete {key}"), "DELETED")
            self.gone.append(key)

    def assert_not_synced_again(self, lines, has_failed):
        failed = None
        for line in lines:
            called = re.search(r"(?:fdatasync|fsync)\(\d+<([^>]+)>", line)
            if failed is not None and called:
                self.assertNotEqual(called[1], failed, "synced again")
            if failed is None and re.search(r"= -1 E\w+", line) and "sync" in line:
                thread = line.split()[0]
                begun = [other for other in lines if other.startswith(thread + " ") and re.search(r"sync\(\d+<", other)]
                failed = re.search(r"<([^>]+)>", begun[-1])[1]
        self.assertTrue(failed is not None or not has_failed, "no sync failed")


if __name__ == "__main__":
    unittest.main()
