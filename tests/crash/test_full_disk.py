"""A disk that is full, and has room again later: who is refused, who is not, and that nothing is lost.

Real ones: a small tmpfs, and the limit of a file's size.
"""

import os
import resource
import signal
import unittest

from crash_case import EXIT_IO, LONG_S, WAIT_S, CrashCase, has_test_hooks, needs
from sessiond_process import run_sessiond
from small_disk import SmallDisk, needs_mount

MIB = 1 << 20
REFUSED = "SERVER_ERROR changes are refused, see the log of sessiond"
VALUE = b"v" * 2000
LEAST_LOGOUTS = 8  # whatever the size of a file, when each is synced by itself
NO_LIMIT = resource.RLIM_INFINITY
OLD_S = 31 * 60  # deleted values leave the disk with a checkpoint that is begun then
RETRY_S = 31     # a checkpoint that was given up is tried again then


class FullDiskCase(CrashCase):
    def setUp(self):
        self.stored = {}  # key: value, all that was acknowledged

    def fill_until_refused(self, conversation):
        """Stores until not even the shortest change is taken."""
        for name, value in (("fill", VALUE), ("short", b"x")):
            for number in range(100_000):
                key = f"{name}-{number}"
                reply = conversation.set(key, value, LONG_S)
                if reply == REFUSED:
                    break
                self.assertEqual(reply, "STORED")
                self.stored[key] = value
            else:
                self.fail("nothing is refused")
        while conversation.ask(f"touch fill-1 {LONG_S + 1000}") != REFUSED:
            pass

    def store(self, conversation, key, value=b"x"):
        self.assertEqual(conversation.set(key, value, LONG_S), "STORED")
        self.stored[key] = value

    def log_out(self, conversation, key):
        """Returns whether it was acknowledged."""
        reply = conversation.ask(f"delete {key}")
        if reply == "DELETED":
            del self.stored[key]
        else:
            self.assertEqual(reply, REFUSED)
        return reply == "DELETED"

    def assert_all_there(self, daemon, *gone):
        with daemon.connect(timeout_s=WAIT_S) as conversation:
            for key, value in self.stored.items():
                self.assertEqual(conversation.get(key), value, key)
            for key in gone:
                self.assertIsNone(conversation.get(key), key)

    def use_up(self, conversation):
        """The last part, by stores that each end earlier than the one before: many logouts take little of it."""
        life_s = 4900
        for size in (60_000, 6000, 600, 60, 1):
            value = b"s" * size
            while conversation.set("fill-3", value, life_s) == "STORED":
                self.stored["fill-3"] = value
                life_s -= 1

    def meet_full_disk(self, daemon, conversation, are_synced=True):
        """From the first refusal to the last logout that there is room for; returns who logged out."""
        self.fill_until_refused(conversation)
        self.assertEqual(conversation.set("new", "x", LONG_S), REFUSED)
        self.assertEqual(conversation.set("fill-1", "other", LONG_S + 1000), REFUSED)
        self.assertEqual(conversation.ask(f"touch fill-1 {LONG_S + 1000}"), REFUSED)
        self.assertIsNone(conversation.get("new"))
        self.assertEqual(conversation.get("fill-1"), VALUE)
        # Every way to end a session, or to let it end earlier.
        self.assertEqual(conversation.ask("touch fill-2 5000"), "TOUCHED")
        self.assertEqual(conversation.set("fill-3", "short", 5000), "STORED")
        self.stored["fill-3"] = b"short"
        self.assertEqual(conversation.ask("touch fill-4 -1"), "TOUCHED")
        del self.stored["fill-4"]
        gone = ["fill-4"]
        if not are_synced:
            self.use_up(conversation)
        for key in [key for key in self.stored if key not in ("fill-1", "fill-2", "fill-3")]:
            if not self.log_out(conversation, key):
                break
            gone.append(key)
        else:
            self.fail("the last part has no end")
        self.assertGreaterEqual(len(gone), LEAST_LOGOUTS if are_synced else 1)
        self.assertEqual(conversation.get(key), self.stored[key], "a refused logout changed something")
        self.assertEqual(conversation.ask("touch fill-2 100"), REFUSED)
        self.assertEqual(conversation.set("new", "x"), REFUSED)
        self.assertGreater(int(daemon.stats("journal")["journal_refused"]), 4)
        return gone

    def await_room(self, conversation):
        self.wait_until(lambda: conversation.set("late", "x", LONG_S) == "STORED", "changes go on")
        self.stored["late"] = b"x"


