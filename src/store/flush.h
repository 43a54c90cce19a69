/* A flush as one event of all shards, the barriers that it raises, and the sweep behind them.
 *
 * Private to the store. Source: durability.md, "Flush". */
#ifndef SESSIOND_SRC_STORE_FLUSH_H
#define SESSIOND_SRC_STORE_FLUSH_H

#include "shard.h"

/** Whether a flush that was to come should be in effect by this time. Under a shard's lock. */
static inline bool flush_is_due(const struct store *store, int64_t now_s)
{
    return now_s >= store->flush_at_s;
}

/** Let the flush that is due take effect, in all shards at one moment, if the hook accepts it. No lock
 *  may be held.
 *  returns  OK (or none is due any more) | BUSY | REFUSED: it is still to come */
SESS_MUST_CHECK enum sess_status flush_take_effect(struct store *store, int64_t now_s);

/** Lock a shard, whose time becomes the later of its own and *now_s, and *now_s too. A flush that is due
 *  by that time takes effect before.
 *  returns  OK | BUSY, REFUSED: a flush is due but its record was not accepted. The shard is locked; looks
 *           may go on as if the flush were not yet, but no change may come in front of it */
enum sess_status flush_lock(struct store *store, struct shard *shard, int64_t *now_s);

/** Whether flushed entries may still take space. Under the shard's lock. */
static inline bool flush_is_swept(const struct shard *shard)
{
    return shard->sweep_bucket >= shard->index.n_buckets;
}

/** One step of the sweep. Returns an entry that was taken out, for the caller to free, or NULL. Under the
 *  shard's lock. */
struct entry *flush_sweep(const struct store *store, struct shard *shard);

#endif
