/* One shard, and the store's own struct: shared by the store's bodies.
 *
 * Private to the store. Lock order: one shard at a time; later: shard, arena, journal buffer. */
#ifndef SESSIOND_SRC_STORE_SHARD_H
#define SESSIOND_SRC_STORE_SHARD_H

#include "index.h"
#include "sessiond/store/metrics.h"
#include "sessiond/store/mutation.h"
#include "sessiond/store/terms.h"
#include "wheel.h"

#include <pthread.h>
#include <stdalign.h>

enum { STORE_SHARDS = 256 };

struct shard {
    alignas(64) pthread_mutex_t lock;
    /* under the lock */
    struct index index;
    int64_t now_s;     /* the latest time this shard was told */
    uint64_t next_cas; /* CAS ids need only be unique for a key, and a key stays in its shard */
    uint64_t ticket;   /* of the last change */
    uint64_t revocation_ticket;
    struct store_metrics metrics; /* written under the lock, read by anyone */
    struct wheel wheel;
};

struct store {
    /* immutable after the start */
    struct store_config config;
    mutation_fn hook; /* NULL: nobody to ask */
    void *hook_context;
    _Atomic bool has_favoured_upload; /* any thread: see upload.c */
    struct shard shards[STORE_SHARDS];
};

/* Where a key lives. */
struct place {
    struct shard *shard;
    uint64_t hash;
};

/** Hash a key and lock its shard; `now_s` becomes the later of itself and the shard's. */
struct place shard_lock(struct store *store, struct slice key, int64_t *now_s);

/** Ask the journal. On OK the shard's tickets are those of the change; BUSY, REFUSED otherwise. */
SESS_MUST_CHECK enum sess_status shard_announce(struct store *store, struct shard *shard,
                                                const struct mutation *mutation);

/** Fill the tickets of an outcome, with no CAS id. */
void shard_outcome(const struct shard *shard, struct store_outcome *outcome);

/** Take an entry out of the index and the wheel; the caller destroys it, best after unlocking. */
void shard_take_out(struct store *store, struct place place, uint64_t *slot);

#endif
