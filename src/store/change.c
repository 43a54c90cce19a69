/* The steps of a change. What it makes of a session: session.c. What they are put together to: write.c, join.c,
 * count.c, reading.c.
 *
 * Threads: under the shard's lock, but for change_begin. Memory: places in the shard's heap; blocks are
 * released behind the lock. */
#include "change.h"

#include "compact.h"
#include "flush.h"
#include "sessiond/store/policy.h"

#include <string.h>

void change_find(struct change *change, struct slice key)
{
    change->slot = index_find(&change->place.shard->index, change->place.hash, key);
    change->present = change->slot == NULL ? NULL : index_entry(*change->slot);
}

void change_begin(struct change *change, struct store *store, struct slice key, uint64_t hash,
                  int64_t now_s)
{
    *change =
        (struct change){.store = store, .now_s = now_s, .place = shard_place(store, key, hash)};
    change->flushed = flush_lock(store, change->place.shard, &change->now_s);
    change_find(change, key);
    change->is_live =
        change->present != NULL && shard_is_live(change->place.shard, change->present);
    change->is_hidden =
        change->present != NULL && shard_is_hidden(store, change->place.shard, change->present);
    change->is_held = change->present != NULL && !change->is_live &&
                      shard_is_held(store, change->place.shard, change->present);
    /* What is kept back is for keys that are there. */
    change->held_limit = change->is_live ? SIZE_MAX : store->new_key_limit;
}

void change_end(struct change *change, uint64_t cas, struct store_outcome *outcome)
{
    shard_outcome(change->place.shard, outcome);
    outcome->cas = cas;
    outcome->deadline_s = change->stored_deadline_s;
    outcome->size_bytes = change->stored_size;
    if (change->gone != NULL) {
        change->gone_block =
            shard_end(change->store, change->place.shard, change->gone, change->hold_until_s);
    }
    (void)pthread_mutex_unlock(&change->place.shard->lock);
    if (change->gone_block != NULL) {
        value_block_release(change->gone_block);
    }
}

/* Whether anybody's session is there, or may be again. */
static bool is_kept(const struct change *change)
{
    return change->is_live || change->is_hidden;
}

/* The write is of an older version than what is there, and may be stored all the same. */
static bool is_older(const struct change *change, const struct store_write *write)
{
    return write->takes_older && write->cas < entry_cas(change->present);
}

enum sess_status change_check(const struct change *change, const struct store_write *write)
{
    switch (write->mode) {
    case STORE_ADD:
        return change->is_live ? SESS_NOT_STORED : SESS_OK;
    case STORE_REPLACE:
        return change->is_live ? SESS_OK : SESS_NOT_STORED;
    case STORE_APPEND:
    case STORE_PREPEND:
        if (!change->is_live) {
            return write->vivifies ? SESS_OK : SESS_NOT_STORED;
        }
        return write->cas == 0 || entry_cas(change->present) == write->cas ? SESS_OK : SESS_EXISTS;
    case STORE_RESTORE:
        return is_kept(change) ? SESS_NOT_STORED : SESS_OK;
    case STORE_CAS:
        if (!change->is_live) {
            return SESS_NOT_FOUND;
        }
        return entry_cas(change->present) == write->cas || is_older(change, write) ? SESS_OK
                                                                                   : SESS_EXISTS;
    default:
        return SESS_OK;
    }
}

static enum sess_status ask(struct change *change, const struct mutation *mutation)
{
    if (change->is_recorded || change->flushed != SESS_OK) {
        return change->flushed;
    }
    return shard_announce(change->store, change->place.shard, mutation);
}

static int64_t kept_deadline(const struct change *change)
{
    return is_kept(change) ? entry_deadline(change->present) : 0;
}

/* Of what is hidden the time is certain up to the mark alone: by the clock it would have no life left. */
static int64_t certain_time(const struct change *change)
{
    return change->is_hidden ? change->store->mark_s : change->now_s;
}

/* Until when the key of a session that ends is held; 0: not at all. */
static int64_t hold_until(const struct change *change, struct slice key)
{
    int64_t hold_s = is_kept(change) ? policy_hold_s(change->store->config.policy, key) : 0;

    return hold_s == 0 ? 0 : change->now_s + hold_s;
}

