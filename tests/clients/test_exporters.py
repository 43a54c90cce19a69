"""Real monitors of memcached read sessiond: collectd, netdata's plugin, and memcached's own tool.

What monitors without a package in Debian need is encoded in tests/integration/test_stats_consumers.py.
`./dev test` unpacks collectd and netdata's plugin under build/packages: installed, they would run as
services.
"""

import csv
import glob
import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

from integration_case import IntegrationCase, needs  # noqa: E402
from sessiond_process import LineCollector  # noqa: E402

PACKAGES = os.path.join(HERE, "..", "..", "build", "packages")
COLLECTD = os.path.join(PACKAGES, "collectd-core")
NETDATA = os.path.join(PACKAGES, "netdata-plugins-python", "usr", "lib", "netdata")
MEMCACHED_TOOL = "/usr/share/memcached/scripts/memcached-tool"

COLLECTD_CONFIG = """
Hostname "here"
FQDNLookup false
Interval 0.2
BaseDir "{directory}"
PIDFile "{directory}/pid"
PluginDir "{package}/usr/lib/collectd"
TypesDB "{package}/usr/share/collectd/types.db"
LoadPlugin logfile
<Plugin logfile>
  File stderr
  LogLevel info
</Plugin>
LoadPlugin csv
<Plugin csv>
  DataDir "{directory}/csv"
</Plugin>
LoadPlugin memcached
<Plugin memcached>
  <Instance "tested">
    Address "127.0.0.1"
    Port "{port}"
  </Instance>
</Plugin>
"""
NETDATA_CONFIG = """
tested:
  name: tested
  host: 127.0.0.1
  port: {port}
  update_every: 1
"""


class MonitorsCase(IntegrationCase):
    def start_with_traffic(self):
        """A daemon that was asked for 40 keys, of which it has 30."""
        daemon = self.start("--memory", "64m")
        with daemon.connect() as conversation:
            for number in range(30):
                self.assertEqual(conversation.set(f"key:{number}", "x" * 200), "STORED")
            for number in range(40):
                conversation.get(f"key:{number}")
            conversation.ask("incr none 1")
        return daemon

    def run_monitor(self, command, **options):
        """A monitor in the background, ended by its process id; its lines of stdout and stderr."""
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   **options)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, LineCollector(process.stdout), LineCollector(process.stderr)


class CollectdTest(MonitorsCase):
    def values(self, what, rows=2):
        """The columns of one figure's file, by name, each a list of at least `rows` numbers."""
        found = []

        def is_there():
            for path in glob.glob(self.path(f"csv/here/memcached-tested/{what}-2*")):
                with open(path, encoding="ascii", newline="") as file:
                    found[:] = list(csv.DictReader(file))
            return len(found) >= rows

        self.wait_until(is_there, f"collectd writes {what}", timeout_s=60)
        return {name: [float(row[name]) for row in found[:rows]] for name in found[0] if name != "epoch"}

    @needs(os.path.exists(COLLECTD), "collectd")
    def test_reads_every_figure(self):
        daemon = self.start_with_traffic()
        config = self.write_file("collectd.conf", COLLECTD_CONFIG.format(
            directory=self.directory, package=os.path.abspath(COLLECTD), port=daemon.port))
        process, _, stderr = self.run_monitor([os.path.join(COLLECTD, "usr/sbin/collectd"), "-f", "-C", config])
        self.assertEqual(self.values("memcached_items-current")["value"], [30, 30])
        self.assertEqual(self.values("memcached_command-set")["value"], [30, 30])
        self.assertEqual(self.values("memcached_command-get")["value"], [40, 40])
        self.assertEqual(self.values("memcached_ops-hits")["value"], [30, 30])
        self.assertEqual(self.values("memcached_ops-misses")["value"], [10, 10])
        self.assertEqual(self.values("memcached_ops-evictions")["value"], [0, 0])
        self.assertEqual(self.values("memcached_ops-incr_misses")["value"], [1, 1])
        self.assertEqual(self.values("memcached_connections-current")["value"], [1, 1])
        self.assertGreater(self.values("memcached_octets")["rx"][0], 6000)
        # A daemon that has done so little may have used no tick of the clock.
        self.assertEqual(set(self.values("ps_cputime")), {"user", "syst"})
        memory = self.values("df-cache")
        self.assertGreater(memory["used"][0], 30 * 200)
        self.assertLess(memory["used"][0] + memory["free"][0], 64 << 20)
        process.terminate()
        self.assertEqual(process.wait(30), 0)
        self.assertNotRegex(stderr.text(), r"(?i)error|warning|fail|truncated|lost")


