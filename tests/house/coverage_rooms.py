"""Coverage by room: the share of lines and branches that the tests reached.

usage: coverage_rooms.py BUILD_DIR   A report, not a check: it has no threshold.
"""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def summary(build):
    """gcovr's figures for each file of src/ and include/."""
    command = ["gcovr", "--root", str(ROOT), "--object-directory", str(build),
               "--filter", "src/", "--filter", "include/",
               "--exclude-unreachable-branches", "--json-summary", "-", str(build)]
    return json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)


def percent(covered, total):
    return f"{100 * covered / total:5.1f} %" if total else "      –"


def main():
    sums = defaultdict(lambda: [0, 0, 0, 0])
    for file in summary(Path(sys.argv[1]).resolve())["files"]:
        parts = Path(file["filename"]).parts
        room = parts[1] if parts[0] == "src" else parts[2]
        figures = [file[f"{kind}_{what}"] for kind in ("line", "branch")
                   for what in ("covered", "total")]
        for name in (room, "all"):
            sums[name] = [a + b for a, b in zip(sums[name], figures)]
    print(f"{'room':10} {'lines':>14} {'':>8} {'branches':>14}")
    for name in [*sorted(set(sums) - {"all"}), "all"]:
        lines, lines_all, branches, branches_all = sums[name]
        print(f"{name:10} {f'{lines}/{lines_all}':>14} {percent(lines, lines_all)} "
              f"{f'{branches}/{branches_all}':>14} {percent(branches, branches_all)}")


if __name__ == "__main__":
    sys.exit(main())
