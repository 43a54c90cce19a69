"""The layer check: a room includes, calls and keeps only what the rules of the house allow.

Reads every file under src/ and include/sessiond/, and with --build DIR the object files too.
Not a compiler: includes are read as text, and what an #if leaves out counts as well.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

# room -> the rooms that it may include besides itself; CMakeLists.txt links by the same table.
ROOMS = {
    "base": set(),
    "store": {"base"},
    "protocol": {"base"},
    "journal": {"base", "store"},
    "command": {"base", "store", "protocol"},
    "net": {"base", "protocol", "command"},
    "admin": {"base", "store", "journal", "net"},
    "daemon": {"base", "store", "protocol", "journal", "command", "net", "admin"},
    "ctl": {"base", "store", "journal"},
}
# Rooms that end in a main() and so may end the process, and what is made of them.
PROGRAMS = {"daemon": "sessiond", "ctl": "sessionctl"}
LIBEVENT_ROOMS = {"net"}
# The mutable globals of the house, as (source file, symbol). Signals come by signalfd, without one.
GLOBALS = {
    ("base/log.c", "log_sink_level"),
    ("base/failpoint.c", "n_reached"),  # in test builds alone
}

FORBIDDEN_WORDS = {
    # They wrap, skip white space, accept signs or read past the end: base/number parses numbers.
    "strtol strtoll strtoul strtoull strtoimax strtoumax strtoq strtouq strtod strtof strtold "
    "atoi atol atoll atof sscanf vsscanf scanf vscanf fscanf vfscanf": "use base/number",
    # They write without knowing where the room ends.
    "strcpy strcat stpcpy sprintf vsprintf gets": "use a function that takes the size",
    # They keep their result or their state where every thread sees it.
    "gmtime localtime ctime asctime strtok rand random drand48 inet_ntoa readdir_r tmpnam "
    "setenv putenv unsetenv": "not safe with threads",
}
PROCESS_END = re.compile(r"(?<![\w.>])(exit|abort|_exit|_Exit|quick_exit)\s*\(")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
COMMENT_OR_LITERAL = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL
)
LIBEVENT = re.compile(r"event2/|(event|evhttp|evdns|evrpc|evutil)\.h$")


def without_comments(text, literals_too):
    """The text with comments (and literals) blanked; line numbers stay."""

    def blank(match):
        found = match.group(0)
        if found[0] in "\"'" and not literals_too:
            return found
        return re.sub(r"[^\n]", " ", found)

    return COMMENT_OR_LITERAL.sub(blank, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


class Source:
    """One file of the tree: its room, its unit, and what it includes."""

    def __init__(self, root, path):
        self.path = path
        self.name = str(path.relative_to(root))
        self.public = self.name.startswith("include/")
        self.room = path.parts[len(root.parts) + (2 if self.public else 1)]
        self.text = path.read_text(encoding="utf-8")
        # foo.c, foo.h, foo.def and foo_internal.h are one unit.
        self.unit = f"{self.room}/{re.sub('_internal$', '', path.stem)}"
        self.includes = []  # (line, system?, target as written)
        for match in INCLUDE.finditer(without_comments(self.text, literals_too=False)):
            line = line_of(self.text, match.start(1))
            self.includes.append((line, match.group(1) == "<", match.group(2)))


def read_tree(root):
    """All sources by path, and the problems of files that are in no room."""
    sources, problems = {}, []
    for top in (root / "src", root / "include" / "sessiond"):
        for path in sorted(top.rglob("*")):
            if not path.is_file():
                continue
            inside = path.relative_to(top)
            if len(inside.parts) != 2 or inside.parts[0] not in ROOMS:
                problems.append(f"{path.relative_to(root)}: not in a room that the table knows")
            elif path.suffix in (".c", ".h", ".def"):
                sources[path] = Source(root, path)
    return sources, problems


def resolve(root, source, target):
    """The file that a quoted include means, or None."""
    for folder in (source.path.parent, root / "include"):
        path = folder / target
        if path.is_file():
            return path
    return None


def check_includes(root, sources, edges):
    """Problems of single includes; fills `edges` with (including file, included file)."""
    for source in sources.values():
        for line, is_system, target in source.includes:
            where = f"{source.name}:{line}"
            if is_system:
                if LIBEVENT.match(target) and source.room not in LIBEVENT_ROOMS:
                    yield f"{where}: <{target}>: only net includes libevent"
                if target.startswith("sessiond/"):
                    yield f"{where}: <{target}>: write it with quotes"
                continue
            if source.public and not re.match(r"sessiond/\w+/\w+\.(h|def)$", target):
                yield f'{where}: "{target}": a contract includes a private header'
                continue
            included = sources.get(resolve(root, source, target))
            if included is None or ".." in Path(target).parts:
                yield f'{where}: "{target}": neither a contract nor a private header of this room'
                continue
            edges.append((source, included))
            if included.room != source.room and included.room not in ROOMS[source.room]:
                yield f"{where}: {source.room} may not use {included.room}"


def rings(pairs):
    """The strongly connected groups of two or more among (from, to) pairs (Tarjan)."""
    graph = {}
    for start, end in pairs:
        graph.setdefault(start, set()).add(end)
        graph.setdefault(end, set())
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for following in sorted(graph[node]):
            if following not in index:
                visit(following)
                low[node] = min(low[node], low[following])
            elif following in stack:
                low[node] = min(low[node], index[following])
        if low[node] == index[node]:
            group = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def check_rings(edges):
    units = [(a.unit, b.unit) for a, b in edges if a.unit != b.unit]
    for group in rings(units):
        closing = sorted({f"    {a.name} includes {b.name}" for a, b in edges
                          if a.unit != b.unit and a.unit in group and b.unit in group})
        yield "\n".join(["a ring of modules: " + ", ".join(group), *closing])
    headers = [(a.name, b.name) for a, b in edges if a.path.suffix != ".c"]
    for group in rings(headers):
        yield "a ring of headers: " + ", ".join(group)
    for source, included in edges:
        if source is included:
            yield f"{source.name}: includes itself"


def check_calls(sources):
    words = {word: hint for names, hint in FORBIDDEN_WORDS.items() for word in names.split()}
    word_pattern = re.compile(r"\b(" + "|".join(words) + r")\b")
    for source in sources.values():
        code = without_comments(source.text, literals_too=True)
        code = re.sub(r"^[ \t]*#[ \t]*include.*", "", code, flags=re.MULTILINE)
        for match in word_pattern.finditer(code):
            word = match.group(1)
            yield f"{source.name}:{line_of(code, match.start())}: {word}: {words[word]}"
        if source.room not in PROGRAMS:
            for match in PROCESS_END.finditer(code):
                where = f"{source.name}:{line_of(code, match.start())}"
                yield f"{where}: {match.group(1)}(): only a program ends the process"


def mutable_symbols(object_files):
    """(file, name) of the writable data of object files."""
    command = ["nm", "--print-file-name", "--format=sysv", "--defined-only", *object_files]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for row in output.splitlines():
        fields = [field.strip() for field in row.split("|")]
        if len(fields) != 7 or fields[3] not in ("OBJECT", "TLS"):
            continue
        # Constant tables of pointers are in .data.rel.ro, which the loader makes read-only.
        if re.match(r"\.t?(data|bss)|\*COM\*", fields[6]) and ".rel.ro" not in fields[6]:
            yield fields[0].rsplit(":", 1)


def object_of(source, build):
    target = PROGRAMS[source.room] if source.path.name == "main.c" else f"sessiond_{source.room}"
    return build / "CMakeFiles" / f"{target}.dir" / f"{source.name}.o"


def check_globals(root, sources, build):
    objects = {str(object_of(source, build)): source for source in sources.values() if source.path.suffix == ".c"}
    there = [name for name in objects if Path(name).is_file()]
    for name in objects.keys() - set(there):
        yield f"{objects[name].name}: no object file {name}; build first"
    for name, symbol in mutable_symbols(there) if there else ():
        source = objects[name]
        short_name = str(source.path.relative_to(root / "src"))
        # A static inside a function is called name.NUMBER.
        if (short_name, symbol.split(".")[0]) not in GLOBALS:
            yield f"{source.name}: {symbol}: a mutable global"


def check(root, build=None):
    """All problems of the tree at `root`, as lines of text."""
    sources, problems = read_tree(root)
    if not sources:
        problems.append(f"{root}: no sources")
    edges = []
    problems.extend(check_includes(root, sources, edges))
    problems.extend(check_rings(edges))
    problems.extend(check_calls(sources))
    if build is not None:
        problems.extend(check_globals(root, sources, build))
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--build", type=Path, help="build directory; looks for mutable globals too")
    arguments = parser.parse_args()
    build = arguments.build.resolve() if arguments.build else None
    problems = check(arguments.root.resolve(), build)
    print("\n".join(problems) or "layers: in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
