/* One shard: its making, its time, its tickets, and what leaves it. Changes are change.c. Threads: under
 * the shard's lock, but for shard_init and shard_place. Memory: none of its own. */
#include "shard.h"

#include "sessiond/base/clock.h"

enum sess_status shard_init(struct shard *shard, struct store *store)
{
    struct pages pages = {
        .arena = store->arena, .budget = store->config.data, .held = &store->held};
    /* Each entry is charged for its own record. */
    struct pages beside_held = {.arena = store->arena, .budget = store->config.data};

    if (pthread_mutex_init(&shard->lock, NULL) != 0) {
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
    census_remove(&shard->census, shard_entry_cost(store, entry));
    metric_add(&shard->metrics.bytes, -(uint64_t)shard_entry_cost(store, entry));
    metric_add(&shard->metrics.curr_items, -(uint64_t)1);
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
