"""Run ctest and show, before its closing line, what each part of ./dev test took.

usage: part_times.py TIMES CTEST ARG...   TIMES: lines "PART SECONDS" of what ran before.
The seconds of a label are the sum over its tests; two tests run at once.
"""

import re
import subprocess
import sys

# Seconds on two cores, from an empty build directory.
BUDGET = {"build": 180, "asan": 120, "tsan": 120, "unit": 20, "protocol": 150, "oracle": 30,
          "clients": 90, "house": 30, "lint": 60, "crash": 30, "fuzz": 30, "package": 10}
LABEL_TIME = re.compile(r"(\w+)\s+=\s+([\d.]+) sec\*proc")


def print_table(times):
    print("\npart         seconds   budget")
    for part, seconds in times:
        budget = BUDGET.get(part)
        remark = "  OVER" if budget is not None and seconds > budget else ""
        print(f"{part:10} {seconds:9.1f} {budget if budget is not None else '-':>8}{remark}")
    print()


def main():
    times_file, command = sys.argv[1], sys.argv[2:]
    with open(times_file, encoding="ascii") as lines:
        times = [(part, float(seconds)) for part, seconds in map(str.split, lines)]
    closing = False
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as ctest:
        for line in ctest.stdout:
            label = LABEL_TIME.match(line)
            if label:
                times.append((label[1], float(label[2])))
                continue
            if line.startswith("Label Time Summary") or (closing and line == "\n"):
                continue
            closing = closing or "tests passed, " in line
            if line.startswith("Total Test time"):
                print_table(times)
            print(line, end="", flush=True)
    return ctest.returncode


if __name__ == "__main__":
    sys.exit(main())
