/* Flushes: a barrier in every shard's sequence of changes, and the sweep that takes the space back.
 *
 * Threads: any; a flush holds all shards' locks for the moment of its record, the sweep one at a time. */
#include "flush.h"

#include "sessiond/base/clock.h"
#include "sessiond/store/store.h"

/* With all locks held: the latest time that anybody knows of; in a grace what the clock says. */
static int64_t latest(const struct store *store, int64_t now_s)
{
    if (store->clock != NULL) {
        now_s = clock_now(store->clock).wall_s;
    }
    for (size_t i = 0; !store->is_in_grace && i < store->n_shards; i++) {
        if (store->shards[i].now_s > now_s) {
            now_s = store->shards[i].now_s;
        }
    }
    return now_s;
}

/* With all locks held, at their latest time: one record, and on the hook's word a flush that is in effect,
 * or is to come. Either takes the place of the one that was to come. */
static enum sess_status settle(struct store *store, int64_t at_s, int64_t now_s)
{
    struct mutation mutation = {.kind = MUTATION_FLUSH, .deadline_s = at_s, .now_s = now_s};
    struct mutation_receipt receipt = {.ticket = 0};
    bool is_now = at_s <= now_s;
    enum sess_status status = shard_ask(store, &mutation, &receipt);

    if (status != SESS_OK) {
        return status;
    }
    store->flush_at_s = is_now ? STORE_NO_DEADLINE : at_s;
    for (size_t i = 0; i < store->n_shards; i++) {
        struct shard *shard = &store->shards[i];

        shard_set_time(store, shard, &now_s);
        shard_note_receipt(shard, &receipt);
        if (is_now) {
            shard_raise_barrier(shard);
        }
    }
    return SESS_OK;
}

enum sess_status store_flush(struct store *store, int64_t at_s, int64_t now_s,
                             struct store_outcome *outcome)
{
    bool is_at_once = at_s <= now_s;
    enum sess_status status = SESS_OK;

    shard_lock_all(store);
    now_s = latest(store, now_s);
    if (is_at_once && at_s > now_s) {
        at_s = now_s;
    }
    /* One that is due is not forgotten for one that is to come. */
    if (flush_is_due(store, now_s) && at_s > now_s) {
        status = settle(store, store->flush_at_s, now_s);
    }
    if (status == SESS_OK) {
        status = settle(store, at_s, now_s);
    }
    shard_outcome(&store->shards[0], outcome);
    shard_unlock_all(store);
    return status;
}

enum sess_status flush_take_effect(struct store *store, int64_t now_s)
{
    enum sess_status status = SESS_OK;

    shard_lock_all(store);
    now_s = latest(store, now_s);
    if (flush_is_due(store, now_s)) {
        status = settle(store, store->flush_at_s, now_s);
    }
    shard_unlock_all(store);
    return status;
}

static void lock_one(struct store *store, struct shard *shard, int64_t *now_s)
{
    (void)pthread_mutex_lock(&shard->lock);
    shard_set_time(store, shard, now_s);
}

/* The first shard whose time reaches the flush's decides for all: no shard whose time has reached it
 * answers before the flush is in effect everywhere. A shard that is behind sees it early by its own time,
 * but at the one moment at which all do. */
enum sess_status flush_lock(struct store *store, struct shard *shard, int64_t *now_s)
{
    enum sess_status status = SESS_OK;

    lock_one(store, shard, now_s);
    while (status == SESS_OK && flush_is_due(store, *now_s)) {
        (void)pthread_mutex_unlock(&shard->lock);
        status = flush_take_effect(store, *now_s);
        lock_one(store, shard, now_s);
    }
    /* Somebody else may have been luckier meanwhile. */
    return flush_is_due(store, *now_s) ? status : SESS_OK;
}

static bool is_flushed(const void *context, const struct entry *entry)
{
    const struct shard *shard = context;

    /* Who logged out before a flush must not come back behind it either. */
    return !entry_is_hold(entry) && entry_is_flushed(entry, shard->flushed_below, shard->n_flushes);
}

struct entry *flush_sweep(const struct store *store, struct shard *shard)
{
    struct index *index = &shard->index;
    struct entry *entry;
    uint64_t *slot;

    if (shard->sweep_bucket >= index->n_buckets) {
        return NULL;
    }
    slot = index_find_where(index_bucket_of(index, shard->sweep_bucket), is_flushed, shard);
    if (slot == NULL) {
        shard->sweep_bucket++;
        return NULL;
    }
    entry = index_entry(*slot);
    shard_take_out(store, (struct place){.shard = shard, .hash = index_hash(index, entry)}, slot);
    return entry;
}
