/* The net's metrics: one struct for each worker and one for the acceptor, each written by its thread.
 *
 * Source of the names: memcached doc/protocol.txt, "General-purpose statistics". */
#ifndef SESSIOND_NET_METRICS_H
#define SESSIOND_NET_METRICS_H

#include "sessiond/base/metric.h"

#define NET_METRICS(X)                                                                             \
    X(curr_connections, GAUGE, "connections open now")                                             \
    X(total_connections, COUNTER, "connections accepted")                                          \
    X(rejected_connections, COUNTER, "connections over max-connections, told so and closed")       \
    X(refused_peers, TOTAL, "connections of users who may not use this unix socket")               \
    X(connection_structures, GAUGE, "connections that memory is held for")                         \
    X(connection_bytes, GAUGE, "bytes of connection-memory in use")                                \
    X(reserved_fds, GAUGE, "descriptors that listeners and event loops take")                      \
    X(read_buf_count, GAUGE, "input buffers, one for each worker")                                 \
    X(read_buf_bytes, GAUGE, "bytes of the input buffers")                                         \
    X(accepting_conns, GAUGE, "1 while connections are accepted, 0 in a pause")                    \
    X(listen_disabled_num, COUNTER,                                                                \
      "times that accepting paused for lack of descriptors or memory")                             \
    X(time_in_listen_disabled_us, COUNTER, "microseconds of such pauses")                          \
    X(idle_kicks, COUNTER, "connections closed by one of the timeouts")                            \
    X(closed_for_memory, TOTAL, "connections closed because connection-memory was used up")        \
    X(conn_yields, COUNTER, "times that a connection had more to do than one turn allows")         \
    X(conn_parked, TOTAL, "replies that had to wait for the disk")                                 \
    X(conn_parked_now, GAUGE, "connections that wait for the disk now")                            \
    X(binary_refused, TOTAL, "connections closed because they spoke the binary protocol")          \
    X(bytes_read, COUNTER, "bytes received from clients")                                          \
    X(bytes_written, COUNTER, "bytes sent to clients")                                             \
    X(threads, GAUGE, "worker threads")

struct net_metrics {
    NET_METRICS(METRIC_DECLARE)
};
extern const struct metric_table net_metric_table;

#endif
