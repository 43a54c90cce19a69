/* Pages of the arena for what the store keeps beside its entries: the index, the wheel.
 *
 * Private to the store. Counts them, and charges them to the data budget and, if there is one, to `held`; they go back
 * together, with the arena. Threads: under the shard's lock. */
#ifndef SESSIOND_SRC_STORE_PAGES_H
#define SESSIOND_SRC_STORE_PAGES_H

#include "arena.h"
#include "sessiond/base/budget.h"

struct pages {
    struct arena *arena;   /* borrowed */
    struct budget *budget; /* borrowed */
    struct budget *held;   /* borrowed; NULL: what they hold is charged otherwise */
    size_t n_pages;        /* charged */
};

/** A page of zeros, or NULL.
 *  limit  bytes up to which `held` may be used */
void *pages_add(struct pages *pages, size_t limit);

/** The same for what must not fail for a budget's sake; NULL: the system has none. */
void *pages_add_always(struct pages *pages);

static inline size_t pages_size(const struct pages *pages)
{
    return arena_page_size(pages->arena);
}

/** Uncharge all of them. */
void pages_release(struct pages *pages);

#endif
