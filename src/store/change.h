/* The steps that all changes of one key share, in their one order: lock, find, conditions, memory in
 * hand, ask the journal, and then only what cannot fail.
 *
 * Private to the store: write.c, join.c, count.c, reading.c are made of them, and of some apply.c. Threads:
 * any; between change_begin and change_end the shard's lock is held. */
#ifndef SESSIOND_SRC_STORE_CHANGE_H
#define SESSIOND_SRC_STORE_CHANGE_H

#include "sessiond/store/policy.h"
#include "sessiond/store/store.h"

#include "shard.h"

/* What one change found and made on its way. */
struct change {
    struct store *store;
    struct place place;
    int64_t now_s;         /* the shard's */
    uint64_t *slot;        /* NULL: the key is not there */
    struct entry *present; /* NULL, or what is there, perhaps expired or flushed */
    struct entry
        *gone; /* NULL, or what was taken out: freed when the change ends, or made a hold */
    int64_t hold_until_s;           /* of what is gone; 0: it gets no hold */
    int64_t created_s;              /* of what it stores, if that is on probation */
    struct value_block *gone_block; /* NULL, or what is released behind the lock */
    bool is_live;                   /* present, and there for anyone to see */
    bool is_hidden;            /* present, and there again if the clock is put right: a grace */
    bool is_recorded;          /* by the journal already: nobody is asked */
    int64_t stored_deadline_s; /* of what it stored; 0: nothing */
    size_t stored_size;        /* likewise, of the value */
    size_t held_limit;         /* bytes up to which it may use `held` */
    bool is_held;              /* present, and a hold that is in force */
    bool may_revive;           /* what it stores is a new session in any case: it ends a hold */
    bool is_capped; /* the deadline that it gives is shorter than the one that was asked for */
    enum sess_status flushed; /* but for OK: the answer to any change, since a flush that is due is
                                       to come first */
};

/** Lock the key's shard and find it. */
void change_begin(struct change *change, struct store *store, struct slice key, uint64_t hash,
                  int64_t now_s);

/** Find the key in its shard, change->place. */
void change_find(struct change *change, struct slice key);

/** Unlock; the outcome is what the shard says now, and `cas`. */
void change_end(struct change *change, uint64_t cas, struct store_outcome *outcome);

/** What max-ttl leaves of a deadline. */
int64_t change_cap(struct change *change, struct slice key, int64_t deadline_s);

/** The absolute deadline of an expiry that a client asks for, as far as policy allows. */
static inline int64_t change_deadline(struct change *change, struct slice key,
                                      struct store_expiry expiry)
{
    const struct policy *policy = change->store->config.policy;
    int64_t deadline_s = shard_deadline(change->place.shard, expiry);

    return policy == NULL || policy->n_caps == 0 ? deadline_s : change_cap(change, key, deadline_s);
}

/** Whether the conditions of a write's mode are met.
 *  returns  OK | NOT_STORED | NOT_FOUND | EXISTS */
SESS_MUST_CHECK enum sess_status change_check(const struct change *change,
                                              const struct store_write *write);

/** Ask the journal about what is to be stored.
 *  returns  OK | BUSY | REFUSED */
SESS_MUST_CHECK enum sess_status change_announce(struct change *change,
                                                 const struct entry_fields *fields, bool is_touch);

/** Store an entry under the key: in the place of what is there if it fits, else in a new one. It takes a
 *  reference to fields->block of its own.
 *  cas      set by OK: its id, the shard's next
 *  returns  OK | NOT_STORED (the key is held) | NO_MEMORY | BUSY | REFUSED; on failure nothing has changed */
SESS_MUST_CHECK enum sess_status change_put(struct change *change, struct entry_fields *fields,
                                            uint64_t *cas);

/** The same, and not counted as a value that a client stored. What is in force: fields->cas of a client's. */
SESS_MUST_CHECK enum sess_status change_restate(struct change *change, struct entry_fields *fields,
                                                uint64_t *cas);

/** The same with the CAS id and the marks that are in `fields`; those that the shard gives out go on above. */
SESS_MUST_CHECK enum sess_status change_restore(struct change *change, struct entry_fields *fields,
                                                uint64_t *cas);

/** Let the entry that is to be stored have this CAS id; 0: the shard's next. */
void change_use_cas(struct entry_fields *fields, uint64_t cas);

/** The same with fields->cas as it is, and not counted as a value that a client stored. */
SESS_MUST_CHECK enum sess_status change_put_as_is(struct change *change,
                                                  const struct entry_fields *fields);

/** Take out what is there. That something expired goes is no change, and nobody is asked; but for what is
 *  only hidden.
 *  returns  OK | BUSY | REFUSED */
SESS_MUST_CHECK enum sess_status change_remove(struct change *change, struct slice key);

/** Store a value whose deadline has passed: nothing is kept, and a hold stays.
 *  returns  as change_remove */
SESS_MUST_CHECK enum sess_status change_write_dead(struct change *change, struct slice key);

/** End the key's session: what is live, or hidden.
 *  returns  OK | NOT_FOUND (nothing is live) | BUSY | REFUSED */
SESS_MUST_CHECK enum sess_status change_delete(struct change *change, struct slice key);

/** Give the live entry a new deadline, or delete it if that has passed: its value can be read until
 *  the change ends.
 *  returns  OK | NOT_FOUND (nothing is live) | BUSY | REFUSED */
SESS_MUST_CHECK enum sess_status change_touch(struct change *change, struct slice key,
                                              struct store_expiry expiry);

/** The live entry, which is on probation, is looked at: give it the deadline that was asked for, unless it is too new, or
 *  the journal says no. Returns whether it has it. */
bool change_end_probation(struct change *change, struct slice key);

/** store_write with the value in `block` (borrowed), or in write->value when block is NULL. */
SESS_MUST_CHECK enum sess_status change_write(struct store *store, const struct store_write *write,
                                              struct value_block *block, int64_t now_s,
                                              struct store_outcome *outcome);

/** store_write of the modes APPEND and PREPEND, likewise. */
SESS_MUST_CHECK enum sess_status change_join(struct store *store, const struct store_write *write,
                                             struct value_block *block, int64_t now_s,
                                             struct store_outcome *outcome);

#endif
