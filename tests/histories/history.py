"""What a recorded concurrent history is, and what can be said of it without a search.

A history is {key: [Operation, ...]}. Not here: where it comes from (recorder.py), whether an order of its
operations explains it (linearizability.py).
"""

import collections
import typing

READS = ("get", "gets", "gat", "gats")
WRITES = ("set", "add", "replace", "cas")


class Operation(typing.NamedTuple):
    """A request for one key, and what its client was told.

    The operations of a client were served in the order of the list, also those that were under way at the same
    time: a connection's requests are.
    """

    client: int
    kind: str  # the command's word
    begin_ns: int  # before its first byte was sent, on a clock that all clients share
    end_ns: int | None = None  # after its reply was read; None: none was, it may have been served or not
    result: str | None = None  # VALUE or END of a read, NUMBER of an incr that counted, else the reply line
    found: str | int | None = None  # the value of a read, the number of an incr
    found_id: int | None = None  # the CAS id of a read value
    value: str | int | None = None  # what a write is to store, what an incr is to add
    cas_id: int | None = None  # what a cas was sent with: an id that a client had been told before
    dies: bool = False  # a negative exptime: the key is gone afterwards

    @property
    def told(self):
        """The value that was there as far as the reply tells, or None."""
        return self.found - self.value if self.result == "NUMBER" else self.found

    @property
    def made(self):
        """The value that it stored, or may have stored without a reply, or None."""
        if self.kind == "incr":
            return self.found
        return self.value if self.kind in WRITES and self.result in ("STORED", None) else None

    def __str__(self):
        words = [f"client {self.client}: {self.kind}"]
        words += [] if self.value is None else [str(self.value)]
        words += [] if self.cas_id is None else [f"id {self.cas_id}"]
        words += ["exptime -1"] if self.dies else []
        words += ["->", self.result or "?"]
        words += [] if self.found is None else [str(self.found)]
        words += [] if self.found_id is None else [f"id {self.found_id}"]
        return " ".join(words)


def merge(histories):
    """One history of several that have no client in common."""
    merged = collections.defaultdict(list)
    for history in histories:
        for key, operations in history.items():
            merged[key] += operations
    return dict(merged)


def count_results(history):
    """{(kind, result): how many}"""
    return collections.Counter((operation.kind, operation.result)
                               for operations in history.values() for operation in operations)


def overlap(operations):
    """Of one key's operations, the part (0 to 1) that was under way together with one of another client.

    Those without a reply are left out: they would overlap with all that came later.
    """
    told = sorted((operation for operation in operations if operation.end_ns is not None),
                  key=lambda operation: operation.begin_ns)
    overlapping = [False] * len(told)
    for at, operation in enumerate(told):
        later = at + 1
        while later < len(told) and told[later].begin_ns < operation.end_ns:
            if told[later].client != operation.client:
                overlapping[at] = overlapping[later] = True
            later += 1
    return sum(overlapping) / len(told) if told else 0.0
