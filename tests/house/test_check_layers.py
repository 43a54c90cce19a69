"""Each rule of check_layers.py finds its offence, and a clean tree passes."""

import subprocess
import unittest

import check_layers
from tiny_tree import TinyTree

SCRIPT = "check_layers.py"


class Layers(TinyTree):
    def setUp(self):
        super().setUp()
        self.write("include/sessiond/base/slice.h", "struct slice;\n")
        self.write("include/sessiond/store/store.h", '#include "sessiond/base/slice.h"\n')
        self.write("src/store/store_internal.h", "struct entry;\n")
        self.write("src/store/store.c",
                   '#include "sessiond/store/store.h"\n#include "store_internal.h"\n'
                   "/* strtol(), exit() and event2/event.h are only spoken of here. */\n"
                   'static const char *const words[] = {"strcpy", "exit(1)"};\n'
                   "int store_abort(void);\n"
                   "int store_abort(void)\n{\n    static const int none = 0;\n"
                   "    return none + (int)sizeof words;\n}\n")
        self.write("src/net/worker.c", "#include <event2/event.h>\n")
        self.write("src/daemon/main.c",
                   "#include <stdlib.h>\n#include \"sessiond/store/store.h\"\n"
                   "int main(void)\n{\n    exit(0);\n}\n")

    def compile(self):
        """Object files where the build puts them."""
        build = self.root / "build"
        for source in self.root.glob("src/*/*.c"):
            name = source.relative_to(self.root)
            target = "sessiond" if source.name == "main.c" else f"sessiond_{source.parent.name}"
            output = build / "CMakeFiles" / f"{target}.dir" / f"{name}.o"
            output.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                ["gcc", "-fPIE", "-I", self.root / "include", "-c", source, "-o", output],
                check=True)
        return build

    def test_clean_tree_passes(self):
        self.assert_passes(SCRIPT)

    def test_clean_objects_pass(self):
        self.write("src/base/log.c", "_Atomic int log_sink_level;\n")
        self.assert_passes(SCRIPT, "--build", self.compile())

    def test_empty_tree_fails(self):
        for path in [*self.root.glob("src/*/*"), *self.root.glob("include/*/*/*")]:
            path.unlink()
        self.assert_finds("no sources", SCRIPT)

    def test_unknown_room(self):
        self.write("src/attic/old.c", "int old;\n")
        self.assert_finds("src/attic/old.c: not in a room", SCRIPT)

    def test_room_above(self):
        self.write("src/base/slice.c", '#include "sessiond/store/store.h"\n')
        self.assert_finds("src/base/slice.c:1: base may not use store", SCRIPT)

    def test_room_beside(self):
        self.write("src/net/listener.c", '\n # include "sessiond/store/store.h"\n')
        self.assert_finds("src/net/listener.c:2: net may not use store", SCRIPT)

    def test_every_pair_of_rooms(self):
        rooms = check_layers.ROOMS
        for room in rooms:
            self.write(f"include/sessiond/{room}/{room}.h", "\n")
            self.write(f"src/{room}/probe.c",
                       "".join(f'#include "sessiond/{other}/{other}.h"\n' for other in rooms))
        _, output = self.run_check(SCRIPT)
        self.assertEqual({line.partition(": ")[2] for line in output.splitlines()},
                         {f"{room} may not use {other}" for room, allowed in rooms.items()
                          for other in rooms if other != room and other not in allowed})

    def test_private_header_of_another_room(self):
        self.write("src/command/get.c", '#include "../store/store_internal.h"\n')
        self.assert_finds("neither a contract nor a private header", SCRIPT)

    def test_contract_with_private_header(self):
        for target in ("store_internal.h", "../../../src/store/store_internal.h"):
            self.write("include/sessiond/store/entry.h", f'#include "{target}"\n')
            self.assert_finds("a contract includes a private header", SCRIPT)

    def test_contract_in_angle_brackets(self):
        self.write("src/base/slice.c", "#include <sessiond/store/store.h>\n")
        self.assert_finds("write it with quotes", SCRIPT)

    def test_libevent_outside_net(self):
        for header in ("event2/event.h", "event.h"):
            self.write("src/daemon/wiring.c", f"#include <{header}>\n")
            self.assert_finds("src/daemon/wiring.c:1: ", SCRIPT)

    def test_ring_of_modules(self):
        # No ring of headers: each body includes the other's contract.
        self.write("include/sessiond/base/hash.h", "\n")
        self.write("src/base/hash.c", '#include "sessiond/base/slice.h"\n')
        self.write("src/base/slice.c", '#include "sessiond/base/hash.h"\n')
        self.assert_finds("a ring of modules: base/hash, base/slice", SCRIPT)

    def test_long_ring_of_headers(self):
        for this, following in (("a", "b"), ("b", "c"), ("c", "a")):
            self.write(f"include/sessiond/base/{this}.h",
                       f'#include "sessiond/base/{following}.h"\n')
        self.assert_finds("a ring of headers: include/sessiond/base/a.h", SCRIPT)

    def test_ring_within_a_unit(self):
        self.write("src/store/store_internal.h", '#include "store.h"\n')
        self.write("src/store/store.h", '#include "store_internal.h"\n')
        self.assert_finds("a ring of headers: src/store/store.h", SCRIPT)

    def test_process_end_below_the_programs(self):
        for call in ("exit(1)", "abort ()", "_exit(1)", "_Exit(1)"):
            self.write("src/store/expiry.c", f"void f(void)\n{{\n    {call};\n}}\n")
            self.assert_finds("src/store/expiry.c:3: ", SCRIPT)
        self.write("src/store/expiry.c", "void f(struct s *s)\n{\n    s->abort(s);\n}\n")
        self.assert_passes(SCRIPT)

    def test_forbidden_functions(self):
        words = ("strtol", "strtoull", "atoi", "sscanf", "strcpy", "strcat", "sprintf", "gets", "strtok",
                 "localtime")
        self.write("src/daemon/config.c", "".join(f"void f_{word}(void) {{ {word}(x); }}\n" for word in words))
        _, output = self.run_check(SCRIPT)
        for line, word in enumerate(words, 1):
            self.assertIn(f"src/daemon/config.c:{line}: {word}: ", output)
        self.write("include/sessiond/base/number.h", "#define TO_INT(text) atoi(text)\n")
        self.assert_finds("include/sessiond/base/number.h:1: atoi: ", SCRIPT)

    def test_mutable_globals(self):
        self.write("src/store/expiry.c",
                   "int total = 1;\n"
                   "static int seen; int *p(void) { return &seen; }\n"
                   "_Thread_local int mine;\n"
                   "int f(void) { static int calls; return ++calls; }\n")
        _, output = self.run_check(SCRIPT, "--build", self.compile())
        for symbol in ("total", "seen", "mine", "calls"):
            self.assertIn(f"src/store/expiry.c: {symbol}", output)

    def test_missing_object(self):
        self.assert_finds("build first", SCRIPT, "--build", self.root / "build")


if __name__ == "__main__":
    unittest.main()
