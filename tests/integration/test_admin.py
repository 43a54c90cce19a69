"""The admin listener: where it is, who may come, what its verbs do, and what the log says of it.

Reloading is test_reload.py; sessionctl's side is tests/ctl/test_admin.py.
"""

import os
import stat
import subprocess
import sys
import unittest

from integration_case import EXIT_CONFIGURATION, EXIT_IN_USE, IntegrationCase, needs
from sessiond_process import Conversation, run_sessiond

STRANGER = 60000  # a user that no machine has
VERBS = ("ping", "flush", "flush now", "dump", "restore k 0 0 1 0")

# What a process of another user does: connect, ask, print the answer.
VISIT = """
import socket, sys
with socket.socket(socket.AF_UNIX) as connected:
    connected.settimeout(20)
    try:
        connected.connect(sys.argv[1])
    except PermissionError:
        print("kept out", end="")
        sys.exit()
    try:
        connected.sendall(b"version\\r\\nquit\\r\\n")
    except BrokenPipeError:
        pass
    try:
        while piece := connected.recv(4096):
            print(piece.decode(), end="")
    except ConnectionResetError:  # it was closed before it had read what was sent
        pass
"""


class AdminCase(IntegrationCase):
    def admin(self, daemon):
        return self.enterContext(Conversation(daemon.admin_address))

    def visit(self, path, uid, gid=STRANGER, groups=()):
        """What a stranger hears at that socket."""
        os.chmod(self.directory, 0o755)
        visitor = subprocess.run([sys.executable, "-c", VISIT, path], user=uid, group=gid, extra_groups=groups,
                                 capture_output=True, encoding="utf-8", timeout=60, check=False)
        self.assertEqual(visitor.returncode, 0, visitor.stderr)
        return visitor.stdout


