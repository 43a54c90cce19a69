/* A data directory that is damaged: put aside, or told what to do about.
 *
 * Private to the daemon. Judging is the journal's. Threads: start-up only. Source: durability.md, "Recovery". */
#ifndef SESSIOND_SRC_DAEMON_DAMAGE_H
#define SESSIOND_SRC_DAEMON_DAMAGE_H

#include "sessiond/base/directory.h"
#include "sessiond/daemon/command_line.h"

/** If the directory is damaged, rename it to NAME.damaged-YYYYMMDD-HHMMSS, never over one that is there, log
 *  that, and open an empty one of its name. It stays locked until the other is.
 *  directory  open and locked; OK leaves it as it was, or NULL and then the new one, open and locked
 *  returns    OK | LOCKED | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status damage_set_aside(const char *path, struct directory **directory,
                                                  struct sess_error *error);

/** Print the two commands that help, as they must be typed, to standard error.
 *  data_dir  the option's value */
void damage_advise(const char *data_dir, const struct command_line *line);

#endif
