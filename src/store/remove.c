/* Deletes with conditions, and what is marked or emptied instead. The plain delete is write.c. Threads: any.
 * Memory: a small value on the stack while its entry is made anew. */
#include "change.h"
#include "tick.h"

#include <string.h>

static bool is_kept(const struct store_removal *removal)
{
    return removal->invalidates || removal->empties;
}

/* Under the lock: the same entry again, with other marks. */
static enum sess_status restate(struct change *change, const struct store_removal *removal,
                                struct entry_fields *fields, uint64_t *cas)
{
    uint8_t copy[STORE_COPY_MAX];
    struct slice value = entry_value(change->present);
    enum sess_status status;

    fields->block = removal->empties ? NULL : entry_block(change->present);
    fields->value = removal->empties ? slice_of(NULL, 0) : value;
    if (fields->block == NULL && fields->value.size > 0) {
        memcpy(copy, value.data, value.size);
        fields->value = slice_of(copy, value.size);
    }
    status = change_restate(change, fields, cas);
    if (fields->value.data == copy) {
        explicit_bzero(copy, value.size);
    }
    return status;
}

/* What is only marked is the same session still: who read it has read it. */
static enum sess_status restate_read(struct change *change, const struct store_removal *removal,
                                     struct entry_fields *fields, uint64_t *cas)
{
    bool stays_read = !removal->empties && entry_is_fetched(change->present);
    enum sess_status status = restate(change, removal, fields, cas);

    if (status == SESS_OK && stays_read) {
        change_find(change, removal->key);
        entry_set_fetched(change->present);
    }
    return status;
}

static enum sess_status keep(struct change *change, const struct store_removal *removal,
                             uint64_t *cas)
{
    const struct entry *present = change->present;
    struct entry_fields fields = {
        .key = removal->key,
        .flags = removal->empties ? 0 : entry_flags(present),
        .deadline_s = removal->renews ? change_deadline(change, removal->key, removal->expiry)
                                      : entry_full_deadline(present),
        .marks = {.is_stale = removal->invalidates},
    };

    change_use_cas(&fields, removal->new_cas);
    return fields.deadline_s <= change->now_s ? change_remove(change, removal->key)
                                              : restate_read(change, removal, &fields, cas);
}

/* Whether the key has another CAS id than the one asked for; also one that is hidden, and may be back. */
static bool is_another(const struct change *change, const struct store_removal *removal)
{
    return removal->compares_cas && (change->is_live || change->is_hidden) &&
           entry_cas(change->present) != removal->cas;
}

static enum sess_status try_remove(struct store *store, const struct store_removal *removal,
                                   int64_t now_s, struct store_outcome *outcome)
{
    struct change change;
    uint64_t cas = 0;
    enum sess_status status;

    change_begin(&change, store, removal->key, removal->hash, now_s);
    if (is_another(&change, removal)) {
        status = change.is_live ? SESS_EXISTS : SESS_NOT_FOUND;
    } else if (!is_kept(removal)) {
        status = change_delete(&change, removal->key);
    } else {
        status = change.is_live ? keep(&change, removal, &cas) : SESS_NOT_FOUND;
    }
    change_end(&change, cas, outcome);
    return status;
}

enum sess_status store_remove(struct store *store, const struct store_removal *removal,
                              int64_t now_s, struct store_outcome *outcome)
{
    enum sess_status status = try_remove(store, removal, now_s, outcome);

    for (unsigned tries = 0; tick_helps(store, now_s, status, tries); tries++) {
        status = try_remove(store, removal, now_s, outcome);
    }
    return tick_status(status);
}
