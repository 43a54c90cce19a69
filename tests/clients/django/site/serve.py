"""Serves the test site on a free port of 127.0.0.1 and says which: `listening http 127.0.0.1:PORT`.

A thread per connection, as threaded servers do it. Ends with exit code 0 on SIGTERM.
"""

import os
import signal
import socketserver
import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.core.wsgi import get_wsgi_application


class ThreadedServer(socketserver.ThreadingMixIn, WSGIServer):
    """Threads do not keep the process from ending."""

    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    """Logs no requests."""

    def log_message(self, *args):
        pass


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = make_server("127.0.0.1", 0, get_wsgi_application(), ThreadedServer, QuietHandler)
    print(f"listening http 127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
