"""The recorder writes values that show it when they are torn, and reads replies however they are cut."""

import unittest

import recorder
from history import Operation, count_results, merge, overlap
from recorder import Request, RecordingError, recognise, value_bytes, value_flags

SMALL, LARGE, NUMBER = "3.14.300", "5.92.102400", 7_000_004


class ValueTest(unittest.TestCase):
    def test_whole_values_are_recognised(self):
        for value in (SMALL, LARGE, NUMBER, "3.14.40"):
            self.assertEqual(recognise(value_bytes(value), value_flags(value)), value)
        self.assertEqual(len(value_bytes(LARGE)), 100 * 1024)

    def test_torn_values_are_not(self):
        whole, other = value_bytes(LARGE), value_bytes("6.53.102400")
        for at in (1, 4096, 51_200, 102_399):
            self.assert_torn(whole[:at] + other[at:])
            self.assert_torn(whole[:at] + bytes(len(whole) - at))
            self.assert_torn(whole[:at])
        self.assert_torn(whole + b"5")
        self.assert_torn(b"")
        self.assert_torn(bytes(300))
        self.assert_torn(b"\xff" * 300)

    def assert_torn(self, data):
        self.assertRegex(recognise(data, value_flags(LARGE)), f"^torn: {len(data)} bytes")

    def test_flags_belong_to_their_value(self):
        for value in (SMALL, NUMBER):
            self.assertRegex(recognise(value_bytes(value), value_flags(value) + 1), "^torn: .* flags")

    def test_a_counter_keeps_its_flags(self):
        self.assertEqual(value_flags(NUMBER), value_flags(NUMBER + 5))


class ReplyTest(unittest.TestCase):
    def test_a_value_is_told_whole_or_not_yet(self):
        request = self.ask("gets", "a")
        reply = self.value_lines("a", SMALL, 77) + b"END\r\n"
        for end in range(len(reply)):
            self.assertIsNone(request.parse(bytearray(reply[:end])), end)
        told = {"kind": "gets", "result": "VALUE", "found": SMALL, "found_id": 77}
        self.assertEqual(request.parse(bytearray(reply) + b"next"), (len(reply), [("a", told)]))

    def test_each_key_is_told(self):
        reply = self.value_lines("b", NUMBER) + b"END\r\n"
        length, told = self.ask("get", "a", "b").parse(bytearray(reply))
        self.assertEqual(length, len(reply))
        self.assertEqual([(key, fields["result"]) for key, fields in told], [("a", "END"), ("b", "VALUE")])
        self.assertEqual(told[1][1]["found"], NUMBER)

    def test_what_is_no_reply_is_no_reply(self):
        for reply in (b"STORED\r\n", self.value_lines("other", SMALL) + b"END\r\n",
                      b"VALUE a 0 3\r\nabcd\r\nEND\r\n", b"VALUE a 0 5\r\nabc\r\nEND\r\n", b"\r\n"):
            with self.assertRaises(RecordingError, msg=reply):
                self.ask("get", "a").parse(bytearray(reply))

    def test_lines(self):
        for kind, reply, told in (("incr", b"12\r\n", {"result": "NUMBER", "found": 12}),
                                  ("incr", b"NOT_FOUND\r\n", {"result": "NOT_FOUND"}),
                                  ("cas", b"EXISTS\r\n", {"result": "EXISTS"})):
            request = self.ask(kind, "a")
            self.assertIsNone(request.parse(bytearray(reply[:-1])))
            self.assertEqual(request.parse(bytearray(reply)), (len(reply), [("a", {"kind": kind} | told)]))

    def test_a_flush_is_told_for_every_key(self):
        told = [(key, {"kind": "flush_all", "result": "OK"}) for key in recorder.every_key()]
        self.assertEqual(self.ask("flush_all", *recorder.every_key()).parse(bytearray(b"OK\r\n")), (4, told))

    def ask(self, kind, *keys):
        return Request(b"", [(key, {"kind": kind}) for key in keys])

    def value_lines(self, key, value, cas_id=None):
        data = value_bytes(value)
        words = ["VALUE", key, value_flags(value), len(data)] + [cas_id] * (cas_id is not None)
        return " ".join(map(str, words)).encode() + b"\r\n" + data + b"\r\n"


class RequestTest(unittest.TestCase):
    def test_written_values_are_unique(self):
        requests = recorder.Requests(1, may_flush=False)
        requests.known_ids = dict.fromkeys((f"{name}:{n}" for name in recorder.KEY_KINDS for n in range(20)), 5)
        written = [fields["value"] for _ in range(3000) for key, fields in requests.request(9).asked
                   if fields["kind"] in recorder.WRITES]
        self.assertGreater(len(written), 500)
        self.assertEqual(len(set(written)), len(written))

    def test_each_key_that_is_asked_for_is_an_operation(self):
        requests = recorder.Requests(2, may_flush=False)
        asked = [request for _ in range(3000) for request in requests.burst(1)]
        reads = [request for request in asked if request.asked[0][1]["kind"] in recorder.READS]
        for request in reads:
            named = [word for word in request.data.decode().split() if ":" in word]
            self.assertEqual([key for key, _ in request.asked], named)
            self.assertEqual(len(set(named)), len(named), named)
        self.assertGreater(sum(len(request.asked) == 2 for request in reads), 100)

    def test_the_same_seed_asks_the_same(self):
        first, second = (recorder.Requests(4, may_flush=True) for _ in range(2))
        self.assertEqual(first.burst(1), second.burst(1))


class HistoryTest(unittest.TestCase):
    def test_overlap_is_with_other_clients(self):
        def history(*times):
            return [Operation(client, "get", begin, end, "END") for client, begin, end in times]

        self.assertEqual(overlap(history((1, 0, 10), (2, 20, 30))), 0)
        self.assertEqual(overlap(history((1, 0, 10), (1, 0, 10))), 0)
        self.assertEqual(overlap(history((1, 0, 10), (2, 9, 30))), 1)
        self.assertEqual(overlap(history((1, 0, 100), (1, 5, 100), (2, 20, 30), (3, 100, 110))), 0.75)
        self.assertEqual(overlap(history((1, 0, None), (2, 20, 30))), 0)

    def test_merged_histories_keep_each_clients_order(self):
        first = [Operation(1, "set", 0, 9, "STORED", value=value) for value in "zyx"]
        second = [Operation(2, "get", 0, 9, "END")]
        merged = merge([{"a": first}, {"a": second, "b": second}])
        self.assertEqual([operation for operation in merged["a"] if operation.client == 1], first)
        self.assertEqual(count_results(merged), {("set", "STORED"): 3, ("get", "END"): 2})


if __name__ == "__main__":
    unittest.main()
