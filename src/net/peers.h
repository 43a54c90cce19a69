/* Who may connect to a unix socket: users and groups.
 *
 * Private to net. What the file's permissions keep out never gets here. Threads: any; a list is read-only
 * once it is made. Source: unix(7), SO_PEERCRED and SO_PEERGROUPS. */
#ifndef SESSIOND_SRC_NET_PEERS_H
#define SESSIOND_SRC_NET_PEERS_H

#include "sessiond/base/error.h"

#include <stdbool.h>
#include <sys/socket.h>

enum { PEERS_MAX = 32 }; /* of one list */

struct peers {
    bool lets_all_in;
    size_t n_rows;
    struct peers_row {
        bool is_group;
        unsigned id;
    } rows[PEERS_MAX];
};

/** Read a list: users and @groups, by name or number, with commas between them; "" is an empty one.
 *  returns  OK | INVALID (an empty item) | NOT_FOUND (no such user or group) | LIMIT */
SESS_MUST_CHECK enum sess_status peers_parse(const char *text, struct peers *out,
                                             struct sess_error *error);

/** Who is at the other end of an accepted unix socket, as it was when it connected.
 *  returns  OK | IO */
SESS_MUST_CHECK enum sess_status peers_identify(int fd, struct ucred *who);

/** Whether it may stay: root, the daemon's own user, and who is on the list, by one of its groups, too. */
bool peers_may(const struct peers *peers, int fd, const struct ucred *who);

#endif
