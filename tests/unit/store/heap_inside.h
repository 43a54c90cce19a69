/* A look at every byte of a heap's pages.
 *
 * For tests of the store's room alone. No thread uses the heap meanwhile. */
#ifndef SESSIOND_TESTS_UNIT_STORE_HEAP_INSIDE_H
#define SESSIOND_TESTS_UNIT_STORE_HEAP_INSIDE_H

#include "heap.h"

#include <check.h>
#include <string.h>

/** The size that a place in use was taken for. */
typedef size_t (*inside_size_fn)(const void *place);

/** What is in a heap's pages, as counted byte by byte. */
struct heap_census {
    size_t n_places;
    size_t live;  /* bytes of places in use */
    size_t loose; /* bytes of fillers */
};

/** How often a byte stands in memory that may be free: the address sanitizer does not ask. */
__attribute__((no_sanitize("address"))) static inline size_t inside_count(const void *memory,
                                                                          size_t size,
                                                                          uint8_t wanted)
{
    const volatile uint8_t *byte = memory;
    size_t n = 0;

    for (size_t i = 0; i < size; i++) {
        n += byte[i] == wanted;
    }
    return n;
}

/** Bytes that are not 0. */
static inline size_t inside_count_used(const void *memory, size_t size)
{
    return size - inside_count(memory, size, 0);
}

__attribute__((no_sanitize("address"))) static inline uint64_t inside_word(const void *memory)
{
    return *(const volatile uint64_t *)memory;
}

/* Bytes in a page that no place in use has and that are not 0, but for what says how long a filler is. */
static inline size_t inside_take_census(const struct heap_page *page, size_t page_size,
                                        inside_size_fn size_of, struct heap_census *census)
{
    size_t n_left = 0;
    size_t at = HEAP_HEADER_SIZE;

    while (at < page->end) {
        const uint8_t *place = page->start + at;
        uint64_t word = inside_word(place);

        if ((word & 1) != 0) {
            n_left += inside_count_used(place + HEAP_UNIT, (word >> 1) - HEAP_UNIT);
            census->loose += word >> 1;
            at += word >> 1;
        } else {
            size_t size = size_of(place);

            n_left += inside_count_used(place + size, heap_round(size) - size);
            census->n_places++;
            census->live += heap_round(size);
            at += heap_round(size);
        }
    }
    if (at != page->end) {
        ck_abort_msg("places and fillers end at %zu, not at %u", at, page->end);
    }
    return n_left + inside_count_used(page->start + at, page_size - at);
}

/** Walk all pages: the accounts are right, and what is free is 0. */
static inline struct heap_census inside_check_heap(const struct heap *heap, inside_size_fn size_of)
{
    struct heap_census census = {.n_places = 0};
    size_t ends = 0;

    for (size_t i = 0; i < heap->n_pages; i++) {
        const struct heap_page *page = &heap->pages[i];
        size_t live_before = census.live;
        size_t n_left = inside_take_census(page, heap->page_size, size_of, &census);

        ck_assert_uint_eq(n_left, 0);
        ck_assert_uint_eq(page->live, census.live - live_before);
        ck_assert_uint_eq(inside_word(page->start), i);
        ck_assert_uint_eq((uintptr_t)page->start % heap->page_size, 0);
        ck_assert(page->live > 0 || i == heap->open);
        ends += page->end;
    }
    ck_assert_uint_eq(heap->ends, ends);
    ck_assert_uint_eq(heap->live, census.live);
    ck_assert_uint_eq(heap_loose(heap), census.loose);
    ck_assert_uint_eq(heap_waste(heap),
                      heap->n_pages * (heap->page_size - HEAP_HEADER_SIZE) - census.live);
    return census;
}

#endif
