"""Resident memory of servers with many sessions, fresh and after churn, and what sessiond's is made of.

Not a program. README.md says what the figures mean.
"""

import time
from pathlib import Path

from bench_common import BenchError, make_rows, print_rows
from servers import OWN, count_sessions

CHURN_ROUNDS = 3  # operations for each session
CHURN = {"get": 0, "set": 80, "touch": 0, "delete": 20, "value-min": 100, "value-max": 900, "restore": 0}
STATES = ("fresh", "churned")
PARTS = ("keys and values", "shared by keys", "headers", "index", "slot loss", "timers", "rest", "not explained")
ROWS = (  # (name in the JSON, what, digits)
    ("fresh", "sessiond, resident ÷ key + value, fresh", 3),
    ("churned", "sessiond, resident ÷ key + value, after churn", 3),
    ("fresh_unexplained", "not explained by its parts, fresh, ÷ resident", 4),
    ("churned_unexplained", "not explained by its parts, after churn, ÷ resident", 4),
)
AIM_OF = {
    "memory.fresh": ("<=", 1.07),
    "memory.churned": ("<=", 1.12),
    "memory.fresh_unexplained": ("<=", 0.01),
    "memory.churned_unexplained": ("<=", 0.01),
}


def resident_bytes(pid):
    """Exact, unlike VmRSS, which the kernel counts in batches."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise BenchError("smaps_rollup has no Rss")


def explain(sessiond, grown, stored):
    """{part: bytes} of what it has grown by. When it is empty, the pages of its index have no memory yet."""
    now = {name: int(value) for name, value in sessiond.stats("memory").items()}
    shared = now["shared_bytes"]
    parts = {"keys and values": stored, "shared by keys": -shared, "headers": now["header_bytes"],
             "index": now["index_bytes"], "timers": now["timer_bytes"],
             "slot loss": now["heap_bytes"] - now["header_bytes"] - (stored - shared),
             "rest": now["table_bytes"] + now["block_bytes"]}
    return {**parts, "not explained": grown - sum(parts.values())}


class Footprints:
    """One server, from empty to churned."""

    def __init__(self, bench, row, process):
        self.bench, self.row, self.process = bench, row, process
        self.sessions = bench.arguments.sessions
        self.ask(keys=1, operations=0)
        self.empty = resident_bytes(process.pid)

    def ask(self, **options):
        return self.bench.run(self.process, **{"keys": self.sessions, "depth": 16, **self.row.load_options, **options})

    def look(self, stored):
        """Figures of now, with so many bytes of keys and values stored."""
        found = count_sessions(self.row, self.process)
        if found != self.sessions:
            raise BenchError(f"{self.row.name}: {found} of {self.sessions} sessions are there")
        time.sleep(self.bench.arguments.settle)  # what gives memory back later may do so
        grown = resident_bytes(self.process.pid) - self.empty
        figures = {"empty_bytes": self.empty, "grown_bytes": grown, "stored_bytes": stored,
                   "bytes_per_session": grown / self.sessions, "ratio": grown / stored}
        if self.row.name == OWN:
            figures["parts"] = explain(self.process, grown, stored)
        return figures

    def measure(self):
        """{state: figures}"""
        fresh = self.look(self.ask(operations=0)["filled_bytes"])
        self.ask(fill=0, operations=CHURN_ROUNDS * self.sessions, milliseconds=240_000, **CHURN)
        return {"fresh": fresh, "churned": self.look(self.ask(operations=0)["filled_bytes"])}


def measure_memory(bench):
    """{server name: {state: figures}} of those that store"""
    figures = {}
    for row in bench.rows:
        if row.stores:
            with bench.started([row]) as processes:
                figures[row.name] = Footprints(bench, row, processes[row.name]).measure()
    return figures


def print_memory(figures, sessions):
    print(f"\nresident memory at {sessions} sessions, less the empty server")
    print(f"{'':<12}{'empty MiB':>12}" + "".join(f"{state + ' bytes/session':>24}{'over key+value':>16}"
                                                 for state in STATES))
    for name, states in figures.items():
        cells = "".join(f"{states[state]['bytes_per_session']:>24.1f}{states[state]['ratio']:>16.3f}" for state in STATES)
        print(f"{name:<12}{states['fresh']['empty_bytes'] / 2**20:>12.1f}{cells}")
    print(f"\n{'bytes of a session of ' + OWN:<28}" + "".join(f"{state:>12}{'share':>9}" for state in STATES))
    for part in PARTS:
        cells = "".join(f"{states['parts'][part] / sessions:>12.2f}{states['parts'][part] / states['grown_bytes']:>9.2%}"
                        for states in (figures[OWN][state] for state in STATES))
        print(f"  {part:<26}{cells}")


def judge_memory(figures):
    """The rows with their aims, printed."""
    own = figures[OWN]
    values = {state: [own[state]["ratio"]] for state in STATES}
    values |= {f"{state}_unexplained": [abs(own[state]["parts"]["not explained"]) / own[state]["grown_bytes"]]
               for state in STATES}
    rows = make_rows("memory", ROWS, values, AIM_OF)
    print_rows("", rows)
    return rows
