"""A site under test: a web server whose page does to its session what the query says, step by step.

Not a test, and knows no client: a subclass starts the server.
"""

import contextlib
import http.client
import json
import re
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

from sessiond_process import REPLY_DEADLINE_S, _DaemonProcess

ANSWER_DEADLINE_S = 60


class SiteProcess(_DaemonProcess):
    """Pages answer in JSON. A subclass has

    page, cookie  the path of the page; the name of the session's cookie
    url           http://HOST:PORT, once it is started
    """

    page = "/"
    cookie = None
    url = None

    def visit(self, steps, session_id=None, **query):
        """What the page answered; `cookie` is what the browser is told to keep, if anything."""
        url = f"{self.url}{self.page}?" + urllib.parse.urlencode({"do": steps, **query})
        headers = {"Cookie": f"{self.cookie}={session_id}"} if session_id else {}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(url, headers=headers), timeout=ANSWER_DEADLINE_S) as response:
            cookies = re.findall(rf"{self.cookie}=([^;]+)", " ".join(response.headers.get_all("Set-Cookie", [])))
            return {**json.load(response), "cookie": cookies[-1] if cookies else None}


class Visit(threading.Thread):
    """A visit on a thread of its own."""

    def __init__(self, site, *arguments, **query):
        super().__init__(daemon=True)
        self._visit = lambda: site.visit(*arguments, **query)
        self.answer = None
        self.start()

    def run(self):
        with contextlib.suppress(http.client.HTTPException, OSError):  # the test has ended the site
            self.answer = self._visit()

    def join(self):
        """What the page answered; None if it did not."""
        super().join(ANSWER_DEADLINE_S)
        return self.answer


class HeldVisit(Visit):
    """A visit that stands still in the middle of its session until it is released.

    steps  among them `hold`
    """

    def __init__(self, site, steps, session_id, directory):
        entered, self._release = (Path(directory, name) for name in ("entered", "release"))
        super().__init__(site, steps, session_id, entered=entered, release=self._release)
        deadline = time.monotonic() + REPLY_DEADLINE_S
        while not entered.exists():
            if time.monotonic() > deadline or not self.is_alive():
                raise AssertionError(f"it did not start its session: {self.answer}")
            time.sleep(0.005)

    def release(self):
        self._release.touch()
        return self.join()


def hold(case, site, steps, session_id):
    """A HeldVisit that the test case ends with."""
    return HeldVisit(site, steps, session_id, case.enterContext(tempfile.TemporaryDirectory(prefix="sessiond-site-")))
