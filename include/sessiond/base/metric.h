/* Metrics as rows of tables: one row gives the counter, its line in `stats` and its line in the
 * docs.
 *
 * Counters live with their owner (a worker, a shard, a listener), which alone writes them; readers
 * add up the owners. A module writes its table once:
 *
 *     #define NET_METRICS(X) X(bytes_read, COUNTER, "bytes received from clients")
 *     struct net_metrics { NET_METRICS(METRIC_DECLARE) };
 *
 * The names are memcached's where memcached has the figure. */
#ifndef SESSIOND_BASE_METRIC_H
#define SESSIOND_BASE_METRIC_H

#include "sessiond/base/report.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum metric_kind {
    METRIC_COUNTER, /* only grows, but `stats reset` lets it begin at 0 again, as in memcached */
    METRIC_TOTAL,   /* only grows, from the start to the end of the process */
    METRIC_GAUGE,   /* a present state */
    METRIC_ZERO,    /* always 0: memcached's name for what does not happen here */
    METRIC_TEXT,    /* words, not a number */
};

struct metric_row {
    const char *name; /* as in `STAT name value` */
    enum metric_kind kind;
    const char *doc;
};

struct metric_table {
    const struct metric_row *rows;
    size_t n_rows; /* <= METRIC_ROWS_MAX */
};

#define METRIC_DECLARE(name, kind, doc) _Atomic uint64_t name;
#define METRIC_ROW(name, kind, doc) {#name, METRIC_##kind, doc},

enum { METRIC_ROWS_MAX = 64 }; /* rows of one table */

/* What the counters of a table stood at when they were last reset. Zeroed: never. Threads: any. */
struct metric_baseline {
    _Atomic uint64_t totals[METRIC_ROWS_MAX];
};

/** Add to a counter. Threads: the owner only (others may read at the same time). */
static inline void metric_add(_Atomic uint64_t *metric, uint64_t n)
{
    /* One writer, so no locked instruction is needed. */
    atomic_store_explicit(metric, atomic_load_explicit(metric, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline uint64_t metric_read(const _Atomic uint64_t *metric)
{
    return atomic_load_explicit(metric, memory_order_relaxed);
}

/** The kind as a word, for the docs. */
const char *metric_kind_text(enum metric_kind kind);

/** Add one owner's struct (n_rows counters in the table's order) to `totals`. */
void metric_sum(const struct metric_table *table, const void *owner, uint64_t *totals);

/** Let the counters of the table count from `totals` on. Owners are not written to. */
void metric_reset(const struct metric_table *table, struct metric_baseline *baseline,
                  const uint64_t *totals);

/** Begin totals since the last reset: add the owners to them afterwards, not before, so that a reset
 *  meanwhile cannot make them negative. */
void metric_begin(const struct metric_table *table, const struct metric_baseline *baseline,
                  uint64_t *totals);

/** Add the totals to a report, a line a row. */
void metric_report(const struct metric_table *table, const uint64_t *totals, struct report *report);

#endif
