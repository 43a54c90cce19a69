/* Checksums of what is on disk: XXH3, 64 bits, seeded.
 *
 * Private to the journal. It finds damage, not forgery. Pure but for a running one, which is allocated. Library: docs/decisions/0010. */
#ifndef SESSIOND_SRC_JOURNAL_CHECKSUM_H
#define SESSIOND_SRC_JOURNAL_CHECKSUM_H

#include "sessiond/base/slice.h"
#include "sessiond/base/status.h"

#include <stdint.h>

/** Over all pieces, one behind the other. */
uint64_t checksum_of(uint64_t seed, const struct slice *pieces, size_t n_pieces);

/* A checksum that is still being added to. */
struct checksum;

/** returns OK (checksum_destroy) | NO_MEMORY */
SESS_MUST_CHECK enum sess_status checksum_create(uint64_t seed, struct checksum **out);
void checksum_add(struct checksum *checksum, struct slice bytes);

/** Over all that was added, as checksum_of. */
uint64_t checksum_value(const struct checksum *checksum);

/** Free it, zeroed, and set *checksum to NULL. */
void checksum_destroy(struct checksum **checksum);

#endif
