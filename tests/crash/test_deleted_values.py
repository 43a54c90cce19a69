"""What was deleted is gone from every file within an hour, whatever else happens or does not.

By every command that ends a value, small or kept by reference, in each fsync mode; over kills and starts. The time
passes on the test's clock; the files are searched byte for byte, with those that are made ahead and those that
have no name any more.
"""

import os
import unittest
from pathlib import Path

from crash_case import FSYNC_MODES, LONG_S, CrashCase

HOUR_S, HALF_HOUR_S = 3600, 1801
MINUTE_S = 60
LARGE_BYTES = 40_000
SEGMENT_BYTES = 4 << 20  # at least, of 16 MiB of memory

# What ends a value: (name, commands; {k} is its key, {cas} its CAS id). Those above `past` leave the key in use.
ENDINGS = {
    "overwritten": ("set {k} 0 0 1\r\nx",),
    "replaced": ("replace {k} 0 0 1\r\nx",),
    "compared": ("cas {k} 0 0 1 {cas}\r\nx",),
    "too-late": ("touch {k} 2000", "set {k} 0 0 1\r\nx"),
    "deleted": ("delete {k}",),
    "past": ("set {k} 0 -1 1\r\nx",),
    "touched-away": ("touch {k} -1",),
    "deleted-and-back": ("delete {k}", "add {k} 0 0 1\r\nx"),
}
KEEPS_KEY = {"overwritten", "replaced", "compared", "too-late", "deleted-and-back"}
NAMES = [f"{size}-{ending}" for size in ("small", "large") for ending in ENDINGS]


def marker_of(name):
    return f"<value-of-{name}>".encode()


