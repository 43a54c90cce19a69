"""What was measured, as a Markdown file with plots.

Not a program: `run --report` writes it. Every figure comes from the results, as --json writes them.
"""

import itertools
import json
import os
import platform
from pathlib import Path

from compare import BASES, FIGURES
from memory import PARTS, STATES
from servers import OWN
from svg import Bar, Heading, bar_chart

NAME = "BENCHMARKS.md"
PLOTS = "bench"
QUIET_LOAD = 2.5  # at most
FURTHER = ("scale", "many", "latency", "threads", "checkpoint", "journal")  # measured apart, and saved
BUSY = "\n**Others used the machine, too**: rates and tails tell of them; the ratios of processor time tell least of them.\n"
DEPTH_PARTS = ("depth1", "depth16", "paced")
COLUMNS = (*FIGURES, *((f"over_{base}", f"÷ {base}", 3) for base in BASES))
JUDGED = ("", "median (least–most)", "aim", "")
HEAD = """# Measured

<!-- Written by `./dev bench --report`: change tests/bench/report.py, not this file. -->

What `./dev bench` measured in one run, all servers by turns, and what other measurements told last. [tests/bench/README.md](../tests/bench/README.md) says what
each figure means, and how far it can be trusted. Measure on your own machine before you believe it: `./dev bench`.
"""


