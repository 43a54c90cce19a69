/* Looks at one key. Not changes (change.c). Threads: any; a small value is looked at under its
 * shard's lock, a large one by reference. Memory: none. */
#include "sessiond/store/store.h"

#include "shard.h"

enum sess_status store_read_begin(struct store *store, struct slice key, int64_t now_s,
                                  struct store_reading *reading)
{
    struct place place = shard_lock(store, key, &now_s);
    uint64_t *slot = index_find(&place.shard->index, place.hash, key);
    struct entry *entry = slot == NULL ? NULL : index_entry(*slot);

    shard_outcome(place.shard, &reading->outcome);
    if (entry == NULL || entry_deadline(entry) <= now_s) {
        (void)pthread_mutex_unlock(&place.shard->lock);
        return SESS_NOT_FOUND;
    }
    reading->value = entry_value(entry);
    reading->flags = entry_flags(entry);
    reading->cas = entry_cas(entry);
    reading->block = entry_block(entry);
    reading->locked = place.shard;
    if (reading->block != NULL) {
        value_block_acquire(reading->block);
        reading->locked = NULL;
        (void)pthread_mutex_unlock(&place.shard->lock);
    }
    return SESS_OK;
}

void store_read_end(struct store_reading *reading)
{
    if (reading->block != NULL) {
        value_block_release(reading->block);
    } else {
        (void)pthread_mutex_unlock(&reading->locked->lock);
    }
}
