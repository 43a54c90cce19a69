/* What fuzz targets share: checks that abort, and random numbers that the input decides.
 *
 * Not for the daemon. libFuzzer calls LLVMFuzzerTestOneInput again and again, from one thread; what it does
 * depends on the input alone, so each find can be replayed. */
#ifndef SESSIOND_TESTS_FUZZ_FUZZ_H
#define SESSIOND_TESTS_FUZZ_FUZZ_H

#include "sessiond/base/slice.h"

#include "test_random.h"

#include <sanitizer/asan_interface.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

/* Whether assertions of the code itself or of the target fail: libFuzzer keeps the input. */
#define FUZZ_CHECK(expression)                                                                     \
    do {                                                                                           \
        if (!(expression)) {                                                                       \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #expression);  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_DIGEST_BEGIN UINT64_C(0xcbf29ce484222325)

/** Add bytes to a digest. */
static inline uint64_t fuzz_digest(uint64_t digest, struct slice bytes)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.size, digest);
}

/** The same for a number. */
static inline uint64_t fuzz_digest_number(uint64_t digest, uint64_t number)
{
    return fuzz_digest(digest, slice_of(&number, sizeof number));
}

/** Random numbers that follow from the input. */
static inline struct test_random fuzz_random(struct slice input)
{
    return (struct test_random){fuzz_digest(FUZZ_DIGEST_BEGIN, input) | 1};
}

/** A copy of exactly these bytes, so that the sanitizer sees any other one read; to be freed. */
static inline uint8_t *fuzz_copy(struct slice bytes)
{
    uint8_t *copy = malloc(bytes.size > 0 ? bytes.size : 1);

    FUZZ_CHECK(copy != NULL);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return copy;
}

enum {
    FUZZ_PIECE_MAX = 8 << 10, /* bytes; inputs have fewer */
    FUZZ_PIECE_GAP = 64,
    FUZZ_PIECES = 4,
};

/** A copy of exactly these bytes, for inputs that come in many pieces: as fuzz_copy, but faster. It holds until the
 *  next call; the sanitizer sees it used later. */
static inline struct slice fuzz_piece(struct slice bytes)
{
    static alignas(FUZZ_PIECE_GAP) uint8_t places[FUZZ_PIECES][FUZZ_PIECE_MAX + FUZZ_PIECE_GAP];
    static size_t n_calls;
    uint8_t *place = places[++n_calls % FUZZ_PIECES];

    FUZZ_CHECK(bytes.size <= FUZZ_PIECE_MAX);
    ASAN_POISON_MEMORY_REGION(places, sizeof places);
    ASAN_UNPOISON_MEMORY_REGION(place, bytes.size);
    if (bytes.size > 0) {
        memcpy(place, bytes.data, bytes.size);
    }
    return slice_of(place, bytes.size);
}

#endif
