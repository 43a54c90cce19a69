"""The command line of the comparison."""

import argparse
import collections
import time

import report
from generator import Generator
from pair import Pair
from sessiond_process import MemcachedProcess, SessiondProcess
from wire import Server
from grammar import ITEM_MAX, VALUE_MAX

MEMCACHED_OPTIONS = ["-m", "1024", "-I", str(ITEM_MAX), "-o", "slab_chunk_max=8192", "-c", "2048", "-t", "2"]
SESSIOND_OPTIONS = ["--max-value", str(VALUE_MAX), "--flush-all", "allow"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("--commands")
    parser.add_argument("--sessiond")
    parser.add_argument("--against-memcached", action="store_true")
    parser.add_argument("--show", type=int, default=10)
    options = parser.parse_args()
    commands = options.commands and [word.encode() for word in options.commands.split(",")]
    began = time.monotonic()
    indices = [options.only] if options.only is not None else range(options.count)
    scenes = collections.defaultdict(list)
    for index in indices:
        conversation = Generator(options.seed, index, commands).conversation()
        scenes[conversation.scene].append(conversation)
    print("generated", time.monotonic() - began)
    other = MemcachedProcess(MEMCACHED_OPTIONS) if options.against_memcached else SessiondProcess(SESSIOND_OPTIONS, binary=options.sessiond)
    rules, cells = collections.Counter(), collections.Counter()
    requests = failed = 0
    with MemcachedProcess(MEMCACHED_OPTIONS) as memcached, other:
        pair = Pair(Server("memcached", memcached.address), Server("other", other.address, 2.0), not options.against_memcached)
        for scene, conversations in scenes.items():
            for outcome in pair.run(conversations, scene):
                rules += outcome.rules
                cells += outcome.cells
                requests += outcome.requests
                if outcome.difference:
                    failed += 1
                    if failed <= options.show:
                        print(report.describe(pair, outcome, f"--seed {options.seed} --only {outcome.conversation.name.split(':')[1]}"))
                    elif failed < 100:
                        print(outcome.conversation.name, outcome.difference)
        pair.close()
    print(requests, "requests", failed, "differences", time.monotonic() - began)
    print(rules)
    return 1 if failed else 0
