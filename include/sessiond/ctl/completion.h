/* The completion of command lines by a shell.
 *
 * Threads: one. */
#ifndef SESSIOND_CTL_COMPLETION_H
#define SESSIOND_CTL_COMPLETION_H

#include "sessiond/ctl/arguments.h"
#include "sessiond/ctl/exit.h"

/** `sessionctl completion SHELL`: print the script that such a shell reads. sessionctl's words are those of its
 *  rows; sessiond's are asked of `sessiond --help` when they are wanted. returns CTL_DONE | CTL_USAGE (another shell) */
enum ctl_exit completion_run(const struct ctl_arguments *arguments);

#endif
