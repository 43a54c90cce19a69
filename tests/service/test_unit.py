"""The units as they are installed: systemd finds nothing wrong with them, how exposed the service is, that the daemon needs
nothing that its sandbox forbids, and the user that it runs as.

None of it needs systemd as the first process: its tools read a tree that is installed for the test.
"""

import configparser
import os
import re
import shutil
import subprocess

from service_case import ROOT, SessiondProcess, ServiceCase, unittest

BUILD = os.path.dirname(os.path.abspath(os.environ.get("SESSIOND", "build/dev/sessiond")))
UNITS = "/usr/lib/systemd/system"
EXPOSURE_MAX = 11  # tenths
MIB = 1 << 20


def run(*command, **options):
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **options)
    return ended.returncode, ended.stdout, ended.stderr


class TracedProcess(SessiondProcess):
    """A daemon whose system calls, and those of its threads, are told in a file; it keeps its process id."""

    def __init__(self, trace, args, **options):
        super().__init__(args, **options)
        self._trace = trace

    def command(self):
        return ["strace", "-D", "-f", "-qq", "-A", "-e", "signal=none", "-o", self._trace, *super().command()]


class UnitTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.prefix = cls.installed_prefix()

    @staticmethod
    def installed_prefix():
        with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
            return re.search(r"^CMAKE_INSTALL_PREFIX:\w+=(.*)$", cache.read(), re.MULTILINE).group(1)

    def setUp(self):
        super().setUp()
        self.tree = self.path("tree")
        code, _, said = run("cmake", "--install", BUILD, env={**os.environ, "DESTDIR": self.tree})
        self.assertEqual(code, 0, said)
        # The units that ours name.
        shutil.copytree(UNITS, self.tree + UNITS, dirs_exist_ok=True, symlinks=True)
        for name in ("sessiond.service", "sessiond.socket"):
            shutil.copy(self.installed(f"lib/systemd/system/{name}"), self.tree + UNITS)

    def installed(self, name):
        return f"{self.tree}{self.prefix}/{name}"

    def put_drop_in(self):
        folder = f"{self.tree}/etc/systemd/system/sessiond.service.d"
        os.makedirs(folder)
        shutil.copy(self.installed("share/doc/sessiond/examples/lan.conf"), folder)

    def verify(self):
        """What systemd has to say of them; nothing is what is wanted."""
        _, said, complained = run("systemd-analyze", "verify", f"--root={self.tree}", "sessiond.service", "sessiond.socket")
        return said + complained

    def exposure(self):
        """Whether it is low enough, and what systemd says."""
        code, said, complained = run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}",
                                     f"--root={self.tree}", "sessiond.service")
        self.assertRegex(said, "Overall exposure level")
        return code == 0, said + complained

    def read_unit(self, name):
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str
        unit.read(os.path.join(ROOT, "packaging", "systemd", name))
        return unit

    def test_units_are_in_order(self):
        self.assertEqual(self.verify(), "")
        self.put_drop_in()
        self.assertEqual(self.verify(), "")
        os.unlink(self.installed("bin/sessionctl"))
        self.assertIn("sessionctl is not executable", self.verify())

    def test_exposure(self):
        is_low, said = self.exposure()
        self.assertTrue(is_low, said)
        self.put_drop_in()
        is_low, said = self.exposure()
        self.assertIn("IP address allow list with non-localhost entries", said)
        self.assertTrue(is_low, said)

    def test_stop_has_time_for_its_timeout(self):
        """By the option's default; for a longer one the daemon asks."""
        with open(os.path.join(ROOT, "sessiond.conf.example"), encoding="utf-8") as example:
            stop_s = int(re.search(r"(?m)^#? ?stop-timeout = (\d+)s$", example.read()).group(1))
        self.assertGreater(int(self.read_unit("sessiond.service")["Service"]["TimeoutStopSec"]), stop_s)

    def test_ends_that_a_restart_cannot_mend_are_not_tried_again(self):
        said = self.read_unit("sessiond.service")["Service"]["RestartPreventExitStatus"]
        self.assertEqual(said.split(), ["64", "65", "78"])

    def test_socket_is_for_data_on_this_machine(self):
        socket = self.read_unit("sessiond.socket")["Socket"]
        self.assertEqual((socket["FileDescriptorName"], socket["ListenStream"]), ("data", "127.0.0.1:11200"))

    def test_user(self):
        os.makedirs(f"{self.tree}/etc", exist_ok=True)
        code, _, said = run("systemd-sysusers", f"--root={self.tree}", self.installed("lib/sysusers.d/sessiond.conf"))
        self.assertEqual(code, 0, said)
        with open(f"{self.tree}/etc/passwd", encoding="utf-8") as users:
            self.assertRegex(users.read(), r"(?m)^sessiond:[^:]*:\d+:\d+:Session store:/var/lib/sessiond:/usr/sbin/nologin$")
        service = self.read_unit("sessiond.service")["Service"]
        self.assertEqual((service["User"], service["Group"]), ("sessiond", "sessiond"))

    @staticmethod
    def syscall_set(name):
        """The calls of a set, with those of the sets in it."""
        code, text, said = run("systemd-analyze", "syscall-filter", name)
        if code != 0:
            raise AssertionError(said)
        calls = set()
        for word in re.findall(r"^ +([@\w-]+)$", text, re.MULTILINE):
            calls |= UnitTest.syscall_set(word) if word.startswith("@") else {word}
        return calls

    def allowed_calls(self):
        with open(os.path.join(ROOT, "packaging", "systemd", "sessiond.service"), encoding="utf-8") as unit:
            lines = re.findall(r"^SystemCallFilter=(~?)(.*)$", unit.read(), re.MULTILINE)
        allowed = self.syscall_set("@default")
        for inverted, words in lines:
            for word in words.split():
                calls = self.syscall_set(word) if word.startswith("@") else {word}
                allowed = allowed - calls if inverted else allowed | calls
        return allowed

    def work(self, daemon):
        """Everything that makes a daemon call the system."""
        with daemon.connect() as conversation:
            while int(daemon.stats("journal")["checkpoints"]) == 0:
                for number in range(16):
                    conversation.send(f"set large:{number} 0 0 {MIB // 2}\r\n".encode() + b"x" * (MIB // 2) + b"\r\n")
                    self.assertEqual(conversation.read_line(), "STORED")
            self.assertEqual(conversation.ask("delete large:1"), "DELETED")
        for verb in (["stats"], ["dump", self.path("dump")], ["restore", "--yes", self.path("dump")],
                     ["flush", "--yes"]):
            self.control(*verb)

    def control(self, *verb, tracer=()):
        code, _, said = run(*tracer, os.path.join(BUILD, "sessionctl"), *verb,
                            env={**os.environ, "SESSIOND_ADMIN": self.path("admin.sock")})
        self.assertEqual(code, 0, said)

    @unittest.skipUnless(shutil.which("strace") or os.environ.get("CI"), "needs strace")
    def test_sandbox_allows_what_is_called(self):
        manager = self.notices()
        config = self.write_file("sessiond.conf", "fsync = always\n")
        os.mkdir(self.path("state"), 0o700)  # as StateDirectory makes it
        daemon = self.enterContext(TracedProcess(
            self.path("trace"), ["--config", config, "--listen", "127.0.0.1:0", "--threads", "2", "--memory", "64m",
                                 "--admin-listen", f"unix:{self.path('admin.sock')}"],
            env={"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "1000000",
                 "STATE_DIRECTORY": self.path("state")}))
        self.work(daemon)
        manager.wait_for("WATCHDOG")
        daemon.stop()
        daemon.start()
        # ExecReload has the same sandbox.
        self.control("reload", tracer=("strace", "-qq", "-f", "-A", "-e", "signal=none", "-o", self.path("trace")))
        daemon.stop()
        with open(self.path("trace"), encoding="utf-8", errors="replace") as trace:
            text = trace.read()
        called = set(re.findall(r"^\d+ +(\w+)\(", text, re.MULTILINE))
        self.assertLessEqual({"accept4", "fdatasync", "pwritev", "setpriority", "sendto", "connect"}, called)
        self.assertEqual(called - self.allowed_calls(), set())
        families = set(re.findall(r"^\d+ +socket\((AF_\w+)", text, re.MULTILINE))
        allowed = set(self.read_unit("sessiond.service")["Service"]["RestrictAddressFamilies"].split())
        self.assertLessEqual(families, allowed)


if __name__ == "__main__":
    unittest.main()
