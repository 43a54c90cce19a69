"""A difference told so that a person can act on it: the seed, the smallest conversation, both servers' words."""

import time

import grammar
import minimiser
import seq_text
from pair import WAIT_S
from replies import Ids
from seq_text import Answer
from wire import SENTINEL

QUIET_S = 0.15  # nothing more comes
HURRY_S = 1.0  # instead of the usual patience, while a conversation is made smaller


def _differs(pair, conversation):
    return next(iter(pair.run([conversation], conversation.scene))).difference


def smallest(pair, outcome):
    """(conversation, difference) as small as can be found, or as it was if it does not differ again."""
    patience = [server.deadline_s for server in pair.servers]
    signature = outcome.difference.signature
    for server in pair.servers:
        server.deadline_s = HURRY_S
    try:
        def differs(candidate):
            found = _differs(pair, candidate)
            return found is not None and found.signature == signature

        if not differs(outcome.conversation):
            return outcome.conversation, outcome.difference, False
        conversation = minimiser.minimise(outcome.conversation, differs)
        return conversation, _differs(pair, conversation) or outcome.difference, True
    finally:
        for server, deadline_s in zip(pair.servers, patience):
            server.deadline_s = deadline_s


def transcript(server, conversation):
    """What one server says to each batch of a conversation: a list of Answer for each act."""
    deletes = b"".join(b"delete %b noreply\r\n" % key for key in conversation.keys() if grammar.is_key(key))
    server.ask(deletes + SENTINEL, 1)
    try:
        return _said(server, conversation)
    finally:
        server.ask(deletes + SENTINEL, 1)


def _said(server, conversation):
    ids = Ids()
    acts = []
    for number, act in enumerate(conversation.acts):
        if number and conversation.scene == "flush":
            server.ask(b"flush_all 2\r\n", 1)
        if number:
            time.sleep(WAIT_S[conversation.scene])
        wires, answers = {}, []
        for batch in act:
            wire = wires.get(batch.channel) or wires.setdefault(batch.channel, server.connect(ids))
            shown = {key: len(found) for key, found in ids.shown.items()}
            wire.send(b"".join(request.render(ids.shown) for request in batch.requests))
            answers.append(Answer(wire.said_within(QUIET_S), wire.has_ended, shown))
        for wire in wires.values():
            wire.close()
        acts.append(answers)
    return acts


def describe(pair, outcome):
    """Text of many lines."""
    conversation, difference, is_repeatable = smallest(pair, outcome)
    seed, _, index = outcome.conversation.name.partition(":")
    lines = [f"{difference}", f"again: tests/differential/run --seed {seed} --only {index}"]
    if not is_repeatable:
        lines.append("it did not differ a second time; the whole conversation:")
    blocks = []
    for server in pair.servers:
        blocks.append(seq_text.block(conversation, transcript(server, conversation), f"{difference.kind}: {server.name}"))
    pair.forget_counters()
    return "\n".join(lines) + "\n" + "\n".join(blocks)
