/* Places for entries. Not what stands in them, nor when pages are squeezed. Threads: under the shard's
 * lock. Memory: see heap.h.
 *
 * The first 4 bytes of a free place are its size with the lowest bit set; in those of an entry that bit is never set.
 * A page's first word is its number in the heap. */
#include "heap.h"

#include "sessiond/base/prefetch.h"

#include "poison.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAGES_FIRST = 8,
    FETCH_MAX = 512, /* bytes; behind that the processor sees where it goes */
};

static uint64_t load_word(const uint8_t *from)
{
    uint64_t word;

    memcpy(&word, from, sizeof word);
    return word;
}

static uint32_t load_mark(const uint8_t *from)
{
    uint32_t mark;

    memcpy(&mark, from, sizeof mark);
    return mark;
}

static void store_word(uint8_t *to, uint64_t word)
{
    memcpy(to, &word, sizeof word);
}

size_t heap_page_size(size_t memory)
{
    size_t size = HEAP_PAGE_MIN;

    while (size < HEAP_PAGE_MAX && 2 * size <= memory / HEAP_PAGES_WANTED) {
        size *= 2;
    }
    return size;
}

void heap_init(struct heap *heap, struct arena *arena, struct budget *budget, size_t page_size)
{
    *heap = (struct heap){.arena = arena, .budget = budget, .page_size = page_size};
}

void heap_fini(struct heap *heap)
{
    if (heap->n_pages > 0) {
        budget_release(heap->budget, heap->n_pages * heap->page_size);
    }
    free(heap->pages);
    *heap = (struct heap){.arena = NULL};
}

/* The page of a place: pages are aligned to their size. */
static struct heap_page *page_of(const struct heap *heap, const void *place)
{
    const uint8_t *start = (const uint8_t *)((uintptr_t)place & ~(uintptr_t)(heap->page_size - 1));

    return &heap->pages[load_word(start)];
}

static bool is_open(const struct heap *heap, const struct heap_page *page)
{
    return heap->open < heap->n_pages && page == &heap->pages[heap->open];
}

void heap_fetch_place(const struct heap *heap, size_t size)
{
    if (heap->open < heap->n_pages) {
        const uint8_t *place = heap->pages[heap->open].start + heap->pages[heap->open].end;

        for (size_t at = 0; at < size && at < FETCH_MAX; at += PREFETCH_LINE) {
            prefetch(place + at);
        }
    }
}

void *heap_place(struct heap *heap, size_t size)
{
    size_t rounded = heap_round(size);
    struct heap_page *page;
    uint8_t *place;

    if (heap->open == heap->n_pages) {
        return NULL;
    }
    page = &heap->pages[heap->open];
    if (rounded > heap->page_size - page->end) {
        return NULL;
    }
    place = page->start + page->end;
    memory_unpoison(place, rounded);
    page->end += (uint32_t)rounded;
    heap->ends += rounded;
    page->live += (uint32_t)rounded;
    heap->live += rounded;
    return place;
}

static bool grow_array(struct heap *heap)
{
    size_t capacity = heap->capacity == 0 ? PAGES_FIRST : 2 * heap->capacity;
    struct heap_page *grown = realloc(heap->pages, capacity * sizeof *grown);

    if (grown == NULL) {
        return false;
    }
    heap->pages = grown;
    heap->capacity = capacity;
    return true;
}

enum sess_status heap_add_page(struct heap *heap)
{
    uint8_t *start;

    if ((heap->n_pages == heap->capacity && !grow_array(heap)) ||
        !budget_charge(heap->budget, heap->page_size)) {
        return SESS_NO_MEMORY;
    }
    start = arena_take(heap->arena, heap->page_size);
    if (start == NULL) {
        budget_release(heap->budget, heap->page_size);
        return SESS_NO_MEMORY;
    }
    store_word(start, heap->n_pages);
    memory_poison(start + HEAP_HEADER_SIZE, heap->page_size - HEAP_HEADER_SIZE);
    heap->pages[heap->n_pages] = (struct heap_page){.start = start, .end = HEAP_HEADER_SIZE};
    heap->ends += HEAP_HEADER_SIZE;
    heap->open = heap->n_pages++;
    return SESS_OK;
}

