"""Thousands of connections beside those that are measured, in a process of their own.

Not a program. Only the standard library.
"""

import contextlib
import multiprocessing
import resource
import socket

from bench_common import BenchError, pinned

FILES_BESIDE = 200  # what else a process has open
READY_DEADLINE_S = 120


def allow_files(number):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, max(hard, number)))
    except (ValueError, PermissionError) as error:
        raise BenchError(f"{number} open files are needed (ulimit -n; as root it is raised): {error}") from error


def connect(address):
    client = socket.create_connection(address, timeout=60)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def hold_idle(address, number, ready, stop):
    """Connections that have asked one thing and wait."""
    held = []
    for _ in range(number):
        client = connect(address)
        client.sendall(b"version\r\n")
        held.append(client)
    for client in held:
        client.recv(100)
    ready.set()
    stop.wait()


@contextlib.contextmanager
def crowd(target, daemon, number, processor):
    """A process with so many connections of a kind."""
    ready, stop = multiprocessing.Event(), multiprocessing.Event()
    with pinned(processor):
        process = multiprocessing.Process(target=target, args=(daemon.address, number, ready, stop), daemon=True)
        process.start()
    try:
        if not ready.wait(READY_DEADLINE_S):
            raise BenchError(f"{number} connections are not there after {READY_DEADLINE_S} s")
        yield
    finally:
        stop.set()
        process.join(30)
