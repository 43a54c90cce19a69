"""The watchdog: fed while everybody goes on, idle or held up by the disk, and not fed when one thread is stuck."""

from service_case import ServiceCase, unittest

WATCHDOG_US = 1200000  # four looks
STUCK = "a thread of the journal does not go on"
ROUNDS_MAX = 100000
LOOKS_MAX = 60


class WatchdogTest(ServiceCase):
    def setUp(self):
        super().setUp()
        self.manager = self.notices()

    def start_watched(self, *args, failpoint=None):
        environment = {"NOTIFY_SOCKET": self.manager.address, "WATCHDOG_USEC": str(WATCHDOG_US)}
        if failpoint:
            environment["SESSIOND_TEST_FAILPOINT"] = failpoint
        return self.start(*args, env=environment)

    def expect_fed(self, times=5):
        """Again and again; a look that a busy machine has spoilt may lie between."""
        for _ in range(times):
            self.manager.wait_for("WATCHDOG")

    def expect_not_fed(self, who, times=5):
        """From some look on; those before may have found nobody, or others on a busy machine."""
        in_a_row = 0
        for _ in range(LOOKS_MAX):
            told = self.manager.wait_for("STATUS")
            in_a_row = in_a_row + 1 if told == {"STATUS": f"{who} does not go on"} else 0
            if in_a_row == times:
                return
        self.fail(f"never {times} in a row: {self.manager.all[-times:]}")

    def end(self, daemon):
        """One with a thread that is stuck ends by no signal that it could look at."""
        daemon.kill()

    def store(self, daemon, is_held=False):
        conversation = self.connect(daemon)
        conversation.send("set k 0 0 1\r\nx\r\n")
        if not is_held:
            self.assertEqual(conversation.read_line(), "STORED")

    def test_fed_while_idle(self):
        daemon = self.start_watched("--threads", "2")
        self.expect_fed()
        self.store(daemon)
        self.manager.wait_for("STATUS", "1 live sessions")

    def test_fed_without_a_journal(self):
        self.start_watched("--data-dir", "none")
        self.expect_fed()

    def test_stuck_worker(self):
        daemon = self.start_watched("--threads", "2", failpoint="worker.turned:pause:10")
        self.expect_not_fed("a worker")
        daemon.wait_for_stderr("error a worker does not go on: the watchdog is not fed")
        self.end(daemon)

    def test_stuck_syncer(self):
        daemon = self.start_watched(failpoint="sync.published:pause:1")
        self.store(daemon)
        self.expect_not_fed("a thread of the journal")
        self.end(daemon)

    def test_stuck_maker_of_segments(self):
        daemon = self.start_watched(failpoint="spare.published:pause:1")
        self.expect_not_fed("a thread of the journal")
        self.end(daemon)

    def test_stuck_checkpointer(self):
        daemon = self.start_watched(failpoint="time.looked:pause:2")
        self.expect_not_fed("a thread of the journal")
        self.end(daemon)

    def test_stuck_flusher(self):
        daemon = self.start_watched("--threads", "2", "--fsync", "always", failpoint="flush.published:pause:1")
        # It writes what comes while a sync runs.
        writers = [self.connect(daemon) for _ in range(4)]
        for number in range(ROUNDS_MAX):
            for writer in writers:
                writer.send(f"set k{number} 0 0 1 noreply\r\nx\r\n")
            if self.manager.has_said(STUCK):
                break
        self.expect_not_fed("a thread of the journal")
        self.end(daemon)

    def test_disk_that_holds_a_sync_up(self):
        """Reads go on while a disk stalls: a restart would take that away, and mend nothing."""
        daemon = self.start_watched(failpoint="sync.begun:pause:1")
        self.store(daemon)
        self.expect_fed()
        self.end(daemon)

    def test_disk_that_holds_a_write_up(self):
        daemon = self.start_watched("--threads", "2", failpoint="frame.made:pause:1")
        self.store(daemon, is_held=True)
        self.expect_fed()
        self.end(daemon)


if __name__ == "__main__":
    unittest.main()
