/* Squeezing pages. Not places and fillers (heap.c). Threads: under the shard's lock. Memory: pages. */
#include "compact.h"

#include "poison.h"

#include <string.h>

enum {
    PLACE_WASTE_SHARE = 16, /* a 16th of the pages is free: squeeze one before another is taken */
    PLACE_GAIN_SHARE = 8,   /* if that gains an 8th of it at least */
    STEP_LOOSE_SHARE = 20,  /* a 20th was freed: give pages back in the background */
    STEP_LOOSE_PAGES = 1,
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Everybody who knows where the entry is learns where it is now. The places may overlap. What rounds the
 * place up is 0 and moves along, else it would keep bytes of what was there before. */
static void move_entry(struct shard *shard, struct entry *from, struct entry *to, size_t size)
{
    uint64_t hash;

    memmove(to, from, heap_round(size));
    hash = index_hash(&shard->index, to);
    index_replace(index_find_entry(&shard->index, hash, from), to);
}

/* Move a page's entries together to its start, and let it be the open one. */
static void squeeze(struct shard *shard, size_t number)
{
    struct heap_page *page = &shard->heap.pages[number];
    size_t end = HEAP_HEADER_SIZE;
    size_t at = 0;
    size_t size = 0;
    struct entry *entry;

    while ((entry = heap_walk(page, &at, size)) != NULL) {
        struct entry *to = (struct entry *)(void *)(page->start + end);

        size = entry_size(entry);
        if (to != entry) {
            memory_unpoison(to, heap_round(size));
            move_entry(shard, entry, to, size);
        }
        end += heap_round(size);
    }
    heap_reopen(&shard->heap, number, end);
}

/* Squeeze the page that has most to gain, if that is at least `gain` bytes. */
static bool squeeze_best(struct shard *shard, size_t gain)
{
    size_t number = heap_sparsest(&shard->heap);

    if (number == shard->heap.n_pages || heap_page_free(&shard->heap, number) < gain) {
        return false;
    }
    squeeze(shard, number);
    return true;
}

void *compact_place(struct shard *shard, size_t size)
{
    struct heap *heap = &shard->heap;
    size_t rounded = heap_round(size);
    size_t waste;
    void *place = heap_place(heap, size);

    if (place != NULL) {
        return place;
    }
    waste = heap_waste(heap);
    if ((waste * PLACE_WASTE_SHARE >= heap->n_pages * heap->page_size &&
         squeeze_best(shard, larger(rounded, heap->page_size / PLACE_GAIN_SHARE))) ||
        heap_add_page(heap) == SESS_OK || squeeze_best(shard, rounded)) {
        place = heap_place(heap, size);
    }
    return place;
}

/* What is left at the ends of pages does not count: it was too little for the next entry, and moving
 * those would not change that. */
bool compact_pays(const struct shard *shard, bool is_pressed)
{
    const struct heap *heap = &shard->heap;
    size_t loose = heap_loose(heap);

    return heap->n_pages > 1 && loose >= STEP_LOOSE_PAGES * heap->page_size &&
           (is_pressed || loose * STEP_LOOSE_SHARE >= heap->n_pages * heap->page_size);
}

void compact_step(struct shard *shard)
{
    struct heap *heap = &shard->heap;
    size_t number = heap_loosest(heap);
    size_t at = 0;
    size_t size = 0;
    struct entry *entry;

    while ((entry = heap_walk(&heap->pages[number], &at, size)) != NULL) {
        bool is_last;
        struct entry *to;

        size = entry_size(entry);
        is_last = heap->pages[number].live == heap_round(size);
        to = heap_place(heap, size);
        if (to == NULL) {
            squeeze(shard, number);
            return;
        }
        move_entry(shard, entry, to, size);
        heap_free(heap, entry, size);
        if (is_last) {
            return;
        }
    }
}
