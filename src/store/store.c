/* The store's life, its shards, expiry and metrics. Changes are change.c, looks are reading.c.
 *
 * Threads: any. Memory: the struct with its shards (about 4 MiB), then one entry a session. */
#include "sessiond/store/store.h"

#include "flush.h"
#include "shard.h"

#include <stdlib.h>

enum { TICK_BYTES = 1 << 20 }; /* of entries that one slice takes out */

#define ROW(...) OPTION_ROW(store_options, __VA_ARGS__)
static const struct option_row option_rows[] = {STORE_OPTIONS(ROW)};
#undef ROW
const struct option_table store_option_table = {
    .title = "Memory", .rows = option_rows, .n_rows = sizeof option_rows / sizeof option_rows[0]};

static const struct metric_row metric_rows[] = {STORE_METRICS(METRIC_ROW)};
_Static_assert(sizeof metric_rows / sizeof metric_rows[0] <= METRIC_ROWS_MAX, "totals have room");
const struct metric_table store_metric_table = {
    .rows = metric_rows, .n_rows = sizeof metric_rows / sizeof metric_rows[0]};

static enum sess_status shard_init(struct shard *shard, const struct store *store)
{
    if (pthread_mutex_init(&shard->lock, NULL) != 0) {
        return SESS_NO_MEMORY;
    }
    shard->next_cas = store->config.first_cas;
    shard->flushed_below = store->config.first_cas;
    shard->flush_at_s = STORE_NO_DEADLINE;
    shard->sweep_bucket = SIZE_MAX;
    shard->now_s = store->config.now_s;
    wheel_init(&shard->wheel, store->config.now_s);
    return index_init(&shard->index, &store->config.hash_key, store->config.data);
}

enum sess_status store_create(const struct store_config *config, struct store **out)
{
    struct store *store = aligned_alloc(alignof(struct store), sizeof *store);

    if (store == NULL) {
        return SESS_NO_MEMORY;
    }
    memset(store, 0, sizeof *store);
    store->config = *config;
    for (size_t i = 0; i < STORE_SHARDS; i++) {
        if (shard_init(&store->shards[i], store) != SESS_OK) {
            store_destroy(&store);
            return SESS_NO_MEMORY;
        }
    }
    *out = store;
    return SESS_OK;
}

void store_destroy(struct store **store)
{
    if (*store == NULL) {
        return;
    }
    for (size_t i = 0; i < STORE_SHARDS; i++) {
        struct shard *shard = &(*store)->shards[i];

        index_fini(&shard->index);
        (void)pthread_mutex_destroy(&shard->lock);
        budget_release((*store)->config.data, metric_read(&shard->metrics.bytes));
    }
    explicit_bzero(&(*store)->config.hash_key, sizeof(*store)->config.hash_key);
    free(*store);
    *store = NULL;
}

void store_on_mutation(struct store *store, mutation_fn hook, void *context)
{
    store->hook = hook;
    store->hook_context = context;
}

void shard_set_time(struct shard *shard, int64_t *now_s)
{
    if (*now_s > shard->now_s) {
        shard->now_s = *now_s;
        if (shard->now_s >= shard->flush_at_s) {
            flush_raise(shard);
        }
    }
    *now_s = shard->now_s;
}

struct place shard_lock(struct store *store, struct slice key, int64_t *now_s)
{
    uint64_t hash = hash_bytes(&store->config.hash_key, key);
    struct shard *shard = &store->shards[hash >> 56];

