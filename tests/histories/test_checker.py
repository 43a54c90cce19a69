"""The checker accepts what an order explains, and rejects each of the ways in which a store can be wrong.

A history here is a line per operation, in the form of the checker's own report:

    CLIENT BEGIN-END KIND [VALUE] [id ID] [exptime -1] -> RESULT [FOUND] [id ID]

No END: there was no reply.
"""

import itertools
import random
import re
import unittest

from history import READS, WRITES, Operation
from linearizability import find_violation
from model import NO_NUMBER, RULES

LINE = re.compile(
    r"(?P<client>\d+) +(?P<begin>\d+)-(?P<end>\d*) +(?P<kind>\w+)"
    r"(?: (?!id |exptime )(?P<value>\w+))?(?: id (?P<cas_id>\d+))?(?P<dies> exptime -1)?"
    r" ->(?: (?P<result>[A-Z_]+))?(?: (?!id )(?P<found>[\w:]+))?(?: id (?P<found_id>\d+))?$"
)

BAD = {
    "stale read after an acknowledged set": """
        1  0-10  set a -> STORED
        1 20-30  set b -> STORED
        2 40-50  get -> VALUE a
    """,
    "lost update by two cas with one id": """
        1  0-10  set a -> STORED
        1 20-30  gets -> VALUE a id 7
        2 20-30  gets -> VALUE a id 7
        1 40-60  cas b id 7 -> STORED
        2 40-60  cas c id 7 -> STORED
    """,
    "read of a deleted key": """
        1  0-10  set a -> STORED
        1 20-30  delete -> DELETED
        2 40-50  get -> VALUE a
    """,
    "add stored twice": """
        1  0-10  add a -> STORED
        2  5-15  add b -> STORED
    """,
    "incr lost": """
        1  0-10  set 100 -> STORED
        1 20-40  incr 1 -> NUMBER 101
        2 20-40  incr 1 -> NUMBER 101
    """,
    "incr lost, seen by a reader": """
        1  0-10  set 100 -> STORED
        1 20-40  incr 1 -> NUMBER 101
        2 20-40  incr 2 -> NUMBER 102
        3 50-60  get -> VALUE 102
    """,
    "torn value": """
        1  0-10  set a -> STORED
        2  5-15  set b -> STORED
        3  5-15  get -> VALUE torn:ab
    """,
    "replace of a missing key stored": """
        1  0-10  set a -> STORED
        1 20-30  delete -> DELETED
        2 40-50  replace b -> STORED
    """,
    "value from nowhere": """
        1  0-10  set a -> STORED
        2  5-15  get -> VALUE x
    """,
    "value of an add that was not stored": """
        1  0-10  set a -> STORED
        2 20-30  add b -> NOT_STORED
        3 20-40  get -> VALUE b
    """,
    "value of a cas that was refused": """
        1  0-10  set a -> STORED
        2 20-30  gets -> VALUE a id 7
        1 40-50  set b -> STORED
        2 60-70  cas c id 7 -> EXISTS
        3 60-70  get -> VALUE c
    """,
    "cas stored after an intervening write": """
        1  0-10  set a -> STORED
        2 20-30  gets -> VALUE a id 7
        1 40-50  set b -> STORED
        2 60-70  cas c id 7 -> STORED
    """,
    "cas stored after a delete and the same again": """
        1  0-10  set a -> STORED
        2 20-30  gets -> VALUE a id 7
        1 40-50  delete -> DELETED
        1 60-70  add b -> STORED
        2 80-90  cas c id 7 -> STORED
    """,
    "cas refused although nothing intervened": """
        1  0-10  set a -> STORED
        2 20-30  gets -> VALUE a id 7
        2 40-50  cas b id 7 -> EXISTS
    """,
    "cas misses a live key": """
        1  0-10  set a -> STORED
        2 20-30  gets -> VALUE a id 7
        2 40-50  cas b id 7 -> NOT_FOUND
    """,
    "delete answered DELETED twice": """
        1  0-10  set a -> STORED
        1 20-40  delete -> DELETED
        2 20-40  delete -> DELETED
    """,
    "delete misses a live key": """
        1  0-10  set a -> STORED
        2 20-30  delete -> NOT_FOUND
    """,
    "touch TOUCHED on a missing key": """
        1  0-10  set a -> STORED
        1 20-30  delete -> DELETED
        2 40-50  touch -> TOUCHED
    """,
    "touch misses a live key": """
        1  0-10  set a -> STORED
        2 20-30  touch -> NOT_FOUND
    """,
    "gat returning an old value": """
        1  0-10  set a -> STORED
        1 20-30  replace b -> STORED
        2 40-50  gat -> VALUE a
    """,
    "gat brings a deleted key back": """
        1  0-10  set a -> STORED
        1 20-30  delete -> DELETED
        2 25-40  gat -> VALUE a
        3 50-60  get -> VALUE a
    """,
    "a flushed key comes back": """
        1  0-10  set a -> STORED
        2 20-30  flush_all -> OK
        3 40-50  get -> VALUE a
    """,
    "key forgotten": """
        1  0-10  set a -> STORED
        2 20-30  get -> END
    """,
    "two readers see two orders": """
        1  0-90  set a -> STORED
        2  0-90  set b -> STORED
        3 10-20  get -> VALUE a
        3 30-40  get -> VALUE b
        4 10-20  get -> VALUE b
        4 30-40  get -> VALUE a
    """,
    "a read goes back": """
        1  0-10  set a -> STORED
        1 20-90  set b -> STORED
        2 30-40  get -> VALUE b
        2 50-60  get -> VALUE a
    """,
    "one connection's requests change places": """
        1  0-10  set a -> STORED
        1  0-10  set b -> STORED
        2 20-30  get -> VALUE a
    """,
    "the key lives after a set with a negative exptime": """
        1  0-10  set a exptime -1 -> STORED
        2 20-30  get -> VALUE a
    """,
    "the key lives after a gat with a negative exptime": """
        1  0-10  set a -> STORED
        2 20-30  gat exptime -1 -> VALUE a
        2 40-50  touch -> TOUCHED
    """,
    "add refused on a missing key": """
        1  0-10  touch exptime -1 -> NOT_FOUND
        1 20-30  add a -> NOT_STORED
    """,
    "replace refused on a live key": """
        1  0-10  add a -> STORED
        1 20-30  replace b -> NOT_STORED
    """,
    "incr counts a missing key": """
        1  0-10  incr 5 -> NUMBER 5
    """,
    "incr counts from an old number": """
        1  0-10  set 100 -> STORED
        1 20-30  set 200 -> STORED
        1 40-50  incr 5 -> NUMBER 105
    """,
    "incr calls a number none": """
        1  0-10  set 100 -> STORED
        1 20-30  incr 5 -> CLIENT_ERROR
    """,
    "two ids of one version": """
        1  0-10  set a -> STORED
        1 20-30  gets -> VALUE a id 7
        2 20-30  gats -> VALUE a id 8
    """,
    "one id of two versions": """
        1  0-10  set a -> STORED
        1 20-30  gets -> VALUE a id 7
        1 40-50  set b -> STORED
        1 60-70  gets -> VALUE b id 7
    """,
    "a write without a reply is seen and unseen": """
        1  0-10  set a -> STORED
        2 20-    set b ->
        1 30-40  get -> VALUE b
        1 50-60  get -> VALUE a
    """,
    "an incr without a reply counts twice": """
        1  0-10  set 100 -> STORED
        2 20-    incr 1 ->
        1 30-40  get -> VALUE 102
    """,
}

