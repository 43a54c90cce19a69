"""A key that is served one operation after the other: the steps that the search puts in an order.

The state of a key is absent, or its value. A value stands for one version, so values must be unique: a text is
written by one operation, a number goes up from a start of its own. So CAS ids need no state: a read that tells
a value and an id binds the two for good, and a cas with that id is told STORED only where that value is.

States are small numbers. Values that nobody was told are all alike, and one state.
"""

from history import READS, WRITES

ABSENT = 0
UNSEEN = 1  # every value that nobody was told
FIRST_SEEN = 2
NEVER = -1  # not a state

# What an operation needs of the state, and what it does to it.
ANYTHING, NOTHING, SOMETHING, SOME_TEXT, VALUE_TOLD, VERSION, OTHER_VERSION = range(7)
KEEPS, MAKES, RENEWS, REMOVES = range(4)

NO_NUMBER = "CLIENT_ERROR cannot increment or decrement non-numeric value"
READING = {"VALUE": (VALUE_TOLD, RENEWS), "END": (NOTHING, KEEPS)}
# What may be told, and what it says. The first of a row is what may have happened where nothing was told.
RULES = {
    **{kind: READING for kind in READS},
    "set": {"STORED": (ANYTHING, MAKES)},
    "add": {"STORED": (NOTHING, MAKES), "NOT_STORED": (SOMETHING, KEEPS)},
    "replace": {"STORED": (SOMETHING, MAKES), "NOT_STORED": (NOTHING, KEEPS)},
    "cas": {"STORED": (VERSION, MAKES), "EXISTS": (OTHER_VERSION, KEEPS), "NOT_FOUND": (NOTHING, KEEPS)},
    "incr": {"NUMBER": (VALUE_TOLD, MAKES), "NOT_FOUND": (NOTHING, KEEPS), NO_NUMBER: (SOME_TEXT, KEEPS)},
    "delete": {"DELETED": (SOMETHING, REMOVES), "NOT_FOUND": (NOTHING, KEEPS)},
    "flush_all": {"OK": (ANYTHING, REMOVES)},
    "touch": {"TOUCHED": (SOMETHING, RENEWS), "NOT_FOUND": (NOTHING, KEEPS)},
}


class Step:
    """An operation as a need of the state and a change of it; below, its place in a search."""

    __slots__ = ("operation", "need", "forbidden", "to", "adds", "is_optional", "may_be_past", "bit", "before")

    def __init__(self, operation, need, forbidden, to, adds=0):
        self.operation = operation
        self.need = need  # the only state that will do, or None
        self.forbidden = forbidden  # then: the states that will not
        self.to = to  # the state behind it; None: the same
        self.adds = adds  # not 0: an incr without a reply; the number goes up by this
        self.is_optional = operation.end_ns is None  # it happens or not
        self.may_be_past = False  # it may have happened before the part that is searched
        self.bit = 0  # of it in masks, while it is under way
        self.before = None  # the step of its client before it, while that is under way

    @property
    def changes(self):
        return self.to is not None or self.adds != 0


class Key:
    """The operations of one key, and their steps in the order of their begins.

    contradictions   pairs of reads that told two ids of one value, or two values of one id
    Raises ValueError for what is no history of unique values.
    """

    def __init__(self, operations):
        self.operations = sorted(operations, key=lambda operation: operation.begin_ns)
        self._values = {}  # state -> value, of those from FIRST_SEEN on
        self._states = {}  # and back
        self._holds_text = self._check_values()
        self.contradictions = []
        self._ids = self._bind_ids()
        self._make_states()
        self.steps = [step for step in map(self._step, self.operations) if step is not None]

    def state_after(self, state, step):
        """The state when the step has happened in that one."""
        if not step.adds:
            return step.to
        value = self._values.get(state)
        return self._intern(value + step.adds) if isinstance(value, int) else UNSEEN

    def _check_values(self):
        """Are they texts, not numbers?"""
        values = [operation.value for operation in self.operations if operation.kind in WRITES]
        n_texts = sum(isinstance(value, str) for value in values)
        if len(set(values)) != len(values):
            raise ValueError("values are not unique")
        if n_texts not in (0, len(values)):
            raise ValueError("texts and numbers under one key")
        return n_texts > 0

    def _bind_ids(self):
        """{CAS id: the state of its version}"""
        readers = {}
        for operation in self.operations:
            if operation.found_id is None:
                continue
            for name in (("value", operation.found), ("id", operation.found_id)):
                first = readers.setdefault(name, operation)
                if (first.found, first.found_id) != (operation.found, operation.found_id):
                    self.contradictions.append((first, operation))
        return {name: self._intern(first.found) for (what, name), first in readers.items() if what == "id"}

    def _make_states(self):
        """Of all values that somebody was told; of all there are where one may follow from another unseen."""
        adds_unseen = not self._holds_text and any(
            operation.kind == "incr" and operation.end_ns is None for operation in self.operations)
        for operation in self.operations:
            for value in (operation.told, operation.made if adds_unseen else None):
                if value is not None:
                    self._intern(value)

    def _intern(self, value):
        state = self._states.setdefault(value, FIRST_SEEN + len(self._states))
        self._values[state] = value
        return state

    def _step(self, operation):
        """None for what cannot matter: nothing was told, and nothing changed."""
        rules = RULES[operation.kind]
        if operation.end_ns is None:
            return self._step_without_reply(operation, *next(iter(rules.values())))
        if operation.result not in rules:
            raise ValueError(f"no rule for {operation}")
        need, change = rules[operation.result]
        return Step(operation, *self._need(operation, need), self._behind(operation, change))

    def _step_without_reply(self, operation, need, change):
        if operation.kind == "incr":
            return None if self._holds_text else Step(operation, None, (ABSENT,), None, operation.value)
        to = self._behind(operation, change)
        if to is None:
            return None
        return Step(operation, *self._need(operation, SOMETHING if need == VALUE_TOLD else need), to)

    def _behind(self, operation, change):
        """The state behind it; None: the same."""
        if change == KEEPS or (change == RENEWS and not operation.dies):
            return None
        if change == REMOVES or operation.dies:
            return ABSENT
        return self._states.get(operation.made, UNSEEN)

    def _need(self, operation, need):
        """(the only state that will do, or None; the states that will not)"""
        if need == VALUE_TOLD:
            return self._states[operation.told], ()
        if need == VERSION:
            return self._ids.get(operation.cas_id, NEVER), ()
        if need == OTHER_VERSION:
            return None, (ABSENT, self._ids.get(operation.cas_id, NEVER))
        if need == SOME_TEXT and not self._holds_text:
            return NEVER, ()
        return {ANYTHING: (None, ()), NOTHING: (ABSENT, ())}.get(need, (None, (ABSENT,)))
