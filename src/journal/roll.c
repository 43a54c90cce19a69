/* The roll: buckets of entries by the keyed hash of their keys. Threads, memory: see the header. */
#include "roll.h"

#include "sessiond/base/hash.h"

#include <stdlib.h>

enum { BUCKETS_FIRST = 1024 };

struct roll {
    struct hash_key hash_key;
    struct roll_entry **buckets;
    size_t n_buckets; /* a power of 2 */
    size_t n_entries;
};

enum sess_status roll_create(struct roll **out, struct sess_error *error)
{
    struct roll *roll = calloc(1, sizeof *roll);

    if (roll != NULL) {
        roll->n_buckets = BUCKETS_FIRST;
        roll->buckets = calloc(roll->n_buckets, sizeof(struct roll_entry *));
    }
    if (roll == NULL || roll->buckets == NULL) {
        roll_destroy(&roll);
        return error_set(error, SESS_NO_MEMORY, "no memory for the list of sessions");
    }
    if (hash_key_draw(&roll->hash_key) != SESS_OK) {
        roll_destroy(&roll);
        return error_set(error, SESS_IO, "cannot draw a random number");
    }
    *out = roll;
    return SESS_OK;
}

static size_t bucket_of(const struct roll *roll, struct slice key)
{
    return (size_t)hash_bytes(&roll->hash_key, key) & (roll->n_buckets - 1);
}

static struct slice key_of(const struct roll_entry *entry)
{
    return slice_of(entry->key, entry->key_size);
}

/* The pointer that points to a key's entry, or that would. */
static struct roll_entry **find(const struct roll *roll, struct slice key)
{
    struct roll_entry **link = &roll->buckets[bucket_of(roll, key)];

    while (*link != NULL && !slice_equal(key_of(*link), key)) {
        link = &(*link)->next;
    }
    return link;
}

const struct roll_entry *roll_find(const struct roll *roll, struct slice key)
{
    return *find(roll, key);
}

static void free_entry(struct roll_entry *entry)
{
    explicit_bzero(entry->key, entry->key_size);
    free(entry);
}

static bool is_any(const struct roll_entry *entry, int64_t time_s)
{
    (void)entry;
    (void)time_s;
    return true;
}

/* What a flush ends. */
static bool is_session(const struct roll_entry *entry, int64_t time_s)
{
    (void)time_s;
    return !entry->is_hold;
}

static bool is_over(const struct roll_entry *entry, int64_t time_s)
{
    return entry->deadline_s <= time_s;
}

/* The entry that a pointer points to, or NULL. */
static void drop(struct roll *roll, struct roll_entry **link)
{
    struct roll_entry *entry = *link;

    if (entry != NULL) {
        *link = entry->next;
        free_entry(entry);
        roll->n_entries--;
    }
}

static void drop_where(struct roll *roll,
                       bool (*holds)(const struct roll_entry *entry, int64_t time_s),
                       int64_t time_s)
{
    for (size_t i = 0; i < roll->n_buckets; i++) {
        struct roll_entry **link = &roll->buckets[i];

        while (*link != NULL) {
            if (holds(*link, time_s)) {
                drop(roll, link);
            } else {
                link = &(*link)->next;
            }
        }
    }
}

/* Twice as many buckets. Without memory for them those that are there get longer. */
static void grow(struct roll *roll)
{
    size_t n_old = roll->n_buckets;
    struct roll_entry **old = roll->buckets;
    struct roll_entry **grown = calloc(2 * n_old, sizeof(struct roll_entry *));

    if (grown == NULL) {
        return;
    }
    roll->buckets = grown;
    roll->n_buckets = 2 * n_old;
    for (size_t i = 0; i < n_old; i++) {
        struct roll_entry *entry = old[i];

        while (entry != NULL) {
            struct roll_entry *next = entry->next;
            struct roll_entry **bucket = &grown[bucket_of(roll, key_of(entry))];

            entry->next = *bucket;
            *bucket = entry;
            entry = next;
        }
    }
    free(old);
}

static enum sess_status set(struct roll *roll, const struct record *record,
                            const struct island_place *place)
{
    struct roll_entry **link = find(roll, record->key);
    struct roll_entry *entry = *link;

    if (entry == NULL) {
        entry = calloc(1, sizeof *entry + record->key.size);
        if (entry == NULL) {
            return SESS_NO_MEMORY;
        }
        entry->key_size = (uint8_t)record->key.size;
        memcpy(entry->key, record->key.data, record->key.size);
        *link = entry;
        roll->n_entries++;
    }
    entry->place = *place;
    entry->deadline_s = record->deadline_s;
    entry->asked_s = record->marks.asked_s;
    entry->is_hold = record->marks.is_held;
    if (roll->n_entries > roll->n_buckets) {
        grow(roll);
    }
    return SESS_OK;
}

static void touch(struct roll *roll, const struct record *record)
{
    struct roll_entry *entry = *find(roll, record->key);

    if (entry != NULL && !entry->is_hold) {
        entry->asked_s = 0;
        entry->deadline_s = record->deadline_s;
    }
}

enum sess_status roll_apply(struct roll *roll, const struct record *record,
                            const struct island_place *place)
{
    switch (record->type) {
    case RECORD_SET:
    case RECORD_MARKED:
    case RECORD_PROBATION:
    case RECORD_HOLD:
        return set(roll, record, place);
    case RECORD_TOUCH:
        touch(roll, record);
        break;
    case RECORD_DELETE:
        drop(roll, find(roll, record->key));
        break;
    case RECORD_FLUSH:
        if (!record->is_scheduled) {
            drop_where(roll, is_session, 0);
        }
        break;
    case RECORD_CLOCK:
        drop_where(roll, is_over, record->deadline_s);
        break;
    case RECORD_LINK:
    case RECORD_SEAL:
    case RECORD_END:
        break;
    }
    return SESS_OK;
}

const struct roll_entry *roll_next(const struct roll *roll, const struct roll_entry *entry)
{
    size_t bucket = 0;

    if (entry != NULL) {
        if (entry->next != NULL) {
            return entry->next;
        }
        bucket = bucket_of(roll, key_of(entry)) + 1;
    }
    while (bucket < roll->n_buckets && roll->buckets[bucket] == NULL) {
        bucket++;
    }
    return bucket < roll->n_buckets ? roll->buckets[bucket] : NULL;
}

void roll_destroy(struct roll **roll)
{
    struct roll *self = *roll;

    if (self == NULL) {
        return;
    }
    if (self->buckets != NULL) {
        drop_where(self, is_any, 0);
    }
    free(self->buckets);
    free(self);
    *roll = NULL;
}
