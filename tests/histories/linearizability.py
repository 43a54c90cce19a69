"""Is there an order of a key's operations that explains all that its clients were told?

An order explains a history when each operation stands between its begin and its end, those of one client stand
in the client's order, and a key that is served one operation after the other (model.py) would have told the
same. That is linearizability, and it is local: each key is looked at alone.

The search is Wing and Gong's in the form of Lowe, "Testing for linearizability" (2017): go along the begins
and ends in time, and keep every configuration (the key's state, which of the operations under way have
happened) that explains what was told so far. An operation happens as late as it may: only when its end comes
must it have happened, and the ways to it are tried. No configuration left: no order explains it.

Two things keep the configurations few, and lose no order:
- An operation that changes nothing happens as soon as the state is what it was told.
- A value that goes never comes back: it may not go before all have happened that were told it.
"""

import collections
import math
import typing

from model import ABSENT, FIRST_SEEN, UNSEEN, Key

REACHES = (5, 20, 100)  # how many ends before and behind a failure the shortest window is looked for in
PAST_MAX = 8  # operations under way where a window begins: each may have happened before it, or not


class Violation(typing.NamedTuple):
    """Why no order explains a key's history, and the few of its operations that show it."""

    why: str
    operations: list

    def __str__(self):
        first_ns = min(operation.begin_ns for operation in self.operations)

        def row(operation):
            times = [operation.begin_ns, operation.end_ns]
            texts = ["..." if time is None else f"{(time - first_ns) / 1000:.1f}" for time in times]
            return f"  {texts[0]:>9} to {texts[1]:>9} us  {operation}"

        return "\n".join([self.why, *map(row, self.operations)])


class Search:
    """One pass over steps of a key."""

    def __init__(self, key, steps):
        self._key = key
        self._steps = steps
        self._quiet = []  # under way, changes nothing
        self._changing = []  # under way, changes the state
        self._last_of_client = {}
        self._free_bits = []
        self._n_bits = 0
        # Who was told a value: how many of them are to come, and the bits of those under way.
        self._to_come = collections.Counter(step.need for step in steps if not step.is_optional)
        self._under_way = collections.Counter()

    def run(self, states, until_ns):
        """Returns the first step that cannot have happened by its end, of those until then, or None."""
        events = [(step.operation.begin_ns, False, at) for at, step in enumerate(self._steps)]
        events += [(step.operation.end_ns, True, at) for at, step in enumerate(self._steps) if not step.is_optional]
        configurations = {(state, 0) for state in states}
        for time_ns, is_end, at in sorted(events):
            if time_ns > until_ns:
                break
            step = self._steps[at]
            if not is_end:
                self._begin(step)
                if step.may_be_past:
                    configurations |= {(state, mask | step.bit) for state, mask in configurations}
                continue
            configurations = self._ways_to(step, configurations)
            if not configurations:
                return step
            self._end(step)
        return None

    def _begin(self, step):
        if not self._free_bits:
            self._free_bits.append(1 << self._n_bits)
            self._n_bits += 1
        step.bit = self._free_bits.pop()
        step.before = self._last_of_client.get(step.operation.client)
        if not step.is_optional:
            self._last_of_client[step.operation.client] = step
            self._to_come[step.need] -= 1
            self._under_way[step.need] |= step.bit
        (self._changing if step.changes else self._quiet).append(step)

    def _end(self, step):
        self._free_bits.append(step.bit)
        self._under_way[step.need] &= ~step.bit
        (self._changing if step.changes else self._quiet).remove(step)
        if self._last_of_client[step.operation.client] is step:
            del self._last_of_client[step.operation.client]
        for other in (*self._changing, *self._quiet):
            if other.before is step:
                other.before = None

    @staticmethod
    def _is_possible(step, state, mask):
        if mask & step.bit or (step.before is not None and not mask & step.before.bit):
            return False
        return state == step.need if step.need is not None else state not in step.forbidden

    def _settle(self, state, mask):
        """The mask when all has happened that changes nothing and is possible."""
        for step in self._quiet:
            if self._is_possible(step, state, mask):
                mask |= step.bit
        return mask

    def _may_go(self, state, mask):
        """Have all happened that were told this value?"""
        return state < FIRST_SEEN or not (self._to_come[state] or self._under_way[state] & ~mask)

    def _ways_to(self, step, configurations):
        """The configurations in which it has happened, without its bit."""
        reached, tried, untried = set(), set(), list(configurations)
        while untried:
            state, mask = untried.pop()
            if not mask & step.bit:
                mask = self._settle(state, mask)
            if mask & step.bit:
                reached.add((state, mask & ~step.bit))
                continue
            if (state, mask) in tried:
                continue
            tried.add((state, mask))
            for other in self._changing:
                if self._is_possible(other, state, mask) and self._may_go(state, mask | other.bit):
                    untried.append((self._key.state_after(state, other), mask | other.bit))
        return reached


