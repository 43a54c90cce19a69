/* Looks at one key. Not changes, but for the looks that renew, or do more. Threads: any; a small value is
 * looked at under its shard's lock, a large one by reference. Memory: none. */
#include "change.h"
#include "tick.h"

/* Count a look that found nothing. */
static void count_miss(const struct change *change)
{
    struct shard *shard = change->place.shard;

    if (change->present != NULL && !entry_is_hold(change->present)) {
        metric_add(entry_deadline(change->present) <= change->now_s ? &shard->metrics.get_expired
                                                                    : &shard->metrics.get_flushed,
                   1);
    }
}

/* The entry stays where it is until the reading ends: under the lock, or by the block's reference. */
static void hand_over(struct change *change, struct store_reading *reading)
{
    const struct entry *entry = change->present;

    reading->value = entry_value(entry);
    reading->flags = entry_flags(entry);
    reading->cas = entry_cas(entry);
    reading->block = entry_block(entry);
    reading->store = change->store;
    reading->locked = change->place.shard;
    reading->gone = change->gone;
    reading->hold_until_s = change->hold_until_s;
    if (reading->block != NULL) {
        value_block_acquire(reading->block);
        reading->locked = NULL;
        reading->gone = NULL;
        change_end(change, 0, &reading->outcome);
    }
}

/* A use of a new session, which is a change then. */
static void use(struct change *change, struct slice key, struct store_reading *reading)
{
    reading->has_changed =
        entry_is_on_probation(change->present) && change_end_probation(change, key);
    if (reading->has_changed) {
        shard_outcome(change->place.shard, &reading->outcome);
    }
}

static void begin(struct change *change, struct store_reading *reading)
{
    entry_set_fetched(change->present);
    entry_set_accessed(change->present, change->now_s);
    hand_over(change, reading);
}

enum sess_status store_read_begin(struct store *store, struct slice key, uint64_t hash,
                                  int64_t now_s, struct store_reading *reading)
{
    struct change change;

    change_begin(&change, store, key, hash, now_s);
    shard_outcome(change.place.shard, &reading->outcome);
    if (!change.is_live) {
        count_miss(&change);
        change_end(&change, 0, &reading->outcome);
        return SESS_NOT_FOUND;
    }
    use(&change, key, reading);
    begin(&change, reading);
    return SESS_OK;
}

enum sess_status store_read_touch_begin(struct store *store, struct slice key, uint64_t hash,
                                        struct store_expiry expiry, int64_t now_s,
                                        struct store_reading *reading)
{
    struct change change;
    enum sess_status status;

    change_begin(&change, store, key, hash, now_s);
    if (!change.is_live) {
        count_miss(&change);
    }
    status = change_touch(&change, key, expiry);
    reading->has_changed = true;
    shard_outcome(change.place.shard, &reading->outcome);
    if (status != SESS_OK) {
        change_end(&change, 0, &reading->outcome);
        return status;
    }
    begin(&change, reading);
    return SESS_OK;
}

static int64_t ttl_of(const struct change *change, int64_t deadline_s)
{
    if (deadline_s == STORE_NO_DEADLINE) {
        return STORE_NO_DEADLINE;
    }
    return deadline_s > change->now_s ? deadline_s - change->now_s : 0;
}

/* What is there, before the look changes it. */
static void see(const struct change *change, struct store_sight *sight)
{
    const struct entry *entry = change->present;
    struct store_marks marks = entry_marks(entry);

    *sight = (struct store_sight){
        .old_ttl_s = ttl_of(change, entry_deadline(entry)),
        .ttl_s = ttl_of(change, entry_deadline(entry)),
        .idle_s = entry_idle_s(entry, change->now_s),
        .held_bytes = shard_entry_cost(change->store, entry),
        .was_fetched = entry_is_fetched(entry),
        .is_stale = marks.is_stale,
        .had_winner = marks.has_winner,
    };
}

