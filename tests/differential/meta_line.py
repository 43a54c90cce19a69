"""The command line of the comparison of meta commands: starts the servers, runs, judges the whole."""

import argparse
import collections
import os
import sys
import time

import meta
from command_line import MEMCACHED_OPTIONS, ROOT, SESSIOND_OPTIONS
from sessiond_process import MemcachedProcess, SessiondProcess
from wire import Server

WHOLE_FROM = 500  # conversations from which on every code and every flag must have been met
SHOWN = 5


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="run_meta", description="Compares meta commands with memcached's.")
    parser.add_argument("--count", type=int, default=800, help="conversations (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all of them (default %(default)s)")
    parser.add_argument("--only", type=int, metavar="INDEX", help="one conversation of the seed, as a failure names it")
    parser.add_argument("--sessiond", metavar="BIN", help="default $SESSIOND, else build/dev/sessiond")
    options = parser.parse_args(arguments)
    options.sessiond = options.sessiond or os.environ.get("SESSIOND") or str(ROOT / "build" / "dev" / "sessiond")
    return options


def problems(codes, flags):
    """What was never met, as lines."""
    found = []
    for command in meta.FLAGS:
        found += [f"never drawn: {command.decode()} {flag}" for flag in meta.FLAGS[command] if not flags[command, flag]]
        found += [f"never reached: {command.decode()}: {code}" for code in meta.CODES[command].split() if not codes[command, code]]
    return found


def main(arguments=None):
    options = parse_arguments(arguments)
    began = time.monotonic()
    indices = range(options.count) if options.only is None else [options.only]
    codes, flags, wrong, requests = collections.Counter(), collections.Counter(), [], 0
    with MemcachedProcess(MEMCACHED_OPTIONS) as memcached, SessiondProcess(SESSIOND_OPTIONS, binary=options.sessiond) as sessiond:
        servers = (Server("memcached", memcached.address), Server("sessiond", sessiond.address))
        for index in indices:
            result = meta.converse(servers, options.seed, index)
            requests += result.requests
            codes += result.codes
            flags += result.flags
            if result.difference:
                wrong.append(result.difference)
        wrong += meta.hold_differences(servers)
    if len(indices) >= WHOLE_FROM:
        wrong += problems(codes, flags)
    for line in wrong[:SHOWN]:
        print(f"WRONG: {line}")
    print(f"{len(indices)} conversations, {requests} requests, {len(wrong)} wrong, {len(meta.DIFFERENCES)} intended differences "
          f"held, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
