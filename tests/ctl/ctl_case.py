"""What the tests of sessionctl against running daemons share: a daemon with an admin socket, and how the tool is run.

Not a test.
"""

import os
import pty
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "integration"), os.path.join(HERE, "..", "support")]

from integration_case import IntegrationCase  # noqa: E402
from sessiond_process import sessiond_binary  # noqa: E402

EXIT_USAGE, EXIT_DAMAGED, EXIT_UNAVAILABLE, EXIT_IO, EXIT_REFUSED = 64, 65, 69, 74, 77
RUN_S = 60
SESSIONCTL = os.path.join(os.path.dirname(sessiond_binary()), "sessionctl")


class SessionctlCase(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.socket = self.path("admin.sock")
        self.daemon = self.start("--admin-listen", f"unix:{self.socket}")

    def run_tool(self, *args, code=0, env=None, **options):
        """Runs sessionctl, which must end with that code; returns it. Nothing but --socket and env says where."""
        clean = {name: value for name, value in os.environ.items()
                 if name not in ("SESSIOND_ADMIN", "STATE_DIRECTORY", "XDG_STATE_HOME", "HOME")}
        options.setdefault("stdin", subprocess.DEVNULL)
        ended = subprocess.run([SESSIONCTL, *args], capture_output=True, encoding="utf-8", timeout=RUN_S, check=False,
                               env={**clean, **(env or {})}, **options)
        self.assertEqual(ended.returncode, code, ended.stdout + ended.stderr)
        return ended

    def say_on_terminal(self, said, *args, code=0):
        """Runs it where somebody types that."""
        controller, terminal = pty.openpty()
        try:
            os.write(controller, said.encode())
            return self.run_tool(*args, code=code, stdin=terminal)
        finally:
            os.close(controller)
            os.close(terminal)
