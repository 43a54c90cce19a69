"""What is said: requests, and conversations of them.

A request is words, the blanks about them, a line end and a data block, each of which may be odd. A
conversation is one or two acts (between them time passes and connections are new); an act is a list of
batches, each sent at once on one of its connections. Says nothing of what is right.
"""

import dataclasses
import time

# What a CAS id that was never shown is taken to be: no server gives it.
NO_SUCH_ID = b"9223372036854775805"


@dataclasses.dataclass(frozen=True)
class CasId:
    """A CAS id that the server itself has shown for key: 0 the first of them, 1 the second, -1 the latest."""

    key: bytes
    nth: int = -1


@dataclasses.dataclass(frozen=True)
class Date:
    """Seconds since 1970: now and so many more."""

    offset_s: int


@dataclasses.dataclass(frozen=True)
class Request:
    words: tuple  # bytes, CasId or Date each
    block: bytes | None = None
    block_end: bytes = b"\r\n"
    line_end: bytes = b"\r\n"
    before: bytes = b""
    between: bytes = b" "
    behind: bytes = b""

    def line(self, ids=None):
        """The line as sent to a server that has shown these ids (key -> list)."""
        said = [word if isinstance(word, bytes) else _resolve(word, ids) for word in self.words]
        return self.before + self.between.join(said) + self.behind

    def render(self, ids=None):
        text = self.line(ids) + self.line_end
        return text if self.block is None else text + self.block + self.block_end

    def replaced(self, **changes):
        return dataclasses.replace(self, **changes)


def _resolve(word, ids):
    if isinstance(word, Date):
        return str(int(time.time()) + word.offset_s).encode()
    shown = (ids or {}).get(word.key, ())
    try:
        return shown[word.nth]
    except IndexError:
        return NO_SUCH_ID


@dataclasses.dataclass(frozen=True)
class Batch:
    """Requests that go out in one send, on the conversation's connection of that number."""

    channel: int
    requests: tuple


@dataclasses.dataclass(frozen=True)
class Conversation:
    name: str  # how to get it again
    acts: tuple  # of tuples of Batch
    scene: str = "plain"  # what happens between the acts: see pair.WAIT_S

    def requests(self):
        return [request for act in self.acts for batch in act for request in batch.requests]

    def keys(self):
        """Every word that may have been taken for a key."""
        found = {}
        for request in self.requests():
            for word in request.words[1:]:
                if isinstance(word, bytes) and 0 < len(word) <= 250:
                    found[word] = None
        return list(found)
