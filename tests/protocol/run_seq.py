#!/usr/bin/python3
"""Runs conversations (`.seq` files, see README.md) against a fresh daemon per file.

    run_seq.py --sessiond BIN [--delivery whole|bytes|random] FILE...
    run_seq.py --memcached[=BIN] FILE...      the same against memcached, the oracle

Several --delivery options run each file once per delivery. Exit code 0: every block held.
This file knows the form of conversations, nothing of the commands in them,
but for the `version` that asks whether a connection still answers.
"""

import argparse
import contextlib
import dataclasses
import errno
import os
import random
import re
import select
import shlex
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from sessiond_process import (  # noqa: E402
    REPLY_DEADLINE_S,
    DaemonError,
    MemcachedProcess,
    SessiondProcess,
    connect_socket,
)

STILL_OPEN_REPLY = b"VERSION 1.6.18\r\n"
SHOWN_BYTES = 400
# A request longer than this is sent by single bytes at both ends only: the rest of a long value is all alike.
SINGLE_BYTES_AT_AN_END = 1024
PIECE_IN_THE_MIDDLE = 4093
ALIGNED_AFTER_SECOND_MS = 20
ORACLE_DEADLINE_S = 0.3  # where memcached is expected to differ, it may differ by saying nothing
ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}

STEP = re.compile(r"^([<>])(\d?)(\||re\b|closed\b|open\b|silent\b|close\b|fin\b)?(?: (.*))?$")
DURATION = re.compile(r"^(\d+)(ms|s|m|h|d)$")
UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
SENDS = {None, "|", "close", "fin"}
EXPECTS = {None, "|", "re", "closed", "open", "silent"}


class FormatError(Exception):
    """The .seq file itself is wrong."""


class StepFailure(Exception):
    """The daemon did not say what the line wants."""

    def __init__(self, expected, got):
        super().__init__(expected, got)
        self.expected = expected
        self.got = got


@dataclasses.dataclass
class Step:
    line: int
    kind: str  # '>', '<', '@', '+'
    channel: int = 1
    form: str | None = None
    text: str = ""


@dataclasses.dataclass
class Block:
    title: str
    line: int
    differs: str | None = None
    steps: list = dataclasses.field(default_factory=list)

    def moves_clock(self):
        return any(step.kind == "@" for step in self.steps)


@dataclasses.dataclass
class Script:
    path: str
    options: dict  # daemon name -> list of arguments
    blocks: list


def parse_duration_ms(text):
    match = DURATION.match(text.strip())
    if not match:
        raise FormatError(f"not a duration: {text!r}")
    return int(match[1]) * UNIT_MS[match[2]]


def parse_step(number, line):
    if line.startswith("@ "):
        parse_duration_ms(line[2:])
        return Step(number, "@", text=line[2:])
    if line.startswith("+ "):
        if not re.match(r"^\+ \S+ -?\d+( within \S+)?$", line):
            raise FormatError("want `+ NAME DELTA [within DURATION]`")
        return Step(number, "+", text=line[2:])
    match = STEP.match(line)
    if not match:
        raise FormatError(f"not understood: {line!r}")
    kind, channel, form, text = match.groups()
    if form not in (SENDS if kind == ">" else EXPECTS):
        raise FormatError(f"{kind}{form} is no step")
    if form in ("closed", "open", "silent", "close", "fin") and text:
        raise FormatError(f"{kind}{form} takes nothing")
    return Step(number, kind, int(channel or 1), form, text or "")


def parse_script(path):
    with open(path, encoding="utf-8", newline="\n") as file:
        lines = file.read().split("\n")
    script = Script(path, {"sessiond": [], "memcached": []}, [])
    for number, line in enumerate(lines, 1):
        try:
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("== "):
                script.blocks.append(Block(line[3:], number))
            elif line.startswith("% ") and not script.blocks:
                daemon, _, options = line[2:].partition(" ")
                script.options[daemon] += shlex.split(options)
            elif not script.blocks:
                raise FormatError("before the first `== title`")
            elif line.startswith("! differs: "):
                script.blocks[-1].differs = line[len("! differs: "):]
            else:
                script.blocks[-1].steps.append(parse_step(number, line))
        except (FormatError, KeyError) as error:
            raise FormatError(f"{path}:{number}: {error}") from error
    if not script.blocks:
        raise FormatError(f"{path}: no conversation in it")
    return script


