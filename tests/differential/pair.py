"""Says a conversation to two servers, and compares what they answer.

Both get each batch before either is asked for its replies. Between batches nothing is on its way, so two connections
of one conversation meet the servers in the same order.
"""

import collections
import dataclasses
import re
import time

import differences
import grammar
from coverage import SILENCE
from differences import RULES, STATE_RULES, Situation, Then
from model import Model
from replies import Ids
from wire import SENTINEL

SENTINEL_REPLY = "VERSION 1.6.18"
# Counters that both have, by their names in `stats`; each grows alike in a conversation without differences.
COUNTERS = (
    "cmd_get", "cmd_set", "cmd_touch", "cmd_flush", "get_hits", "get_misses", "delete_hits", "delete_misses",
    "touch_hits", "touch_misses", "incr_hits", "incr_misses", "decr_hits", "decr_misses", "cas_hits", "cas_misses",
    "cas_badval", "store_too_large", "total_items",
)  # fmt: skip
COUNTER_ROW = re.compile(rb"STAT (%s) (\d+)\r\n" % "|".join(COUNTERS).encode())
FLUSH_DELAY_S = 2  # of the scene "flush"
WAIT_S = {"wait": 2.1, "flush": FLUSH_DELAY_S + 1.1}  # both servers count in seconds that begin when they like
SHOWN_BYTES = 300


class Differs(Exception):
    """The servers differ, and no rule says that they may."""

    def __init__(self, kind, request, memcached, sessiond):
        super().__init__(kind)
        self.kind = kind  # what differs: a reply, the end, ...
        self.request = request  # or None
        self.memcached = memcached  # bytes that show it
        self.sessiond = sessiond

    @property
    def signature(self):
        """What stays when the conversation gets smaller."""
        return (self.kind, *(re.sub(rb"[0-9]+", b"0", said.split(b"\r\n")[0])[:40].split(b" ")[0:3:2]
                             for said in (self.memcached, self.sessiond)))

    def __str__(self):
        at = f" at {self.request.render()[:SHOWN_BYTES]!r}" if self.request else ""
        return f"{self.kind}{at}\n    memcached: {self.memcached[:SHOWN_BYTES]!r}\n    sessiond:  {self.sessiond[:SHOWN_BYTES]!r}"


class _Over(Exception):
    """The conversation ends here, as a rule says."""


@dataclasses.dataclass
class Outcome:
    conversation: object
    difference: Differs | None = None
    rules: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    cells: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    requests: int = 0


@dataclasses.dataclass
class _Planned:
    request: object
    reading: object
    situation: Situation
    rule: object
    counts: tuple  # replies of each server


@dataclasses.dataclass
class _Channel:
    wires: tuple
    served: bool = False  # a valid request has come
    errors: int = 0  # in a row
    is_over: bool = False


def block_framing(request, reading, following):
    """Whether the data block ends where the line says: whole | swallowed (by chance, with what follows) | bad | short."""
    if not reading.stores or not reading.is_framed or reading.size is None or request.block is None:
        return "whole"
    size = reading.size
    if size == len(request.block) and request.block_end == b"\r\n":
        return "whole"
    behind = request.block + request.block_end + following
    end = behind[size : size + 2]
    if len(end) < 2:
        return "short"
    return "swallowed" if end == b"\r\n" else "bad"