/* One who looks is told to make it anew, if it is stale or ends soon, and nobody was told before. */
static bool wins(const struct change *change, const struct store_look *look,
                 const struct store_sight *sight)
{
    int64_t ttl_s = look->recaches_renewed ? sight->ttl_s : sight->old_ttl_s;
    bool ends_soon = look->recaches && ttl_s != STORE_NO_DEADLINE &&
                     ttl_s < ttl_of(change, shard_deadline(change->place.shard, look->recache));

    return !sight->had_winner && (sight->is_stale || ends_soon);
}

/* A live entry. */
static enum sess_status look_at(struct change *change, const struct store_look *look,
                                struct store_sight *sight)
{
    struct value_block *block = look->replies == NULL ? NULL : entry_block(change->present);
    enum sess_status status = SESS_OK;

    see(change, sight);
    if (block != NULL && !value_block_lend(block, look->replies)) {
        return value_block_bytes(block).size > look->replies->limit ? SESS_TOO_LARGE : SESS_BUSY;
    }
    if (look->renews) {
        status = change_touch(change, look->key, look->expiry);
        sight->ttl_s = change->gone != NULL ? 0 : ttl_of(change, entry_deadline(change->present));
    }
    if (status != SESS_OK && block != NULL) {
        value_block_take_back(block, look->replies);
    }
    sight->has_won = wins(change, look, sight);
    return status;
}

/* An empty value, for the one who looked to fill. One that would have ended already is none. */
static enum sess_status vivify(struct change *change, const struct store_look *look,
                               struct store_sight *sight)
{
    struct entry_fields fields = {
        .key = look->key,
        .deadline_s = change_deadline(change, look->key, look->vivified),
        .marks = {.has_winner = true},
    };
    enum sess_status status;
    uint64_t cas;

    if (fields.deadline_s <= change->now_s) {
        status = change_write_dead(change, look->key);
        return status == SESS_OK ? SESS_NOT_FOUND : status;
    }
    change_use_cas(&fields, look->new_cas);
    status = change_put(change, &fields, &cas);
    if (status == SESS_NOT_STORED) {
        return SESS_NOT_FOUND;
    }
    if (status == SESS_OK) {
        change_find(change, look->key);
        see(change, sight);
        sight->had_winner = false;
        sight->has_won = true;
    }
    return status;
}

static enum sess_status miss(struct change *change, const struct store_look *look)
{
    count_miss(change);
    /* In a grace it may end what is hidden. */
    return look->renews ? change_touch(change, look->key, look->expiry) : SESS_NOT_FOUND;
}

static enum sess_status try_look(struct store *store, const struct store_look *look, int64_t now_s,
                                 struct store_reading *reading, struct store_sight *sight)
{
    struct change change;
    enum sess_status status;

    change_begin(&change, store, look->key, look->hash, now_s);
    if (change.is_live) {
        status = look_at(&change, look, sight);
    } else {
        status = look->vivifies ? vivify(&change, look, sight) : miss(&change, look);
    }
    shard_outcome(change.place.shard, &reading->outcome);
    if (status != SESS_OK) {
        change_end(&change, 0, &reading->outcome);
        return status;
    }
    reading->has_changed = look->renews || !change.is_live;
    if (!reading->has_changed && !look->leaves_no_trace) {
        use(&change, look->key, reading);
    }
    if (sight->has_won) {
        entry_set_winner(change.present);
    }
    if (!look->leaves_no_trace) {
        entry_set_fetched(change.present);
        entry_set_accessed(change.present, change.now_s);
    }
    hand_over(&change, reading);
    return SESS_OK;
}

enum sess_status store_look_begin(struct store *store, const struct store_look *look, int64_t now_s,
                                  struct store_reading *reading, struct store_sight *sight)
{
    enum sess_status status = try_look(store, look, now_s, reading, sight);

    for (unsigned tries = 0; tick_helps(store, now_s, status, tries); tries++) {
        status = try_look(store, look, now_s, reading, sight);
    }
    return tick_status(status);
}

void store_read_end(struct store_reading *reading)
{
    if (reading->block != NULL) {
        value_block_release(reading->block);
        return;
    }
    if (reading->gone != NULL) {
        (void)!shard_end(reading->store, reading->locked, reading->gone, reading->hold_until_s);
    }
    (void)pthread_mutex_unlock(&reading->locked->lock);
}
