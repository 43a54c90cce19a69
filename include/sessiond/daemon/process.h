/* Figures of the process as a whole, for `stats`.
 *
 * Source of the names: memcached doc/protocol.txt, "General-purpose statistics". */
#ifndef SESSIOND_DAEMON_PROCESS_H
#define SESSIOND_DAEMON_PROCESS_H

#include "sessiond/base/clock.h"
#include "sessiond/base/metric.h"

#define PROCESS_METRICS(X)                                                                         \
    X(pid, GAUGE, "process id")                                                                    \
    X(uptime, GAUGE, "seconds since the start")                                                    \
    X(time, GAUGE, "the daemon's wall time, seconds since 1970")                                   \
    X(version, TEXT, "the memcached version whose protocol this is")                               \
    X(sessiond_version, TEXT, "the version of sessiond")                                           \
    X(pointer_size, GAUGE, "bits of an address")                                                   \
    X(rusage_user, TEXT, "seconds of processor time in the program")                               \
    X(rusage_system, TEXT, "seconds of processor time in the system")                              \
    X(max_connections, GAUGE, "connections allowed at a time")                                     \
    X(limit_maxbytes, GAUGE, "bytes of `memory`")

struct process {
    struct clock *clock; /* borrowed */
    struct instant started;
    size_t max_connections;
    size_t memory_bytes;
};
extern const struct metric_table process_metric_table;

/** Add the lines (registry_report_fn; context is a struct process). */
void process_report(void *process, struct report *report);

#endif
