/* Taking back what nobody can see any more.
 *
 * Private to the store; store_tick is in sessiond/store/store.h. */
#ifndef SESSIOND_SRC_STORE_TICK_H
#define SESSIOND_SRC_STORE_TICK_H

#include "sessiond/store/store.h"

/** Memory is short: take back what has expired and squeeze pages in a few shards, whose turn it is.
 *  Returns whether anything came of it. Threads: any; no shard's lock is held. */
bool store_gather(struct store *store, int64_t now_s);

#endif
