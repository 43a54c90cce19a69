/* A log-linear histogram of latencies: right to one part in 64, of fixed size.
 *
 * Whose latencies and from when to when, says load.c. */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stdint.h>

enum {
    LATENCY_SUB_BITS = 6,
    LATENCY_BUCKETS = 64 << LATENCY_SUB_BITS,
};

struct latency {
    uint64_t total;
    uint64_t most_ns; /* the longest, exactly */
    uint64_t buckets[LATENCY_BUCKETS];
};

void latency_add(struct latency *latency, uint64_t ns);

/** The latency that `share` of all do not exceed, in microseconds; 0 when there are none. */
double latency_percentile_us(const struct latency *latency, double share);

#endif
