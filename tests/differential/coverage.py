"""The table of what has been compared: command x reply x condition, each cell with its count.

A cell that can be reached and was not, fails the run; so does one that was reached and is listed as unreachable.
The replies are sessiond's. A request may count in several conditions.
"""

import fnmatch

from grammar import VALUE_MAX, is_key, is_silent

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
    "CLIENT_ERROR bad command line format": f"{READS} {STORES} {COUNTS} touch delete flush_all verbosity",
    "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]": "delete",
    "CLIENT_ERROR usage: stats detail on|off|dump": "stats",
    "CLIENT_ERROR invalid exptime argument": "gat gats touch flush_all",
    "CLIENT_ERROR invalid numeric delta argument": COUNTS,
    "CLIENT_ERROR cannot increment or decrement non-numeric value": COUNTS,
    "CLIENT_ERROR bad data chunk": STORES,
    "SERVER_ERROR object too large for cache": STORES,
    SILENCE: f"{STORES} {COUNTS} touch delete flush_all verbosity quit (unknown)",
}

KEY_STATES = "hit, miss, expired"
ANSWERS = "[!(]*"  # every reply but silence
LINES = f"{READS} {COUNTS} touch delete"
# (commands, reply, conditions, why): cells that cannot be reached, beside the replies that a command never gives.
UNREACHABLE = (
    (KEYLESS, "*", f"{KEY_STATES}, stale CAS, too large", "it has no key and no value"),
    (f"{READS} version stats quit (unknown)", "*", "noreply", "it takes no noreply"),
    (f"{COUNTS} touch delete flush_all verbosity", ANSWERS, "noreply", "noreply silences it; the eighth error is not counted"),
    (LINES, "*ERROR*", KEY_STATES.replace("hit, ", ""), "it looks at no key, or has found a value that is no number"),
    (LINES, "ERROR", "hit", "it looks at no key"),
    (LINES, "CLIENT_ERROR [bi]*", "hit", "it looks at no key"),
    (f"{LINES} set add replace append prepend", "*", "stale CAS", "only cas has an id"),
    ("cas", "[!E(]*", "stale CAS", "that is EXISTS"),
    (LINES, "*", "too large", "it brings no value"),
    ("set add replace cas", "*STORED", "too large", "it is not stored"),
    ("append prepend", "STORED", "too large", "it is not stored"),
    (STORES, "CLIENT_ERROR bad data chunk", "too large", "the size is told first"),
    ("cas", "EXISTS", "too large", "the size is told first"),
    ("cas", "NOT_FOUND", "too large", "the size is told first"),
    (STORES, "*STORED", "noreply", "noreply silences it"),
    ("cas", "EXISTS", "noreply", "noreply silences it"),
    ("cas", "NOT_FOUND", "noreply", "noreply silences it"),
    ("add", "STORED", "hit", "it stores what is not there"),
    ("replace append prepend cas", "STORED", "miss, expired", "it changes what is there"),
    ("add", "NOT_STORED", "miss, expired", "it is refused where there is something"),
    ("replace", "NOT_STORED", "hit", "it is refused where there is nothing"),
    (READS, "END", "hit", "that is VALUE"),
    ("*", "NOT_FOUND", "hit", "it is there"),
    ("*", "EXISTS", "miss, expired", "it is not there"),
    ("*", "DELETED", "miss, expired", "it is not there"),
    ("*", "TOUCHED", "miss, expired", "it is not there"),
    ("*", "NUMBER", "miss, expired", "it is not there"),
)


def cells_of(situation, said, closes):
    """The cells that a request belongs to; said is sessiond's reply or None, closes: and then it closes, as a rule says."""
    reading, model = situation.reading, situation.model
    code = said.code if said else SILENCE
    if situation.framing == "short" and not said or code.endswith("line too long"):
        return []  # it is no whole request, or its words were not read
    if said and closes and not reading.stores:
        return []  # what it tells is that the connection closes
    outcome = code
    if not said and reading.keys and not reading.faults:
        outcome = model.outcome(situation)
    conditions = set()
    if reading.stores or not reading.faults:  # else the keys are not looked at
        conditions |= {model.state(key) for key in reading.keys if is_key(key)}
    conditions |= {"stale CAS"} if outcome == "EXISTS" else set()
    conditions |= {"too large"} if _is_too_large(reading, model) and situation.framing != "bad" else set()
    conditions |= {"noreply"} if is_silent(reading) else set()
    conditions |= {"pipelined"} if situation.batch_size > 1 else set()
    word = reading.command.decode() if reading.command else "(unknown)"
    return [(word, code, condition) for condition in conditions]


def _is_too_large(reading, model):
    if not reading.stores or reading.size is None:
        return False
    item = model.item(reading.key) if reading.command in (b"append", b"prepend") else None
    return reading.size + (len(item.value) if item else 0) > VALUE_MAX


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
