/* Expiry, the sweep after a flush, and pages that are given back: in slices, a shard at a time.
 *
 * Threads: any; each slice holds one shard's lock for a bounded time. Memory: none. */
#include "tick.h"

#include "compact.h"
#include "flush.h"
#include "shard.h"

enum {
    TICK_BYTES = 1 << 18, /* of entries that one slice takes out */
    PRESSED_SHARE = 8,    /* less than an 8th of the data budget is left: memory is short */
    GATHER_TRIES = 8,
    GATHER_SHARDS = 8,       /* shards that are looked at when too much is held */
    GATHER_STEPS = 512,      /* steps in all of them */
    GATHER_ALL_STEPS = 8192, /* steps when there is no page: 128 are squeezed */
};

/* What a slice has taken out of a shard. */
struct taken {
    unsigned n_fetched;         /* timers whose entries were fetched, and that are still to come */
    struct value_block *blocks; /* to be released when the lock is not held any more */
    size_t cost;                /* bytes */
};

static void take(struct taken *taken, struct store *store, struct shard *shard, struct entry *entry)
{
    struct value_block *block;

    taken->cost += shard_entry_cost(store, entry);
    block = shard_free(store, shard, entry);
    if (block != NULL) {
        block->next = taken->blocks;
        taken->blocks = block;
    }
}

static void release_blocks(struct taken *taken)
{
    while (taken->blocks != NULL) {
        struct value_block *block = taken->blocks;

        taken->blocks = block->next;
        value_block_release(block);
    }
}

/* A timer fired: the entry has expired, or was given more time since and is armed again. */
static void settle(struct store *store, struct shard *shard, uint32_t record, struct taken *taken)
{
    uint64_t *slot = timer_find_over(&shard->timers, &shard->index, record, shard->now_s);

    if (slot != NULL) {
        struct entry *entry = index_entry(*slot);
        struct place place = {.shard = shard, .hash = index_hash(&shard->index, entry)};

        shard_take_out(store, place, slot);
        if (!entry_is_hold(entry)) {
            metric_add(&shard->metrics.reclaimed, 1);
            metric_add(&shard->metrics.expired_unfetched, !entry_is_fetched(entry));
            metric_add(&shard->metrics.sessions_unused, entry_is_on_probation(entry));
        }
        take(taken, store, shard, entry);
    }
}

static bool is_pressed(const struct store *store)
{
    struct budget *data = store->config.data;

    return budget_used(data) > data->limit - data->limit / PRESSED_SHARE;
}

/* Before a timer is taken: what it and the next ones will look at. */
static void fetch_ahead(struct shard *shard, struct taken *taken)
{
    if (taken->n_fetched == 0) {
        taken->n_fetched = timers_fetch(&shard->timers, &shard->index);
    }
    taken->n_fetched -= taken->n_fetched > 0;
}

/* One piece of work. Returns the steps it counts for; 0: there is nothing to do. */
static unsigned tick_step(struct store *store, struct shard *shard, struct taken *taken)
{
    uint32_t due = 0;
    struct entry *flushed;

    if (!store->is_in_grace) {
        fetch_ahead(shard, taken);
    }
    if (timers_are_sifted(&shard->timers)) {
        timers_sift_step(&shard->timers, &shard->index);
        return 1;
    }
    /* In a grace nothing is due. */
    switch (store->is_in_grace ? WHEEL_IDLE
                               : wheel_step(&shard->timers.wheel, shard->now_s, &due)) {
    case WHEEL_DUE:
        settle(store, shard, due, taken);
        return 1;
    case WHEEL_MOVED:
        return 1;
    default:
        break;
    }
    if (!flush_is_swept(shard)) {
        flushed = flush_sweep(store, shard);
        if (flushed != NULL) {
            take(taken, store, shard, flushed);
            metric_add(&shard->metrics.sessions_flushed, 1);
        }
        return 1;
    }
    if (compact_pays(shard, is_pressed(store))) {
        (void)compact_step(shard);
        return COMPACT_STEP_ENTRIES;
    }
    return 0;
}

/* Returns false when the steps ran out, or enough bytes were taken out, before the shard was done. */
static bool tick_shard(struct store *store, struct shard *shard, int64_t now_s, unsigned *steps)
{
    struct taken taken = {.blocks = NULL};
    unsigned done = 1;

    /* What is taken back is no change: whatever comes of a flush that is due. */
    (void)flush_lock(store, shard, &now_s);
    while (done > 0 && *steps > 0 && taken.cost < TICK_BYTES) {
        done = tick_step(store, shard, &taken);
        *steps -= done < *steps ? done : *steps;
    }
    (void)pthread_mutex_unlock(&shard->lock);
    release_blocks(&taken);
    return done == 0;
}

/* How many shards it looks after. */
static unsigned count_own(const struct store *store, const struct store_ticker *ticker)
{
    return (store->n_shards - ticker->first + ticker->stride - 1) / ticker->stride;
}

/* To its next shard. Returns whether that ends a round. */
static bool go_on(const struct store *store, struct store_ticker *ticker)
{
    ticker->position += ticker->stride;
    if (ticker->position >= store->n_shards) {
        ticker->position = ticker->first;
    }
    ticker->n_done++;
    if (ticker->n_done < count_own(store, ticker)) {
        return false;
    }
    ticker->n_done = 0;
    return true;
}

bool store_tick(struct store *store, struct store_ticker *ticker, int64_t now_s, unsigned max_steps)
{
    bool is_over = ticker->first >= store->n_shards; /* more workers than shards */

    forecast_note(&store->forecast, now_s, budget_used(&store->held));
    while (!is_over && max_steps > 0 &&
           tick_shard(store, &store->shards[ticker->position], now_s, &max_steps)) {
        max_steps -= max_steps > 0;
        is_over = go_on(store, ticker);
    }
    return !is_over;
}

/* Returns whether anything came of it. */
static bool gather(struct store *store, int64_t now_s, unsigned n_shards, unsigned steps)
{
    struct budget *data = store->config.data;
    size_t before = budget_used(data) + budget_used(&store->held);
    unsigned first = atomic_fetch_add(&store->gather_next, n_shards);

    for (unsigned i = 0; i < n_shards; i++) {
        (void)tick_shard(store, &store->shards[(first + i) % store->n_shards], now_s, &steps);
    }
    return budget_used(data) + budget_used(&store->held) < before;
}

bool tick_helps(struct store *store, int64_t now_s, enum sess_status status, unsigned tries)
{
    if (tries >= GATHER_TRIES) {
        return false;
    }
    if (status == SESS_LIMIT && arena_give_ahead(store->arena)) {
        return true;
    }
    if (status == SESS_LIMIT) {
        return gather(store, now_s, store->n_shards, GATHER_ALL_STEPS);
    }
    return status == SESS_NO_MEMORY && gather(store, now_s, GATHER_SHARDS, GATHER_STEPS);
}
