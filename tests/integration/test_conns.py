"""`stats conns`: each listener and connection, whoever's it is, in memcached's form."""

import re
import threading
import unittest

from integration_case import IntegrationCase, has_ipv6_loopback, needs
from sessiond_process import Conversation, MemcachedProcess

MIB = 1 << 20
FORMS = {
    "addr": r"(tcp:[\d.]+:\d+|tcp6:\[[0-9a-f:]+\]:\d+|unix:.*)",
    "listen_addr": r"(tcp:[\d.]+:\d+|tcp6:\[[0-9a-f:]+\]:\d+|unix:/.*)",
    "state": r"conn_[a-z_]+",
    "secs_since_last_cmd": r"\d+",
}


def by_descriptor(rows):
    """{descriptor: {field: value}} of `stats conns`."""
    found = {}
    for name, value in rows.items():
        descriptor, _, field = name.partition(":")
        found.setdefault(int(descriptor), {})[field] = value
    return found


class ConnsTest(IntegrationCase):
    def conns(self, asker):
        return by_descriptor(asker.stats("conns"))

    def row_of(self, asker, conversation):
        """The fields of a client's connection."""
        host, port = conversation.socket.getsockname()[:2]
        return next(
            (row for row in self.conns(asker).values() if row["addr"].endswith(f"{host}:{port}")), {"state": None}
        )

    def wait_for_state(self, asker, conversation, state):
        self.wait_until(lambda: self.row_of(asker, conversation)["state"] == state, state)

    def test_same_fields_as_memcached(self):
        fields = []
        for daemon in (self.start(), self.enterContext(MemcachedProcess())):
            asker, idle = self.connect(daemon), self.connect(daemon)
            idle.expect_open()
            rows = self.conns(asker)
            for row in rows.values():
                for field, value in row.items():
                    self.assertRegex(value, f"^{FORMS[field]}$", field)
            fields.append({(row["state"] == "conn_listening", frozenset(row)) for row in rows.values()})
            self.assertEqual(len(rows), 3)
            self.assertEqual(self.row_of(asker, asker)["state"], "conn_parse_cmd")
            self.assertEqual(self.row_of(asker, asker)["secs_since_last_cmd"], "0")
        self.assertEqual(fields[0], fields[1])

    def test_every_worker_and_listener(self):
        path = self.path("data.sock")
        daemon = self.start("--threads", "3", "--listen", "127.0.0.1:0", "--listen", f"unix:{path}")
        asker = self.connect(daemon)
        clients = [self.enterContext(Conversation(address)) for address in daemon.addresses * 4]
        for client in clients:
            client.expect_open()
        rows = self.conns(asker)
        port = daemon.port
        listeners = sorted(row["addr"] for row in rows.values() if row["state"] == "conn_listening")
        self.assertEqual(listeners, [f"tcp:127.0.0.1:{port}", f"unix:{path}"])
        came_to = [row["listen_addr"] for row in rows.values() if "listen_addr" in row]
        self.assertEqual(came_to.count(f"unix:{path}"), 4)
        self.assertEqual(came_to.count(f"tcp:127.0.0.1:{port}"), 5)
        for client in clients:
            client.close()
        self.wait_until(lambda: len(self.conns(asker)) == 3, "only the asker is left")

    @needs(has_ipv6_loopback(), "IPv6")
    def test_version_6(self):
        daemon = self.start("--listen", "127.0.0.1:0", "--listen", "[::1]:0")
        asker, client = self.connect(daemon), self.enterContext(Conversation(daemon.addresses[1]))
        client.expect_open()
        addresses = [row["addr"] for row in self.conns(asker).values()]
        self.assertIn(f"tcp6:[::1]:{daemon.addresses[1][1]}", addresses)
        self.assertIn(f"tcp6:[::1]:{client.socket.getsockname()[1]}", addresses)

    def test_states(self):
        daemon = self.start("--memory", "64m")
        asker = self.connect(daemon)
        self.assertEqual(asker.set("large", b"x" * MIB), "STORED")
        waiting, line, small, large = (self.connect(daemon) for _ in range(4))
        reader = self.connect(daemon, receive_buffer_bytes=4096)
        waiting.expect_open()
        line.send("get begun")
        small.send("set small 0 0 100\r\nbegun")
        large.send(f"set large 0 0 {MIB}\r\nbegun")
        reader.send("get large\r\n" * 32)
        self.wait_for_state(asker, waiting, "conn_waiting")
        self.wait_for_state(asker, line, "conn_read")
        self.wait_for_state(asker, small, "conn_read")
        self.wait_for_state(asker, large, "conn_nread")
        self.wait_for_state(asker, reader, "conn_mwrite")
        line.send("\r\n")
        self.assertEqual(line.read_line(), "END")
        self.wait_for_state(asker, line, "conn_waiting")
        for _ in range(32):
            reader.read_exactly(len(b"VALUE large 0 %d\r\n\r\nEND\r\n" % MIB) + MIB)
        self.wait_for_state(asker, reader, "conn_waiting")

    def test_seconds_since_the_last_command(self):
        daemon = self.start()
        asker, client = self.connect(daemon), self.connect(daemon)
        client.expect_open()
        daemon.move_clock(70)
        self.assertIn(int(self.row_of(asker, client)["secs_since_last_cmd"]), range(70, 75))
        client.send("get begun")  # not a command yet
        self.wait_for_state(asker, client, "conn_read")
        self.assertGreaterEqual(int(self.row_of(asker, client)["secs_since_last_cmd"]), 70)
        client.send("\r\n")
        self.assertEqual(client.read_line(), "END")
        self.wait_for_state(asker, client, "conn_waiting")
        self.assertLess(int(self.row_of(asker, client)["secs_since_last_cmd"]), 5)

    def test_asked_while_connections_come_and_go(self):
        daemon = self.start("--threads", "2")
        asker = self.connect(daemon)
        over = threading.Event()
        failures = []

        def come_and_go():
            try:
                while not over.is_set():
                    with daemon.connect() as client:
                        client.expect_open()
            except (AssertionError, OSError) as error:
                failures.append(error)

        clients = [threading.Thread(target=come_and_go) for _ in range(4)]
        for client in clients:
            client.start()
        for _ in range(200):
            for row in self.conns(asker).values():
                self.assertIn("state", row)
        over.set()
        for client in clients:
            client.join(30)
            self.assertFalse(client.is_alive(), "a client hangs")
        self.assertEqual(failures, [])

    def test_of_very_many_the_rest_is_counted(self):
        daemon = self.start("--threads", "2")
        asker = self.connect(daemon)
        clients = [self.connect(daemon) for _ in range(900)]
        for client in clients:
            client.expect_open()
        rows = asker.stats("conns")
        left_out = int(rows.pop("connections_left_out"))
        shown = by_descriptor(rows)
        self.assertEqual(len(shown) - 1 + left_out, len(clients) + 1)
        self.assertGreater(len(shown), 500)
        for row in shown.values():
            self.assertTrue(re.match(FORMS["state"], row["state"]))


if __name__ == "__main__":
    unittest.main()
