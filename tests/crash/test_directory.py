"""The data directory in other hands: two daemons, damage, no permission, too little memory.

Each has its exit code and a message that says what to do; the commands in it are run as printed by tests/ctl.
"""

import glob
import hashlib
import os
import re
import shutil
import tempfile
import unittest

from crash_case import EXIT_CONFIGURATION, EXIT_DAMAGED, EXIT_IO, EXIT_LOCKED, LONG_S, CrashCase, needs
from sessiond_process import run_sessiond, sessiond_binary
from small_disk import SmallDisk, needs_mount

NOBODY = 65534


class DirectoryCase(CrashCase):
    def run_on(self, path, *args, code, **options):
        """Another daemon there, which ends by itself; returns what it said."""
        ended = run_sessiond(["--listen", "127.0.0.1:0", "--threads", "1", "--data-dir", path, *args], **options)
        self.assertEqual(ended.returncode, code, ended.stderr)
        self.assertEqual(ended.stdout, "", "it said that it listens")
        return ended.stderr

    def contents(self, path):
        """{name: digest} of the files there, without the lock's owner."""
        digests = {}
        for name in os.listdir(path):
            if name != "lock":
                with open(os.path.join(path, name), "rb") as file:
                    digests[name] = hashlib.sha256(file.read()).hexdigest()
        return digests

    def fill(self, daemon, n_keys=20, value=b"x"):
        with daemon.connect() as conversation:
            for number in range(n_keys):
                self.assertEqual(conversation.set(f"k{number}", value, LONG_S), "STORED")


class TwoDaemonsTest(DirectoryCase):
    def assert_refused(self, daemon, names_owner=True):
        said = self.run_on(daemon.data_dir, code=EXIT_LOCKED)
        self.assertIn(f"data-dir {daemon.data_dir} is in use by another process", said)
        if names_owner:
            self.assertRegex(said, rf"\bpid {daemon.pid}\b")
        self.assertEqual(self.connect(daemon).get("k1"), b"x")

    def test_the_second_is_refused(self):
        daemon = self.start()
        self.fill(daemon)
        daemon.wait_for_stat("journal_segments", 2, section="journal")
        before = os.listdir(daemon.data_dir)
        self.assert_refused(daemon)
        self.assertEqual(sorted(os.listdir(daemon.data_dir)), sorted(before))
        self.stop(daemon)

    def test_also_when_the_lock_file_is_gone_or_another_one(self):
        daemon = self.start()
        self.fill(daemon)
        lock = os.path.join(daemon.data_dir, "lock")
        os.remove(lock)
        for _ in range(2):  # the refused one may have made a new file
            self.assert_refused(daemon, names_owner=False)
        with open(lock + ".other", "w", encoding="ascii") as file:
            file.write("1\n")
        os.replace(lock + ".other", lock)
        self.assert_refused(daemon, names_owner=False)
        os.chmod(daemon.data_dir, 0o700)
        moved = daemon.data_dir + "-moved"
        os.rename(daemon.data_dir, moved)  # the directory itself is locked, not its name
        self.assertIn("in use", self.run_on(moved, code=EXIT_LOCKED))
        os.rename(moved, daemon.data_dir)
        self.stop(daemon)

    def test_a_killed_one_is_in_nobodys_way(self):
        daemon = self.start()
        self.fill(daemon)
        for _ in range(3):
            daemon.kill()
            daemon.start()
            self.assertEqual(self.connect(daemon).get("k1"), b"x")

    def test_many_at_once(self):
        """One of them serves, the others are refused."""
        daemon = self.start()
        path = daemon.data_dir
        daemon.kill()
        daemons = [self.daemon("--data-dir", path) for _ in range(5)]
        for each in daemons:
            each._spawn(each.command(), {**os.environ})
            each.expect_exit()
        self.wait_until(lambda: sum(each.running for each in daemons) == 1, "one is left")
        self.assertEqual([each.returncode for each in daemons if not each.running], [EXIT_LOCKED] * 4)
        winner = next(each for each in daemons if each.running)
        self.assertTrue(winner.stdout.wait_for(lambda lines: lines, 20))
        self.assertTrue(winner.running)
        self.stop(winner)


