"""What must be in memcached's store, as far as a conversation tells: which keys are there, and with what value.

For the conditions of the table and of the rules. It believes replies where there are any, and works out the outcome of
a silent request. Not a third oracle: nothing is compared with it.
"""

import dataclasses

from conversation import CasId
from grammar import expires_at_once, fits_item, is_over, lenient_unsigned

MAX_U64 = (1 << 64) - 1


@dataclasses.dataclass
class Item:
    value: bytes
    version: int
    flags: int = 0
    expired: bool = False
    expires_in_wait: bool = False


class Model:
    def __init__(self):
        self.items = {}  # key -> Item
        self.versions = {}  # key -> versions in the order in which their ids were shown
        self.was_flushed = False
        self._last_version = 0

    def item(self, key):
        """The live item of a key, or None."""
        item = self.items.get(key)
        return None if item is None or item.expired else item

    def state(self, key):
        item = self.items.get(key)
        return "miss" if item is None else "expired" if item.expired else "hit"

    def forget(self, key):
        self.items.pop(key, None)
        self.versions.pop(key, None)

    def flush(self):
        self.items.clear()
        self.was_flushed = True

    def pass_time(self):
        """The time between two acts."""
        for item in self.items.values():
            item.expired |= item.expires_in_wait

    def show(self, key):
        """The id of the key's value was shown: it is the next one, unless it was shown before."""
        item = self.item(key)
        shown = self.versions.setdefault(key, [])
        if item and item.version not in shown:
            shown.append(item.version)

    def version_of(self, cas):
        """The version that a CAS id in a request names, as far as ids have been shown by now; or None."""
        shown = self.versions.get(cas.key, []) if isinstance(cas, CasId) else []
        try:
            return shown[cas.nth] if shown else None
        except IndexError:
            return None

    def outcome(self, situation):
        """The reply that a request without faults has coming, as a code."""
        reading = situation.reading
        command, key = reading.command, reading.key
        item = self.item(key)
        if reading.stores and is_over(reading):
            return "SERVER_ERROR object too large for cache"
        if command == b"set":
            return "STORED"
        if command == b"add":
            return "NOT_STORED" if item else "STORED"
        if command == b"cas":
            return ("STORED" if situation.version == item.version else "EXISTS") if item else "NOT_FOUND"
        if command in (b"append", b"prepend"):
            fits = item and fits_item(key, item.flags, len(item.value) + len(situation.block))
            return "STORED" if fits else "NOT_STORED"
        if command == b"replace":
            return "STORED" if item else "NOT_STORED"
        if not item:
            return "NOT_FOUND"
        if command in (b"incr", b"decr"):
            return "NUMBER" if lenient_unsigned(item.value) is not None else "NON_NUMERIC"
        return "DELETED" if command == b"delete" else "TOUCHED"

    def counted(self, reading):
        """The number that incr or decr makes, or None."""
        item = self.item(reading.key)
        number = item and lenient_unsigned(item.value)
        delta = reading.numbers.get("d")
        if number is None or delta is None:
            return None
        return (number + delta) & MAX_U64 if reading.command == b"incr" else max(0, number - delta)

    def apply(self, situation):
        """Take over what a request did; its code is that of its reply, or of its outcome if it was silent."""
        reading, code = situation.reading, situation.code
        command, key = reading.command, reading.key
        if code == "STORED":
            self._store(reading, situation.block)
        elif code == "NUMBER" and command in (b"incr", b"decr"):
            item = self._known(key)
            item.value = b"%d" % (self.counted(reading) or 0)
            item.version = self._next()
        elif code == "DELETED":
            self.items.pop(key, None)
        elif code == "TOUCHED":
            self._expire(self._known(key), reading)
        elif command in (b"gat", b"gats") and code == "VALUE":
            for one in reading.keys:
                if self.item(one):
                    self.show(one) if command == b"gats" else None
                    self._expire(self.items[one], reading)
        elif command == b"gets" and code == "VALUE":
            for one in reading.keys:
                self.show(one)
        elif command == b"flush_all" and code == "OK" and (
            reading.numbers.get("t") in (None, 0) or expires_at_once(reading.numbers["t"])
        ):
            self.flush()

    def _known(self, key):
        """The item of a key that a reply tells of."""
        return self.items.setdefault(key, Item(b"", self._next()))

    def _next(self):
        self._last_version += 1
        return self._last_version

    def _store(self, reading, value):
        command, key = reading.command, reading.key
        if command in (b"append", b"prepend"):
            old = self._known(key)
            old.value = old.value + value if command == b"append" else value + old.value
            old.version = self._next()
            return
        self.items[key] = Item(value, self._next(), reading.numbers.get("f", 0))
        self._expire(self.items[key], reading)

    @staticmethod
    def _expire(item, reading):
        exptime = reading.numbers.get("e")
        item.expired = expires_at_once(exptime)
        item.expires_in_wait = exptime == 1
