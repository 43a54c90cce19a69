"""Run ctest and show, before its closing line, what each part of ./dev test took.

usage: part_times.py TIMES CTEST ARG...   TIMES: lines "PART SECONDS" of what ran before.
The seconds of a label are the sum over its tests; three tests run at once.
"""

import re
import subprocess
import sys

# Seconds on two cores, from an empty build directory; of a label all its tests, of which three run at once.
BUDGET = {"build": 180, "asan": 120, "tsan": 120, "unit": 120, "protocol": 240, "oracle": 90, "clients": 180,
          "histories": 60, "pressure": 180, "crash": 360, "bench": 90, "house": 60, "lint": 60, "fuzz": 60,
          "package": 120}
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
