/* Checksums. The library's code is compiled in: its state has no fixed size otherwise. Pure. */
#include "checksum.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <xxhash.h>

enum { STACK_USED = 2048 }; /* bytes, at most, by what follows */

static __attribute__((noinline)) uint64_t of_pieces(uint64_t seed, const struct slice *pieces,
                                                    size_t n_pieces)
{
    XXH3_state_t state;

    XXH3_INITSTATE(&state);
    (void)XXH3_64bits_reset_withSeed(&state, seed);
    for (size_t i = 0; i < n_pieces; i++) {
        (void)XXH3_64bits_update(&state, pieces[i].data, pieces[i].size);
    }
    return XXH3_64bits_digest(&state);
}

/* The library leaves the last bytes on the stack, and they may be a value's. */
static __attribute__((noinline)) void wipe_stack(void)
{
    uint8_t used[STACK_USED];

    explicit_bzero(used, sizeof used);
}

uint64_t checksum_of(uint64_t seed, const struct slice *pieces, size_t n_pieces)
{
    uint64_t checksum;

    if (n_pieces == 1) {
        return XXH3_64bits_withSeed(pieces[0].data, pieces[0].size, seed);
    }
    checksum = of_pieces(seed, pieces, n_pieces);
    wipe_stack();
    return checksum;
}

struct checksum {
    XXH3_state_t state;
};

enum sess_status checksum_create(uint64_t seed, struct checksum **out)
{
    *out = aligned_alloc(_Alignof(struct checksum), sizeof **out);
    if (*out == NULL) {
        return SESS_NO_MEMORY;
    }
    XXH3_INITSTATE(&(*out)->state);
    (void)XXH3_64bits_reset_withSeed(&(*out)->state, seed);
    return SESS_OK;
}

void checksum_add(struct checksum *checksum, struct slice bytes)
{
    (void)XXH3_64bits_update(&checksum->state, bytes.data, bytes.size);
}

uint64_t checksum_value(const struct checksum *checksum)
{
    return XXH3_64bits_digest(&checksum->state);
}

void checksum_destroy(struct checksum **checksum)
{
    if (*checksum != NULL) {
        explicit_bzero(*checksum, sizeof **checksum);
        free(*checksum);
        *checksum = NULL;
    }
}
