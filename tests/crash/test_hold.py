"""Who has logged out stays so, whatever was in flight: across a crash, a checkpoint, a dump, and with the option off."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from crash_case import HERE, LONG_S, WAIT_S, CrashCase
from sessiond_process import sessiond_binary

sys.path[:0] = [os.path.join(HERE, "..", "data")]

import decode  # noqa: E402

SESSIONCTL = os.path.join(os.path.dirname(sessiond_binary()), "sessionctl")
HOUR_S = 3600
HOLD_S = 4 * HOUR_S
LARGE = b"x" * 40_000  # kept by reference


class HoldCase(CrashCase):
    def start_and_log_out(self, *args):
        """One session that stays, those that were ended in every way, and one that began anew."""
        daemon = self.start("--logout-hold", f"{HOLD_S}s", "--flush-all", "allow", *args)
        with daemon.connect() as talk:
            for key, value in (("gone", b"v"), ("large", LARGE), ("past", b"v"), ("stays", b"v"), ("again", b"v")):
                self.assertEqual(talk.set(key, value, LONG_S), "STORED")
            for key in ("gone", "large", "again"):
                self.assertEqual(talk.ask(f"delete {key}"), "DELETED")
            self.assertEqual(talk.ask("touch past -1"), "TOUCHED")
            self.assertEqual(talk.ask(f"add again 0 {LONG_S} 1\r\nv"), "STORED")
        return daemon

    def judge(self, daemon, held=3, live=2):
        """The holds change nothing, so it can be asked again and again."""
        with daemon.connect() as talk:
            for key in ("gone", "large", "past"):
                self.assertEqual(talk.set(key, b"late", LONG_S), "NOT_STORED" if held else "STORED")
                self.assertEqual(talk.get(key), None if held else b"late")
            self.assertEqual(talk.set("stays", b"next", LONG_S), "STORED")
            self.assertEqual(talk.set("again", b"next", LONG_S), "STORED")
            if held:
                figures = talk.stats("sessions")
                self.assertEqual((figures["held"], figures["live"]), (str(held), str(live)))
                self.assertEqual(talk.stats()["curr_items"], str(live))

    def checkpoint(self, daemon):
        daemon.clock.move(HOUR_S)
        daemon.wait_for_stat("checkpoints", lambda count: count >= 1, timeout_s=60, section="journal")

    def run_tool(self, *args):
        ended = subprocess.run([SESSIONCTL, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                               timeout=60, check=False)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout


class CrashTest(HoldCase):
    def test_after_a_crash(self):
        """Twice: the second start reads what the first has copied."""
        daemon = self.start_and_log_out("--fsync", "always")
        self.judge(daemon)
        for _ in range(2):
            self.restart(daemon)
            self.judge(daemon)
        daemon.kill()
        contents = decode.read_directory(daemon.data_dir)
        self.assertEqual((set(contents.holds), set(contents.entries)),
                         ({b"gone", b"large", b"past"}, {b"stays", b"again"}))

    def test_after_a_checkpoint(self):
        daemon = self.start_and_log_out()
        self.checkpoint(daemon)
        self.restart(daemon)
        self.judge(daemon)
        daemon.kill()
        self.assertEqual(set(decode.read_directory(daemon.data_dir).holds), {b"gone", b"large", b"past"})
        daemon.start()
        daemon.clock.move(HOLD_S - HOUR_S + 1)
        self.judge(daemon, held=0)

    def test_one_whose_time_came_while_it_was_down(self):
        daemon = self.start_and_log_out()
        daemon.kill()
        daemon.clock.move(HOLD_S + 1)
        daemon.start()
        self.judge(daemon, held=0)

    def test_a_flush_leaves_it(self):
        """Who logged out in front of it must not come back behind it either."""
        daemon = self.start_and_log_out()
        with daemon.connect() as talk:
            self.assertEqual(talk.ask("flush_all"), "OK")
            for key in ("stays", "again"):
                self.assertEqual(talk.set(key, b"new", LONG_S), "STORED")
        self.judge(daemon)
        self.restart(daemon)
        self.judge(daemon)

    def test_the_option_off_again(self):
        """What was promised holds on; what is deleted now is not held."""
        daemon = self.start_and_log_out()
        daemon.kill()
        off = self.start("--data-dir", daemon.data_dir)
        self.judge(off)
        with off.connect() as talk:
            self.assertEqual(talk.ask("delete stays"), "DELETED")
            self.assertEqual(talk.set("stays", b"v", LONG_S), "STORED")


class Saver(threading.Thread):
    """A client that saves all sessions again and again, whoever has logged out."""

    def __init__(self, daemon, keys):
        super().__init__(daemon=True)
        self._daemon = daemon
        self._keys = keys
        self.stored = {key: -1.0 for key in keys}  # when the last save was sent that was stored
        self.n_refused = 0
        self.stop = threading.Event()
        self.start()

    def run(self):
        while not self.stop.is_set():
            with contextlib.suppress(OSError, AssertionError):  # the daemon is killed meanwhile
                self._save_on()

    def _save_on(self):
        with self._daemon.connect() as talk:
            while not self.stop.is_set():
                for key in self._keys:
                    sent = time.monotonic()
                    reply = talk.set(key, b"v", LONG_S)
                    if reply == "STORED":
                        self.stored[key] = sent
                    self.n_refused += reply == "NOT_STORED"


class RaceTest(HoldCase):
    def test_no_save_that_is_sent_behind_the_logout_is_stored(self):
        """Many save while each is logged out, and the daemon is killed in the middle."""
        keys = [f"key-{number}" for number in range(60)]
        daemon = self.start("--logout-hold", f"{HOLD_S}s", keeps_port=True)
        savers = [Saver(daemon, keys) for _ in range(4)]
        self.wait_until(lambda: all(saver.stored[keys[-1]] >= 0 for saver in savers), "each has saved all")
        ended = {}
        for number, key in enumerate(keys):
            with daemon.connect() as talk:
                self.assertEqual(talk.ask(f"delete {key}"), "DELETED")
            ended[key] = time.monotonic()
            if number % 20 == 10:
                daemon.kill()
                daemon.start()
        refused = [saver.n_refused for saver in savers]
        self.wait_until(lambda: all(saver.n_refused > before + 2 * len(keys) for saver, before in zip(savers, refused)),
                        "each has tried once more")
        for saver in savers:
            saver.stop.set()
            saver.join(WAIT_S)
            self.assertEqual([key for key in keys if saver.stored[key] > ended[key]], [])
        with daemon.connect() as talk:
            self.assertEqual([key for key in keys if talk.get(key) is not None], [])


class DumpTest(HoldCase):
    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="sessiond-hold-"))
        self.socket = os.path.join(self.directory, "one.sock")
        self.dump = os.path.join(self.directory, "dump")

    def restored(self):
        """Another daemon, without the option, that the dump was restored to."""
        path = os.path.join(self.directory, "other.sock")
        other = self.start("--admin-listen", f"unix:{path}")
        told = self.run_tool("restore", self.dump, "--yes", "--socket", path)
        self.assertIn(" 2 sessions restored; 0 were there", told)
        return other

    def test_a_dump_carries_it(self):
        self.start_and_log_out("--admin-listen", f"unix:{self.socket}")
        self.run_tool("dump", self.dump, "--socket", self.socket)
        self.judge(self.restored())

    def test_salvage_carries_it(self):
        daemon = self.start_and_log_out()
        daemon.kill()
        found = self.run_tool("check", daemon.data_dir, "--salvage", self.dump)
        self.assertRegex(found, r"\b2 sessions")
        self.judge(self.restored())

    def test_an_older_dump_brings_nobody_back(self):
        daemon = self.start("--logout-hold", f"{HOLD_S}s", "--admin-listen", f"unix:{self.socket}")
        with daemon.connect() as talk:
            self.assertEqual(talk.set("leaves", b"v", LONG_S), "STORED")
            self.run_tool("dump", self.dump, "--socket", self.socket)
            self.assertEqual(talk.ask("delete leaves"), "DELETED")
            told = self.run_tool("restore", self.dump, "--yes", "--socket", self.socket)
            self.assertIn(" 0 sessions restored", told)
            self.assertIsNone(talk.get("leaves"))


if __name__ == "__main__":
    unittest.main()
