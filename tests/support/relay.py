"""Stands between a client and a server and tells what the client sends.

Not a proxy for load: a thread for each connection, and a client that sends on and on without reading
replies can block. Only the standard library.
"""

import contextlib
import select
import socket
import threading

from sessiond_process import REPLY_DEADLINE_S, ConversationError, connect_socket

STORAGE_WORDS = {"set", "add", "replace", "append", "prepend", "cas"}


class RequestLines:
    """Cuts what a client sends into its command lines; data blocks are left out."""

    def __init__(self):
        self._rest = b""
        self._block_bytes = 0  # of a data block and its line end, still to come

    def feed(self, piece):
        """Gives each command line that is now there whole, as latin-1 text without its line end."""
        self._rest += piece
        while True:
            passed = min(self._block_bytes, len(self._rest))
            self._block_bytes -= passed
            self._rest = self._rest[passed:]
            line, end, rest = self._rest.partition(b"\n")
            if self._block_bytes or not end:
                return
            self._rest = rest
            text = line.removesuffix(b"\r").decode("latin-1")
            words = text.split()
            if len(words) > 4 and words[0] in STORAGE_WORDS:
                self._block_bytes = int(words[4]) + 2
            yield text


class Relay:
    """Listens on a port of 127.0.0.1 and hands everything on to the server at server_address.

    before(line), when set, is called for each command line of a client before it is handed on.
    """

    def __init__(self, server_address):
        self._server_address = server_address
        self.before = lambda line: None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self._lines = []
        self._changed = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self):
        return self.address[1]

    def lines(self):
        """The command lines so far, of all connections."""
        with self._changed:
            return list(self._lines)

    def take_lines(self):
        """The command lines since the last call."""
        with self._changed:
            taken, self._lines = self._lines, []
            return taken

    def wait_for_lines(self, count, timeout_s=REPLY_DEADLINE_S):
        """Waits until count command lines have come, for those that have no reply; takes them."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._lines) >= count, timeout_s):
                raise ConversationError(f"fewer than {count} lines came: {self._lines}")
        return self.take_lines()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client):
        requests = RequestLines()
        with client, contextlib.suppress(OSError), connect_socket(self._server_address) as server:
            while True:
                readable, _, _ = select.select([client, server], [], [])
                if client in readable:
                    piece = client.recv(65536)
                    if not piece:
                        return
                    for line in requests.feed(piece):
                        self._note(line)
                    server.sendall(piece)
                if server in readable:
                    piece = server.recv(65536)
                    if not piece:
                        return
                    client.sendall(piece)

    def _note(self, line):
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()
        self.before(line)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
