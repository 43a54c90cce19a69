/* Large values by reference: how whoever must copy one does so outside the shard's lock.
 *
 * A block is an immutable value of more than STORE_COPY_MAX bytes. The last release zeroes and frees
 * it. Threads: any; but the first reference is taken under the lock of the shard that holds the entry. */
#ifndef SESSIOND_STORE_VALUE_H
#define SESSIOND_STORE_VALUE_H

#include "sessiond/base/budget.h"
#include "sessiond/base/slice.h"

struct value_block;

/** The value's bytes: they hold, unchanged, while there is a reference. */
struct slice value_block_bytes(const struct value_block *block);

/** Take one more reference. */
void value_block_acquire(struct value_block *block);

/** Give one back. */
void value_block_release(struct value_block *block);

/** Take one more reference for a reply on its way to a client, however long that takes. Of all that
 *  lend one block at a time only the first is charged its size: it is in memory once. Returns false,
 *  with nothing taken, if `replies` has no room. */
bool value_block_lend(struct value_block *block, struct budget *replies);

/** The same, over the limit too. */
void value_block_lend_always(struct value_block *block, struct budget *replies);

/** Give back one that was lent. */
void value_block_take_back(struct value_block *block, struct budget *replies);

#endif
