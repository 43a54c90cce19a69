/* Checksums of what is on disk: XXH3, 64 bits, seeded.
 *
 * Private to the journal. It finds damage, not forgery. Pure; no allocation. Library: docs/decisions/0010. */
#ifndef SESSIOND_SRC_JOURNAL_CHECKSUM_H
#define SESSIOND_SRC_JOURNAL_CHECKSUM_H

#include "sessiond/base/slice.h"

#include <stdint.h>

/** Over all pieces, one behind the other. */
uint64_t checksum_of(uint64_t seed, const struct slice *pieces, size_t n_pieces);

#endif