def find_violation(operations):
    """None, or the Violation of one key's history. Raises ValueError for what is none of unique values."""
    key = Key(operations)
    if key.contradictions:
        return Violation("one value with two ids, or one id of two values", _with_sources(key, key.contradictions[0]))
    failed = Search(key, key.steps).run({ABSENT}, math.inf)
    if failed is None:
        return None
    return Violation("no order explains what these were told", _with_sources(key, _shortest_window(key, failed)))


def _shortest_window(key, failed):
    """As few operations as possible that no order explains, whatever was there before them."""
    ends = sorted(step.operation.end_ns for step in key.steps if not step.is_optional)
    at = ends.index(failed.operation.end_ns)
    for reach in REACHES:
        first, last = max(0, at - reach), min(len(ends) - 1, at + reach)
        if _fails(key, ends[first], ends[last]):
            break
    else:
        return [failed.operation]
    while last > first and _fails(key, ends[first], ends[last - 1]):
        last -= 1
    while first < last and _fails(key, ends[first + 1], ends[last]):
        first += 1
    return _needed(key, ends[first], ends[last])


def _needed(key, start_ns, end_ns):
    """The operations of a window but for those that are not needed for it to fail."""
    steps = _between(key, start_ns, end_ns)
    for step in reversed(steps):
        if not step.is_optional:
            step.is_optional = True
            step.is_optional = _fails(key, start_ns, end_ns)
    return [step.operation for step in steps if not step.is_optional]


def _fails(key, start_ns, end_ns):
    """Does no order explain what was under way in that time, whatever happened before?"""
    steps = _between(key, start_ns, end_ns)
    for step in steps:
        step.may_be_past = not step.is_optional and step.operation.begin_ns < start_ns
    if sum(step.may_be_past for step in steps) > PAST_MAX:
        return False
    return Search(key, steps).run(_states_before(steps), end_ns) is not None


def _between(key, start_ns, end_ns):
    """The steps under way in that time."""
    return [step for step in key.steps if step.operation.begin_ns <= end_ns
            and (step.operation.end_ns is None or step.operation.end_ns >= start_ns)]


def _states_before(steps):
    """All states that make a difference to the steps, but for those that one of them makes later."""
    told = {state for step in steps for state in (step.need, *step.forbidden) if state is not None}
    past = {step.to for step in steps if step.may_be_past and step.to is not None}
    later = {step.to for step in steps if not step.may_be_past and step.to is not None}
    return {state for state in told - later | past if state >= FIRST_SEEN} | {ABSENT, UNSEEN}


def _with_sources(key, operations):
    """The same, and those that made what was read there, and told the ids that were sent."""
    ids = {operation.cas_id for operation in operations} - {None}
    readers = {operation.found_id: operation for operation in reversed(key.operations) if operation.found_id in ids}
    shown = {*operations, *readers.values()}
    values = {operation.told for operation in shown} - {None}
    shown |= {operation for operation in key.operations if operation.made in values}
    return [operation for operation in key.operations if operation in shown]