@needs_mount
class FullDiskTest(FullDiskCase):
    def disk(self, size):
        return self.enterContext(SmallDisk(size))

    def test_refused_until_there_is_room(self):
        for mode in ("always", "everysec", "never"):
            with self.subTest(mode):
                self.stored = {}
                self.refuse_until_there_is_room(mode)

    def refuse_until_there_is_room(self, mode):
        disk = self.disk("64m")
        daemon = self.start_traced("--fsync", mode, "--data-dir", disk.data_dir)
        conversation = self.connect(daemon)
        disk.fill()
        gone = self.meet_full_disk(daemon, conversation, mode != "never")
        self.assertIn("No space left on device", daemon.stderr_text())
        disk.free()
        self.await_room(conversation)
        self.assertTrue(self.log_out(conversation, "late"))
        self.assertTrue(self.log_out(conversation, "fill-1"))
        daemon.wait_for_stderr("there is space for the journal again")
        gone += ["late", "fill-1", "new"]
        self.assert_all_there(daemon, *gone)
        self.restart(daemon)
        self.assert_all_there(daemon, *gone)
        self.stop(daemon)
        disk.close()

    def test_killed_while_it_is_full(self):
        """What was acknowledged in the last part is kept like all else."""
        disk = self.disk("64m")
        daemon = self.start_traced("--data-dir", disk.data_dir)
        disk.fill()
        gone = self.meet_full_disk(daemon, self.connect(daemon))
        daemon.kill()
        disk.free()
        daemon.start()
        self.assert_all_there(daemon, *gone, "new")
        self.stop(daemon)

    def test_stopped_while_it_is_full(self):
        disk = self.disk("64m")
        daemon = self.start_traced("--data-dir", disk.data_dir)
        disk.fill()
        gone = self.meet_full_disk(daemon, self.connect(daemon))
        self.stop(daemon)
        disk.free()
        daemon.start()
        self.assert_all_there(daemon, *gone, "new")
        self.stop(daemon)

    def test_a_start_on_a_full_disk(self):
        disk = self.disk("64m")
        args = ["--listen", "127.0.0.1:0", "--threads", "1", "--memory", "64m", "--data-dir", disk.data_dir]
        daemon = self.start_traced("--data-dir", disk.data_dir)  # nothing is half made, and could go
        with self.connect(daemon) as conversation:
            for number in range(50):
                self.store(conversation, f"k{number}", VALUE)
        for ending in (daemon.kill, lambda: self.stop(daemon)):
            ending()
            for left in (0, MIB):
                disk.fill(left)
                before = self.journal_of(disk)
                ended = run_sessiond(args)
                self.assertEqual(ended.returncode, EXIT_IO, ended.stderr)
                self.assertEqual(ended.stdout, "")
                self.assertRegex(ended.stderr, rf"{disk.data_dir}\S*: No space left on device")
                self.assertIn("make room, ", ended.stderr)
                self.assertEqual(self.journal_of(disk), before, "something was changed")
                disk.free()
            daemon.start()
            self.assert_all_there(daemon)
        self.stop(daemon)

    def journal_of(self, disk):
        found = {}
        for name in os.listdir(disk.data_dir):
            if name != "lock" and not name.endswith(".new"):
                with open(os.path.join(disk.data_dir, name), "rb") as file:
                    found[name] = file.read()
        return found

    def test_the_first_start_on_a_full_disk(self):
        disk = self.disk("8m")
        disk.fill()
        ended = run_sessiond(["--listen", "127.0.0.1:0", "--memory", "64m", "--data-dir", disk.data_dir])
        self.assertEqual(ended.returncode, EXIT_IO, ended.stderr)
        self.assertRegex(ended.stderr, rf"{disk.data_dir}\S*: No space left on device")

    @needs(has_test_hooks(), "a build with test hooks")
    def test_a_checkpoint_on_a_full_disk(self):
        disk = self.disk("96m")
        daemon = self.start_traced("--data-dir", disk.data_dir)
        conversation = self.connect(daemon)
        for number in range(1500):  # less than a file of the journal: no checkpoint by size
            self.store(conversation, f"k{number}", VALUE)
        self.have_checkpoint(daemon, conversation, "k0", OLD_S)
        names = [name for name in os.listdir(disk.data_dir) if name.startswith("checkpoint-")]
        self.assertEqual(len(names), 1)
        disk.fill(MIB)
        self.assertTrue(self.log_out(conversation, "k1"))
        daemon.move_clock(OLD_S)
        daemon.wait_for_stat("checkpoints_given_up", lambda count: count >= 1, WAIT_S, "journal")
        self.assertEqual([name for name in os.listdir(disk.data_dir) if name.startswith("checkpoint-")], names)
        self.assertIn("the checkpoint is given up and tried again later", daemon.stderr_text())
        self.assert_all_there(daemon, "k0", "k1")
        self.assertTrue(self.log_out(conversation, "k2"))
        disk.free()
        self.await_room(conversation)
        self.have_checkpoint(daemon, conversation, "k3", RETRY_S)
        self.assertEqual(len([name for name in os.listdir(disk.data_dir) if name.startswith("checkpoint-")]), 1)
        self.restart(daemon)
        self.assert_all_there(daemon, "k0", "k1", "k2", "k3")
        self.stop(daemon)

    def have_checkpoint(self, daemon, conversation, key, seconds):
        taken = int(conversation.stats("journal")["checkpoints"])
        self.assertTrue(self.log_out(conversation, key))
        daemon.move_clock(seconds)
        daemon.wait_for_stat("checkpoints", lambda count: count > taken, WAIT_S, "journal")


