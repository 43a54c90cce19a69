/* The barrier of a flush in one shard, and the sweep behind it.
 *
 * Private to the store. Threads: under the shard's lock. Source: durability.md, "Flush". */
#ifndef SESSIOND_SRC_STORE_FLUSH_H
#define SESSIOND_SRC_STORE_FLUSH_H

#include "shard.h"

/** Whether flushed entries may still take space. */
static inline bool flush_is_swept(const struct shard *shard)
{
    return shard->sweep_bucket >= shard->index.n_buckets;
}

/** One step of the sweep. Returns an entry that was taken out, for the caller to free, or NULL. */
struct entry *flush_sweep(const struct store *store, struct shard *shard);

#endif