def unescape(text):
    """Bytes of text with \\r \\n \\t \\0 \\\\ \\xNN replaced."""

    def replace(match):
        if match[1][0] == b"x"[0] and len(match[1]) == 3:
            return bytes([int(match[1][1:], 16)])
        if match[1] not in ESCAPES:
            raise FormatError(f"unknown escape {match[0]!r}")
        return ESCAPES[match[1]]

    return re.sub(rb"\\(x[0-9a-fA-F]{2}|.)", replace, text.encode())


def repeat(match):
    """`{TEXT*COUNT}`: TEXT COUNT times over, every `#` in it the number of the turn, from 1."""
    text, count = match[1], int(match[2])
    if "#" in text:
        return "".join(text.replace("#", str(turn)) for turn in range(1, count + 1))
    return text * count


def expand(text, variables, now_s):
    """Text of a step as bytes: `{$NAME}`, `{now+N}`, `{TEXT*COUNT}` (they nest), then escapes."""
    text = re.sub(r"\{\$(\w+)\}", lambda match: variables[match[1]], text)
    text = re.sub(r"\{now([+-]\d+)?\}", lambda match: str(now_s() + int(match[1] or 0)), text)
    repetitions = 1
    while repetitions:
        text, repetitions = re.subn(r"\{([^{}]*)\*(\d+)\}", repeat, text)
    return unescape(text)