class DamagedTest(DirectoryCase):
    def damage(self, daemon):
        """Flip a byte in the middle of what is synced; returns the file."""
        path = os.path.join(daemon.data_dir, min(n for n in os.listdir(daemon.data_dir) if n.startswith("journal-")))
        with open(path, "r+b") as file:
            content = file.read()
            at = content.index(b"k10x") + 1
            file.seek(at)
            file.write(bytes([content[at] ^ 1]))
        return path, at

    def test_damage_is_told_and_the_advice_works(self):
        daemon = self.start("--fsync", "always")
        self.fill(daemon)
        self.stop(daemon)
        path, at = self.damage(daemon)
        before = self.contents(daemon.data_dir)
        said = self.run_on(daemon.data_dir, code=EXIT_DAMAGED)
        told = re.search(r"(journal-\d+), offset (\d+)", said)
        self.assertEqual(told[1], os.path.basename(path))
        self.assertTrue(at - 4096 <= int(told[2]) <= at, f"damage at {at}: {said}")
        self.assertEqual(self.contents(daemon.data_dir), before, "something was changed")
        # The commands that are told are run in tests/ctl.
        self.assertIn("--salvage", said)
        self.assertIn("--set-aside-damaged", said)
        fresh = self.start("--data-dir", daemon.data_dir, "--set-aside-damaged")
        self.assertEqual(fresh.stats()["curr_items"], "0")
        self.stop(fresh)
        daemon.start()
        self.fill(daemon, 3)
        self.restart(daemon)
        self.assertEqual(self.connect(daemon).get("k2"), b"x")
        self.stop(daemon)
        self.assertEqual(len(glob.glob(daemon.data_dir + ".damaged-*")), 1)

    def test_a_file_that_is_missing(self):
        daemon = self.start("--fsync", "always")
        self.fill(daemon)
        self.restart(daemon)
        self.fill(daemon)
        self.stop(daemon)
        names = sorted(name for name in os.listdir(daemon.data_dir) if name.startswith("journal-"))
        os.remove(os.path.join(daemon.data_dir, names[0]))
        self.assertIn(names[0], self.run_on(daemon.data_dir, code=EXIT_DAMAGED))


