"""memcached of npm (3rd-Eden) against a running sessiond. The names of the cases say what it needs."""

import unittest

from node_case import AWAY, PATIENT, NodeCase

from client_case import NEEDS_ROOM_BYTES, TOO_LARGE_BYTES, FullMemoryCase, TwoServersCase
from driven_client import ClientError
from sessiond_process import SessiondProcess

DAY_S = 86400
NO_LIMITS = {**PATIENT, "maxValue": 1 << 24, "keyCompression": False, "maxKeySize": 1000}  # the server is to refuse


class CommandTest(NodeCase):
    def setUp(self):
        super().setUp()
        self.client = self.connect()

    def test_get_set_and_types_by_flags(self):
        for value, flags in (("text", 0), ("", 0), ("caf\xe9", 0), (42, 8), (1.5, 8), ({"a": [1, None]}, 2), (True, 2),
                             ("x" * 1_000_000, 0)):
            self.assertIs(self.client.set(self.key, value, 60), True)
            self.assertEqual(self.client.get(self.key), value)
            self.wire.send_line(f"get {self.key}")
            self.assertEqual(self.wire.read_values()[self.key][0], flags)
        self.assertIsNone(self.client.get("missing"))

    def test_what_does_not_store_is_an_error(self):
        self.assertIs(self.client.add(self.key, "1", 0), True)
        for store in (self.client.add, lambda key, *rest: self.client.replace("missing", *rest)):
            with self.assertRaisesRegex(ClientError, "Item is not stored"):
                store(self.key, "2", 0)
        self.assertIs(self.client.replace(self.key, "b", 0), True)
        self.assertIs(self.client.append(self.key, "c"), True)
        self.assertIs(self.client.prepend(self.key, "a"), True)
        self.assertEqual(self.client.get(self.key), "abc")
        with self.assertRaisesRegex(ClientError, "Item is not stored"):
            self.client.append("missing", "c")

    def test_gets_and_cas(self):
        self.client.set(self.key, "1", 0)
        found = self.client.gets(self.key)
        self.assertEqual(found[self.key], "1")
        self.assertIs(self.client.cas(self.key, "2", found["cas"], 0), True)
        self.assertIs(self.client.cas(self.key, "3", found["cas"], 0), False)
        self.assertIs(self.client.cas("missing", "3", found["cas"], 0), False)
        self.assertEqual(self.client.get(self.key), "2")

    def test_incr_and_decr(self):
        self.assertIs(self.client.incr(self.key, 1), False)
        self.client.set(self.key, 10, 0)
        self.assertEqual(self.client.incr(self.key, 5), 15)
        self.assertEqual(self.client.decr(self.key, 20), 0)
        self.client.set(self.key, "text", 0)
        with self.assertRaisesRegex(ClientError, "cannot increment or decrement non-numeric value"):
            self.client.incr(self.key, 1)
        self.assertEqual(self.client.get(self.key), "text")

    def test_touch_and_delete(self):
        self.assertIs(self.client.touch(self.key, 60), False)
        self.assertIs(self.client.delete(self.key), False)
        self.client.set(self.key, "1", 60)
        self.assertIs(self.client.touch(self.key, 60), True)
        self.assertIs(self.client.delete(self.key), True)
        self.assertIsNone(self.client.get(self.key))

    def test_a_lifetime_beyond_30_days_is_sent_as_it_is_and_so_is_a_date_long_past(self):
        self.assertIs(self.client.set(self.key, "1", 31 * DAY_S), True)
        self.assertIsNone(self.client.get(self.key))
        self.assertIs(self.client.set(self.key, "1", 30 * DAY_S), True)
        self.assertEqual(self.client.get(self.key), "1")

    def test_many_at_once(self):
        values = {f"{self.key}{number}": f"value {number}" for number in range(200)}
        for key, value in values.items():
            self.client.set(key, value, 0)
        self.assertEqual(self.client.getMulti([*values, "missing"]), values)
        self.assertEqual(self.client.get(list(values)), values)

    def test_what_the_server_tells(self):
        (version,) = self.client.version()
        self.assertEqual(version["version"], "1.6.18")
        self.client.set(self.key, "1", 0)
        (statistics,) = self.client.stats()
        self.assertEqual(statistics["pid"], self.daemon.pid)
        self.assertGreater(statistics["cmd_set"], 0)
        (settings,) = self.client.settings()
        self.assertEqual(settings["maxconns"], int(self.wire.stats("settings")["maxconns"]))
        for of_classes in (self.client.items, self.client.slabs):
            (classes,) = of_classes()
            self.assertIn("1", classes)

    def test_a_refused_flush_is_an_error_and_nothing_goes(self):
        self.client.set(self.key, "1", 0)
        with self.assertRaisesRegex(ClientError, "flush_all not allowed"):
            self.client.flush()
        self.assertEqual(self.client.get(self.key), "1")

    def test_what_the_client_refuses_itself(self):
        for arguments, said in ((("with blank", "1", 0), "whitespace"), ((self.key, "x" * TOO_LARGE_BYTES, 0), "greater than")):
            with self.assertRaisesRegex(ClientError, said):
                self.client.set(*arguments)
        self.assertIs(self.client.set("x" * 251, "1", 0), True)  # of a long key it takes the hash
        self.assertEqual(self.client.get("x" * 251), "1")
        self.assertIsNone(self.wire.get("x" * 250))


