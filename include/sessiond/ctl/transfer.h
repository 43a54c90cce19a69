/* `sessionctl dump` and `sessionctl restore`: the sessions of a running sessiond to a file, and back.
 *
 * They go through the admin socket. What a data directory holds is dumped by `check --salvage`, without a daemon
 * (ctl/check.h). Threads: one. */
#ifndef SESSIOND_CTL_TRANSFER_H
#define SESSIOND_CTL_TRANSFER_H

#include "sessiond/ctl/arguments.h"
#include "sessiond/ctl/exit.h"

/** Write a dump of all live sessions to a new file, or to standard output. It has its name when it is whole. */
enum ctl_exit dump_run(const struct ctl_arguments *arguments);

/** Store the sessions of a dump, which must be whole, where there are none of their keys. It is asked for on a
 *  terminal, unless --yes is there. CTL_DAMAGED: nothing was stored; CTL_REFUSED: some were not, or it was not
 *  meant. */
enum ctl_exit restore_run(const struct ctl_arguments *arguments);

#endif
