"""libmemcached's own programs in text mode against a running sessiond, memccapable's test suite among them.

The names of the cases say what each program needs.
"""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from client_case import TOO_LARGE_BYTES, ClientCase, FullMemoryCase

DEADLINE_S = 60
SUITE_LINE = re.compile(r"ascii (?P<test>[a-z ]+?) {2,}(?P<verdict>\[pass\])?")


class ToolCase(ClientCase):
    """Runs the programs, in a directory of its own for their files."""

    def setUp(self):
        super().setUp()
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="sessiond-client-")))

    def run_program(self, *command):
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S,
                              cwd=self.directory, check=False)

    def run_tool(self, name, *arguments, code=0, server=None):
        """What the tool prints, errors last; it must end in that exit code."""
        address = "%s:%d" % (server or self.daemon).address
        ended = self.run_program(name, f"--servers={address}", *arguments)
        self.assertEqual(ended.returncode, code, ended)
        return ended.stdout + ended.stderr

    def write_file(self, name, content):
        (self.directory / name).write_bytes(content)


class MemccapableCase(ToolCase):
    def run_suite(self, *arguments):
        """(exit code, the tests that passed, those that failed)"""
        host, port = self.daemon.address
        ended = self.run_program("memccapable", "-h", host, "-p", str(port), "-a", "-v", "-t", "20", *arguments)
        verdicts = dict(SUITE_LINE.findall(ended.stdout))
        passed = {test for test, verdict in verdicts.items() if verdict}
        return ended.returncode, passed, verdicts.keys() - passed


class MemccapableTest(MemccapableCase):
    options = ("--flush-all", "allow")

    def test_the_text_suite_passes_completely(self):
        code, passed, failed = self.run_suite()
        self.assertEqual(failed, set())
        self.assertEqual(passed, {
            "version", "quit", "verbosity", "set", "set noreply", "get", "gets", "mget", "flush", "flush noreply",
            "add", "add noreply", "replace", "replace noreply", "cas", "cas noreply", "delete", "delete noreply",
            "incr", "incr noreply", "decr", "decr noreply", "append", "append noreply", "prepend", "prepend noreply",
            "stat"})
        self.assertEqual(code, 0)


class MemccapableRefusedFlushTest(MemccapableCase):
    def test_only_the_two_tests_of_flush_fail_where_flush_is_refused(self):
        _, passed, failed = self.run_suite()
        self.assertEqual(failed, {"flush", "flush noreply"})
        self.assertEqual(len(passed), 25)


