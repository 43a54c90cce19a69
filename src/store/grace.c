/* Graces. Threads: see the header; all shards' locks for its end. Memory: none. */
#include "sessiond/store/grace.h"

#include "shard.h"

#include "sessiond/base/clock.h"

static void arm_piece(struct shard *shard, const struct index_bucket *piece)
{
    for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
        if (piece->slots[i] != 0) {
            struct entry *entry = index_entry(piece->slots[i]);
            uint64_t hash = index_hash(&shard->index, entry);

            timer_forget(&shard->timers, entry);
            timer_set(&shard->timers, &shard->index, hash, entry, 0, entry_deadline(entry));
        }
    }
}

/* A wheel does not turn back: it begins anew at the mark. */
static void restart_wheel(struct shard *shard, int64_t mark_s)
{
    wheel_restart(&shard->timers.wheel, mark_s);
    for (size_t i = 0; i < shard->index.n_buckets; i++) {
        for (struct index_bucket *piece = index_bucket_of(&shard->index, i); piece != NULL;
             piece = piece->overflow) {
            arm_piece(shard, piece);
        }
    }
}

void store_begin_grace(struct store *store, struct clock *clock, int64_t mark_s)
{
    store->clock = clock;
    store->is_in_grace = true;
    store->mark_s = mark_s;
    for (size_t i = 0; i < store->n_shards; i++) {
        restart_wheel(&store->shards[i], mark_s);
    }
}

void store_end_grace(struct store *store)
{
    int64_t now_s;

    shard_lock_all(store);
    now_s = clock_now(store->clock).wall_s;
    store->is_in_grace = false;
    for (size_t i = 0; i < store->n_shards; i++) {
        struct shard *shard = &store->shards[i];

        shard->now_s = now_s;
        census_restart(&shard->census, now_s, 0);
    }
    forecast_restart(&store->forecast, now_s, budget_used(&store->held));
    shard_unlock_all(store);
}

uint64_t store_count_expired(const struct store *store)
{
    uint64_t count = 0;

    for (size_t i = 0; i < store->n_shards; i++) {
        count += metric_read(&store->shards[i].metrics.reclaimed) +
                 metric_read(&store->shards[i].metrics.get_expired);
    }
    return count;
}
