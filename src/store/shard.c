/* One shard: its making, its time, its tickets, and what leaves it. Changes are change.c. Threads: under
 * the shard's lock, but for shard_init and shard_place. Memory: none of its own. */
#include "shard.h"

#include "sessiond/base/clock.h"

#include <string.h>

/* It is held for less than a thread needs to go to sleep: whoever finds it taken tries again for a while first. */
static int make_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    int status = pthread_mutexattr_init(&attributes);

    if (status == 0) {
        (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
        status = pthread_mutex_init(lock, &attributes);
        (void)pthread_mutexattr_destroy(&attributes);
    }
    return status;
}

enum sess_status shard_init(struct shard *shard, struct store *store)
{
    struct pages pages = {
        .arena = store->arena, .budget = store->config.data, .held = &store->held};
    /* Each entry is charged for its own record. */
    struct pages beside_held = {.arena = store->arena, .budget = store->config.data};

    if (make_lock(&shard->lock) != 0) {
        return SESS_NO_MEMORY;
    }
    shard->next_cas = store->config.first_cas;
    shard->flushed_below = store->config.first_cas;
    shard->sweep_bucket = SIZE_MAX;
    shard->now_s = store->config.now_s;
    timers_init(&shard->timers, store->config.now_s, &beside_held);
    census_init(&shard->census, store->config.now_s, store->config.first_cas);
    heap_init(&shard->heap, store->arena, store->config.data, store->page_size);
    return index_init(&shard->index, &store->config.hash_key, &store->prefixes, &pages);
}

void shard_raise_barrier(struct shard *shard)
{
    shard->flushed_below = shard->next_cas;
    shard->n_flushes++;
    shard->sweep_bucket = 0;
}

void shard_lock_all(struct store *store)
{
    for (size_t i = 0; i < store->n_shards; i++) {
        (void)pthread_mutex_lock(&store->shards[i].lock);
    }
}

void shard_unlock_all(struct store *store)
{
    for (size_t i = 0; i < store->n_shards; i++) {
        (void)pthread_mutex_unlock(&store->shards[i].lock);
    }
}

void shard_set_time(const struct store *store, struct shard *shard, int64_t *now_s)
{
    /* Behind a grace a caller may still have a time that was read before the clock was put right. */
    if (store->clock != NULL && (store->is_in_grace || *now_s > shard->now_s + 1)) {
        *now_s = clock_now(store->clock).wall_s;
    }
    if (store->is_in_grace && *now_s < shard->now_s) {
        shard->now_s = *now_s;
    }
    if (*now_s > shard->now_s) {
        shard->now_s = *now_s;
        census_time(&shard->census, *now_s, shard->next_cas);
    }
    *now_s = shard->now_s;
}

struct place shard_place(struct store *store, struct slice key, uint64_t hash)
{
    if (hash == 0) {
        hash = hash_bytes(&store->config.hash_key, key);
    }
    return (struct place){.shard = shard_of(store, hash), .hash = hash};
}

enum sess_status shard_ask(const struct store *store, const struct mutation *mutation,
                           struct mutation_receipt *receipt)
{
    if (store->hook == NULL) {
        return SESS_OK;
    }
    switch (store->hook(store->hook_context, mutation, receipt)) {
    case MUTATION_BUSY:
        return SESS_BUSY;
    case MUTATION_REFUSED:
        return SESS_REFUSED;
    default:
        return SESS_OK;
    }
}

void shard_note_receipt(struct shard *shard, const struct mutation_receipt *receipt)
{
    if (receipt->ticket > 0) {
        shard->ticket = receipt->ticket;
        if (receipt->is_revocation) {
            shard->revocation_ticket = receipt->ticket;
        }
    }
}

enum sess_status shard_announce(struct store *store, struct shard *shard,
                                const struct mutation *mutation)
{
    struct mutation_receipt receipt = {.ticket = 0};
    enum sess_status status = shard_ask(store, mutation, &receipt);

    if (status == SESS_OK) {
        shard_note_receipt(shard, &receipt);
    }
    return status;
}

void shard_outcome(const struct shard *shard, struct store_outcome *outcome)
{
    *outcome = (struct store_outcome){.ticket = shard->ticket,
                                      .revocation_ticket = shard->revocation_ticket};
}

void shard_take_out(const struct store *store, struct place place, uint64_t *slot)
{
    struct shard *shard = place.shard;
    struct entry *entry = index_entry(*slot);

    timer_forget(&shard->timers, entry);
    index_remove(&shard->index, place.hash, slot);
    shard_count(shard, shard_entry_cost(store, entry), entry_is_hold(entry), 0, false);
}

/* But for a session in the place of another. */
void shard_count_other(struct shard *shard, size_t less, bool less_is_hold, size_t more,
                       bool more_is_hold)
{
    struct store_metrics *metrics = &shard->metrics;
    bool had_session = less > 0 && !less_is_hold;
    bool has_session = more > 0 && !more_is_hold;

    if (had_session) {
        census_remove(&shard->census, less);
    }
    if (has_session) {
        census_add(&shard->census, more);
    }
    metric_add(&metrics->bytes, (uint64_t)more - less);
    if (had_session != has_session) {
        metric_add(&metrics->curr_items, has_session ? 1 : -(uint64_t)1);
    }
    if (less_is_hold != more_is_hold) {
        metric_add(&metrics->sessions_held, more_is_hold ? 1 : -(uint64_t)1);
    }
}

/* An entry has shrunk in its place. */
static void give_rest_back(struct store *store, struct shard *shard, struct entry *entry,
                           size_t before, size_t cost)
{
    size_t after = entry_size(entry);

    memset((uint8_t *)entry + after, 0, heap_round(after) - after);
    heap_shrink(&shard->heap, entry, before, after);
    shard_count(shard, cost, false, shard_entry_cost(store, entry), entry_is_hold(entry));
    budget_release(&store->held, cost - shard_entry_cost(store, entry));
}

struct value_block *shard_hold(struct store *store, struct shard *shard, struct entry *entry,
                               int64_t until_s)
{
    struct value_block *block = entry_block(entry);
    size_t before = entry_size(entry);
    size_t cost = shard_entry_cost(store, entry);
    int64_t before_s = entry_deadline(entry);

    entry_become_hold(entry, until_s);
    give_rest_back(store, shard, entry, before, cost);
    if (block != NULL) {
        budget_release(store->config.data, block_cost(store->arena, block->allocated));
    }
    timer_set(&shard->timers, &shard->index, index_hash(&shard->index, entry), entry, before_s,
              until_s);
    return block;
}

void shard_end_probation(struct store *store, struct shard *shard, struct entry *entry)
{
    size_t before = entry_size(entry);
    size_t cost = shard_entry_cost(store, entry);

    entry_end_probation(entry);
    give_rest_back(store, shard, entry, before, cost);
}

struct value_block *shard_free(struct store *store, struct shard *shard, struct entry *entry)
{
    struct value_block *block = entry_block(entry);

    budget_release(&store->held, shard_entry_cost(store, entry));
    if (block != NULL) {
        budget_release(store->config.data, block_cost(store->arena, block->allocated));
    }
    heap_free(&shard->heap, entry, entry_size(entry));
    return block;
}
