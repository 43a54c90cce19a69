"""What the tests of node's clients share. Not a test."""

import json
import re
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))

from client_case import ClientCase, specification
from driven_client import ClientError, DrivenClient, node_environment
from sessiond_process import REPLY_DEADLINE_S
from site_process import SiteProcess

# As docs/clients/NODE.md has it: without this one refusal of the server keeps the client away from it for half a minute.
AWAY = re.compile("not available|ECONN|Unable to connect|readyState")  # what it says of a server that it does not ask
PATIENT = {"retry": 1, "failures": 1_000_000, "retries": 1, "minTimeout": 10}


class NodeCase(ClientCase):
    """A client of npm's memcached, driven by driver.js."""

    def connect(self, servers=None, **options):
        addresses = [specification(server) for server in servers or self.servers()]
        command = ["node", HERE / "driver.js", json.dumps(addresses), json.dumps(options)]
        return self.enterContext(DrivenClient(command, env=node_environment()))

    def eventually(self, call, *arguments):
        """What the call gives as soon as the client does not leave the server alone any more."""
        deadline = time.monotonic() + REPLY_DEADLINE_S
        while True:
            try:
                return call(*arguments)
            except ClientError as error:
                if time.monotonic() > deadline or not AWAY.search(str(error)):
                    raise
                time.sleep(0.005)


class NodeSite(SiteProcess):
    """site.js with its sessions on these servers.

    store, cookie  more settings of connect-memcached, and those of express-session's cookie
    """

    cookie = "connect.sid"
    stop_returncode = -SiteProcess.stop_signal

    def __init__(self, servers, store, cookie):
        super().__init__()
        self._settings = {"store": {"hosts": [specification(server) for server in servers], **store}, "cookie": cookie}

    def start(self):
        self._spawn(["node", str(HERE / "site.js"), json.dumps(self._settings)], node_environment())
        self.wait_for_stderr(r"listening http://[\d.:]+")
        self.url = re.search(r"http://[\d.:]+", self.stderr_text())[0]
