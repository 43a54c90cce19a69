/* Replies that wait for the disk, on the worker's side.
 *
 * Private to net. A reply that tells of a change leaves only when the journal says so
 * (net_config.committed). Until then its connection is parked: neither read nor run, so nothing gets in
 * front of the reply. Threads: the loop's worker. */
#ifndef SESSIOND_SRC_NET_PARK_H
#define SESSIOND_SRC_NET_PARK_H

#include "connection.h"

/** At the end of a turn: tell the journal of its changes, the unanswered ones too, and whether all of its
 *  replies may leave. After a no each connection is to be asked for. */
bool park_ask(struct loop *loop);

/** Whether a connection's part of the output may leave; what is not told waits for nothing. Only after
 *  park_ask has said no. */
bool park_may_leave(struct connection *connection);

/** Keep a connection's part of the output, and wait. The connection may be gone afterwards: closed
 *  unanswered, when there is no memory for it. */
void park_connection(struct connection *connection);

/** Send what may leave by now, in the order in which it was parked. */
void park_release(struct loop *loop);

#endif
