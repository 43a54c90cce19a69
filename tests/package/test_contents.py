"""What is in the Debian package: lintian has nothing to say of it, it needs what the programs need, and its version is
that of the programs."""

import os
import re
import subprocess
import tempfile
import unittest

from machine import PACKAGE, ROOT, run

# Libraries that a program is linked with, but for the loader and the kernel's.
LIBRARIES = {"usr/sbin/sessiond": {"libc", "libevent_core-2.1"}, "usr/bin/sessionctl": {"libc"}}


def field(name):
    return run("dpkg-deb", "--field", PACKAGE, name).strip()


class Contents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tree = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="sessiond-test-"))
        run("dpkg-deb", "--raw-extract", PACKAGE, cls.tree)

    def read(self, name):
        with open(os.path.join(self.tree, name), encoding="utf-8") as file:
            return file.read()

    def test_lintian(self):
        checked = subprocess.run(["lintian", "--allow-root", "--display-info", PACKAGE], capture_output=True,
                                 encoding="utf-8", timeout=120, check=False)
        self.assertEqual((checked.returncode, checked.stderr), (0, ""), checked.stdout)
        self.assertNotRegex(checked.stdout, "^[EW]: |unused-override")

    def test_overrides_have_reasons(self):
        lines = self.read("usr/share/lintian/overrides/sessiond").splitlines()
        self.assertTrue(lines)
        for above, line in zip(["", *lines], lines):
            self.assertTrue(line.startswith("#") or above.startswith("# "), line)

    def test_needs_libc_and_libevent(self):
        for program, wanted in LIBRARIES.items():
            linked = set(re.findall(r"^\t(\S+)\.so\.\S* =>", run("ldd", os.path.join(self.tree, program)), re.MULTILINE))
            self.assertEqual(linked, wanted, program)
        self.assertEqual({group.strip().split()[0] for group in field("Depends").split(",") if "|" not in group},
                         {"libc6", "libevent-core-2.1-7"})

    def test_settings_are_conffiles(self):
        settings = {f"/{os.path.relpath(os.path.join(folder, name), self.tree)}"
                    for folder, _, names in os.walk(os.path.join(self.tree, "etc")) for name in names}
        self.assertEqual(set(self.read("DEBIAN/conffiles").split()), settings)
        self.assertEqual(settings, {"/etc/sessiond/sessiond.conf"})

    def test_version_is_the_project_s(self):
        with open(ROOT / "CMakeLists.txt", encoding="utf-8") as file:
            version = re.search(r"^project\(sessiond VERSION (\S+) ", file.read(), re.MULTILINE)[1]
        self.assertEqual(field("Version"), version)
        for program in LIBRARIES:
            said = run(os.path.join(self.tree, program), "--version")
            self.assertEqual(said, f"{os.path.basename(program)} {version}\n")
        for top in ("src", "include", "cmake", "packaging", "docs/man"):
            for folder, _, names in os.walk(ROOT / top):
                for name in names:
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        self.assertNotIn(version, file.read(), os.path.join(folder, name))

    def test_programs_are_stripped(self):
        for program in LIBRARIES:
            self.assertNotIn(".debug_info", run("readelf", "--sections", "--wide", os.path.join(self.tree, program)))


if __name__ == "__main__":
    unittest.main()
