/* A mutation: one change of one key, as the store tells it to whoever keeps a journal.
 *
 * The record is the resulting state, never the operation: it can be applied twice. The store calls
 * the hook under the shard's lock, before the change, when nothing after it can fail. The hook must
 * not wait and must not call the store. Source: durability.md, "The mutation call". */
#ifndef SESSIOND_STORE_MUTATION_H
#define SESSIOND_STORE_MUTATION_H

#include "sessiond/base/slice.h"

#include <stdint.h>

enum mutation_kind { MUTATION_SET, MUTATION_DELETE };

struct mutation {
    enum mutation_kind kind;
    struct slice key;       /* 1..250 bytes, borrowed for the call */
    struct slice value;     /* SET: the whole new value, borrowed for the call */
    uint32_t flags;         /* SET: the client's flags */
    uint64_t cas;           /* SET: the new CAS id */
    int64_t deadline_s;     /* SET: wall seconds, or STORE_NO_DEADLINE */
    int64_t old_deadline_s; /* of the live entry that this ends, 0 when there is none; a smaller
                               new deadline, or a DELETE, is a revocation */
};

enum mutation_answer {
    MUTATION_ACCEPTED, /* *ticket is set: the reply may wait until it is durable */
    MUTATION_BUSY,     /* nothing may change now: run the request again when woken */
    MUTATION_REFUSED,  /* nothing may change: the journal takes no more */
};

/* Tickets grow from 1; 0 waits for nothing. */
typedef enum mutation_answer (*mutation_fn)(void *context, const struct mutation *mutation,
                                            uint64_t *ticket);

#endif
