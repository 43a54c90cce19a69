"""flush_all: refused unless it is allowed; then a barrier, in all its forms, and the space comes back in slices."""

import math
import time
import unittest

from pressure_case import CLOCK_GRAIN_S, MIB, PATIENCE, BusyClient, PressureCase, batches, set_request

REFUSED = b"CLIENT_ERROR flush_all not allowed"
CROWD = 60_000
LONG_S = 100_000  # a delay that no test lives to see


class FlushCase(PressureCase):
    def ask(self, *lines):
        return self.client.ask([line + b"\r\n" for line in lines])

    def store(self, key, value=b"v", reply=b"STORED"):
        self.assertEqual(self.client.ask([set_request(key, value)]), [reply])

    def found(self, *keys):
        return sorted(self.client.get(keys))

    def log_in_crowd(self, daemon):
        sessions = self.sessions_of(daemon)
        sessions.store({sessions.new_key(): sessions.values.between(10, 200) for _ in range(CROWD)}, 3600)
        sessions.store({sessions.new_key(): sessions.values.make(100_000) for _ in range(20)})
        return sessions


class FlushRefusedTest(FlushCase):
    def test_every_form_is_refused_by_default(self):
        daemon = self.start()
        self.client = self.pipeline(daemon)
        self.store(b"kept")
        forms = [b"flush_all" + rest for rest in (b"", b" 0", b" 1", b" -1", b" 10", b" %d" % LONG_S)]
        self.assertEqual(self.ask(*forms), [REFUSED] * len(forms))
        noreply = b"flush_all noreply\r\nflush_all 0 noreply\r\nflush_all 1 noreply\r\n"
        self.assertEqual(self.client.ask([noreply + b"touch kept 0\r\n"]), [b"TOUCHED"])
        daemon.wait_for_stderr("flush_all from 127.0.0.1:[0-9]+ refused")
        time.sleep(2.2)  # an absence: none of them may take effect later
        self.assertEqual(self.found(b"kept"), [b"kept"])
        self.assertEqual(daemon.stats()["curr_items"], "1")


