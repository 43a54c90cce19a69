/* The histogram: below 2^7 a bucket for every ns, above 2^6 buckets for every doubling. */
#include "latency.h"

enum { LINEAR = 2 << LATENCY_SUB_BITS };

void latency_add(struct latency *latency, uint64_t ns)
{
    unsigned shift = 0;

    while ((ns >> shift) >= LINEAR) {
        shift++;
    }
    latency->buckets[(shift << LATENCY_SUB_BITS) + (unsigned)(ns >> shift)]++;
    latency->total++;
    if (ns > latency->most_ns) {
        latency->most_ns = ns;
    }
}

/* The middle of a bucket. */
static double bucket_ns(unsigned bucket)
{
    unsigned shift = bucket < LINEAR ? 0 : (bucket >> LATENCY_SUB_BITS) - 1;
    unsigned start = bucket - (shift << LATENCY_SUB_BITS);

    return ((double)start + 0.5) * (double)(UINT64_C(1) << shift);
}

double latency_percentile_us(const struct latency *latency, double share)
{
    double wanted = (double)latency->total * share;
    uint64_t seen = 0;

    for (unsigned bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
        seen += latency->buckets[bucket];
        if (seen > 0 && (double)seen >= wanted) {
            return bucket_ns(bucket) / 1000;
        }
    }
    return 0;
}
