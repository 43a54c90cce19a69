/* The heap of one shard: places for its entries in pages that are filled one after the other.
 *
 * Private to the store. A place has no header: pages can be walked because an entry knows its size, and
 * what is free between entries is a filler that says its own. Freed places are not used again by
 * themselves; the page is squeezed when that pays (compact.h). Threads: under the shard's lock. Memory:
 * pages of the arena, charged to the data budget. */
#ifndef SESSIOND_SRC_STORE_HEAP_H
#define SESSIOND_SRC_STORE_HEAP_H

#include "arena.h"
#include "sessiond/base/budget.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    HEAP_UNIT = 8,          /* bytes; places are multiples of it */
    HEAP_PAGE_MIN = 8192,   /* bytes */
    HEAP_PAGE_MAX = 65536,  /* bytes: the most that one squeeze moves */
    HEAP_PAGES_WANTED = 64, /* of a full heap, so that its open page is little of it */
    HEAP_PLACES_MIN = 4,    /* places of the largest size in one page */
    HEAP_HEADER_SIZE = 8,   /* bytes at a page's start */
};

struct heap_page {
    uint8_t *start;
    uint32_t live; /* bytes of places in use */
    uint32_t end;  /* bytes from `start` on that are places, in use or not; the rest is zeros */
    uint32_t top;  /* bytes that have been places once, as of the last heap_reopen */
};

struct heap {
    struct arena *arena;     /* borrowed */
    struct budget *budget;   /* borrowed */
    size_t page_size;        /* immutable */
    struct heap_page *pages; /* those that are there */
    size_t n_pages;
    size_t capacity; /* of the array */
    size_t open;     /* number of the page that is being filled; n_pages when there is none */
    size_t live;     /* bytes of places in use, in all pages */
    size_t ends;     /* sum of all pages' `end` */
};

/** Bytes of the pages of a heap that may grow to `memory` bytes. */
size_t heap_page_size(size_t memory);

/** Bytes that a place for `size` bytes takes. */
static inline size_t heap_round(size_t size)
{
    return (size + HEAP_UNIT - 1) / HEAP_UNIT * HEAP_UNIT;
}

/** Bytes of pages that a place for `size` bytes takes on average, with its share of what is left at
 *  pages' ends because the next one was too large: half of it, once for each page. */
static inline size_t heap_cost(size_t size, size_t page_size)
{
    size_t rounded = heap_round(size);

    return rounded + rounded * rounded / (2 * page_size);
}

void heap_init(struct heap *heap, struct arena *arena, struct budget *budget, size_t page_size);

/** Uncharge the pages, whatever is in them; they go with the arena. */
void heap_fini(struct heap *heap);

/** A hint for the processor that a place for `size` bytes may be taken soon. */
void heap_fetch_place(const struct heap *heap, size_t size);

/** A place in the page that is being filled, not zeroed; NULL: it has no room. */
void *heap_place(struct heap *heap, size_t size);

/** Take a new page, which is the one that is being filled from now on. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status heap_add_page(struct heap *heap);

/** Zero and free a place of `size` bytes. A page that is empty then goes back to the arena. */
void heap_free(struct heap *heap, void *place, size_t size);

/** Zero and free the end of a place that needs `now` of its `before` bytes. */
void heap_shrink(struct heap *heap, void *place, size_t before, size_t now);

/** Make one free place of these bytes of a page, from `at` up to `end`: what was in use there has moved down to in front
 *  of it, and is counted as before. */
void heap_vacate(struct heap_page *page, size_t at, size_t end);

/** Step through a page: *at is 0 at first. Returns a place in use (its size is the caller's to know and
 *  to be given as `last_size` at the next call; 0 at first), or NULL behind the last one. */
void *heap_walk(const struct heap_page *page, size_t *at, size_t last_size);

/** Let this page be the one that is being filled, from `end` on; what is behind is zeroed. */
void heap_reopen(struct heap *heap, size_t number, size_t end);

/** The page with the least in use; n_pages when there is none. */
size_t heap_sparsest(const struct heap *heap);

/** The page with most that was freed between places, but for the open one; n_pages when there is no
 *  other. */
size_t heap_loosest(const struct heap *heap);

/** Bytes of a page that no place in use has. */
static inline size_t heap_page_free(const struct heap *heap, size_t number)
{
    return heap->page_size - HEAP_HEADER_SIZE - heap->pages[number].live;
}

/** Bytes of a page, from its start on, that have been written to: behind them it takes no memory. */
static inline size_t heap_page_touched(const struct heap_page *page)
{
    return page->top > page->end ? page->top : page->end;
}

/** Bytes that are free in all pages. */
size_t heap_waste(const struct heap *heap);

/** Bytes that were freed between places, in all pages. */
static inline size_t heap_loose(const struct heap *heap)
{
    return heap->ends - heap->n_pages * HEAP_HEADER_SIZE - heap->live;
}

#endif
