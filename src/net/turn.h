/* A connection's turn: what it has received is parsed, run and replied to, within bounds.
 *
 * Private to net. Where a turn begins: round.h. Threads: the connection's worker. */
#ifndef SESSIOND_SRC_NET_TURN_H
#define SESSIOND_SRC_NET_TURN_H

#include "connection.h"

enum { UPLOAD_RECV_MAX = 65536 }; /* bytes of a large value in one recv */

struct turn {
    struct connection *connection;
    struct slice input;           /* not run yet */
    struct ahead_request *parsed; /* what it begins with, borrowed; NULL when nothing is parsed */
    unsigned n_parsed;
    size_t n_received;         /* bytes at the place, with those that were left over before */
    size_t output_start;       /* of this connection's replies in the loop's output */
    enum sess_status received; /* how the turn's recv ended */
    unsigned n_served;         /* requests that were answered */
};

static inline struct loop *turn_loop(const struct turn *turn)
{
    return turn->connection->loop;
}

/** Run what has arrived, within the turn's bounds. Replies wait in the loop's output, and the connection on its replied
 *  list. */
void turn_run(struct turn *turn);

#endif
