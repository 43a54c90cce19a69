/* What a change makes of a session: its life, its version, its counts. Where it is put: change.c.
 *
 * Threads: under the shard's lock. Memory: as any change. */
#include "change.h"

#include "sessiond/store/policy.h"

#include <string.h>

enum { PROBATION_MIN_S = 2 }; /* of seconds that are whole: after one that has passed for certain */

int64_t change_cap(struct change *change, struct slice key, int64_t deadline_s)
{
    int64_t cap_s = policy_cap_s(change->store->config.policy, key);

    if (cap_s == POLICY_NO_CAP || deadline_s - change->now_s <= cap_s) {
        return deadline_s;
    }
    change->is_capped = true;
    return change->now_s + cap_s;
}

/* There is no place in a page for a small value; but what it replaces is large, and has one of its own. An
 * overwrite that is no larger must not fail: it gets one, too. */
static enum sess_status put_by_reference(struct change *change, const struct entry_fields *fields)
{
    struct entry_fields large = *fields;
    size_t size = fields->value.size;
    enum sess_status status = SESS_LIMIT;

    if (!change->is_live || fields->block != NULL || entry_block(change->present) == NULL) {
        return SESS_LIMIT;
    }
    large.block = block_create(change->store->arena, size, size);
    if (large.block != NULL) {
        memcpy(large.block->bytes, fields->value.data, size);
        status = change_put_as_is(change, &large);
        value_block_release(large.block);
    }
    return status;
}

void change_use_cas(struct entry_fields *fields, uint64_t cas)
{
    fields->cas = cas;
    fields->marks.is_clients_cas = cas != 0;
}

static void note_stored(struct change *change, const struct entry_fields *fields, uint64_t *cas)
{
    *cas = fields->cas;
    change->stored_deadline_s = fields->deadline_s;
    change->stored_size =
        fields->block == NULL ? fields->value.size : value_block_bytes(fields->block).size;
}

static void count_cap(const struct change *change)
{
    if (change->is_capped) {
        metric_add(&change->place.shard->metrics.sessions_capped, 1);
    }
}

enum sess_status change_restate(struct change *change, struct entry_fields *fields, uint64_t *cas)
{
    struct shard *shard = change->place.shard;
    enum sess_status status;

    fields->n_flushes = shard->n_flushes;
    if (!fields->marks.is_clients_cas) {
        fields->cas = shard->next_cas;
    }
    status = change_put_as_is(change, fields);
    if (status == SESS_LIMIT) {
        status = put_by_reference(change, fields);
    }
    if (status == SESS_OK) {
        /* A client's id takes one of the sequence, too: those in front of it stay in front. */
        shard->next_cas++;
        count_cap(change);
        note_stored(change, fields, cas);
    }
    return status;
}

/* By an id from in front of a flush nobody would see it: it gets a new one, as clients have missed it meanwhile. */
static void leave_flush_behind(const struct shard *shard, struct entry_fields *fields)
{
    if (!fields->marks.is_held && !fields->marks.is_clients_cas &&
        fields->cas < shard->flushed_below) {
        fields->cas = shard->next_cas;
    }
}

enum sess_status change_restore(struct change *change, struct entry_fields *fields, uint64_t *cas)
{
    struct shard *shard = change->place.shard;
    enum sess_status status;

    if (change->is_held &&
        (!fields->marks.is_held || entry_deadline(change->present) >= fields->deadline_s)) {
        return SESS_NOT_STORED;
    }
    leave_flush_behind(shard, fields);
    fields->n_flushes = shard->n_flushes;
    status = change_put_as_is(change, fields);
    if (status == SESS_OK) {
        /* No version that comes later has its id, nor one below. */
        if (!fields->marks.is_clients_cas && fields->cas >= shard->next_cas) {
            shard->next_cas = fields->cas;
        }
        shard->next_cas++;
        note_stored(change, fields, cas);
        metric_add(&shard->metrics.sessions_restored, !fields->marks.is_held);
    }
    return status;
}

/* It lives for a short time, until it is used again. */
static void begin_probation(struct change *change, struct entry_fields *fields)
{
    int64_t first_s = policy_first_s(change->store->config.policy, fields->key);

    if (first_s > 0 && fields->deadline_s - change->now_s > first_s) {
        fields->marks.asked_s = fields->deadline_s;
        fields->deadline_s = change->now_s + first_s;
        change->created_s = change->now_s;
    }
}

/* The present session is on probation, and was made so lately that this may be the same request. Its deadline then stays
 * as it is. */
