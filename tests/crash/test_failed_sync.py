"""A sync that fails: nothing is acknowledged after it, it is not tried again, exit 74; the next start has all before.

The kernel may drop what it could not write and tell of it once: a second sync that succeeds means nothing.
"""

import re
import signal
import unittest

from crash_case import (
    EXIT_IO, FSYNC_MODES, LONG_S, WAIT_S, CrashCase, Strace, gone_or_after, needs_strace,
)
from fleet import Fleet

CALL = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?:\((\d+)(<[^>]+>)| resumed>)")
TOLD = re.compile(r'"(STORED|DELETED|TOUCHED)')


def told_unsynced(lines):
    """Replies to changes that no sync of the journal covers: none began and ended between request and reply.

    strace lets a thread go on after it has told of its call, so whatever a call led to is told below it.
    """
    calling = {}  # thread -> (descriptor and file, where its call began)
    received = {}  # connection -> where its last request had come
    synced = -1  # where the last sync that succeeded began
    unsynced = []
    for at, line in enumerate(lines):
        if not (call := CALL.match(line)):
            continue
        thread, name, descriptor, file = call.groups()
        if descriptor:
            calling[thread] = descriptor + file, at
        target, begun = calling[thread]
        if name in ("sendto", "sendmsg") and TOLD.search(line) and received.get(target, at) > synced:
            unsynced.append(line)
        if "<unfinished" in line:
            continue
        if name == "recvfrom" and re.search(r" = [1-9]\d*$", line):
            received[target] = at
        if name == "fdatasync" and "/journal-" in target and line.endswith(" = 0"):
            synced = max(synced, begun)
    return unsynced


@needs_strace
class FailedSyncTest(CrashCase):
    def assert_io_exit(self, daemon):
        self.assertEqual(daemon.wait(WAIT_S), EXIT_IO, daemon.stderr_text())
        self.assert_clean(daemon)
        self.assertRegex(daemon.stderr_text(),
                         r"error cannot sync " + re.escape(daemon.data_dir) + r"/journal-\d+: Input/output error")

    def failed_at(self, lines):
        """(index of the failure, its file), which may be told in two lines."""
        at = next(i for i, line in enumerate(lines) if "EIO" in line)
        thread = lines[at].split()[0]
        begun = next(line for line in reversed(lines[:at + 1])
                     if line.startswith(thread + " ") and "fdatasync(" in line)
        return at, re.search(r"<([^>]+)>", begun)[1]

    def test_under_load(self):
        for mode in ("always", "everysec"):
            for n in (1, 4):
                with self.subTest(f"{mode} {n}"):
                    self.run_to_the_failure(mode, n)

    def run_to_the_failure(self, mode, n):
        daemon = self.start_traced("--fsync", mode, "--memory", "1g")
        fleet = Fleet(daemon.clock, seed=n, n_clients=16, n_sessions=1600)
        with Strace(daemon, f"fdatasync:error=EIO:when={n}", "fdatasync,recvfrom,sendto,sendmsg") as strace:
            daemon.expect_exit()

            async def end():
                await gone_or_after(daemon, WAIT_S)

            fleet.run(daemon.address, end)
            self.assert_io_exit(daemon)
            strace.wait()
            lines = strace.lines()
        at, name = self.failed_at(lines)
        later = lines[at + 1:]
        self.assertEqual([line for line in later if "fdatasync(" in line and name in line], [])
        if mode == "always":  # a reply to a change needs a sync, and there was none
            self.assertEqual(told_unsynced(lines), [])
            self.assertTrue(n == 1 or any(map(TOLD.search, lines)), "no reply was seen at all")
        self.restart(daemon)
        self.judge(fleet, daemon)
        self.stop(daemon)

    def test_nobody_is_told_of_a_logout_that_failed(self):
        for mode in FSYNC_MODES[:2]:
            with self.subTest(mode):
                daemon = self.start_traced("--fsync", mode)
                conversations = [self.connect(daemon) for _ in range(10)]
                for number, conversation in enumerate(conversations):
                    self.assertEqual(conversation.set(f"k{number}", "x", LONG_S), "STORED")
                with Strace(daemon, "fdatasync:error=EIO:delay_enter=300000"):
                    daemon.expect_exit()
                    for number, conversation in enumerate(conversations):
                        conversation.send(f"delete k{number}\r\nversion\r\n")
                    for conversation in conversations:
                        conversation.expect_closed(WAIT_S)
                    self.assert_io_exit(daemon)
                self.restart(daemon)
                self.connect(daemon).expect_open()
                self.stop(daemon)

    def test_at_the_stop(self):
        """`never` syncs only there; a stop that could not is no orderly one."""
        daemon = self.start_traced("--fsync", "never")
        conversation = self.connect(daemon)
        self.assertEqual(conversation.set("k", "x"), "STORED")
        with Strace(daemon, "fdatasync:error=EIO:when=1") as strace:
            daemon.expect_exit()
            daemon.signal(signal.SIGTERM)
            self.assert_io_exit(daemon)
            strace.wait()
            self.assertEqual(len([line for line in strace.lines() if "fdatasync" in line and "journal-" in line]), 1)
        self.restart(daemon)
        self.assertEqual(self.connect(daemon).get("k"), b"x")
        self.stop(daemon)

    def test_a_write_that_fails(self):
        """Whatever its error: it is not tried again, and not taken for a full disk when it is none."""
        for error in ("EIO", "ENOSPC", "EROFS"):
            with self.subTest(error):
                daemon = self.start_traced()
                conversation = self.connect(daemon)
                self.assertEqual(conversation.set("k", "x", LONG_S), "STORED")
                with Strace(daemon, f"pwritev:error={error}:when=1", "pwritev"):
                    daemon.expect_exit()
                    conversation.send_line("delete k")
                    conversation.expect_closed(WAIT_S)
                    self.assertEqual(daemon.wait(WAIT_S), EXIT_IO, daemon.stderr_text())
                self.assertRegex(daemon.stderr_text(), r"error cannot write \S+/journal-\d+: ")
                self.restart(daemon)
                self.assertEqual(self.connect(daemon).get("k"), b"x")
                self.stop(daemon)

    def test_an_interrupted_write_is_tried_again(self):
        daemon = self.start_traced()
        conversation = self.connect(daemon)
        self.assertEqual(conversation.set("k", "x", LONG_S), "STORED")
        with Strace(daemon, "pwritev:error=EINTR:when=1..3", "pwritev"):
            self.assertEqual(conversation.ask("delete k"), "DELETED")
        self.restart(daemon)
        self.assertIsNone(self.connect(daemon).get("k"))
        self.stop(daemon)


if __name__ == "__main__":
    unittest.main()
