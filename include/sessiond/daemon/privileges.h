/* Who the daemon runs as, and how many descriptors it may have.
 *
 * Threads: start-up only, before any thread. */
#ifndef SESSIOND_DAEMON_PRIVILEGES_H
#define SESSIOND_DAEMON_PRIVILEGES_H

#include "sessiond/base/error.h"

#include <stddef.h>

/** Refuse to run as root by accident. `user` is empty where none is set.
 *  returns  OK | REFUSED */
SESS_MUST_CHECK enum sess_status privileges_check(const char *user, struct sess_error *error);

/** Become `user`, for good; no effect for an empty text or the present user.
 *  returns  OK | NOT_FOUND (no such user) | REFUSED (only root can become another) | IO */
SESS_MUST_CHECK enum sess_status privileges_drop(const char *user, struct sess_error *error);

/** Raise the limit of open files as far as needed and allowed. Returns how many connections it has
 *  room for, at most `wanted`. */
size_t privileges_raise_descriptors(size_t wanted);

#endif
