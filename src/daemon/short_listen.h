/* memcached's -p, -l and -s, made into values of `listen`.
 *
 * Private to the daemon. Pure. */
#ifndef SESSIOND_SRC_DAEMON_SHORT_LISTEN_H
#define SESSIOND_SRC_DAEMON_SHORT_LISTEN_H

#include "sessiond/base/option.h"

struct short_listen {
    const char *port;  /* NULL: not given */
    const char *hosts; /* HOST[:PORT] or [V6][:PORT] or V6, by comma; NULL: not given */
    const char *path;  /* of a unix socket; NULL: not given */
};

/** Compose the listeners, none if none of the three was given.
 *  returns  OK | LIMIT (too many) | INVALID (an empty or overlong item) */
SESS_MUST_CHECK enum sess_status short_listen_compose(const struct short_listen *given,
                                                      char items[][OPTION_TEXT_SIZE],
                                                      size_t *n_items, struct sess_error *error);

#endif
