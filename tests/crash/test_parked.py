"""Connections that end while their replies wait for the disk: by the client, by a limit, by a failed write.

A test for the sanitizers above all: what is freed there must not be woken later.
"""

import unittest

from crash_case import HELD, LONG_S, WAIT_S, CrashCase, Strace, is_answered, needs_strace
from sessiond_process import ConversationError

N = 12
VALUE_BYTES = 1500  # of which many are copied into one turn
N_GETS = 80


def leave_open(conversation):
    del conversation


ENDINGS = {
    "closes": lambda conversation: conversation.close(),
    "resets": lambda conversation: conversation.reset(),
    "closes one side": lambda conversation: conversation.shutdown_write(),
    "stays": leave_open,
}


@needs_strace
class ParkedTest(CrashCase):
    def park(self, daemon, names, more=b""):
        """A connection for each name whose delete waits for the held disk."""
        conversations = []
        for name in names:
            conversation = self.connect(daemon)
            conversation.send(f"delete {name}\r\n".encode() + more)
            conversations.append(conversation)
        return conversations

    def fill(self, daemon, names):
        with daemon.connect(timeout_s=WAIT_S) as conversation:
            for name in names:
                self.assertEqual(conversation.set(name, "x", LONG_S), "STORED")

    def test_the_peer_ends(self):
        daemon = self.start_traced()
        names = [f"k{number}" for number in range(len(ENDINGS) * N)]
        self.fill(daemon, names)
        with Strace(daemon, HELD) as strace:
            conversations = self.park(daemon, names, b"get other\r\nversion\r\n")
            daemon.wait_for_stat("conn_parked_now", len(names))
            for number, conversation in enumerate(conversations):
                list(ENDINGS.values())[number % len(ENDINGS)](conversation)
            self.assertFalse(any(is_answered(conversation) for conversation in conversations[3::4]))
            strace.leave()
        for number, conversation in enumerate(conversations):
            if number % len(ENDINGS) >= 2:  # those that still listen
                self.assertEqual(conversation.read_line(), "DELETED")
                self.assertEqual(conversation.read_line(), "END")
                self.assertEqual(conversation.read_line(), "VERSION 1.6.18")
        daemon.wait_for_stat("conn_parked_now", 0)
        daemon.wait_for_stat("curr_connections", lambda count: count <= N + 1)
        self.stop(daemon)
        self.assert_all_gone(daemon, names)

    def test_a_limit_ends(self):
        """Replies that wait are held in the connections' memory; when it is gone, connections are closed."""
        daemon = self.start_traced("--max-value", "64k", "--connection-memory", "1m", "--output-limit", "256k")
        names = [f"k{number}" for number in range(4 * N)]
        self.fill(daemon, [*names, "last"])
        with self.connect(daemon) as conversation:
            self.assertEqual(conversation.set("other", b"y" * VALUE_BYTES, LONG_S), "STORED")
        with Strace(daemon, HELD) as strace:
            first = self.park(daemon, ["last"])
            daemon.wait_for_stat("conn_parked_now", 1)
            conversations = self.park(daemon, names, b"get other\r\n" * N_GETS)
            self.wait_until(lambda: any(is_answered(conversation) for conversation in conversations),
                            "a connection is closed for want of memory")
            strace.leave()
        self.assertEqual(first[0].read_line(), "DELETED")
        n_closed = 0
        for conversation in conversations:
            try:
                self.assertEqual(conversation.read_line(), "DELETED")
                for _ in range(N_GETS):
                    self.assertEqual(len(conversation.read_values()["other"][2]), VALUE_BYTES)
            except ConversationError:
                n_closed += 1
        self.assertGreater(n_closed, 0)
        daemon.wait_for_stat("conn_parked_now", 0)
        self.connect(daemon).expect_open()
        self.stop(daemon)
        self.assert_all_gone(daemon, ["last"])

    def test_the_disk_ends(self):
        """The sync that they wait for fails: closed without an answer."""
        daemon = self.start_traced()
        names = [f"k{number}" for number in range(N)]
        self.fill(daemon, names)
        with Strace(daemon, "fdatasync:error=EIO:delay_enter=700000") as strace:
            daemon.expect_exit()
            conversations = self.park(daemon, names)
            conversations[0].reset()
            for conversation in conversations[1:]:
                conversation.expect_closed(WAIT_S)
            self.assertEqual(daemon.wait(WAIT_S), 74)
            strace.wait()
        self.assert_clean(daemon)

    def assert_all_gone(self, daemon, names):
        daemon.start()
        conversation = self.connect(daemon)
        for name in names:
            self.assertIsNone(conversation.get(name))
        self.stop(daemon)


if __name__ == "__main__":
    unittest.main()