/* The last page of the array takes the number of the one that goes, which is never the open one. */
static void drop_page(struct heap *heap, struct heap_page *page)
{
    size_t number = (size_t)(page - heap->pages);
    size_t last = heap->n_pages - 1;

    arena_give(heap->arena, page->start, heap->page_size);
    budget_release(heap->budget, heap->page_size);
    heap->ends -= page->end;
    if (number != last) {
        heap->pages[number] = heap->pages[last];
        store_word(heap->pages[number].start, number);
    }
    if (heap->open == last) {
        heap->open = number;
    } else if (heap->open == heap->n_pages) {
        heap->open = last;
    }
    heap->n_pages = last;
}

/* Make a free place of what is from `place` on. */
static void fill(uint8_t *place, size_t size)
{
    uint32_t mark = (uint32_t)size << 1 | 1;

    memset(place, 0, size);
    memcpy(place, &mark, sizeof mark);
    memory_poison(place + HEAP_UNIT, size - HEAP_UNIT);
}

void heap_vacate(struct heap_page *page, size_t at, size_t end)
{
    memory_unpoison(page->start + at, end - at);
    fill(page->start + at, end - at);
}

static void release(struct heap *heap, struct heap_page *page, uint8_t *place, size_t size)
{
    page->live -= (uint32_t)size;
    heap->live -= size;
    if (page->live == 0 && !is_open(heap, page)) {
        drop_page(heap, page);
    } else if (page->live == 0) {
        heap_reopen(heap, heap->open, HEAP_HEADER_SIZE);
    } else if (is_open(heap, page) && place + size == page->start + page->end) {
        heap_reopen(heap, heap->open, page->end - size);
    } else {
        fill(place, size);
    }
}

void heap_free(struct heap *heap, void *place, size_t size)
{
    release(heap, page_of(heap, place), place, heap_round(size));
}

void heap_shrink(struct heap *heap, void *place, size_t before, size_t now)
{
    uint8_t *end = (uint8_t *)place + heap_round(now);
    size_t size = heap_round(before) - heap_round(now);

    if (size > 0) {
        release(heap, page_of(heap, place), end, size);
    }
}

void *heap_walk(const struct heap_page *page, size_t *at, size_t last_size)
{
    *at += *at == 0 ? HEAP_HEADER_SIZE : heap_round(last_size);
    while (*at < page->end) {
        uint32_t mark = load_mark(page->start + *at);

        if ((mark & 1) == 0) {
            return page->start + *at;
        }
        *at += mark >> 1;
    }
    return NULL;
}

void heap_reopen(struct heap *heap, size_t number, size_t end)
{
    struct heap_page *page = &heap->pages[number];

    memory_unpoison(page->start + end, page->end - end);
    memset(page->start + end, 0, page->end - end);
    memory_poison(page->start + end, page->end - end);
    heap->ends -= page->end - end;
    page->top = (uint32_t)heap_page_touched(page);
    page->end = (uint32_t)end;
    heap->open = number;
}

size_t heap_sparsest(const struct heap *heap)
{
    size_t best = heap->n_pages;

    for (size_t i = 0; i < heap->n_pages; i++) {
        if (best == heap->n_pages || heap->pages[i].live < heap->pages[best].live) {
            best = i;
        }
    }
    return best;
}

static uint32_t loose_of(const struct heap_page *page)
{
    return page->end - page->live;
}

size_t heap_loosest(const struct heap *heap)
{
    size_t best = heap->n_pages;

    for (size_t i = 0; i < heap->n_pages; i++) {
        if (i != heap->open &&
            (best == heap->n_pages || loose_of(&heap->pages[i]) > loose_of(&heap->pages[best]))) {
            best = i;
        }
    }
    return best;
}

size_t heap_waste(const struct heap *heap)
{
    return heap->n_pages * (heap->page_size - HEAP_HEADER_SIZE) - heap->live;
}
