/* Where sessions are kept: the option data-dir as a path; and the name of the admin socket in there, where
 * there is no better place for it.
 *
 * Threads: start-up only: it reads the environment. */
#ifndef SESSIOND_JOURNAL_DATA_DIR_H
#define SESSIOND_JOURNAL_DATA_DIR_H

#include "sessiond/base/error.h"

enum { DATA_DIR_SIZE = 512 }; /* of a path, terminated */

/* Behind a directory. */
#define ADMIN_SOCKET_NAME "/admin.sock"

/** The path for a value of the option: itself; for `auto` $STATE_DIRECTORY (the first of several), else
 *  $XDG_STATE_HOME/sessiond, else $HOME/.local/state/sessiond; "" for "", memory only.
 *  out      DATA_DIR_SIZE bytes, terminated
 *  returns  OK | NOT_FOUND (`auto`, and none of them is set) | OUT_OF_RANGE (too long) */
SESS_MUST_CHECK enum sess_status data_dir_find(const char *value, char *out,
                                               struct sess_error *error);

#endif
