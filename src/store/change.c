/* Changes of one key: write, delete, touch. Looks are reading.c, large values arrive by upload.c.
 *
 * One order in all of them: memory in hand, lock, find, conditions, budget, ask the journal, and
 * then only what cannot fail. Threads: any. Memory: the new entry, as a rule made before the lock is taken;
 * the old one, freed after it. */
#include "sessiond/store/store.h"

#include "change.h"

/* What one write found and made, on its way through the steps below. */
struct change {
    struct store *store;
    struct place place;
    int64_t now_s;
    uint64_t *slot;        /* NULL: the key is not there */
    struct entry *present; /* NULL, or what is there, perhaps expired */
    bool is_live;          /* present, and its deadline is to come */
};

static void change_begin(struct change *change, struct store *store, struct slice key,
                         int64_t now_s)
{
    *change = (struct change){.store = store, .now_s = now_s};
    change->place = shard_lock(store, key, &change->now_s);
    change->slot = index_find(&change->place.shard->index, change->place.hash, key);
    if (change->slot != NULL) {
        change->present = index_entry(*change->slot);
        change->is_live = entry_deadline(change->present) > change->now_s;
    }
}

/* Unlock; the outcome is what the shard says now. */
static void change_end(struct change *change, uint64_t cas, struct store_outcome *outcome)
{
    shard_outcome(change->place.shard, outcome);
    outcome->cas = cas;
    (void)pthread_mutex_unlock(&change->place.shard->lock);
}

static int64_t live_deadline(const struct change *change)
{
    return change->is_live ? entry_deadline(change->present) : 0;
}

/* Take out what is there; that something expired goes is no change, and nobody is asked. On OK the
 * caller destroys change->present after the lock. */
static enum sess_status remove_present(struct change *change, struct slice key)
{
    struct mutation mutation = {
        .kind = MUTATION_DELETE,
        .key = key,
        .old_deadline_s = live_deadline(change),
        .now_s = change->now_s,
    };
    enum sess_status status =
        change->is_live ? shard_announce(change->store, change->place.shard, &mutation) : SESS_OK;

    if (status == SESS_OK) {
        shard_take_out(change->store, change->place, change->slot);
    }
    return status;
}

static enum sess_status check_mode(const struct change *change, enum store_mode mode)
{
    if ((mode == STORE_ADD && change->is_live) || (mode == STORE_REPLACE && !change->is_live)) {
        return SESS_NOT_STORED;
    }
    return SESS_OK;
}

/* The size by which the data grow is charged; a change that does not grow always fits. */
static enum sess_status charge_growth(struct budget *data, size_t before, size_t after)
{
    return after <= before || budget_charge(data, after - before) ? SESS_OK : SESS_NO_MEMORY;
}

static size_t present_cost(const struct change *change)
{
    return change->present == NULL ? 0 : entry_cost(change->present);
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
    if (deadline_s != STORE_NO_DEADLINE) {
        wheel_arm(&shard->wheel, &entry->timer, deadline_s);
    }
    metric_add(&shard->metrics.bytes, after - before);
}

