/* Large values: an immutable value of its own, with a count of references.
 *
 * Private to the store; what others may do with one is sessiond/store/value.h. Threads: any. Memory: a run
 * of the arena. It is not charged here: to the data budget by the entry that it belongs to, to the
 * budget in flight while it arrives, and by whoever keeps a reference for longer. */
#ifndef SESSIOND_SRC_STORE_BLOCK_H
#define SESSIOND_SRC_STORE_BLOCK_H

#include "arena.h"
#include "sessiond/store/value.h"

#include <stdatomic.h>
#include <stdint.h>

enum { BLOCK_TAIL_MAX = 64 }; /* bytes behind a value */

struct value_block {
    /* immutable */
    struct arena *arena;
    size_t size;      /* bytes of the value */
    size_t allocated; /* bytes behind this header */

    _Atomic uint32_t references;
    _Atomic uint32_t lent;    /* of them: to replies; above 0 the size is charged to their budget */
    struct value_block *next; /* of those that whoever took out their entries will release */
    uint8_t bytes[];
};

/** A block with room for `allocated` >= `size` bytes, all 0, and one reference; or NULL. It takes memory
 *  as it is filled. */
struct value_block *block_create(struct arena *arena, size_t size, size_t allocated);

/** Bytes of addresses for a block with a value of `size` bytes and whatever is wanted behind it. */
static inline size_t block_largest(size_t size)
{
    return sizeof(struct value_block) + size + BLOCK_TAIL_MAX;
}

/** Bytes of memory that a block with so much allocated takes when it is filled. */
size_t block_cost(const struct arena *arena, size_t allocated);

#endif