    (void)pthread_mutex_lock(&shard->lock);
    shard_set_time(shard, now_s);
    return (struct place){.shard = shard, .hash = hash};
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

void shard_take_out(struct store *store, struct place place, uint64_t *slot)
{
    struct shard *shard = place.shard;
    struct entry *entry = index_entry(*slot);
    size_t cost = entry_cost(entry);

    wheel_disarm(&shard->wheel, &entry->timer);
    index_remove(&shard->index, place.hash, slot);
    budget_release(store->config.data, cost);
    metric_add(&shard->metrics.bytes, -(uint64_t)cost);
    metric_add(&shard->metrics.curr_items, -(uint64_t)1);
}

/* What a slice has taken out of a shard, to be freed when the lock is not held any more. */
struct taken {
    struct wheel_timer *first; /* of entries, linked by `next` */
    size_t cost;               /* bytes */
};

static void take(struct taken *taken, struct entry *entry)
{
    taken->cost += entry_cost(entry);
    entry->timer.next = taken->first;
    taken->first = &entry->timer;
}

static void destroy_taken(struct taken *taken)
{
    while (taken->first != NULL) {
        struct entry *entry = (struct entry *)(void *)taken->first;

        taken->first = taken->first->next;
        entry_destroy(entry);
    }
}

/* A timer fired: the entry has expired, or was given more time since and is armed again. */
static void settle(struct store *store, struct shard *shard, struct wheel_timer *timer,
                   struct taken *taken)
{
    struct entry *entry = (struct entry *)(void *)timer;
    int64_t deadline_s = entry_deadline(entry);
    struct place place = {.shard = shard};

    if (deadline_s > shard->now_s) {
        if (deadline_s != STORE_NO_DEADLINE) {
            wheel_arm(&shard->wheel, timer, deadline_s);
        }
        return;
    }
    place.hash = hash_bytes(&store->config.hash_key, entry_key(entry));
    shard_take_out(store, place, index_find(&shard->index, place.hash, entry_key(entry)));
    metric_add(&shard->metrics.reclaimed, 1);
    metric_add(&shard->metrics.expired_unfetched, !entry_is_fetched(entry));
    take(taken, entry);
}

/* One step of taking back. Returns false when there is nothing to do. */
static bool tick_step(struct store *store, struct shard *shard, int64_t now_s, struct taken *taken)
{
    struct wheel_timer *due = NULL;
    struct entry *flushed;

    switch (wheel_step(&shard->wheel, now_s, &due)) {
    case WHEEL_DUE:
        settle(store, shard, due, taken);
        return true;
    case WHEEL_MOVED:
        return true;
    default:
        break;
    }
    if (flush_is_swept(shard)) {
        return false;
    }
    flushed = flush_sweep(store, shard);
    if (flushed != NULL) {
        take(taken, flushed);
    }
    return true;
}

/* Returns false when the steps ran out, or enough bytes were taken out, before the shard was done. */
static bool tick_shard(struct store *store, struct shard *shard, int64_t now_s, unsigned *steps)
{
    struct taken taken = {.first = NULL};
    bool has_more = true;

    (void)pthread_mutex_lock(&shard->lock);
    shard_set_time(shard, &now_s);
    while (has_more && *steps > 0 && taken.cost < TICK_BYTES) {
        has_more = tick_step(store, shard, now_s, &taken);
        *steps -= has_more;
    }
    (void)pthread_mutex_unlock(&shard->lock);
    destroy_taken(&taken);
    return !has_more;
}

bool store_tick(struct store *store, struct store_ticker *ticker, int64_t now_s, unsigned max_steps)
{
    for (unsigned visited = ticker->first; visited < STORE_SHARDS; visited += ticker->stride) {
        unsigned number = ticker->position;

        if (!tick_shard(store, &store->shards[number], now_s, &max_steps)) {
            return true;
        }
        ticker->position =
            number + ticker->stride < STORE_SHARDS ? number + ticker->stride : ticker->first;
    }
    return false;
}

void store_report(void *store, struct report *report)
{
    const struct store *self = store;
    uint64_t totals[METRIC_ROWS_MAX] = {0};

    for (size_t i = 0; i < STORE_SHARDS; i++) {
        metric_sum(&store_metric_table, &self->shards[i].metrics, totals);
    }
    metric_report(&store_metric_table, totals, report);
}