class Talk:
    """One conversation under way."""

    def __init__(self, pair, conversation):
        self._pair = pair
        self._conversation = conversation
        self._ids = (Ids(), Ids())
        self._model = Model()
        self._channels = {}
        self._is_over = False  # nothing more can be compared
        self._was_reset = False
        self.outcome = Outcome(conversation)

    # -- acts --

    def act(self, number):
        """Says an act; afterwards its connections are closed."""
        batches = self._conversation.acts[number]
        last = {batch.channel: index for index, batch in enumerate(batches)}
        try:
            for index, batch in enumerate(batches):
                if not self._is_over:
                    self._batch(batch, last[batch.channel] == index)
        except _Over:
            self._is_over = True
        except Differs as difference:
            self._is_over = True
            self.outcome.difference = difference
        finally:
            for channel in self._channels.values():
                for wire in channel.wires:
                    wire.close()
            self._channels.clear()

    def pass_time(self, flushed):
        self._model.pass_time()
        if flushed:
            self._model.flush()

    def finish(self, compares_counters=True):
        """Compares what the servers hold now, and leaves them without the conversation's keys."""
        try:
            self._pair.settle(self, compares_counters and not self.outcome.rules)
        except Differs as difference:
            self.outcome.difference = difference
        return self.outcome

    # -- what Pair.settle needs --

    @property
    def conversation(self):
        return self._conversation

    @property
    def ids(self):
        return self._ids

    @property
    def is_comparable(self):
        return not self._is_over

    @property
    def was_reset(self):
        return self._was_reset

    # -- a batch --

    def _channel(self, number):
        if number not in self._channels:
            wires = tuple(server.connect(ids) for server, ids in zip(self._pair.servers, self._ids))
            self._channels[number] = _Channel(wires)
        return self._channels[number]

    def _batch(self, batch, is_last):
        channel = self._channel(batch.channel)
        if channel.is_over:
            return
        plan, ends = self._plan(batch, channel)
        self.outcome.requests += len(plan)
        channel.is_over = is_last or ends
        is_silent = not any(plan[-1].counts)
        requests = batch.requests
        if ends and not (plan[-1].rule and plan[-1].rule.closes):
            requests = requests[: len(plan)]  # the sentinel must be what follows
        data = [b"".join(request.render(ids.shown) for request in requests) for ids in self._ids]
        for wire, said in zip(channel.wires, data):
            if channel.is_over:
                wire.send_last(said + SENTINEL)
            else:
                wire.send(said + SENTINEL if is_silent else said)
        replies, rests = [], [b"", b""]
        for side, wire in enumerate(channel.wires):
            if channel.is_over:
                found, rests[side] = wire.replies_to_end()
            else:
                found = wire.replies(sum(planned.counts[side] for planned in plan) + is_silent)
            replies.append(found)
        if is_silent:
            channel.errors, channel.served = 0, True
        self._judge(plan, replies, rests)

    def _plan(self, batch, channel):
        """What is to be expected: ([_Planned], whether the connection is over behind it)."""
        plan = []
        for position, request in enumerate(batch.requests):
            reading = grammar.read(request)
            framing = block_framing(request, reading, self._behind(batch, position))
            situation = Situation(request, reading, framing, not channel.served, channel.errors, position, len(batch.requests))
            rule = differences.find(RULES, situation)
            counts = self._counts(situation, rule)
            plan.append(_Planned(request, reading, situation, rule if self._pair.with_rules else None, counts))
            if differences.is_fault(reading):
                channel.errors += 1
            else:
                channel.errors = 0
                channel.served = True
            runs_block = request.block is not None and not reading.stores
            ends = framing in ("short", "swallowed") or runs_block or reading.command == b"quit"
            if ends or rule and rule.then is Then.LAST:
                return plan, True
        return plan, False

    @staticmethod
    def _behind(batch, position):
        return b"".join(request.render() for request in batch.requests[position + 1 :]) + SENTINEL

    def _counts(self, situation, rule):
        if rule:
            sides = ("memcached", "sessiond" if self._pair.with_rules else "memcached")
            return tuple(len(rule.patterns(side, situation)) for side in sides)
        reading = situation.reading
        says_nothing = grammar.is_silent(reading) or reading.command == b"quit" or situation.framing == "short"
        return (0, 0) if says_nothing else (1, 1)

    # -- judging --

    def _judge(self, plan, replies, rests):
        if plan[-1].rule and plan[-1].rule.spoils_batch:
            self._judge_spoilt(plan, replies)
        left = [list(replies[0]), list(replies[1])]
        for index, planned in enumerate(plan):
            said = []
            for side in (0, 1):
                said.append(left[side][: planned.counts[side]])
                del left[side][: planned.counts[side]]
            self._note(planned, said[1])
            if planned.rule:
                self._judge_rule(planned, said, left, index + 1 == len(plan))
            else:
                self._judge_plain(planned, said, index + 1 == len(plan))
        request = plan[-1].request
        self._same("reply", request, *left)
        if rests[0] != rests[1]:
            raise Differs("end of the replies", request, *rests)

    def _judge_spoilt(self, plan, replies):
        """Of memcached's replies none is certain: sessiond must have all of its own."""
        rule, count = plan[-1].rule, sum(planned.counts[1] for planned in plan)
        own = len(rule.patterns("sessiond", plan[-1].situation))
        self._fits(rule, plan[-1].situation, [replies[0], replies[1][count - own : count]])
        if len(replies[1]) != count + (not rule.closes):
            raise Differs(f"not as the rule `{rule.name}` says of sessiond: the end", plan[-1].request, *map(self._text, replies))
        raise _Over

    @staticmethod
    def _text(replies):
        return b"".join(reply.text for reply in replies)

    def _same(self, kind, request, memcached, sessiond):
        if self._text(memcached) != self._text(sessiond):
            raise Differs(kind, request, self._text(memcached) or b"(nothing)", self._text(sessiond) or b"(nothing)")

    def _judge_plain(self, planned, said, is_last):
        reading, request = planned.reading, planned.request
        silent = planned.counts == (0, 0)
        code = said[0][0].code if said[0] else ""
        if silent:
            code = self._model.outcome(reading, request) if reading.keys and not reading.faults else "OK"
        situation = dataclasses.replace(planned.situation, model=self._model, code=code)
        rule = differences.find(STATE_RULES, situation) if self._pair.with_rules else None
        if rule:
            self._fits(rule, situation, said)
        else:
            self._same("reply", request, *said)
        self._was_reset |= code == "RESET"
        if code and not reading.faults:
            self._model.apply(reading, request, code)
        if rule:
            if is_last:
                self._left_as(rule, situation)
            self._resync(reading, is_last)

    def _fits(self, rule, situation, said):
        """The rule holds: each server says what is expected of it."""
        for side, name in enumerate(("memcached", "sessiond")):
            patterns = rule.patterns(name, situation)
            texts = [reply.text for reply in said[side]]
            if len(texts) < len(patterns) or not all(map(re.fullmatch, patterns, texts)):
                raise Differs(f"not as the rule `{rule.name}` says of {name}: a reply", situation.request,
                              *(self._text(one) or b"(nothing)" for one in said))
        self.outcome.rules[rule.name] += 1

    def _judge_rule(self, planned, said, left, is_last):
        rule, request = planned.rule, planned.request
        self._fits(rule, planned.situation, said)
        if rule.then is Then.LAST:
            answered = bool(left[1]) and left[1][-1].code == SENTINEL_REPLY
            if rule.closes is not None and (rule.closes and left[1] or not rule.closes and not answered):
                raise Differs(f"not as the rule `{rule.name}` says of sessiond: the end", request,
                              self._text(left[0]), self._text(left[1]) or b"(closed)")
            raise _Over
        if rule.then is Then.RESYNC:
            self._resync(planned.reading, is_last)

    def _left_as(self, rule, situation):
        if not rule.left:
            return
        key = next((key for key in situation.reading.keys if key in self._model.items), situation.reading.key)
        found = self._pair.probe(key)
        for side, pattern in enumerate(rule.patterns("left", situation)):
            if not re.fullmatch(pattern, found[side]):
                name = ("memcached", "sessiond")[side]
                raise Differs(f"not as the rule `{rule.name}` says of {name}: the value", situation.request, *found)

    def _resync(self, reading, is_last):
        """The servers may hold different values of these keys: neither keeps any."""
        self._pair.delete(reading.keys)
        for key in reading.keys:
            self._model.forget(key)
            for ids in self._ids:
                ids.forget(key)
        if not is_last:
            raise _Over

    def _note(self, planned, said):
        """Count the cells of the table that a request belongs to; said is sessiond's reply to it."""
        reading, situation = planned.reading, planned.situation
        if situation.framing == "short" and not said:
            return  # it is no whole request
        code = said[0].code if said else SILENCE
        outcome = code
        if not said and reading.keys and not reading.faults:
            outcome = self._model.outcome(reading, planned.request)
        conditions = {self._model.state(key) for key in reading.keys if grammar.is_key(key)}
        conditions |= {"stale CAS"} if outcome == "EXISTS" else set()
        conditions |= {"too large"} if reading.stores and grammar.is_over(reading) else set()
        conditions |= {"noreply"} if grammar.is_silent(reading) else set()
        conditions |= {"pipelined"} if situation.batch_size > 1 else set()
        word = reading.command.decode() if reading.command else "(unknown)"
        for condition in conditions or {"alone"}:
            self.outcome.cells[word, code, condition] += 1


