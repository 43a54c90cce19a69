"""What ended stays ended: the rules R1 to R12 of reliability.md 4.5, by name, as durability.md 9 amends them.

For each fsync mode one daemon lives through kill -9, a start, a checkpoint, and two more kills; each rule prepares
keys of its own, which are read at each stage. The rules about what lies in files (R9 to R11) alter files, as a crash
could have left them, and start again. After power cuts the same rules hold in tests/crash/power_cut.c: oracle.h names
them.
"""

import os
import shutil
import struct
import sys
import unittest

from crash_case import FSYNC_MODES, HERE, LONG_S, CrashCase, has_test_hooks

sys.path[:0] = [os.path.join(HERE, "..", "data")]

import decode  # noqa: E402

HALF_HOUR_S = 1801
LARGE_BYTES = 40_000
STEP_S = 200  # that the clock is ahead in front of the crash, and is put back by
FAILPOINT = "SESSIOND_TEST_FAILPOINT"

# R1: what ends a session, as commands behind `set KEY`; {k} is its key.
DELETES = {
    "delete": ("delete {k}",),
    "quietly": ("delete {k} noreply\r\nversion",),
    "past-exptime": ("set {k} 0 -1 1\r\nx",),
    "touched-away": ("touch {k} -1",),
    "got-away": ("gat -1 {k}",),
    "twice": ("delete {k}", "add {k} 0 0 1\r\nx", "delete {k}"),
}
# R2: what replaces a value "old", and by what; {cas} is its CAS id.
OVERWRITES = {
    "set": ("set {k} 0 0 3\r\nnew", b"new"),
    "replace": ("replace {k} 0 0 3\r\nnew", b"new"),
    "cas": ("cas {k} 0 0 3 {cas}\r\nnew", b"new"),
    "append": ("append {k} 0 0 3\r\nnew", b"oldnew"),
    "prepend": ("prepend {k} 0 0 3\r\nnew", b"newold"),
    "quietly": ("set {k} 0 0 3 noreply\r\nnew\r\nversion", b"new"),
}
# R6: what must fail; (what is there before, the command).
FAILURES = {
    "add": (b"first", "add {k} 0 0 3\r\nnew"),
    "replace": (None, "replace {k} 0 0 3\r\nnew"),
    "append": (None, "append {k} 0 0 3\r\nnew"),
    "cas": (b"first", "cas {k} 0 0 3 1\r\nnew"),
    "cas-of-none": (None, "cas {k} 0 0 3 1\r\nnew"),
    "incr": (b"first", "incr {k} 1"),
}


class Life:
    """One daemon, and what was seen of its keys at each stage: [{key: value}]."""

    def __init__(self, daemon, mode):
        self.daemon, self.mode = daemon, mode
        self.keys = []
        self.stages = []
        self.talk = None

    def connect(self):
        self.talk = self.daemon.connect()

    def set(self, key, value, exptime=LONG_S):
        self.keys.append(key)
        return self.talk.set(key, value, exptime)

    def cas_of(self, key):
        self.talk.send_line(f"gets {key}")
        return self.talk.read_values().get(key, (0, 0))[1]

    def ask(self, command, key):
        """Returns the last line of the reply."""
        self.talk.send_line(command.format(k=key, cas=self.cas_of(key)))
        line = self.talk.read_line()
        while line.startswith("VALUE "):
            self.talk.read_line()
            line = self.talk.read_line()
        return line

    def look(self):
        self.talk.send_line("get " + " ".join(self.keys))
        self.stages.append({key: value for key, (_, _, value) in self.talk.read_values().items()})

    def end(self):
        self.talk.close()
        self.daemon.kill()

    def crash(self, step_s=0):
        """Meanwhile so much time passes; below 0 the clock is put back."""
        self.end()
        self.daemon.clock.move(step_s)
        self.daemon.start()
        self.connect()
        self.look()

    def take_checkpoint(self):
        """Behind it nothing is replayed of what was before."""
        assert self.talk.set("other", b"x") == self.talk.set("other", b"y") == "STORED"
        self.daemon.clock.move(HALF_HOUR_S)
        self.daemon.wait_for_stat("checkpoints", lambda count: count >= 1, timeout_s=60, section="journal")
        self.look()


