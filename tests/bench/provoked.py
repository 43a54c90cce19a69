"""Sessions on a disk whose checkpoints are watched, and provoked by sets.

Not a program. Only the standard library.
"""

import contextlib
import os
import threading
import time

from bench_common import BenchError, DataBench, pinned

VALUE_BYTES = 400
VALUES = {"value-min": VALUE_BYTES, "value-max": VALUE_BYTES}
SETS_ALONE = {"get": 0, "set": 100, "touch": 0}
CHECKPOINT_LIMIT_S = 240
LOOK_S = 0.02
OPERATIONS_MOST = 100_000_000  # the time ends a run
PROVOKE_TRIES = 3  # the one before may count late, and a small one is over at once
SETTLED_S = 0.3  # from the name of a checkpoint until it counts


def is_checkpoint_running(directory):
    return any(name.startswith("checkpoint-") and name.endswith(".new") for name in os.listdir(directory))


class Looker(threading.Thread):
    """Looks at something again and again, until stop()."""

    def __init__(self, look, pause_s=LOOK_S):
        super().__init__()
        self._look = look
        self._pause_s = pause_s
        self._is_over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_exception):
        self._is_over.set()
        self.join()

    def run(self):
        while not self._is_over.is_set():
            self._look()
            self._is_over.wait(self._pause_s)


class CheckpointBench(DataBench):
    """A server with checkpoints, and loads beside one."""

    @property
    def memory_mb(self):
        return self.arguments.memory_mb

    @contextlib.contextmanager
    def filled(self, name, sessions, **options):
        """(a server that is filled, its directory)"""
        directory = self.directory / name
        with contextlib.ExitStack() as stack:
            with pinned(self.server_processor):
                server = stack.enter_context(self.sessiond(name, **options))
            self.fill(server, keys=sessions, **VALUES)
            yield server, directory

    def ask(self, server, sessions, **options):
        return self.run(server, fill=0, keys=sessions, **{"milliseconds": CHECKPOINT_LIMIT_S * 1000, **VALUES, **options})

    def wait_for_checkpoint(self, directory, wanted):
        """Until one runs, or none does; false when that took too long."""
        deadline = time.monotonic() + CHECKPOINT_LIMIT_S
        while is_checkpoint_running(directory) != wanted:
            if time.monotonic() > deadline:
                raise BenchError("a checkpoint did not " + ("begin" if wanted else "end"))
            time.sleep(LOOK_S / 4)
        if not wanted:
            time.sleep(SETTLED_S)

    def provoke(self, server, directory):
        """Sets until a checkpoint begins."""
        deadline = time.monotonic() + CHECKPOINT_LIMIT_S
        while not is_checkpoint_running(directory):
            before = int(server.stats("journal")["checkpoints"])
            self.ask(server, self.arguments.sessions, operations=self.arguments.sessions // 20 + 1, depth=16, **SETS_ALONE)
            if int(server.stats("journal")["checkpoints"]) > before:
                return  # it was over at once
            if time.monotonic() > deadline:
                raise BenchError("no checkpoint begins")

    def measure_tail(self, server, directory, is_during, rate, seed, **options):
        """A run in an open loop, with a checkpoint from its start on, or without one."""
        looks = []
        if is_during:
            for _ in range(PROVOKE_TRIES):
                self.provoke(server, directory)
                if is_checkpoint_running(directory):
                    break
        else:
            self.wait_for_checkpoint(directory, False)
        with Looker(lambda: looks.append(is_checkpoint_running(directory))):
            result = self.ask(server, self.arguments.sessions, rate=int(rate) or 1, operations=OPERATIONS_MOST, seed=seed,
                              **{"milliseconds": self.arguments.milliseconds, **options})
        self.wait_for_checkpoint(directory, False)
        return {**result, "share": sum(looks) / len(looks),
                "checkpoint_ms": int(server.stats("journal")["checkpoint_ms"])}
