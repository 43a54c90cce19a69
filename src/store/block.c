/* Large values. Not how they arrive (upload.c). Threads: any. Memory: one run of pages each. */
#include "block.h"

struct value_block *block_create(struct arena *arena, size_t size, size_t allocated)
{
    struct value_block *block = arena_take(arena, sizeof *block + allocated);

    if (block != NULL) {
        block->arena = arena;
        block->size = size;
        block->allocated = allocated;
        atomic_init(&block->references, 1);
    }
    return block;
}

size_t block_cost(const struct arena *arena, size_t allocated)
{
    return arena_size(arena, sizeof(struct value_block) + allocated);
}

struct slice value_block_bytes(const struct value_block *block)
{
    return slice_of(block->bytes, block->size);
}

void value_block_acquire(struct value_block *block)
{
    atomic_fetch_add_explicit(&block->references, 1, memory_order_relaxed);
}

void value_block_release(struct value_block *block)
{
    if (atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) == 1) {
        /* The arena zeroes it. */
        arena_give(block->arena, block, sizeof *block + block->allocated);
    }
}