GOOD = {
    "a read beside a set tells the old or the new": """
        1  0-10  set a -> STORED
        1 20-60  set b -> STORED
        2 30-40  get -> VALUE a
        2 45-50  get -> VALUE b
        3 55-58  get -> VALUE b
    """,
    "of two cas with one id one is stored": """
        1  0-10  set a -> STORED
        1 20-30  gets -> VALUE a id 7
        1 40-60  cas b id 7 -> EXISTS
        2 40-60  cas c id 7 -> STORED
        1 70-80  get -> VALUE c
    """,
    "of two adds one is stored, or there was a delete between them": """
        1  0-10  add a -> STORED
        2  0-10  add b -> STORED
        3  0-10  delete -> DELETED
    """,
    "counts add up": """
        1  0-10  set 100 -> STORED
        1 20-40  incr 1 -> NUMBER 103
        2 20-40  incr 2 -> NUMBER 102
        3 20-40  get -> VALUE 102
    """,
    "a touch or gat keeps the version": """
        1  0-10  set a -> STORED
        1 20-30  gets -> VALUE a id 7
        2 40-50  touch -> TOUCHED
        2 60-70  gats -> VALUE a id 7
        1 80-90  cas b id 7 -> STORED
    """,
    "a negative exptime ends the key, of which gat tells the last": """
        1  0-10  set a -> STORED
        1 20-30  gat exptime -1 -> VALUE a
        1 40-50  add b exptime -1 -> STORED
        1 60-70  get -> END
        1 80-90  incr 5 -> NOT_FOUND
    """,
    "a flush takes what was stored before it, or while it was under way": """
        1  0-10  set a -> STORED
        2  5-50  flush_all -> OK
        1 20-30  gets -> END
        1 40-45  add b -> STORED
        3 60-70  get -> VALUE b
    """,
    "a text is no number": """
        1  0-10  set a -> STORED
        2 20-30  incr 5 -> CLIENT_ERROR
    """,
    "a write without a reply happens late": """
        2  0-    set b ->
        1 10-20  set a -> STORED
        1 30-40  get -> VALUE a
        1 50-60  get -> VALUE b
    """,
    "or never": """
        2  0-    delete ->
        1 10-20  set a -> STORED
        1 30-40  get -> VALUE a
    """,
    "an incr without a reply is counted": """
        1  0-10  set 100 -> STORED
        2 20-    incr 1 ->
        1 30-40  incr 5 -> NUMBER 106
    """,
    "a cas without a reply": """
        1  0-10  set a -> STORED
        1 20-30  gets -> VALUE a id 7
        2 40-    cas b id 7 ->
        1 40-50  cas c id 7 -> EXISTS
        1 60-70  gets -> VALUE b id 9
    """,
    "one connection's requests at the same time": """
        1  0-10  set a -> STORED
        1  0-10  get -> VALUE a
        1  0-10  delete -> DELETED
        1  0-10  get -> END
    """,
}


