"""The table of what has been compared: command x reply x condition, each cell with its count.

A cell that can be reached and was not, fails the run; so does one that was reached and is listed as unreachable.
The replies are sessiond's. A request may count in several conditions.
"""

import fnmatch

CONDITIONS = ("hit", "miss", "expired", "stale CAS", "too large", "noreply", "pipelined")
READS = "get gets gat gats"
STORES = "set add replace append prepend cas"
COUNTS = "incr decr"
KEYLESS = "flush_all verbosity version stats quit (unknown)"
COMMANDS = f"{READS} {STORES} {COUNTS} touch delete {KEYLESS}".split()
SILENCE = "(silent)"  # nothing is said
REPLIES = {  # reply -> the commands that give it
    "VALUE": READS,
    "NUMBER": COUNTS,
    "STORED": STORES,
    "NOT_STORED": "add replace append prepend",
    "EXISTS": "cas",
    "DELETED": "delete",
    "TOUCHED": "touch",
    "NOT_FOUND": f"cas {COUNTS} touch delete",
    "END": f"{READS} stats",
    "OK": "flush_all verbosity",
    "RESET": "stats",
    "VERSION 1.6.18": "version",
    "ERROR": f"{READS} {COUNTS} touch delete flush_all verbosity stats (unknown)",
    "CLIENT_ERROR bad command line format": f"{READS} {STORES} {COUNTS} touch delete",
    "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]": "delete",
    "CLIENT_ERROR invalid exptime argument": "gat gats touch flush_all",
    "CLIENT_ERROR invalid numeric delta argument": COUNTS,
    "CLIENT_ERROR cannot increment or decrement non-numeric value": COUNTS,
    "CLIENT_ERROR bad data chunk": STORES,
    "CLIENT_ERROR line too long": f"{STORES} {COUNTS} touch delete flush_all verbosity version stats quit (unknown)",
    "SERVER_ERROR object too large for cache": STORES,
    SILENCE: f"{STORES} {COUNTS} touch delete flush_all verbosity quit (unknown)",
}

# (commands, reply, conditions, why): cells that cannot be reached, beside the replies that a command never gives.
UNREACHABLE = (
)


def is_reachable(command, reply, condition):
    return command in REPLIES[reply].split() and not why_unreachable(command, reply, condition)


def why_unreachable(command, reply, condition):
    for commands, replies, conditions, why in UNREACHABLE:
        if (
            (commands == "*" or command in commands.split())
            and fnmatch.fnmatchcase(reply, replies)
            and condition in conditions.split(", ")
        ):
            return why
    return None


def problems(cells):
    """What is wrong with a table, as lines."""
    found = []
    for (command, reply, condition), count in sorted(cells.items()):
        if reply not in REPLIES:
            found.append(f"a reply that no row has: {command}: {reply}")
        elif condition in CONDITIONS and not is_reachable(command, reply, condition):
            why = why_unreachable(command, reply, condition) or "not among its replies"
            found.append(f"listed as unreachable ({why}), and reached {count} times: {command}: {reply}: {condition}")
    for command in COMMANDS:
        for reply in REPLIES:
            for condition in CONDITIONS:
                if is_reachable(command, reply, condition) and not cells[command, reply, condition]:
                    found.append(f"never reached: {command}: {reply}: {condition}")
    return found


def text(cells):
    """The table: a line for each command and reply; `-` is a cell that cannot be reached."""
    lines = [f"{'command':10} {'reply':44}" + "".join(f"{condition:>10}" for condition in CONDITIONS)]
    for command in COMMANDS:
        for reply, commands in REPLIES.items():
            if command in commands.split():
                counts = [
                    str(cells[command, reply, condition]) if is_reachable(command, reply, condition) else "-"
                    for condition in CONDITIONS
                ]
                lines.append(f"{command:10} {reply[:44]:44}" + "".join(f"{count:>10}" for count in counts))
    return "\n".join(lines)
