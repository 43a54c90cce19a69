/* Metric tables: sums over their owners, resets, reports. Threads: any. Memory: none. */
#include "sessiond/base/metric.h"

const char *metric_kind_text(enum metric_kind kind)
{
    static const char *const texts[] = {"counter", "total", "gauge", "always 0", "text"};

    return texts[kind];
}

void metric_sum(const struct metric_table *table, const void *owner, uint64_t *totals)
{
    const _Atomic uint64_t *counters = owner;

    for (size_t i = 0; i < table->n_rows; i++) {
        totals[i] += metric_read(&counters[i]);
    }
}

void metric_reset(const struct metric_table *table, struct metric_baseline *baseline,
                  const uint64_t *totals)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        if (table->rows[i].kind == METRIC_COUNTER) {
            /* Whoever sees this baseline sees the counters at least as high. */
            atomic_store_explicit(&baseline->totals[i], totals[i], memory_order_release);
        }
    }
}

void metric_begin(const struct metric_table *table, const struct metric_baseline *baseline,
                  uint64_t *totals)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        totals[i] = -atomic_load_explicit(&baseline->totals[i], memory_order_acquire);
    }
}

void metric_report(const struct metric_table *table, const uint64_t *totals, struct report *report)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        report_add_u64(report, table->rows[i].name, totals[i]);
    }
}
