"""A throw-away machine (in_overlay) on which packages are installed, and its service.

Not a test. enter() goes there. No systemd runs on it: what maintainer scripts ask of it is written down by a systemctl
of the test's own, and the test does what systemd would have done, by the words of the unit.
"""

import grp
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests" / folder) for folder in ("support", "integration", "clients/django")]

from integration_case import needs  # noqa: E402
from sessiond_process import START_DEADLINE_S, _DaemonProcess, parse_address  # noqa: E402

PACKAGE = next((ROOT / "build" / "release" / "package").glob("sessiond_*.deb"), None)
UNIT = "/usr/lib/systemd/system/sessiond.service"
ASKED = "/run/systemctl.log"
RUN_S = 120
# What only makes links needs no systemd.
SYSTEMCTL = f"""#!/bin/sh
case "$*" in
*preset*) exec systemctl.real "$@" ;;
esac
echo "$*" >>{ASKED}
echo enabled
"""

is_inside = os.getpid() == 1
can_enter = os.geteuid() == 0 and bool(shutil.which("unshare"))
needs_machine = needs(is_inside, "root, to mount, and unshare")


def enter():
    """Go on as the first process of a throw-away machine, where that can be made."""
    if can_enter and not is_inside:
        os.execv(HERE / "in_overlay", ["in_overlay", sys.executable, *sys.argv])


def pretend_systemd():
    """From here on maintainer scripts believe that systemd runs."""
    os.makedirs("/run/systemd/system")
    Path("/usr/sbin/policy-rc.d").unlink(missing_ok=True)  # in a container it says that nothing may be started
    Path("/usr/bin/mandb").unlink(missing_ok=True)  # an index of all pages takes seconds, each time
    os.symlink("true", "/usr/bin/mandb")
    os.rename("/usr/bin/systemctl", "/usr/bin/systemctl.real")
    Path("/usr/bin/systemctl").write_text(SYSTEMCTL, encoding="ascii")
    os.chmod("/usr/bin/systemctl", 0o755)


def run(*command):
    """What it says, on stdout and stderr; it must not fail, nor ask."""
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           encoding="utf-8", timeout=RUN_S, check=False)
    if ended.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, command))}: exit {ended.returncode}\n{ended.stdout}")
    return ended.stdout


def dpkg(*words):
    """Runs dpkg; returns what its scripts asked systemctl to do with units, in order."""
    Path(ASKED).write_text("", encoding="ascii")
    said = run("dpkg", *words)
    if "warning" in said.lower():
        raise AssertionError(said)
    asked = [[word for word in line.split() if not word.startswith("--")]
             for line in Path(ASKED).read_text(encoding="ascii").splitlines()]
    return [" ".join(line) for line in asked if line[0] in ("start", "stop", "restart")]


def earlier_package(version):
    """The same package with a lower version."""
    with tempfile.TemporaryDirectory() as folder:
        run("dpkg-deb", "--raw-extract", PACKAGE, folder)
        control = Path(folder, "DEBIAN", "control")
        lines = [f"Version: {version}" if line.startswith("Version: ") else line
                 for line in control.read_text(encoding="utf-8").splitlines()]
        control.write_text("\n".join(lines) + "\n", encoding="utf-8")
        run("dpkg-deb", "--build", folder, f"/tmp/sessiond_{version}.deb")
    return f"/tmp/sessiond_{version}.deb"


def owner_and_mode(path):
    entry = os.stat(path)
    return f"{pwd.getpwuid(entry.st_uid).pw_name}:{grp.getgrgid(entry.st_gid).gr_name} {entry.st_mode & 0o7777:o}"


def unit_values():
    """name -> value of the installed unit, the last of each."""
    lines = Path(UNIT).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


class Service(_DaemonProcess):
    """The service as its unit starts it: command, user, directories, mask."""

    def start(self):
        unit = unit_values()
        user, group = unit["User"], unit["Group"]
        directories = {}
        for kind, place in (("State", "/var/lib"), ("Runtime", "/run")):
            path = f"{place}/{unit[f'{kind}Directory']}"
            os.makedirs(path, exist_ok=True)
            shutil.chown(path, user, group)
            os.chmod(path, int(unit[f"{kind}DirectoryMode"], 8))
            directories[f"{kind.upper()}_DIRECTORY"] = path
        self._spawn(shlex.split(unit["ExecStart"]), {"PATH": os.environ["PATH"], **directories}, user=user, group=group,
                    extra_groups=[], umask=int(unit["UMask"], 8), cwd="/")
        if not self.stdout.wait_for(lambda lines: len(lines) == 2, START_DEADLINE_S):
            self._raise("not ready")
        self.address = next(parse_address(line.split()[2]) for line in self.stdout.lines() if " data " in line)

    def stop(self):
        """As systemd does: the directory of sockets goes, too."""
        super().stop()
        shutil.rmtree("/run/sessiond")