class ToolsTest(ToolCase):
    def test_memcping(self):
        self.run_tool("memcping")

    def test_memccp_and_memccat_with_flags_and_expiry(self):
        self.write_file(self.key, b"hello")
        self.run_tool("memccp", "--flags=7", "--expire=60", self.key)
        self.wire.send_line(f"get {self.key}")
        self.assertEqual(self.wire.read_values(), {self.key: (7, None, b"hello")})
        self.assertEqual(self.run_tool("memccat", self.key), "hello\n")
        self.assertRegex(self.run_tool("memccat", "--flags", "--verbose", self.key),
                         r"key: \w+\nflags: 7\nvalue: hello\n")
        self.assertIn("NOT FOUND", self.run_tool("memccat", "--verbose", "missing", code=1))

    def test_memccp_add_and_replace(self):
        self.write_file(self.key, b"1")
        self.assertIn("NOT STORED", self.run_tool("memccp", "--replace", self.key, code=1))
        self.run_tool("memccp", "--add", self.key)
        self.write_file(self.key, b"2")
        self.assertIn("NOT STORED", self.run_tool("memccp", "--add", self.key, code=1))
        self.assert_stored(self.key, b"1")
        self.run_tool("memccp", "--replace", self.key)
        self.assert_stored(self.key, b"2")

    def test_memccp_of_many_buffered(self):
        names = [f"{self.key}{number}" for number in range(20)]
        for name in names:
            self.write_file(name, name.encode() * 1000)
        self.run_tool("memccp", "--buffer", *names)
        for name in names:
            self.assert_stored(name, name.encode() * 1000)

    def test_memccp_of_a_file_too_large_says_so_and_the_old_one_stays(self):
        self.wire.set(self.key, "old")
        self.write_file(self.key, b"x" * TOO_LARGE_BYTES)
        self.assertIn("ITEM TOO BIG", self.run_tool("memccp", self.key, code=1))
        self.assert_stored(self.key, b"old")

    def test_memcrm(self):
        self.wire.set(self.key, "1")
        self.run_tool("memcrm", self.key)
        self.assert_stored(self.key, None)
        self.assertIn("NOT FOUND", self.run_tool("memcrm", "--verbose", self.key, code=1))

    def test_memctouch(self):
        self.wire.set(self.key, "1")
        self.run_tool("memctouch", "--expire=60", self.key)
        self.assertIn("NOT FOUND", self.run_tool("memctouch", "--verbose", "--expire=60", "missing", code=1))
        self.run_tool("memctouch", "--expire=2592001", self.key)  # a date in 1970
        self.assert_stored(self.key, None)

    def test_memcexist_adds_with_a_date_that_has_passed_and_leaves_nothing(self):
        relay = self.relay()
        for _ in range(2):
            self.assertIn("NOT FOUND", self.run_tool("memcexist", "--verbose", self.key, code=1, server=relay))
            self.assertIn(f"add {self.key} 0 2678400 0", relay.take_lines())
            self.assert_stored(self.key, None)
        self.wire.set(self.key, "1")
        self.run_tool("memcexist", self.key)
        self.assert_stored(self.key, b"1")

    def test_memcstat(self):
        rows = dict(re.findall(r"^\t(\S+): (.*)$", self.run_tool("memcstat"), re.MULTILINE))
        self.assertEqual(int(rows["pid"]), self.daemon.pid)
        self.assertRegex(rows["version"], r"\A1\.\d+\.\d+\Z")
        self.assertEqual(rows["evictions"], "0")
        self.wire.set(self.key, "1")
        for section in ("settings", "items", "slabs"):
            self.assertRegex(self.run_tool("memcstat", section), r"\t\S+: .+\n")

    def test_memcstat_reads_the_version_and_analyses(self):
        self.assertRegex(self.run_tool("memcstat", "--server-version"), r"127\.0\.0\.1:\d+ 1\.\d+\.\d+\n")
        self.assertIn("Number of Servers Analyzed         : 1", self.run_tool("memcstat", "--analyze"))
        self.assertIn("Network Latency", self.run_tool("memcstat", "--analyze=latency", "--iterations=20"))

    def test_memcdump_ends_and_shows_no_key(self):
        self.wire.set(self.key, "1")
        self.assertEqual(self.run_tool("memcdump", "--verbose"), "")

    def test_memcflush_is_refused_and_says_why(self):
        self.wire.set(self.key, "1")
        for arguments in ((), ("--expire=10",)):
            self.assertIn("flush_all not allowed", self.run_tool("memcflush", *arguments, code=1))
        self.assert_stored(self.key, b"1")

    def test_memcslap(self):
        for test in ("get", "set", "mget"):
            printed = self.run_tool("memcslap", f"--test={test}", "--concurrency=4", "--execute-number=250",
                                    "--initial-load=250")
            self.assertRegex(printed, rf"Time to {test} +1000 keys by +4 threads")

    def test_memcerror_needs_no_server(self):
        self.assertEqual(self.run_program("memcerror", "16", "37").stdout, "NOT FOUND\nITEM TOO BIG\n")

    def test_the_binary_protocol_fails_cleanly_and_the_log_says_what_to_set(self):
        self.wire.set(self.key, "1")
        for tool in ("memccat", "memcexist", "memcrm"):
            self.run_tool(tool, "--binary", self.key, code=1)
        self.assert_stored(self.key, b"1")
        self.daemon.wait_for_stderr(r"binary protocol")


class FlushTest(ToolCase):
    options = ("--flush-all", "allow")

    def test_memcflush_flushes_where_allowed(self):
        self.wire.set(self.key, "1")
        self.run_tool("memcflush")
        self.assert_stored(self.key, None)


class FullMemoryTest(FullMemoryCase, ToolCase):
    def test_memccp_into_a_full_memory_says_so_and_the_old_one_stays(self):
        self.write_file("kept", b"x" * 900_000)
        self.assertIn("SERVER FAILED TO ALLOCATE OBJECT", self.run_tool("memccp", "kept", code=1))
        self.assert_stored("kept", b"old")
        self.write_file("kept", b"new")
        self.run_tool("memccp", "kept")
        self.run_tool("memctouch", "--expire=60", "kept")
        self.assert_stored("kept", b"new")


if __name__ == "__main__":
    unittest.main()
