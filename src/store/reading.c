/* Looks at one key. Not changes, but for the look that renews as well. Threads: any; a small value is
 * looked at under its shard's lock, a large one by reference. Memory: none. */
#include "change.h"

/* Count a look that found nothing. */
static void count_miss(const struct change *change)
{
    struct shard *shard = change->place.shard;

    if (change->present != NULL) {
        metric_add(entry_deadline(change->present) <= change->now_s ? &shard->metrics.get_expired
                                                                    : &shard->metrics.get_flushed,
                   1);
    }
}

/* The entry stays where it is until the reading ends: under the lock, or by the block's reference. */
static void begin(struct change *change, struct store_reading *reading)
{
    struct entry *entry = change->present;

    reading->value = entry_value(entry);
    reading->flags = entry_flags(entry);
    reading->cas = entry_cas(entry);
    reading->block = entry_block(entry);
    reading->store = change->store;
    reading->locked = change->place.shard;
    reading->gone = change->gone;
    entry_set_fetched(entry);
    if (reading->block != NULL) {
        value_block_acquire(reading->block);
        reading->locked = NULL;
        reading->gone = NULL;
        change_end(change, 0, &reading->outcome);
    }
}

enum sess_status store_read_begin(struct store *store, struct slice key, int64_t now_s,
                                  struct store_reading *reading)
{
    struct change change;

    change_begin(&change, store, key, now_s);
    shard_outcome(change.place.shard, &reading->outcome);
    if (!change.is_live) {
        count_miss(&change);
        change_end(&change, 0, &reading->outcome);
        return SESS_NOT_FOUND;
    }
    begin(&change, reading);
    return SESS_OK;
}

enum sess_status store_read_touch_begin(struct store *store, struct slice key,
                                        struct store_expiry expiry, int64_t now_s,
                                        struct store_reading *reading)
{
    struct change change;
    enum sess_status status;

    change_begin(&change, store, key, now_s);
    if (!change.is_live) {
        count_miss(&change);
    }
    status = change_touch(&change, key, expiry);
    shard_outcome(change.place.shard, &reading->outcome);
    if (status != SESS_OK) {
        change_end(&change, 0, &reading->outcome);
        return status;
    }
    begin(&change, reading);
    return SESS_OK;
}

void store_read_end(struct store_reading *reading)
{
    if (reading->block != NULL) {
        value_block_release(reading->block);
        return;
    }
    if (reading->gone != NULL) {
        (void)!shard_free(reading->store, reading->locked, reading->gone);
    }
    (void)pthread_mutex_unlock(&reading->locked->lock);
}
