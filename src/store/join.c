/* Append and prepend. A large joined value is copied together outside the lock, and stored if nobody was
 * faster. Threads: any. Memory: a small result on the stack, a block for a large one. */
#include "change.h"

#include <string.h>

/* A value that was seen under the lock, to be copied outside it. */
struct seen_value {
    struct value_block *block; /* a reference, or NULL: the bytes are in the entry */
    size_t size;
};

/* One append or prepend on its way. */
struct joining {
    const struct store_write *write;
    struct slice more;         /* what is added */
    struct value_block *block; /* NULL, or what holds it */
    struct value_block *made;  /* NULL, or room for the joined value */
    struct seen_value seen;    /* what `made` was made for */
};

static uint8_t *more_place(const struct joining *joining)
{
    return joining->made->bytes +
           (joining->write->mode == STORE_APPEND ? joining->seen.size : (size_t)0);
}

static uint8_t *old_place(const struct joining *joining)
{
    return joining->made->bytes +
           (joining->write->mode == STORE_APPEND ? (size_t)0 : joining->more.size);
}

static void forget_seen(struct joining *joining)
{
    if (joining->seen.block != NULL) {
        value_block_release(joining->seen.block);
    }
    if (joining->made != NULL) {
        value_block_release(joining->made);
    }
    joining->made = NULL;
    joining->seen = (struct seen_value){.block = NULL};
}

/* Under the lock: note what is to be joined. */
static void see(struct joining *joining, const struct entry *entry)
{
    joining->seen = (struct seen_value){
        .block = entry_block(entry),
        .size = entry_value(entry).size,
    };
    if (joining->seen.block != NULL) {
        value_block_acquire(joining->seen.block);
    }
}

/* A small value is copied only when it is joined, so that its size alone counts. A CAS id would tell
 * nothing: a client may choose one that was there before. */
static bool is_as_seen(const struct joining *joining, const struct entry *entry)
{
    return joining->seen.block == entry_block(entry) &&
           joining->seen.size == entry_value(entry).size;
}

/* Outside the lock: all of the copying but for a small value that is still in its entry. */
static enum sess_status make_joined(struct store *store, struct joining *joining)
{
    size_t size = joining->seen.size + joining->more.size;

    joining->made = block_create(store->arena, size, size);
    if (joining->made == NULL) {
        return SESS_NO_MEMORY;
    }
    memcpy(more_place(joining), joining->more.data, joining->more.size);
    if (joining->seen.block != NULL) {
        memcpy(old_place(joining), joining->seen.block->bytes, joining->seen.size);
    }
    return SESS_OK;
}

/* Under the lock. AGAIN: it is to be made first, outside; `seen` is set. */
static enum sess_status join_large(struct change *change, struct joining *joining,
                                   struct entry_fields *fields, uint64_t *cas)
{
    if (joining->made == NULL || !is_as_seen(joining, change->present)) {
        forget_seen(joining);
        see(joining, change->present);
        return SESS_AGAIN;
    }
    if (joining->seen.block == NULL) {
        memcpy(old_place(joining), fields->value.data, fields->value.size);
    }
    fields->block = joining->made;
    return change_put(change, fields, cas);
}

static enum sess_status join_small(struct change *change, const struct joining *joining,
                                   struct entry_fields *fields, uint64_t *cas)
{
    uint8_t joined[STORE_COPY_MAX];
    bool is_append = joining->write->mode == STORE_APPEND;
    struct slice first = is_append ? fields->value : joining->more;
    struct slice second = is_append ? joining->more : fields->value;
    enum sess_status status;

    memcpy(joined, first.data, first.size);
    memcpy(joined + first.size, second.data, second.size);
    fields->value = slice_of(joined, first.size + second.size);
    status = change_put(change, fields, cas);
    explicit_bzero(joined, fields->value.size);
    return status;
}

static enum sess_status join_live(struct change *change, struct joining *joining, uint64_t *cas)
{
    const struct entry *present = change->present;
    struct entry_fields fields = {
        .key = joining->write->key,
        .value = entry_value(present),
        .flags = entry_flags(present),
        .deadline_s = entry_full_deadline(present),
    };

    change_use_cas(&fields, joining->write->new_cas);
    if (joining->more.size > change->store->config.max_value_bytes - fields.value.size) {
        return SESS_TOO_LARGE;
    }
    if (fields.value.size + joining->more.size > change->store->inline_max) {
        return join_large(change, joining, &fields, cas);
    }
    return join_small(change, joining, &fields, cas);
}

/* There is nothing to join it to. */
static enum sess_status vivify(struct change *change, const struct joining *joining, uint64_t *cas)
{
    const struct store_write *write = joining->write;
    struct entry_fields fields = {
        .key = write->key,
        .value = joining->more,
        .block = joining->block,
        .flags = write->flags,
        .deadline_s = change_deadline(change, write->key, write->expiry),
    };

    change_use_cas(&fields, write->new_cas);
    return fields.deadline_s <= change->now_s ? change_write_dead(change, write->key)
                                              : change_put(change, &fields, cas);
}

static enum sess_status try_join(struct store *store, struct joining *joining, int64_t now_s,
                                 struct store_outcome *outcome)
{
    struct change change;
    uint64_t cas = 0;
    enum sess_status status;

    change_begin(&change, store, joining->write->key, joining->write->hash, now_s);
    status = change_check(&change, joining->write);
    if (status == SESS_OK) {
        status =
            change.is_live ? join_live(&change, joining, &cas) : vivify(&change, joining, &cas);
    }
    change_end(&change, cas, outcome);
    return status;
}

enum sess_status change_join(struct store *store, const struct store_write *write,
                             struct value_block *block, int64_t now_s,
                             struct store_outcome *outcome)
{
    struct joining joining = {
        .write = write,
        .block = block,
        .more = block == NULL ? write->value : value_block_bytes(block),
    };
    enum sess_status status;

    /* Each further try means that somebody else's change of this key went through. */
    do {
        status = try_join(store, &joining, now_s, outcome);
        if (status == SESS_AGAIN && make_joined(store, &joining) != SESS_OK) {
            status = SESS_NO_MEMORY;
        }
    } while (status == SESS_AGAIN);
    forget_seen(&joining);
    return status;
}
