/* The command line: actions, every option as --NAME VALUE, and memcached's short options.
 *
 * Threads: start-up only. Source of the short options: memcached(1). */
#ifndef SESSIOND_DAEMON_COMMAND_LINE_H
#define SESSIOND_DAEMON_COMMAND_LINE_H

#include "sessiond/base/registry.h"

enum command_line_action {
    ACTION_RUN,
#define ACTION(id, name, argument, doc) ACTION_##id,
#include "sessiond/daemon/actions.def"
#undef ACTION
};

struct command_line {
    enum command_line_action action;
    const char *config_path; /* of argv; NULL: no file */
    bool sets_damaged_aside; /* a damaged data directory is renamed, and the start goes on */
    bool accepts_clock;      /* a clock behind the data directory's time is taken */
    int argc;                /* as it was read */
    char *const *argv;       /* borrowed */
};

/** Read the arguments and assign the options among them.
 *  returns  OK | INVALID | OUT_OF_RANGE | NOT_FOUND (no such option) | LIMIT */
SESS_MUST_CHECK enum sess_status command_line_read(struct registry *registry, int argc,
                                                   char *const argv[], struct command_line *out,
                                                   struct sess_error *error);

/** `--help`. */
void command_line_print_help(const struct registry *registry, FILE *out);

#endif
