"""The drift check: every committed text that the tables generate says what they generate now.

sessiond.conf.example is `sessiond --print-config`. In README.md and docs/*.md the lines between
`<!-- generated: NAME -->` and `<!-- end generated -->` are the output of `print_tables NAME`.
With --write the texts are brought up to date instead.
"""

import argparse
import difflib
import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n)(.*?)(<!-- end generated -->)", re.DOTALL)
MARKER = re.compile(r"<!-- (?:generated: .*|end generated) -->")


def output_of(*command):
    run = subprocess.run(command, capture_output=True, timeout=60, check=False)
    if run.returncode != 0:
        message = run.stderr.decode(errors="replace").strip()
        sys.exit(f"{' '.join(command)}: exit {run.returncode}: {message}")
    return run.stdout.decode("utf-8")


def regenerated(page, text, print_tables):
    """The page's text with each of its blocks made anew."""
    if 2 * len(BLOCK.findall(text)) != len(MARKER.findall(text)):
        sys.exit(f"{page}: a generated block is not closed or its marker is misspelt")
    return BLOCK.sub(
        lambda block: block[1] + output_of(print_tables, block[2]) + block[4], text)


def expected_texts(root, sessiond, print_tables):
    """path -> the text that it should have."""
    texts = {root / "sessiond.conf.example": output_of(sessiond, "--print-config")}
    for page in [root / "README.md", *sorted((root / "docs").glob("**/*.md"))]:
        if page.is_file():
            text = page.read_bytes().decode("utf-8")
            texts[page] = regenerated(page.relative_to(root), text, print_tables)
    return texts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--sessiond", required=True)
    parser.add_argument("--docs", required=True, metavar="PRINT_TABLES")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()

    root = arguments.root.resolve()
    stale = 0
    for path, expected in expected_texts(root, arguments.sessiond, arguments.docs).items():
        current = path.read_bytes().decode("utf-8") if path.is_file() else ""
        if current == expected:
            continue
        if arguments.write:
            path.write_bytes(expected.encode("utf-8"))
            print(f"wrote {path.relative_to(root)}")
            continue
        stale += 1
        sys.stdout.writelines(difflib.unified_diff(
            current.splitlines(keepends=True), expected.splitlines(keepends=True),
            str(path.relative_to(root)), "generated now"))
    if stale:
        print(f"{stale} text(s) differ from the tables; ./dev format brings them up to date")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