static bool is_early(const struct change *change, int64_t deadline_s)
{
    return change->now_s - entry_created_s(change->present, change->now_s) < PROBATION_MIN_S &&
           deadline_s > entry_deadline(change->present);
}

static void go_on_probation(struct change *change, struct entry_fields *fields)
{
    if (is_early(change, fields->deadline_s)) {
        fields->marks.asked_s = fields->deadline_s;
        fields->deadline_s = entry_deadline(change->present);
        change->created_s = entry_created_s(change->present, change->now_s);
    }
}

enum sess_status change_put(struct change *change, struct entry_fields *fields, uint64_t *cas)
{
    struct store_metrics *metrics = &change->place.shard->metrics;
    enum sess_status status;

    if (change->is_held && !change->may_revive) {
        metric_add(&metrics->sessions_revived_refused, 1);
        return SESS_NOT_STORED;
    }
    fields->marks.asked_s = 0;
    if (!change->is_live) {
        begin_probation(change, fields);
    } else if (entry_is_on_probation(change->present)) {
        go_on_probation(change, fields);
    }
    /* On probation still: this may be the request that made it. */
    fields->is_renewed = change->is_live && fields->marks.asked_s == 0;
    status = change_restate(change, fields, cas);
    if (status == SESS_OK && fields->marks.asked_s != 0) {
        change_find(change, fields->key);
        entry_set_created(change->present, change->created_s);
    }
    if (status == SESS_OK) {
        metric_add(&metrics->total_items, 1);
        metric_add(change->is_live ? &metrics->sessions_renewed : &metrics->sessions_created, 1);
    }
    return status;
}

/* Ask about another deadline of the live entry, and about what it gets behind a probation; 0: it is on none. */
static enum sess_status announce_deadline(struct change *change, struct slice key,
                                          int64_t deadline_s, int64_t asked_s)
{
    const struct entry *entry = change->present;
    struct entry_fields fields = {
        .key = key,
        .value = entry_value(entry),
        .block = entry_block(entry),
        .flags = entry_flags(entry),
        .deadline_s = deadline_s,
        .cas = entry_cas(entry),
        .marks = entry_marks(entry),
    };

    fields.marks.asked_s = asked_s;
    return change_announce(change, &fields, asked_s == 0);
}

/* The live entry has this deadline from now on. */
static enum sess_status set_deadline(struct change *change, struct slice key, int64_t deadline_s)
{
    struct shard *shard = change->place.shard;
    struct entry *entry = change->present;
    int64_t old_s = entry_deadline(entry);
    enum sess_status status = announce_deadline(change, key, deadline_s, 0);

    if (status != SESS_OK) {
        return status;
    }
    if (entry_is_on_probation(entry)) {
        shard_end_probation(change->store, shard, entry);
    }
    entry_set_deadline(entry, deadline_s);
    timer_set(&shard->timers, &shard->index, change->place.hash, entry, old_s, deadline_s);
    return SESS_OK;
}

/* It stays on probation, and gets this deadline behind it. */
static enum sess_status ask_for(struct change *change, struct slice key, int64_t deadline_s)
{
    struct entry *entry = change->present;
    enum sess_status status = announce_deadline(change, key, entry_deadline(entry), deadline_s);

    if (status == SESS_OK) {
        entry_set_asked(entry, deadline_s);
    }
    return status;
}

static enum sess_status touch_live(struct change *change, struct slice key, int64_t deadline_s)
{
    int64_t old_s = entry_full_deadline(change->present);
    bool stays = entry_is_on_probation(change->present) && is_early(change, deadline_s);
    enum sess_status status = SESS_OK;

    if (stays) {
        status = ask_for(change, key, deadline_s);
    } else if (deadline_s != entry_deadline(change->present) ||
               entry_is_on_probation(change->present)) {
        status = set_deadline(change, key, deadline_s);
    }
    if (status == SESS_OK) {
        if (!stays) {
            entry_set_renewed(change->present);
        }
        count_cap(change);
        metric_add(&change->place.shard->metrics.sessions_renewed, deadline_s > old_s);
    }
    return status;
}

enum sess_status change_touch(struct change *change, struct slice key, struct store_expiry expiry)
{
    int64_t deadline_s = change_deadline(change, key, expiry);

    if (deadline_s <= change->now_s) {
        return change_delete(change, key);
    }
    return change->is_live ? touch_live(change, key, deadline_s) : SESS_NOT_FOUND;
}

bool change_end_probation(struct change *change, struct slice key)
{
    int64_t deadline_s = entry_full_deadline(change->present);

    return !is_early(change, deadline_s) && set_deadline(change, key, deadline_s) == SESS_OK;
}
