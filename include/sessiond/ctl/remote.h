/* The verbs of sessionctl that a running sessiond does, over its admin socket.
 *
 * They print to standard output and complain to standard error. Threads: one. */
#ifndef SESSIOND_CTL_REMOTE_H
#define SESSIOND_CTL_REMOTE_H

#include "sessiond/ctl/arguments.h"
#include "sessiond/ctl/exit.h"

/** Say whether it is there. */
enum ctl_exit ping_run(const struct ctl_arguments *arguments);

/** Print figures, a name and a value a line. */
enum ctl_exit stats_run(const struct ctl_arguments *arguments);

/** Let it read its config file again, and print each option that changed. CTL_CONFIGURATION: it refused. */
enum ctl_exit reload_run(const struct ctl_arguments *arguments);

/** End all sessions. It is asked for on a terminal, unless --yes is there; without a terminal that must be. */
enum ctl_exit flush_run(const struct ctl_arguments *arguments);

#endif
