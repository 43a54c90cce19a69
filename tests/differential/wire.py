"""The servers of a comparison, and connections to them. Every wait has a deadline."""

import contextlib
import socket
import time

from replies import Ids, ReplyReader
from sessiond_process import connect_socket

REPLY_DEADLINE_S = 10.0
SENTINEL = b"version\r\n"  # asks whether a connection is still open


class Wire:
    """One connection. What it reads is replies; ids are those that this server shows in the conversation."""

    def __init__(self, address, ids, deadline_s):
        self._socket = connect_socket(address, timeout_s=deadline_s)
        self._reader = ReplyReader(ids)
        self._deadline_s = deadline_s
        self.has_ended = False  # the peer has closed

    def close(self):
        self._socket.close()

    def read_with(self, ids):
        """From here on another conversation's replies are read."""
        self._reader.ids = ids

    def send(self, data, is_last=False):
        """Sends; after the last data the sending side is closed. That the peer has closed shows in what is read."""
        with contextlib.suppress(OSError):
            self._socket.settimeout(self._deadline_s)
            self._socket.sendall(data)
            if is_last:
                self._socket.shutdown(socket.SHUT_WR)

    def _receive(self, deadline):
        remaining = deadline - time.monotonic()
        if self.has_ended or remaining <= 0:
            return False
        self._socket.settimeout(remaining)
        try:
            data = self._socket.recv(1 << 18)
        except TimeoutError:
            return False
        except ConnectionError:
            data = b""
        self._reader.feed(data)
        self.has_ended = not data
        return bool(data)

    def replies(self, count):
        """The next replies, at most `count`; fewer if the peer closes or says nothing more in time."""
        deadline = time.monotonic() + self._deadline_s
        found = []
        while len(found) < count:
            reply = self._reader.next()
            if reply is not None:
                found.append(reply)
            elif not self._receive(deadline):
                break
        return found

    def replies_to_end(self):
        """All that is still said, and the bytes behind it that are no whole reply."""
        deadline = time.monotonic() + self._deadline_s
        while self._receive(deadline):
            pass
        return list(iter(self._reader.next, None)), self._reader.left()

    def said_within(self, quiet_s):
        """What is said until nothing more comes for so long, as bytes."""
        while self._receive(time.monotonic() + quiet_s):
            pass
        return b"".join(reply.text for reply in iter(self._reader.next, None)) + self._reader.left()


class Server:
    """A running server: how to reach it, and a connection beside the conversations."""

    def __init__(self, name, address, deadline_s=REPLY_DEADLINE_S):
        self.name = name
        self.deadline_s = deadline_s
        self._address = address
        self._control = None

    def connect(self, ids):
        return Wire(self._address, ids, self.deadline_s)

    def ask(self, requests, count, ids=None):
        """`count` replies, on the connection beside the conversations."""
        if self._control is None:
            self._control = Wire(self._address, None, REPLY_DEADLINE_S)
        self._control.read_with(ids or Ids())
        self._control.send(requests)
        found = self._control.replies(count)
        if len(found) != count:
            raise ConnectionError(f"{self.name}: {len(found)} of {count} replies to {requests[:200]!r}")
        return found

    def close(self):
        if self._control is not None:
            self._control.close()
            self._control = None
