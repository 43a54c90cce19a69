/* What others see of the connections of all workers: `stats conns`.
 *
 * Private to net. Source of the form: memcached 1.6, `stats conns`. */
#ifndef SESSIOND_SRC_NET_CONNS_H
#define SESSIOND_SRC_NET_CONNS_H

#include "loop.h"
#include "sessiond/net/address.h"

enum { CONNS_SIZE_MAX = 81920 }; /* bytes of a report behind which connections are only counted */

/** Add the rows of a listener. `since_ms`: elapsed time since it was opened. Threads: any. */
void conns_report_listener(struct report *report, int fd, const struct net_address *address,
                           int64_t since_ms);

/** Add the rows of a worker's connections, at the elapsed time `now_ms`. Threads: any.
 *  Returns the number of those that were left out, for the report was long enough. */
size_t conns_report_loop(struct report *report, struct loop *loop, int64_t now_ms);

#endif
