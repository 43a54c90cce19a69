"""The command line of the comparison: starts the servers, runs the conversations, judges the whole."""

import argparse
import collections
import concurrent.futures
import dataclasses
import os
import sys
import time
from pathlib import Path

import coverage
import differences
import report
from generator import Generator
from grammar import ITEM_MAX, VALUE_MAX
from pair import Pair
from sessiond_process import DaemonError, MemcachedProcess, SessiondProcess
from wire import Server

ROOT = Path(__file__).resolve().parents[2]
MEMCACHED_OPTIONS = ("-m", "1024", "-I", str(ITEM_MAX), "-o", "slab_chunk_max=8192", "-t", "2")
SESSIOND_OPTIONS = ("--max-value", str(VALUE_MAX), "--flush-all", "allow")
WHOLE_FROM = 4000  # conversations from which on every rule and every cell must have been met


@dataclasses.dataclass
class Result:
    """What came of some of the conversations."""

    conversations: int = 0
    requests: int = 0
    differences: list = dataclasses.field(default_factory=list)  # texts
    rules: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    cells: collections.Counter = dataclasses.field(default_factory=collections.Counter)

    def add(self, other):
        self.conversations += other.conversations
        self.requests += other.requests
        self.differences += other.differences
        self.rules += other.rules
        self.cells += other.cells


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="run", description="Compares sessiond with memcached by random conversations.")
    parser.add_argument("--count", type=int, default=5000, help="conversations (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all of them (default %(default)s)")
    parser.add_argument("--only", type=int, metavar="INDEX", help="one conversation of the seed, as a failure names it")
    parser.add_argument("--jobs", type=int, default=2, help="pairs of servers at a time (default %(default)s)")
    parser.add_argument("--show", type=int, default=5, help="differences that are made small and shown (default %(default)s)")
    parser.add_argument("--sessiond", metavar="BIN", help="default $SESSIOND, else build/dev/sessiond")
    parser.add_argument("--twins", action="store_true", help="memcached against memcached: nothing may differ")
    options = parser.parse_args(arguments)
    options.sessiond = options.sessiond or os.environ.get("SESSIOND") or str(ROOT / "build" / "dev" / "sessiond")
    return options


def run_part(options, indices):
    """Runs conversations of these numbers against a pair of servers of their own."""
    result = Result()
    waiting = collections.defaultdict(list)  # scene -> conversations
    if options.twins:
        other = MemcachedProcess(MEMCACHED_OPTIONS)
    else:
        other = SessiondProcess(SESSIOND_OPTIONS, binary=options.sessiond)
    with MemcachedProcess(MEMCACHED_OPTIONS) as memcached, other:
        pair = Pair(Server("memcached", memcached.address), Server("sessiond", other.address), not options.twins)
        for outcome in pair.run(_plain(options, indices, waiting)):
            _take(options, result, pair, outcome)
        for scene, conversations in waiting.items():
            for outcome in pair.run(conversations, scene):
                _take(options, result, pair, outcome)
        pair.close()
    return result


def _plain(options, indices, waiting):
    """The conversations that need no company; the others are put aside."""
    for index in indices:
        conversation = Generator(options.seed, index).conversation()
        if conversation.scene == "plain":
            yield conversation
        else:
            waiting[conversation.scene].append(conversation)


def _take(options, result, pair, outcome):
    result.conversations += 1
    result.requests += outcome.requests
    result.rules += outcome.rules
    result.cells += outcome.cells
    if outcome.difference is None:
        return
    if len(result.differences) < options.show:
        result.differences.append(report.describe(pair, outcome))
    else:
        result.differences.append(f"{outcome.conversation.name}: {outcome.difference}\n")


def run_all(options):
    if options.only is not None:
        return run_part(options, [options.only])
    parts = [range(first, options.count, options.jobs) for first in range(options.jobs)]
    result = Result()
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        for part in pool.map(run_part, [options] * options.jobs, parts):
            result.add(part)
    return result


def judge(options, result):
    """What is wrong, as lines."""
    wrong = []
    if result.differences:
        wrong.append(f"{len(result.differences)} differences without a rule")
    if not options.twins and result.conversations >= WHOLE_FROM:
        rules = {rule.name for rule in differences.RULES + differences.STATE_RULES}
        wrong += [f"a rule that was never needed: {name}" for name in sorted(rules - set(result.rules))]
        wrong += coverage.problems(result.cells)
    return wrong


def main(arguments=None):
    options = parse_arguments(arguments)
    began = time.monotonic()
    try:
        result = run_all(options)
    except DaemonError as error:
        print(error, *getattr(error, "__notes__", ()), sep="\n")
        return 1
    for text in result.differences:
        print(text)
    if options.only is None:
        print(coverage.text(result.cells))
    for name, count in result.rules.most_common():
        print(f"{count:8} times: {name}")
    wrong = judge(options, result)
    for line in wrong:
        print(f"WRONG: {line}")
    print(
        f"{result.conversations} conversations, {result.requests} requests, {len(result.differences)} differences, "
        f"{sum(result.rules.values())} intended ones by {len(result.rules)} rules, {time.monotonic() - began:.0f} s"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
