"""Every limit one below it, at it and one above it. Limits of time are in test_limits.py; what unit tests show of numbers
in options is not repeated."""

import unittest

from integration_case import EXIT_BAD_VALUE, IntegrationCase

TOO_LONG = "CLIENT_ERROR line too long"
TOO_LARGE = "SERVER_ERROR object too large for cache"
BAD_FORMAT = "CLIENT_ERROR bad command line format"
MIB = 1 << 20


class LimitEdgesTest(IntegrationCase):
    def start_in_memory(self, *args):
        return self.start("--data-dir", "none", "--threads", "1", *args)

    def test_line_limit(self):
        """What counts is the line without its end; the keys of a get do not count."""
        for option, limit in (("1k", 1024), ("8k", 8192), ("32k", 32768)):
            daemon = self.start_in_memory("--line-limit", option)
            for end in ("\r\n", "\n"):
                for more in (-1, 0, 1):
                    with self.subTest(option, end=end, more=more), daemon.connect() as client:
                        client.send("delete k".ljust(limit + more) + end)
                        self.assertEqual(client.read_line(), TOO_LONG if more > 0 else "NOT_FOUND")
                        if more > 0:
                            client.expect_closed()
                        else:
                            client.expect_open()
            with daemon.connect() as client:
                client.send("get" + " k" * limit + "\r\n")
                self.assertEqual(client.read_line(), "END")
            daemon.stop()

    def test_max_value(self):
        """B34: of the value's bytes alone; also where append makes it."""
        for option, limit in (("1k", 1024), ("17k", 17 << 10), ("1m", MIB)):
            daemon = self.start_in_memory("--max-value", option)
            with self.subTest(option), daemon.connect() as client:
                for more in (-1, 0):
                    self.assertEqual(client.set("k", b"x" * (limit + more)), "STORED")
                    self.assertEqual(client.get("k"), b"x" * (limit + more))
                self.assertEqual(client.set("k", b"y" * (limit + 1)), TOO_LARGE)
                self.assertEqual(client.get("k"), b"x" * limit)
                self.assertEqual(client.set("k", b"x" * (limit - 1)), "STORED")
                for reply in ("STORED", "NOT_STORED"):
                    self.assertEqual(client.store("append", "k", b"x"), reply)
                    self.assertEqual(client.get("k"), b"x" * limit)
            daemon.stop()

    def test_a_refused_value_is_read_up_to_eight_times_the_limit(self):
        daemon = self.start_in_memory("--max-value", "1k")
        for more in (-1, 0, 1):
            with self.subTest(more), daemon.connect() as client:
                size = 8 * 1024 + more
                client.send(f"set k 0 0 {size}\r\n")
                self.assertEqual(client.read_line(), TOO_LARGE)
                if more > 0:
                    client.expect_closed()
                else:
                    client.send(b"x" * size + b"\r\n")
                    client.expect_open()

    def test_key_length(self):
        """B01, B02: of every command that takes one."""
        client = self.connect(self.start_in_memory())
        for size in (249, 250, 251):
            key, is_refused = "k" * size, size > 250
            asked = {f"{verb} {key}": "END" for verb in ("get", "gets", "gat 0", "gats 0")}
            asked |= {f"delete {key}": "NOT_FOUND", f"touch {key} 0": "NOT_FOUND", f"incr {key} 1": "NOT_FOUND",
                      f"decr {key} 1": "NOT_FOUND"}
            for verb, reply in (("replace", "NOT_STORED"), ("append", "NOT_STORED"), ("prepend", "NOT_STORED"),
                                ("add", "STORED"), ("set", "STORED")):
                asked[f"{verb} {key} 0 0 1\r\nx"] = reply
            asked[f"cas {key} 0 0 1 1\r\nx"] = "EXISTS"
            for line, reply in asked.items():
                with self.subTest(line[:20], size=size):
                    self.assertEqual(client.ask(line), BAD_FORMAT if is_refused else reply)
                    client.expect_open()

    def test_numbers(self):
        client = self.connect(self.start_in_memory())
        for flags, reply in ((2**32 - 2, "STORED"), (2**32 - 1, "STORED"), (2**32, BAD_FORMAT)):
            self.assertEqual(client.set("k", "5", flags=flags), reply)
        for exptime, reply in ((2**63 - 2, "STORED"), (2**63 - 1, "STORED"), (2**63, BAD_FORMAT), (-(2**63) - 1, BAD_FORMAT)):
            self.assertEqual(client.set("k", "5", exptime=exptime), reply)
        for cas, reply in ((2**64 - 1, "EXISTS"), (2**64, BAD_FORMAT)):
            self.assertEqual(client.ask(f"cas k 0 0 1 {cas}\r\nx"), reply)
        for delta, reply in ((2**64 - 1, "4"), (2**64, "CLIENT_ERROR invalid numeric delta argument")):
            self.assertEqual(client.ask(f"incr k {delta}"), reply)
        self.assertEqual(client.get("k"), b"4")

    def test_max_connections(self):
        for limit in (1, 10):
            daemon = self.start_in_memory("--max-connections", str(limit))
            held = [self.connect(daemon) for _ in range(limit)]
            for client in held:
                client.expect_open()
            with self.subTest(limit), daemon.connect() as refused:
                self.assertEqual(refused.read_line(), "ERROR Too many open connections")
                refused.expect_closed()
            for client in held:
                client.expect_open()
                client.close()
            daemon.stop()

    def test_output_limit(self):
        """Replies of about so many bytes, to a client that reads when all is sent: none is lost or out of order."""
        daemon = self.start_in_memory("--output-limit", "64k")
        client = self.connect(daemon, receive_buffer_bytes=4096)
        value_line = len(b"VALUE k 0 1000\r\n\r\nEND\r\n")
        self.assertEqual(client.set("k", b"x" * 1000), "STORED")
        n_gets, rest = divmod(64 << 10, 1000 + value_line)
        for more in (-1, 0, 1):
            last = b"y" * (rest + more - len(b"VALUE l 0 100\r\n\r\nEND\r\n"))
            self.assertEqual(client.set("l", last), "STORED")
            client.send("get k\r\n" * n_gets + "get l\r\nversion\r\n")
            for _ in range(n_gets):
                self.assertEqual(client.read_values()["k"][2], b"x" * 1000)
            self.assertEqual(client.read_values()["l"][2], last)
            self.assertEqual(client.read_line(), "VERSION 1.6.18")

    def test_connection_memory(self):
        """It must have room for what waits of the largest values: what is said to be too little is, and no more."""
        ended = self.run_to_exit("--data-dir", "none", "--listen", "127.0.0.1:0", "--max-value", "1m", "--connection-memory",
                                 str(3 * MIB - 1), code=EXIT_BAD_VALUE)
        self.assertIn("connection-memory", ended.stderr)
        client = self.connect(self.start_in_memory("--max-value", "1m", "--connection-memory", str(3 * MIB)))
        self.assertEqual(client.set("k", b"x" * MIB), "STORED")
        self.assertEqual(client.get("k"), b"x" * MIB)

    def test_options_at_their_limits(self):
        """Each option of net and store with a lowest and a highest value takes both, and not what lies outside."""
        edges = {"line-limit": (1 << 10, 32 << 10), "output-limit": (64 << 10, 64 << 20), "max-value": (1 << 10, 64 << 20),
                 "max-connections": (1, 1000000), "threads": (1, 64), "memory": (16 << 20, None), "connection-memory": (MIB, None)}
        for name, (lowest, highest) in edges.items():
            for number in (lowest - 1, *(() if highest is None else (highest + 1,))):
                with self.subTest(name, number=number):
                    ended = self.run_to_exit("--check-config", f"--{name}", str(number), code=EXIT_BAD_VALUE)
                    self.assertIn(name, ended.stderr)


if __name__ == "__main__":
    unittest.main()
