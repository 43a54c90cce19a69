"""The helpers must notice a daemon that does wrong. Played by small scripts, so this needs no daemon."""

import os
import struct
import sys
import unittest

from integration_case import IntegrationCase
from sessiond_process import ConversationError, DaemonError, SessiondProcess, run_sessiond

PLAYER = """#!{python}
import os, signal, socket, sys, threading, time
def report(text):
    print(text, file=sys.stderr, flush=True)
def rest():  # not signal.pause(): a signal just before it would be lost
    while True:
        time.sleep(0.02)
def ready():
    server = socket.create_server(("127.0.0.1", 0))
    print("listening data 127.0.0.1:%d" % server.getsockname()[1], flush=True)
    return server
{body}
"""


class SupportTest(IntegrationCase):
    def play(self, body, *args, **options):
        path = self.write_file("player", PLAYER.format(python=sys.executable, body=body))
        os.chmod(path, 0o755)
        return SessiondProcess(args, binary=path, **options)

    def assert_raises_on_use(self, player, pattern, use=lambda _: None):
        with self.assertRaisesRegex(DaemonError, pattern), player as daemon:
            use(daemon)
        self.assertFalse(player.running)

    def test_good_daemon(self):
        stops = "signal.signal(signal.SIGTERM, lambda *_: os._exit(0)); ready(); report('hello'); rest()"
        with self.play(stops) as daemon:
            self.assertGreater(daemon.port, 0)
            daemon.wait_for_stderr("^hello$")
            self.assertIn("hello", daemon.stop())
        self.assertEqual(daemon.returncode, 0)

    def test_no_ready_line(self):
        self.assert_raises_on_use(self.play("report('cannot bind'); sys.exit(75)"), "(?s)ready lines.*75.*cannot bind")

    def test_too_few_ready_lines(self):
        player = self.play("ready()", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0")
        self.assert_raises_on_use(player, "fewer than 2 ready lines")

    def test_ends_by_itself(self):
        def wait_for_end(daemon):
            self.wait_until(lambda: not daemon.running, "the player ends")

        self.assert_raises_on_use(self.play("ready(); sys.exit(0)"), "ended by itself", wait_for_end)
        self.assert_raises_on_use(self.play("ready(); os.abort()"), "returncode -6", wait_for_end)

    def test_bad_exit_code(self):
        player = self.play("signal.signal(signal.SIGTERM, lambda *_: os._exit(3)); ready(); rest()")
        self.assert_raises_on_use(player, "(?s)exit 0.*returncode 3")

    def test_ends_by_signal(self):
        self.assert_raises_on_use(self.play("ready(); rest()"), "returncode -15")

    def test_does_not_stop(self):
        player = self.play("signal.signal(signal.SIGTERM, signal.SIG_IGN); ready(); time.sleep(60)")
        self.assert_raises_on_use(player, "still running after 0.5 s", lambda daemon: daemon.stop(timeout_s=0.5))

    def test_sanitizer_reports(self):
        for text in (
            "==1==ERROR: AddressSanitizer: heap-use-after-free",
            "==1==ERROR: LeakSanitizer: detected memory leaks",
            "WARNING: ThreadSanitizer: data race (pid=1)",
            "a.c:1:2: runtime error: signed integer overflow",
        ):
            with self.subTest(text):
                body = f"""
def end(*_):
    report({text!r})
    os._exit(0)
signal.signal(signal.SIGTERM, end)
server = ready()
rest()"""
                self.assert_raises_on_use(self.play(body), "sanitizer report")
                self.assert_raises_on_use(self.play(body), "sanitizer report", lambda daemon: daemon.stop())

    def test_the_tests_own_failure_comes_first(self):
        player = self.play("ready(); report('died'); os._exit(9)")
        with self.assertRaises(ConversationError) as caught, player as daemon:
            self.wait_until(lambda: not daemon.running, "the player ends")
            raise ConversationError("mine")
        self.assertIn("mine", str(caught.exception))
        self.assertIn("returncode 9", caught.exception.__notes__[0])
        self.assertIn("died", caught.exception.__notes__[0])

    def test_clock_file(self):
        shows = """
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server = ready()
report(os.environ["SESSIOND_TEST_CLOCK"])
rest()"""
        with self.play(shows) as daemon:
            daemon.wait_for_stderr("clock")
            daemon.move_clock(5)
            daemon.move_clock(0.25)
            with open(daemon.stderr_text().strip(), "rb") as file:
                self.assertEqual(struct.unpack("=2q", file.read()), (5250, 0))
            daemon.clock.step(-7)
            daemon.clock.step(1.5)
            with open(daemon.clock.path, "rb") as file:
                self.assertEqual(struct.unpack("=2q", file.read()), (5250, -5500))

    def test_run_to_exit(self):
        path = self.write_file("player", PLAYER.format(python=sys.executable, body="report('no'); sys.exit(78)"))
        os.chmod(path, 0o755)
        ended = run_sessiond([], binary=path)
        self.assertEqual((ended.returncode, ended.stderr), (78, "no\n"))
        path = self.write_file("player", PLAYER.format(python=sys.executable, body="time.sleep(60)"))
        with self.assertRaisesRegex(DaemonError, "still running"):
            run_sessiond([], binary=path, timeout_s=0.5)

    def test_conversation_notices(self):
        talks = """
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server = ready()
while True:
    peer, _ = server.accept()
    peer.sendall(peer.recv(100))
    if b"stay" not in peer.recv(100):
        peer.close()"""
        with self.play(talks) as daemon:
            with daemon.connect() as conversation:
                conversation.send("abc\n")
                with self.assertRaisesRegex(ConversationError, "CRLF"):
                    conversation.read_line()
            with daemon.connect() as conversation:
                conversation.send("abc\r\n")
                with self.assertRaisesRegex(ConversationError, "expected close"):
                    conversation.expect_closed()
            with daemon.connect() as conversation:
                conversation.send("abc")
                conversation.read_exactly(2)
                conversation.send("go")
                with self.assertRaisesRegex(ConversationError, "closed while waiting"):
                    conversation.read_line()
            with daemon.connect(timeout_s=0.3) as conversation:
                conversation.send("abc")
                with self.assertRaisesRegex(ConversationError, "no reply within 0.3 s"):
                    conversation.read_line()


if __name__ == "__main__":
    unittest.main()
