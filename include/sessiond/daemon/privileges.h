/* Who the daemon runs as, and how many descriptors it may have.
 *
 * Threads: start-up only, before any thread. */
#ifndef SESSIOND_DAEMON_PRIVILEGES_H
#define SESSIOND_DAEMON_PRIVILEGES_H

#include "sessiond/base/error.h"
#include "sessiond/base/option.h"

#include <stddef.h>
#include <sys/types.h>

/** Refuse to run as root by accident. `user` is empty where none is set.
 *  returns  OK | REFUSED */
SESS_MUST_CHECK enum sess_status privileges_check(const char *user, struct sess_error *error);

/* Who to become. */
struct identity {
    char name[OPTION_TEXT_SIZE]; /* terminated; empty: stay who we are */
    uid_t uid;
    gid_t gid;
};

/** Find `user`; an empty text, or the present user, gives an empty identity.
 *  returns  OK | NOT_FOUND (no such user) | REFUSED (only root can become another) */
SESS_MUST_CHECK enum sess_status privileges_find(const char *user, struct identity *out,
                                                 struct sess_error *error);

/** Become that user, for good; no effect for an empty identity. returns OK | IO */
SESS_MUST_CHECK enum sess_status privileges_drop(const struct identity *identity,
                                                 struct sess_error *error);

/** Raise the limit of open files as far as needed and allowed. Returns how many connections it has
 *  room for beside `n_threads` workers, at most `wanted`; 0 when there is hardly any. */
size_t privileges_raise_descriptors(size_t wanted, unsigned n_threads);

#endif