static enum sess_status announce_entry(struct change *change, const struct entry *entry,
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

/* Conditions, memory, journal, change. On failure nothing has changed. */
static enum sess_status replace_present(struct change *change, struct entry *entry,
                                        enum store_mode mode)
{
    struct shard *shard = change->place.shard;
    struct budget *data = change->store->config.data;
    size_t before = present_cost(change);
    size_t after = entry_cost(entry);
    enum sess_status status = check_mode(change, mode);

    if (status != SESS_OK) {
        return status;
    }
    status = charge_growth(data, before, after);
    if (status != SESS_OK) {
        return status;
    }
    if (change->present == NULL) {
        status = index_reserve(&shard->index);
    }
    if (status == SESS_OK) {
        entry_set_cas(entry, shard->next_cas);
        status = announce_entry(change, entry, entry_deadline(entry), false);
    }
    if (status != SESS_OK) {
        budget_release(data, after > before ? after - before : 0);
        return status;
    }
    put_in(change, entry);
    shard->next_cas++;
    metric_add(&shard->metrics.total_items, 1);
    return SESS_OK;
}

/* The deadline has passed before the value arrived: nothing is kept. */
static enum sess_status write_dead(struct change *change, const struct store_write *write,
                                   struct store_outcome *outcome)
{
    enum sess_status status = check_mode(change, write->mode);
    struct entry *gone = NULL;

    if (status == SESS_OK && change->present != NULL) {
        status = remove_present(change, write->key);
        gone = status == SESS_OK ? change->present : NULL;
    }
    change_end(change, 0, outcome);
    if (gone != NULL) {
        entry_destroy(gone);
    }
    return status;
}

/* An entry takes a reference to its block. */
static enum sess_status make_entry(const struct entry_fields *fields, struct entry **out)
{
    enum sess_status status = entry_create(fields, out);

    if (status == SESS_OK && fields->block != NULL) {
        value_block_acquire(fields->block);
    }
    return status;
}

/* After 2^40 changes of its shard an entry needs a wider field than it was made with. */
static enum sess_status make_room_for_cas(const struct change *change, struct entry_fields *fields,
                                          struct entry **entry)
{
    struct entry *wider;
    enum sess_status status;

    fields->cas = change->place.shard->next_cas;
    if (entry_holds_cas(*entry, fields->cas)) {
        return SESS_OK;
    }
    status = make_entry(fields, &wider);
    if (status == SESS_OK) {
        entry_destroy(*entry);
        *entry = wider;
    }
    return status;
}

enum sess_status change_write(struct store *store, const struct store_write *write,
                              struct value_block *block, int64_t now_s,
                              struct store_outcome *outcome)
{
    struct entry_fields fields = {
        .key = write->key,
        .value = write->value,
        .block = block,
        .flags = write->flags,
        .deadline_s = write->deadline_s,
        .cas = store->config.first_cas,
    };
    struct change change;
    struct entry *entry = NULL;
    enum sess_status status;

    *outcome = (struct store_outcome){0};
    /* The end of a session must not need memory. */
    if (write->deadline_s > now_s) {
        status = make_entry(&fields, &entry);
        if (status != SESS_OK) {
            return status;
        }
    }
    change_begin(&change, store, write->key, now_s);
    if (write->deadline_s <= change.now_s) {
        status = write_dead(&change, write, outcome);
        if (entry != NULL) {
            entry_destroy(entry);
        }
        return status;
    }
    status = make_room_for_cas(&change, &fields, &entry);
    if (status == SESS_OK) {
        status = replace_present(&change, entry, write->mode);
    }
    change_end(&change, status == SESS_OK ? fields.cas : 0, outcome);
    if (status != SESS_OK) {
        entry_destroy(entry);
    } else if (change.present != NULL) {
        entry_destroy(change.present);
    }
    return status;
}

enum sess_status store_write(struct store *store, const struct store_write *write, int64_t now_s,
                             struct store_outcome *outcome)
{
    struct value_block *block = NULL;
    enum sess_status status;

    *outcome = (struct store_outcome){0};
    if (write->value.size > store->config.max_value_bytes) {
        return SESS_TOO_LARGE;
    }
    if (write->value.size > STORE_COPY_MAX) {
        block = value_block_create(write->value.size, write->value.size);
        if (block == NULL) {
            return SESS_NO_MEMORY;
        }
        memcpy(block->bytes, write->value.data, write->value.size);
    }
    status = change_write(store, write, block, now_s, outcome);
    if (block != NULL) {
        value_block_release(block);
    }
    return status;
}

enum sess_status store_delete(struct store *store, struct slice key, int64_t now_s,
                              struct store_outcome *outcome)
{
    struct change change;
    enum sess_status status = SESS_NOT_FOUND;

    change_begin(&change, store, key, now_s);
    if (change.is_live) {
        status = remove_present(&change, key);
    }
    change_end(&change, 0, outcome);
    if (status == SESS_OK) {
        entry_destroy(change.present);
    }
    return status;
}

/* A deadline after 2106 needs a field that the entry lacks: a wider copy takes its place. It must
 * not fail for the budget, since a touch never does. */
static enum sess_status touch_by_copy(struct change *change, int64_t deadline_s)
{
    struct entry_fields fields = {
        .key = entry_key(change->present),
        .value = entry_value(change->present),
        .block = entry_block(change->present),
        .flags = entry_flags(change->present),
        .deadline_s = deadline_s,
        .cas = entry_cas(change->present),
    };
    struct entry *wider;
    enum sess_status status = make_entry(&fields, &wider);

    if (status != SESS_OK) {
        return status;
    }
    status = announce_entry(change, wider, deadline_s, true);
    if (status != SESS_OK) {
        entry_destroy(wider);
        return status;
    }
    budget_charge_always(change->store->config.data, entry_cost(wider) - present_cost(change));
    put_in(change, wider);
    return SESS_OK;
}

static enum sess_status touch_in_place(struct change *change, int64_t deadline_s)
{
    enum sess_status status = announce_entry(change, change->present, deadline_s, true);

    if (status == SESS_OK) {
        struct wheel *wheel = &change->place.shard->wheel;

        entry_set_deadline(change->present, deadline_s);
        if (deadline_s != STORE_NO_DEADLINE) {
            wheel_arm_by(wheel, &change->present->timer, deadline_s);
        }
    }
    return status;
}

enum sess_status store_touch(struct store *store, struct slice key, int64_t deadline_s,
                             int64_t now_s, struct store_outcome *outcome)
{
    struct change change;
    enum sess_status status = SESS_NOT_FOUND;
    bool present_goes = false;

    change_begin(&change, store, key, now_s);
    if (change.is_live && deadline_s <= change.now_s) {
        status = remove_present(&change, key);
        present_goes = status == SESS_OK;
    } else if (change.is_live && deadline_s == entry_deadline(change.present)) {
        status = SESS_OK;
    } else if (change.is_live && entry_holds_deadline(change.present, deadline_s)) {
        status = touch_in_place(&change, deadline_s);
    } else if (change.is_live) {
        status = touch_by_copy(&change, deadline_s);
        present_goes = status == SESS_OK;
    }
    change_end(&change, 0, outcome);
    if (present_goes) {
        entry_destroy(change.present);
    }
    return status;
}
