/* The store's life, its shards and metrics. Changes are change.c, looks reading.c, expiry tick.c.
 *
 * Threads: any. Memory: the struct with its shards (about 4 MiB), and the arena for all else. */
#include "sessiond/store/store.h"

#include "shard.h"

#include <stdlib.h>

/* Of the data budget, for keys that are there: 3.8 %, so that keys and values can grow by 3 % whatever
 * they share of pages' ends. */
enum { RESERVE_SHARE = 1000, RESERVE_PARTS = 38 };

#define ROW(...) OPTION_ROW(store_options, __VA_ARGS__)
static const struct option_row option_rows[] = {STORE_OPTIONS(ROW)};
#undef ROW
const struct option_table store_option_table = {
    .title = "Memory", .rows = option_rows, .n_rows = sizeof option_rows / sizeof option_rows[0]};

static const struct metric_row metric_rows[] = {STORE_METRICS(METRIC_ROW)};
_Static_assert(sizeof metric_rows / sizeof metric_rows[0] <= METRIC_ROWS_MAX, "totals have room");
const struct metric_table store_metric_table = {
    .rows = metric_rows, .n_rows = sizeof metric_rows / sizeof metric_rows[0]};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static enum sess_status store_init(struct store *store)
{
    size_t data = store->config.data->limit;
    size_t in_flight = store->config.in_flight->limit;
    size_t largest = larger(block_largest(store->config.max_value_bytes), HEAP_PAGE_MAX);
    enum sess_status status = arena_create(data + in_flight, largest, &store->arena);

    if (status != SESS_OK) {
        return status;
    }
    store->page_size =
        larger(heap_page_size(data / store->n_shards), arena_page_size(store->arena));
    arena_pack(store->arena, store->page_size, store->config.data);
    arena_pack(store->arena, arena_page_size(store->arena), store->config.data);
    store->inline_max = smaller(STORE_COPY_MAX, store->page_size / HEAP_PLACES_MIN);
    /* What is free in the open pages of one shard is of no use to another. */
    budget_init(
        &store->held,
        data - smaller(data, store->n_shards * (store->page_size + arena_page_size(store->arena))));
    store->new_key_limit =
        store->held.limit - smaller(store->held.limit, data / RESERVE_SHARE * RESERVE_PARTS);
    for (size_t i = 0; status == SESS_OK && i < store->n_shards; i++) {
        status = shard_init(&store->shards[i], store);
    }
    if (data > ARENA_PACK_FROM) {
        packer_start(&store->packer, store->arena);
    }
    return status == SESS_OK
               ? forecast_init(&store->forecast, store->config.now_s, budget_used(&store->held))
               : status;
}

/* A shard that is too small for its pages holds much that is free; two threads do not need many. */
static unsigned count_shards(size_t data)
{
    unsigned n_shards = STORE_SHARDS_MIN;

    while (n_shards < STORE_SHARDS_MAX && data / STORE_SHARD_BYTES >= 2UL * n_shards) {
        n_shards *= 2;
    }
    return n_shards;
}

enum sess_status store_create(const struct store_config *config, struct store **out)
{
    unsigned n_shards =
        config->n_shards != 0 ? config->n_shards : count_shards(config->data->limit);
    size_t size = sizeof(struct store) + n_shards * sizeof(struct shard);
    struct store *store = aligned_alloc(alignof(struct store), size);

    if (store == NULL) {
        return SESS_NO_MEMORY;
    }
    memset(store, 0, size);
    store->n_shards = n_shards;
    store->config = *config;
    store->flush_at_s = STORE_NO_DEADLINE;
    prefixes_init(&store->prefixes);
    if (store_init(store) != SESS_OK) {
        store_destroy(&store);
        return SESS_NO_MEMORY;
    }
    *out = store;
    return SESS_OK;
}

static void forget_piece(struct store *store, const struct index_bucket *piece)
{
    for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
        struct value_block *block =
            piece->slots[i] == 0 ? NULL : entry_block(index_entry(piece->slots[i]));

        if (block != NULL) {
            budget_release(store->config.data, block_cost(store->arena, block->allocated));
            value_block_release(block);
        }
    }
}

/* Blocks are charged by their entries; all else goes with the arena, to the kernel, which zeroes it. */
static void forget_entries(struct store *store, struct shard *shard)
{
    for (size_t i = 0; i < shard->index.n_buckets; i++) {
        for (struct index_bucket *piece = index_bucket_of(&shard->index, i); piece != NULL;
             piece = piece->overflow) {
            forget_piece(store, piece);
        }
    }
}

void store_destroy(struct store **store)
{
    if (*store == NULL) {
        return;
    }
    packer_stop(&(*store)->packer);
    for (size_t i = 0; i < (*store)->n_shards; i++) {
        struct shard *shard = &(*store)->shards[i];

        forget_entries(*store, shard);
        index_fini(&shard->index);
        wheel_fini(&shard->timers.wheel);
        heap_fini(&shard->heap);
        (void)pthread_mutex_destroy(&shard->lock);
    }
    forecast_fini(&(*store)->forecast);
    prefixes_fini(&(*store)->prefixes);
    arena_destroy(&(*store)->arena);
    explicit_bzero(&(*store)->config.hash_key, sizeof(*store)->config.hash_key);
    free(*store);
    *store = NULL;
}

void store_on_mutation(struct store *store, mutation_fn hook, void *context)
{
    store->hook = hook;
    store->hook_context = context;
}

void store_sum(void *store, uint64_t *totals)
{
    const struct store *self = store;

    for (size_t i = 0; i < self->n_shards; i++) {
        metric_sum(&store_metric_table, &self->shards[i].metrics, totals);
    }
}

uint64_t store_hash(const struct store *store, struct slice key)
{
    return hash_bytes(&store->config.hash_key, key);
}

void store_fetch(struct store *store, uint64_t hash)
{
    index_fetch(&shard_of(store, hash)->index, hash);
}

const void *store_fetch_entry(struct store *store, uint64_t hash)
{
    return index_fetch_entry(&shard_of(store, hash)->index, hash);
}

void store_fetch_value(const void *entry)
{
    index_fetch_value(entry);
}
