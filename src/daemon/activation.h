/* Socket activation: listening sockets that a supervisor opened, and hands over at the start.
 *
 * Private to the daemon. Which they are stands in the environment; whether they may be listened on is judged by
 * net, as of those that the options name. Threads: start-up only: it reads the environment.
 * Source: sd_listen_fds(3). */
#ifndef SESSIOND_SRC_DAEMON_ACTIVATION_H
#define SESSIOND_SRC_DAEMON_ACTIVATION_H

#include "sessiond/net/config.h"

struct activation {
    struct net_inherited sockets[NET_INHERITED_MAX];
    size_t n_sockets;
};

/** Find what was handed to this process: LISTEN_FDS descriptors from 3 on, if LISTEN_PID is its id. Their roles
 *  are told by their names in LISTEN_FDNAMES, `data` or `admin`; without that variable all are for data.
 *  returns  OK (also when there are none) | INVALID (a wrong number, or another name) | OUT_OF_RANGE (too many) */
SESS_MUST_CHECK enum sess_status activation_read(struct activation *out, struct sess_error *error);

/** Say in the log which option is not looked at, as sockets take its place. */
void activation_tell(const struct activation *handed);

#endif
