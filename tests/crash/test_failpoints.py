"""The daemon kills itself at each named place, under load, and during its recovery again and again.

After each start every session must be what it may be; a recovery that was cut short any number of times must
end where an undisturbed one ends.
"""

import re
import shutil
import signal
import unittest
from pathlib import Path

from crash_case import HERE, CrashCase, cycles, gone_or_after, is_sanitized, kill_after, stop_after
from fleet import Fleet
from sessiond_process import DaemonError, SessiondProcess

SOURCES = Path(HERE).parents[1] / "src"
VARIABLE = "SESSIOND_TEST_FAILPOINT"
PATIENCE_S = 60  # for a place that is passed seldom

# Under load: the place, and the times of its passing at which the daemon is killed.
RUNNING = {
    "change.accepted": (1, 2, 900),
    "frame.made": (1, 3, 300),
    "frame.linked": (1,),
    "frame.written": (1, 2, 300),
    "sync.begun": (1, 2, 40),
    "sync.previous": (1,),
    "sync.done": (1, 5, 40),
    "sync.published": (1, 5, 40),
    "seal.written": (1,),
    "seal.synced": (1,),
    "reply.sent": (1, 2, 500),
    "reply.parked": (1, 2, 50),
    "segment.filled": (1, 3),
    # The turns of threads, which a watchdog looks at; the first ones are over before the daemon is ready.
    "worker.turned": (50, 900),
    "flush.published": (3, 40),
    "spare.published": (3,),
    "time.looked": (3,),
}
# Under load, while half an hour passes before each of them.
CHECKPOINT = {
    "checkpoint.begun": (1, 2),
    "checkpoint.frame": (1, 2),
    "checkpoint.walked": (1, 2),
    "checkpoint.ended": (1, 2),
    "checkpoint.named": (1, 2),
    "checkpoint.removed": (1, 2),
}
IMAGE = "recovery.image"  # where there is a checkpoint
# The next journal file is made under load; a recovery makes the first.
SEGMENT = ("segment.created", "segment.synced", "segment.renamed", "segment.named")
STARTING = {
    "recovery.begun": (1,),
    "recovery.frame": (1, 7),
    "recovery.replayed": (1,),
    "recovery.linked": (1,),
    "recovery.copied": (1,),
    "recovery.finished": (1,),
    "recovery.removed": (1,),
    "recovery.sealed": (1,),
    "recovery.cut": (1,),
}
STOPPING = ("stop.begun", "stop.drained", "stop.synced")
HALF_HOUR_S = 1801
MOST_KILLS = 5  # of one recovery in a row