def number_or_text(text):
    return int(text) if text is not None and text.isdigit() else text


def parse_history(text):
    operations = []
    for line in filter(None, map(str.strip, text.splitlines())):
        words = LINE.match(line)
        if words is None:
            raise ValueError(line)
        operations.append(Operation(
            client=int(words["client"]), kind=words["kind"], begin_ns=int(words["begin"]),
            end_ns=number_or_text(words["end"] or None),
            result=NO_NUMBER if words["result"] == "CLIENT_ERROR" else words["result"],
            found=number_or_text(words["found"]), found_id=number_or_text(words["found_id"]),
            value=number_or_text(words["value"]), cas_id=number_or_text(words["cas_id"]),
            dies=words["dies"] is not None))
    return operations


class HandMadeTest(unittest.TestCase):
    def test_bad_histories_are_rejected(self):
        for name, text in BAD.items():
            with self.subTest(name):
                self.assertIsNotNone(find_violation(parse_history(text)))

    def test_good_histories_are_accepted(self):
        for name, text in GOOD.items():
            with self.subTest(name):
                self.assertIsNone(find_violation(parse_history(text)))

    def test_every_rule_has_a_history(self):
        told = {(operation.kind, operation.result)
                for text in (*BAD.values(), *GOOD.values()) for operation in parse_history(text)}
        missing = {(kind, result) for kind, rules in RULES.items() for result in rules} - told
        # The four reads have one row.
        self.assertEqual({(kind, result) for kind, result in missing if kind not in READS[1:]}, set())

    def test_what_it_cannot_judge_is_no_history(self):
        for text in ("1 0-10 set a -> STORED\n1 20-30 set a -> STORED",
                     "1 0-10 set a -> STORED\n1 20-30 set 5 -> STORED", "1 0-10 set a -> TOUCHED"):
            with self.assertRaises(ValueError, msg=text):
                find_violation(parse_history(text))


