"""What clients make the daemon hold back stays within its part of memory, hurts them first, and goes with them."""

import time
import unittest

from integration_case import IntegrationCase, is_sanitized

MIB = 1 << 20
N_GETS = 32  # of a value: more than sockets take


class HeldBackTest(IntegrationCase):
    def start_small(self, *args, memory="16m"):
        """In 16m there is room for two of the largest values on their way to clients, and a bit."""
        daemon = self.start("--memory", memory, *args)
        asker = self.connect(daemon)
        for number in range(4):
            self.assertEqual(asker.set(f"large:{number}", b"%d" % number * MIB), "STORED")
        return daemon, asker

    def states(self, asker):
        return [value for name, value in asker.stats("conns").items() if name.endswith(":state")]

    def read_slowly(self, daemon, key):
        reader = self.connect(daemon, receive_buffer_bytes=4096)
        reader.send(f"get {key}\r\n" * N_GETS)
        return reader

    def hold_all(self, daemon, asker):
        """Two readers that do not read hold all the room there is for replies."""
        readers = [self.read_slowly(daemon, f"large:{number}") for number in range(2)]
        self.wait_until(lambda: self.states(asker).count("conn_mwrite") == 2, "both are stuck")
        self.assertGreaterEqual(int(asker.stats()["connection_bytes"]), 2 * MIB)
        return readers

    def test_a_large_reply_waits_for_room(self):
        daemon, asker = self.start_small()
        readers = self.hold_all(daemon, asker)
        late = self.connect(daemon)
        late.send("get large:2\r\n")
        self.wait_until(lambda: "conn_io_queue" in self.states(asker), "the third waits")
        self.assertEqual(asker.set("small", "works"), "STORED")
        self.assertEqual(asker.get("small"), b"works")
        readers[0].close()
        self.assertEqual(late.read_values()["large:2"][2], b"2" * MIB)
        readers[1].close()
        self.wait_until(lambda: int(asker.stats()["connection_bytes"]) == 0, "nothing is held back")

    def test_a_large_reply_does_not_wait_for_ever(self):
        daemon, asker = self.start_small("--command-timeout", "1s")
        self.hold_all(daemon, asker)
        began = time.monotonic()
        late = self.connect(daemon)
        late.send("get large:2\r\n")
        late.expect_closed()
        self.assertGreater(time.monotonic() - began, 0.9)

    def test_one_value_for_many_readers_is_held_once(self):
        daemon, asker = self.start_small()
        readers = [self.read_slowly(daemon, "large:0") for _ in range(20)]
        self.wait_until(lambda: self.states(asker).count("conn_mwrite") == 20, "all are stuck")
        self.assertLess(int(asker.stats()["connection_bytes"]), MIB + 20 * 1024)
        self.assertEqual(asker.ask("delete large:0"), "DELETED")
        expected = b"VALUE large:0 0 %d\r\n" % MIB + b"0" * MIB + b"\r\nEND\r\n"
        for reader in readers[:5]:
            self.assertEqual(reader.read_exactly(len(expected)), expected)
        for reader in readers:
            reader.close()
        self.wait_until(lambda: int(asker.stats()["connection_bytes"]) == 0, "nothing is held back")

    def test_unfinished_lines_close_none_but_themselves(self):
        daemon, asker = self.start_small()
        greedy = [self.connect(daemon) for _ in range(400)]
        for client in greedy:
            client.send(b"get " + b"k" * 200 + b" " * 5000)
        self.wait_until(lambda: int(asker.stats()["closed_for_memory"]) > 0, "there is no room")
        self.assertLess(int(asker.stats()["connection_bytes"]), 3 * MIB)
        other = self.connect(daemon)
        other.expect_open()
        self.assertEqual(other.set("upload", b"u" * MIB), "STORED")
        self.assertEqual(asker.stats()["rejected_connections"], "0")

    def test_memory_goes_back_after_a_burst(self):
        daemon, asker = self.start_small("--threads", "1", "--max-connections", "500", memory="64m")
        before = daemon.resident_bytes()
        for _ in range(2):
            clients = [self.connect(daemon) for _ in range(400)]
            for client in clients:
                client.send(b"get " + b"k" * 200 + b" " * 5000)
            self.wait_until(lambda: int(asker.stats()["connection_bytes"]) > 2.8 * MIB, "there is a burst")
            self.assertTrue(is_sanitized() or daemon.resident_bytes() > before + 3 * MIB)
            for client in clients:
                client.close()
            # The worker keeps what its buffers took, and the allocator a last part of the burst.
            bound = before + 2 * MIB
            self.wait_until(lambda: is_sanitized() or daemon.resident_bytes() < bound, "memory is given back")


if __name__ == "__main__":
    unittest.main()
