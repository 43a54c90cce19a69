"""The drift check: every committed text that the tables generate says what they generate now.

sessiond.conf.example and what packages install are the output of a program: WHOLE. In README.md and docs/*.md the
lines between `<!-- generated: NAME -->` and `<!-- end generated -->` are the output of `print_tables NAME`;
in docs/man/* those between `.\\" generated: NAME` and `.\\" end generated`.
With --write the texts are brought up to date instead.
"""

import argparse
import difflib
import re
import subprocess
import sys
from pathlib import Path

# How a comment begins and ends.
MARKDOWN = (r"<!-- ", r" -->")
ROFF = (r'\.\\" ', r"(?=\n)")

# path -> the command that prints it
WHOLE = {
    "sessiond.conf.example": ("sessiond", "--print-config"),
    "packaging/sessiond.conf": ("sessiond", "--print-config", "--user", "sessiond", "--data-dir", "/var/lib/sessiond"),
    "packaging/completion/sessionctl": ("sessionctl", "completion", "bash"),
}


def output_of(*command):
    run = subprocess.run(command, capture_output=True, timeout=60, check=False)
    if run.returncode != 0:
        message = run.stderr.decode(errors="replace").strip()
        sys.exit(f"{' '.join(map(str, command))}: exit {run.returncode}: {message}")
    return run.stdout.decode("utf-8")


def regenerated(page, text, comment, print_tables):
    """The page's text with each of its blocks made anew."""
    begin, end = comment
    block = re.compile(rf"({begin}generated: ([\w-]+){end}\n)(.*?)({begin}end generated{end})", re.DOTALL)
    marker = re.compile(rf"{begin}(?:generated: .*|end generated){end}")
    if 2 * len(block.findall(text)) != len(marker.findall(text)):
        sys.exit(f"{page}: a generated block is not closed or its marker is misspelt")
    return block.sub(lambda found: found[1] + output_of(print_tables, found[2]) + found[4], text)


def expected_texts(root, build):
    """path -> the text that it should have."""
    texts = {root / path: output_of(build / command[0], *command[1:]) for path, command in WHOLE.items()}
    docs = root / "docs"
    for pages, comment in (([root / "README.md", *sorted(docs.glob("**/*.md"))], MARKDOWN),
                           (sorted(docs.glob("man/*.[1-8]")), ROFF)):
        for page in filter(Path.is_file, pages):
            text = page.read_bytes().decode("utf-8")
            texts[page] = regenerated(page.relative_to(root), text, comment, build / "tests/house/print_tables")
    return texts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()

    root = arguments.root.resolve()
    stale = 0
    for path, expected in expected_texts(root, arguments.build.resolve()).items():
        current = path.read_bytes().decode("utf-8") if path.is_file() else ""
        if current == expected:
            continue
        if arguments.write:
            path.parent.mkdir(parents=True, exist_ok=True)
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
