/* Random draws: numbers, which session is asked for, how long a value is.
 *
 * The same seed draws the same. Not what is asked with them (workload.h). Not for secrets. */
#ifndef BENCH_DRAW_H
#define BENCH_DRAW_H

#include <stddef.h>
#include <stdint.h>

/** The finaliser of splitmix64: a number that looks random, of one that need not. */
uint64_t draw_mix(uint64_t x);

/** The next random number. */
uint64_t draw_next(uint64_t *state);

enum { POPULARITY_CELLS = 1 << 16, LENGTH_CELLS = 1 << 12 };

/* How often each of n is asked for: the r-th most often as r^-exponent, Zipf's law. */
struct popularity {
    uint64_t n;
    uint32_t *ranks; /* at each part of POPULARITY_CELLS of all requests; NULL: uniform */
};

/** exponent_percent  100 times the exponent; 0: all the same */
void popularity_prepare(struct popularity *popularity, uint64_t n, uint64_t exponent_percent);
void popularity_release(struct popularity *popularity);

/** One of 0 to n - 1; those that are asked for most are spread over them. */
uint64_t popularity_draw(const struct popularity *popularity, uint64_t *state);

/* How long values are: lognormal by its median and 95th per cent, or uniform, from `least` to `most` bytes. */
struct length_form {
    uint64_t least, most;
    uint64_t median, p95; /* 0: uniform */
};

/* Lengths in order, each as often as the others. */
struct lengths {
    uint32_t cells[LENGTH_CELLS];
};

void lengths_prepare(struct lengths *lengths, const struct length_form *form);

#endif
