"""The comparison of servers runs to its end and tells all that it promises.

    test_run.py LOAD NULL_SERVER      SESSIOND in the environment names the daemon

Not tested: any figure. Redis is a package of the measurement alone; without it its rows are missing.
"""

import json
import os
import re
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

from measurement_case import FailedRunCase, run_measurement

HERE = Path(__file__).resolve().parent
NULL_SERVER = sys.argv.pop() if len(sys.argv) > 2 else None
LOAD = sys.argv.pop() if len(sys.argv) > 1 else None
FURTHER = "further=memcached -l 127.0.0.1 -p {port} -U 0 -t 1" + (" -u root" if os.geteuid() == 0 else "")
HAS_REDIS = any(map(shutil.which, ("redis-server", "redis-check-rdb")))
NAMES = ["sessiond", "memcached", *(["redis"] if HAS_REDIS else []), "further", "null"]
ROWS = [f"depth{depth}.{name}" for depth in (1, 16) for name in ("over_null", "over_memcached", "null_over_memcached")]
FIGURES = ["cpu_us", "user_us", "system_us", "rate", "p50_us", "p99_us", "p99.9_us", "over_null", "over_memcached"]
MEMORY_ROWS = [f"memory.{name}" for name in ("fresh", "churned", "fresh_unexplained", "churned_unexplained")]
STORING = NAMES[:-1]
DEPTHS = ["depth1", "depth16", "paced"]
WORKLOADS = ["php", "php_connect", "django", "django_batch", "rack", "rack_depth8", "wiki", "wiki_proxy"]


SAVED = {"date": "2026-01-02", "load_average": [0.5, 0.5, 0.5], "load_average_at_end": [0.75, 0.5, 0.5], "rows": [
    {"title": title, "what": what, "digits": 1, "median": 2.25, "least": 1, "most": 4, "aim": aim, "met": met}
    for title, what, aim, met in (("first", "small", ["<=", 1.5], False), ("first", "plain", None, None),
                                  ("second", "large", [">=", 2], True))]}
TOLD = """## ./dev bench scale

2026-01-02; load average before, after: 0.50, 0.50, 0.50; 0.75, 0.50, 0.50.

### first

|  | median (least–most) | aim |  |
| --- | ---: | ---: | ---: |
| small | 2.2 (1.0–4.0) | ≤ 1.5 | **missed** |
| plain | 2.2 (1.0–4.0) |  |  |

### second

|  | median (least–most) | aim |  |
| --- | ---: | ---: | ---: |
| large | 2.2 (1.0–4.0) | ≥ 2 | met |
"""


