/* The steps of a change. What they are put together to: write.c, join.c, count.c, touch.c.
 *
 * Threads: under the shard's lock, but for change_begin. Memory: the new entry; the old one, freed when
 * the change ends. */
#include "change.h"

void change_begin(struct change *change, struct store *store, struct slice key, int64_t now_s)
{
    *change = (struct change){.store = store, .now_s = now_s};
    change->place = shard_lock(store, key, &change->now_s);
    change->slot = index_find(&change->place.shard->index, change->place.hash, key);
    if (change->slot != NULL) {
        change->present = index_entry(*change->slot);
        change->is_live = shard_is_live(change->place.shard, change->present);
    }
}

void change_end(struct change *change, uint64_t cas, struct store_outcome *outcome)
{
    shard_outcome(change->place.shard, outcome);
    outcome->cas = cas;
    (void)pthread_mutex_unlock(&change->place.shard->lock);
    if (change->gone != NULL) {
        entry_destroy(change->gone);
    }
}

enum sess_status change_check(const struct change *change, const struct store_write *write)
{
    switch (write->mode) {
    case STORE_ADD:
        return change->is_live ? SESS_NOT_STORED : SESS_OK;
    case STORE_REPLACE:
    case STORE_APPEND:
    case STORE_PREPEND:
        return change->is_live ? SESS_OK : SESS_NOT_STORED;
    case STORE_CAS:
        if (!change->is_live) {
            return SESS_NOT_FOUND;
        }
        return entry_cas(change->present) == write->cas ? SESS_OK : SESS_EXISTS;
    default:
        return SESS_OK;
    }
}

static int64_t live_deadline(const struct change *change)
{
    return change->is_live ? entry_deadline(change->present) : 0;
}

enum sess_status change_remove(struct change *change, struct slice key)
{
    struct shard *shard = change->place.shard;
    struct mutation mutation = {
        .kind = MUTATION_DELETE,
        .key = key,
        .old_deadline_s = live_deadline(change),
        .now_s = change->now_s,
    };
    enum sess_status status =
        change->is_live ? shard_announce(change->store, shard, &mutation) : SESS_OK;

    if (status == SESS_OK) {
        metric_add(&shard->metrics.sessions_deleted, change->is_live);
        shard_take_out(change->store, change->place, change->slot);
        change->gone = change->present;
    }
    return status;
}

static enum sess_status announce(struct change *change, const struct entry *entry,
                                 int64_t deadline_s, bool is_touch)
{
    struct mutation mutation = {
        .kind = MUTATION_SET,
        .key = entry_key(entry),
        .value = entry_value(entry),
        .block = entry_block(entry),
        .flags = entry_flags(entry),
        .cas = entry_cas(entry),
        .deadline_s = deadline_s,
        .old_deadline_s = live_deadline(change),
        .now_s = change->now_s,
        .is_touch = is_touch,
    };

    return shard_announce(change->store, change->place.shard, &mutation);
}

static size_t present_cost(const struct change *change)
{
    return change->present == NULL ? 0 : entry_cost(change->present);
}

/* The size by which the data grow is charged; a change that does not grow always fits. */
static enum sess_status charge_growth(struct budget *data, size_t before, size_t after)
{
    return after <= before || budget_charge(data, after - before) ? SESS_OK : SESS_NO_MEMORY;
}

/* Let `entry` take the place of what is there. Nothing here can fail. */
static void put_in(struct change *change, struct entry *entry)
{
    struct shard *shard = change->place.shard;
    size_t before = present_cost(change);
    size_t after = entry_cost(entry);
    int64_t deadline_s = entry_deadline(entry);

    if (after < before) {
        budget_release(change->store->config.data, before - after);
    }
    if (change->present != NULL) {
        wheel_disarm(&shard->wheel, &change->present->timer);
        index_replace(change->slot, entry);
    } else {
        index_insert(&shard->index, change->place.hash, entry);
        metric_add(&shard->metrics.curr_items, 1);
    }
    change->gone = change->present;
    if (deadline_s != STORE_NO_DEADLINE) {
        wheel_arm(&shard->wheel, &entry->timer, deadline_s);
    }
    metric_add(&shard->metrics.bytes, after - before);
    metric_add(&shard->metrics.total_items, 1);
    metric_add(
        change->is_live ? &shard->metrics.sessions_renewed : &shard->metrics.sessions_created, 1);
}

/* Memory and journal for an entry that is made. */
static enum sess_status prepare(struct change *change, const struct entry *entry)
{
    struct budget *data = change->store->config.data;
    size_t before = present_cost(change);
    size_t after = entry_cost(entry);
    enum sess_status status = charge_growth(data, before, after);

    if (status != SESS_OK) {
        return status;
    }
    if (change->present == NULL) {
        status = index_reserve(&change->place.shard->index);
    }
    if (status == SESS_OK) {
        status = announce(change, entry, entry_deadline(entry), false);
    }
    if (status != SESS_OK) {
        budget_release(data, after > before ? after - before : 0);
    }
    return status;
}

enum sess_status change_put(struct change *change, struct entry_fields *fields, uint64_t *cas)
{
    struct shard *shard = change->place.shard;
    struct entry *entry;
    enum sess_status status;

    fields->cas = shard->next_cas;
    status = entry_create(fields, &entry);
    if (status != SESS_OK) {
        return status;
    }
    if (fields->block != NULL) {
        value_block_acquire(fields->block);
    }
    status = prepare(change, entry);
    if (status != SESS_OK) {
        entry_destroy(entry);
        return status;
    }
    put_in(change, entry);
    *cas = shard->next_cas++;
    return SESS_OK;
}

static enum sess_status touch_live(struct change *change, int64_t deadline_s)
{
    struct shard *shard = change->place.shard;
    int64_t old_s = entry_deadline(change->present);
    enum sess_status status = SESS_OK;

    if (deadline_s == old_s) {
        return SESS_OK;
    }
    status = announce(change, change->present, deadline_s, true);
    if (status != SESS_OK) {
        return status;
    }
    entry_set_deadline(change->present, deadline_s);
    if (deadline_s != STORE_NO_DEADLINE) {
        wheel_arm_by(&shard->wheel, &change->present->timer, deadline_s);
    }
    metric_add(&shard->metrics.sessions_renewed, deadline_s > old_s);
    return SESS_OK;
}

enum sess_status change_touch(struct change *change, struct slice key, struct store_expiry expiry)
{
    int64_t deadline_s = shard_deadline(change->place.shard, expiry);

    return deadline_s <= change->now_s ? change_remove(change, key)
                                       : touch_live(change, deadline_s);
}
