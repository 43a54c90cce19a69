"""The replies of a server, one by one, whatever was asked: each reply says itself where it ends.

CAS ids are renamed in the order in which a server first shows them for a key, so that two servers that
number differently read the same. Rows of figures are left out of the text: their names are other tests'.
"""

import base64
import dataclasses

LINE_END = b"\r\n"
ROWS = (b"STAT ", b"ITEM ")
META_CODES = (b"HD", b"VA", b"EN", b"NS", b"EX", b"NF")


@dataclasses.dataclass(frozen=True)
class Reply:
    text: bytes  # with ids renamed, without rows of figures
    code: str  # its kind: VALUE, NUMBER, or the line itself
    rows: bytes = dataclasses.field(default=b"", compare=False)


def code_of(last_line, has_values):
    if has_values and last_line == b"END":
        return "VALUE"
    if last_line.isdigit():
        return "NUMBER"
    return last_line.decode("latin-1")


class Ids:
    """The ids that a server has shown in a conversation."""

    def __init__(self):
        self.shown = {}  # key -> ids in the order of their first appearance

    def rename(self, key, cas):
        ids = self.shown.setdefault(key, [])
        if cas not in ids:
            ids.append(cas)
        return b"#%d" % ids.index(cas)

    def forget(self, key):
        self.shown.pop(key, None)


class ReplyReader:
    """Bytes in, replies out."""

    def __init__(self, ids):
        self.ids = ids
        self._received = bytearray()

    def feed(self, data):
        self._received += data

    def left(self):
        return bytes(self._received)

    def next(self):
        """The next reply, or None as long as it is not whole."""
        received = self._received
        position = 0
        values = []
        rows = b""
        while (newline := received.find(b"\n", position)) >= 0:
            line = bytes(received[position:newline])
            end = newline + 1
            if line.startswith(b"VALUE "):
                words = line.removesuffix(b"\r").split(b" ")
                if len(words) in (4, 5) and words[3].isdigit():
                    end += int(words[3]) + len(LINE_END)
                    if len(received) < end:
                        return None
                    values.append((words, bytes(received[newline:end])))
            elif line[:2] in META_CODES and line[2:3] in (b"", b"\r", b" "):
                size = int(line.split(b" ")[1]) + len(LINE_END) if line.startswith(b"VA") else 0
                if len(received) < end + size:
                    return None
                text = self._meta_text(line) + bytes(received[newline : end + size])
                del received[: end + size]
                return Reply(text, line[:2].decode())
            elif line.startswith(ROWS):
                rows += line + b"\n"
            else:
                del received[:end]
                return self._reply(values, line, rows)
            position = end
        return None

    def _reply(self, values, line, rows):
        text = b"".join(self._value_text(words, rest) for words, rest in values)
        return Reply(text + line + b"\n", code_of(line.removesuffix(b"\r"), bool(values)), rows)

    def _meta_text(self, line):
        """An id is renamed where the reply tells its key, too; 0 is none."""
        words = line.removesuffix(b"\r").split(b" ")
        key = next((word[1:] for word in words if word.startswith(b"k")), None)
        if key is not None and b"b" in words:
            key = base64.b64decode(key)
        for place, word in enumerate(words):
            if key is not None and word.startswith(b"c") and word != b"c0":
                words[place] = b"c" + self.ids.rename(key, word[1:])
        return b" ".join(words) + line[len(line.removesuffix(b"\r")) :]

    def _value_text(self, words, rest):
        if len(words) == 5:
            words = [*words[:4], self.ids.rename(words[1], words[4])]
        return b" ".join(words) + b"\r" + rest
