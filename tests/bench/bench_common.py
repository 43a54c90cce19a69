"""What the measurements share: processors, the load generator, ratios, tables with aims.

Not a program. Only the standard library.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from sessiond_process import SessiondProcess  # noqa: E402

BUILD = ROOT / "build" / "bench"
FIGURES = ROOT / "build" / "bench-figures"  # what the last run of a measurement told, for the report
MEMORY_MB = 1024  # for every server, so that nothing is evicted or refused
RUN_LIMIT_S = 5
LOAD_DEADLINE_S = 300
FILL_LIMIT_MS = 240_000
SIGNS = {"<=": lambda value, aim: value <= aim, ">=": lambda value, aim: value >= aim}
PRINTED_PICKS = {"median": statistics.median, "least": min, "most": max}


class BenchError(Exception):
    """The measurement cannot be made, or a server answered wrongly."""


def add_result_arguments(parser, saved=None, pairs=5):
    """Those of all programs. saved: the name under which the report finds what the last run told."""
    parser.add_argument("--pairs", type=int, metavar="N",
                        help=f"pairs that count, after one that does not; default {pairs}")
    parser.add_argument("--json", type=Path, metavar="FILE", default=saved and FIGURES / f"{saved}.json",
                        help="write every single figure there" + (f"; build/{FIGURES.name}/{saved}.json" if saved else ""))


def add_arguments(parser, saved=None, pairs=5):
    """Those of all programs with a load generator."""
    add_result_arguments(parser, saved, pairs)
    parser.add_argument("--connections", type=int, default=50, metavar="N")
    parser.add_argument("--sessiond", type=Path, default=ROOT / "build" / "release" / "sessiond", metavar="FILE")
    parser.add_argument("--load", type=Path, metavar="FILE", help="the load generator; it is built unless given")


def add_quick_argument(parser):
    parser.add_argument("--quick", action="store_true", help="fewer pairs, sessions and operations, for a first look")


def parse(parser, defaults):
    """The arguments; defaults: {name: (whole, quick)} of those that --quick changes."""
    arguments = parser.parse_args()
    for name, (whole, quick) in defaults.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, quick if arguments.quick else whole)
        if getattr(arguments, name) < 1:
            parser.error(f"--{name} must be at least 1")
    if "sessiond" in arguments and not arguments.sessiond.is_file():
        parser.error(f"{arguments.sessiond}: not built; run: ./dev build release")
    return arguments


# ---- processors, processes ----


@contextlib.contextmanager
def pinned(processor):
    """What is started meanwhile runs on that processor alone; None: anywhere."""
    before = os.sched_getaffinity(0)
    if processor is not None:
        os.sched_setaffinity(0, {processor})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def choose_processors():
    """(of the servers, of the load generator)"""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


def build_program(target="load"):
    """A program of this directory, or a daemon whose clock can be moved, with the flags of a release.

    The release build itself has none of them.
    """
    configure = ["cmake", "--preset", "release", "-B", str(BUILD), "-D", "BUILD_TESTING=ON",
                 "-D", "SESSIOND_TEST_HOOKS=ON"]
    ended = subprocess.run(configure, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode != 0:  # a checkout that was moved cannot use its old build directory
        ended = subprocess.run([*configure, "--fresh"], cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode == 0:
        ended = subprocess.run(["cmake", "--build", str(BUILD), "--target", target, "--", "--quiet"],
                               capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise BenchError(f"cannot build {target}\n{ended.stdout}{ended.stderr}")
    return BUILD / target if target == "sessiond" else BUILD / "tests" / "bench" / target


def run_to_json(command, processor=None):
    """Runs a program that prints one line of JSON to its end; returns what it printed."""
    with pinned(processor):
        ended = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                               timeout=LOAD_DEADLINE_S, check=False)
    if ended.returncode != 0:
        raise BenchError(f"{' '.join(map(str, command))}\n{ended.stdout}{ended.stderr}")
    return json.loads(ended.stdout)


def run_load(load, processor, port, **options):
    """Runs the load generator to its end; returns what it printed."""
    command = [load, "--port", port]
    for name, value in options.items():
        command += [f"--{name}", value]
    return run_to_json(command, processor)


def cpu_ns(pid):
    """User and system time that the threads of a process have used."""
    return sum(int(path.read_text(encoding="ascii").split()[0])
               for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def cpu_ticks(pid):
    """(user, system) time of a process, in ticks of the kernel: right to 10 ms, for their proportion."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]), int(fields[12])


