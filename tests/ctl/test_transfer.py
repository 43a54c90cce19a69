"""sessionctl dump and restore: the sessions of a running daemon to a file, whole or not at all, and back."""

import os
import pty
import socket
import stat
import subprocess
import threading
import time
import unittest

from ctl_case import (EXIT_DAMAGED, EXIT_IO, EXIT_REFUSED, EXIT_UNAVAILABLE, EXIT_USAGE, RUN_S, SESSIONCTL, SessionctlCase)
from dump_text import read_dump

SOON_S, LATER_S = 1000, 86_400


class TransferCase(SessionctlCase):
    def setUp(self):
        super().setUp()
        self.dump = self.path("sessions.dump")

    def read(self, path=None):
        with open(path or self.dump, "rb") as file:
            return {session.key: session for session in read_dump(file.read())}

    def store_each_kind(self, daemon):
        """Sessions with all that one can have."""
        client = self.connect(daemon)
        self.assertEqual(client.set("plain", "value", SOON_S, 7), "STORED")
        self.assertEqual(client.set("empty", "", 0, 2**32 - 1), "STORED")
        self.assertEqual(client.set("large", b"\r\nEND\r\n" * 50_000, LATER_S), "STORED")
        self.assertEqual(client.set("odd/%20!\xff", b"\0\n", LATER_S), "STORED")
        self.assertEqual(client.ask("ms own 2 E18446744073709551614\r\nid"), "HD")
        self.assertEqual(client.ask("ms AAEg/w== 6 b T1000\r\nbinary"), "HD")
        for key in ("stale", "won"):
            self.assertEqual(client.set(key, "old", LATER_S), "STORED")
            self.assertEqual(client.ask(f"md {key} I"), "HD")
        self.assertEqual(client.ask("mg won"), "HD X W")
        self.assertEqual(client.set("k" * 250, "longest", LATER_S), "STORED")
        return client

    def serve_once(self, answer):
        """Somebody else at a socket, who answers that, whatever is asked, and closes; returns the path."""
        path = self.path("other.sock")
        listener = self.enterContext(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        listener.listen()

        def serve():
            connected, _ = listener.accept()
            with connected:
                connected.recv(4096)
                connected.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        return path


class DumpTest(TransferCase):
    def test_a_dump_has_all_of_each_session(self):
        before = int(time.time())
        self.store_each_kind(self.daemon)
        ended = self.run_tool("dump", self.dump, "--socket", self.socket)
        self.assertEqual(ended.stdout, f"{self.dump}: a whole dump of 9 sessions\n")
        self.assertEqual(stat.S_IMODE(os.stat(self.dump).st_mode), 0o600)
        self.assertEqual(os.listdir(self.directory).count("sessions.dump.part"), 0)
        found = self.read()
        self.assertEqual({key: (session.flags, session.marks, session.value) for key, session in found.items()}, {
            b"plain": (7, b"", b"value"), b"empty": (2**32 - 1, b"", b""),
            b"large": (0, b"", b"\r\nEND\r\n" * 50_000), b"odd/%20!\xff": (0, b"", b"\0\n"),
            b"own": (0, b"E", b"id"), b"\0\1 \xff": (0, b"", b"binary"), b"stale": (0, b"X", b"old"),
            b"won": (0, b"XW", b"old"), b"k" * 250: (0, b"", b"longest")})
        self.assertEqual(found[b"own"].cas, 2**64 - 2)
        self.assertEqual(found[b"empty"].deadline, 0)
        self.assertIn(found[b"plain"].deadline - before - SOON_S, range(-1, 60))
        ended = self.run_tool("check", self.dump)
        self.assertEqual(ended.stdout, f"{self.dump}: a whole dump of 9 sessions\n")

    def test_standard_output(self):
        client = self.connect(self.daemon)
        self.assertEqual(client.set("key", "value"), "STORED")
        for operands in ((), ("-",)):
            ended = self.run_tool("dump", *operands, "--socket", self.socket)
            self.assertEqual([session.value for session in read_dump(ended.stdout.encode())], [b"value"])
            self.assertEqual(ended.stderr, "standard output: a whole dump of 1 sessions\n")
        controller, terminal = pty.openpty()
        try:
            ended = subprocess.run([SESSIONCTL, "dump", "--socket", self.socket], stdin=subprocess.DEVNULL,
                                   stdout=terminal, stderr=subprocess.PIPE, timeout=RUN_S, check=False)
        finally:
            os.close(controller)
            os.close(terminal)
        self.assertEqual(ended.returncode, EXIT_USAGE)
        self.assertIn(b"not written to a terminal", ended.stderr)

    def test_nothing_is_written_over(self):
        there = self.write_file("sessions.dump", "mine")
        self.assertIn("is there already", self.run_tool("dump", there, "--socket", self.socket, code=EXIT_IO).stderr)
        with open(there, encoding="ascii") as file:
            self.assertEqual(file.read(), "mine")
        os.unlink(there)
        part = self.write_file("sessions.dump.part", "mine")
        self.assertIn("was broken off", self.run_tool("dump", there, "--socket", self.socket, code=EXIT_IO).stderr)
        os.unlink(part)
        self.run_tool("dump", there, "--socket", self.socket)

    def test_what_fails_leaves_no_file(self):
        self.run_tool("dump", self.dump, "--socket", self.path("gone.sock"), code=EXIT_UNAVAILABLE)
        for answer, code, said in ((b"sessiond-dump 1 5\nkey 0 0 1 3\nab", EXIT_IO, "gave the dump up"),
                                   (b"sessiond-dump 1 5\nEND 1 0000000000000000\n", EXIT_IO, "gave the dump up"),
                                   (b"", EXIT_IO, "gave the dump up"),
                                   (b"ERROR\r\n", EXIT_REFUSED, "other.sock: ERROR\n"),
                                   (b"CLIENT_ERROR no\r\nmore", EXIT_REFUSED, "other.sock: CLIENT_ERROR no\n")):
            with self.subTest(answer):
                path = self.serve_once(answer)
                ended = self.run_tool("dump", self.dump, "--socket", path, code=code)
                self.assertIn(said, ended.stderr)
                self.assertEqual([name for name in os.listdir(self.directory) if "dump" in name], [])
                os.unlink(path)

    def test_one_that_is_killed_does_not_look_whole(self):
        """It has no file of its name; what it had written is there, for whoever wants to look."""
        path = self.path("other.sock")
        listener = self.enterContext(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        listener.listen()
        tool = subprocess.Popen([SESSIONCTL, "dump", self.dump, "--socket", path], stdin=subprocess.DEVNULL)
        connected, _ = listener.accept()
        with connected:
            connected.sendall(b"sessiond-dump 1 5\nkey 0 0 1 3\nabc\n")
            part = f"{self.dump}.part"
            self.wait_until(lambda: os.path.exists(part) and os.path.getsize(part) > 0, "it has begun")
            tool.kill()
            tool.wait()
        self.assertFalse(os.path.exists(self.dump))
        self.assertEqual(stat.S_IMODE(os.stat(part).st_mode), 0o600)


class RestoreTest(TransferCase):
    def restore(self, *args, path=None, code=0, **options):
        return self.run_tool("restore", path or self.dump, "--yes", "--socket", self.socket, *args, code=code, **options)

    def dump_all(self):
        self.run_tool("dump", self.dump, "--socket", self.socket)

    def start_anew(self, *args):
        """Another daemon, which has no session."""
        self.daemon.stop()
        self.daemon = self.start("--admin-listen", f"unix:{self.socket}", *args)

    def read_all(self, client):
        client.send_line(f"get plain empty large odd/%20!\xff own stale won {'k' * 250}")
        return client.read_values()

    def told(self, restored=0, kept=0, expired=0, refused=0):
        return (f"{self.socket}: {restored} sessions restored; {kept} were there and stayed, {expired} had expired, "
                f"{refused} were refused\n")

    def test_a_session_has_again_all_that_it_had(self):
        self.store_each_kind(self.daemon)
        self.dump_all()
        self.start_anew()
        self.assertEqual(self.restore().stdout, self.told(restored=9))
        again = self.path("again.dump")
        self.run_tool("dump", again, "--socket", self.socket)
        self.assertEqual(self.read(again), self.read())
        figures = self.daemon.stats("sessions")
        self.assertEqual((figures["live"], figures["restored"], figures["created"]), ("9", "9", "0"))
        self.daemon.wait_for_stderr(rf"warning restore from uid {os.geteuid()}, pid \d+: sessions of a dump are stored again")
        self.assertEqual(self.daemon.stderr_text().count("restore from"), 1)

    def test_restored_sessions_survive_a_kill(self):
        self.store_each_kind(self.daemon)
        self.dump_all()
        self.start_anew()
        self.restore()
        self.daemon.kill()
        self.daemon = self.start("--data-dir", self.daemon.data_dir, "--admin-listen", f"unix:{self.socket}")
        again = self.path("again.dump")
        self.run_tool("dump", again, "--socket", self.socket)
        self.assertEqual(self.read(again), self.read())

    def test_what_is_there_stays(self):
        client = self.store_each_kind(self.daemon)
        self.dump_all()
        self.assertEqual(client.set("plain", "newer"), "STORED")
        self.assertEqual(client.ask("delete empty"), "DELETED")
        self.assertEqual(self.restore().stdout, self.told(restored=1, kept=8))
        self.assertEqual(client.get("plain"), b"newer")
        self.assertEqual(client.get("empty"), b"")
        client.send_line("gets own")
        self.assertEqual(client.read_values()["own"][1], 2**64 - 2)

    def test_what_a_flush_ended_by_mistake_is_there_again(self):
        client = self.store_each_kind(self.daemon)
        before = self.read_all(client)
        self.dump_all()
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(self.socket)
            admin.sendall(b"flush now\r\n")
            self.assertEqual(admin.recv(100), b"OK\r\n")
        self.assertEqual(self.read_all(client), {})
        self.assertEqual(self.restore().stdout, self.told(restored=9))
        self.assertEqual(self.read_all(client), before)

    def test_what_comes_later_has_later_ids(self):
        """A client that has an id of before the restore must not take another version for its own."""
        client = self.connect(self.daemon)
        for number in range(50):
            self.assertEqual(client.set("key", str(number)), "STORED")
        self.dump_all()
        self.start_anew()
        self.restore()
        with self.daemon.connect() as conversation:
            conversation.send_line("gets key")
            restored = conversation.read_values()["key"][1]
            self.assertEqual(restored, self.read()[b"key"].cas)
            self.assertEqual(conversation.set("key", "new"), "STORED")
            conversation.send_line("gets key")
            self.assertGreater(conversation.read_values()["key"][1], restored)

    def test_who_has_expired_does_not_come_back(self):
        client = self.connect(self.daemon)
        self.assertEqual(client.set("short", "x", 1), "STORED")
        self.assertEqual(client.set("long", "x", SOON_S), "STORED")
        self.dump_all()
        self.daemon.wait_for_stat("curr_items", 1)
        self.assertEqual(self.restore().stdout, self.told(kept=1, expired=1))
        self.assertIsNone(client.get("short"))

    def test_many(self):
        client = self.connect(self.daemon)
        for number in range(5000):
            client.send(f"set key:{number} {number} {SOON_S} {number % 700} noreply\r\n{'v' * (number % 700)}\r\n")
        client.expect_open()
        self.dump_all()
        self.start_anew("--fsync", "always")
        with open(self.dump, "rb") as file:
            ended = self.restore(path="-", stdin=file)
        self.assertEqual(ended.stdout, self.told(restored=5000))
        again = self.path("again.dump")
        self.run_tool("dump", again, "--socket", self.socket)
        self.assertEqual(self.read(again), self.read())

    def test_what_is_refused_is_told(self):
        client = self.connect(self.daemon)
        self.assertEqual(client.set("large", "x" * 500_000), "STORED")
        self.assertEqual(client.set("small", "x"), "STORED")
        self.dump_all()
        self.start_anew("--max-value", "100k")
        ended = self.restore(code=EXIT_REFUSED)
        self.assertEqual(ended.stdout, self.told(restored=1, refused=1))
        self.assertIn("object too large for cache", ended.stderr)
        self.assertEqual(self.connect(self.daemon).get("small"), b"x")

    def test_damage_restores_nothing(self):
        self.store_each_kind(self.daemon)
        self.dump_all()
        with open(self.dump, "rb") as file:
            content = file.read()
        self.start_anew()
        for damaged, said in ((content[:-1], "without its last line"), (content[:-30], "the dump ends here"),
                              (content.replace(b"longest", b"l0ngest"), "the dump was changed"),
                              (content + b"x", "more behind"), (b"", "the dump ends here"), (b"x\n", "is no dump")):
            with self.subTest(said):
                with open(self.path("damaged"), "wb") as file:
                    file.write(damaged)
                self.assertIn(said, self.restore(path=self.path("damaged"), code=EXIT_DAMAGED).stderr)
        self.assertIn("cannot open", self.restore(path=self.path("missing"), code=EXIT_IO).stderr)
        self.assertEqual(self.daemon.stats()["curr_items"], "0")
        self.assertNotIn("restore from", self.daemon.stderr_text())

    def test_a_connection_that_ends_tells_what_is_known(self):
        client = self.connect(self.daemon)
        self.assertEqual(client.set("a", "1"), "STORED")
        self.assertEqual(client.set("b", "2"), "STORED")
        self.dump_all()
        path = self.serve_once(b"STORED\r\n")
        ended = self.run_tool("restore", self.dump, "--yes", "--socket", path, code=EXIT_IO)
        self.assertIn("1 sessions restored; ", ended.stderr)
        self.assertIn("as far as is known", ended.stderr)

    def test_it_asks(self):
        client = self.connect(self.daemon)
        self.assertEqual(client.set("key", "value"), "STORED")
        self.dump_all()
        self.assertEqual(client.ask("delete key"), "DELETED")
        self.assertIn("give --yes", self.run_tool("restore", self.dump, "--socket", self.socket, code=EXIT_USAGE).stderr)
        for said, code, found in (("no\n", EXIT_REFUSED, None), ("yes\n", 0, b"value")):
            ended = self.say_on_terminal(said, "restore", self.dump, "--socket", self.socket, code=code)
            self.assertRegex(ended.stderr, r"The 1 sessions of \S+, made \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, are stored")
            self.assertEqual(client.get("key"), found)


if __name__ == "__main__":
    unittest.main()
