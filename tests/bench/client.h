/* Connections that ask and check: one thread, epoll.
 *
 * A closed loop: a connection sends `depth` requests at once and waits for all their replies, so a server that stalls
 * is also asked less. A latency is the time from that send to the receipt of the reply, the opening of the connection
 * included; such percentiles compare servers, they do not predict a tail. With a rate it is paced (pace.h): then a
 * latency counts from when the request was due. After a wrong reply nothing on that connection can be told apart any
 * more: the run ends. Not what is asked (workload.h). */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "latency.h"
#include "workload.h"

#include <stdbool.h>
#include <stdint.h>

enum { DEPTH_MAX = 128 };

struct connection;

struct client {
    /* options */
    uint64_t port, n_connections, depth;
    uint64_t rate;      /* requests a second, of all connections; 0: a closed loop */
    uint64_t reconnect; /* 1: a connection for each batch, or for each page */
    /* state */
    struct workload *workload; /* borrowed */
    int epoll_fd;
    struct connection *connections;
    char *output;      /* one batch; send waits until the socket has taken it */
    size_t batch_room; /* bytes of a batch, or of its replies */
    bool failed;       /* it has said why */
    bool filling;
    uint64_t limit, issued, in_flight; /* requests of this phase */
    int64_t end_ns;                    /* nothing is sent from then on */
    int64_t interval_ns;               /* between a connection's batches; 0: at once */
    /* results, since client_begin_count */
    uint64_t counts[OPERATIONS];
    uint64_t n_missed; /* gets of one key that was not there, as it had to be */
    uint64_t n_opened; /* connections */
    struct latency latency;
};

void client_open(struct client *client, struct workload *workload);
void client_close(struct client *client);

void client_begin_count(struct client *client);

/** Ask so many requests, fewer if the time is over before, and wait for every reply. A page that has begun is ended,
 *  above the limit. Returns the seconds. */
double client_ask(struct client *client, uint64_t limit, uint64_t milliseconds);

/** Store every session that is absent; latencies do not count. Returns the seconds. */
double client_fill(struct client *client, uint64_t milliseconds);

#endif