def value_of(name):
    """The marker alone; or one kept by reference, with the marker at both ends and in the middle."""
    if name.startswith("small"):
        return marker_of(name)
    return marker_of(name).join([b"", b"x" * (LARGE_BYTES // 2), b"y" * (LARGE_BYTES // 2), b""])


class DeletedValuesTest(CrashCase):
    def begin(self, mode="everysec"):
        return self.start("--memory", "16m", "--fsync", mode, "--flush-all", "allow")

    def files(self, daemon):
        """{name: bytes} of all there are, and of those that the daemon keeps open without a name."""
        found = {}
        paths = [*Path(daemon.data_dir).iterdir(), *Path(f"/proc/{daemon.pid}/fd").iterdir()]
        for path in paths:
            try:
                target = os.readlink(path) if path.parent.name == "fd" else path.name
                if path.parent.name != "fd" or target.startswith(daemon.data_dir):
                    found[target] = path.read_bytes() if path.is_file() else b""
            except FileNotFoundError:
                pass  # removed meanwhile
        return found

    def places(self, daemon, markers):
        return sorted((name, marker) for name, content in self.files(daemon).items()
                      for marker in markers if marker in content)

    def n_checkpoints(self, daemon):
        return int(daemon.stats("journal")["checkpoints"])

    def pass_half(self, daemon):
        """Half an hour, and the checkpoint that is due then."""
        n_before = self.n_checkpoints(daemon)
        daemon.clock.move(HALF_HOUR_S)
        self.wait_for_checkpoints(daemon, n_before + 1)

    def wait_for_checkpoints(self, daemon, n):
        daemon.wait_for_stat("checkpoints", lambda count: count >= n, timeout_s=60, section="journal")

    def pass_limit(self, daemon, markers):
        """The hour: what one checkpoint has begun to tell when it ends is gone with the next."""
        self.pass_half(daemon)
        if self.places(daemon, markers):
            self.pass_half(daemon)
        self.assertEqual(self.places(daemon, markers), [])

    def store(self, conversation):
        for name in NAMES:
            self.assertEqual(conversation.set(f"<key-of-{name}>", value_of(name), LONG_S), "STORED")

    def end_all(self, conversation):
        for name in NAMES:
            for command in ENDINGS[name[6:]]:
                conversation.send_line(f"gets <key-of-{name}>")
                _flags, cas, _value = conversation.read_values().get(f"<key-of-{name}>", (0, 0, b""))
                reply = conversation.ask(command.format(k=f"<key-of-{name}>", cas=cas))
                self.assertIn(reply, ("STORED", "DELETED", "TOUCHED"), name)

    def markers(self):
        """Of the values, and of the keys that are in use no more."""
        return [marker_of(name) for name in NAMES] + [f"<key-of-{name}>".encode() for name in NAMES
                                                      if name[6:] not in KEEPS_KEY]

    def test_by_every_command(self):
        for mode in FSYNC_MODES:
            with self.subTest(mode):
                daemon = self.begin(mode)
                with daemon.connect() as conversation:
                    conversation.set("kept", b"<kept>")
                    self.store(conversation)
                    self.end_all(conversation)
                self.assertEqual({marker for _, marker in self.places(daemon, self.markers())}, set(self.markers()))
                self.pass_limit(daemon, self.markers())
                self.assertNotEqual(self.places(daemon, [b"<kept>"]), [])
                daemon.kill()

    def test_by_a_flush(self):
        """At once, and at a time that was set."""
        for command, wait_s in (("flush_all", 0), (f"flush_all {10 * MINUTE_S}", 10 * MINUTE_S + 1)):
            with self.subTest(command):
                daemon = self.begin()
                with daemon.connect() as conversation:
                    self.store(conversation)
                    self.assertEqual(conversation.ask(command), "OK")
                    daemon.clock.move(wait_s)
                    daemon.wait_for_stat("curr_items", 0)
                self.pass_limit(daemon, self.markers())
                daemon.kill()

    def test_out_of_a_checkpoint(self):
        """It was in the last image: it goes with the next one."""
        daemon = self.begin()
        with daemon.connect() as conversation:
            self.store(conversation)
            conversation.set("other", b"x")
            conversation.set("other", b"y")
            self.pass_half(daemon)
            self.assertIn("checkpoint-000000000001", [name for name, _ in self.places(daemon, self.markers())])
            self.end_all(conversation)
        self.pass_limit(daemon, self.markers())
        daemon.kill()

    def test_over_kills_and_starts(self):
        """Nothing but that the time passes; a start does not begin the hour anew."""
        for mode in FSYNC_MODES:
            with self.subTest(mode):
                daemon = self.begin(mode)
                with daemon.connect() as conversation:
                    self.store(conversation)
                    self.end_all(conversation)
                for _ in range(2):
                    daemon.clock.move(29 * MINUTE_S)
                    self.restart(daemon)
                daemon.clock.move(2 * MINUTE_S)
                self.wait_until(lambda: not self.places(daemon, self.markers()), "the hour is over")
                daemon.kill()

    def test_while_it_is_down(self):
        """The hour passes while nobody can do anything: the start does."""
        daemon = self.begin()
        with daemon.connect() as conversation:
            self.store(conversation)
            self.end_all(conversation)
        daemon.kill()
        daemon.clock.move(HOUR_S)
        daemon.start()
        self.wait_until(lambda: not self.places(daemon, self.markers()), "a checkpoint")
        daemon.kill()

    def test_out_of_files_that_were_full(self):
        """Of several that were filled, and of the one that is made ahead."""
        daemon = self.begin("always")
        with daemon.connect() as conversation:
            for number in range(SEGMENT_BYTES * 2 // LARGE_BYTES):
                self.assertEqual(conversation.set(f"full-{number % 5}", value_of("large-full"), LONG_S), "STORED")
            for number in range(5):
                self.assertEqual(conversation.ask(f"delete full-{number}"), "DELETED")
        self.pass_limit(daemon, [marker_of("large-full")])
        self.restart(daemon)
        self.assertEqual(self.places(daemon, [marker_of("large-full")]), [])
        daemon.kill()

    def test_what_has_expired(self):
        """It is told to nobody. Its bytes go with the next checkpoint, which expiry alone does not cause."""
        daemon = self.begin()
        with daemon.connect() as conversation:
            conversation.set("<key-of-expired>", marker_of("expired"), 100)
            daemon.clock.move(101)
            self.assertIsNone(conversation.get("<key-of-expired>"))
            conversation.set("other", b"x")
            conversation.set("other", b"y")
        self.pass_limit(daemon, [marker_of("expired"), b"<key-of-expired>"])
        daemon.kill()


if __name__ == "__main__":
    unittest.main()