class PlaceTest(AdminCase):
    def test_auto_is_in_the_data_directory(self):
        daemon = self.start("--admin-listen", "auto")
        path = os.path.join(daemon.data_dir, "admin.sock")
        self.assertEqual([role for role, _ in daemon.listening], ["data", "admin"])
        self.assertEqual(daemon.listening[1], ("admin", f"unix:{path}"))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(self.admin(daemon).ask("ping"), "OK")
        daemon.kill()
        self.assertTrue(os.path.exists(path), "a killed daemon leaves its socket behind")
        daemon.start()
        self.assertEqual(self.admin(daemon).ask("ping"), "OK")
        daemon.stop()
        self.assertFalse(os.path.exists(path))

    def test_auto_is_in_the_runtime_directory(self):
        daemon = self.start("--admin-listen", "auto", env={"RUNTIME_DIRECTORY": f"{self.directory}:/elsewhere"})
        self.assertEqual(daemon.listening[1], ("admin", f"unix:{self.path('admin.sock')}"))
        self.assertEqual(self.admin(daemon).ask("ping"), "OK")

    def test_in_memory_only_there_is_none(self):
        daemon = self.start("--data-dir", "none", "--admin-listen", "auto", listeners=1)
        self.assertEqual([role for role, _ in daemon.listening], ["data"])

    def test_a_socket_that_cannot_be_is_no_reason_not_to_serve(self):
        self.write_file("admin.sock", "do not lose\n")
        long_path = self.path("d" * 100)
        for what, options in (("is no socket", {"env": {"RUNTIME_DIRECTORY": self.directory}}),
                              ("longer than 107", {"env": {"RUNTIME_DIRECTORY": long_path}})):
            with self.subTest(what):
                daemon = self.start("--data-dir", "none", "--admin-listen=auto", listeners=1, **options)
                daemon.wait_for_stderr(rf"warning there is no admin socket.*{what}.*set admin-listen")
                with daemon.connect() as conversation:
                    conversation.expect_open()
                daemon.stop()
        with open(self.path("admin.sock"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "do not lose\n")

    def test_two_daemons_on_one_directory(self):
        """It is the lock that stops the second one, and the first keeps its socket."""
        daemon = self.start("--admin-listen", "auto")
        ended = run_sessiond(["--listen", "127.0.0.1:0", "--data-dir", daemon.data_dir])
        self.assertEqual(ended.returncode, EXIT_IN_USE)
        self.assertIn(str(daemon.pid), ended.stderr)
        self.assertNotIn("admin.sock", ended.stderr)
        self.assertEqual(self.admin(daemon).ask("ping"), "OK")

    def test_a_port_must_be_insisted_on(self):
        ended = self.run_to_exit("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", code=EXIT_CONFIGURATION)
        self.assertIn("admin-listen", ended.stderr)
        self.assertIn("unix:PATH", ended.stderr)
        daemon = self.start("--admin-listen", "127.0.0.1:0", "--insecure-listen", "yes")
        self.assertEqual(self.admin(daemon).ask("ping"), "OK")

    def test_named_socket_that_cannot_be_stops_the_start(self):
        path = self.write_file("precious", "do not lose\n")
        ended = self.run_to_exit("--listen", "127.0.0.1:0", "--admin-listen", f"unix:{path}", code=EXIT_CONFIGURATION)
        self.assertIn(path, ended.stderr)


class VerbsTest(AdminCase):
    def test_verbs_are_unknown_on_a_data_listener(self):
        daemon = self.start("--admin-listen", f"unix:{self.path('admin.sock')}")
        with daemon.connect() as conversation:
            self.assertEqual(conversation.set("key", "value"), "STORED")
            for verb in VERBS:
                self.assertEqual(conversation.ask(verb), "ERROR")
            self.assertEqual(conversation.get("key"), b"value")
            self.assertEqual(conversation.ask("flush_all"), "CLIENT_ERROR flush_all not allowed")

    def test_flush_ends_all_sessions_and_names_who(self):
        daemon = self.start("--admin-listen", f"unix:{self.path('admin.sock')}")
        for verb in ("flush", "flush now", "flush_all"):
            with daemon.connect() as conversation:
                self.assertEqual(conversation.set("key", "value"), "STORED")
                self.assertEqual(self.admin(daemon).ask(verb), "OK")
                self.assertIsNone(conversation.get("key"))
        daemon.wait_for_stderr(rf"warning flush from uid {os.geteuid()}, pid {os.getpid()}: every session has ended")

    def test_flush_lasts(self):
        """The answer says that it is on the disk: a kill behind it brings nobody back."""
        daemon = self.start("--admin-listen", "auto")
        with daemon.connect() as conversation:
            self.assertEqual(conversation.set("key", "value"), "STORED")
            self.assertEqual(self.admin(daemon).ask("flush"), "OK")
        daemon.kill()
        daemon.start()
        with daemon.connect() as conversation:
            self.assertIsNone(conversation.get("key"))

    def test_speaks_the_data_protocol_too(self):
        admin = self.admin(self.start("--admin-listen", f"unix:{self.path('admin.sock')}"))
        self.assertEqual(admin.set("key", "value"), "STORED")
        self.assertEqual(admin.get("key"), b"value")
        self.assertEqual(admin.stats()["curr_items"], "1")
        self.assertIn("admin-listen", admin.stats("settings"))

    def test_there_is_a_seat_when_clients_took_all(self):
        daemon = self.start("--max-connections", "2", "--admin-listen", f"unix:{self.path('admin.sock')}")
        for conversation in [self.connect(daemon) for _ in range(2)]:
            conversation.expect_open()
        admins = [self.admin(daemon) for _ in range(4)]
        for admin in admins:
            self.assertEqual(admin.ask("ping"), "OK")
        with daemon.connect() as one_more:
            self.assertEqual(one_more.read_line(), "ERROR Too many open connections")
        self.assertEqual(self.admin(daemon).read_line(), "ERROR Too many open connections")


class PeersTest(AdminCase):
    def test_mode_is_as_asked(self):
        modes = {"data.sock": "606", "admin.sock": "640"}
        data, admin = (self.path(name) for name in modes)
        daemon = self.start("--listen", f"unix:{data}", "--socket-mode", "606",
                            "--admin-listen", f"unix:{admin}", "--admin-mode", "640")
        for name, mode in modes.items():
            self.assertEqual(stat.S_IMODE(os.stat(self.path(name)).st_mode), int(mode, 8))
        self.assertEqual(daemon.stats("settings")["socket-mode"], "606")
        for wrong in ("rw", "888", "1000"):
            ended = self.run_to_exit("--socket-mode", wrong, code=64)
            self.assertIn("socket-mode", ended.stderr)

    def test_unknown_user_is_told(self):
        for option in ("--admin-allow", "--socket-allow"):
            ended = self.run_to_exit(option, "no-such-user-here", code=EXIT_CONFIGURATION)
            self.assertIn(f"{option[2:]}: there is no user 'no-such-user-here'", ended.stderr)

    @needs(os.geteuid() == 0, "root")
    def test_strangers_are_refused_on_the_admin_socket(self):
        path = self.path("admin.sock")
        daemon = self.start("--admin-listen", f"unix:{path}", "--admin-mode", "666",
                            "--admin-allow", f"{STRANGER + 1},@{STRANGER + 2}")
        self.assertEqual(self.visit(path, STRANGER), "CLIENT_ERROR you may not connect here\n")
        daemon.wait_for_stderr(rf"warning unix:{path}: uid {STRANGER}, gid {STRANGER}, pid \d+ was refused: "
                               "it is not in admin-allow")
        self.assertEqual(daemon.stats()["refused_peers"], "1")
        self.assertEqual(self.visit(path, STRANGER + 1), "VERSION 1.6.18\n")
        self.assertEqual(self.visit(path, STRANGER, gid=STRANGER + 2), "VERSION 1.6.18\n")
        self.assertEqual(self.visit(path, STRANGER, groups=[5, STRANGER + 2, 6]), "VERSION 1.6.18\n")
        self.assertEqual(daemon.stats()["refused_peers"], "1")

    @needs(os.geteuid() == 0, "root")
    def test_data_sockets_are_for_whom_the_file_lets_in(self):
        path = self.path("data.sock")
        daemon = self.start("--listen", f"unix:{path}", "--socket-mode", "666")
        self.assertEqual(self.visit(path, STRANGER), "VERSION 1.6.18\n")
        daemon.stop()
        daemon = self.start("--listen", f"unix:{path}", "--listen", "127.0.0.1:0", "--socket-mode", "666",
                            "--socket-allow", str(STRANGER + 1))
        self.assertEqual(self.visit(path, STRANGER), "CLIENT_ERROR you may not connect here\n")
        self.assertEqual(self.visit(path, STRANGER + 1), "VERSION 1.6.18\n")
        with Conversation(("127.0.0.1", daemon.port)) as conversation:
            conversation.expect_open()
        daemon.stop()
        self.start("--listen", f"unix:{path}")
        self.assertEqual(self.visit(path, STRANGER), "kept out")

    @needs(os.geteuid() == 0, "root")
    def test_the_own_user_may(self):
        path = self.path("admin.sock")
        os.chmod(self.directory, 0o777)
        self.start("--admin-listen", f"unix:{path}", "--user", "nobody")
        nobody = os.stat(path)
        self.assertNotEqual(nobody.st_uid, 0)
        self.assertEqual(self.visit(path, nobody.st_uid), "VERSION 1.6.18\n")


if __name__ == "__main__":
    unittest.main()
