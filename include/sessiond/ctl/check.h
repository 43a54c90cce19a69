/* `sessionctl check`: a data directory or a dump, looked at and judged.
 *
 * Nothing is changed, also beside a running daemon; with --salvage a new file is written. */
#ifndef SESSIOND_CTL_CHECK_H
#define SESSIOND_CTL_CHECK_H

#include "sessiond/ctl/arguments.h"
#include "sessiond/ctl/exit.h"

/** Run the verb; prints to standard output, complains to standard error. */
enum ctl_exit check_run(const struct ctl_arguments *arguments);

#endif