class RunTest(FailedRunCase, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """One run of everything, which the tests look at."""
        cls._directory = tempfile.TemporaryDirectory(prefix="bench-run-test-")
        cls.addClassCleanup(cls._directory.cleanup)
        cls.directory = Path(cls._directory.name)
        (cls.directory / "scale.json").write_text(json.dumps(SAVED), encoding="utf-8")
        cls.ended, cls.results = cls.run_bench("--server", FURTHER, "--live", "4000", "--report", cls.directory)

    @classmethod
    def run_bench(cls, *options, load=LOAD):
        """(CompletedProcess, what --json wrote or None)"""
        file = cls.directory / "figures.json"
        file.unlink(missing_ok=True)
        command = [sys.executable, HERE / "run", "--quick", "--pairs", "2", "--operations", "400", "--sessions", "1000",
                   # so few that each of PHP's opens a second one: 200 requests are 50 pages
                   "--connections", "20", "--figures", cls.directory, "--settle", "0", "--load", load, "--null-server", NULL_SERVER,
                   "--sessiond", os.environ["SESSIOND"], "--json", file, *options]
        return run_measurement(command, file)

    def setUp(self):
        self.assertEqual(self.ended.returncode, 0, self.ended.stderr)

    def test_depths(self):
        ended, results = self.ended, self.results
        self.assertEqual(list(results["versions"]), NAMES)
        self.assertEqual(list(results["tables"]), [*DEPTHS, *WORKLOADS])
        for part, operations in (("depth1", 400), ("depth16", 3200), ("paced", None)):
            self.check_table(results["tables"][part], NAMES, operations)
            self.assertIn(results["tables"][part]["title"], ended.stdout)
            loops = {result["loop"] for one in results["tables"][part]["rounds"] for result in one.values()}
            self.assertEqual(loops, {"paced" if part == "paced" else "closed"})
        rows = {row["name"]: row for row in results["rows"]}
        self.assertEqual(list(rows), [*ROWS, *MEMORY_ROWS])
        for row in rows.values():
            self.assertIn(row["what"], ended.stdout)
            self.assertIsNotNone(row["met"])
        self.assertEqual("NOT valid" in ended.stdout,
                         any(row["met"] is False for row in rows.values() if "null_over" in row["name"]))

    def check_table(self, table, names, operations=None):
        """Each server was asked the same in each round, and each figure is told with its spread."""
        self.assertEqual(len(table["rounds"]), 2)
        for one in table["rounds"]:
            self.assertEqual(sorted(one), sorted(names))
            asked = {tuple(result[name] for name in ("operations", "get", "set", "touch")) for result in one.values()}
            if operations:
                self.assertEqual(len(asked), 1, "they were asked different things")
                self.assertEqual(asked.pop()[0], operations)
            for result in one.values():
                self.assertAlmostEqual(result["user_us"] + result["system_us"], result["cpu_us"])
        self.assertEqual([row["server"] for row in table["servers"]], names)
        for row in table["servers"]:
            figures = [name for name in FIGURES if "null" in names or name != "over_null"]
            self.assertEqual([name for name in row if name != "server"], figures)
            for figure in figures:
                self.assertLessEqual(row[figure]["least"], row[figure]["median"])
                self.assertLessEqual(row[figure]["median"], row[figure]["most"])
            self.assertGreater(row["cpu_us"]["least"], 0)

    def test_workloads(self):
        for part in WORKLOADS:
            table = self.results["tables"][part]
            self.check_table(table, STORING)
            self.assertIn(table["title"], self.ended.stdout)
            for result in (result for one in table["rounds"] for result in one.values()):
                self.assertEqual(result["workload"], part.partition("_")[0])
                self.assertEqual(result["connections_opened"] > 0, part == "php_connect")

    def test_memory(self):
        memory = self.results["memory"]
        self.assertEqual(list(memory), STORING)
        for states in memory.values():
            self.assertEqual(list(states), ["fresh", "churned"])
            for state in states.values():
                self.assertGreater(state["ratio"], 1)
        for state in memory["sessiond"].values():
            self.assertAlmostEqual(sum(state["parts"].values()), state["grown_bytes"])
            self.assertEqual(state["parts"]["headers"], 19 * 1000)
            for part, size in state["parts"].items():
                self.assertIn(part, self.ended.stdout)
                self.assertTrue(size > 0 or part == "not explained" or (part == "shared by keys" and size < 0), part)

    def test_report(self):
        """It tells all that was measured, and each of its plots is there and can be drawn."""
        text = (self.directory / "BENCHMARKS.md").read_text(encoding="utf-8")
        for what in (*self.results["machine"].values(), *self.results["versions"].values(), self.results["date"],
                     *(table["title"] for table in self.results["tables"].values()),
                     *(row["what"] for row in self.results["rows"]), *self.results["memory"]["sessiond"]["fresh"]["parts"]):
            self.assertIn(what, text)
        plots = re.findall(r"!\[\w+\]\((\S+)\)", text)
        self.assertEqual(plots, [f"bench/{name}.svg" for name in (*DEPTHS, "workloads", "memory", "budget")])
        for name in plots:
            drawn = ElementTree.parse(self.directory / name).getroot()
            words = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
            for server in [] if "budget" in name else STORING:
                self.assertIn(server, words)
            for box in drawn.iter("{http://www.w3.org/2000/svg}rect"):
                self.assertLessEqual(float(box.get("x")) + float(box.get("width")), float(drawn.get("width")))

    def test_report_of_what_was_saved(self):
        """What another measurement saved has a section; those that saved nothing have none."""
        text = (self.directory / "BENCHMARKS.md").read_text(encoding="utf-8")
        self.assertTrue(text.endswith("\n" + TOLD))
        self.assertEqual(text.count("## ./dev bench "), 1)

    def test_a_server_that_cannot_be_one(self):
        for text in ("further", "=x {port}", "further=memcached", "memcached=x {port}", "further=false {port}"):
            ended, results = self.run_bench("--only", "memory", "--server", text)
            self.assertEqual((ended.returncode, results), (1, None), text)


if __name__ == "__main__":
    unittest.main()
