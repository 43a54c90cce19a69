"""The verb dump: all live sessions as one reply, of any length, for which nobody else waits.

What sessionctl makes of it is tests/ctl/test_transfer.py.
"""

import os
import signal
import threading
import unittest

from integration_case import IntegrationCase, is_sanitized  # which says where the others are
from dump_text import is_whole, read_dump
from sessiond_process import Conversation

MIB = 1 << 20
MANY = 50_000  # sessions: 20 MiB, more than any socket takes
VALUE = b"v" * 400


class DumpTest(IntegrationCase):
    def start_one(self, *args, threads=1):
        """All connections share a worker, unless it is told otherwise: who is held up by another would show it."""
        return self.start("--threads", str(threads), "--admin-listen", f"unix:{self.path('admin.sock')}", *args)

    def admin(self, daemon):
        return self.enterContext(Conversation(daemon.admin_address))

    def fill(self, daemon, n=MANY, value=VALUE):
        client = self.connect(daemon)
        for start in range(0, n, 1000):
            client.send(b"".join(b"set key:%d %d 0 %d noreply\r\n%s\r\n" % (number, number, len(value), value)
                                 for number in range(start, min(start + 1000, n))))
        client.expect_open()
        return client

    def begin_stuck(self, daemon, asker):
        """A dump that nobody reads."""
        reader = self.admin(daemon)
        reader.send("dump\r\n")
        self.wait_until(lambda: "conn_mwrite" in (value for name, value in asker.stats("conns").items()
                                                  if name.endswith(":state")), "the dump is stuck")
        return reader

    def rest_of(self, reader):
        reader.send("quit\r\n")
        return reader.read_to_close()

    def test_nobody_waits_for_a_stuck_reader(self):
        daemon = self.start_one()
        asker = self.fill(daemon)
        before = daemon.resident_bytes()
        reader = self.begin_stuck(daemon, asker)
        self.assertEqual(asker.set("late", "served"), "STORED")
        self.assertEqual(asker.get("late"), b"served")
        self.assertEqual(self.admin(daemon).ask("ping"), "OK")
        self.assertLess(int(asker.stats()["connection_bytes"]), 256 << 10)
        self.assertTrue(is_sanitized() or daemon.resident_bytes() < before + 2 * MIB)
        sessions = {session.key: session for session in read_dump(self.rest_of(reader))}
        for number in range(MANY):
            session = sessions[b"key:%d" % number]
            self.assertEqual((session.flags, session.deadline, session.marks, session.value), (number, 0, b"", VALUE))
        self.wait_until(lambda: int(asker.stats()["connection_bytes"]) == 0, "nothing is held back")

    def test_who_stays_is_told_while_others_write(self):
        daemon = self.start_one(threads=2)
        asker = self.fill(daemon, 20_000)
        has_ended = threading.Event()
        wrote = []

        def write():
            with daemon.connect() as writer:
                while not has_ended.is_set():
                    wrote.append(writer.set(f"new:{len(wrote)}", "x" * (len(wrote) * 37 % 30_000)))
                    if len(wrote) % 2 == 0:
                        writer.ask(f"delete new:{len(wrote) // 2}")

        thread = threading.Thread(target=write)
        thread.start()
        try:
            reader = self.admin(daemon)
            reader.send("dump\r\n")
            sessions = read_dump(self.rest_of(reader))
        finally:
            has_ended.set()
            thread.join()
        self.assertEqual(set(wrote), {"STORED"})
        self.assertLessEqual({b"key:%d" % number for number in range(20_000)}, {session.key for session in sessions})
        self.assertEqual(asker.get("key:0"), VALUE)

    def test_large_values(self):
        daemon = self.start_one("--memory", "64m")
        client = self.connect(daemon)
        values = {b"large:%d" % number: bytes([65 + number]) * (MIB - number) for number in range(9)}
        for key, value in values.items():
            self.assertEqual(client.set(key.decode(), value), "STORED")
        reader = self.begin_stuck(daemon, client)
        self.assertLess(int(client.stats()["connection_bytes"]), 1.5 * MIB)  # of all nine one is lent
        self.assertEqual({session.key: session.value for session in read_dump(self.rest_of(reader))}, values)
        self.wait_until(lambda: int(client.stats()["connection_bytes"]) == 0, "nothing is lent any more")

    def test_a_connection_that_ends_takes_its_dump_with_it(self):
        for value in (VALUE, b"v" * MIB):
            with self.subTest(len(value)):
                daemon = self.start_one("--memory", "64m")
                asker = self.fill(daemon, 20 * MIB // (len(value) + 100), value)
                reader = self.begin_stuck(daemon, asker)
                reader.close()
                self.wait_until(lambda: int(asker.stats()["connection_bytes"]) == 0, "nothing is held back")
                self.wait_until(lambda: int(asker.stats()["curr_connections"]) == 1, "the connection is gone")
                daemon.stop()

    def test_a_stuck_reader_is_closed(self):
        daemon = self.start_one("--output-timeout", "500ms")
        asker = self.fill(daemon)
        reader = self.begin_stuck(daemon, asker)
        self.wait_until(lambda: int(asker.stats()["curr_connections"]) == 1, "the connection is closed")
        self.assertFalse(is_whole(reader.read_to_close()))

    def test_a_stop_waits_for_no_dump(self):
        daemon = self.start_one()
        reader = self.begin_stuck(daemon, self.fill(daemon))
        daemon.signal(signal.SIGTERM)
        daemon.expect_exit()
        self.assertRegex(reader.read_until(b"\n"), rb"^sessiond-dump 1 \d+\n$")
        self.assertFalse(is_whole(reader.read_to_close()))
        self.assertEqual(daemon.wait(), 0)

    def test_what_follows_is_answered_behind_it(self):
        daemon = self.start_one()
        self.fill(daemon, 3)
        admin = self.admin(daemon)
        admin.send("ping\r\ndump\r\nping\r\ndump\r\nversion\r\n")
        self.assertEqual(admin.read_line(), "OK")
        first = admin.read_until(b"OK\r\n")
        self.assertEqual(len(read_dump(first[:-4])), 3)
        self.assertEqual(len(read_dump(admin.read_until(b"VERSION ")[:-8])), 3)

    def test_what_has_ended_is_left_out(self):
        daemon = self.start_one()
        client = self.connect(daemon)
        self.assertEqual(client.set("flushed", "x"), "STORED")
        admin = self.admin(daemon)
        self.assertEqual(admin.ask("flush"), "OK")
        self.assertEqual(client.set("deleted", "x"), "STORED")
        self.assertEqual(client.ask("delete deleted"), "DELETED")
        self.assertEqual(client.set("there", "x"), "STORED")
        admin.send("dump\r\n")
        self.assertEqual([session.key for session in read_dump(self.rest_of(admin))], [b"there"])

    def test_it_is_logged(self):
        daemon = self.start_one()
        admin = self.admin(daemon)
        admin.send("dump\r\n")
        self.assertEqual(read_dump(self.rest_of(admin)), [])
        daemon.wait_for_stderr(rf"warning dump for uid {os.geteuid()}, pid {os.getpid()}: every session is read")


if __name__ == "__main__":
    unittest.main()