class ReportTest(unittest.TestCase):
    """A violation in the middle of a long history is told by the few operations that show it."""

    def noise(self, start, rounds):
        """Good operations before and behind, beside each other."""
        lines = []
        for at in range(start, start + 100 * rounds, 100):
            lines += [f"1 {at}-{at + 60} set v{at} -> STORED", f"2 {at + 30}-{at + 90} get -> VALUE v{at}",
                      f"3 {at}-{at + 90} touch -> TOUCHED"]
        return "\n".join(lines)

    def reported(self, text):
        """The report's lines, but for the first, without times."""
        history = f"1 0-5 set start -> STORED\n{self.noise(10, 200)}\n{text}\n{self.noise(70_000, 200)}"
        rows = str(find_violation(parse_history(history))).splitlines()[1:]
        return [row.partition("us  client ")[2] for row in rows]

    def test_a_stale_read(self):
        report = self.reported("4 50000-50010 set a -> STORED\n4 50020-50030 set b -> STORED\n"
                               "5 50025-50060 touch -> TOUCHED\n6 50040-50050 get -> VALUE a")
        self.assertEqual(report, ["4: set a -> STORED", "4: set b -> STORED", "6: get -> VALUE a"])

    def test_a_lost_update(self):
        report = self.reported(
            "4 50000-50010 set a -> STORED\n4 50020-50030 gets -> VALUE a id 7\n5 50022-50032 gets -> VALUE a id 7\n"
            "4 50040-50060 cas b id 7 -> STORED\n5 50040-50060 cas c id 7 -> STORED\n6 50045-50080 get -> VALUE c")
        self.assertEqual(report, ["4: set a -> STORED", "4: gets -> VALUE a id 7", "4: cas b id 7 -> STORED",
                                  "5: cas c id 7 -> STORED"])

    def test_a_delete_that_is_undone(self):
        report = self.reported("4 50000-50010 delete -> DELETED\n5 50020-50030 touch -> TOUCHED")
        self.assertEqual(report, ["4: delete -> DELETED", "5: touch -> TOUCHED"])


# ---- against an independent, slow answer ----------------------------------------------------


class Server:
    """A key that is served one request after the other, written down a second time and without states."""

    def __init__(self):
        self.value = None
        self.version = 0
        self.ids = {}  # told id -> version

    def serve(self, operation):
        """Does it and returns what it tells; None where it found another value, number or id than the operation."""
        there = self.value is not None
        told = getattr(self, "_" + operation.kind, self._read)(operation, there)
        if operation.dies and told not in ("NOT_STORED", "NOT_FOUND", "END", "EXISTS"):
            self.value = None
        if told == "VALUE" and operation.found_id is not None:
            self.ids.setdefault(operation.found_id, self.version)
            versions = set(self.ids.values())
            if self.ids[operation.found_id] != self.version or len(versions) != len(self.ids):
                return None
        return told

    def _store(self, value):
        self.value = value
        self.version += 1
        return "STORED"

    def _set(self, operation, _there):
        return self._store(operation.value)

    def _add(self, operation, there):
        return "NOT_STORED" if there else self._store(operation.value)

    def _replace(self, operation, there):
        return self._store(operation.value) if there else "NOT_STORED"

    def _cas(self, operation, there):
        if not there:
            return "NOT_FOUND"
        return self._store(operation.value) if self.ids.get(operation.cas_id) == self.version else "EXISTS"

    def _incr(self, operation, there):
        if not there:
            return "NOT_FOUND"
        self._store(self.value + operation.value)
        return "NUMBER" if self.value == operation.found else None

    def _flush_all(self, _operation, _there):
        self.value = None
        return "OK"

    def _delete(self, _operation, there):
        self.value = None
        return "DELETED" if there else "NOT_FOUND"

    def _touch(self, _operation, there):
        return "TOUCHED" if there else "NOT_FOUND"

    def _read(self, operation, there):
        if not there:
            return "END"
        return "VALUE" if self.value == operation.found else None


