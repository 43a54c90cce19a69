/* One shard, and the store's own struct: shared by the store's bodies.
 *
 * Private to the store. Lock order: one shard at a time; later: shard, prefixes, arena, journal buffer. */
#ifndef SESSIOND_SRC_STORE_SHARD_H
#define SESSIOND_SRC_STORE_SHARD_H

#include "census.h"
#include "forecast.h"
#include "heap.h"
#include "index.h"
#include "packer.h"
#include "sessiond/store/metrics.h"
#include "sessiond/store/mutation.h"
#include "sessiond/store/terms.h"
#include "timer.h"

#include <pthread.h>
#include <stdalign.h>

enum {
    STORE_SHARDS_MIN = 16,
    STORE_SHARDS_MAX = 256,
    STORE_SHARD_BYTES =
        1 << 20, /* of data in a shard at least, where there are more than the fewest */
};

/* What every look-up reads stands first, in two cache lines. */
struct shard {
    alignas(64) pthread_mutex_t lock;
    /* under the lock */
    int64_t now_s; /* the latest time this shard was told; in a grace: the last one */
    uint64_t
        flushed_below; /* >= 1; entries with lower CAS ids were flushed, or are holds: nobody sees them */
    uint64_t n_flushes; /* seen: of those with full CAS ids it decides (entry_is_flushed) */
    struct index index;
    uint64_t next_cas; /* CAS ids need only be unique for a key, and a key stays in its shard */
    uint64_t ticket;   /* of the last change */
    uint64_t revocation_ticket;
    size_t sweep_bucket; /* where the sweep after a flush goes on; index.n_buckets: done */
    struct heap heap;
    struct store_metrics metrics; /* written under the lock, read by anyone */
    struct timers timers;
    struct census census;
};

struct store {
    /* written under all shards' locks, read under any one */
    int64_t flush_at_s; /* of the flush that is to come, or STORE_NO_DEADLINE */
    bool is_in_grace;   /* nothing is taken back, and time may go back: grace.c */

    /* immutable after the start, but read beside these */
    struct clock
        *clock; /* NULL, or where the time comes from instead of from callers: a grace was begun */
    int64_t mark_s; /* of the grace: what expired up to here has expired */

    /* immutable after the start */
    struct store_config config;
    struct arena *arena;
    unsigned n_shards;    /* a power of 2 */
    size_t page_size;     /* of the heaps */
    size_t inline_max;    /* bytes; a larger value is a block of its own */
    size_t new_key_limit; /* of `held`: what is above is kept for keys that are there */
    mutation_fn hook;     /* NULL: nobody to ask */
    void *hook_context;

    /* any thread */
    struct budget held;               /* what entries, values and index take: decision 0007 */
    _Atomic bool has_favoured_upload; /* see upload.c */
    _Atomic unsigned gather_next;     /* the shard where the next store_gather begins */
    struct forecast forecast;
    struct prefixes prefixes;
    struct packer packer;

    struct shard shards[];
};

struct place {
    struct shard *shard;
    uint64_t hash;
};

/** Make an empty shard of a store whose other fields are set. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status shard_init(struct shard *shard, struct store *store);

/** Let nobody see what is there now: the barrier of a flush. */
void shard_raise_barrier(struct shard *shard);

/** Where a key lives. hash: of the key, or 0: it is made */
struct place shard_place(struct store *store, struct slice key, uint64_t hash);

/** The shard that a hash belongs to. */
static inline struct shard *shard_of(struct store *store, uint64_t hash)
{
    return &store->shards[hash >> 56 & (store->n_shards - 1)];
}

/** What an entry of `size` bytes with such a block, or NULL, takes of `held`. */
static inline size_t shard_cost(const struct store *store, size_t size,
                                const struct value_block *block)
{
    return heap_cost(size, store->page_size) + WHEEL_RECORD_COST +
           (block == NULL ? 0 : block_cost(store->arena, block->allocated));
}

static inline size_t shard_entry_cost(const struct store *store, const struct entry *entry)
{
    return shard_cost(store, entry_size(entry), entry_block(entry));
}

/** Whether an entry is there for anyone to see: not expired, not flushed. */
static inline bool shard_is_live(const struct shard *shard, const struct entry *entry)
{
    return entry_deadline(entry) > shard->now_s &&
           !entry_is_flushed(entry, shard->flushed_below, shard->n_flushes);
}