enum sess_status change_remove(struct change *change, struct slice key)
{
    struct shard *shard = change->place.shard;
    struct mutation mutation = {
        .kind = MUTATION_DELETE,
        .key = key,
        .deadline_s = hold_until(change, key),
        .old_deadline_s = kept_deadline(change),
        .now_s = certain_time(change),
    };
    enum sess_status status = is_kept(change) ? ask(change, &mutation) : SESS_OK;

    if (status == SESS_OK) {
        metric_add(&shard->metrics.sessions_deleted, change->is_live);
        change->gone = change->present;
        change->hold_until_s = mutation.deadline_s;
        if (mutation.deadline_s == 0) {
            shard_take_out(change->store, change->place, change->slot);
        }
    }
    return status;
}

enum sess_status change_delete(struct change *change, struct slice key)
{
    enum sess_status status = is_kept(change) ? change_remove(change, key) : SESS_OK;

    return status == SESS_OK && !change->is_live ? SESS_NOT_FOUND : status;
}

enum sess_status change_announce(struct change *change, const struct entry_fields *fields,
                                 bool is_touch)
{
    struct mutation mutation = {
        .kind = MUTATION_SET,
        .key = fields->key,
        .value = fields->block == NULL ? fields->value : value_block_bytes(fields->block),
        .block = fields->block,
        .flags = fields->flags,
        .cas = fields->cas,
        .marks = fields->marks,
        .deadline_s = fields->deadline_s,
        .old_deadline_s = kept_deadline(change),
        .now_s = certain_time(change),
        .is_touch = is_touch,
    };

    return ask(change, &mutation);
}

static size_t cost_of_block(const struct value_block *block)
{
    return block == NULL ? 0 : block_cost(block->arena, block->allocated);
}

/* What a change costs: of `held` all of it, of the data budget the block; pages of the heap are charged
 * as they are taken. */
struct cost {
    size_t held;
    size_t block;
};

static struct cost cost_of_present(const struct change *change)
{
    const struct entry *present = change->present;

    return present == NULL ? (struct cost){.held = 0}
                           : (struct cost){.held = shard_entry_cost(change->store, present),
                                           .block = cost_of_block(entry_block(present))};
}

/* By what `less` is less than `more`. */
static void give_back(struct budget *budget, size_t more, size_t less)
{
    if (more > less) {
        budget_release(budget, more - less);
    }
}

/* Only growth is charged: a change that does not grow always fits. Nothing at all is not: workers share these accounts. */
static enum sess_status charge(const struct change *change, struct cost before, struct cost after)
{
    struct store *store = change->store;

    if (after.held > before.held &&
        !budget_charge_within(&store->held, after.held - before.held, change->held_limit)) {
        return SESS_NO_MEMORY;
    }
    if (after.block > before.block &&
        !budget_charge(store->config.data, after.block - before.block)) {
        give_back(&store->held, after.held, before.held);
        return SESS_LIMIT;
    }
    return SESS_OK;
}

/* The same of what a change costs. */
static void uncharge(const struct change *change, struct cost more, struct cost less)
{
    give_back(&change->store->held, more.held, less.held);
    give_back(change->store->config.data, more.block, less.block);
}

static enum sess_status put_in_place(struct change *change, const struct entry_fields *fields)
{
    struct entry *entry = change->present;
    struct shard *shard = change->place.shard;
    size_t before = entry_size(entry);
    size_t after = entry_size_for(fields);
    int64_t before_s = entry_deadline(entry);
    enum sess_status status = change_announce(change, fields, false);

    if (status != SESS_OK) {
        return status;
    }
    change->gone_block = entry_block(entry);
    entry_remake(entry, fields);
    entry_set_accessed(entry, change->now_s);
    memset((uint8_t *)entry + after, 0, heap_round(after) - after);
    heap_shrink(&shard->heap, entry, before, after);
    timer_set(&shard->timers, &shard->index, change->place.hash, entry, before_s,
              fields->deadline_s);
    return SESS_OK;
}

