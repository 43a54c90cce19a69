/* Random numbers that are the same in every run, so that a failure can be repeated.
 *
 * Not for secrets. Source: Steele, Lea, Flood: Fast splittable pseudorandom number generators
 * (2014), "SplitMix". */
#ifndef SESSIOND_TESTS_SUPPORT_TEST_RANDOM_H
#define SESSIOND_TESTS_SUPPORT_TEST_RANDOM_H

#include <stdint.h>

struct test_random {
    uint64_t state; /* the seed at first */
};

static inline uint64_t test_random_next(struct test_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/** 0 to bound - 1. */
static inline uint64_t test_random_below(struct test_random *random, uint64_t bound)
{
    return test_random_next(random) % bound;
}

#endif
