"""Conversations as blocks of a .seq file (tests/protocol/README.md), ready to paste."""

import dataclasses
import itertools
import re

from conversation import CasId, Date

RUN_MIN = 20  # a longer run of one byte is written as a repetition
ESCAPES = {0: r"\0", 9: r"\t", 10: r"\n", 13: r"\r", 92: r"\\"}
VALUE_WITH_ID = re.compile(r"VALUE (?P<key>\S+) \d+ \d+ #(?P<nth>\d+)")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a server said to a batch."""

    said: bytes  # with ids renamed
    is_closed: bool
    shown: dict  # key -> how many of its ids had been shown before


def escape(data):
    """Bytes as the text of a step."""
    return "".join(_escape_run(byte, len(list(run))) for byte, run in itertools.groupby(data))


def _escape_run(byte, length):
    plain = 0x20 <= byte < 0x7F and byte not in b"{}"
    one = ESCAPES.get(byte) or (chr(byte) if plain else f"\\x{byte:02x}")
    if length <= RUN_MIN:
        return one * length
    return "{%s*%d}" % (r"\x23" if one == "#" else one, length)


def _variable(key, nth):
    return "id_" + re.sub(r"\W", "_", key)[:20] + f"_{nth}"


def _word(word, shown):
    if isinstance(word, Date):
        return "{now%+d}" % word.offset_s
    if isinstance(word, CasId):
        count = shown.get(word.key, 0)
        nth = word.nth % count if word.nth < 0 and count else word.nth
        return "{$%s}" % _variable(word.key.decode("latin-1"), nth)
    return escape(word)


def _step(sign, text):
    """A line of the file; text that ends in CR LF is written without it."""
    plain = text.endswith(r"\r\n")
    text = text.removesuffix(r"\r\n") if plain else text
    if text.endswith(" "):
        text = text[:-1] + r"\x20"
    return f"{sign}{'' if plain else '|'} {text}".rstrip()


def _request(request, shown, channel):
    words = escape(request.between).join(_word(word, shown) for word in request.words)
    line = escape(request.before) + words + escape(request.behind + request.line_end)
    if request.block is None:
        return [_step(f">{channel}", line)]
    block = escape(request.block + request.block_end)
    if request.line_end == b"\r\n" and request.block_end == b"\r\n":
        return [_step(f">{channel}", line), _step(f">{channel}", block)]
    return [_step(f">{channel}", line + block)]


def _answer(answer, channel):
    """Lines of a reply; an id is caught where it is shown first, and compared later."""
    seen = dict(answer.shown)
    for line in answer.said.decode("latin-1").split("\r\n")[:-1]:
        match = VALUE_WITH_ID.fullmatch(line)
        if not match:
            yield _step(f"<{channel}", escape(line.encode("latin-1")) + r"\r\n")
            continue
        variable = _variable(match["key"], int(match["nth"]))
        head = line[: match.start("nth") - 1]
        if int(match["nth"]) < seen.get(match["key"].encode("latin-1"), 0):
            yield f"<{channel} {escape(head.encode('latin-1'))}{{${variable}}}"
        else:
            seen[match["key"].encode("latin-1")] = int(match["nth"]) + 1
            yield f"<{channel}re {re.escape(head)}(?P<{variable}>\\d+)".replace(r"\ ", " ")
    rest = answer.said.rpartition(b"\r\n")[2]
    if rest:
        yield _step(f"<{channel}", escape(rest))
    if answer.is_closed:
        yield f"<{channel}closed"


def block(conversation, answers, title, notes=()):
    """The text of a block; answers are those of one server: a list of Answer for each act."""
    lines = [f"== {title}", *(f"# {note}" for note in notes)]
    for number, (act, said) in enumerate(zip(conversation.acts, answers)):
        if number:
            lines.append("@ 3s" if conversation.scene == "wait" else "# here: flush_all 2, and 3 s pass")
        for batch, answer in zip(act, said):
            channel = "" if batch.channel == 1 else str(batch.channel)
            for request in batch.requests:
                lines += _request(request, answer.shown, channel)
            lines += _answer(answer, channel)
    return "\n".join(lines) + "\n"
