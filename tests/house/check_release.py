"""The release check: build/release/sessiond is hardened, has no test hooks, and does not name where it was built."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

# (what readelf must print, which hardening it shows)
MUST_SHOW = [
    (r"Type:\s+DYN \(Position-Independent", "position-independent executable"),
    (r"GNU_RELRO", "relocations read-only after start"),
    (r"FLAGS_1.*\bNOW\b", "every symbol bound at start"),
    (r"GNU_STACK\s.*\sRW\s+0x", "stack not executable"),
    (r"__stack_chk_fail", "stack protector"),
    (r"__\w+_chk@", "fortified libc calls"),
]


def problems_of(binary):
    if not binary.is_file():
        return ["not built; run: ./dev build release"]
    command = ["readelf", "--wide", "--file-header", "--program-headers", "--dynamic", "--dyn-syms",
               str(binary)]
    elf = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    problems = [f"missing: {name}" for pattern, name in MUST_SHOW if not re.search(pattern, elf)]
    content = binary.read_bytes()
    if b"SESSIOND_TEST_" in content:
        problems.append("it contains the test hooks")
    if bytes(binary.parent.resolve()) in content:
        problems.append("it names the folder that it was built in, so it is another program in another folder")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True)
    binary = parser.parse_args().build / "sessiond"
    problems = problems_of(binary)
    print("\n".join(f"{binary}: {problem}" for problem in problems) or "release: in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
