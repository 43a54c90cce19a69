#!/usr/bin/python3
"""The seeds of a fuzz target alone reach nearly all lines of a room's sources, as gcov counts them.

usage: check_lines.py PROGRAM OBJECTS SOURCES SEEDS LEAST
    PROGRAM  the target with replay.c, built with --coverage     OBJECTS  the directory of its objects
    SOURCES  the room                                            LEAST    percent
"""

import glob
import json
import os
import subprocess
import sys


def run_seeds(program, objects, seeds):
    for path in glob.glob(os.path.join(objects, "**", "*.gcda"), recursive=True):
        os.remove(path)
    subprocess.run([program, *sorted(glob.glob(os.path.join(seeds, "*")))], check=True)


def lines_of(objects, sources):
    """{file: {line: times}} of the sources in that directory."""
    lines = {}
    for path in glob.glob(os.path.join(objects, "**", "*.gcda"), recursive=True):
        told = subprocess.run(["gcov", "--json-format", "--stdout", path], check=True, capture_output=True).stdout
        for document in told.splitlines():
            for file in json.loads(document)["files"]:
                name = os.path.realpath(file["file"])
                if os.path.dirname(name) == os.path.realpath(sources):
                    counts = lines.setdefault(os.path.basename(name), {})
                    for line in file["lines"]:
                        number = line["line_number"]
                        counts[number] = counts.get(number, 0) + line["count"]
    return lines


def main():
    program, objects, sources, seeds, least = sys.argv[1:]
    run_seeds(program, objects, seeds)
    lines = lines_of(objects, sources)
    n_lines = n_reached = 0
    for name, counts in sorted(lines.items()):
        missed = sorted(number for number, count in counts.items() if count == 0)
        n_lines += len(counts)
        n_reached += len(counts) - len(missed)
        print(f"{name}: {len(counts) - len(missed)} of {len(counts)} lines; missed: {missed}")
    if n_lines == 0:
        sys.exit("no lines were counted")
    print(f"figure: the seeds alone reach {100 * n_reached / n_lines:.1f} % of {n_lines} lines")
    if 100 * n_reached < float(least) * n_lines:
        sys.exit(f"less than {least} %: new code wants new seeds, see tests/fuzz/README.md")


if __name__ == "__main__":
    main()