class NetdataTest(MonitorsCase):
    @needs(os.path.exists(NETDATA), "netdata's plugins")
    def test_reads_every_chart(self):
        daemon = self.start_with_traffic()
        os.mkdir(self.path("python.d"))
        self.write_file("python.d/memcached.conf", NETDATA_CONFIG.format(port=daemon.port))
        self.write_file("python.d.conf", "enabled: yes\n")
        environment = {**os.environ, "NETDATA_USER_CONFIG_DIR": self.directory, "NETDATA_LIB_DIR": self.directory,
                       "NETDATA_LOCK_DIR": self.directory, "NETDATA_UPDATE_EVERY": "1",
                       "NETDATA_STOCK_CONFIG_DIR": f"{NETDATA}/conf.d",
                       "NETDATA_PLUGINS_DIR": f"{NETDATA}/plugins.d"}
        _, stdout, stderr = self.run_monitor(
            ["/usr/bin/python3", f"{NETDATA}/plugins.d/python.d.plugin", "memcached", "1"], env=environment)
        self.assertTrue(stdout.wait_for(lambda lines: sum(line.startswith("SET run_time") for line in lines) >= 2, 60),
                        stderr.text())
        text = stdout.text()
        wanted = set(re.findall(r"DIMENSION '(\w+)'", text))
        self.assertGreaterEqual(len(wanted), 27)
        values = dict(re.findall(r"SET '(\w+)' = (\d+)", text))
        self.assertEqual(wanted - set(values), set())
        figures = {"curr_items": "30", "cmd_get": "40", "get_misses": "10", "cmd_set": "30", "incr_misses": "1",
                   "evictions": "0", "cas_badval": "0"}
        self.assertEqual({name: values[name] for name in figures}, figures)
        self.assertGreater(int(values["avail"]), 40 << 20)
        self.assertNotRegex(stderr.text(), r"ERROR|failed")


class MemcachedToolTest(MonitorsCase):
    def ask(self, daemon, mode):
        ended = subprocess.run(["perl", MEMCACHED_TOOL, f"127.0.0.1:{daemon.port}", mode], capture_output=True,
                               encoding="ascii", timeout=30, check=True)
        self.assertEqual(ended.stderr, "")
        return ended.stdout

    @needs(os.path.exists(MEMCACHED_TOOL), "memcached-tool")
    def test_shows_what_there_is(self):
        daemon = self.start_with_traffic()
        self.assertRegex(self.ask(daemon, "stats"), r"(?m)^ *curr_items +30$")
        self.assertRegex(self.ask(daemon, "settings"), r"(?m)^ *maxbytes +67108864$")
        rows = re.findall(r"(?m)^ *(\d+) +([\d.]+)[BK] +\d+s +\d+ +(\d+) +\w+ +(\d+) +\d+ +(\d+)$",
                          self.ask(daemon, "display"))
        self.assertEqual([(row[0], row[2:]) for row in rows], [("1", ("30", "0", "0"))])
        sizes = re.findall(r"(?m)^ *(\d+) +(\d+)$", self.ask(daemon, "sizes"))
        self.assertEqual(sum(int(count) for _, count in sizes), 30)
        self.assertTrue(all(200 < int(size) < 400 for size, _ in sizes), sizes)

    @needs(os.path.exists(MEMCACHED_TOOL), "memcached-tool")
    def test_shows_an_empty_daemon(self):
        daemon = self.start()
        for mode in ("display", "sizes"):
            self.assertEqual(len(self.ask(daemon, mode).splitlines()), 1)


if __name__ == "__main__":
    unittest.main()
