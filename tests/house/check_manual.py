"""The pages of docs/man are right for both formatters: neither groff nor mandoc has anything to say of them."""

import argparse
import subprocess
import sys
from pathlib import Path

# A title that both write as it is in the source, and paragraphs as Debian's own tools write them.
FORMATTERS = (("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"), ("mandoc", "-Tlint", "-Wwarning"))


def problems_of(page):
    """What a formatter says of a page, or how it fails."""
    for command in FORMATTERS:
        run = subprocess.run([*command, page], capture_output=True, text=True, timeout=60, check=False,
                             env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANROFFSEQ": ""})
        said = run.stderr + (run.stdout if command[0] == "mandoc" else "")
        yield from said.splitlines()
        if run.returncode != 0 and not said:
            yield f"{command[0]} ends with {run.returncode}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    root = parser.parse_args().root.resolve()
    pages = sorted((root / "docs" / "man").glob("*.[1-8]"))
    problems = [f"{page.name}: {problem}" for page in pages for problem in problems_of(page)]
    problems += [] if pages else ["there is no page"]
    print("\n".join(problems) or f"{len(pages)} pages are in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
