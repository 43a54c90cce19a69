/* A connection's turn: read once, then parse, run and reply, within bounds.
 *
 * Private to net. Threads: the connection's worker. */
#ifndef SESSIOND_SRC_NET_TURN_H
#define SESSIOND_SRC_NET_TURN_H

#include "connection.h"

/** Read once and run what has arrived, within the turn's bounds. Replies wait in the loop's output,
 *  and the connection on its replied list. The connection may be gone afterwards. */
void turn_run(struct connection *connection);

#endif
