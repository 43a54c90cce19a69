"""check_release.py passes a hardened program and misses no protection that is switched off."""

import subprocess
import sys
import unittest

from tiny_tree import HOUSE, TinyTree

HARDENED = ["-O2", "-fPIE", "-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3",
            "-pie", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack"]
PROGRAM = """
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    char text[64];
    strncpy(text, argv[argc - 1], (size_t)argc * 8);
    printf(argv[0], text);
    return 0;
}
"""


class Release(TinyTree):
    def check(self, flags, program=PROGRAM):
        source = self.write("sessiond.c", program)
        subprocess.run(["gcc", "-w", *flags, source, "-o", self.root / "sessiond"], check=True)
        run = subprocess.run([sys.executable, HOUSE / "check_release.py", "--build", self.root],
                             capture_output=True, text=True, timeout=60, check=False)
        return run.returncode, run.stdout

    def test_hardened_passes(self):
        self.assertEqual(self.check(HARDENED), (0, "release: in order\n"))

    def test_each_protection_is_missed(self):
        for off, found in ((["-no-pie"], "position-independent"),
                           (["-Wl,-z,norelro"], "read-only after start"),
                           (["-Wl,-z,lazy"], "bound at start"),
                           (["-Wl,-z,execstack"], "stack not executable"),
                           (["-fno-stack-protector"], "stack protector"),
                           (["-U_FORTIFY_SOURCE"], "fortified")):
            status, output = self.check([*HARDENED, *off])
            self.assertEqual(status, 1, off)
            self.assertIn(found, output)

    def test_hooks(self):
        program = PROGRAM.replace("printf(", 'puts("SESSIOND_TEST_CLOCK"), printf(')
        status, output = self.check(HARDENED, program)
        self.assertEqual(status, 1)
        self.assertIn("test hooks", output)

    def test_folder(self):
        status, output = self.check(HARDENED, PROGRAM.replace("printf(", f'puts("{self.root}/sessiond.c"), printf('))
        self.assertEqual(status, 1)
        self.assertIn("names the folder", output)


if __name__ == "__main__":
    unittest.main()
