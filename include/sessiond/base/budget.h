/* Budgets: the memory accounts that `memory` is split into.
 *
 * Not an allocator: it counts what others allocate, and says no before the limit. None of the
 * accounts can starve another. Threads: any; the calls are atomic. */
#ifndef SESSIOND_BASE_BUDGET_H
#define SESSIOND_BASE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct budget {
    _Atomic size_t used; /* bytes charged, <= limit but for budget_charge_always */
    size_t limit;        /* bytes; immutable after budget_init */
};

static inline void budget_init(struct budget *budget, size_t limit_bytes)
{
    atomic_init(&budget->used, 0);
    budget->limit = limit_bytes;
}

/** Charge `bytes` if no more than `most` (at most the limit counts) are then used. Returns false, and
 *  charges nothing, if not. */
static inline bool budget_charge_within(struct budget *budget, size_t bytes, size_t most)
{
    size_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
    size_t limit = most < budget->limit ? most : budget->limit;

    /* What does not fit is never added, not even for a moment in which others would be refused. */
    do {
        if (bytes > limit || used > limit - bytes) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&budget->used, &used, used + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

/** Charge `bytes` if they fit under the limit. Returns false, and charges nothing, if not. */
static inline bool budget_charge(struct budget *budget, size_t bytes)
{
    return budget_charge_within(budget, bytes, budget->limit);
}

/** Charge what cannot be refused any more, over the limit too. */
static inline void budget_charge_always(struct budget *budget, size_t bytes)
{
    atomic_fetch_add_explicit(&budget->used, bytes, memory_order_relaxed);
}

/** Give back `bytes` that were charged. */
static inline void budget_release(struct budget *budget, size_t bytes)
{
    atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);
}

static inline size_t budget_used(struct budget *budget)
{
    return atomic_load_explicit(&budget->used, memory_order_relaxed);
}

#endif
