/* What the store holds, for people and monitors: sessions by size, age and remaining life, and how even
 * the shards are.
 *
 * Sizes are counted as entries come and go. Ages, remaining lives and who was never renewed are estimated
 * from a sample of at most about 10,000 entries, taken one shard's lock at a time. Nothing here scans the
 * store.
 * Threads: any. Decision: docs/decisions/0009-session-figures.md. */
#ifndef SESSIOND_STORE_FIGURES_H
#define SESSIOND_STORE_FIGURES_H

#include "sessiond/base/metric.h"

#define INDEX_METRICS(X)                                                                           \
    X(hash_power_level, GAUGE, "binary logarithm of the index's buckets")                          \
    X(hash_bytes, GAUGE, "bytes of the index")
struct index_metrics {
    INDEX_METRICS(METRIC_DECLARE)
};
extern const struct metric_table store_index_metric_table;

#define FOOTPRINT_METRICS(X)                                                                       \
    X(index_bytes, GAUGE, "bytes of the index")                                                    \
    X(timer_bytes, GAUGE, "bytes of the timers' records")                                          \
    X(heap_bytes, GAUGE, "bytes of the pages that sessions stand in, as far as they were filled")  \
    X(unfilled_bytes, GAUGE,                                                                       \
      "bytes of these pages that nothing has stood in yet: no memory, but in huge pages")          \
    X(ahead_bytes, GAUGE, "bytes that a large store has taken ahead for the pages to come")        \
    X(place_bytes, GAUGE,                                                                          \
      "bytes of the sessions in them: headers, keys, values, and up to 7 more")                    \
    X(header_bytes, GAUGE, "bytes of the headers, but for flags and the like that a few have")     \
    X(shared_bytes, GAUGE,                                                                         \
      "bytes of keys that sessions need not have, as many begin alike: an estimate")               \
    X(block_bytes, GAUGE, "bytes of large values, which are blocks of their own")                  \
    X(table_bytes, GAUGE, "bytes of the tables that say where those pages are")
struct footprint_metrics {
    FOOTPRINT_METRICS(METRIC_DECLARE)
};

/** Add up the index's figures (a registry_sum_fn; context is the store). */
void store_sum_index(void *store, uint64_t *totals);

/** `stats sessions`, but for what the metrics count (a registry_report_fn; context is the store). */
void store_report_sessions(void *store, struct report *report);

/** `stats sizes`: the number of entries of each size that there is (likewise). */
void store_report_sizes(void *store, struct report *report);

/** `stats shards` (likewise). */
void store_report_shards(void *store, struct report *report);

/** `stats memory` (likewise): the rows of FOOTPRINT_METRICS. O(pages of sessions). */
void store_report_footprint(void *store, struct report *report);

#endif
