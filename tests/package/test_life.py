"""The life of the Debian package on a machine: install, logins, upgrade, remove, purge, and again.

A Django site logs people in, with the engine that the package brings. The machine is thrown away at the end.
"""

import os
import subprocess
import unittest
from pathlib import Path

import machine
from django_site import LOGGED_IN, NOT_LOGGED_IN, Browser, SiteProcess, make_users, replay

EARLIER = "0.0.9"
LOGINS, LOGOUTS = 100, 10
CONFIG = "/etc/sessiond/sessiond.conf"
EDIT = "\n# Ours.\nmax-connections = 500\n"
WANTS = "/etc/systemd/system/multi-user.target.wants/sessiond.service"


def traces():
    """Whatever has the name of the program in its own, outside of /tmp and /proc."""
    return {os.path.join(folder, name) for top in ("/etc", "/usr", "/var", "/run")
            for folder, folders, files in os.walk(top) for name in folders + files
            if name.startswith(("sessiond", "sessionctl"))}


def accounts():
    return [line for database in ("passwd", "group") for line in Path(f"/etc/{database}").read_text().splitlines()
            if line.startswith("sessiond:")]


class Life(unittest.TestCase):
    """One story: each part goes on where the one before it ended."""

    def site(self):
        """A site whose Python finds the engine where the package has put it. Its object cache is not used."""
        return self.enterContext(SiteProcess("engine", self.service, self.service, engine_path=()))

    def assert_sessions(self):
        """Who logged in is in; who logged out is out, also by a cookie that was kept."""
        site = self.site()
        for session_id in self.logged_in:
            self.assertEqual(replay(site, "/whoami/", session_id).json, LOGGED_IN)
        for session_id in self.logged_out:
            self.assertEqual(replay(site, "/whoami/", session_id).json, NOT_LOGGED_IN)

    def assert_installed(self, version):
        self.assertEqual(machine.run("dpkg-query", "-W", "-f", "${Status} ${Version}", "sessiond"),
                         f"install ok installed {version}")
        self.assertTrue(os.path.islink(WANTS), "the service is not enabled")
        self.assertFalse(os.path.exists("/etc/systemd/system/sockets.target.wants/sessiond.socket"))

    @machine.needs_machine
    def test_life(self):
        self.addCleanup(make_users())
        machine.pretend_systemd()
        version = machine.run("dpkg-deb", "-f", machine.PACKAGE, "Version").strip()
        self.before = traces()
        self.install()
        self.service = self.enterContext(machine.Service())
        self.use()
        self.upgrade(version)
        self.remove()
        self.install_again(version)
        self.purge()
        self.install_anew(version)

    def install(self):
        asked = machine.dpkg("-i", machine.earlier_package(EARLIER))
        self.assertEqual(asked, ["start sessiond.service"])
        self.assert_installed(EARLIER)
        self.assertEqual(machine.owner_and_mode(CONFIG), "root:sessiond 640")
        self.assertEqual(machine.owner_and_mode("/var/lib/sessiond"), "sessiond:sessiond 700")
        self.assertIn(":/var/lib/sessiond:/usr/sbin/nologin", accounts()[0])
        self.assertIn("in order", machine.run("sessiond", "--config", CONFIG, "--check-config"))
        for page in ("sessiond", "sessiond.conf", "sessionctl"):
            self.assertIn(f"/{page}.", machine.run("man", "-w", page))
        engine = machine.run("/usr/bin/python3", "-c", "import sessiond_django; print(sessiond_django.__path__[0])")
        self.assertEqual(engine, "/usr/lib/python3/dist-packages/sessiond_django\n")

    def use(self):
        self.assertEqual(machine.run("sessionctl", "ping"), "sessiond answers at /run/sessiond/admin.sock\n")
        nobody = subprocess.run(["sessionctl", "ping"], user="nobody", group="nogroup", extra_groups=[],
                                capture_output=True, timeout=machine.RUN_S, check=False)
        self.assertEqual(nobody.returncode, 77, nobody)
        browsers = [Browser(site) for site in [self.site()] for _ in range(LOGINS)]
        for browser in browsers:
            self.assertEqual(browser.log_in().json, LOGGED_IN)
        self.logged_in = [browser.session_id for browser in browsers[LOGOUTS:]]
        self.logged_out = [browser.session_id for browser in browsers[:LOGOUTS]]
        self.assertEqual(len({*self.logged_in, *self.logged_out}), LOGINS)
        for browser in browsers[:LOGOUTS]:
            self.assertEqual(browser.log_out().json, NOT_LOGGED_IN)
        self.assert_sessions()

    def upgrade(self, version):
        with open(CONFIG, "a", encoding="utf-8") as config:
            config.write(EDIT)
        os.chmod(CONFIG, 0o644)  # owner and mode are the administrator's
        edited = Path(CONFIG).read_text(encoding="utf-8")
        self.assertEqual(machine.dpkg("-i", machine.PACKAGE), ["restart sessiond.service"])
        self.assert_installed(version)
        self.assertEqual(Path(CONFIG).read_text(encoding="utf-8"), edited)
        self.assertEqual(machine.owner_and_mode(CONFIG), "root:sessiond 644")
        self.service.stop()
        self.service.start()
        self.assertEqual(self.service.stats("settings")["max-connections"], "500")
        self.assert_sessions()

    def remove(self):
        self.assertEqual(machine.dpkg("-r", "sessiond"), ["stop sessiond.socket sessiond.service"])
        self.service.stop()
        self.assertEqual({path for path in traces() - self.before if path.startswith("/usr")}, set())
        self.assertTrue(os.listdir("/var/lib/sessiond"))
        self.assertTrue(Path(CONFIG).read_text(encoding="utf-8").endswith(EDIT))
        self.assertEqual(len(accounts()), 2)

    def install_again(self, version):
        machine.dpkg("-i", machine.PACKAGE)
        self.assert_installed(version)
        self.service.start()
        self.assertEqual(self.service.stats("settings")["max-connections"], "500")
        self.assert_sessions()
        self.service.stop()

    def purge(self):
        os.mkdir("/var/lib/sessiond.damaged-20261201T000000Z")
        os.mkdir("/run/sessiond")
        machine.dpkg("-P", "sessiond")
        self.assertEqual(traces() - self.before, set())
        self.assertEqual(accounts(), [])

    def install_anew(self, version):
        self.assertEqual(machine.dpkg("-i", machine.PACKAGE), ["start sessiond.service"])
        self.assert_installed(version)
        self.assertEqual(machine.owner_and_mode(CONFIG), "root:sessiond 640")
        self.service.start()
        site = self.site()
        self.assertEqual(replay(site, "/whoami/", self.logged_in[0]).json, NOT_LOGGED_IN)
        self.assertEqual(Browser(site).log_in().json, LOGGED_IN)


if __name__ == "__main__":
    machine.enter()
    unittest.main()
