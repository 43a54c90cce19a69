/* The daemon: all rooms wired together, from start to stop.
 *
 * Threads: one daemon, on the thread that called. */
#ifndef SESSIOND_DAEMON_DAEMON_H
#define SESSIOND_DAEMON_DAEMON_H

#include "sessiond/daemon/command_line.h"
#include "sessiond/daemon/settings.h"

enum exit_code {
#define EXIT(id, code, doc) EXIT_##id = (code),
#include "sessiond/daemon/exits.def"
#undef EXIT
};

/** Run until a signal says to stop. Errors go to the log. Returns the exit code.
 *  line  what the settings were read from: how to start again is told by it, and whether damage is set aside */
enum exit_code daemon_run(struct settings *settings, struct registry *registry,
                          const struct command_line *line);

#endif
