/* Checksums. The library's code is compiled in: its state has no fixed size otherwise. Pure. */
#include "checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t checksum_of(uint64_t seed, const struct slice *pieces, size_t n_pieces)
{
    XXH3_state_t state;

    if (n_pieces == 1) {
        return XXH3_64bits_withSeed(pieces[0].data, pieces[0].size, seed);
    }
    XXH3_INITSTATE(&state);
    (void)XXH3_64bits_reset_withSeed(&state, seed);
    for (size_t i = 0; i < n_pieces; i++) {
        (void)XXH3_64bits_update(&state, pieces[i].data, pieces[i].size);
    }
    return XXH3_64bits_digest(&state);
}
