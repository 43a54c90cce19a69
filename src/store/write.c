/* Writes that replace the whole value, and deletes. Append and prepend are join.c, large values arrive
 * by upload.c. Threads: any. Memory: a block for a large value. */
#include "change.h"
#include "tick.h"

#include <string.h>

enum sess_status change_write_dead(struct change *change, struct slice key)
{
    return change->present == NULL || change->is_held ? SESS_OK : change_remove(change, key);
}

/* The value of an older version: whoever reads it is told, and it lives no longer than the one before it. */
static void become_stale(const struct change *change, struct entry_fields *fields)
{
    fields->deadline_s = entry_full_deadline(change->present);
    fields->marks.is_stale = true;
    fields->marks.has_winner = entry_marks(change->present).has_winner;
}

static enum sess_status restore(struct change *change, const struct store_write *write,
                                struct entry_fields *fields, uint64_t *cas)
{
    fields->cas = write->cas;
    fields->marks = write->marks;
    return fields->deadline_s <= change->now_s ? SESS_NOT_FOUND
                                               : change_restore(change, fields, cas);
}

static enum sess_status put(struct change *change, const struct store_write *write,
                            struct entry_fields *fields, uint64_t *cas)
{
    if (write->mode == STORE_RESTORE) {
        return restore(change, write, fields, cas);
    }
    return fields->deadline_s <= change->now_s ? change_write_dead(change, write->key)
                                               : change_put(change, fields, cas);
}

static enum sess_status try_write(struct store *store, const struct store_write *write,
                                  struct value_block *block, int64_t now_s,
                                  struct store_outcome *outcome)
{
    struct entry_fields fields = {
        .key = write->key,
        .value = write->value,
        .block = block,
        .flags = write->flags,
    };
    struct change change;
    uint64_t cas = 0;
    enum sess_status status;

    change_begin(&change, store, write->key, write->hash, now_s);
    if (block == NULL) {
        heap_fetch_place(&change.place.shard->heap, write->key.size + write->value.size);
    }
    fields.deadline_s = write->mode == STORE_RESTORE
                            ? shard_deadline(change.place.shard, write->expiry)
                            : change_deadline(&change, write->key, write->expiry);
    change_use_cas(&fields, write->new_cas);
    change.may_revive = write->mode == STORE_ADD;
    status = change_check(&change, write);
    if (status == SESS_OK && write->takes_older && entry_cas(change.present) != write->cas) {
        become_stale(&change, &fields);
    }
    if (status == SESS_OK) {
        status = put(&change, write, &fields, &cas);
    }
    change_end(&change, cas, outcome);
    return status;
}

enum sess_status change_write(struct store *store, const struct store_write *write,
                              struct value_block *block, int64_t now_s,
                              struct store_outcome *outcome)
{
    bool joins = write->mode == STORE_APPEND || write->mode == STORE_PREPEND;
    enum sess_status (*const try)(struct store *, const struct store_write *, struct value_block *,
                                  int64_t, struct store_outcome *) =
        joins ? change_join : try_write;
    enum sess_status status = try(store, write, block, now_s, outcome);

    for (unsigned tries = 0; tick_helps(store, now_s, status, tries); tries++) {
        status = try(store, write, block, now_s, outcome);
    }
    return tick_status(status);
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
    if (write->value.size > store->inline_max) {
        block = block_create(store->arena, write->value.size, write->value.size);
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

enum sess_status store_delete(struct store *store, struct slice key, uint64_t hash, int64_t now_s,
                              struct store_outcome *outcome)
{
    struct change change;
    enum sess_status status;

    change_begin(&change, store, key, hash, now_s);
    status = change_delete(&change, key);
    change_end(&change, 0, outcome);
    return status;
}

enum sess_status store_touch(struct store *store, struct slice key, uint64_t hash,
                             struct store_expiry expiry, int64_t now_s,
                             struct store_outcome *outcome)
{
    struct change change;
    enum sess_status status;

    change_begin(&change, store, key, hash, now_s);
    status = change_touch(&change, key, expiry);
    if (status == SESS_OK && change.gone == NULL) {
        entry_set_fetched(change.present);
        entry_set_accessed(change.present, change.now_s);
    }
    change_end(&change, 0, outcome);
    return status;
}
