"""The size check: functions and files stay short enough to be read at once.

Measures src/ and include/ with universal-ctags; prints the longest and the median. Not a measure of
complexity: clang-tidy does that.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

FUNCTION_LINES = 80
LIMITS = {".c": 500, ".h": 250, ".def": 250}


def functions(path):
    """(lines, name) of each function of a C file, the line of its name to its closing brace."""
    command = ["ctags", "--options=NONE", "--languages=C", "--langmap=C:.c.h", "--kinds-C=f",
               "--fields=ne", "-u", "-f", "-", str(path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for row in output.splitlines():
        if row.startswith("!_TAG_"):
            continue
        name, *rest = row.split("\t")
        fields = dict(part.split(":", 1) for part in rest if part.startswith(("line:", "end:")))
        if "end" not in fields:
            raise ValueError(f"{path}: ctags finds no end of {name}")
        yield int(fields["end"]) - int(fields["line"]) + 1, name


def measure(root):
    """Two lists of (lines, name, limit): the functions and the files."""
    all_functions, files = [], []
    for path in sorted([*root.glob("src/**/*"), *root.glob("include/**/*")]):
        if path.suffix not in LIMITS or not path.is_file():
            continue
        name = str(path.relative_to(root))
        lines = len(path.read_text(encoding="utf-8").splitlines())
        files.append((lines, name, LIMITS[path.suffix]))
        if path.suffix != ".def":
            all_functions += [(n, f"{name}: {function}", FUNCTION_LINES)
                              for n, function in functions(path)]
    return all_functions, files


def report(kind, measured):
    """Print the sums; return the problems."""
    if not measured:
        return [f"no {kind} found"]
    lines, name, _ = max(measured)
    median = statistics.median(lines for lines, _, _ in measured)
    print(f"{kind}: {len(measured)}, median {median:g} lines, longest {lines} ({name})")
    return [f"{name}: {lines} lines, at most {limit}"
            for lines, name, limit in measured if lines > limit]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    all_functions, files = measure(parser.parse_args().root.resolve())
    problems = report("functions", all_functions) + report("files", files)
    print("\n".join(problems) or "sizes: in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
