"""What the tests of real clients share: a daemon for each class, a second look at it, a full memory.

Not a test, and knows no client.
"""

import itertools
import os
import tempfile
import unittest

from relay import Relay
from sessiond_process import ConversationError, SessiondProcess

NO_ROOM = "SERVER_ERROR out of memory storing object"
TOO_LARGE_BYTES = 2_000_000  # above the default of `max-value`
NEEDS_ROOM_BYTES = 900_000  # more than a full memory has for a new value, or for one that grows


def specification(server, unix=""):
    """HOST:PORT, or the path of its socket behind the word that the client wants there."""
    return unix + server.address if isinstance(server.address, str) else "%s:%d" % server.address


class ClientCase(unittest.TestCase):
    """A daemon for the class; for each test a key of its own, and the wire to look behind the client's back."""

    options = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemon = cls.enterClassContext(SessiondProcess(cls.options))

    def setUp(self):
        super().setUp()
        self.wire = self.enterContext(self.daemon.connect())
        self.key = self.id().rpartition(".")[2]

    def servers(self):
        """What the client is to use: everything with an `address`."""
        return [self.daemon]

    def relay(self):
        """A relay in front of the daemon, for a client whose words matter."""
        return self.enterContext(Relay(self.daemon.address))

    def assert_stored(self, key, value):
        """What the server has of the key; None: it has nothing."""
        self.assertEqual(self.wire.get(key), value)


class UnixSocketCase(ClientCase):
    """The daemon listens on a unix socket only."""

    @classmethod
    def setUpClass(cls):
        directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="sessiond-client-"))
        cls.options = ("--listen", f"unix:{os.path.join(directory, 'socket')}")
        super().setUpClass()


class TwoServersCase(ClientCase):
    """Two daemons; `wire` leads to the first."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second = cls.enterClassContext(SessiondProcess(cls.options))

    def servers(self):
        return [self.daemon, self.second]

    def assert_both_have_a_part(self):
        for server in self.servers():
            self.assertGreater(int(server.stats()["curr_items"]), 0)


class FullMemoryCase(ClientCase):
    """The daemon's memory is full; `kept` is a session in it."""

    options = ("--memory", "16m")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with cls.daemon.connect() as wire:
            wire.set("kept", "old")
            fill_memory(wire)

    def setUp(self):
        super().setUp()
        self.assertEqual(self.wire.set("kept", "old"), "STORED")  # as long as before: that always fits


def fill_memory(wire, refusals_in_a_row=20):
    """Stores values until there is no room for more of them, wherever they fall."""
    refused = 0
    for number in itertools.count():
        reply = wire.set(f"fill{number}", b"x" * 100_000)
        refused = refused + 1 if reply == NO_ROOM else 0
        if refused == refusals_in_a_row:
            return
        if reply not in ("STORED", NO_ROOM):
            raise ConversationError(f"memory does not fill: {reply!r}")
