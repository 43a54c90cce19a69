/* The daemon: all rooms wired together, from start to stop.
 *
 * Threads: one daemon, on the thread that called. */
#ifndef SESSIOND_DAEMON_DAEMON_H
#define SESSIOND_DAEMON_DAEMON_H

#include "sessiond/daemon/command_line.h"
#include "sessiond/daemon/settings.h"

/* Exit codes, of sysexits.h where it has one. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_COMMAND_LINE = 64,
    EXIT_DAMAGED = 65, /* data that was acknowledged cannot be read, or is of a later version */
    EXIT_IO = 74,
    EXIT_UNAVAILABLE = 75, /* address in use, or the data directory */
    EXIT_CONFIGURATION = 78,
};

/** Run until a signal says to stop. Errors go to the log. Returns the exit code.
 *  line  what the settings were read from: how to start again is told by it, and whether damage is set aside */
enum exit_code daemon_run(struct settings *settings, struct registry *registry,
                          const struct command_line *line);

#endif