class Pair:
    """memcached and a server to compare with it. Without rules nothing may differ."""

    def __init__(self, memcached, other, with_rules=True):
        self.servers = (memcached, other)
        self.with_rules = with_rules
        self._counters = None

    def run(self, conversations, scene="plain"):
        """Outcomes of conversations of one scene; those with a wait wait together."""
        if scene == "plain":
            for conversation in conversations:
                talk = Talk(self, conversation)
                talk.act(0)
                yield talk.finish()
            return
        talks = [Talk(self, conversation) for conversation in conversations]
        for talk in talks:
            talk.act(0)
        if scene == "flush":
            self._ask_both(b"flush_all %d\r\n" % FLUSH_DELAY_S, 1)
        time.sleep(WAIT_S[scene])
        for talk in talks:
            talk.pass_time(scene == "flush")
            talk.act(1)
        for talk in talks:
            yield talk.finish(compares_counters=False)

    def _ask_both(self, requests, count):
        return [server.ask(requests, count) for server in self.servers]

    def probe(self, key):
        return [found[0].text for found in self._ask_both(b"get " + key + b"\r\n", 1)]

    def delete(self, keys):
        """sessiond knows no odd keys, and would count errors."""
        for server, may_be_odd in zip(self.servers, (True, False)):
            deletes = [b"delete %b noreply\r\n" % key for key in keys if grammar.is_key(key) or
                       may_be_odd and 0 < len(key) <= grammar.KEY_MAX and b"\0" not in key]
            server.ask(b"".join(deletes) + SENTINEL, 1)

    def settle(self, talk, compares_counters):
        """Compare what the servers hold of a conversation, and clean up behind it."""
        keys = [key for key in talk.conversation.keys() if grammar.is_key(key)]
        said = b"".join(request.render() for request in talk.conversation.requests())
        audit = b"gets " + b" ".join(keys or [b"none"]) + b"\r\nstats\r\n"
        cleanup = b"".join(b"delete %b noreply\r\n" % key for key in keys)
        count = 3
        for word, request in ((b"verbosity", b"verbosity 0\r\n"), (b"flush_all", b"flush_all\r\n")):
            if word in said:
                cleanup += request
                count += 1
        found = [server.ask(audit + cleanup + b"stats\r\n", count, ids)
                 for server, ids in zip(self.servers, talk.ids)]
        before = self._counters or [None, None]
        self._counters = [self._read_counters(replies[-1]) for replies in found]
        if not talk.is_comparable:
            return
        if found[0][0].text != found[1][0].text:
            raise Differs("what is stored", None, found[0][0].text, found[1][0].text)
        if compares_counters and before[0] is not None:
            self._compare_counters(talk, before, [self._read_counters(replies[1]) for replies in found])

    @staticmethod
    def _read_counters(reply):
        return {name.decode(): int(value) for name, value in COUNTER_ROW.findall(reply.rows)}

    @staticmethod
    def _compare_counters(talk, before, after):
        left_out = differences.counters_left_out(talk.conversation.requests())
        for name in COUNTERS:
            if name in left_out:
                continue
            grown = []
            for old, new in zip(before, after):
                if name not in new:
                    break
                grown.append(new[name] - (0 if talk.was_reset else old[name]))
            if len(grown) == 2 and grown[0] != grown[1]:
                raise Differs(f"counter {name}", None, b"%d" % grown[0], b"%d" % grown[1])

    def forget_counters(self):
        """Something else was said to the servers."""
        self._counters = None

    def close(self):
        for server in self.servers:
            server.close()