/** Whether an entry is not there by a clock that is not believed yet, but may be again. */
static inline bool shard_is_hidden(const struct store *store, const struct shard *shard,
                                   const struct entry *entry)
{
    return store->is_in_grace && entry_deadline(entry) <= shard->now_s &&
           entry_deadline(entry) > store->mark_s &&
           !entry_is_flushed(entry, shard->flushed_below, shard->n_flushes);
}

/** Whether a hold is in force; in a grace as long as it is by the mark. */
static inline bool shard_is_held(const struct store *store, const struct shard *shard,
                                 const struct entry *entry)
{
    return entry_is_hold(entry) &&
           entry_deadline(entry) > (store->is_in_grace ? store->mark_s : shard->now_s);
}

/** The absolute deadline of an expiry, by the shard's time, as an entry can hold it. */
static inline int64_t shard_deadline(const struct shard *shard, struct store_expiry expiry)
{
    if (expiry.seconds == STORE_NO_DEADLINE) {
        return STORE_NO_DEADLINE;
    }
    if (expiry.seconds >= ENTRY_DEADLINE_MAX - (expiry.is_relative ? shard->now_s : 0)) {
        return ENTRY_DEADLINE_MAX;
    }
    return expiry.is_relative ? shard->now_s + expiry.seconds : expiry.seconds;
}

/** Ask the journal. On OK the shard's tickets are those of the change; BUSY, REFUSED otherwise. */
SESS_MUST_CHECK enum sess_status shard_announce(struct store *store, struct shard *shard,
                                                const struct mutation *mutation);

/** Ask the journal about a change of no shard alone. returns OK | BUSY | REFUSED */
SESS_MUST_CHECK enum sess_status shard_ask(const struct store *store,
                                           const struct mutation *mutation,
                                           struct mutation_receipt *receipt);

/** Let the shard's tickets be those of the receipt. */
void shard_note_receipt(struct shard *shard, const struct mutation_receipt *receipt);

/** Let the shard's time be the later of its own and *now_s, and *now_s too; but what the clock says, earlier
 *  or later, in a grace. */
void shard_set_time(const struct store *store, struct shard *shard, int64_t *now_s);

/** Take all shards' locks, in order, and give them back. */
void shard_lock_all(struct store *store);
void shard_unlock_all(struct store *store);

/** Fill the tickets of an outcome, with no CAS id. */
void shard_outcome(const struct shard *shard, struct store_outcome *outcome);

/** Take an entry out of the index and the wheel; it stays in its place, for the caller to free. */
void shard_take_out(const struct store *store, struct place place, uint64_t *slot);

/** What one entry less, and one more, are in the figures: what they take of `held`, 0 for none, and whether they are
 *  holds. */
void shard_count_other(struct shard *shard, size_t less, bool less_is_hold, size_t more,
                       bool more_is_hold);
static inline void shard_count(struct shard *shard, size_t less, bool less_is_hold, size_t more,
                               bool more_is_hold)
{
    if (less == 0 || more == 0 || less_is_hold || more_is_hold) {
        shard_count_other(shard, less, less_is_hold, more, more_is_hold);
        return;
    }
    census_remove(&shard->census, less);
    census_add(&shard->census, more);
    metric_add(&shard->metrics.bytes, (uint64_t)more - less);
}

/** Let an entry, which stays in the index, be a hold of its key until a time.
 *  returns  as shard_free */
SESS_MUST_CHECK struct value_block *shard_hold(struct store *store, struct shard *shard,
                                               struct entry *entry, int64_t until_s);

/** Let an entry be on probation no more: it takes less then. */
void shard_end_probation(struct store *store, struct shard *shard, struct entry *entry);

/** Free the place of an entry that nobody can find any more, and uncharge it.
 *  returns  NULL, or the entry's block: the caller releases it, best after unlocking */
SESS_MUST_CHECK struct value_block *shard_free(struct store *store, struct shard *shard,
                                               struct entry *entry);

/** What a change that ended a session does last: shard_hold, or with 0 shard_free. */
SESS_MUST_CHECK static inline struct value_block *shard_end(struct store *store,
                                                            struct shard *shard,
                                                            struct entry *entry,
                                                            int64_t hold_until_s)
{
    return hold_until_s != 0 ? shard_hold(store, shard, entry, hold_until_s)
                             : shard_free(store, shard, entry);
}

#endif
