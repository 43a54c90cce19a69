"""SIGTERM under load and while the disk is slow: an orderly end, exit 0, and nothing that was answered is lost."""

import signal
import unittest

from crash_case import FSYNC_MODES, HELD, LONG_S, WAIT_S, CrashCase, Strace, cycles, needs_strace, stop_after
from fleet import Fleet


class RestartTest(CrashCase):
    def test_sigterm_under_load(self):
        for mode in FSYNC_MODES:
            daemon = self.start("--fsync", mode, "--flush-all", "allow")
            fleet = Fleet(daemon.clock, seed=7, n_sessions=3200)
            for cycle in range(cycles(4, 2)):
                with self.subTest(f"{mode} {cycle}"):
                    fleet.flushes = cycle == 3
                    fleet.run(daemon.address, stop_after(daemon, 0.2))
                    self.assertEqual(daemon.wait(WAIT_S), 0, daemon.stderr_text())
                    self.restart(daemon)
                    self.assertNotIn("had not been synced", daemon.stderr_text())
                    self.judge(fleet, daemon)
            self.stop(daemon)

    @needs_strace
    def test_sigterm_while_replies_wait_for_the_disk(self):
        """They leave when the disk has done its work; the daemon ends in order behind it."""
        daemon = self.start_traced()
        conversations = [self.connect(daemon) for _ in range(8)]
        for number, conversation in enumerate(conversations):
            self.assertEqual(conversation.set(f"k{number}", "x", LONG_S), "STORED")
        with Strace(daemon, HELD) as strace:
            for number, conversation in enumerate(conversations):
                conversation.send_line(f"delete k{number}")
            daemon.wait_for_stat("conn_parked_now", len(conversations))
            daemon.expect_exit()
            daemon.signal(signal.SIGTERM)
            daemon.wait_for_stderr("SIGTERM.*stopping")
            strace.leave()
            for conversation in conversations:
                self.assertEqual(conversation.read_to_close(WAIT_S), b"DELETED\r\n")
            self.assertEqual(daemon.wait(WAIT_S), 0, daemon.stderr_text())
        self.assert_all_gone(daemon, len(conversations))

    @needs_strace
    def test_sigterm_while_the_disk_is_slower_than_the_stop(self):
        """Nobody is told what is not on disk."""
        daemon = self.start_traced("--stop-timeout", "300ms")
        conversations = [self.connect(daemon) for _ in range(4)]
        for number, conversation in enumerate(conversations):
            self.assertEqual(conversation.set(f"k{number}", "x", LONG_S), "STORED")
        with Strace(daemon, HELD) as strace:
            for number, conversation in enumerate(conversations):
                conversation.send_line(f"delete k{number}")
            daemon.wait_for_stat("conn_parked_now", len(conversations))
            daemon.expect_exit()
            daemon.signal(signal.SIGTERM)
            for conversation in conversations:
                conversation.expect_closed(WAIT_S)
            self.assertTrue(daemon.running)
            strace.leave()
            self.assertEqual(daemon.wait(WAIT_S), 0, daemon.stderr_text())
        self.assert_all_gone(daemon, len(conversations))

    def assert_all_gone(self, daemon, n_keys):
        self.restart(daemon)
        conversation = self.connect(daemon)
        for number in range(n_keys):
            self.assertIsNone(conversation.get(f"k{number}"))

    @needs_strace
    def test_a_stop_syncs_in_every_mode(self):
        """What a restart of the machine right behind it would otherwise take back."""
        for mode in FSYNC_MODES:
            with self.subTest(mode):
                daemon = self.start_traced("--fsync", mode)
                conversation = self.connect(daemon)
                with Strace(daemon, "fdatasync:delay_enter=1", "fdatasync,pwritev") as strace:
                    self.assertEqual(conversation.set("unsynced", "x"), "STORED")
                    if mode == "never":
                        self.assertEqual([line for line in strace.lines() if "fdatasync" in line], [])
                    daemon.expect_exit()
                    daemon.signal(signal.SIGTERM)
                    self.assertEqual(daemon.wait(WAIT_S), 0, daemon.stderr_text())
                    strace.wait()
                    calls = [line for line in strace.lines() if "/journal-" in line]
                    self.assertIn("fdatasync", calls[-1], calls)
                    self.assertTrue(any("pwritev" in line for line in calls), calls)
                daemon.start()
                self.assertEqual(self.connect(daemon).get("unsynced"), b"x")
                daemon.kill()

    def test_sigterm_again_and_again(self):
        """Restarts alone make nothing grow without end and lose nothing."""
        daemon = self.start()
        self.assertEqual(self.connect(daemon).set("k", "x"), "STORED")
        for number in range(12):
            self.stop(daemon)
            daemon.start()
            self.assertEqual(self.connect(daemon).get("k"), b"x")
        self.stop(daemon)


if __name__ == "__main__":
    unittest.main()