class RefusalTest(NodeCase):
    """What the server refuses. This client makes no error of a SERVER_ERROR, but false."""

    def setUp(self):
        super().setUp()
        self.client = self.connect(**NO_LIMITS)

    def test_a_value_too_large_is_false_and_the_old_one_stays(self):
        self.client.set(self.key, "old", 0)
        for store in (self.client.set, self.client.replace):
            self.assertIs(self.eventually(store, self.key, "x" * TOO_LARGE_BYTES, 0), False)
            self.assertEqual(self.eventually(self.client.get, self.key), "old")

    def test_a_key_that_only_the_server_refuses(self):
        for key in ("rubout\x7f", "x" * 251):
            with self.assertRaisesRegex(ClientError, "bad command line format"):
                self.client.set(key, "1", 0)
        self.assertIs(self.client.set("x" * 250, "1", 0), True)
        self.assertEqual(self.client.get("x" * 250), "1")

    def test_one_refusal_keeps_it_away_from_the_server_unless_it_is_told_not_to(self):
        client = self.connect(maxValue=1 << 24)
        self.assertIs(client.set(self.key, "x" * TOO_LARGE_BYTES, 0), False)
        with self.assertRaisesRegex(ClientError, "not available"):
            client.get(self.key)
        for _ in range(10):
            self.assertIs(self.eventually(self.client.set, self.key, "x" * TOO_LARGE_BYTES, 0), False)
        self.assertIsNone(self.eventually(self.client.get, self.key))


class FlushTest(NodeCase):
    options = ("--flush-all", "allow")

    def test_an_allowed_flush_empties(self):
        client = self.connect()
        client.set(self.key, "1", 0)
        self.assertEqual(client.flush(), [True])
        self.assertIsNone(client.get(self.key))


class FullMemoryTest(FullMemoryCase, NodeCase):
    def test_a_session_that_needs_room_is_false_and_the_old_one_stays(self):
        client = self.connect(**NO_LIMITS)
        for key, found in (("kept", "old"), (self.key, None)):
            self.assertIs(client.set(key, "x" * NEEDS_ROOM_BYTES, 0), False)
            self.assertEqual(self.eventually(client.get, key), found)
        self.assertIs(client.set("kept", "new", 0), True)
        self.assertIs(client.touch("kept", 60), True)
        self.assertIs(client.delete("kept"), True)


class TwoServersTest(TwoServersCase, NodeCase):
    def test_keys_spread_over_two_servers(self):
        client = self.connect()
        values = {f"{self.key}{number}": str(number) for number in range(50)}
        for key, value in values.items():
            client.set(key, value, 0)
        self.assertEqual(client.getMulti(list(values)), values)
        self.assertEqual(len(client.stats()), 2)
        self.assert_both_have_a_part()


class RestartTest(NodeCase):
    def test_a_server_that_comes_back_is_used_again_with_its_sessions(self):
        with SessiondProcess(["--fsync", "always"]) as own:
            client = self.connect([own], **PATIENT)
            client.set(self.key, "1", 0)
            address = "%s:%d" % own.address
            data_dir = own.data_dir
            own.stop()
            with self.assertRaisesRegex(ClientError, AWAY):
                client.get(self.key)
            with SessiondProcess(["--listen", address, "--data-dir", data_dir]):
                self.assertEqual(self.eventually(client.get, self.key), "1")


if __name__ == "__main__":
    unittest.main()
