/* A roll: which sessions there are, and where their values were recorded.
 *
 * Private to the journal. Not the store: no values, no policy; for tools that look at a directory larger than
 * memory. Applies records in order. Threads: one. Memory: an entry and the key for each session. */
#ifndef SESSIOND_SRC_JOURNAL_ROLL_H
#define SESSIOND_SRC_JOURNAL_ROLL_H

#include "islands.h"

struct roll_entry {
    struct roll_entry *next;   /* in its bucket */
    struct island_place place; /* of the record with its value */
    int64_t deadline_s;        /* of the latest record */
    int64_t asked_s;           /* 0, or the deadline that it gets behind its probation */
    bool is_hold;              /* no session */
    uint8_t key_size;          /* bytes */
    uint8_t key[];
};

struct roll; /* from roll_create to roll_destroy */

/** An empty roll. returns OK | NO_MEMORY | IO (no random numbers) */
SESS_MUST_CHECK enum sess_status roll_create(struct roll **out, struct sess_error *error);

/** Let it hold what a record at this place says. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status roll_apply(struct roll *roll, const struct record *record,
                                            const struct island_place *place);

/** What is there of a key, or NULL. */
const struct roll_entry *roll_find(const struct roll *roll, struct slice key);

/** Step through all entries, in no order: NULL begins; NULL is the end. */
const struct roll_entry *roll_next(const struct roll *roll, const struct roll_entry *entry);

/** Free it, zeroed, and set *roll to NULL. */
void roll_destroy(struct roll **roll);

#endif
