/* Figures of the process as a whole, for `stats`.
 *
 * Source of the names: memcached doc/protocol.txt, "General-purpose statistics". */
#ifndef SESSIOND_DAEMON_PROCESS_H
#define SESSIOND_DAEMON_PROCESS_H

#include "sessiond/base/clock.h"
#include "sessiond/base/metric.h"
#include "sessiond/net/config.h"

#define PROCESS_METRICS(X)                                                                         \
    X(pid, GAUGE, "process id")                                                                    \
    X(uptime, GAUGE, "seconds since the start, at least 1")                                        \
    X(time, GAUGE, "the daemon's wall time, seconds since 1970")                                   \
    X(pointer_size, GAUGE, "bits of an address")                                                   \
    X(max_connections, GAUGE, "connections allowed at a time")                                     \
    X(limit_maxbytes, GAUGE,                                                                       \
      "bytes that sessions may take: the rest of `memory` is for connections and for values on "   \
      "their way")

struct process_metrics {
    PROCESS_METRICS(METRIC_DECLARE)
};
extern const struct metric_table process_metric_table;

/* Those that are not numbers, or not whole ones. */
#define PROCESS_TEXTS(X)                                                                           \
    X(version, TEXT, "the memcached version whose protocol this is")                               \
    X(sessiond_version, TEXT, "the version of sessiond")                                           \
    X(libevent, TEXT, "the version of the event library")                                          \
    X(rusage_user, TEXT, "seconds of processor time in the program")                               \
    X(rusage_system, TEXT, "seconds of processor time in the system")
extern const struct metric_table process_text_table;

struct process {
    struct clock *clock; /* borrowed */
    struct instant started;
    size_t max_connections;        /* that there was room for at the start */
    const struct net_options *net; /* NULL, or with what a reload has set; borrowed */
    size_t session_bytes;          /* of `memory` */
};

/** Add the numbers to totals (registry_sum_fn; context is a struct process). */
void process_sum(void *process, uint64_t *totals);

/** Add the texts (registry_report_fn; context is a struct process). */
void process_report_texts(void *process, struct report *report);

#endif
