/* A mutation: one change of one key, as the store tells it to whoever keeps a journal.
 *
 * The record is the resulting state, never the operation: it can be applied twice. The store calls
 * the hook under the shard's lock, before the change, when nothing after it can fail. The hook must
 * not wait and must not call the store. Source: durability.md, "The mutation call". */
#ifndef SESSIOND_STORE_MUTATION_H
#define SESSIOND_STORE_MUTATION_H

#include "sessiond/base/slice.h"
#include "sessiond/store/terms.h"
#include "sessiond/store/value.h"

#include <stdint.h>

enum mutation_kind {
    MUTATION_SET,
    MUTATION_DELETE,
    MUTATION_FLUSH, /* all keys: no key, no value. One record for all shards, called with all their locks
                       held. deadline_s <= now_s: the flush takes effect now, and none is to come any
                       more. deadline_s > now_s: it is scheduled, in the place of one that was to come;
                       when its time has come, it is asked for again, then to take effect */
};

struct mutation {
    enum mutation_kind kind;
    bool is_touch;      /* SET: only the deadline changed; all else is what is there */
    struct slice key;   /* 1..250 bytes, borrowed for the call */
    struct slice value; /* SET: the whole new value, borrowed for the call */
    struct value_block
        *block;     /* SET: NULL, or what holds a large value: take a reference and copy it
                                  after the call, outside the lock */
    uint32_t flags; /* SET: the client's flags */
    uint64_t cas;   /* SET: the CAS id of the new state */
    struct store_marks marks; /* SET: likewise */
    int64_t
        deadline_s; /* SET: wall seconds, or STORE_NO_DEADLINE; FLUSH: see there; DELETE: when the
                                 key's hold ends, 0: it has none */
    int64_t old_deadline_s; /* of the live entry that was there, or one that is hidden in a grace
                               (store/grace.h); of one on probation that which it was to get; 0 when
                               there was none */
    int64_t
        now_s; /* the shard's time; of what was hidden the grace's mark; FLUSH: the latest of all
                      shards' */
};

enum mutation_answer {
    MUTATION_ACCEPTED, /* *receipt is set: the reply may wait until it is durable */
    MUTATION_BUSY,     /* nothing may change now: run the request again when woken */
    MUTATION_REFUSED,  /* nothing may change: the journal takes no more */
};

struct mutation_receipt {
    uint64_t ticket;    /* tickets grow from 1; 0 waits for nothing */
    bool is_revocation; /* by the journal's own rules, which are options of it */
};

/** SET: how long the key can live, since one on probation gets what was asked for with its next use. */
static inline int64_t mutation_full_deadline(const struct mutation *mutation)
{
    return mutation->marks.asked_s != 0 ? mutation->marks.asked_s : mutation->deadline_s;
}

/** Whether a live key is gone, or dies earlier than before: a revocation by any rule. */
static inline bool mutation_revokes(const struct mutation *mutation)
{
    if (mutation->kind == MUTATION_FLUSH) {
        return true;
    }
    return mutation->old_deadline_s != 0 &&
           (mutation->kind == MUTATION_DELETE ||
            mutation_full_deadline(mutation) < mutation->old_deadline_s);
}

typedef enum mutation_answer (*mutation_fn)(void *context, const struct mutation *mutation,
                                            struct mutation_receipt *receipt);

#endif
