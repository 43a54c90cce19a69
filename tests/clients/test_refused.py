"""Clients as they are shipped that speak the binary protocol: each is refused, and the log says what to set.

php-memcached's session handler, Dalli of Debian and memjs of npm; libmemcached's programs with --binary are in
test_libmemcached_tools.py. What each says to its own user is what its users will look for.
"""

import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from client_case import ClientCase
from driven_client import node_environment
from relay import Relay
from sessiond_process import SessiondProcess

DEADLINE_S = 60
LINE = re.compile(r"warning 127\.0\.0\.1:(\d+) speaks memcached's binary protocol, which is refused: for PHP set "
                  r"memcached\.sess_binary_protocol=0, for Dalli 3\.2 and later protocol: :meta\n")

PHP = """
assert(ini_get('memcached.sess_binary_protocol') === '1');
try {
    echo session_start() ? 'started' : 'not started';
} catch (Error $error) {
    echo 'error';
}
"""
DALLI = """
require 'dalli'
abort Dalli::VERSION unless Dalli::VERSION == '3.0.6'
begin
  Dalli::Client.new('{address}').set('key', 'value')
  puts 'stored'
rescue Dalli::RingError => error
  puts error.message
end
"""
MEMJS = """
const client = require('memjs').Client.create('{address}');
client.set('key', 'value', {{}}, () => console.log('answered'));
process.on('exit', () => console.log('left'));
"""


def run(command, env=None):
    ended = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S,
                           check=False)
    return ended.stdout.strip().splitlines()[-1:]


def php(address):
    return run(["php", "-d", "session.save_handler=memcached", "-d", f"session.save_path={address}", "-d", "zend.assertions=1",
                "-d", "display_errors=0", "-r", PHP])


def dalli(address):
    return run(["ruby", "-e", DALLI.format(address=address)])


def memjs(address):
    """Its callback is never called: node ends for want of anything to do."""
    return run(["node", "-e", MEMJS.format(address=address)], env=node_environment())


CLIENTS = {php: "error", dalli: "No server available", memjs: "left"}


class RefusedTest(ClientCase):
    def test_each_is_closed_without_a_word_and_told_in_the_log(self):
        for client, said in CLIENTS.items():
            with self.subTest(client.__name__), SessiondProcess() as own, own.connect() as other:
                relay = Relay(own.address)
                self.assertEqual(client("%s:%d" % relay.address), [said])
                own.wait_for_stderr("binary protocol")
                statistics = other.stats()
                self.assertEqual(statistics["curr_items"], "0")
                self.assertGreaterEqual(int(statistics["binary_refused"]), 1)
                self.assertEqual(int(statistics["binary_refused"]), int(statistics["total_connections"]) - 1)
                own.wait_for_stat("curr_connections", 2)
                self.assertEqual(len(LINE.findall(own.stderr_text())), 1)
                other.expect_open()

    def test_in_a_minute_one_line_is_for_all(self):
        for client, said in CLIENTS.items():
            for _ in range(2):
                self.assertEqual(client("%s:%d" % self.daemon.address), [said])
        self.assertGreaterEqual(int(self.wire.stats()["binary_refused"]), 2 * len(CLIENTS))
        self.assertEqual(self.daemon.stderr_text().count("binary protocol"), 1)
        self.assertEqual(len(LINE.findall(self.daemon.stderr_text())), 1)
        self.wire.expect_open()


if __name__ == "__main__":
    unittest.main()
