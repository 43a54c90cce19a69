"""What must be built for some tests: a mutant is not linked into a hundred programs that nobody runs.

usage: targets.py BUILD_DIRECTORY REGEX    prints file names in the build directory, one a line; none: all of it
"""

import pathlib
import re
import shlex
import sys

# Not ctest's own listing: it leaves out the commands of programs that are not built yet.
ADDED = re.compile(r"^add_test\(\[=\[(.+?)\]=\] (.+)\)$", re.MULTILINE)
DAEMON = {"sessiond", "sessionctl"}  # what a script starts


def commands(build, regex):
    """The commands of the tests whose name matches, by that name."""
    found = {}
    for listing in build.rglob("CTestTestfile.cmake"):
        for name, command in ADDED.findall(listing.read_text()):
            if re.search(regex, name):
                found[name] = shlex.split(command)
    return found


def targets(build, command):
    inside = {word.removeprefix(f"{build}/") for word in command if word.startswith(f"{build}/")}
    return inside if command[0].startswith(f"{build}/") else inside | DAEMON


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    chosen = commands(build, sys.argv[2])
    if any(name.partition(".")[0] in ("house", "lint") for name in chosen):
        return
    print(*sorted(set().union(*(targets(build, command) for command in chosen.values()))), sep="\n")


if __name__ == "__main__":
    main()