def is_explained(operations):
    """Tries every order of every choice of those that may have been served."""
    told = [operation for operation in operations if operation.end_ns is not None]
    untold = [operation for operation in operations if operation.end_ns is None]
    return any(keeps_time(order) and tells(order)
               for number in range(len(untold) + 1) for served in itertools.combinations(untold, number)
               for order in itertools.permutations([*told, *served]))


def tells(order):
    server = Server()
    return all(server.serve(operation) == operation.result or operation.end_ns is None for operation in order)


def keeps_time(order):
    for at, operation in enumerate(order):
        for later in order[at + 1:]:
            if later.end_ns is not None and later.end_ns < operation.begin_ns:
                return False
    return True


class HistoryMaker:
    """Short random histories of a key of texts or numbers: right ones, ones with a reply changed or lost."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def make(self, length):
        server = TellingServer()
        holds_text = self.random.random() < 0.5
        operations = []
        for at in range(length):
            # It happens at 10 * at, somewhere between its begin and its end, so neighbours overlap.
            begin_ns, end_ns = 10 * at - self.random.randrange(1, 25), 10 * at + self.random.randrange(1, 25)
            fields = self._ask(at, holds_text, server.ids_told_before(begin_ns))
            operations.append(server.tell(Operation(client=at, begin_ns=begin_ns, end_ns=end_ns, **fields)))
        if self.random.random() < 0.3:
            self._lose_reply(operations)
        if self.random.random() < 0.7:
            self._spoil(operations)
        return operations

    def _ask(self, at, holds_text, known_ids):
        kind = self.random.choice([kind for kind in RULES if not (holds_text and kind == "incr")])
        fields = {"kind": kind, "dies": kind in (*READS, *WRITES, "touch") and self.random.random() < 0.1}
        if kind == "cas":
            if not known_ids:
                return {"kind": "gets"}
            fields["cas_id"] = self.random.choice(known_ids)
        if kind in WRITES:
            fields["value"] = f"v{at}" if holds_text else (at + 1) * 100
        if kind == "incr":
            fields["value"] = self.random.randrange(1, 4)
        return fields

    def _lose_reply(self, operations):
        at = self.random.randrange(len(operations))
        operations[at] = operations[at]._replace(end_ns=None, result=None, found=None, found_id=None)

    def _spoil(self, operations):
        at = self.random.choice([at for at, operation in enumerate(operations) if operation.end_ns is not None])
        operation = operations[at]
        results = [result for result in RULES[operation.kind] if result != NO_NUMBER]
        result = self.random.choice(results)
        values = [other.value for other in operations if other.kind in WRITES] or ["none"]
        found = self.random.choice(values) if result == "VALUE" else None
        if result == "NUMBER":
            found = operation.value + self.random.choice([value for value in values if isinstance(value, int)] or [0])
        operations[at] = operation._replace(result=result, found=found, found_id=None)


class TellingServer:
    """A Server that fills in what it tells."""

    def __init__(self):
        self._server = Server()
        self._readers = []

    def ids_told_before(self, time_ns):
        return [reader.found_id for reader in self._readers if reader.end_ns < time_ns]

    def tell(self, operation):
        value = self._server.value
        if operation.kind in READS and value is not None:
            operation = operation._replace(found=value)
            if operation.kind in ("gets", "gats"):
                operation = operation._replace(found_id=1000 + self._server.version)
                self._readers.append(operation)
        if operation.kind == "incr" and value is not None:
            operation = operation._replace(found=value + operation.value)
        return operation._replace(result=self._server.serve(operation))


class AgainstEveryOrderTest(unittest.TestCase):
    def test_random_histories(self):
        maker = HistoryMaker(seed=11)
        verdicts = [0, 0]
        for _ in range(3000):
            operations = maker.make(maker.random.randrange(2, 7))
            explained = is_explained(operations)
            verdicts[explained] += 1
            found = find_violation(operations)
            self.assertEqual(found is None, explained, "\n".join(map(str, operations)))
        self.assertGreater(min(verdicts), 500, verdicts)


if __name__ == "__main__":
    unittest.main()