class PlaceTest(DirectoryCase):
    def path(self, name):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="sessiond-crash-"))
        os.chmod(directory, 0o755)
        return os.path.join(directory, name)

    def test_a_file_in_its_place(self):
        path = self.path("file")
        with open(path, "w", encoding="ascii") as file:
            file.write("keep me")
        for place in (path, os.path.join(path, "below")):
            self.assertRegex(self.run_on(place, code=EXIT_IO), rf"{place}\S*( for data-dir)?: Not a directory: what "
                             "stands in its place is no directory; move that away, or choose another data-dir")
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read(), "keep me")

    def test_a_place_where_nobody_can_write(self):
        self.assertIn("/proc/sessiond", self.run_on("/proc/sessiond", code=EXIT_IO))

    @needs(os.geteuid() == 0, "root")
    def test_a_directory_of_another_user(self):
        path = self.path("owned")
        os.mkdir(path, 0o700)
        self.assertIn(path, self.run_on(path, "--user", "nobody", code=EXIT_IO))
        os.chmod(path, 0o755)  # it can be opened, and not written to
        said = self.run_on(path, "--user", "nobody", code=EXIT_IO)
        self.assertIn(f"data-dir {path} belongs to the user with id 0, and sessiond runs as {NOBODY}: start it as "
                      "that user (--user)", said)
        os.chown(path, NOBODY, -1)
        self.assertIn(f"belongs to the user with id {NOBODY}, and sessiond runs as 0", self.run_on(path, code=EXIT_IO))
        self.assertEqual(os.listdir(path), [], "root has left something there")
        daemon = self.start("--user", "nobody", "--data-dir", path)
        self.fill(daemon)
        self.stop(daemon)
        before = self.contents(path)
        self.run_on(path, code=EXIT_IO)
        self.assertEqual(self.contents(path), before)
        daemon.start()
        self.assertEqual(self.connect(daemon).get("k1"), b"x")
        self.stop(daemon)

    def test_one_that_is_missing_is_made_with_those_above(self):
        path = self.path("one/two/data")
        daemon = self.start("--data-dir", path)
        self.fill(daemon)
        self.stop(daemon)
        for made in (path, os.path.dirname(path), os.path.dirname(os.path.dirname(path))):
            self.assertEqual(os.stat(made).st_mode & 0o7777, 0o700, made)

    @needs(os.geteuid() == 0, "root")
    def test_made_for_another_user_it_is_that_ones(self):
        path = self.path("one/data")
        daemon = self.start("--user", "nobody", "--data-dir", path)
        self.fill(daemon)
        self.stop(daemon)
        for made in (path, os.path.dirname(path), *(os.path.join(path, name) for name in os.listdir(path))):
            self.assertEqual(os.stat(made).st_uid, NOBODY, made)

    def test_one_that_others_may_write(self):
        path = self.path("open")
        os.mkdir(path)
        for mode in (0o777, 0o770, 0o1777):
            os.chmod(path, mode)
            said = self.run_on(path, code=EXIT_IO)
            self.assertIn(f"data-dir {path} may be written by others (mode {mode:04o}): its mode must be 0700", said)
            self.assertEqual(os.listdir(path), [])
        os.chmod(path, 0o700)
        self.stop(self.start("--data-dir", path))

    def test_links(self):
        link = self.path("link")
        os.symlink("nowhere", link)
        said = self.run_on(link, code=EXIT_IO)
        self.assertIn(f"{link}: No such file or directory: a link leads nowhere", said)
        self.assertEqual(os.readlink(link), "nowhere")
        self.assertFalse(os.path.lexists(os.path.join(os.path.dirname(link), "nowhere")))
        os.mkdir(os.path.join(os.path.dirname(link), "nowhere"), 0o700)
        daemon = self.start("--data-dir", link)  # to another disk, say
        self.fill(daemon)
        self.restart(daemon)
        self.assertEqual(self.connect(daemon).get("k1"), b"x")
        self.stop(daemon)

    def test_links_in_it_are_not_followed(self):
        path = self.path("data")
        daemon = self.start("--data-dir", path)
        self.fill(daemon)
        self.stop(daemon)
        victim = os.path.join(os.path.dirname(path), "victim")
        with open(victim, "w", encoding="ascii") as file:
            file.write("keep me")
        os.remove(os.path.join(path, "lock"))
        os.symlink(victim, os.path.join(path, "lock"))
        self.assertIn(path, self.run_on(path, code=EXIT_IO))
        os.remove(os.path.join(path, "lock"))
        name = os.path.join(path, min(name for name in os.listdir(path) if name.startswith("journal-")))
        os.rename(name, victim + "-journal")
        os.symlink(victim + "-journal", name)
        self.assertIn(name, self.run_on(path, code=EXIT_IO))
        os.replace(victim + "-journal", name)
        daemon.start()
        self.assertEqual(self.connect(daemon).get("k1"), b"x")
        self.stop(daemon)
        with open(victim, encoding="ascii") as file:
            self.assertEqual(file.read(), "keep me")

    @needs_mount
    def test_a_file_system_that_is_read_only(self):
        disk = self.enterContext(SmallDisk("64m"))
        daemon = self.start("--data-dir", disk.data_dir)
        self.fill(daemon)
        self.stop(daemon)
        before = self.contents(disk.data_dir)
        disk.set_read_only(True)
        said = self.run_on(disk.data_dir, code=EXIT_IO)
        self.assertIn(f"{disk.data_dir}: Read-only file system: mount its file system to be written", said)
        said = self.run_on(os.path.join(disk.path, "other"), code=EXIT_IO)
        self.assertIn("other for data-dir: Read-only file system: mount", said)
        self.assertEqual(self.contents(disk.data_dir), before)
        disk.set_read_only(False)
        daemon.start()
        self.assertEqual(self.connect(daemon).get("k1"), b"x")
        self.stop(daemon)

    @needs(os.geteuid() == 0, "root")
    def test_as_a_user_without_rights(self):
        """Each way to have none; and the one that works."""
        above = self.path("above")
        os.mkdir(above, 0o700)
        open_to_all = os.path.dirname(above)
        binary = shutil.copy(sessiond_binary(), os.path.join(open_to_all, "sessiond"))
        os.chmod(binary, 0o755)
        hint = "Permission denied: it, and the way to it, must be open to the user that sessiond runs as"
        mine = os.path.join(open_to_all, "mine")
        os.mkdir(mine, 0o500)
        os.chown(mine, NOBODY, NOBODY)
        of_root = os.path.join(open_to_all, "of-root")
        os.mkdir(of_root, 0o700)
        readable = os.path.join(open_to_all, "readable")
        os.mkdir(readable, 0o755)
        for path, said in (
                (os.path.join(above, "data"), f"cannot make {above}/data for data-dir: {hint}"),
                (os.path.join(open_to_all, "new"), f"cannot make {open_to_all}/new for data-dir: {hint}"),
                (mine, f"cannot lock data-dir {mine}: {hint}"),
                (of_root, f"cannot open data-dir {of_root}: {hint}"),
                (readable, f"data-dir {readable} belongs to the user with id 0, and sessiond runs as {NOBODY}")):
            with self.subTest(path):
                self.assertIn(said, self.run_as_nobody(binary, path))
        os.chmod(mine, 0o700)
        daemon = self.start("--user", "none", "--data-dir", mine, binary=binary, popen=self.nobody())
        self.fill(daemon)
        self.stop(daemon)

    def nobody(self):
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []}

    def run_as_nobody(self, binary, path):
        return self.run_on(path, code=EXIT_IO, binary=binary, as_root_options=False, **self.nobody())

    def test_files_are_nobody_elses(self):
        daemon = self.start(popen={"umask": 0})
        self.fill(daemon)
        self.assertEqual(os.stat(daemon.data_dir).st_mode & 0o777, 0o700)
        for name in os.listdir(daemon.data_dir):
            self.assertEqual(os.stat(os.path.join(daemon.data_dir, name)).st_mode & 0o777, 0o600, name)
        self.stop(daemon)

    def test_a_copy_of_a_running_directory_opens(self):
        daemon = self.start("--fsync", "always")
        self.fill(daemon)
        path = self.path("copy")
        shutil.copytree(daemon.data_dir, path, ignore=shutil.ignore_patterns("*.new"))
        other = self.start("--data-dir", path)
        self.assertEqual(self.connect(other).get("k7"), b"x")
        self.stop(other)
        self.stop(daemon)


class MemoryTest(DirectoryCase):
    def test_more_sessions_than_memory(self):
        daemon = self.daemon("--memory", "128m")
        daemon.start()
        n_keys = 2000
        self.fill(daemon, n_keys, b"y" * 15_000)
        self.stop(daemon)
        before = self.contents(daemon.data_dir)
        said = self.run_on(daemon.data_dir, "--memory", "32m", code=EXIT_CONFIGURATION)
        self.assertIn("memory", said)
        self.assertEqual(self.contents(daemon.data_dir), before, "something was changed")
        daemon.start()
        self.assertEqual(daemon.stats()["curr_items"], str(n_keys))
        self.stop(daemon)


if __name__ == "__main__":
    unittest.main()
