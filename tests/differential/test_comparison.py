"""The comparison must notice what is wrong: servers that lie are caught, and what is told of it is right.

The liar is a real memcached behind a door that changes its replies. Not a test of any daemon.
"""

import contextlib
import os
import re
import socket
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]

import coverage  # noqa: E402
import differences  # noqa: E402
import grammar  # noqa: E402
import minimiser  # noqa: E402
import report  # noqa: E402
import seq_text  # noqa: E402
from command_line import MEMCACHED_OPTIONS, Result, judge, parse_arguments  # noqa: E402
from conversation import Batch, CasId, Conversation, Date, Request  # noqa: E402
from generator import Generator  # noqa: E402
from pair import Pair  # noqa: E402
from replies import Ids, ReplyReader  # noqa: E402
from seq_text import Answer  # noqa: E402
from sessiond_process import MemcachedProcess, connect_socket  # noqa: E402
from wire import Server  # noqa: E402

DEADLINE_S = 1.0  # of replies that a liar keeps back


def request(line, block=None, **line_form):
    return Request(tuple(line.encode().split(b" ")), block, **line_form)


def conversation(*requests, scene="plain", batch_size=1):
    batches = [Batch(1, requests[at : at + batch_size]) for at in range(0, len(requests), batch_size)]
    return Conversation("test", (tuple(batches),), scene)


SET_A = request("set a 5 0 1", b"1")
GETS_A = request("gets a")
LIVELY = (
    request("version"), SET_A, GETS_A, Request((b"cas", b"a", b"0", b"0", b"1", CasId(b"a")), b"2"),
    request("gets a b"), request("incr a 7"), request("append a 0 0 1 noreply", b"x"), request("get a"),
    request("touch a 0 noreply"), request("delete b"), request("bogus"),
)  # fmt: skip


class Liar(threading.Thread):
    """A door to a server; lie(bytes of a reply) -> what is said instead, or None to close."""

    def __init__(self, address, lie):
        super().__init__(daemon=True)
        self._server_address = address
        self._lie = lie
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_exception):
        self._listener.shutdown(socket.SHUT_RDWR)
        self.join()
        self._listener.close()

    def run(self):
        with contextlib.suppress(OSError):  # the listener is shut down
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        server = connect_socket(self._server_address)
        server.settimeout(None)
        threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()
        with client, server, contextlib.suppress(OSError):
            while data := server.recv(1 << 18):
                said = self._lie(data)
                if said is None:
                    return
                client.sendall(said)

    @staticmethod
    def _pass_on(client, server):
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 18):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)


LIES = {  # what is wrong -> (the lie, what is told)
    "another text": (lambda said: said.replace(b"STORED", b"SToRED"), "reply"),
    "a byte of a value": (lambda said: said.replace(b"\r\n2\r\nEND", b"\r\n3\r\nEND"), "reply"),
    "flags": (lambda said: said.replace(b"VALUE a 5", b"VALUE a 6"), "reply"),
    "a line end": (lambda said: said.replace(b"NOT_FOUND\r\n", b"NOT_FOUND\n"), "reply"),
    "a reply too many": (lambda said: said.replace(b"STORED\r\n", b"STORED\r\nSTORED\r\n"), "reply"),
    "a reply too few": (lambda said: said.replace(b"STORED\r\n", b""), "reply"),
    "noreply is answered": (lambda said: re.sub(rb"^9\r\n$", b"9\r\nSTORED\r\n", said), "reply"),
    "closed too early": (lambda said: None if said == b"ERROR\r\n" else said, "reply"),
    "an id that stays": (lambda said: re.sub(rb"VALUE a (\d+) 1 \d+\r", rb"VALUE a \1 1 77\r", said), "reply"),
    "an id that never stays": (lambda said: re.sub(rb"(VALUE a \d+ 2) \d+\r", fresh_id, said), "reply"),
    "a counter": (lambda said: re.sub(rb"cmd_set \d+", lambda _: b"cmd_set %d" % next(COUNT), said), "counter cmd_set"),
}  # fmt: skip
COUNT = iter(range(10**6, 10**7, 50))


def fresh_id(match):
    return match[1] + b" %d\r" % next(COUNT)


