"""Clients that use sessions and know what each of them must be. Not a test.

Raw sockets in one asyncio loop; requests are pipelined. The sessions, and what is known of them, outlive the
daemon's crashes: run() drives it until it is gone, judge() reads every session after the next start.
"""

import asyncio
import random
import time

import oracle
from oracle import Violation

GET_KEYS = 100  # in a line when judging
LARGE_BYTES = 70_000  # above what is copied into a batch
TTLS_S = (200, 400, 900, 2000, 4000, 20_000)
REPLY_S = 60

# (what, weight)
OPERATIONS = {
    "set": 22, "add": 8, "replace": 8, "cas": 8, "append": 6, "prepend": 2, "incr": 4, "decr": 2,
    "delete": 10, "touch": 10, "gat": 5, "get": 7, "gets": 8,
}


class Operation:
    """One request, what it makes of its session, and what must be answered."""

    __slots__ = ("session", "number", "request", "reply", "is_quiet")

    def __init__(self, session, number, request, reply, is_quiet):
        self.session, self.number, self.request, self.reply = session, number, request, reply
        self.is_quiet = is_quiet


class Fleet:
    """n_clients clients with n_sessions sessions.

    clock     the daemon's TestClock
    abandons  share of the turns after which a client hangs up without reading the replies
    flushes   whether flush_all is sent now and then (never together with abandons)
    """

    def __init__(self, clock, seed, n_clients=32, n_sessions=10_000, prefix="s"):
        self.clock = clock
        self.random = random.Random(seed)
        each = n_sessions // n_clients
        self.seats = [[oracle.Session(f"{prefix}:{client}:{i}") for i in range(each)] for client in range(n_clients)]
        self.n_operations = 0  # sent
        self.n_confirmed = 0
        self.n_judged = 0
        self.abandons = 0.0
        self.flushes = False
        self.violation = None
        self._flushed = []  # what was there when a flush_all was sent that is not answered
        self._writers = set()
        self._gate = None
        self._n_busy = 0
        self._is_ending = False

    def sessions(self):
        return [session for seat in self.seats for session in seat]

    def now_s(self):
        return time.time() + self.clock.offset_ms() / 1000

    # ---- requests

    def _exptime(self, now_s):
        """An exptime as its text, and the spans its end is in."""
        chance = self.random.random()
        ttl_s = self.random.choice(TTLS_S)
        if chance < 0.3:
            return "0", oracle.FOREVER
        if chance < 0.6:
            return str(ttl_s), oracle.relative(ttl_s, now_s)
        if chance < 0.94:
            return str(int(now_s) + ttl_s), oracle.absolute(int(now_s) + ttl_s)
        return self.random.choice(("-1", "4294967295", str(int(now_s) - 5))), oracle.ENDED

    def _value(self, number):
        chance = self.random.random()
        if chance < 0.15:
            return b"%d" % (number * 1000)
        size = LARGE_BYTES if chance > 0.99 else self.random.randrange(300)
        return b"v%d." % number + b"x" * size

    def _storage(self, verb, session, number, now_s, quiet):
        state = session.state
        value, flags = self._value(number), self.random.randrange(1 << 16)
        exptime, deadlines = self._exptime(now_s)
        words = [verb, session.name, str(flags), exptime, str(len(value))]
        if verb == "cas":
            known = state.cas if state is not None and state.cas is not None else 0
            cas_id = known if self.random.random() < 0.8 else 1 + known // 2
            words.append(str(cas_id))
            after, reply = oracle.cas(state, value, flags, deadlines, cas_id)
        else:
            wanted = {"set": None, "add": False, "replace": True}[verb]
            after, reply = oracle.store(state, value, flags, deadlines, wanted)
        return " ".join(words) + quiet, value, after, reply

    def _make(self, verb, session, number, now_s, quiet):
        """Returns (line, data or None, state after, reply)."""
        state, name = session.state, session.name
        if verb in ("set", "add", "replace", "cas"):
            return self._storage(verb, session, number, now_s, quiet)
        if verb in ("append", "prepend"):
            value = b";%d" % number
            return f"{verb} {name} 0 0 {len(value)}{quiet}", value, *oracle.join(state, value, verb == "prepend")
        if verb in ("incr", "decr"):
            delta = self.random.randrange(1, 100)
            return f"{verb} {name} {delta}{quiet}", None, *oracle.count(state, delta if verb == "incr" else -delta)
        if verb == "delete":
            return f"delete {name}{quiet}", None, *oracle.delete(state)
        if verb in ("touch", "gat"):
            exptime, deadlines = self._exptime(now_s)
            if verb == "gat":
                return f"gat {exptime} {name}", None, *oracle.get_and_touch(state, deadlines)
            return f"touch {name} {exptime}{quiet}", None, *oracle.touch(state, deadlines)
        return f"{verb} {name}", None, state, oracle.found_of(state)

    def _operation(self, session, now_s, may_be_quiet):
        verb = self.random.choices(list(OPERATIONS), OPERATIONS.values())[0]
        state = session.state
        if verb == "cas" and state is not None and state.cas is None:
            verb = "gets"
        if verb in ("append", "prepend") and state is not None and len(state.value) > LARGE_BYTES:
            verb = "delete"
        is_quiet = may_be_quiet and verb not in ("get", "gets", "gat") and self.random.random() < 0.15
        self.n_operations += 1
        line, data, after, reply = self._make(
            verb, session, self.n_operations, now_s, " noreply" if is_quiet else "")
        request = line.encode() + b"\r\n" + (b"" if data is None else data + b"\r\n")
        session.send(self.n_operations, after)
        return Operation(session, self.n_operations, request, reply, is_quiet)

    def _turn(self, seat):
        now_s = self.now_s()
        size = self.random.choice((1, 1, 2, 4, 8))
        operations = []
        while len(operations) < size:
            session = self.random.choice(seat)
            if session.settle(now_s):
                operations.append(self._operation(session, now_s, len(operations) < size - 1))
        return operations

    # ---- replies

    @staticmethod
    async def _read_reply(reader):
        """A line as bytes; of a retrieval None or (flags, cas or None, value)."""
        line = await reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError
        if not line.startswith(b"VALUE "):
            return None if line == b"END\r\n" else line[:-2]
        words = line.split()
        value = await reader.readexactly(int(words[3]) + 2)
        if await reader.readexactly(5) != b"END\r\n":
            raise Violation(f"no END behind {line!r}")
        return int(words[2]), int(words[4]) if len(words) == 5 else None, value[:-2]

    def _check(self, operation, reply):
        wanted = operation.reply
        session = operation.session
        if isinstance(reply, tuple) and isinstance(wanted, tuple):
            is_right = (reply[0], reply[2]) == (wanted[0], wanted[2]) and (
                None in (reply[1], wanted[1]) or reply[1] == wanted[1])
            if is_right and reply[1] is not None and session.states[-1][0] == operation.number:
                session.learn_cas(reply[1])
        else:
            is_right = reply == wanted
        if not is_right:
            raise Violation(f"{operation.request[:200]!r} was answered {oracle.shorten(reply)}, "
                            f"not {oracle.shorten(wanted)}")

    async def _read_replies(self, reader, operations):
        unconfirmed = []
        for operation in operations:
            unconfirmed.append(operation)
            if operation.is_quiet:
                continue
            reply = await asyncio.wait_for(self._read_reply(reader), REPLY_S)
            # What stands before a reply has happened as well.
            for earlier in unconfirmed:
                earlier.session.confirm(earlier.number)
            self.n_confirmed += len(unconfirmed)
            unconfirmed.clear()
            self._check(operation, reply)

    # ---- clients

    async def _connect(self, address):
        reader, writer = await asyncio.open_connection(*address, limit=1 << 20)
        self._writers.add(writer)
        return reader, writer

    def _hang_up(self, writer):
        self._writers.discard(writer)
        writer.close()

    async def _use(self, seat, address):
        reader, writer = await self._connect(address)
        try:
            while not self._is_ending:
                await self._gate.wait()
                operations = self._turn(seat)
                self._n_busy += 1
                try:
                    writer.write(b"".join(operation.request for operation in operations))
                    if self.random.random() < self.abandons:
                        for operation in operations:
                            operation.session.is_aside = True
                        return
                    await self._read_replies(reader, operations)
                finally:
                    self._n_busy -= 1
        finally:
            self._hang_up(writer)

    async def _client(self, seat, address):
        try:
            while not self._is_ending and not self.violation:
                await self._use(seat, address)
        except (ConnectionError, asyncio.IncompleteReadError, BrokenPipeError):
            pass  # the daemon is gone
        except AssertionError as error:
            self.violation = self.violation or error

    async def _flush(self, address):
        """flush_all while nothing else is on its way."""
        writer = None
        try:
            reader, writer = await self._connect(address)
            await asyncio.sleep(self.random.uniform(0.02, 0.2))
            self._gate.clear()
            while self._n_busy > 0:
                await asyncio.sleep(0.001)
            self.n_operations += 1
            number = self.n_operations
            now_s = self.now_s()
            self._flushed = [session for session in self.sessions()
                             if session.settle(now_s) and session.state and len(session.states) == 1]
            for session in self.sessions():
                session.send(number, None)
            writer.write(b"flush_all\r\n")
            reply = await asyncio.wait_for(reader.readline(), REPLY_S)
            if reply == b"OK\r\n":
                self._flushed = []
                for session in self.sessions():
                    session.confirm(number)
                self._gate.set()
            elif reply:
                self.violation = Violation(f"flush_all was answered {reply!r}")
        except (ConnectionError, BrokenPipeError):
            pass
        finally:
            if writer:
                self._hang_up(writer)

    async def _drive(self, address, end):
        self._gate = asyncio.Event()
        self._gate.set()
        self._is_ending = False
        self._n_busy = 0
        tasks = [asyncio.create_task(self._client(seat, address)) for seat in self.seats]
        if self.flushes and not self.abandons:
            tasks.append(asyncio.create_task(self._flush(address)))
        await end()
        # A daemon that is alive still answers what was sent; one that is gone has closed.
        self._is_ending = True
        self._gate.set()
        done, late = await asyncio.wait(tasks, timeout=REPLY_S)
        for task in late:
            task.cancel()
        await asyncio.sleep(0)  # what was closed is gone in the loop's next turn
        for task in done:
            task.result()
        if late:
            raise Violation(f"{len(late)} clients were neither answered nor closed")
        if self.violation:
            raise self.violation

    def run(self, address, end):
        """Drive the daemon; `end`, a coroutine function, returns when it is to be over.

        Behind a crash judge() comes first: until then it is not known what a session is.
        """
        asyncio.run(self._drive(address, end))

    # ---- afterwards

    def judge(self, conversation):
        """Every session is what it may be."""
        sessions = self.sessions()
        later_s = self.now_s() + oracle.REQUEST_SLACK_S
        flushed = [session for session in self._flushed if oracle.is_surely_live(session.states[0][1], later_s)]
        for at in range(0, len(sessions), GET_KEYS):
            part = sessions[at:at + GET_KEYS]
            began_s = self.now_s()
            conversation.send_line("gets " + " ".join(session.name for session in part))
            values = conversation.read_values()
            ended_s = self.now_s()
            for session in part:
                session.judge(values.get(session.name), began_s, ended_s)
        self.n_judged += len(sessions)
        self._flushed = []
        kept = [session.name for session in flushed if session.state is not None]
        if 0 < len(kept) < len(flushed):
            raise Violation(f"a flush_all ended some of {len(flushed)} sessions and kept {len(kept)}: {kept[:5]}")

    def snapshot(self):
        """What is known, to be compared: {name: (flags, cas, value)} of what is there."""
        return {session.name: oracle.found_of(session.state) for session in self.sessions() if session.state}
