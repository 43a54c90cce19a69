"""Makes a conversation that differs as small as it can, and it still differs in the same way."""

import time

from conversation import Batch, Conversation

TRIES_MAX = 400
TIME_MAX_S = 20.0


def _without(parts, begin, end):
    return parts[:begin] + parts[end:]


def _shorter(parts):
    """The same list with parts of it gone, the largest first."""
    size = max(1, len(parts) // 2)
    while size >= 1:
        for begin in range(0, len(parts), size):
            yield _without(parts, begin, begin + size)
        if size == 1:
            return
        size //= 2


def _flat(conversation):
    return [
        (number, batch.channel, request)
        for number, act in enumerate(conversation.acts)
        for batch in act
        for request in batch.requests
    ]


def _with_requests(conversation, flat, in_one_batch=False):
    """The conversation of these requests: one by one, or each act in one batch."""
    acts = []
    for number in range(len(conversation.acts)):
        said = [(channel, request) for act, channel, request in flat if act == number]
        if in_one_batch:
            acts.append((Batch(1, tuple(request for _, request in said)),) if said else ())
        else:
            acts.append(tuple(Batch(channel, (request,)) for channel, request in said))
    return Conversation(conversation.name, tuple(acts), conversation.scene)


def _fewer_requests(conversation):
    """As it is batched, with requests gone."""
    places = [(a, b, r) for a, act in enumerate(conversation.acts) for b, batch in enumerate(act)
              for r in range(len(batch.requests))]  # fmt: skip
    for kept in _shorter(places):
        kept = set(kept)
        acts = []
        for a, act in enumerate(conversation.acts):
            batches = []
            for b, batch in enumerate(act):
                requests = tuple(request for r, request in enumerate(batch.requests) if (a, b, r) in kept)
                if requests:
                    batches.append(Batch(batch.channel, requests))
            acts.append(tuple(batches))
        yield Conversation(conversation.name, tuple(acts), conversation.scene)


def _simpler_batches(conversation):
    flat = _flat(conversation)
    yield _with_requests(conversation, [(act, 1, request) for act, _, request in flat])
    yield _with_requests(conversation, flat)
    if conversation.scene != "plain":
        yield Conversation(conversation.name, (sum(conversation.acts, ()),), "plain")


def _simpler_request(request):
    """Requests that say nearly the same."""
    for change in ({"before": b""}, {"behind": b""}, {"between": b" "}, {"line_end": b"\r\n"}):
        yield request.replaced(**change)
    for place in range(len(request.words) - 1, 0, -1):
        yield request.replaced(words=_without(request.words, place, place + 1))
        word = request.words[place]
        for plain in (b"a", b"0", b"1", word[: len(word) // 2] if isinstance(word, bytes) else b"a"):
            if plain and (not isinstance(word, bytes) or len(plain) < len(word) or len(word) == 1 and plain < word):
                yield request.replaced(words=(*request.words[:place], plain, *request.words[place + 1 :]))
    if request.block:
        half = len(request.block) // 2
        for block in (b"", b"1", request.block[:half], request.block[half:], request.block[1:]):
            # The announced length goes with it.
            shift = len(request.block) - len(block)
            words = tuple(
                b"%d" % (int(word) - shift) if isinstance(word, bytes) and word.isdigit() and place == 4 and int(word) >= shift
                else word for place, word in enumerate(request.words)
            )  # fmt: skip
            yield request.replaced(words=words, block=block)


def _simpler_requests(conversation):
    for a, act in enumerate(conversation.acts):
        for b, batch in enumerate(act):
            for r, request in enumerate(batch.requests):
                for simpler in _simpler_request(request):
                    if simpler != request:
                        requests = (*batch.requests[:r], simpler, *batch.requests[r + 1 :])
                        changed = (*act[:b], Batch(batch.channel, requests), *act[b + 1 :])
                        acts = (*conversation.acts[:a], changed, *conversation.acts[a + 1 :])
                        yield Conversation(conversation.name, acts, conversation.scene)


def minimise(conversation, differs, time_max_s=TIME_MAX_S):
    """The smallest conversation found of which differs(conversation) still holds."""
    deadline = time.monotonic() + time_max_s
    tries = 0
    improved = True
    while improved:
        improved = False
        for simplify in (_fewer_requests, _simpler_batches, _simpler_requests):
            again = True
            while again:
                again = False
                for candidate in simplify(conversation):
                    if tries >= TRIES_MAX or time.monotonic() >= deadline:
                        return conversation
                    if candidate == conversation or not any(candidate.acts):
                        continue
                    tries += 1
                    if differs(candidate):
                        conversation = candidate
                        improved = again = True
                        break
    return conversation
