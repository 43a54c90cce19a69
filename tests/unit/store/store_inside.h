/* A look inside a store that no thread uses at the moment.
 *
 * For tests of the store's room alone. */
#ifndef SESSIOND_TESTS_UNIT_STORE_STORE_INSIDE_H
#define SESSIOND_TESTS_UNIT_STORE_STORE_INSIDE_H

#include "heap_inside.h"
#include "shard.h"
#include "store_fixture.h"

#include <check.h>
#include <stdio.h>
#include <unistd.h>

static inline struct shard *inside_shard(struct store *store, struct slice key)
{
    return shard_of(store, hash_bytes(&store->config.hash_key, key));
}

/** The entry of a key, expired or not; or NULL. */
static inline struct entry *inside_entry(struct store *store, struct slice key)
{
    uint64_t *slot =
        index_find(&inside_shard(store, key)->index, hash_bytes(&store->config.hash_key, key), key);

    return slot == NULL ? NULL : index_entry(*slot);
}

/** Let the arena be one in which memory is taken ahead, by pages that nothing uses and nobody is charged for. */
static inline void inside_grow_arena(struct store *store)
{
    for (size_t taken = 0; taken < ARENA_PACK_FROM; taken += store->page_size) {
        if (arena_take(store->arena, store->page_size) == NULL) {
            ck_abort_msg("the arena has no more pages");
        }
    }
}

/** Wait until so much is taken ahead: the thread has its time for that. */
static inline void inside_wait_for_ahead(struct arena *arena, size_t bytes)
{
    enum { LOOK_US = 100, LOOKS_MAX = 200000 };

    for (unsigned i = 0; i < LOOKS_MAX && arena_ahead(arena) != bytes; i++) {
        (void)usleep(LOOK_US);
    }
    ck_assert_uint_eq(arena_ahead(arena), bytes);
}

/** Bytes that the indexes of all shards take. */
static inline size_t inside_index_size(const struct store *store)
{
    size_t n_pages = 0;

    for (size_t i = 0; i < store->n_shards; i++) {
        n_pages += store->shards[i].index.pages.n_pages;
    }
    return n_pages * arena_page_size(store->arena);
}

/** Bytes that the wheels of all shards take. */
static inline size_t inside_wheel_size(const struct store *store)
{
    size_t n_pages = 0;

    for (size_t i = 0; i < store->n_shards; i++) {
        n_pages += store->shards[i].timers.wheel.pages.n_pages;
    }
    return n_pages * arena_page_size(store->arena);
}

/** Bytes that the pages of all shards' heaps take. */
static inline size_t inside_heap_size(const struct store *store)
{
    size_t n_pages = 0;

    for (size_t i = 0; i < store->n_shards; i++) {
        n_pages += store->shards[i].heap.n_pages;
    }
    return n_pages * store->page_size;
}

static inline size_t inside_blocks_of(const struct index_bucket *piece)
{
    size_t size = 0;

    for (; piece != NULL; piece = piece->overflow) {
        for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
            const struct value_block *block =
                piece->slots[i] == 0 ? NULL : entry_block(index_entry(piece->slots[i]));

            size += block == NULL ? 0 : block_cost(block->arena, block->allocated);
        }
    }
    return size;
}

/** Bytes that the large values of all entries take. */
static inline size_t inside_block_size(struct store *store)
{
    size_t size = 0;

    for (size_t i = 0; i < store->n_shards; i++) {
        struct index *index = &store->shards[i].index;

        for (size_t bucket = 0; bucket < index->n_buckets; bucket++) {
            size += inside_blocks_of(index_bucket_of(index, bucket));
        }
    }
    return size;
}

/** Bytes of the places in use in all heaps. */
static inline size_t inside_live_size(const struct store *store)
{
    size_t size = 0;

    for (size_t i = 0; i < store->n_shards; i++) {
        size += store->shards[i].heap.live;
    }
    return size;
}

/** All that is charged to the data budget: pages of indexes and heaps, and blocks. */
static inline size_t inside_size(struct store *store)
{
    return inside_index_size(store) + inside_wheel_size(store) + inside_heap_size(store) +
           inside_block_size(store);
}

/** The name of a key that is not there yet and lives in the same shard as `key`. */
static inline void inside_neighbour(struct store *store, struct slice key, char *name, size_t size)
{
    unsigned number = 0;

    do {
        (void)snprintf(name, size, "neighbour-%u", number++);
    } while (inside_shard(store, slice_from_text(name)) != inside_shard(store, key) ||
             inside_entry(store, slice_from_text(name)) != NULL);
}

static inline size_t inside_entry_size(const void *place)
{
    return entry_size(place);
}

/** The heaps of all shards hold their entries, and no byte of what was there before. */
static inline void inside_check_pages(struct store *store)
{
    for (size_t i = 0; i < store->n_shards; i++) {
        struct shard *shard = &store->shards[i];

        if (shard->heap.n_pages > 0) {
            ck_assert_uint_eq(inside_check_heap(&shard->heap, inside_entry_size).n_places,
                              shard->index.n_entries);
        }
    }
}

static inline size_t inside_cost_of(const struct store *store, const struct index_bucket *piece)
{
    size_t cost = 0;

    for (; piece != NULL; piece = piece->overflow) {
        for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
            cost +=
                piece->slots[i] == 0 ? 0 : shard_entry_cost(store, index_entry(piece->slots[i]));
        }
    }
    return cost;
}

/** What all entries take of the budget `held`. */
static inline size_t inside_cost(struct store *store)
{
    size_t cost = 0;

    for (size_t i = 0; i < store->n_shards; i++) {
        for (size_t bucket = 0; bucket < store->shards[i].index.n_buckets; bucket++) {
            cost += inside_cost_of(store, index_bucket_of(&store->shards[i].index, bucket));
        }
    }
    return cost;
}

/** Every byte charged is the index's, a wheel's, a heap's page or a block's; what is held is the index's or an
 *  entry's, and the figure is what entries take of it. */
static inline void inside_check_budget(struct store_fixture *fixture)
{
    struct store *store = fixture->store;

    ck_assert_uint_eq(budget_used(&fixture->data), inside_size(store));
    ck_assert_uint_eq(fixture_figure(fixture, "bytes"), inside_cost(store));
    ck_assert_uint_eq(budget_used(&store->held), inside_cost(store) + inside_index_size(store));
}

/** No entry is there any more: each shard's heap has an empty page at most. */
static inline void inside_assert_bare(struct store_fixture *fixture)
{
    inside_check_budget(fixture);
    ck_assert_uint_eq(inside_live_size(fixture->store), 0);
    ck_assert_uint_eq(inside_block_size(fixture->store), 0);
    for (size_t i = 0; i < fixture->store->n_shards; i++) {
        ck_assert_uint_le(fixture->store->shards[i].heap.n_pages, 1);
    }
}

#endif
