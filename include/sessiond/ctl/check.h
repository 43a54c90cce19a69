/* `sessionctl check`: a data directory or a dump, looked at and judged.
 *
 * Nothing is changed, also beside a running daemon; with --salvage a new file is written. */
#ifndef SESSIOND_CTL_CHECK_H
#define SESSIOND_CTL_CHECK_H

#include "sessiond/ctl/arguments.h"

/* Exit codes, of sysexits.h. They tell of what was looked at: a salvage does not make a directory whole. */
enum ctl_exit {
    CTL_DONE = 0, /* whole */
    CTL_USAGE = 64,
    CTL_DAMAGED = 65, /* damaged, or of a format that is not known */
    CTL_IO = 74,
};

/** Run the verb; prints to standard output, complains to standard error. */
enum ctl_exit check_run(const struct ctl_arguments *arguments);

#endif
