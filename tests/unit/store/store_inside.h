/* A look inside a store that no thread uses at the moment.
 *
 * For tests of the store's room alone. */
#ifndef SESSIOND_TESTS_UNIT_STORE_STORE_INSIDE_H
#define SESSIOND_TESTS_UNIT_STORE_STORE_INSIDE_H

#include "shard.h"

static inline struct shard *inside_shard(struct store *store, struct slice key)
{
    return &store->shards[hash_bytes(&store->config.hash_key, key) >> 56];
}

/** The entry of a key, expired or not; or NULL. */
static inline struct entry *inside_entry(struct store *store, struct slice key)
{
    uint64_t *slot =
        index_find(&inside_shard(store, key)->index, hash_bytes(&store->config.hash_key, key), key);

    return slot == NULL ? NULL : index_entry(*slot);
}

static inline size_t inside_pieces(const struct index_bucket *piece)
{
    size_t size = 0;

    for (; piece != NULL; piece = piece->overflow) {
        size += sizeof *piece;
    }
    return size;
}

/** Bytes that the indexes of all shards take. */
static inline size_t inside_index_size(const struct store *store)
{
    size_t size = 0;

    for (size_t i = 0; i < STORE_SHARDS; i++) {
        const struct index *index = &store->shards[i].index;

        size += index->n_segments * INDEX_SEGMENT_BUCKETS * sizeof(struct index_bucket);
        size += inside_pieces(index->spare);
        for (size_t bucket = 0; bucket < index->n_buckets; bucket++) {
            size += inside_pieces(
                index->segments[bucket / INDEX_SEGMENT_BUCKETS][bucket % INDEX_SEGMENT_BUCKETS]
                    .overflow);
        }
    }
    return size;
}

#endif
