"""`cmake --install`: everything below the prefix, the settings in its etc, and settings that are there stay."""

import os
import re
import tempfile
import unittest

from machine import run
from sessiond_process import sessiond_binary

BUILD = os.path.dirname(sessiond_binary())
PREFIX = "/usr/local"  # of CMake, unless told otherwise
FILES = ["sbin/sessiond", "bin/sessionctl", "etc/sessiond/sessiond.conf", "share/man/man8/sessiond.8",
         "share/man/man5/sessiond.conf.5", "share/man/man1/sessionctl.1",
         "share/bash-completion/completions/sessiond", "share/bash-completion/completions/sessionctl",
         "share/doc/sessiond/README.md", "share/doc/sessiond/LICENSE", "lib/systemd/system/sessiond.service",
         "lib/sysusers.d/sessiond.conf"]


class Install(unittest.TestCase):
    def setUp(self):
        self.tree = self.enterContext(tempfile.TemporaryDirectory(prefix="sessiond-test-"))
        self.install()

    def install(self):
        run("env", f"DESTDIR={self.tree}", "cmake", "--install", BUILD)

    def path(self, name):
        return f"{self.tree}{PREFIX}/{name}"

    def test_files(self):
        for name in FILES:
            self.assertTrue(os.path.isfile(self.path(name)), name)
        self.assertEqual(os.listdir(self.tree), ["usr"])
        self.assertFalse(os.path.exists(self.path("lib/python3")), "Debian's place for modules is Debian's")

    def test_unit_names_what_is_there(self):
        with open(self.path("lib/systemd/system/sessiond.service"), encoding="utf-8") as unit:
            start = re.search(r"^ExecStart=(\S+) --config (\S+)$", unit.read(), re.MULTILINE)
        for path in start.groups():
            self.assertTrue(os.path.isfile(self.tree + path), path)

    def test_settings_stay(self):
        config = self.path("etc/sessiond/sessiond.conf")
        self.assertEqual(os.stat(config).st_mode & 0o777, 0o640)
        with open(config, "w", encoding="utf-8") as file:
            file.write("# ours\n")
        self.install()
        with open(config, encoding="utf-8") as file:
            self.assertEqual(file.read(), "# ours\n")


if __name__ == "__main__":
    unittest.main()
