/* Flushes: a barrier in every shard's sequence of changes, and the sweep that takes the space back.
 *
 * Threads: any; a flush holds all shards' locks for the moment of its record, the sweep one at a time. */
#include "flush.h"

#include "sessiond/store/store.h"

static void lock_all(struct store *store)
{
    for (size_t i = 0; i < store->n_shards; i++) {
        (void)pthread_mutex_lock(&store->shards[i].lock);
    }
}

static void unlock_all(struct store *store)
{
    for (size_t i = 0; i < store->n_shards; i++) {
        (void)pthread_mutex_unlock(&store->shards[i].lock);
    }
}

enum sess_status store_flush(struct store *store, int64_t at_s, int64_t now_s,
                             struct store_outcome *outcome)
{
    struct mutation mutation = {.kind = MUTATION_FLUSH, .deadline_s = at_s, .now_s = now_s};
    struct mutation_receipt receipt = {.ticket = 0};
    enum sess_status status;

    lock_all(store);
    status = shard_ask(store, &mutation, &receipt);
    for (size_t i = 0; i < store->n_shards && status == SESS_OK; i++) {
        struct shard *shard = &store->shards[i];

        shard_set_time(shard, &now_s);
        shard_note_receipt(shard, &receipt);
        shard->flush_at_s = at_s;
        if (at_s <= now_s) {
            shard_raise_barrier(shard);
        }
    }
    shard_outcome(&store->shards[0], outcome);
    unlock_all(store);
    return status;
}

/* The flushed entry in a bucket that is found first, or NULL. */
static uint64_t *find_flushed(const struct shard *shard, struct index_bucket *piece)
{
    for (; piece != NULL; piece = piece->overflow) {
        for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
            if (piece->slots[i] != 0 &&
                entry_cas(index_entry(piece->slots[i])) < shard->flushed_below) {
                return &piece->slots[i];
            }
        }
    }
    return NULL;
}

struct entry *flush_sweep(const struct store *store, struct shard *shard)
{
    struct index *index = &shard->index;
    struct entry *entry;
    uint64_t *slot;

    if (shard->sweep_bucket >= index->n_buckets) {
        return NULL;
    }
    slot = find_flushed(shard, index_bucket_of(index, shard->sweep_bucket));
    if (slot == NULL) {
        shard->sweep_bucket++;
        return NULL;
    }
    entry = index_entry(*slot);
    shard_take_out(store,
                   (struct place){.shard = shard,
                                  .hash = hash_bytes(&store->config.hash_key, entry_key(entry))},
                   slot);
    metric_add(&shard->metrics.sessions_flushed, 1);
    return entry;
}