class FileSizeTest(FullDiskCase):
    """The process's limit of a file's size, whose signal kills who does not ignore it."""

    def limited(self, size):
        return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, NO_LIMIT))}

    def test_a_limit_below_a_file_of_the_journal(self):
        daemon = self.daemon("--memory", "256m", popen=self.limited(8 * MIB))
        daemon.start()
        conversation = self.connect(daemon)
        gone = self.meet_full_disk(daemon, conversation)
        self.assertIn("File too large", daemon.stderr_text())
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (NO_LIMIT, NO_LIMIT))
        self.await_room(conversation)
        daemon._popen.clear()
        self.restart(daemon)
        self.assert_all_there(daemon, *gone)
        self.stop(daemon)

    def test_a_limit_below_the_first_file(self):
        daemon = self.daemon()
        daemon.start()
        self.store(self.connect(daemon), "k")
        self.stop(daemon)
        ended = run_sessiond(["--listen", "127.0.0.1:0", "--memory", "64m", "--data-dir", daemon.data_dir],
                             **self.limited(MIB))
        self.assertEqual(ended.returncode, EXIT_IO, ended.stderr)
        self.assertRegex(ended.stderr, r"journal-\d+\S*: File too large: nothing was started")
        daemon.start()
        self.assert_all_there(daemon)
        self.stop(daemon)

    def test_a_limit_that_comes_later(self):
        """Below what is written already: that is no full disk, and ends it like any other failed write."""
        daemon = self.start_traced("--fsync", "always")
        conversation = self.connect(daemon)
        for number in range(600):
            self.store(conversation, f"k{number}", VALUE)
        daemon.expect_exit()
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (MIB, NO_LIMIT))
        conversation.send_line("delete k1")
        conversation.expect_closed(WAIT_S)
        self.assertEqual(daemon.wait(WAIT_S), EXIT_IO, daemon.stderr_text())
        self.assertNotEqual(daemon.returncode, -signal.SIGXFSZ)
        self.assertRegex(daemon.stderr_text(), r"error cannot write \S+/journal-\d+: File too large")
        daemon.start()
        self.assert_all_there(daemon)
        self.stop(daemon)


if __name__ == "__main__":
    unittest.main()
