"""A disk that does not come back for a while: reads are answered, changes wait, memory stays, and then all goes on.

The sync is held until strace leaves, so nothing here is a matter of speed.
"""

import time
import unittest

from crash_case import HELD, LONG_S, WAIT_S, CrashCase, Strace, is_answered, is_sanitized, needs_strace

MIB = 1 << 20
N_KEYS = 200
N_FLOODERS = 4
FLOOD_MOST = 64 * MIB  # many times what the journal's files and its batch take
MEMORY_MOST = 24 * MIB


@needs_strace
class StalledDiskTest(CrashCase):
    def fill(self, daemon):
        with daemon.connect(timeout_s=WAIT_S) as conversation:
            for number in range(N_KEYS):
                self.assertEqual(conversation.set(f"k{number}", f"v{number}", LONG_S), "STORED")

    def hold(self, daemon, strace):
        """A logout whose sync does not end."""
        waiting = self.connect(daemon)
        waiting.send_line("delete k0")
        strace.wait_for("fdatasync")
        return waiting

    def test_reads_go_on_and_changes_wait(self):
        for mode in ("everysec", "always"):
            with self.subTest(mode):
                daemon = self.start_traced("--fsync", mode)
                self.fill(daemon)
                with Strace(daemon, HELD) as strace:
                    waiting = self.hold(daemon, strace)
                    self.read_all(daemon, mode)
                    changing = self.connect(daemon)
                    changing.send_line("delete k1")
                    daemon.wait_for_stat("conn_parked_now", lambda count: count >= 2)
                    self.assertFalse(is_answered(waiting))
                    self.assertFalse(is_answered(changing))
                    strace.leave()
                    self.assertEqual(waiting.read_line(), "DELETED")
                    self.assertEqual(changing.read_line(), "DELETED")
                self.restart(daemon)
                again = self.connect(daemon)
                self.assertIsNone(again.get("k0"))
                self.assertIsNone(again.get("k1"))
                self.assertEqual(again.get("k2"), b"v2")
                self.stop(daemon)

    def read_all(self, daemon, mode):
        """In `always` those that share a shard with an unsynced change wait."""
        readers = [self.connect(daemon) for _ in range(N_KEYS)]
        for number, reader in enumerate(readers[1:], 1):
            reader.send_line(f"get k{number}")
        wanted = N_KEYS - 1 if mode == "everysec" else N_KEYS // 2
        self.wait_until(lambda: sum(map(is_answered, readers)) >= wanted, "other keys are read")
        for number, reader in enumerate(readers):
            if is_answered(reader):
                self.assertEqual(reader.read_values()[f"k{number}"][2], b"v%d" % number)

    def test_what_nobody_was_told_of_holds_back_the_next_reply(self):
        """A quiet logout, and one that another client's logout has made unnecessary."""
        daemon = self.start_traced()
        self.fill(daemon)
        with Strace(daemon, HELD) as strace:
            waiting = self.hold(daemon, strace)
            quiet, again, reading = (self.connect(daemon) for _ in range(3))
            quiet.send("delete k1 noreply\r\nversion\r\n")
            again.send_line("delete k0")
            daemon.wait_for_stat("conn_parked_now", 3)
            reading.send_line("get k0")
            self.assertEqual(reading.read_line(), "END")
            for conversation in (waiting, quiet, again):
                self.assertFalse(is_answered(conversation))
            strace.leave()
            self.assertEqual(waiting.read_line(), "DELETED")
            self.assertEqual(quiet.read_line(), "VERSION 1.6.18")
            self.assertEqual(again.read_line(), "NOT_FOUND")
        self.restart(daemon)
        self.assertIsNone(self.connect(daemon).get("k1"))

    def test_nothing_is_answered_before_it_is_written(self):
        """Not even what waits for no sync: a crash of the process would take it back."""
        daemon = self.start_traced(env={"SESSIOND_TEST_FAILPOINT": "frame.made:pause:3"})
        with Strace(daemon, HELD) as strace:
            self.assertEqual(self.connect(daemon).set("k0", "x", LONG_S), "STORED")
            waiting = self.hold(daemon, strace)
            storing = self.connect(daemon)
            storing.send("set new 0 0 1\r\nx\r\n")
            daemon.wait_for_stat("conn_parked_now", 2)
            self.assertEqual(self.connect(daemon).get("new"), b"x")
            self.assertFalse(is_answered(waiting))
            self.assertFalse(is_answered(storing))
            strace.leave()
            self.assertEqual(waiting.read_line(), "DELETED")
            self.assertFalse(is_answered(storing))
        daemon.kill()
        daemon.env.clear()
        daemon.start()
        self.assertIsNone(self.connect(daemon).get("new"))

    def test_old_changes_hold_back_new_ones(self):
        """everysec promises the loss of a second at most: behind it ordinary changes wait, too."""
        daemon = self.start_traced()
        self.fill(daemon)
        with Strace(daemon, HELD) as strace:
            waiting = self.hold(daemon, strace)
            storing = self.connect(daemon)
            self.wait_until(lambda: self.is_held_back(storing), "a set is not answered")
            self.assertEqual(self.connect(daemon).get("k5"), b"v5")
            strace.leave()
            self.assertEqual(storing.read_line(), "STORED")
            self.assertEqual(waiting.read_line(), "DELETED")

    @staticmethod
    def is_held_back(conversation):
        conversation.send("set new 0 0 1\r\nx\r\n")
        deadline = time.monotonic() + 1.5  # what is answered at all is answered sooner
        while not is_answered(conversation):
            if time.monotonic() > deadline:
                return True
            time.sleep(0.01)
        conversation.read_line()
        return False

    def test_a_flood_of_changes_takes_no_memory(self):
        daemon = self.start_traced()
        self.fill(daemon)
        resident = daemon.resident_bytes()
        with Strace(daemon, HELD) as strace:
            waiting = self.hold(daemon, strace)
            flooders = [self.connect(daemon) for _ in range(N_FLOODERS)]
            n_sent = self.flood(daemon, flooders)
            self.assertTrue(all(n < FLOOD_MOST for n in n_sent), n_sent)
            if not is_sanitized():
                self.assertLess(daemon.resident_bytes() - resident, MEMORY_MOST)
            for number in range(2, 50):
                self.assertEqual(self.connect(daemon).get(f"k{number}"), b"v%d" % number)
            self.assertFalse(is_answered(waiting))
            strace.leave()
            self.assertEqual(waiting.read_line(), "DELETED")
        self.end_flood(daemon, flooders, n_sent)

    @staticmethod
    def piece(number):
        """A change of 1 KiB, of one of ten keys."""
        head = b"set f%d 0 0 " % (number % 10)
        value = b"%010d" % number
        return head + b"1000 noreply\r\n" + value + b"x" * 990 + b"\r\n"

    def flood(self, daemon, flooders):
        """Send until the daemon takes no more; returns how many bytes of each flooder's stream are sent."""
        n_sent = [0] * len(flooders)
        for flooder in flooders:
            flooder.socket.setblocking(False)
        for _ in range(2000):
            before = sum(n_sent)
            for at, flooder in enumerate(flooders):
                n_sent[at] += self.push(flooder, n_sent[at], at)
            if sum(n_sent) == before:
                if int(daemon.stats("journal")["journal_busy"]) > 0:
                    return n_sent
                time.sleep(0.05)
        self.fail(f"the daemon still reads after {sum(n_sent)} bytes")

    def stream(self, at, n_pieces=2000):
        """The repeating part of what a flooder sends; the flooders have keys of their own."""
        return b"".join(self.piece(number).replace(b"set f", b"set f%d" % at, 1) for number in range(n_pieces))

    def push(self, flooder, n_sent, at):
        data = self._streams.setdefault(at, self.stream(at))
        try:
            return flooder.socket.send(data[n_sent % len(data):][:65536])
        except BlockingIOError:
            return 0

    def setUp(self):
        self._streams = {}

    def end_flood(self, daemon, flooders, n_sent):
        """The rest of the stream, and then what it must have come to, also behind a crash."""
        for at, flooder in enumerate(flooders):
            flooder.send(self._streams[at][n_sent[at] % len(self._streams[at]):] + b"version\r\n")
        for flooder in flooders:
            self.assertEqual(flooder.read_line(), "VERSION 1.6.18")
        for _ in range(2):
            reader = self.connect(daemon)
            for at in range(len(flooders)):
                for key in range(10):
                    self.assertEqual(reader.get(f"f{at}{key}")[:10], b"%010d" % (1990 + key))
            self.restart(daemon)
        self.stop(daemon)


if __name__ == "__main__":
    unittest.main()
