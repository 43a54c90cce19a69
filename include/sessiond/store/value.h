/* Large values by reference: how whoever must copy one does so outside the shard's lock.
 *
 * A block is an immutable value of more than STORE_COPY_MAX bytes. The last release zeroes and frees
 * it. Threads: any; but the first reference is taken under the lock of the shard that holds the entry. */
#ifndef SESSIOND_STORE_VALUE_H
#define SESSIOND_STORE_VALUE_H

#include "sessiond/base/slice.h"

struct value_block;

/** The value's bytes: they hold, unchanged, while there is a reference. */
struct slice value_block_bytes(const struct value_block *block);

/** Take one more reference. */
void value_block_acquire(struct value_block *block);

/** Give one back. */
void value_block_release(struct value_block *block);

#endif
