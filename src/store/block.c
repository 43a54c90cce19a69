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
        atomic_init(&block->lent, 0);
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

/* One more, if it is lent already. */
static bool lend_again(struct value_block *block)
{
    uint32_t lent = atomic_load_explicit(&block->lent, memory_order_relaxed);

    while (lent > 0) {
        if (atomic_compare_exchange_weak_explicit(&block->lent, &lent, lent + 1,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            value_block_acquire(block);
            return true;
        }
    }
    return false;
}

/* The first, or one of several that were first at the same time: only one of them stays charged. */
static void lend_charged(struct value_block *block, struct budget *replies)
{
    if (atomic_fetch_add_explicit(&block->lent, 1, memory_order_relaxed) > 0) {
        budget_release(replies, block->size);
    }
    value_block_acquire(block);
}

bool value_block_lend(struct value_block *block, struct budget *replies)
{
    if (lend_again(block)) {
        return true;
    }
    if (!budget_charge(replies, block->size)) {
        return false;
    }
    lend_charged(block, replies);
    return true;
}

void value_block_lend_always(struct value_block *block, struct budget *replies)
{
    if (!lend_again(block)) {
        budget_charge_always(replies, block->size);
        lend_charged(block, replies);
    }
}

void value_block_take_back(struct value_block *block, struct budget *replies)
{
    if (atomic_fetch_sub_explicit(&block->lent, 1, memory_order_relaxed) == 1) {
        budget_release(replies, block->size);
    }
    value_block_release(block);
}