def machine():
    """{what: text} of the machine, without its name."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"processor": model, "processors": str(os.cpu_count()), "memory": f"{memory:.0f} GiB",
            "system": f"{platform.system()} {platform.release().partition('-')[0]}",
            "TCP": Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text(encoding="ascii").strip()}


def is_busy(results):
    """Whether others used the machine, too: a server and the load generator are two."""
    return max(*results["load_average"], *results["load_average_at_end"]) > QUIET_LOAD


def table(columns, rows):
    """Of texts; all but the first column are numbers."""
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def plot(name):
    return f"![{name}]({PLOTS}/{name}.svg)\n"


def spread_of(figure, digits):
    return f"{figure['median']:.{digits}f} ({figure['least']:.{digits}f}–{figure['most']:.{digits}f})"


# ---- sections --------------------------------------------------------------------------------


def tell_machine(results):
    loads = (", ".join(f"{value:.2f}" for value in results[when]) for when in ("load_average", "load_average_at_end"))
    rows = [*results["machine"].items(), ("date", results["date"]),
            ("load average before, after", "; ".join(loads)),
            ("processors of servers and load generator", "one each" if results["pinned"] else "NOT apart"),
            ("rounds", str(results["rounds"])),
            *((name, version) for name, version in results["versions"].items())]
    return ("## Machine and versions\n\n" + table(["", ""], [[name, f"{value}"] for name, value in rows])
            + (BUSY if is_busy(results) else ""))


def judged(row):
    """The cells of one row: what, found, aim, verdict."""
    aim = "{} {:g}".format(*row["aim"]).replace("<=", "≤").replace(">=", "≥") if row["aim"] else ""
    verdict = "" if not row["aim"] else "–" if row["met"] is None else "met" if row["met"] else "**missed**"
    return [row["what"], "–" if row["median"] is None else spread_of(row, row["digits"]), aim, verdict]


def tell_aims(results):
    rows = [[row["name"].partition(".")[0], *judged(row)] for row in results["rows"]]
    text = "## Aims\n\n" + table(["part", *JUDGED], rows)
    if any(row["name"].endswith("null_over_memcached") and row["met"] is False for row in results["rows"]):
        text += "\nWhere the null server misses its aim it is not valid as a limit in this run.\n"
    return text


def tell_table(part):
    rows = []
    for row in part["servers"]:
        rows.append([row["server"]] + [spread_of(row[figure], digits) if figure in row else ""
                                       for figure, _, digits in COLUMNS])
    return table(["", *(heading for _, heading, _ in COLUMNS)], rows)


def tell_tables(results, names):
    return "\n".join(f"### {results['tables'][name]['title']}\n\n{tell_table(results['tables'][name])}" for name in names)


def tell_memory(results):
    own = results["memory"][OWN]
    columns = [f"{what}, {state}" for state in STATES for what in ("bytes of a session", "over key + value")]
    rows = [[name, f"{states['fresh']['empty_bytes'] / 2**20:.1f}"]
            + [cell for state in STATES for cell in (f"{states[state]['bytes_per_session']:.1f}", f"{states[state]['ratio']:.3f}")]
            for name, states in results["memory"].items()]
    text = f"## Resident memory at {results['sessions']} sessions\n\n" + plot("memory") + "\n"
    text += table(["", "empty, MiB", *columns], rows)
    rows = [[part] + [cell for state in STATES for cell in (f"{own[state]['parts'][part] / results['sessions']:.2f}",
                                                            f"{own[state]['parts'][part] / own[state]['grown_bytes']:.2%}")]
            for part in PARTS]
    columns = [cell for state in STATES for cell in (f"bytes, {state}", "of all")]
    return text + f"\n### What a session of {OWN} takes\n\n" + plot("budget") + "\n" + table(["", *columns], rows)


def tell_further(name, results):
    """A measurement that was made apart, as bench_common.measure_parts saved it."""
    loads = "; ".join(", ".join(f"{value:.2f}" for value in results[when]) for when in ("load_average", "load_average_at_end"))
    text = f"## ./dev bench {name}\n\n{results['date']}; load average before, after: {loads}.\n"
    text += BUSY if is_busy(results) else ""
    for title, rows in itertools.groupby(results["rows"], lambda row: row["title"]):
        text += f"\n### {title}\n\n" + table(list(JUDGED), [judged(row) for row in rows])
    return text


def tell_saved(directory):
    """A section of each of FURTHER that was saved there."""
    files = {name: directory / f"{name}.json" for name in FURTHER}
    return [tell_further(name, json.loads(file.read_text(encoding="utf-8"))) for name, file in files.items() if file.exists()]


# ---- plots -----------------------------------------------------------------------------------


def cpu_bars(part):
    for row in part["servers"]:
        cpu = row["cpu_us"]
        yield Bar(row["server"], (row["user_us"]["median"], max(0, cpu["median"] - row["user_us"]["median"])),
                  cpu["least"], cpu["most"])


def plots(results):
    """{name: text}"""
    tables, memory, sessions = results["tables"], results["memory"], results["sessions"]
    drawn = {name: bar_chart(f"CPU µs of one operation, {tables[name]['title']}", ("user", "system"),
                             list(cpu_bars(tables[name]))) for name in DEPTH_PARTS}
    rows = [row for name, part in tables.items() if name not in DEPTH_PARTS
            for row in (Heading(part["title"]), *cpu_bars(part))]
    drawn["workloads"] = bar_chart("CPU µs of one operation", ("user", "system"), rows)
    rows = [row for state in STATES for row in (Heading(state), *(
        Bar(name, (states[state]["ratio"],), digits=3) for name, states in memory.items()))]
    drawn["memory"] = bar_chart(f"Resident bytes over key + value bytes, {sessions} sessions", ("",), rows)
    parts = PARTS[2:-1]  # beside keys and values, and what keys share
    rows = [Bar(state, tuple(max(0, memory[OWN][state]["parts"][part]) / sessions for part in parts), digits=1)
            for state in STATES]
    drawn["budget"] = bar_chart(f"Bytes of a session of {OWN} beside key and value, less what keys share", parts, rows)
    return drawn


def write_report(results, directory, figures):
    """NAME and its plots, into a directory that there is; figures: where other measurements saved theirs."""
    workloads = [name for name in results["tables"] if name not in DEPTH_PARTS]
    method = (f"{results['connections']} connections, 80 % get, 15 % set, 5 % touch, 64-byte keys, values of 200 to 600 "
              "bytes; each cell is the median of the rounds with the least and the most.")
    sections = [
        HEAD, tell_machine(results), tell_aims(results),
        f"## One mixture, all servers\n\n{method}\n\n" + "\n".join(map(plot, DEPTH_PARTS)) + "\n"
        + tell_tables(results, DEPTH_PARTS),
        f"## Workloads of frameworks, {results['live']} sessions\n\n" + plot("workloads") + "\n"
        + tell_tables(results, workloads),
        tell_memory(results),
        *tell_saved(figures),
    ]
    (directory / PLOTS).mkdir(exist_ok=True)
    for name, drawn in plots(results).items():
        (directory / PLOTS / f"{name}.svg").write_text(drawn, encoding="utf-8")
    (directory / NAME).write_text("\n".join(sections), encoding="utf-8")
