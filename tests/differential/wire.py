"""The two servers of a comparison, and connections to them. Every wait has a deadline."""

import contextlib
import socket
import time

from replies import Ids, ReplyReader
from sessiond_process import connect_socket

REPLY_DEADLINE_S = 5.0
SENTINEL = b"version\r\n"  # is the connection open still?


class Wire:
    """One connection. What it reads is replies; ids are those of the conversation on this server."""

    def __init__(self, address, ids, deadline_s=REPLY_DEADLINE_S):
        self._socket = connect_socket(address, timeout_s=deadline_s)
        self._reader = ReplyReader(ids)
        self._deadline_s = deadline_s
        self.ended = False  # the peer has closed

    def close(self):
        self._socket.close()

    def send(self, data):
        with contextlib.suppress(ConnectionError):  # that it is closed shows in what is read
            self._socket.sendall(data)

    def send_last(self, data):
        """No more will be said."""
        self.send(data)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def _receive(self, deadline):
        remaining = deadline - time.monotonic()
        if self.ended or remaining <= 0:
            return False
        self._socket.settimeout(remaining)
        try:
            data = self._socket.recv(1 << 18)
        except TimeoutError:
            return False
        except ConnectionError:
            data = b""
        self._reader.feed(data)
        self.ended = not data
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

    def all_within(self, quiet_s):
        """What is said until nothing more comes, as bytes."""
        while self._receive(time.monotonic() + quiet_s):
            pass
        return b"".join(reply.text for reply in iter(self._reader.next, None)) + self._reader.left()

    def replies_to_end(self):
        """All that is still said, and what is no whole reply."""
        deadline = time.monotonic() + self._deadline_s
        while self._receive(deadline):
            pass
        found = []
        while (reply := self._reader.next()) is not None:
            found.append(reply)
        return found, self._reader.left()


class Server:
    """A running server: how to reach it, and the connection beside the conversations."""

    def __init__(self, name, address, deadline_s=REPLY_DEADLINE_S):
        self.name = name
        self._address = address
        self.deadline_s = deadline_s
        self._control = None

    def connect(self, ids):
        return Wire(self._address, ids, self.deadline_s)

    def ask(self, requests, count, ids=None):
        """Replies on the connection beside the conversations."""
        if self._control is None or self._control.ended:
            self._control = self.connect(None)
        self._control._reader._ids = ids or Ids()
        self._control.send(requests)
        found = self._control.replies(count)
        if len(found) != count:
            raise ConnectionError(f"{self.name}: {len(found)} of {count} replies to {requests[:200]!r}")
        return found

    def close(self):
        if self._control is not None:
            self._control.close()
            self._control = None
