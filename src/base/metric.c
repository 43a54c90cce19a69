/* Metric tables to reports. Threads: any. Memory: none. */
#include "sessiond/base/metric.h"

void metric_sum(const struct metric_table *table, const void *owner, uint64_t *totals)
{
    const _Atomic uint64_t *counters = owner;

    for (size_t i = 0; i < table->n_rows; i++) {
        totals[i] += metric_read(&counters[i]);
    }
}

void metric_report(const struct metric_table *table, const uint64_t *totals, struct report *report)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        report_add_u64(report, table->rows[i].name, totals[i]);
    }
}