class FailpointsTest(CrashCase):
    def setUp(self):
        self.daemon_ = None
        self.fleet = None

    def begin(self, mode="always"):
        self.daemon_ = self.start("--fsync", mode)
        self.fleet = Fleet(self.daemon_.clock, seed=len(mode), n_clients=16, n_sessions=1600)
        self.go_on()
        self.start_and_judge()

    def go_on(self, seconds=0.2):
        self.fleet.run(self.daemon_.address, kill_after(self.daemon_, seconds))

    def set_failpoint(self, name, n):
        self.daemon_.env[VARIABLE] = f"{name}:kill:{n}"

    def clear_failpoint(self):
        self.daemon_.env.pop(VARIABLE, None)

    def start_and_judge(self):
        self.clear_failpoint()
        self.restart(self.daemon_)
        self.judge(self.fleet, self.daemon_)

    def assert_killed_itself(self, name):
        """The load reaches the place, and the daemon is gone before the test's patience is."""
        was_running = []

        async def end():
            self.daemon_.expect_exit()
            await gone_or_after(self.daemon_, PATIENCE_S)
            was_running.append(self.daemon_.running)
            self.daemon_.kill()

        self.fleet.run(self.daemon_.address, end)
        self.assertEqual(was_running, [False], f"{name} was not reached")
        self.assertEqual(self.daemon_.returncode, -signal.SIGKILL)

    def test_every_failpoint_is_tested(self):
        names = set()
        for path in SOURCES.rglob("*.c"):
            names |= set(re.findall(r'failpoint\("([^"]+)"\)', path.read_text(encoding="utf-8")))
        self.assertEqual(names, {*RUNNING, *CHECKPOINT, IMAGE, *SEGMENT, *STARTING, *STOPPING})
        self.assertGreaterEqual(len(names), 25)

    def test_under_load(self):
        self.begin()
        for name, counts in {**RUNNING, **dict.fromkeys(SEGMENT, (3,))}.items():
            for n in counts[:1] if is_sanitized() else counts:
                with self.subTest(f"{name}:{n}"):
                    self.daemon_.kill()
                    self.set_failpoint(name, n)
                    self.daemon_.start()
                    self.assert_killed_itself(name)
                    self.start_and_judge()

    def test_during_checkpoints(self):
        """Clients go on, and checkpoints come, until the named place is reached."""
        self.begin("everysec")
        for name, counts in CHECKPOINT.items():
            for n in counts[:1] if is_sanitized() else counts:
                with self.subTest(f"{name}:{n}"):
                    self.daemon_.kill()
                    self.set_failpoint(name, n)
                    self.daemon_.start()
                    self.go_on_until_killed(name, n)
                    self.start_and_judge()
        self.assertNotEqual(list(Path(self.daemon_.data_dir).glob("checkpoint-*")), [])
        self.daemon_.kill()
        self.set_failpoint(IMAGE, 1)
        self.assertEqual(self.kill_recoveries(), MOST_KILLS)
        self.start_and_judge()

    def go_on_until_killed(self, name, n):
        async def end():
            self.daemon_.expect_exit()
            await gone_or_after(self.daemon_, PATIENCE_S)

        for _ in range(n + 1):
            if self.daemon_.running:
                self.daemon_.clock.move(HALF_HOUR_S)
                self.fleet.run(self.daemon_.address, end)
                if self.daemon_.running:
                    self.judge(self.fleet, self.daemon_)
        self.assertFalse(self.daemon_.running, f"{name} was not reached")
        self.assertEqual(self.daemon_.returncode, -signal.SIGKILL)

    def test_at_a_first_start(self):
        """An empty directory: whatever is left of a start that never ended is no obstacle."""
        for name in (*SEGMENT, "recovery.begun", "recovery.linked", "recovery.copied", "recovery.finished"):
            with self.subTest(name):
                daemon = SessiondProcess(env={VARIABLE: f"{name}:kill:1"})
                self.addCleanup(daemon._discard)
                self.assert_start_dies(daemon)
                daemon.env.clear()
                daemon.start()
                self.assertEqual(daemon.stats()["curr_items"], "0")
                daemon.kill()

    def assert_start_dies(self, daemon):
        daemon.expect_exit()
        with self.assertRaises(DaemonError):
            daemon.start()
        self.assertEqual(daemon.returncode, -signal.SIGKILL, daemon.stderr_text())

    def test_during_recovery(self):
        """Killed there 1 to 5 times in a row: what comes out is what one undisturbed recovery makes of it."""
        self.begin("everysec")
        for name, counts in {**dict.fromkeys(SEGMENT, (1,)), **STARTING}.items():
            for n in counts:
                with self.subTest(f"{name}:{n}"):
                    self.go_on_to_the_crash()
                    wanted = self.read_copy()
                    self.set_failpoint(name, n)
                    n_kills = self.kill_recoveries()
                    self.assertGreater(n_kills, 0, f"{name} was not reached")
                    self.start_and_judge()
                    self.assertEqual(self.fleet.snapshot(), wanted)

    def go_on_to_the_crash(self):
        if not self.daemon_.running:
            self.clear_failpoint()
            self.daemon_.start()
        self.go_on(0.25)

    def kill_recoveries(self):
        n_kills = 0
        while n_kills < MOST_KILLS:
            try:
                self.daemon_.start()
            except DaemonError:
                self.assertEqual(self.daemon_.returncode, -signal.SIGKILL, self.daemon_.stderr_text())
                n_kills += 1
            else:  # its work was done by an earlier try
                self.daemon_.kill()
                break
        return n_kills

    def read_copy(self):
        """{name: (flags, cas, value)} of a daemon that recovers a copy of the directory undisturbed."""
        copy = self.daemon_.data_dir + "-copy"
        shutil.copytree(self.daemon_.data_dir, copy)
        values = {}
        try:
            with SessiondProcess(["--memory", "64m", "--data-dir", copy],
                                 env={"SESSIOND_TEST_CLOCK": self.daemon_.clock.path}) as other:
                with other.connect() as conversation:
                    names = [session.name for session in self.fleet.sessions()]
                    for at in range(0, len(names), 100):
                        conversation.send_line("gets " + " ".join(names[at:at + 100]))
                        values.update(conversation.read_values())
        finally:
            shutil.rmtree(copy)
        return values

    def test_while_stopping(self):
        for mode in ("always", "never"):
            self.begin(mode)
            for name in STOPPING:
                with self.subTest(f"{mode} {name}"):
                    self.daemon_.kill()
                    self.set_failpoint(name, 1)
                    self.daemon_.start()
                    self.fleet.run(self.daemon_.address, stop_after(self.daemon_, 0.2))
                    self.assertEqual(self.daemon_.returncode, -signal.SIGKILL)
                    self.start_and_judge()
            self.daemon_.kill()

    def test_random_places(self):
        """A place and a count by chance, and the next start is disturbed as well."""
        self.begin("everysec")
        names = [*RUNNING, *SEGMENT]
        starts = list(STARTING)
        for cycle in range(cycles(12, 4)):
            chance = self.fleet.random
            with self.subTest(cycle):
                self.daemon_.kill()
                self.set_failpoint(chance.choice(names), chance.choice((2, 3, 5, 20, 80)))
                try:
                    self.daemon_.start()
                    self.go_on(0.5)
                except DaemonError:
                    self.assertEqual(self.daemon_.returncode, -signal.SIGKILL, self.daemon_.stderr_text())
                self.set_failpoint(chance.choice(starts), 1)
                self.kill_recoveries()
                self.start_and_judge()


if __name__ == "__main__":
    unittest.main()