class Delivery:
    """How the bytes of requests are cut into sends."""

    def __init__(self, name, seed):
        self.name = name
        self._random = random.Random(seed)

    def cuts(self, data):
        """Lengths of the sends of data."""
        if self.name == "whole":
            return [len(data)]
        if self.name == "bytes":
            middle = max(0, len(data) - 2 * SINGLE_BYTES_AT_AN_END)
            single = len(data) - middle
            pieces = [PIECE_IN_THE_MIDDLE] * (middle // PIECE_IN_THE_MIDDLE) + [middle % PIECE_IN_THE_MIDDLE]
            return [1] * (single - single // 2) + [piece for piece in pieces if piece] + [1] * (single // 2)
        lengths = []
        left = len(data)
        while left > 0:
            longest = self._random.choice((1, 3, 40, 1500, 70_000))
            lengths.append(min(left, self._random.randint(1, longest)))
            left -= lengths[-1]
        return lengths


class Channel:
    """One connection of a block."""

    def __init__(self, address, delivery, deadline_s):
        self._deadline_s = deadline_s
        self._socket = connect_socket(address)
        self._socket.setblocking(False)
        self._delivery = delivery
        self._pending = bytearray()  # to send before the next expectation
        self._received = bytearray()
        self._peer_closed = False
        self._peer_gone = False  # sends are refused; replies sent before may still be there
        self.finished = False  # nothing more is expected of it

    def queue(self, data):
        self._pending += data

    def close(self):
        self._socket.close()
        self.finished = True

    def shutdown_write(self):
        self.flush()
        with contextlib.suppress(OSError):  # the peer may have closed already
            self._socket.shutdown(socket.SHUT_WR)

    def _receive(self, timeout_s):
        """Takes what is there; waits at most timeout_s for it. False when nothing came."""
        if self._peer_closed or not select.select([self._socket], [], [], timeout_s)[0]:
            return False
        try:
            piece = self._socket.recv(1 << 18)
        except (ConnectionResetError, BrokenPipeError):
            piece = b""
        self._received += piece
        self._peer_closed = not piece
        return bool(piece)

    def flush(self):
        """Sends what is queued, taking replies meanwhile so that neither side waits for the other."""
        data = memoryview(bytes(self._pending))
        self._pending.clear()
        position = 0
        for length in self._delivery.cuts(data):
            end = position + length
            while position < end and not self._peer_gone:
                position += self._send(data[position:end])

    def _send(self, piece):
        try:
            return self._socket.send(piece)
        except BlockingIOError:
            readable, writable, _ = select.select([self._socket], [self._socket], [], self._deadline_s)
            if not readable and not writable:
                raise StepFailure("the peer reads the request", "nothing moved") from None
            if readable and not self._peer_closed:
                self._receive(0)
            elif readable and not writable:
                self._peer_gone = True
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                raise
            self._peer_gone = True
        return 0

    def _shown(self):
        """What the peer said instead."""
        deadline = time.monotonic() + 0.1
        while time.monotonic() < deadline and self._receive(0.05):
            pass
        shown = repr(bytes(self._received[:SHOWN_BYTES]))
        if len(self._received) > SHOWN_BYTES:
            shown += f" ... ({len(self._received)} bytes)"
        return shown + (" and closed" if self._peer_closed else "")

    def _wait(self, satisfied, expected):
        deadline = time.monotonic() + self._deadline_s
        while not satisfied():
            remaining = deadline - time.monotonic()
            if self._peer_closed or remaining <= 0:
                raise StepFailure(expected, self._shown() if self._peer_closed else f"{self._shown()} (deadline)")
            self._receive(remaining)

    def expect_bytes(self, wanted):
        self.flush()
        shown = repr(wanted[:SHOWN_BYTES]) + (f" ... ({len(wanted)} bytes)" if len(wanted) > SHOWN_BYTES else "")
        matched = 0

        def satisfied():
            nonlocal matched
            have = min(len(self._received), len(wanted))
            if self._received[matched:have] != wanted[matched:have]:
                at = next(index for index in range(matched, have) if self._received[index] != wanted[index])
                raise StepFailure(shown, self._shown() + (f" (first difference at byte {at})" if at > 40 else ""))
            matched = have
            return matched == len(wanted)

        self._wait(satisfied, shown)
        del self._received[: len(wanted)]

    def expect_pattern(self, pattern):
        """One line; returns the named groups."""
        self.flush()
        self._wait(lambda: b"\n" in self._received, f"a line like {pattern}")
        line = bytes(self._received[: self._received.index(b"\n") + 1])
        match = re.fullmatch(pattern, line.removesuffix(b"\r\n").decode("latin-1"))
        if not line.endswith(b"\r\n") or not match:
            raise StepFailure(f"a line like {pattern}", self._shown())
        del self._received[: len(line)]
        return match.groupdict()

    def expect_closed(self):
        self.flush()
        self._wait(lambda: self._peer_closed or self._received, "close")
        if self._received:
            raise StepFailure("close and nothing before it", self._shown())
        self.finished = True

    def expect_open(self):
        self.queue(b"version\r\n")
        self.expect_bytes(STILL_OPEN_REPLY)


    def expect_end(self):
        """Still open, and nothing said that no step asked for."""
        self.expect_open()
        self.shutdown_write()
        self.expect_closed()


class SessiondTarget:
    """The daemon under test."""

    name = "sessiond"

    def __init__(self, binary, options):
        self.process = SessiondProcess(options, binary=binary)

    def reason_to_leave_out(self, _block):
        return None

    def expects_difference(self, _block):
        return False

    def now_ms(self):
        return time.time_ns() // 1_000_000 + self.process.clock.offset_ms()

    def move_clock_ms(self, milliseconds):
        self.process.clock.move(milliseconds / 1000)

    def align_clock(self):
        """To the start of a second, so that moving by whole seconds is exact whatever the rounding."""
        self.move_clock_ms((ALIGNED_AFTER_SECOND_MS - self.now_ms()) % 1000)


class MemcachedTarget:
    """The oracle. Its clock cannot be moved."""

    name = "memcached"

    def __init__(self, binary, options):
        self.process = MemcachedProcess(options, binary=binary)

    def reason_to_leave_out(self, block):
        return "moves the clock" if block.moves_clock() else None

    def expects_difference(self, block):
        return block.differs is not None

    def now_ms(self):
        return time.time_ns() // 1_000_000


class BlockRun:
    """One block against a running daemon."""

    def __init__(self, block, target, delivery):
        self._block = block
        self._target = target
        self._delivery = delivery
        self._channels = {}
        self._variables = {}
        self._deadline_s = ORACLE_DEADLINE_S if target.expects_difference(block) else REPLY_DEADLINE_S

    def run(self):
        """Returns (line, failure) of the first step that did not hold, or None."""
        block = self._block
        before = self._stats() if any(step.kind == "+" for step in block.steps) else None
        if block.moves_clock():
            self._target.align_clock()
        line = block.line
        try:
            for step in block.steps:
                line = step.line
                if step.kind != "+":
                    self._step(step)
            for channel in self._channels.values():
                if not channel.finished:
                    channel.expect_end()
            for step in block.steps:
                line = step.line
                if step.kind == "+":
                    self._compare(step, before)
        except StepFailure as failure:
            return line, failure
        finally:
            for channel in self._channels.values():
                channel.close()
        return None

    def _now_s(self):
        return self._target.now_ms() // 1000

    def _expand(self, text):
        return expand(text, self._variables, self._now_s)

    def _channel(self, number):
        if number not in self._channels:
            self._channels[number] = Channel(self._target.process.address, self._delivery, self._deadline_s)
        return self._channels[number]

    def _step(self, step):
        if step.kind == "@":
            for channel in self._channels.values():
                channel.flush()
            self._target.move_clock_ms(parse_duration_ms(step.text))
            return
        channel = self._channel(step.channel)
        if step.kind == ">":
            self._send(channel, step)
        else:
            self._expect(channel, step)

    def _send(self, channel, step):
        if step.form == "close":
            channel.flush()
            channel.close()
        elif step.form == "fin":
            channel.shutdown_write()
        else:
            channel.queue(self._expand(step.text) + (b"" if step.form == "|" else b"\r\n"))

    def _expect(self, channel, step):
        if step.form == "closed":
            channel.expect_closed()
        elif step.form == "open":
            channel.expect_open()
        elif step.form == "re":
            pattern = re.sub(r"\{\$(\w+)\}", lambda match: self._variables[match[1]], step.text)
            self._variables.update(channel.expect_pattern(pattern))
        elif step.form != "silent":  # silence shows in what the next expectation finds first
            channel.expect_bytes(self._expand(step.text) + (b"" if step.form == "|" else b"\r\n"))

    def _stats(self):
        return self._target.process.stats()

    def _compare(self, step, before):
        name, delta, *within = step.text.split(" ")
        if name not in before:
            raise StepFailure(f"STAT {name}", "no such row")
        wanted = int(before[name]) + int(delta)
        deadline = time.monotonic() + (parse_duration_ms(within[1]) / 1000 if within else 0)
        while (value := int(self._stats()[name])) != wanted:
            if time.monotonic() >= deadline:
                raise StepFailure(f"{name} changes by {delta}", f"{value - int(before[name])}")
            time.sleep(0.02)


def run_script(script, make_target, delivery, only):
    """Runs the blocks of one file; prints failures; returns (run, failed, left out)."""
    target = make_target(script)
    run = failed = 0
    left_out = []
    with target.process:
        for block in script.blocks:
            if only and only not in block.title:
                continue
            reason = target.reason_to_leave_out(block)
            if reason:
                left_out.append((block, reason))
                continue
            run += 1
            outcome = BlockRun(block, target, delivery).run()
            if target.expects_difference(block):
                outcome = None if outcome else (block.line, StepFailure("a difference, as marked", "none"))
            if outcome:
                failed += 1
                line, failure = outcome
                print(
                    f"{script.path}:{line}: == {block.title} [{target.name}, {delivery.name}]\n"
                    f"    expected {failure.expected}\n    got      {failure.got}",
                    flush=True,
                )
            if not target.process.running:
                raise DaemonError(f"{target.name} ended in `{block.title}`:\n{target.process.stderr_text()[-8000:]}")
    return run, failed, left_out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--sessiond", metavar="BIN", help="the daemon under test; default $SESSIOND")
    which.add_argument("--memcached", metavar="BIN", nargs="?", const="memcached", help="run against memcached")
    parser.add_argument("--delivery", action="append", choices=("whole", "bytes", "random"))
    parser.add_argument("--seed", type=int, default=1, help="of the random delivery")
    parser.add_argument("--only", metavar="TEXT", help="blocks whose title contains TEXT")
    parser.add_argument("--left-out", action="store_true", help="name the blocks left out and why")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    if options.memcached and options.memcached.endswith(".seq"):
        parser.error("--memcached takes the next word as its binary: name the files first, or say --memcached=memcached")

    def make_target(script):
        if options.memcached:
            return MemcachedTarget(options.memcached, script.options["memcached"])
        return SessiondTarget(options.sessiond, script.options["sessiond"])

    failed = 0
    for path in options.files:
        script = parse_script(path)
        for delivery in options.delivery or ["whole"]:
            started = time.monotonic()
            run, file_failed, left_out = run_script(script, make_target, Delivery(delivery, options.seed), options.only)
            failed += file_failed
            print(
                f"{os.path.basename(path)} {delivery}: {run - file_failed} of {run} held, "
                f"{len(left_out)} left out, {time.monotonic() - started:.1f} s"
            )
            if options.left_out:
                for block, reason in left_out:
                    print(f"    left out line {block.line}: {block.title}: {reason}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (FormatError, DaemonError) as problem:
        sys.exit(f"run_seq: {problem}")
