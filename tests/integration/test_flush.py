"""flush_all against a running daemon: refused or allowed as its settings say, and its sender in the log.

Its forms and replies are flush.seq, service.seq and noreply.seq.
"""

import unittest

import integration_case
from integration_case import IntegrationCase

SESSIONS = 1000


class FlushTest(IntegrationCase):
    def store_sessions(self, conversation):
        """From the first to the last: SESSIONS of them, over all shards, whose end is counted in curr_items."""
        for number in range(SESSIONS):
            conversation.send(f"set flush:{number} 0 0 5 noreply\r\nvalue\r\n")
        self.assertEqual(conversation.ask("version"), "VERSION 1.6.18")
        self.assertEqual(conversation.stats()["curr_items"], str(SESSIONS))

    def count_sessions(self, conversation):
        conversation.send("get " + " ".join(f"flush:{number}" for number in range(SESSIONS)) + "\r\n")
        return len(conversation.read_values())

    def test_allowed_by_the_file_ends_all_sessions(self):
        config = self.write_file("sessiond.conf", "flush-all = allow\n")
        daemon = self.start("--config", config)
        with daemon.connect() as conversation:
            self.store_sessions(conversation)
            self.assertEqual(conversation.ask("flush_all"), "OK")
            port = conversation.socket.getsockname()[1]
            self.assertEqual(self.count_sessions(conversation), 0)
            self.wait_until(lambda: conversation.stats()["curr_items"] == "0", "the space is taken back")
        daemon.wait_for_stderr(rf"warning flush_all from 127\.0\.0\.1:{port}: every session has ended")

    def test_short_option_outranks_the_file(self):
        config = self.write_file("sessiond.conf", "flush-all = allow\n")
        daemon = self.start("--config", config, "-F")
        with daemon.connect() as conversation:
            self.store_sessions(conversation)
            self.assertEqual(conversation.ask("flush_all"), "CLIENT_ERROR flush_all not allowed")
            self.assertEqual(self.count_sessions(conversation), SESSIONS)

    def test_wrong_word_is_told(self):
        ended = self.run_to_exit("--flush-all", "perhaps", code=integration_case.EXIT_BAD_VALUE)
        self.assertIn("flush-all", ended.stderr)
        self.assertIn("allow", ended.stderr)


if __name__ == "__main__":
    unittest.main()
