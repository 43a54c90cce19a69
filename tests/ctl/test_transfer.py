"""sessionctl dump: the sessions of a running daemon to a file, whole or not at all."""

import os
import pty
import socket
import stat
import subprocess
import threading
import time
import unittest

from ctl_case import (EXIT_IO, EXIT_REFUSED, EXIT_UNAVAILABLE, EXIT_USAGE, RUN_S, SESSIONCTL, SessionctlCase)
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


if __name__ == "__main__":
    unittest.main()
