"""What a session may be, told from what was sent and what was answered. Not a test; no sockets, no files.

Each session belongs to one client, so its operations have one order. What was answered has happened; of
what was sent and not answered, any first part has. After a crash the session must be in one of these states,
and the state that is then read is the only one from there on. Source: reliability.md 4.5.
"""

import math
from typing import NamedTuple

CLOCK_SLACK_S = 2  # between this process's clock and the daemon's, whole seconds included
REQUEST_SLACK_S = 60  # from a request to its execution, at most

FOREVER = ((math.inf, math.inf),)
ENDED = ()  # an exptime that has passed


class State(NamedTuple):
    """A session that is there. deadlines: the spans one of which its end is in; cas None: not known."""

    value: bytes
    flags: int
    deadlines: tuple
    cas: int | None = None


class Violation(AssertionError):
    """The daemon told something that cannot be."""


def is_surely_live(state, now_s):
    return state is not None and now_s + CLOCK_SLACK_S < min(first for first, _ in state.deadlines)


def is_surely_dead(state, now_s):
    return state is None or now_s - CLOCK_SLACK_S >= max(last for _, last in state.deadlines)


def is_sure(state, now_s):
    """Whether it is known what a request that is sent now will find."""
    return is_surely_live(state, now_s + REQUEST_SLACK_S) or is_surely_dead(state, now_s)


def relative(ttl_s, now_s):
    return ((now_s + ttl_s - CLOCK_SLACK_S, now_s + ttl_s + REQUEST_SLACK_S),)


def absolute(at_s):
    return ((at_s, at_s),)


# Each of these: state before -> (state after, reply). An expired state is None to them.


def store(state, value, flags, deadlines, wanted):
    """set, add, replace. wanted: None, or whether there must be a session."""
    if wanted is not None and wanted != (state is not None):
        return state, b"NOT_STORED"
    return (State(value, flags, deadlines) if deadlines else None), b"STORED"


def cas(state, value, flags, deadlines, cas_id):
    if state is None:
        return None, b"NOT_FOUND"
    if state.cas != cas_id:
        return state, b"EXISTS"
    return store(state, value, flags, deadlines, None)


def join(state, value, in_front):
    if state is None:
        return None, b"NOT_STORED"
    whole = value + state.value if in_front else state.value + value
    return state._replace(value=whole, cas=None), b"STORED"


def count(state, delta):
    if state is None:
        return None, b"NOT_FOUND"
    if not is_number(state.value):
        return state, b"CLIENT_ERROR cannot increment or decrement non-numeric value"
    number = str(max(0, (int(state.value) + delta) % 2**64 if delta > 0 else int(state.value) + delta)).encode()
    return state._replace(value=number, cas=None), number


def is_number(value):
    return value.isdigit() and len(value) < 20


def delete(state):
    return None, b"NOT_FOUND" if state is None else b"DELETED"


def touch(state, deadlines):
    if state is None:
        return None, b"NOT_FOUND"
    return (state._replace(deadlines=deadlines) if deadlines else None), b"TOUCHED"


def get_and_touch(state, deadlines):
    return touch(state, deadlines)[0], found_of(state)


def found_of(state):
    """What a get answers: None, or (flags, cas or None, value)."""
    return None if state is None else (state.flags, state.cas, state.value)


class Session:
    """One session: the states it may be in. The last is that after all that was sent."""

    def __init__(self, name):
        self.name = name
        self.states = [(0, None)]  # (number of the operation that makes it, state)
        self.is_aside = False  # operations of a connection that was left are on their way

    @property
    def state(self):
        return self.states[-1][1]

    def settle(self, now_s):
        """Let what has expired be gone. False: what a request would find is not known now."""
        if self.is_aside or not all(is_sure(state, now_s) for _, state in self.states):
            return False
        self.states = [(n, None if is_surely_dead(state, now_s) else state) for n, state in self.states]
        return True

    def send(self, number, state):
        self.states.append((number, state))

    def confirm(self, number):
        """Operations up to this one have happened."""
        while len(self.states) > 1 and self.states[1][0] <= number:
            del self.states[0]

    def learn_cas(self, cas_id):
        """The id of the present state was told. No other state may have become present meanwhile."""
        number, state = self.states[-1]
        self.states[-1] = (number, state._replace(cas=cas_id))

    def judge(self, found, began_s, ended_s):
        """After a crash this was read: it must be one of the states, and is the only one now."""
        fits = [state for _, state in self.states if self._fits(state, found, began_s, ended_s)]
        if not fits:
            raise Violation(f"{self.name} is {shorten(found)}, read at {began_s:.1f} to {ended_s:.1f}; it may be: "
                            + ", or ".join(shorten(state) for _, state in self.states))
        state = None
        if found is not None:
            spans = {span for fit in fits for span in fit.deadlines if span[1] + CLOCK_SLACK_S > began_s}
            state = State(found[2], found[0], tuple(sorted(spans)), found[1])
        self.states = [(0, state)]
        self.is_aside = False

    @staticmethod
    def _fits(state, found, began_s, ended_s):
        if found is None:
            return not is_surely_live(state, ended_s)
        return (not is_surely_dead(state, began_s) and state.value == found[2] and state.flags == found[0]
                and state.cas in (None, found[1]))


def shorten(thing):
    text = repr(tuple(thing) if thing is not None else None)
    return text if len(text) < 300 else text[:150] + "..." + text[-140:]