class FlushTest(FlushCase):
    def setUp(self):
        super().setUp()
        self.daemon = self.start("--memory", "64m", "--flush-all", "allow")
        self.client = self.pipeline(self.daemon)
        self.watcher = self.connect(self.daemon)

    def wait_for_items(self, count):
        self.daemon.wait_for_stat("curr_items", count, timeout_s=20 * PATIENCE)

    def wait_until_missed(self, key):
        """Returns the wall time when it was last seen."""
        seen = 0.0
        while self.found(key):
            seen = time.time()
            time.sleep(0.02)
        return seen

    # --- at once -------------------------------------------------------------------------------

    def test_what_was_there_is_gone_and_what_comes_stays(self):
        sessions = self.log_in_crowd(self.daemon)
        self.store(b"same", b"before")
        # One after the other in one batch, so mostly within one second, and one turn of the worker.
        replies = self.client.ask(
            [
                set_request(b"before", b"b"),
                b"flush_all\r\n",
                set_request(b"same", b"after"),
                set_request(b"after", b"a"),
            ]
        )
        self.assertEqual(replies, [b"STORED", b"OK", b"STORED", b"STORED"])
        for keys in batches(sessions.live, len):
            self.assertEqual(self.client.get(keys), {}, "a session outlives the flush")
        self.assertEqual(self.client.get([b"before", b"same", b"after"]), {b"same": b"after", b"after": b"a"})
        self.wait_for_items(2)
        self.assertEqual(self.client.get([b"same", b"after"]), {b"same": b"after", b"after": b"a"})
        stats = self.daemon.stats()
        self.assertEqual(int(stats["sessions_flushed"]), CROWD + 20 + 1)  # "same" was overwritten
        self.assertEqual(stats["evictions"], "0")

    def test_other_connections_see_it_at_once(self):
        for number in range(200):
            with self.subTest(number):
                other = self.watcher
                self.assertEqual(other.set("one", "1"), "STORED")
                self.assertEqual(self.ask(b"flush_all"), [b"OK"])
                self.assertIsNone(other.get("one"))
                self.assertEqual(other.set("two", "2"), "STORED")
                self.assertEqual(self.found(b"one", b"two"), [b"two"])

    def test_nothing_revives_what_was_flushed(self):
        keys = [b"%b:%d" % (word, number) for word in (b"small", b"large") for number in range(9)]
        for key in keys:
            self.store(key, b"7" if key.startswith(b"small") else b"7" * 30_000)
        self.assertEqual(self.ask(b"flush_all"), [b"OK"])
        wanted = {
            b"touch %b 0\r\n": b"NOT_FOUND",
            b"delete %b\r\n": b"NOT_FOUND",
            b"incr %b 1\r\n": b"NOT_FOUND",
            b"decr %b 1\r\n": b"NOT_FOUND",
            b"gat 0 %b\r\n": b"END",
            b"replace %b 0 0 1\r\nx\r\n": b"NOT_STORED",
            b"append %b 0 0 1\r\nx\r\n": b"NOT_STORED",
            b"prepend %b 0 0 1\r\nx\r\n": b"NOT_STORED",
            b"cas %b 0 0 1 1\r\nx\r\n": b"NOT_FOUND",
        }
        for group in (keys[:9], keys[9:]):
            requests = [request % key for request, key in zip(wanted, group, strict=True)]
            self.assertEqual(self.client.ask(requests), list(wanted.values()))
        self.assertEqual(self.found(*keys), [])
        self.assertEqual(self.client.ask([set_request(key, b"new", verb=b"add") for key in keys]), [b"STORED"] * len(keys))
        self.wait_for_items(len(keys))
        self.assertEqual(self.found(*keys), sorted(keys))

    def test_flush_after_flush(self):
        """A second barrier while the space of the first is not yet taken back."""
        self.log_in_crowd(self.daemon)
        replies = self.client.ask(
            [
                b"flush_all\r\n",
                *(set_request(b"first:%d" % number, b"1") for number in range(1000)),
                b"flush_all noreply\r\nflush_all 0\r\n",
                *(set_request(b"second:%d" % number, b"2") for number in range(1000)),
            ]
        )
        self.assertEqual(replies.count(b"STORED"), 2000)
        self.wait_for_items(1000)
        self.assertEqual(len(self.client.get([b"second:%d" % number for number in range(1000)])), 1000)

    def test_a_full_store_is_usable_again(self):
        sessions = self.sessions_of(self.daemon)
        with self.resident_bounded(self.daemon, "flush of a full store"):
            sessions.fill_small()
            full = sessions.size()
            with BusyClient(self.daemon) as busy:
                self.assertEqual(self.ask(b"flush_all"), [b"OK"])
                sessions.live.clear()
                self.wait_for_items(0)
            self.tell(f"while {CROWD} sessions were swept another was answered in {busy.slowest_s * 1000:.1f} ms at the slowest")
            sessions.fill_small()
        self.assertGreater(sessions.size(), 0.95 * full)
        self.assert_whole(self.daemon, sessions)

    def test_a_reader_keeps_what_it_reads(self):
        value = b"r" * MIB
        self.store(b"large", value)
        reader = self.connect(self.daemon, receive_buffer_bytes=4096)
        reader.send("get large\r\n")
        reader.read_exactly(1)
        self.assertEqual(self.ask(b"flush_all"), [b"OK"])
        self.wait_for_items(0)
        self.store(b"other", b"o" * MIB)
        rest = b"ALUE large 0 %d\r\n%b\r\nEND\r\n" % (MIB, value)
        self.assertEqual(reader.read_exactly(len(rest)), rest)

    # --- later ---------------------------------------------------------------------------------

    def test_delayed(self):
        """Until its second comes everything stays; then all goes that was stored before it, whenever that was."""
        self.log_in_crowd(self.daemon)
        self.store(b"before")
        asked = time.time()
        self.assertEqual(self.ask(b"flush_all 2"), [b"OK"])
        self.store(b"between")
        self.assertEqual(self.ask(b"touch before 1000"), [b"TOUCHED"])
        earliest = math.floor(asked) + 2
        seen = self.wait_until_missed(b"before")
        missed = time.time()
        self.assertGreater(missed, earliest - CLOCK_GRAIN_S, "before its time")
        self.assertGreater(seen, asked)
        self.assertEqual(self.found(b"before", b"between"), [])
        self.store(b"after")
        self.store(b"before", b"new")
        self.wait_for_items(2)
        self.assertEqual(self.found(b"before", b"between", b"after"), [b"after", b"before"])
        time.sleep(1.5)  # an absence: it happens once
        self.assertEqual(self.found(b"before", b"after"), [b"after", b"before"])

    def test_delayed_and_unread(self):
        self.log_in_crowd(self.daemon)
        self.assertEqual(self.ask(b"flush_all 1"), [b"OK"])
        self.wait_for_items(0)

    def test_the_next_replaces_one_to_come(self):
        self.store(b"kept")
        self.assertEqual(self.ask(b"flush_all 1", b"flush_all %d" % LONG_S), [b"OK", b"OK"])
        time.sleep(2.5)  # an absence: the first must not come
        self.assertEqual(self.found(b"kept"), [b"kept"])
        self.assertEqual(self.ask(b"flush_all 1", b"flush_all"), [b"OK", b"OK"])
        self.assertEqual(self.found(b"kept"), [])
        self.store(b"kept")
        time.sleep(2.5)  # as above
        self.assertEqual(self.found(b"kept"), [b"kept"])


if __name__ == "__main__":
    unittest.main()
