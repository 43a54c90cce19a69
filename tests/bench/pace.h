/* When the connections of a paced run ask: each at times of its own, whether or not the server keeps up.
 *
 * Its latencies count from the time at which a request was due, so a server that stalls is not asked less, and
 * what it should have been asked meanwhile waits, too. Not who asks what (load.c, workload.c). Pure. */
#ifndef BENCH_PACE_H
#define BENCH_PACE_H

#include <stddef.h>
#include <stdint.h>

struct epoll_event;

/** Nanoseconds between two batches of one connection, of `n_connections` with `depth` requests each, which
 *  together ask `rate` > 0 requests a second. */
int64_t pace_interval_ns(uint64_t rate, size_t n_connections, size_t depth);

/** When connection `i` of them is due first: they take turns. */
int64_t pace_first_ns(int64_t start_ns, int64_t interval_ns, size_t n_connections, size_t i);

/** Wait so long for events of `epoll_fd`, and return as epoll_wait. */
int pace_wait(int epoll_fd, struct epoll_event *events, int most, int64_t wait_ns);

#endif
