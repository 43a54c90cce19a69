/* What fuzz targets share: checks that abort, and random numbers that the input decides.
 *
 * Not for the daemon. libFuzzer calls LLVMFuzzerTestOneInput again and again, from one thread; what it does
 * depends on the input alone, so each find can be replayed. */
#ifndef SESSIOND_TESTS_FUZZ_FUZZ_H
#define SESSIOND_TESTS_FUZZ_FUZZ_H

#include "sessiond/base/slice.h"

#include "test_random.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

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

/** Add bytes to a digest (FNV-1a). */
static inline uint64_t fuzz_digest(uint64_t digest, struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        digest = (digest ^ bytes.data[i]) * UINT64_C(0x100000001b3);
    }
    return digest;
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

#endif
