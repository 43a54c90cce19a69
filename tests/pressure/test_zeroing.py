"""What ended is in no memory of the process: keys and values are zeroed, design §4.

Each thing that happens to a session has a word of its own, of which its keys and values consist. In the end the
daemon's memory is searched: a word of what is gone must not be there, one of a live session exactly once for each
time it was stored.
"""

import random
import string
import time
import unittest

from memory_scan import count_words, find_word
from pressure_case import KIB, MIB, NO_ROOM, PATIENCE, PressureCase, set_request

WORD_SIZE = 8
SIZES = (8, 100, 1000, 16 * KIB, 16 * KIB + 1, 100 * KIB, 2 * MIB)
MOVED_S = 4 * PATIENCE  # for slices to zero what ended


class Words:
    """New words; never again the same, in no other process either."""

    def __init__(self):
        self._choice = random.SystemRandom()
        self.told = {}  # word: what it stands for

    def make(self, what):
        word = "".join(self._choice.sample(string.ascii_letters + string.digits, WORD_SIZE)).encode()
        self.told[word] = what
        return word


def repeat(word, size):
    return (word * (size // len(word) + 1))[:size]


def key_with(word, number=0):
    """A key of the greatest length, with that word in it many times."""
    return b"%d:" % number + repeat(word, 240)


class ZeroingTest(PressureCase):
    memory = 128 * MIB

    def setUp(self):
        super().setUp()
        self.words = Words()
        self.expected = {}  # word: how often it must be in memory in the end
        self.daemon = self.start_small("--max-value", "4m", "--flush-all", "allow")
        self.client = self.pipeline(self.daemon)
        self.control = self.live("a live session", b"control", 1000)

    # --- what may be where ---------------------------------------------------------------------

    def gone(self, what):
        """A word that must not be there in the end."""
        word = self.words.make(what)
        self.expected[word] = 0
        return word

    def live(self, what, key, size):
        word = self.words.make(what)
        self.store(key, repeat(word, size))
        self.expected[word] = size // WORD_SIZE
        return word

    def store(self, key, value, exptime=0, verb=b"set", reply=b"STORED"):
        self.assertEqual(self.client.ask([set_request(key, value, exptime, verb)]), [reply])

    def ask(self, line, reply):
        self.assertEqual(self.client.ask([line + b"\r\n"]), [reply])

    def judge(self):
        """In time, everything is as expected."""
        deadline = time.monotonic() + MOVED_S
        while True:
            counts = count_words(self.daemon.pid, list(self.expected))
            wrong = {word: count for word, count in counts.items() if count != self.expected[word]}
            if not wrong:
                return
            if time.monotonic() > deadline:
                self.fail("\n".join(self.describe(word, count) for word, count in wrong.items()))
            time.sleep(0.1)

    def describe(self, word, count):
        places = "\n    ".join(find_word(self.daemon.pid, word))
        return f"{self.words.told[word]}: {count} times in memory, {self.expected[word]} expected\n    {places}"

    def for_each_size(self, what):
        """A key and a word for a value of each size; the key's number is part of what the failure says."""
        for size in SIZES:
            yield b"%b:%d" % (what.replace(" ", "-").encode(), size), size, self.gone(f"{what}, {size} bytes")

    # --- the ends of sessions ------------------------------------------------------------------

    def test_the_scan_finds_what_is_there(self):
        """Without this, nothing below would mean anything."""
        words = [self.live(f"{size} bytes", b"kept:%d" % size, size) for size in SIZES]
        self.judge()
        self.assertTrue(all(count_words(self.daemon.pid, words).values()))

    def test_deleted(self):
        for key, size, word in self.for_each_size("deleted"):
            self.store(key, repeat(word, size))
            self.ask(b"delete " + key, b"DELETED")
        self.judge()

    def test_read_and_deleted(self):
        for key, size, word in self.for_each_size("read and deleted"):
            self.store(key, repeat(word, size))
            self.assertEqual(self.client.get([key]), {key: repeat(word, size)})
            self.ask(b"delete " + key, b"DELETED")
        self.judge()

    def test_touched_to_death(self):
        for key, size, word in self.for_each_size("touched to death"):
            self.store(key, repeat(word, size))
            self.ask(b"touch %b -1" % key, b"TOUCHED")
        self.judge()

    def test_overwritten_to_death(self):
        for key, size, word in self.for_each_size("overwritten to death"):
            self.store(key, repeat(word, size))
            self.store(key, repeat(word, size), exptime=-1)
        self.judge()

    def test_expired(self):
        for key, size, word in self.for_each_size("expired unread"):
            self.store(key, repeat(word, size), exptime=1)
        for key, size, word in self.for_each_size("expired and looked for"):
            self.store(key, repeat(word, size), exptime=1)
            self.wait_until(lambda key=key: not self.client.get([key]), "the session expires")
        self.judge()

    def test_overwritten(self):
        """By less, by as much, and by more."""
        for what, new_size in (
            ("overwritten by less", lambda size: size // 2),
            ("overwritten by a byte less", lambda size: size - 1),
            ("overwritten by as much", lambda size: size),
            ("overwritten by more", lambda size: size + size // 2),
            ("overwritten by nothing", lambda size: 0),
        ):
            for key, size, word in self.for_each_size(what):
                self.store(key, repeat(word, size))
                self.live(what + ", the new value", key, new_size(size))
        self.judge()

    def test_keys(self):
        word = self.gone("a key that is no more")
        for number, end in enumerate((b"delete %b", b"touch %b -1")):
            for size in (0, 100, 20 * KIB):
                key = key_with(word, number)
                self.store(key, b"v" * size)
                self.client.get([key])
                self.client.ask([end % key + b"\r\n"])
        self.store(key_with(self.gone("an expired key")), b"v", exptime=1)
        self.client.get([key_with(self.gone("a key that was never there"))])
        self.ask(b"delete " + key_with(self.gone("a deleted key that was never there")), b"NOT_FOUND")
        self.judge()

    def test_flushed(self):
        del self.expected[self.control]
        for what, flush in (("flushed", b"flush_all"), ("flushed later", b"flush_all 1")):
            for key, size, word in self.for_each_size(what):
                self.store(key, repeat(word, size), exptime=3600 * (size % 2))
            self.store(key_with(self.gone(what + ", a key")), b"v")
            self.ask(flush, b"OK")
            self.judge()
        self.live("a session after the flush", b"control", 1000)
        self.judge()

    # --- values that were never stored ---------------------------------------------------------

    def test_stores_that_failed(self):
        for key, size, word in self.for_each_size("a failed store"):
            value = repeat(word, size)
            self.store(key, value, verb=b"replace", reply=b"NOT_STORED")
            self.store(b"control", value, verb=b"add", reply=b"NOT_STORED")
            cas = b"cas %b 0 0 %d 999999999\r\n%b\r\n"
            self.assertEqual(self.client.ask([cas % (b"control", size, value)]), [b"EXISTS"])
            self.assertEqual(self.client.ask([cas % (key, size, value)]), [b"NOT_FOUND"])
        too_large = self.gone("a value over the limit")
        self.store(b"control", repeat(too_large, 5 * MIB), reply=b"SERVER_ERROR object too large for cache")
        self.judge()

    def test_joined(self):
        """append and prepend: the old value moves."""
        word = self.gone("joined and deleted")
        for size in (100, 16 * KIB - 50, 100 * KIB):
            key = b"joined:%d" % size
            self.store(key, repeat(word, size))
            self.store(key, repeat(word, 200), verb=b"append")
            self.store(key, repeat(word, 200), verb=b"prepend")
            self.ask(b"delete " + key, b"DELETED")
        kept = self.words.make("joined and live")
        self.store(b"joined", repeat(kept, 96))
        self.store(b"joined", repeat(kept, 160), verb=b"append")
        self.store(b"joined", repeat(kept, 240), verb=b"prepend")
        self.expected[kept] = (96 + 160 + 240) // WORD_SIZE
        self.judge()

    def half_a_request(self, request, leave):
        with self.daemon.connect() as conversation:
            conversation.send(request)
            self.wait_until(lambda: self.has_read(conversation), "the daemon has read it")
            getattr(conversation, leave)()

    def has_read(self, conversation):
        """All that was sent has left the daemon's socket: it is in its memory now, or has been."""
        local = conversation.socket.getsockname()[1]
        with open("/proc/net/tcp", encoding="ascii") as table:
            for line in table:
                fields = line.split()
                if fields[2].endswith(f":{local:04X}"):
                    return fields[4] == "00000000:00000000"
        return True

    def test_uploads_that_were_left(self):
        for leave in ("close", "reset", "shutdown_write"):
            for size in (100, 16 * KIB, 16 * KIB + 1, 100 * KIB, 2 * MIB):
                for sent in (size // 2, size - 1, size):
                    word = self.gone(f"{sent} of {size} bytes sent, then {leave}")
                    self.half_a_request(b"set left 0 0 %d\r\n" % size + repeat(word, sent), leave)
        self.judge()

    def test_values_without_their_end(self):
        for size in (100, 16 * KIB, 100 * KIB):
            word = self.gone(f"{size} bytes that do not end where they should")
            with self.daemon.connect() as conversation:
                conversation.send(b"set bad 0 0 %d\r\n" % size + repeat(word, size + 2))
                self.assertEqual(conversation.read_to_close(), b"CLIENT_ERROR bad data chunk\r\n")
        self.judge()

    def test_lines_that_were_left(self):
        for leave in ("close", "reset"):
            word = self.gone(f"half a line, then {leave}")
            self.half_a_request(b"get " + key_with(word)[:200], leave)
            self.half_a_request(b"get " + b" ".join([key_with(word)] * 100), leave)
            self.half_a_request(b"set " + key_with(word) + b" 0 0", leave)
            self.half_a_request(repeat(word, 5000), leave)
        word = self.gone("a line that is wrong")
        for line in (b"get " + repeat(word, 300), repeat(word, 100), b"set %b x" % key_with(word), b"touch " + key_with(word)):
            with self.daemon.connect() as conversation:
                conversation.expect_open()
                conversation.send(line + b"\r\n")
                conversation.read_line()
        self.judge()

    def test_replies_that_were_not_read(self):
        """The connection holds what it could not send, then it is gone."""
        for size in SIZES:
            word = self.gone(f"replies of {size} bytes that were not read")
            key = b"unread:%d" % size
            self.store(key, repeat(word, size))
            for leave in ("close", "reset"):
                with self.daemon.connect(receive_buffer_bytes=4096) as conversation:
                    conversation.send(b"get %b\r\n" % key * min(20_000, 12 * MIB // size))
                    conversation.read_exactly(1)
                    getattr(conversation, leave)()
            self.ask(b"delete " + key, b"DELETED")
        self.judge()

    def test_requests_behind_replies_that_are_not_read(self):
        """They wait unread in the connection's buffer."""
        word = self.gone("requests that never ran")
        self.store(b"large", b"l" * (2 * MIB))
        for leave in ("close", "reset"):
            with self.daemon.connect(receive_buffer_bytes=4096) as conversation:
                conversation.send(b"get large large large large\r\n" + set_request(key_with(word), repeat(word, 10_000)) * 3)
                conversation.read_exactly(1)
                getattr(conversation, leave)()
        self.wait_until(lambda: int(self.daemon.stats()["curr_connections"]) <= 2, "the connections are gone")
        self.client.ask([b"delete %b\r\n" % key_with(word)])
        self.judge()

    # --- moves ---------------------------------------------------------------------------------

    def test_moved(self):
        """Among sessions that come, grow and go the live ones are moved; each is then in one place only."""
        choice = random.Random(5)
        live_word = self.words.make("moved, live")
        gone_word = self.gone("moved, deleted in the end")
        other_word = self.gone("what was around it")
        sizes = {}
        for number in range(20_000):
            size = 8 * choice.randint(10, 100)
            sizes[number] = size
            word = (live_word, gone_word, other_word)[number % 3]
            sizes[number] = (word, size)
        self.send_all(set_request(b"moved:%d" % number, repeat(*item)) for number, item in sizes.items())
        for _ in range(3):
            self.change_sizes(choice, sizes, live_word, other_word)
        self.send_all(b"delete moved:%d\r\n" % number for number, (word, _) in sizes.items() if word != live_word)
        self.expected[live_word] = sum(size for word, size in sizes.values() if word == live_word) // WORD_SIZE
        self.judge()
        self.send_all(b"delete moved:%d\r\n" % number for number, (word, _) in sizes.items() if word == live_word)
        self.expected[live_word] = 0
        self.judge()

    def change_sizes(self, choice, sizes, live_word, other_word):
        """Others go and come back in another size, live ones grow and shrink; the heaps are reordered."""
        others = [number for number, (word, _) in sizes.items() if word == other_word]
        self.send_all(b"delete moved:%d\r\n" % number for number in others)
        for number in others:
            sizes[number] = (other_word, 8 * choice.randint(1, 400))
        grown = [number for number, (word, _) in sizes.items() if word == live_word and number % 2]
        for number in grown:
            sizes[number] = (live_word, 8 * choice.randint(1, 200))
        self.send_all(set_request(b"moved:%d" % number, repeat(*sizes[number])) for number in others + grown)

    def send_all(self, requests):
        self.assertLessEqual(set(self.client.ask(requests)), {b"STORED", b"DELETED"})

    def be_refused(self, value):
        """Some shard may still have room for it: then it is stored, and goes again."""
        requests = [set_request(b"refused:%d" % number, value) for number in range(50)]
        self.assertIn(NO_ROOM, self.client.ask(requests))
        self.client.ask([b"delete refused:%d\r\n" % number for number in range(50)])

    def test_refused_and_moved_at_the_limit(self):
        """A full store moves most. What it refused was nowhere but in buffers."""
        refused_word = self.gone("refused for lack of memory")
        deleted_word = self.gone("deleted in a full store")
        number = 0
        replies = [b"STORED"]
        while b"STORED" in replies:
            batch = [set_request(b"full:%d" % (number + i), repeat(deleted_word, 8 * (20 + i % 80))) for i in range(500)]
            replies = self.client.ask(batch)
            number += 500
        for size in (300, 12_000, 200_000):
            self.be_refused(repeat(refused_word, size))
        keep = [b"full:%d" % at for at in range(0, number, 10)]
        self.client.ask([b"delete full:%d\r\n" % at for at in range(number) if at % 10])
        self.client.ask([set_request(b"other:%d" % at, b"o" * 9000) for at in range(5000)])
        self.client.ask([b"delete %b\r\n" % key for key in keep])
        self.judge()


if __name__ == "__main__":
    unittest.main()
