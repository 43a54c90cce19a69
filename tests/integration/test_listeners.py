"""Where the daemon listens: IPv4, IPv6, unix sockets, and where it refuses to."""

import os
import pwd
import re
import stat
import unittest

from integration_case import (
    EXIT_BAD_VALUE,
    EXIT_CONFIGURATION,
    EXIT_IN_USE,
    IntegrationCase,
    has_ipv6_loopback,
    needs,
)
from sessiond_process import Conversation, connect_socket


class ListenersTest(IntegrationCase):
    def assert_serves(self, address):
        with Conversation(address) as conversation:
            self.assertEqual(conversation.set("listeners", "value"), "STORED")
            self.assertEqual(conversation.get("listeners"), b"value")

    def test_ready_line_names_the_port_picked(self):
        daemon = self.start()
        role, address = daemon.listening[0]
        self.assertEqual(role, "data")
        self.assertRegex(address, r"^127\.0\.0\.1:[1-9]\d*$")
        self.assert_serves(daemon.address)

    def sockets_by_epoll(self, pid):
        """What each event loop of the daemon watches, as the kernel tells it: {descriptor: number of sockets}."""
        counts = {}
        for name in os.listdir(f"/proc/{pid}/fd"):
            if self.target_of(pid, name) == "anon_inode:[eventpoll]":
                with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as info:
                    watched = re.findall(r"^tfd:\s*(\d+)", info.read(), re.MULTILINE)
                counts[name] = sum(self.target_of(pid, target).startswith("socket:") for target in watched)
        return counts

    def target_of(self, pid, descriptor):
        try:
            return os.readlink(f"/proc/{pid}/fd/{descriptor}")
        except FileNotFoundError:  # closed between two looks
            return ""

    def test_few_pooled_connections_spread_evenly(self):
        daemon = self.start("--threads", "3")
        before = self.sockets_by_epoll(daemon.pid)
        pool = [self.connect(daemon) for _ in range(9)]
        for conversation in pool:
            conversation.expect_open()
        after = self.sockets_by_epoll(daemon.pid)
        # The others, with the least, are not workers'; the acceptor may have taken up its listener meanwhile.
        self.assertEqual(sorted(after[loop] - before[loop] for loop in after)[-3:], [3, 3, 3])
        # Places that became free on one worker are filled again, there.
        gone = pool[0:9:3]
        for conversation in gone:
            conversation.close()
        self.wait_until(lambda: sum(self.sockets_by_epoll(daemon.pid).values()) == sum(after.values()) - 3, "closed")
        fresh = [self.connect(daemon) for _ in range(3)]
        for conversation in fresh:
            conversation.expect_open()
        filled = self.sockets_by_epoll(daemon.pid)
        self.assertEqual(sorted(filled[loop] - before[loop] for loop in filled)[-3:], [3, 3, 3])

    def test_two_ports_are_one_store(self):
        daemon = self.start("--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0")
        first, second = daemon.addresses
        self.assertNotEqual(first, second)
        with Conversation(first) as one, Conversation(second) as two:
            self.assertEqual(one.set("shared", "value"), "STORED")
            self.assertEqual(two.get("shared"), b"value")

    @needs(has_ipv6_loopback(), "IPv6 loopback")
    def test_ipv6(self):
        daemon = self.start("--listen", "[::1]:0", "--listen", "127.0.0.1:0")
        self.assertRegex(daemon.listening[0][1], r"^\[::1\]:[1-9]\d*$")
        for address in daemon.addresses:
            self.assert_serves(address)

    def test_unix_socket(self):
        path = self.path("data.sock")
        daemon = self.start("--listen", f"unix:{path}")
        self.assertEqual(daemon.listening, [("data", f"unix:{path}")])
        self.assert_serves(path)

    @needs(os.geteuid() == 0, "root")
    def test_unix_socket_belongs_to_the_user(self):
        """Made by root, used by the user that the daemon becomes, and gone with it."""
        nobody = pwd.getpwnam("nobody")
        folder = self.path("of-nobody")
        os.mkdir(folder)
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        os.chmod(os.path.dirname(folder), 0o755)
        path = os.path.join(folder, "data.sock")
        daemon = self.start("--user", "nobody", "--listen", f"unix:{path}")
        file = os.stat(path)
        self.assertEqual((file.st_uid, file.st_gid), (nobody.pw_uid, nobody.pw_gid))
        self.assertEqual(stat.S_IMODE(file.st_mode), 0o660)
        self.assert_serves(path)
        daemon.stop()
        self.assertFalse(os.path.exists(path))

    def test_unix_socket_and_port_are_one_store(self):
        path = self.path("data.sock")
        daemon = self.start("--listen", f"unix:{path}", "--listen", "127.0.0.1:0")
        with Conversation(path) as local, Conversation(("127.0.0.1", daemon.port)) as remote:
            self.assertEqual(local.set("shared", "value"), "STORED")
            self.assertEqual(remote.get("shared"), b"value")

    def test_unix_socket_is_closed_to_others(self):
        path = self.path("data.sock")
        daemon = self.start("--listen", f"unix:{path}")
        mode = stat.S_IMODE(os.stat(path).st_mode)
        self.assertEqual(mode & 0o007, 0, f"mode {mode:o}")
        self.assertEqual(mode & 0o600, 0o600, f"mode {mode:o}")
        daemon.stop()

    def test_unix_socket_goes_with_the_daemon(self):
        path = self.path("data.sock")
        daemon = self.start("--listen", f"unix:{path}")
        daemon.stop()
        self.assertFalse(os.path.exists(path))

    def test_stale_unix_socket_is_replaced(self):
        path = self.path("data.sock")
        killed = self.start("--listen", f"unix:{path}")
        killed.kill()
        self.assertTrue(os.path.exists(path), "a killed daemon leaves its socket behind")
        self.start("--listen", f"unix:{path}")
        self.assert_serves(path)

    def test_unix_socket_in_use(self):
        path = self.path("data.sock")
        self.start("--listen", f"unix:{path}")
        ended = self.run_to_exit("--listen", f"unix:{path}", code=EXIT_IN_USE)
        self.assertIn(path, ended.stderr)
        self.assert_serves(path)

    def test_a_file_that_is_no_socket_is_left_alone(self):
        path = self.write_file("precious", "do not lose\n")
        ended = self.run_to_exit("--listen", f"unix:{path}", code=(EXIT_IN_USE, EXIT_CONFIGURATION), timeout_s=10)
        self.assertIn(path, ended.stderr)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "do not lose\n")

    def test_longest_unix_path(self):
        longest = 107 - len(self.directory) - 1
        path = self.path("s" * longest)
        self.assertEqual(len(path), 107)
        self.start("--listen", f"unix:{path}")
        self.assert_serves(path)
        self.run_to_exit("--listen", f"unix:{path}s", code=EXIT_BAD_VALUE)

    def test_port_in_use_names_the_address(self):
        daemon = self.start()
        ended = self.run_to_exit("--listen", f"127.0.0.1:{daemon.port}", code=EXIT_IN_USE)
        self.assertIn(f"127.0.0.1:{daemon.port}", ended.stderr)
        self.assertEqual(ended.stdout, "")
        self.assert_serves(daemon.address)

    def test_restart_on_the_same_port(self):
        first = self.start()
        with first.connect() as conversation:  # leaves a connection in TIME_WAIT on the daemon's side
            conversation.expect_open()
            first.stop()
        second = self.start("--listen", f"127.0.0.1:{first.port}")
        self.assert_serves(second.address)

    def test_wider_than_loopback_is_refused(self):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0"):
            with self.subTest(address):
                ended = self.run_to_exit("--listen", address, code=EXIT_CONFIGURATION)
                self.assertIn("insecure-listen", ended.stderr)

    def test_wider_than_loopback_when_insisted_on(self):
        daemon = self.start("--listen", "0.0.0.0:0", "--insecure-listen", "yes")
        self.assert_serves(("127.0.0.1", daemon.port))

    def test_any_loopback_address_is_loopback(self):
        daemon = self.start("--listen", "127.8.9.10:0")
        self.assert_serves(daemon.address)

    def test_bad_addresses(self):
        for address in ("", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:http",
                        "[::1:11200", "unix:", "nonsense:0:0", "256.0.0.1:0"):
            with self.subTest(address):
                ended = self.run_to_exit("--listen", address, code=EXIT_BAD_VALUE)
                self.assertIn("listen", ended.stderr)

    def test_no_udp(self):
        daemon = self.start()
        inodes = set()
        for name in os.listdir(f"/proc/{daemon.pid}/fd"):
            match = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{daemon.pid}/fd/{name}"))
            if match:
                inodes.add(match[1])
        self.assertTrue(inodes)
        for table in ("udp", "udp6"):
            with open(f"/proc/{daemon.pid}/net/{table}", encoding="ascii") as rows:
                self.assertFalse(inodes & {row.split()[9] for row in rows})

    def test_connection_refused_after_stop(self):
        daemon = self.start()
        address = daemon.address
        daemon.stop()
        with self.assertRaises(ConnectionRefusedError):
            connect_socket(address).close()

    def test_half_a_start_serves_nobody(self):
        # The second address is taken: the daemon must not have answered on the first meanwhile.
        taken = self.start()
        path = self.path("data.sock")
        self.run_to_exit("--listen", f"unix:{path}", "--listen", f"127.0.0.1:{taken.port}", code=EXIT_IN_USE)
        self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    unittest.main()
