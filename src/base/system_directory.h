/* A directory of the system: what its calls and its lock share.
 *
 * Private to base. Threads: any, but for the making. */
#ifndef SESSIOND_SRC_BASE_SYSTEM_DIRECTORY_H
#define SESSIOND_SRC_BASE_SYSTEM_DIRECTORY_H

#include "sessiond/base/directory.h"

struct system_directory {
    struct directory base; /* its first member */
    int fd;                /* immutable */
    int lock_fd;           /* immutable: of its file `lock` */
    char path[512];        /* for messages; terminated, cut when longer */
};

/** What a call's errno means: what passes is told from what does not. */
enum sess_status system_status_of(int reason);

/** What to do about a data directory that cannot be used, to follow the reason in a message: begins with
 *  ": ", or is "". */
const char *system_directory_hint(int reason);

/** Lock a directory that is open. Its lock_fd, -1 before, is the caller's to close.
 *  returns  OK | LOCKED | NO_SPACE | LIMIT | IO */
SESS_MUST_CHECK enum sess_status directory_lock(struct system_directory *directory,
                                                struct sess_error *error);

#endif
