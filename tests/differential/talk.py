"""One conversation with two servers: says it batch by batch, and judges each reply by the rules.

Both servers get a batch before either is asked for its replies. Between batches nothing is on its way, so two
connections of one conversation meet the servers in the same order.
"""

import collections
import dataclasses
import re

import coverage
import differences
import grammar
from differences import RULES, STATE_RULES, Situation, Then
from model import Model
from replies import Ids
from wire import SENTINEL

SENTINEL_REPLY = "VERSION 1.6.18"
SIDES = ("memcached", "sessiond")
SHOWN_BYTES = 300


class Differs(Exception):
    """The servers differ, and no rule says that they may."""

    def __init__(self, kind, request, memcached, sessiond):
        super().__init__(kind)
        self.kind = kind  # what differs: a reply, a counter, a rule
        self.request = request  # or None
        self.said = (memcached, sessiond)  # bytes that show it

    @property
    def signature(self):
        """What stays when the conversation gets smaller."""
        lines = [re.sub(rb"[0-9]+", b"0", said.split(b"\r\n")[0]) for said in self.said]
        return (self.kind, *(line.split(b" ")[0:3:2] for line in lines))

    def __str__(self):
        lines = [self.kind + (f" at {self.request.render()[:SHOWN_BYTES]!r}" if self.request else "")]
        lines += [f"    {name + ':':10} {said[:SHOWN_BYTES]!r}" for name, said in zip(SIDES, self.said)]
        return "\n".join(lines)


class _Over(Exception):
    """The conversation ends here, as a rule says."""


@dataclasses.dataclass
class Outcome:
    """What came of a conversation."""

    conversation: object
    difference: Differs | None = None
    rules: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    cells: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    requests: int = 0


@dataclasses.dataclass
class _Planned:
    """A request, and what is expected of it before it is sent."""

    situation: Situation
    rule: object  # or None
    counts: tuple  # replies of each server

    @property
    def request(self):
        return self.situation.request

    @property
    def reading(self):
        return self.situation.reading


@dataclasses.dataclass
class _Channel:
    """One connection of the conversation, to each server."""

    wires: tuple
    served: bool = False  # a valid request has come
    errors: int = 0  # in a row
    is_over: bool = False

    def took(self, reading):
        if reading.stores and not reading.faults and grammar.is_over(reading):
            return  # neither an error nor served
        if differences.is_fault(reading):
            self.errors += 1
        else:
            self.errors, self.served = 0, True


def _text(replies):
    return b"".join(reply.text for reply in replies) or b"(nothing)"


