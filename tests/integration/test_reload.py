"""Reloading a running daemon, by SIGHUP and by the admin verb: what takes effect, what waits for a restart, and a bad
file that changes nothing. What belongs to which row is unit.daemon.reload.
"""

import os
import signal
import unittest

from integration_case import IntegrationCase
from sessiond_process import Conversation

REFUSED = "CLIENT_ERROR flush_all not allowed"


class ReloadTest(IntegrationCase):
    def start_with(self, text, *args):
        self.config = self.write_file("sessiond.conf", text)
        return self.start("--config", self.config, "--listen", "127.0.0.1:0", "--threads", "2",
                          "--admin-listen", f"unix:{self.path('admin.sock')}", *args)

    def reload(self, daemon, text):
        """The answer's lines to `reload` of that file."""
        self.write_file("sessiond.conf", text)
        with Conversation(daemon.admin_address) as admin:
            admin.send_line("reload")
            lines = [admin.read_line()]
            while lines[-1].startswith("STAT "):
                lines.append(admin.read_line())
            admin.expect_open()
        return lines

    def test_verb_applies_what_it_can(self):
        daemon = self.start_with("flush-all = refuse\n")
        with daemon.connect() as conversation:
            self.assertEqual(conversation.ask("flush_all"), REFUSED)
            self.assertEqual(self.reload(daemon, "flush-all = allow\nfsync = always\n"),
                             ["STAT fsync always (needs a restart)", "STAT flush-all allow", "OK"])
            self.assertEqual(conversation.ask("flush_all"), "OK")
            settings = conversation.stats("settings")
            self.assertEqual((settings["flush-all"], settings["flush_enabled"], settings["fsync"]),
                             ("allow", "yes", "everysec"))
            self.assertEqual(self.reload(daemon, ""), ["STAT flush-all refuse", "OK"])
            self.assertEqual(conversation.ask("flush_all"), REFUSED)
        daemon.wait_for_stderr(rf"warning reload for uid {os.geteuid()}, pid {os.getpid()}$")
        daemon.wait_for_stderr("warning reload: flush-all = refuse$")
        daemon.wait_for_stderr("warning reload: fsync = always needs a restart$")

    def test_bad_file_changes_nothing(self):
        daemon = self.start_with("")
        answer = self.reload(daemon, "flush-all = allow\nidle-timeout = soon\n")
        self.assertEqual(len(answer), 1)
        self.assertRegex(answer[0], r"^SERVER_ERROR nothing was changed: .*sessiond\.conf:2: idle-timeout: 'soon' will not")
        with daemon.connect() as conversation:
            self.assertEqual(conversation.ask("flush_all"), REFUSED)
        daemon.wait_for_stderr(r"error reload for uid \d+, pid \d+ refused: nothing was changed: .*'soon'")

    def test_signal(self):
        daemon = self.start_with("")
        self.write_file("sessiond.conf", "flush-all = allow\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_stderr(rf"reload for SIGHUP of process {os.getpid()}$")
        with daemon.connect() as conversation:
            self.wait_until(lambda: conversation.ask("flush_all") == "OK", "the new value holds")
            self.write_file("sessiond.conf", "flush-all = maybe\n")
            daemon.signal(signal.SIGHUP)
            daemon.wait_for_stderr(r"error reload for SIGHUP of process \d+ refused: nothing was changed")
            self.assertEqual(conversation.ask("flush_all"), "OK")

    def test_command_line_outranks_the_file(self):
        daemon = self.start_with("", "--flush-all", "refuse")
        self.assertEqual(self.reload(daemon, "flush-all = allow\n"), ["OK"])
        with daemon.connect() as conversation:
            self.assertEqual(conversation.ask("flush_all"), REFUSED)

    def test_timeouts_take_effect(self):
        """Whoever speaks next is measured by the new time; who had none before is closed when that is over."""
        daemon = self.start_with("")
        with daemon.connect() as conversation:
            conversation.expect_open()
            self.assertEqual(self.reload(daemon, "idle-timeout = 1s\n"), ["STAT idle-timeout 1s", "OK"])
            conversation.expect_open()
            conversation.expect_closed()

    def enter(self, daemon):
        """A connection that has a seat: the one that asked for the reload may not have left its yet."""
        entered = []

        def try_once():
            conversation = self.connect(daemon)
            if conversation.ask("version") == "VERSION 1.6.18":
                entered.append(conversation)
            return entered

        self.wait_until(try_once, "there is a seat")
        return entered[0]

    def test_connections(self):
        daemon = self.start_with("max-connections = 4\n")
        self.assertEqual(self.reload(daemon, "max-connections = 1\n"), ["STAT max-connections 1", "OK"])
        first = self.enter(daemon)
        self.assertEqual(first.stats()["max_connections"], "1")
        with daemon.connect() as second:
            self.assertEqual(second.read_line(), "ERROR Too many open connections")
        answer = self.reload(daemon, "max-connections = 100\n")
        self.assertEqual(answer, ["STAT max-connections 100", "STAT max-connections 4 until a restart", "OK"])
        for _ in range(3):
            self.enter(daemon)
        self.assertEqual(first.stats()["max_connections"], "4")

    def test_log_level(self):
        daemon = self.start_with("")
        self.reload(daemon, "log-level = debug\n")
        with daemon.connect() as conversation:
            conversation.expect_open()
            port = conversation.socket.getsockname()[1]
        daemon.wait_for_stderr(rf"debug connection from 127\.0\.0\.1:{port}")

    def test_under_load(self):
        """Reloads beside requests of all workers: each answer is a whole one of its time, and nobody is disturbed."""
        daemon = self.start_with("")
        clients = [self.connect(daemon) for _ in range(4)]
        for turn in range(20):
            wanted = ("allow", "refuse")[turn % 2]
            for client in clients:
                client.send(b"set key 0 0 5\r\nvalue\r\nget key\r\nstats settings\r\n" * 3)
            self.assertEqual(self.reload(daemon, f"flush-all = {wanted}\nsync-min-life = {turn + 1}s\n"
                                                 f"idle-timeout = {turn + 100}s\nlog-level = info\n")[-1], "OK")
            for client in clients:
                for _ in range(3):
                    self.assertEqual(client.read_line(), "STORED")
                    self.assertEqual(client.read_values()["key"][2], b"value")
                    while client.read_line() != "END":
                        pass
            self.assertEqual(clients[0].stats("settings")["flush-all"], wanted)

    def test_asker_that_leaves(self):
        """It does not keep the next one out."""
        daemon = self.start_with("")
        for _ in range(5):
            with Conversation(daemon.admin_address) as admin:
                admin.send_line("reload")
        self.assertEqual(self.reload(daemon, "")[-1], "OK")

    def test_without_a_file(self):
        daemon = self.start("--admin-listen", f"unix:{self.path('admin.sock')}")
        with Conversation(daemon.admin_address) as admin:
            self.assertEqual(admin.ask("reload"), "SERVER_ERROR nothing was changed: there is no file to read: "
                                                  "sessiond was started without --config")


if __name__ == "__main__":
    unittest.main()
