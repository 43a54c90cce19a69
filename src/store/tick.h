/* Taking back what nobody can see any more.
 *
 * Private to the store; store_tick is in sessiond/store/store.h. */
#ifndef SESSIOND_SRC_STORE_TICK_H
#define SESSIOND_SRC_STORE_TICK_H

#include "sessiond/store/store.h"

/** A change has failed: if that was for memory, take back what has expired and squeeze pages, and say
 *  whether to try once more. `tries` is 0 at first. Threads: any; no shard's lock is held.
 *  status  NO_MEMORY (too much is held: looks at a few shards, whose turn it is) | LIMIT (there is no
 *          page, though there may be room in pieces: looks at all) | anything else */
bool tick_helps(struct store *store, int64_t now_s, enum sess_status status, unsigned tries);

/** What the store's callers are told of it. */
static inline enum sess_status tick_status(enum sess_status status)
{
    return status == SESS_LIMIT ? SESS_NO_MEMORY : status;
}

#endif
