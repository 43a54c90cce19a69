/* The store's metrics: one struct for each shard, written under its lock.
 *
 * Not the commands' counters (command/metrics.h). Source of the names: memcached doc/protocol.txt,
 * "General-purpose statistics". */
#ifndef SESSIOND_STORE_METRICS_H
#define SESSIOND_STORE_METRICS_H

#include "sessiond/base/metric.h"

#define STORE_METRICS(X)                                                                           \
    X(curr_items, GAUGE, "sessions held now")                                                      \
    X(total_items, COUNTER, "values stored since the start")                                       \
    X(bytes, GAUGE, "bytes of keys, values and their entries")                                     \
    X(reclaimed, COUNTER, "entries whose memory was taken back after their deadline")              \
    X(expired_unfetched, COUNTER, "of these, those that were never read")                          \
    X(get_expired, COUNTER, "looks that found a session after its deadline")                       \
    X(get_flushed, COUNTER, "looks that found a session that was flushed")                         \
    X(sessions_created, TOTAL, "values stored under a key that had none")                          \
    X(sessions_renewed, TOTAL, "live sessions stored again, or given more time")                   \
    X(sessions_deleted, TOTAL, "live sessions ended by a command")                                 \
    X(sessions_flushed, TOTAL, "entries taken back after a flush")                                 \
    X(sessions_restored, TOTAL, "sessions stored by restore")                                      \
    X(sessions_capped, TOTAL, "times that a session was given a shorter life than asked for")      \
    X(sessions_held, GAUGE, "sessions that were ended and cannot be saved again yet")              \
    X(sessions_revived_refused, TOTAL, "late saves of an ended session, refused by logout-hold")   \
    X(sessions_unused, TOTAL, "new sessions that first-write-ttl ended: nobody used them again")   \
    X(entries_moved, TOTAL, "times that an entry was moved so that a page could be given back")

struct store_metrics {
    STORE_METRICS(METRIC_DECLARE)
};
extern const struct metric_table store_metric_table;

#endif
