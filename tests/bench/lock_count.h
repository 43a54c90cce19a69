/* Counts the mutexes that a thread had to wait for: programs that are linked with --wrap=pthread_mutex_lock.
 *
 * The store is not changed for it. A lock that is free costs what it cost. Threads: each has its own counts. */
#ifndef BENCH_LOCK_COUNT_H
#define BENCH_LOCK_COUNT_H

#include <stdint.h>

struct lock_count {
    uint64_t n_waits;
    uint64_t waited_ns; /* of the wall clock */
};

/** What the calling thread has waited since its start, or since it asked last. */
struct lock_count lock_count_take(void);

#endif