class WithMemcached(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.first, cls.second = MemcachedProcess(MEMCACHED_OPTIONS), MemcachedProcess(MEMCACHED_OPTIONS)
        for process in (cls.first, cls.second):
            cls.enterClassContext(process)

    @contextlib.contextmanager
    def pair(self, lie=None, with_rules=False):
        with contextlib.ExitStack() as stack:
            address = self.second.address
            if lie:
                address = stack.enter_context(Liar(address, lie)).address
            servers = (Server("memcached", self.first.address, DEADLINE_S), Server("other", address, DEADLINE_S))
            pair = Pair(*servers, with_rules=with_rules)
            stack.callback(pair.close)
            yield pair

    def outcome(self, said, lie=None, with_rules=False):
        with self.pair(lie, with_rules) as pair:
            list(pair.run([conversation(request("version"))]))  # the counters are known now
            return next(iter(pair.run([said], said.scene)))


class LiarTest(WithMemcached):
    def test_the_truth_passes(self):
        for batch_size in (1, 3, len(LIVELY)):
            outcome = self.outcome(conversation(*LIVELY, batch_size=batch_size), lie=lambda said: said)
            self.assertIsNone(outcome.difference)
            self.assertEqual(outcome.requests, len(LIVELY))

    def test_each_lie_is_told(self):
        self.assertIsNone(self.outcome(conversation(*LIVELY, GETS_A, GETS_A)).difference)
        for title, (lie, kind) in LIES.items():
            with self.subTest(title):
                found = self.outcome(conversation(*LIVELY, GETS_A, GETS_A), lie)
                self.assertIsNotNone(found.difference, "not caught")
                self.assertEqual(found.difference.kind, kind)

    def test_a_rule_that_is_not_kept_is_told(self):
        """By memcached in the place of sessiond, which does nothing of what the rules say of it."""
        version = request("version")
        for broken in (
            (version, request("set a 0 0 -1", b"x")),
            (version, request("touch a 0 x")),
            (version, *[request("bogus")] * 8),
            (request("bogus"),),
            (SET_A, request("set a 0 4026531839 1", b"x")),
            (SET_A, request("set a 0 0 25000", b"x" * 25000)),
            (SET_A, request("set a 0 0 2", b"10"), request("decr a 1")),
            (SET_A, Request((b"set", b"a\x01", b"0", b"0", b"1"), b"x")),
        ):
            with self.subTest(broken[-1].line()):
                difference = self.outcome(conversation(*broken), with_rules=True).difference
                self.assertIsNotNone(difference)
                self.assertTrue(difference.kind.startswith("not as the rule `"), difference.kind)

    def test_a_refused_write_that_changes_something_is_told(self):
        """The liar says what sessiond would, but memcached behind it has dropped the old value."""
        said = conversation(SET_A, request("set a 0 0 30000", b"x" * 30000))
        difference = self.outcome(said, with_rules=True).difference
        self.assertIn("too large drops the old value", difference.kind)

    def test_twins_agree(self):
        scenes = {}
        for index in range(150):
            drawn = Generator(5, index).conversation()
            scenes.setdefault(drawn.scene, []).append(drawn)
        self.assertEqual(set(scenes), {"plain", "wait", "flush"})
        with self.pair() as pair:
            for scene, conversations in scenes.items():
                for outcome in pair.run(conversations, scene):
                    self.assertIsNone(outcome.difference, f"{outcome.conversation.name}: {outcome.difference}")


class ReportTest(WithMemcached):
    def test_the_smallest_conversation_is_told(self):
        """Among 40 requests one makes the difference."""
        noise = [request(f"get k{number}") for number in range(20)]
        said = conversation(*noise, request("set a 0 0 5", b"hello"), *noise, request("incr a 1"), batch_size=4)

        def lie(data):
            return data.replace(b"CLIENT_ERROR cannot increment", b"CLIENT_ERROR cannot add to")

        with self.pair(lie) as pair:
            outcome = next(iter(pair.run([said])))
            text = report.describe(pair, outcome)
        self.assertIn("again: tests/differential/run", text)
        blocks = text.split("== ")[1:]
        self.assertEqual(len(blocks), 2)
        self.assertEqual(
            blocks[0],
            "reply: memcached\n> set a 0 0 0\n>\n< STORED\n> incr a 0\n"
            "< CLIENT_ERROR cannot increment or decrement non-numeric value\n\n",
        )
        self.assertIn("< CLIENT_ERROR cannot add to", blocks[1])


class MinimiserTest(unittest.TestCase):
    def smallest(self, said, differs):
        found = minimiser.minimise(said, differs)
        self.assertTrue(differs(found))
        return found

    def test_requests_that_do_not_matter_go(self):
        said = conversation(*[request(f"get {number}") for number in range(50)], batch_size=7)
        found = self.smallest(said, lambda candidate: any(one.words[1:] == (b"31",) for one in candidate.requests()))
        self.assertEqual([one.words for one in found.requests()], [(b"get", b"31")])

    def test_a_batch_that_matters_stays(self):
        said = conversation(*[request("version")] * 6, batch_size=3)
        found = self.smallest(said, lambda candidate: any(len(batch.requests) > 1 for batch in candidate.acts[0]))
        self.assertEqual([len(batch.requests) for batch in found.acts[0]], [2])

    def test_values_and_blanks_get_smaller(self):
        said = conversation(request("set key 5 0 100 noreply", b"y" * 99 + b"z", between=b"   ", line_end=b"\n"))
        found = self.smallest(said, lambda candidate: any(b"z" in (one.block or b"") for one in candidate.requests()))
        self.assertEqual(found.requests()[0].render(), b"set\r\nz\r\n")

    def test_it_ends_in_time(self):
        said = conversation(*[request("version")] * 1000)
        self.assertEqual(minimiser.minimise(said, lambda _: True, time_max_s=0.0), said)


class RepliesTest(unittest.TestCase):
    def read(self, data, ids=None):
        reader = ReplyReader(ids or Ids())
        reader.feed(data)
        return list(iter(reader.next, None)), reader.left()

    def test_each_reply_ends_where_it_says(self):
        value = b"VALUE a 0 7\r\nEND\r\nx\n\r\n"
        found, left = self.read(b"STORED\r\n" + value + value + b"END\r\n12\r\nSTAT pid 1\r\nSTAT x y\r\nEND\r\nVALUE a 0 9\r\nxy")
        self.assertEqual([reply.code for reply in found], ["STORED", "VALUE", "NUMBER", "END"])
        self.assertEqual(found[1].text, value * 2 + b"END\r\n")
        self.assertEqual(found[3].rows, b"STAT pid 1\r\nSTAT x y\r\n")
        self.assertEqual(left, b"VALUE a 0 9\r\nxy")

    def test_a_reply_in_pieces(self):
        reader = ReplyReader(Ids())
        data = b"VALUE a 0 3 12\r\na\r\n\r\nEND\r\n"
        for at in range(len(data) - 1):
            reader.feed(data[at : at + 1])
            self.assertIsNone(reader.next())
        reader.feed(data[-1:])
        self.assertEqual(reader.next().text, b"VALUE a 0 3 #0\r\na\r\n\r\nEND\r\n")

    def test_ids_are_named_by_their_first_appearance_for_a_key(self):
        def text(*pairs):
            ids = Ids()
            said = b"".join(b"VALUE %b 0 0 %d\r\n\r\nEND\r\n" % pair for pair in pairs)
            return [reply.text.split()[4] for reply in self.read(said, ids)[0]]

        self.assertEqual(text((b"a", 7), (b"b", 7), (b"a", 9), (b"a", 7), (b"b", 9)), [b"#0", b"#0", b"#1", b"#0", b"#1"])
        self.assertEqual(text((b"a", 1), (b"b", 5), (b"a", 3), (b"a", 1), (b"b", 2)), [b"#0", b"#0", b"#1", b"#0", b"#1"])
        self.assertNotEqual(text((b"a", 7), (b"a", 9)), text((b"a", 7), (b"a", 7)))

    def test_an_id_in_a_request_is_the_server_s_own(self):
        said = Request((b"cas", b"a", b"0", b"0", b"1", CasId(b"a", 1)), b"x")
        self.assertEqual(said.render({b"a": [b"5", b"6"]}), b"cas a 0 0 1 6\r\nx\r\n")
        self.assertEqual(said.render({b"a": [b"5"]}), b"cas a 0 0 1 9223372036854775805\r\nx\r\n")


class GrammarTest(unittest.TestCase):
    def faults(self, line, block=None):
        return set(grammar.read(request(line, block)).faults)

    def test_faults(self):
        self.assertEqual(self.faults("set a 0 0 1", b"x"), set())
        self.assertEqual(self.faults("set a 0 0 1 noreply", b"x"), set())
        self.assertEqual(self.faults("set a 0 0"), {"missing"})
        self.assertEqual(self.faults("set a 0 0 1 2", b"x"), {"surplus"})
        self.assertEqual(self.faults("set a -1 1.5 +1"), {"flags", "exptime", "bytes"})
        self.assertEqual(self.faults("cas a 0 0 1 x"), {"cas id"})
        self.assertEqual(self.faults("incr a -1"), {"delta"})
        self.assertEqual(self.faults("gat"), {"missing"})
        self.assertEqual(self.faults("gat 0"), set())
        self.assertEqual(self.faults("get " + "k" * 251), {"key"})
        self.assertIsNone(grammar.read(request("GET a")).command)
        self.assertIsNone(grammar.read(request("get a", before=b" ")).command)

    def test_silence(self):
        for line, silent in {
            "delete noreply": False, "delete a noreply": True, "delete a 0 noreply": True, "touch a noreply": True,
            "touch a 0 0 noreply": False, "flush_all noreply": True, "get noreply": False, "set a 0 noreply": False,
            "cas a 0 0 1 noreply": True,
        }.items():  # fmt: skip
            with self.subTest(line):
                self.assertEqual(grammar.is_silent(grammar.read(request(line))), silent)

    def test_numbers_of_strtol(self):
        for word, number in {b"+5": 5, b"-0": 0, b"5\t": 5, b"5x": None, b"": None, b"-": None, b"1" * 30: None}.items():
            self.assertEqual(grammar.lenient_signed(word), number, word)
        for word, number in {b"-1": None, b"-18446744073709551615": 1, b"18446744073709551616": None, b" 5": 5}.items():
            self.assertEqual(grammar.lenient_unsigned(word), number, word)

    def test_blocks(self):
        def framing(said, behind=b"version\r\n"):
            return grammar.take_block(said, grammar.read(said), behind)

        self.assertEqual(framing(request("set a 0 0 3", b"abc")), (b"abc", "whole"))
        self.assertEqual(framing(request("set a 0 0 3", b"ab"))[1], "bad")
        self.assertEqual(framing(request("set a 0 0 10", b"a"), b"get b\r\n\r\n"), (b"a\r\nget b\r\n", "swallowed"))
        self.assertEqual(framing(request("set a 0 0 99", b"a"))[1], "short")


class TextTest(unittest.TestCase):
    def test_escapes(self):
        self.assertEqual(seq_text.escape(b"a\r\n\0\xff{\\ b"), r"a\r\n\0\xff\x7b\\ b")
        self.assertEqual(seq_text.escape(b"k" * 250 + b"#" * 30), r"{k*250}{\x23*30}")

    def test_block(self):
        said = conversation(
            Request((b"set", b"a", b"0", Date(-5), b"1"), b"x"), GETS_A,
            Request((b"cas", b"a", b"0", b"0", b"1", CasId(b"a")), b"y", block_end=b"\n"),
        )  # fmt: skip
        answers = [[
            Answer(b"STORED\r\n", False, {}), Answer(b"VALUE a 0 1 #0\r\nx\r\nEND\r\n", False, {}),
            Answer(b"", True, {b"a": 1}),
        ]]  # fmt: skip
        self.assertEqual(
            seq_text.block(said, answers, "a title", ["a note"]),
            "== a title\n# a note\n> set a 0 {now-5} 1\n> x\n< STORED\n> gets a\n"
            "<re VALUE a 0 1 (?P<id_a_0>\\d+)\n< x\n< END\n>| cas a 0 0 1 {$id_a_0}\\r\\ny\\n\n<closed\n",
        )


class WholeTest(unittest.TestCase):
    def test_conversations_are_drawn_again(self):
        drawn = [Generator(1, index).conversation() for index in range(300)]
        self.assertEqual(drawn, [Generator(1, index).conversation() for index in range(300)])
        self.assertNotEqual(drawn, [Generator(2, index).conversation() for index in range(300)])

    def test_a_rule_that_is_never_needed_and_an_empty_cell_are_wrong(self):
        options = parse_arguments(["--count", "5000"])
        result = Result(conversations=5000)
        rules = differences.RULES + differences.STATE_RULES
        result.rules.update(rule.name for rule in rules)
        self.assertEqual(len(result.rules), len(rules), "two rules of one name")
        for command in coverage.COMMANDS:
            for reply in coverage.REPLIES:
                for condition in coverage.CONDITIONS:
                    if coverage.is_reachable(command, reply, condition):
                        result.cells[command, reply, condition] = 1
        self.assertEqual(judge(options, result), [])
        del result.rules["TLS"]
        result.cells["get", "VALUE", "hit"] = 0
        result.cells["get", "STORED", "hit"] = 1
        result.cells["cas", "EXISTS", "noreply"] = 1
        result.cells["get", "GOT", "hit"] = 1
        result.differences.append("one")
        self.assertEqual(
            [line.split(":")[0] for line in judge(options, result)],
            ["1 differences without a rule", "a rule that was never needed", "listed as unreachable (noreply silences it), "
             "and reached 1 times", "a reply that no row has", "listed as unreachable (not among its replies), and reached "
             "1 times", "never reached"],
        )  # fmt: skip


if __name__ == "__main__":
    unittest.main()