/* What is there gives its place in the index and its timer to the new entry. */
static void replace_present(struct change *change, struct entry *entry)
{
    struct shard *shard = change->place.shard;
    struct entry *present = change->present;

    timer_hand_over(present, entry);
    index_replace(change->slot, entry);
    change->gone_block = entry_block(present);
    heap_free(&shard->heap, present, entry_size(present));
}

/* Memory for a new entry; what is there may move meanwhile. */
static enum sess_status find_place(struct change *change, const struct entry_fields *fields,
                                   struct entry **place)
{
    struct shard *shard = change->place.shard;

    if (change->present == NULL && (index_reserve(&shard->index, change->held_limit) != SESS_OK ||
                                    timers_reserve(&shard->timers, &shard->index) != SESS_OK)) {
        return SESS_LIMIT;
    }
    *place = compact_place(shard, entry_size_for(fields));
    if (change->present != NULL) {
        change_find(change, fields->key);
    }
    return *place == NULL ? SESS_LIMIT : SESS_OK;
}

/* From a new key without one, and another that is there already. */
static void learn_prefix(const struct change *change, const struct entry_fields *fields)
{
    struct prefixes *prefixes = &change->store->prefixes;
    const struct entry *other;

    if (fields->prefix != NULL || prefixes_are_full(prefixes)) {
        return;
    }
    other = index_neighbour(&change->place.shard->index, change->place.hash);
    if (other != NULL) {
        prefixes_learn(prefixes, fields->key, entry_own_key(other));
    }
}

static enum sess_status put_anew(struct change *change, const struct entry_fields *fields)
{
    struct shard *shard = change->place.shard;
    int64_t before_s = change->present == NULL ? 0 : entry_deadline(change->present);
    struct entry *entry;
    enum sess_status status = find_place(change, fields, &entry);

    if (status != SESS_OK) {
        return status;
    }
    entry_make(entry, fields);
    entry_set_accessed(entry, change->now_s);
    status = change_announce(change, fields, false);
    if (status != SESS_OK) {
        heap_free(&shard->heap, entry, entry_size(entry));
        return status;
    }
    if (change->present != NULL) {
        replace_present(change, entry);
    } else {
        learn_prefix(change, fields);
        index_insert(&shard->index, change->place.hash, entry);
    }
    timer_set(&shard->timers, &shard->index, change->place.hash, entry, before_s,
              fields->deadline_s);
    return SESS_OK;
}

static bool fits_in_place(const struct change *change, const struct entry_fields *fields)
{
    return change->present != NULL &&
           heap_round(entry_size_for(fields)) <= heap_round(entry_size(change->present));
}

/* Make room with what nobody can see any more. */
static void drop_dead(struct change *change)
{
    shard_take_out(change->store, change->place, change->slot);
    change->gone_block = shard_free(change->store, change->place.shard, change->present);
    change->present = NULL;
    change->slot = NULL;
}

static enum sess_status put_packed(struct change *change, const struct entry_fields *fields)
{
    struct cost before;
    struct cost after = {.block = cost_of_block(fields->block)};
    bool fits = fits_in_place(change, fields);
    bool was_hold = change->present != NULL && entry_is_hold(change->present);
    enum sess_status status;

    /* A hold stays until what ends it is stored. */
    if (change->present != NULL && !is_kept(change) && !was_hold && !fits) {
        drop_dead(change);
    }
    before = cost_of_present(change);
    after.held = shard_cost(change->store, entry_size_for(fields), fields->block);
    status = charge(change, before, after);
    if (status != SESS_OK) {
        return status;
    }
    status = fits ? put_in_place(change, fields) : put_anew(change, fields);
    if (status != SESS_OK) {
        uncharge(change, after, before);
        return status;
    }
    if (fields->block != NULL) {
        value_block_acquire(fields->block);
    }
    uncharge(change, before, after);
    shard_count(change->place.shard, before.held, was_hold, after.held, fields->marks.is_held);
    return SESS_OK;
}

enum sess_status change_put_as_is(struct change *change, const struct entry_fields *fields)
{
    struct entry_fields packed = *fields;

    packed.prefix = prefixes_find(&change->store->prefixes, fields->key);
    return put_packed(change, &packed);
}
