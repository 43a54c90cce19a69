"""What the service manager is told, and when: recovery, ready, reload, stop, and why there was no start."""

import os
import re
import signal
import socket
import time

from service_case import ServiceCase, unittest
from sessiond_process import SessiondProcess, run_sessiond

MIB = 1 << 20
EXTENDED_US = "60000000"
FILLS_MAX = 100  # a checkpoint has come long before


class NotifyTest(ServiceCase):
    def setUp(self):
        super().setUp()
        self.manager = self.notices()

    def start_told(self, *args, **environment):
        return self.start(*args, env={"NOTIFY_SOCKET": self.manager.address, **environment})

    def test_ready_when_clients_can_connect(self):
        daemon = self.start_told()
        begun = self.manager.wait_for("STATUS", "recovering")
        self.assertEqual(begun["EXTEND_TIMEOUT_USEC"], EXTENDED_US)
        ready = self.manager.wait_for("READY")
        self.assertEqual(ready, {"READY": "1", "STATUS": "0 live sessions"})
        daemon.stop()
        stopping = self.manager.wait_for("STOPPING")
        self.assertEqual(stopping, {"STOPPING": "1", "STATUS": "stopping", "EXTEND_TIMEOUT_USEC": "90000000"})

    def test_stop_may_take_its_timeout(self):
        daemon = self.start_told("--stop-timeout", "5m")
        daemon.stop()
        self.assertEqual(self.manager.wait_for("STOPPING")["EXTEND_TIMEOUT_USEC"], "360000000")

    def test_not_ready_before_recovery_has_ended(self):
        environment = {"NOTIFY_SOCKET": self.manager.address, "SESSIOND_TEST_FAILPOINT": "recovery.cut:pause:1"}
        daemon = SessiondProcess([], env=environment)
        self.addCleanup(daemon._discard)
        daemon.prepare()
        daemon._spawn(daemon.command(), {**os.environ, "XDG_STATE_HOME": self.directory, **environment})
        self.manager.wait_for("STATUS", "recovering")
        self.assertFalse(self.manager.comes("READY", within_s=0.5))
        daemon.kill()

    def fill(self, daemon, n_values):
        with daemon.connect() as conversation:
            for number in range(n_values):
                conversation.send(f"set large:{number} 0 0 {MIB // 2}\r\n".encode() + b"x" * (MIB // 2) + b"\r\n")
                self.assertEqual(conversation.read_line(), "STORED")

    def test_start_may_take_longer_while_recovery_gets_on(self):
        daemon = self.start_told("--memory", "256m")
        self.fill(daemon, 40)
        daemon.stop()
        self.manager.collect()
        daemon.start()
        gets_on = self.manager.wait_for("STATUS", r"recovering: 1[67] of \d+ MiB")
        self.assertEqual(gets_on["EXTEND_TIMEOUT_USEC"], EXTENDED_US)
        self.assertIn("READY", self.manager.wait_for("STATUS", "40 live sessions"))

    def test_the_same_for_a_checkpoint(self):
        daemon = self.start_told("--memory", "256m")
        # One that began while they came has not all of them.
        for _ in range(FILLS_MAX):
            self.fill(daemon, 40)
            if int(daemon.stats("journal")["checkpoint_entries"]) == 40:
                break
        daemon.stop()
        self.manager.collect()
        daemon.start()
        told = []
        while not any("READY" in notice for notice in told):
            told += self.manager.collect(0.05)
        # A frame may end behind the 16th MiB. The journal's files are of another size.
        images = [notice for notice in told if re.match(r"recovering: 1[67] of 2\d MiB", notice["STATUS"])]
        daemon.wait_for_stderr(": 40 sessions of a checkpoint")
        self.assertTrue(images, told)

    def test_abstract_socket(self):
        manager = self.notices(f"@sessiond-test-{os.getpid()}")
        self.start(env={"NOTIFY_SOCKET": manager.address})
        manager.wait_for("READY")

    def test_reload(self):
        config = self.write_file("sessiond.conf", "listen = 127.0.0.1:0\n")
        daemon = self.start_told("--config", config)
        self.manager.wait_for("READY")
        for text, log in (("log-level = debug\n", "reload for SIGHUP"), ("log-level = what\n", "refused")):
            self.write_file("sessiond.conf", "listen = 127.0.0.1:0\n" + text)
            before_us = time.monotonic_ns() // 1000
            daemon.signal(signal.SIGHUP)
            reloading = self.manager.wait_for("RELOADING", "1")
            self.assertEqual(self.manager.wait_for("READY"), {"READY": "1"})
            after_us = time.monotonic_ns() // 1000
            self.assertLessEqual(before_us, int(reloading["MONOTONIC_USEC"]))
            self.assertLessEqual(int(reloading["MONOTONIC_USEC"]), after_us)
            daemon.wait_for_stderr(log)

    def test_why_there_is_no_start(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            ended = run_sessiond(["--listen", f"127.0.0.1:{other.getsockname()[1]}"],
                                 env={"NOTIFY_SOCKET": self.manager.address})
        self.assertEqual(ended.returncode, 75)
        self.manager.wait_for("STATUS", r"127\.0\.0\.1:\d+ is in use: .*")
        self.assertFalse(any("READY" in notice for notice in self.manager.all))

    def test_reason_is_one_line(self):
        """What a path says cannot be taken for a notice."""
        ended = run_sessiond(["--listen", "127.0.0.1:0"],
                             env={"NOTIFY_SOCKET": self.manager.address, "XDG_STATE_HOME": "/dev/null/a\nREADY=1"})
        self.assertNotEqual(ended.returncode, 0)
        told = self.manager.wait_for("STATUS", r".*\\x0aREADY=1.*")
        self.assertEqual(list(told), ["STATUS"])

    def test_manager_that_is_gone_is_no_reason_to_end(self):
        daemon = self.start(env={"NOTIFY_SOCKET": self.path("nobody")})
        daemon.wait_for_stderr(r"the service manager could not be told 'READY=1'")
        with daemon.connect() as conversation:
            conversation.expect_open()
        self.start(env={"NOTIFY_SOCKET": "vsock:2:1"}).wait_for_stderr("NOTIFY_SOCKET is no unix socket")


if __name__ == "__main__":
    unittest.main()