class Talk:
    """A conversation under way. Its outcome holds the first difference."""

    def __init__(self, pair, conversation):
        self.conversation = conversation
        self.outcome = Outcome(conversation)
        self.ids = (Ids(), Ids())
        self.is_over = False  # nothing more can be compared
        self.was_reset = False  # its counters
        self._pair = pair
        self._model = Model()
        self._channels = {}

    def act(self, number):
        """Says an act; afterwards its connections are closed."""
        batches = self.conversation.acts[number]
        last = {batch.channel: index for index, batch in enumerate(batches)}
        try:
            for index, batch in enumerate(batches):
                if not self.is_over:
                    self._say(batch, last[batch.channel] == index)
        except _Over:
            self.is_over = True
        except Differs as difference:
            self.is_over = True
            self.outcome.difference = difference
        finally:
            for channel in self._channels.values():
                for wire in channel.wires:
                    wire.close()
            self._channels.clear()

    def pass_time(self, is_flushed):
        """The time between two acts, and a flush in it."""
        self._model.pass_time()
        if is_flushed:
            self._model.flush()

    # -- saying --

    def _channel(self, number):
        if number not in self._channels:
            wires = tuple(server.connect(ids) for server, ids in zip(self._pair.servers, self.ids))
            self._channels[number] = _Channel(wires)
        return self._channels[number]

    def _say(self, batch, is_last):
        channel = self._channel(batch.channel)
        if channel.is_over:
            return
        plan, ends = self._plan(batch, channel)
        self.outcome.requests += len(plan)
        channel.is_over = is_last or ends
        is_silent = not channel.is_over and not any(plan[-1].counts)
        closing = SENTINEL if channel.is_over or is_silent else b""
        for wire, ids in zip(channel.wires, self.ids):
            said = b"".join(planned.request.render(ids.shown) for planned in plan) + closing
            wire.send(said, is_last=channel.is_over)
        if is_silent:
            channel.errors, channel.served = 0, True
        replies, rests = [], [b"", b""]
        for side, wire in enumerate(channel.wires):
            if channel.is_over:
                found, rests[side] = wire.replies_to_end()
            else:
                found = wire.replies(sum(planned.counts[side] for planned in plan) + is_silent)
            replies.append(found)
        self._judge(plan, replies, rests)

    def _plan(self, batch, channel):
        """What to say of a batch, and to expect: ([_Planned], whether the connection is over behind it)."""
        plan = []
        for position, request in enumerate(batch.requests):
            reading = grammar.read(request)
            block, framing = grammar.take_block(request, reading, SENTINEL)  # what does not end well ends the batch
            situation = Situation(
                request=request,
                reading=reading,
                framing=framing,
                block=block,
                version=self._model.version_of(request.words[5]) if len(request.words) > 5 else None,
                is_first=not channel.served,
                errors=channel.errors,
                position=position,
                batch_size=len(batch.requests),
                model=self._model,
            )
            rule = differences.find(RULES, situation)
            plan.append(_Planned(situation, rule if self._pair.with_rules else None, self._counts(situation, rule)))
            channel.took(reading)
            runs_block = request.block is not None and not reading.stores
            ends = framing in ("short", "swallowed") or runs_block or differences.closes_both(situation)
            if ends or rule and rule.then is Then.LAST:
                return plan, True
        return plan, False

    def _counts(self, situation, rule):
        if rule:
            sides = SIDES if self._pair.with_rules else ("memcached", "memcached")
            return tuple(len(rule.patterns(side, situation)) for side in sides)
        closes = differences.closes_both(situation)
        says_nothing = grammar.is_silent(situation.reading) or closes or situation.framing == "short"
        return (0, 0) if says_nothing else (1, 1)

    # -- judging --

    def _judge(self, plan, replies, rests):
        if plan[-1].rule and plan[-1].rule.spoils_batch:
            self._judge_spoilt(plan, replies)
        left = [list(replies[0]), list(replies[1])]
        for planned in plan:
            said = []
            for side, count in enumerate(planned.counts):
                said.append(left[side][:count])
                del left[side][:count]
            is_last = planned is plan[-1]
            self._note(planned, said[1])
            if planned.rule:
                self._judge_by_rule(planned, said, left, is_last)
            else:
                self._judge_plain(planned, said, is_last)
        self._same(plan[-1].request, *left)
        if rests[0] != rests[1]:
            raise Differs("end of the replies", plan[-1].request, *rests)

    @staticmethod
    def _same(request, memcached, sessiond):
        if _text(memcached) != _text(sessiond):
            raise Differs("reply", request, _text(memcached), _text(sessiond))

    def _note(self, planned, said):
        closes = planned.rule is not None and bool(planned.rule.closes)
        self.outcome.cells.update(coverage.cells_of(planned.situation, said[0] if said else None, closes))

    def _judge_plain(self, planned, said, is_last):
        """The replies are the same, or a rule about state says why not."""
        reading, request = planned.reading, planned.request
        code = said[0][0].code if said[0] else ""
        if planned.counts == (0, 0):
            code = self._model.outcome(planned.situation) if reading.keys and not reading.faults else "OK"
        situation = dataclasses.replace(planned.situation, code=code)
        rule = differences.find(STATE_RULES, situation) if self._pair.with_rules else None
        if rule:
            self._fits(rule, situation, said)
        else:
            self._same(request, *said)
        self.was_reset |= code == "RESET"
        live = next(filter(self._model.item, reading.keys), reading.key)
        if code and not reading.faults:
            self._model.apply(situation)
        if rule and rule.then is Then.LAST:
            raise _Over
        if rule:
            if is_last and rule.left:
                self._left_as(rule, situation, live)
            self._resync(reading, is_last)

    def _judge_by_rule(self, planned, said, left, is_last):
        rule, situation = planned.rule, planned.situation
        self._fits(rule, situation, said)
        if rule.then is Then.LAST:
            self._ends_as(rule, situation, left)
        if planned.reading.stores and is_last:
            self._kept(rule, situation)
        if rule.then is Then.LAST:
            raise _Over
        if rule.then is Then.RESYNC:
            self._resync(planned.reading, is_last)

    def _judge_spoilt(self, plan, replies):
        """Of memcached's replies to this batch none is certain: sessiond must have all of its own."""
        rule, situation = plan[-1].rule, plan[-1].situation
        count = sum(planned.counts[1] for planned in plan)
        own = replies[1][count - plan[-1].counts[1] : count]
        self._note(plan[-1], own)
        self._fits(rule, situation, [replies[0], own])
        self._ends_as(rule, situation, [replies[0], replies[1][count:]])
        raise _Over

    @staticmethod
    def _broken(rule, side, what, request, memcached, sessiond):
        return Differs(f"not as the rule `{rule.name}` says of {SIDES[side]}: {what}", request, memcached, sessiond)

    def _fits(self, rule, situation, said):
        """Each server says what the rule expects of it."""
        for side, name in enumerate(SIDES):
            patterns = rule.patterns(name, situation)
            texts = [reply.text for reply in said[side]]
            if len(texts) < len(patterns) or not all(map(re.fullmatch, patterns, texts)):
                raise self._broken(rule, side, "a reply", situation.request, *map(_text, said))
        self.outcome.rules[rule.name] += 1

    def _ends_as(self, rule, situation, left):
        """sessiond closes the connection, or answers the sentinel, as the rule says."""
        answers = bool(left[1]) and left[1][-1].code == SENTINEL_REPLY
        if rule.closes is None or (not left[1] if rule.closes else answers):
            return
        raise self._broken(rule, 1, "the end", situation.request, *map(_text, left))

    def _kept(self, rule, situation):
        """A storage line that sessiond refused has changed nothing."""
        key, item = situation.reading.key, situation.item
        if key is None or not grammar.is_key(key):
            return
        wanted = b"END\r\n"
        if item:
            wanted = b"VALUE %b %d %d\r\n%b\r\nEND\r\n" % (key, item.flags, len(item.value), item.value)
        found = self._pair.probe(key)
        if found[1] != wanted:
            raise self._broken(rule, 1, "the value before it stays", situation.request, wanted, found[1])

    def _left_as(self, rule, situation, key):
        found = self._pair.probe(key)
        for side, pattern in enumerate(rule.patterns("left", situation)):
            if not re.fullmatch(pattern, found[side]):
                raise self._broken(rule, side, "the value", situation.request, *found)

    def _resync(self, reading, is_last):
        """The servers may hold different values of these keys, or of all: neither keeps any."""
        keys = reading.keys or self.conversation.keys()
        self._pair.delete(keys)
        for key in keys:
            self._model.forget(key)
            for ids in self.ids:
                ids.forget(key)
        if not is_last:
            raise _Over