class Bench:
    """The load generator, and where it and the servers run."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.load = arguments.load or build_program()
        self.server_processor, self.load_processor = choose_processors()

    @property
    def is_pinned(self):
        return self.server_processor is not None

    def run(self, server, **options):
        """One run of the load generator: what it printed."""
        return run_load(self.load, self.load_processor, server.port,
                        **{"connections": self.arguments.connections, **options})

    def measure(self, server, **options):
        """The same against a filled server, with the server's processor time per operation."""
        before, ticks_before = cpu_ns(server.pid), cpu_ticks(server.pid)
        result = self.run(server, fill=0, milliseconds=RUN_LIMIT_S * 1000, **options)
        result["cpu_us"] = (cpu_ns(server.pid) - before) / 1000 / result["operations"]
        user, system = (after - earlier for after, earlier in zip(cpu_ticks(server.pid), ticks_before))
        result["user_us"] = result["cpu_us"] * user / max(1, user + system)
        result["system_us"] = result["cpu_us"] - result["user_us"]
        return result

    def alternate(self, servers, measure_one, told=None):
        """[{server name: measure_one(name, server, seed)}]: --pairs of them, and one before that is dropped.

        Every other pair goes the other way round, so no server always follows the same one. told(number, pair)
        is called after each pair, also the one that does not count.
        """
        pairs = []
        for seed in range(self.arguments.pairs + 1):
            order = list(servers.items())[::-1 if seed % 2 else 1]
            pairs.append({name: measure_one(name, server, seed) for name, server in order})
            if told:
                told(seed, pairs[-1])
        return pairs[1:]

    def fill(self, server, **options):
        self.run(server, operations=0, depth=16, milliseconds=FILL_LIMIT_MS, **options)

    def place(self):
        if self.is_pinned:
            return f"servers on processor {self.server_processor}, load generator on {self.load_processor}"
        return "NOT pinned, there is one processor: server and load generator disturb each other"


class DataBench(Bench):
    """The same with data on a disk."""

    def __init__(self, arguments, directory):
        super().__init__(arguments)
        self.directory = directory

    def sessiond(self, data_dir, fsync="everysec", binary=None, memory_mb=None):
        if data_dir != "none":
            data_dir = self.directory / data_dir
        return SessiondProcess(["--threads", 1, "--memory", f"{memory_mb or self.memory_mb}m", "--data-dir", data_dir,
                                "--fsync", fsync], binary=binary or self.arguments.sessiond)

    @property
    def memory_mb(self):
        return MEMORY_MB


# ---- tables with aims ----


def make_rows(part, table, values, aims):
    """The rows of the JSON, {name, what, digits, values, aim, met, picks}; what could not be measured is null.

    table: (name, what, digits) of each row; values: {name: a value of each run}; aims: {part.name: (sign, bound)}
    """
    rows = []
    for name, what, digits in table:
        row = {"name": f"{part}.{name}", "what": what, "digits": digits, "values": values[name],
               "aim": aims.get(f"{part}.{name}"), "met": None}
        for label, pick in PRINTED_PICKS.items():
            row[label] = pick(values[name]) if values[name] else None
        if row["aim"] and values[name]:
            row["met"] = SIGNS[row["aim"][0]](row["median"], row["aim"][1])
        rows.append(row)
    return rows


def print_rows(title, rows):
    print(f"\n{title:<56}{'median':>10}{'least':>10}{'most':>10}   aim")
    for row in rows:
        cells = "".join(f"{'-' if row[label] is None else format(row[label], '.%df' % row['digits']):>10}"
                        for label in PRINTED_PICKS)
        aim = "{} {}".format(*row["aim"]) if row["aim"] else ""
        if row["met"] is not None:
            aim += ", met" if row["met"] else ", MISSED"
        print(f"  {row['what']:<54}{cells}   {aim}".rstrip(), flush=True)


def filesystem_of(directory):
    return subprocess.run(["stat", "-f", "-c", "%T", str(directory)], capture_output=True, text=True,
                          check=True).stdout.strip()


def add_directory_argument(parser):
    parser.add_argument("--directory", type=Path, default=ROOT / "build", metavar="DIR",
                        help="where a temporary directory for all data is made; on the disk to be measured; build/")


def measure_on_disk(arguments, make_bench, aims, print_machine):
    """All parts of a DataBench, make_bench(arguments, directory)."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.directory) as directory:
        filesystem = filesystem_of(directory)
        bench = make_bench(arguments, Path(directory))

        def print_place():
            print_machine(bench, filesystem)
            if filesystem in ("tmpfs", "ramfs"):
                print(f"{filesystem} is NOT a disk: name another --directory")

        measure_parts(bench, aims, print_place, {"filesystem": filesystem})


def measure_parts(bench, aims, print_machine, told):
    """All parts: measured, printed with their aims, written to --json.

    bench.parts() yields (name, title, table, what was measured, values) of each; told: more for --json
    """
    results = {"date": time.strftime("%Y-%m-%d"), "load_average": os.getloadavg(), "pinned": bench.is_pinned, **told,
               "rows": [], "runs": {}}
    print(f"{bench.place()}; load average {load_average()}")
    print_machine()
    for part, title, table, runs, values in bench.parts():
        rows = make_rows(part, table, values, aims)
        print_rows(title, rows)
        results["rows"] += [{**row, "title": title} for row in rows]
        results["runs"][part] = runs
    results["load_average_at_end"] = os.getloadavg()
    print(f"load average at the end: {load_average()}")
    save(results, bench.arguments.json)


def save(results, file):
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def load_average():
    return ", ".join(f"{value:.2f}" for value in os.getloadavg())


def run_program(measure, arguments):
    """measure(arguments) is a program's work; returns its exit code."""
    try:
        measure(arguments)
    except (BenchError, AssertionError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0
