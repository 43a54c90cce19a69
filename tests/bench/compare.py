"""Tables of servers side by side, and the aims that their ratios are held against.

A result is what bench_common.Bench.measure returns; a round is {server name: result}. A ratio is taken within a round.
Not a program. Nothing here measures.
"""

from bench_common import PRINTED_PICKS, make_rows, print_rows
from servers import MEMCACHED, NULL, OWN

FIGURES = (  # (name in the JSON, heading, digits)
    ("cpu_us", "CPU µs/op", 2),
    ("user_us", "user", 2),
    ("system_us", "system", 2),
    ("rate", "operations/s", 0),
    ("p50_us", "p50 µs", 0),
    ("p99_us", "p99 µs", 0),
    ("p99.9_us", "p99.9 µs", 0),
)
BASES = (NULL, MEMCACHED)  # what processor time is divided by
WIDTH = 14
RATIO_ROWS = (  # (name in the JSON, what, digits)
    ("over_null", "CPU, sessiond ÷ null server", 3),
    ("over_memcached", "CPU, sessiond ÷ memcached", 3),
    ("null_over_memcached", "CPU, null server ÷ memcached: is it a limit?", 3),
)
AIM_OF = {
    "depth1.over_null": ("<=", 1.06),
    "depth1.over_memcached": ("<=", 0.75),
    "depth1.null_over_memcached": ("<=", 0.66),
    "depth16.over_null": ("<=", 1.8),
    "depth16.over_memcached": ("<=", 0.135),
    "depth16.null_over_memcached": ("<=", 0.08),
}


def over(rounds, name, base, figure="cpu_us"):
    """The ratio of two servers in each round."""
    return [one[name][figure] / one[base][figure] for one in rounds if name in one and base in one]


def summarize(rounds, names):
    """[{server, figure: {median, least, most}}] with the figures and over_BASE"""
    rows = []
    for name in names:
        values = {figure: [one[name][figure] for one in rounds] for figure, _, _ in FIGURES}
        values |= {f"over_{base}": over(rounds, name, base) for base in BASES}
        rows.append({"server": name, **{figure: {label: pick(listed) for label, pick in PRINTED_PICKS.items()}
                                        for figure, listed in values.items() if listed}})
    return rows


def print_table(title, rows):
    """Of summarize: for each server its medians, and below them the least and the most."""
    columns = [*FIGURES, *((f"over_{base}", f"÷ {base}", 3) for base in BASES)]
    print(f"\n{title}\n{'':<16}" + "".join(f"{heading:>{WIDTH}}" for _, heading, _ in columns))
    for row in rows:
        for label in PRINTED_PICKS:
            cells = "".join(f"{row[figure][label]:>{WIDTH}.{digits}f}" if figure in row else " " * WIDTH
                            for figure, _, digits in columns)
            print(f"{row['server'] if label == 'median' else '  ' + label:<16}{cells}".rstrip(), flush=True)


def judge(part, rounds):
    """The rows of the ratios with their aims, printed."""
    values = {"over_null": over(rounds, OWN, NULL), "over_memcached": over(rounds, OWN, MEMCACHED),
              "null_over_memcached": over(rounds, NULL, MEMCACHED)}
    rows = make_rows(part, RATIO_ROWS, values, AIM_OF)
    print_rows("", rows)
    if any(row["name"].endswith("null_over_memcached") and row["met"] is False for row in rows):
        print("  the null server is NOT valid as a limit here: it costs too much beside memcached")
    return rows
