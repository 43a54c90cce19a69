/* Squeezing pages. Not places and fillers (heap.c). Threads: under the shard's lock. Memory: pages.
 *
 * No state is kept between steps: what a step has moved out of a page makes it the loosest one, and what it has moved
 * down is found in its place by the next. */
#include "compact.h"

#include "poison.h"

#include <string.h>

enum {
    PLACE_WASTE_SHARE = 16, /* a 16th of the pages is free: squeeze one before another is taken */
    PLACE_GAIN_SHARE = 8,   /* if that gains an 8th of it at least */
    STEP_LOOSE_SHARE = 20,  /* a 20th was freed: give pages back in the background */
    STEP_LOOSE_PAGES = 1,
    BATCH_ENTRIES = COMPACT_STEP_ENTRIES,
    BATCH_BYTES = 8192, /* and one entry more */
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Entries of one page that are moved together: the index is fetched for all of them before the first one goes. */
struct batch {
    struct entry *entries[BATCH_ENTRIES];
    uint64_t hashes[BATCH_ENTRIES];
    size_t n;
};

/* A walk through a page. */
struct cursor {
    const struct heap_page *page;
    struct entry *entry; /* NULL behind the last one */
    size_t at;           /* of heap_walk */
    size_t size;         /* of the entry */
};

static void cursor_next(struct cursor *cursor)
{
    cursor->entry = heap_walk(cursor->page, &cursor->at, cursor->size);
    cursor->size = cursor->entry == NULL ? 0 : entry_size(cursor->entry);
}

/* From the cursor's entry on. */
static void gather(struct shard *shard, struct cursor *cursor, struct batch *batch)
{
    size_t bytes = 0;

    batch->n = 0;
    while (cursor->entry != NULL && batch->n < BATCH_ENTRIES && bytes < BATCH_BYTES) {
        uint64_t hash = index_hash(&shard->index, cursor->entry);

        index_fetch(&shard->index, hash);
        batch->entries[batch->n] = cursor->entry;
        batch->hashes[batch->n++] = hash;
        bytes += cursor->size;
        cursor_next(cursor);
    }
}

/* Everybody who knows where the entry is learns where it is now. The places may overlap. What rounds the
 * place up is 0 and moves along, else it would keep bytes of what was there before. */
static void move_entry(struct shard *shard, uint64_t hash, struct entry *from, struct entry *to,
                       size_t size)
{
    memmove(to, from, heap_round(size));
    index_replace(index_find_entry(&shard->index, hash, from), to);
    metric_add(&shard->metrics.entries_moved, 1);
}

/* Returns the end of the last one, which begins at `end` in the page and is where the next one goes. */
static size_t move_down(struct shard *shard, uint8_t *page, size_t end, const struct batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        struct entry *to = (struct entry *)(void *)(page + end);
        size_t size = entry_size(batch->entries[i]);

        memory_unpoison(to, heap_round(size));
        move_entry(shard, batch->hashes[i], batch->entries[i], to, size);
        end += heap_round(size);
    }
    return end;
}

/* Move a page's entries together to its start, a batch of them or all; behind the last one it is the open page. What is
 * between those that have moved and the others is one free place meanwhile. Returns whether it is done. */
static bool squeeze(struct shard *shard, size_t number, bool is_all)
{
    struct heap_page *page = &shard->heap.pages[number];
    struct cursor cursor = {.page = page};
    size_t end = HEAP_HEADER_SIZE;
    struct batch batch;

    cursor_next(&cursor);
    while (cursor.entry != NULL && (uint8_t *)cursor.entry == page->start + end) {
        end += heap_round(cursor.size);
        cursor_next(&cursor);
    }
    do {
        size_t behind;

        gather(shard, &cursor, &batch);
        if (batch.n > 0) {
            behind = (size_t)((uint8_t *)batch.entries[batch.n - 1] - page->start) +
                     heap_round(entry_size(batch.entries[batch.n - 1]));
            end = move_down(shard, page->start, end, &batch);
            heap_vacate(page, end, behind);
        }
    } while (is_all && cursor.entry != NULL);
    if (cursor.entry == NULL) {
        heap_reopen(&shard->heap, number, end);
    }
    return cursor.entry == NULL;
}

/* Squeeze the page that has most to gain, if that is at least `gain` bytes. */
static bool squeeze_best(struct shard *shard, size_t gain)
{
    size_t number = heap_sparsest(&shard->heap);

    if (number == shard->heap.n_pages || heap_page_free(&shard->heap, number) < gain) {
        return false;
    }
    return squeeze(shard, number, true);
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

bool compact_step(struct shard *shard)
{
    struct heap *heap = &shard->heap;
    size_t number = heap_loosest(heap);
    struct cursor cursor = {.page = &heap->pages[number]};
    struct batch batch;

    cursor_next(&cursor);
    gather(shard, &cursor, &batch);
    for (size_t i = 0; i < batch.n; i++) {
        struct entry *entry = batch.entries[i];
        size_t size = entry_size(entry);
        bool is_last = heap->pages[number].live == heap_round(size);
        struct entry *to = heap_place(heap, size);

        if (to == NULL) {
            return i == 0 && squeeze(shard, number, false);
        }
        move_entry(shard, batch.hashes[i], entry, to, size);
        heap_free(heap, entry, size);
        if (is_last) {
            return true;
        }
    }
    return false;
}