@unittest.skipUnless(has_test_hooks(), "a release build's clock cannot be moved")
class RevocationsTest(CrashCase):
    """The stages: before a kill, after it, with a checkpoint, after a kill behind it, and after one more."""

    @classmethod
    def setUpClass(cls):
        case = cls("live")
        cls.addClassCleanup(case.doCleanups)
        cls.lives = [case.live(mode) for mode in FSYNC_MODES]

    def live(self, mode):
        life = Life(self.start("--fsync", mode, "--flush-all", "allow"), mode)
        life.connect()
        self.prepare_r4(life)  # it ends all that is there
        for prepare in (self.prepare_r1, self.prepare_r2, self.prepare_r3, self.prepare_r5, self.prepare_r6,
                        self.prepare_r7):
            prepare(life)
        life.daemon.clock.move(STEP_S)
        self.assertEqual(life.ask("delete {k}", "r8"), "NOT_FOUND")
        self.assertEqual(life.set("last", b"carries the time"), "STORED")
        life.look()
        life.crash(-STEP_S)
        life.take_checkpoint()
        life.crash()
        life.crash()
        life.end()
        return life

    def assert_always(self, wanted):
        """{key: value, or None} at every stage of every life."""
        for life in self.lives:
            self.assertEqual(len(life.stages), 5)
            for number, stage in enumerate(life.stages):
                with self.subTest(f"{life.mode}, stage {number}"):
                    self.assertEqual({key: stage.get(key) for key in wanted}, wanted)

    def prepare_r1(self, life):
        for size, value in (("small", b"x"), ("large", b"x" * LARGE_BYTES)):
            for name, commands in DELETES.items():
                self.assertEqual(life.set(f"r1-{size}-{name}", value), "STORED")
                for command in commands:
                    life.ask(command, f"r1-{size}-{name}")

    def test_r1_a_deleted_key(self):
        self.assert_always({f"r1-{size}-{name}": None for size in ("small", "large") for name in DELETES})

    def prepare_r2(self, life):
        for name, (command, _new) in OVERWRITES.items():
            self.assertEqual(life.set(f"r2-{name}", b"old"), "STORED")
            life.ask(command, f"r2-{name}")
        self.assertEqual(life.set("r2-incr", b"41"), "STORED")
        self.assertEqual(life.ask("incr {k} 1", "r2-incr"), "42")
        self.assertEqual(life.set("r2-large", b"o" * LARGE_BYTES), "STORED")
        self.assertEqual(life.set("r2-large", b"n" * LARGE_BYTES), "STORED")

    def test_r2_a_value_older_than_the_last_overwrite(self):
        """After a crash of the process in every mode."""
        self.assert_always({**{f"r2-{name}": new for name, (_, new) in OVERWRITES.items()},
                            "r2-incr": b"42", "r2-large": b"n" * LARGE_BYTES})

    def prepare_r3(self, life):
        self.assertEqual(life.set("r3-expired", b"x", STEP_S // 2), "STORED")
        self.assertEqual(life.set("r3-shortened", b"x"), "STORED")
        self.assertEqual(life.ask(f"touch {{k}} {STEP_S // 2}", "r3-shortened"), "TOUCHED")
        self.assertEqual(life.set("r8", b"x", STEP_S // 2), "STORED")

    def test_r3_a_key_that_had_expired(self):
        """The wall clock was put back behind the crash: the time that the files tell of counts."""
        self.assert_always({"r3-expired": None, "r3-shortened": None})

    def prepare_r4(self, life):
        self.assertEqual(life.set("r4-before", b"x"), "STORED")
        self.assertEqual(life.set("r4-again", b"old"), "STORED")
        life.talk.send_line("flush_all\r\nset r4-after 0 0 1\r\nx")  # in the same second, in one turn
        self.assertEqual((life.talk.read_line(), life.talk.read_line()), ("OK", "STORED"))
        self.assertEqual(life.set("r4-again", b"new"), "STORED")
        life.keys.append("r4-after")

    def test_r4_a_key_that_was_flushed(self):
        self.assert_always({"r4-before": None, "r4-after": b"x", "r4-again": b"new"})

    def test_r4_a_key_that_a_flush_for_later_ends(self):
        """Its time comes while the daemon runs, or while it is down; what is stored behind it stays."""
        for mode in FSYNC_MODES:
            for is_down in (False, True):
                with self.subTest(f"{mode}, down {is_down}"):
                    life = Life(self.start("--fsync", mode, "--flush-all", "allow"), mode)
                    life.connect()
                    self.assertEqual(life.set("before", b"x"), "STORED")
                    self.assertEqual(life.talk.ask("flush_all 100"), "OK")
                    if is_down:
                        life.crash(101)
                    else:
                        life.daemon.clock.move(101)
                        life.look()
                    self.assertEqual(life.set("after", b"x"), "STORED")
                    life.crash()
                    life.take_checkpoint()
                    life.crash()
                    life.end()
                    self.assertEqual(life.stages, [{}] + [{"after": b"x"}] * 3)

    def prepare_r5(self, life):
        self.assertEqual(life.set("r5", b"kept"), "STORED")
        self.assertEqual(life.set("r5", b"x" * (2 << 20)), "SERVER_ERROR object too large for cache")

    def test_r5_is_void(self):
        """A value that is too large is refused, and what was there is there: nothing has ended."""
        self.assert_always({"r5": b"kept"})

    def prepare_r6(self, life):
        for name, (there, command) in FAILURES.items():
            life.keys.append(f"r6-{name}")
            if there is not None:
                self.assertEqual(life.set(f"r6-{name}", there), "STORED")
            self.assertNotIn(life.ask(command, f"r6-{name}"), ("STORED", "1"))

    def test_r6_a_value_that_was_never_stored(self):
        self.assert_always({f"r6-{name}": there for name, (there, _) in FAILURES.items()})

    def prepare_r7(self, life):
        for verb in ("touch {k} {s}", "gat {s} {k}"):
            name = verb[:3].strip()
            self.assertEqual(life.set(f"r7-{name}-shorter", b"x"), "STORED")
            self.assertEqual(life.set(f"r7-{name}-longer", b"x", 1000), "STORED")
            life.ask(verb.replace("{s}", "1000"), f"r7-{name}-shorter")
            life.ask(verb.replace("{s}", str(LONG_S)), f"r7-{name}-longer")
        self.assertEqual(life.set("r7-set", b"x"), "STORED")
        self.assertEqual(life.set("r7-set", b"x", 1000), "STORED")

    def test_r7_a_life_that_was_made_shorter(self):
        """Not yet over at the first two stages; half an hour later it is. One that was made longer goes on."""
        shorter = ("r7-tou-shorter", "r7-gat-shorter", "r7-set")
        for life in self.lives:
            for stage in life.stages[:2]:
                self.assertLessEqual(set(shorter), set(stage))
            for stage in life.stages[2:]:
                self.assertEqual(set(shorter) & set(stage), set())
        self.assert_always({"r7-tou-longer": b"x", "r7-gat-longer": b"x"})

    def test_r8_a_key_that_was_deleted_when_it_had_expired(self):
        """Answered NOT_FOUND; the clock was put back behind it."""
        self.assert_always({"r8": None})

    def test_r12_a_key_that_was_seen_absent(self):
        """No key of any rule is there at a stage and was not at the one before."""
        for life in self.lives:
            for earlier, later in zip(life.stages, life.stages[1:]):
                self.assertEqual(set(later) - set(earlier), set())


class FilesTest(CrashCase):
    """What older lives, torn writes and late renames leave in files."""

    def journal(self, daemon):
        """The file that frames went to last, and those frames."""
        for name in sorted(os.listdir(daemon.data_dir), reverse=True):
            if name.startswith("journal-") and not name.endswith(".new"):
                file = decode.read_file(os.path.join(daemon.data_dir, name))
                frames = list(self.frames(file))
                if frames:
                    return file, frames
        raise AssertionError("no frames")

    def frames(self, file):
        at, sequence = decode.HEADER_BYTES, None
        while (frame := decode.next_frame(file, at, sequence)) is not None:
            yield frame
            at, sequence = frame.end, frame.sequence + 1

    def write(self, daemon, file, at, content):
        with open(os.path.join(daemon.data_dir, file.name), "r+b") as out:
            out.seek(at)
            out.write(content)

    def keys(self, daemon, keys):
        with daemon.connect() as conversation:
            conversation.send_line("get " + " ".join(keys))
            return set(conversation.read_values())

    def store(self, daemon, *keys):
        """Each in a frame of its own."""
        with daemon.connect() as conversation:
            for key in keys:
                self.assertEqual(conversation.set(key, b"x" * 100, LONG_S), "STORED")

    def test_r9_records_of_an_older_life(self):
        """Where the journal goes on there is a frame with the right sequence, of an earlier file: its salt tells."""
        daemon = self.start("--fsync", "never")
        self.store(daemon, "old")
        old, frames = self.journal(daemon)
        frame = next(frame for frame in frames if frame.records and frame.records[-1].key == b"old")
        with daemon.connect() as conversation:
            self.assertEqual(conversation.ask("delete old"), "DELETED")
        self.restart(daemon)
        self.store(daemon, "new")
        daemon.kill()
        present, frames = self.journal(daemon)
        self.assertNotEqual(present.salt, old.salt)
        again = bytearray(old.content[frame.at:frame.end])
        struct.pack_into("<Q", again, 16, frames[-1].sequence + 1)
        size = decode.FRAME_HEAD_BYTES + struct.unpack_from("<I", again, 12)[0]
        self.write(daemon, present, frames[-1].end, decode.sealed_frame(again[:size], old.salt))
        for _ in range(2):
            daemon.start()
            self.assertEqual(self.keys(daemon, ("old", "new")), {"new"})
            daemon.kill()
        # The same with the present salt is believed: it is nothing else that was looked at.
        present, frames = self.journal(daemon)
        struct.pack_into("<Q", again, 16, frames[-1].sequence + 1)
        self.write(daemon, present, frames[-1].end, decode.sealed_frame(again[:size], present.salt))
        daemon.start()
        self.assertEqual(self.keys(daemon, ("old", "new")), {"old", "new"})
        daemon.kill()

    @unittest.skipUnless(has_test_hooks(), "a release build has no failpoints")
    def test_r10_an_image_of_an_older_run(self):
        """Whole but for its name when the daemon was killed; or put back under its old name later."""
        for mode in FSYNC_MODES:
            with self.subTest(mode):
                daemon = self.daemon("--fsync", mode)
                daemon.env[FAILPOINT] = "checkpoint.ended:kill:1"
                daemon.start()
                self.store(daemon, "gone", "kept", "kept")
                daemon.expect_exit()
                daemon.clock.move(HALF_HOUR_S)
                self.wait_until(lambda: not daemon.running, "killed in the checkpoint")
                image = os.path.join(daemon.data_dir, "checkpoint-000000000001")
                shutil.copyfile(image + ".new", image + "-side")
                with open(image + "-side", "rb") as file:
                    self.assertIn(b"gone", file.read())
                del daemon.env[FAILPOINT]
                daemon.start()
                self.assertFalse(os.path.exists(image + ".new"))
                with daemon.connect() as conversation:
                    self.assertEqual(conversation.ask("delete gone"), "DELETED")
                daemon.clock.move(HALF_HOUR_S)
                daemon.wait_for_stat("checkpoints", lambda count: count >= 1, timeout_s=60, section="journal")
                daemon.kill()
                os.replace(image + "-side", image + ".new")
                daemon.start()
                self.assertEqual(self.keys(daemon, ("gone", "kept")), {"kept"})
                self.assertFalse(os.path.exists(image + ".new"))
                daemon.kill()

    def test_r11_a_batch_by_half(self):
        """Each frame of an unsynced tail, torn: of its batch nothing is there, and nothing behind it."""
        daemon = self.start("--fsync", "never")
        names = [[f"k{turn}-{n}" for n in range(20)] for turn in range(3)]
        with daemon.connect() as conversation:
            for turn in names:
                conversation.send("".join(f"set {key} 0 0 1\r\nx\r\n" for key in turn))
                for _ in turn:
                    self.assertEqual(conversation.read_line(), "STORED")
        daemon.kill()
        file, frames = self.journal(daemon)
        keys = [key for turn in names for key in turn]
        batches = [frame for frame in frames if frame.records and frame.records[0].name == "SET"]
        self.assertGreater(max(len(batch.records) for batch in batches), 1)
        side = daemon.data_dir + "-side"
        shutil.copytree(daemon.data_dir, side)
        for number, batch in enumerate(batches):
            for at in (batch.at + decode.FRAME_HEAD_BYTES + 5, batch.end - 9):
                with self.subTest(f"batch {number} at {at}"):
                    shutil.rmtree(daemon.data_dir)
                    shutil.copytree(side, daemon.data_dir)
                    self.write(daemon, file, at, bytes([file.content[at] ^ 0xff]))
                    there = {record.key.decode() for frame in batches[:number] for record in frame.records}
                    for _ in range(2):
                        daemon.start()
                        self.assertEqual(self.keys(daemon, keys), there)
                        daemon.kill()

    def test_r12_a_key_that_recovery_left_out(self):
        """Intact frames behind a torn one: absent after the first start, and after every later one."""
        daemon = self.start("--fsync", "never")
        self.store(daemon, "first", "torn", "behind-1", "behind-2")
        daemon.kill()
        file, frames = self.journal(daemon)
        torn = next(frame for frame in frames if frame.records and frame.records[-1].key == b"torn")
        self.write(daemon, file, torn.at, bytes(20))
        for number in range(3):
            daemon.start()
            self.assertEqual(self.keys(daemon, ("first", "torn", "behind-1", "behind-2")), {"first"})
            self.store(daemon, f"new-{number}")
            daemon.kill()


if __name__ == "__main__":
    unittest.main()
