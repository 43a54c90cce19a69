"""Two servers, and the scenes in which conversations are held with them."""

import re
import time

import differences
import grammar
from talk import Differs, Talk
from wire import SENTINEL

# Counters that both have, by their names in `stats`: each grows alike in a conversation without differences.
COUNTERS = (
    "cmd_get", "cmd_set", "cmd_touch", "cmd_flush", "get_hits", "get_misses", "delete_hits", "delete_misses",
    "touch_hits", "touch_misses", "incr_hits", "incr_misses", "decr_hits", "decr_misses", "cas_hits", "cas_misses",
    "cas_badval", "store_too_large", "total_items",
)  # fmt: skip
COUNTER_ROW = re.compile(rb"STAT (%s) (\d+)\r\n" % "|".join(COUNTERS).encode())
FLUSH_DELAY_S = 2
# What happens between the acts, and for how long. Both servers count in seconds that begin when they like.
WAIT_S = {"plain": 0, "wait": 2.1, "flush": FLUSH_DELAY_S + 1.1}
# What a conversation leaves behind that is not about its keys: if it says the word, this is said after it.
CLEANUPS = {b"verbosity": b"verbosity 0\r\n", b"flush_all": b"flush_all\r\n"}


class Pair:
    """memcached and a server to compare with it. Without rules nothing may differ."""

    def __init__(self, memcached, other, with_rules=True):
        self.servers = (memcached, other)
        self.with_rules = with_rules
        self._counters = None  # of each server, before the next conversation

    def run(self, conversations, scene="plain"):
        """Outcomes of conversations of one scene, in their order; those that wait do so together."""
        if scene != "plain":
            yield from self._run_together(conversations, scene)
            return
        for conversation in conversations:
            talk = Talk(self, conversation)
            talk.act(0)
            yield self._finish(talk, compares_counters=not talk.outcome.rules)

    def _run_together(self, conversations, scene):
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
            yield self._finish(talk, compares_counters=False)

    def close(self):
        for server in self.servers:
            server.close()

    # -- beside the conversation --

    def _ask_both(self, requests, count):
        return [server.ask(requests, count) for server in self.servers]

    def probe(self, key):
        """What each server answers to a get of key, as bytes."""
        return [found[0].text for found in self._ask_both(b"get " + key + b"\r\n", 1)]

    def delete(self, keys):
        """From both servers. sessiond has no odd keys, and would count errors."""
        for server, takes in zip(self.servers, (_is_key_of_memcached, grammar.is_key)):
            deletes = [b"delete %b noreply\r\n" % key for key in keys if takes(key)]
            server.ask(b"".join(deletes) + SENTINEL, 1)

    def forget_counters(self):
        """Something else was said to the servers."""
        self._counters = None

    def _finish(self, talk, compares_counters):
        """Compare what the servers hold of a conversation, and clean up behind it."""
        keys = [key for key in talk.conversation.keys() if grammar.is_key(key)]
        said = b"".join(request.render() for request in talk.conversation.requests())
        cleanups = [b"delete %b noreply\r\n" % key for key in keys]
        cleanups += [cleanup for word, cleanup in CLEANUPS.items() if word in said]
        audit = b"gets " + b" ".join(keys or [b"none"]) + b"\r\nstats\r\n" + b"".join(cleanups) + b"stats\r\n"
        count = 3 + len(cleanups) - len(keys)
        found = [server.ask(audit, count, ids) for server, ids in zip(self.servers, talk.ids)]
        before, self._counters = self._counters, [_read_counters(replies[-1]) for replies in found]
        if not talk.is_over:
            try:
                self._compare(talk, found, before if compares_counters else None)
            except Differs as difference:
                talk.outcome.difference = difference
        return talk.outcome

    @staticmethod
    def _compare(talk, found, before):
        held = [replies[0].text for replies in found]
        if held[0] != held[1]:
            raise Differs("what is stored", None, *held)
        if before is None:
            return
        left_out = differences.counters_left_out(talk.conversation.requests())
        after = [_read_counters(replies[1]) for replies in found]
        for name in COUNTERS:
            if name not in left_out and all(name in counters for counters in after):
                grown = [new[name] - (0 if talk.was_reset else old[name]) for old, new in zip(before, after)]
                if grown[0] != grown[1]:
                    raise Differs(f"counter {name}", None, *(b"%d" % number for number in grown))


def _is_key_of_memcached(key):
    return 0 < len(key) <= grammar.KEY_MAX and b"\0" not in key


def _read_counters(reply):
    return {name.decode(): int(value) for name, value in COUNTER_ROW.findall(reply.rows)}
