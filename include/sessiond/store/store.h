/* The store: sessions by key, in shards, each with an absolute deadline.
 *
 * Knows no sockets, files or wire text. A write that fails changes nothing. No live entry is ever
 * evicted. Every call may come from any thread and locks one shard at a time, for a bounded time;
 * `now_s` is the caller's wall time, of which a shard uses the latest it has seen.
 *
 * Each outcome carries tickets (store/mutation.h) that the reply must wait for where the journal's
 * mode says so. Source of the commands' rules: memcached doc/protocol.txt, "Storage commands". */
#ifndef SESSIOND_STORE_STORE_H
#define SESSIOND_STORE_STORE_H

#include "sessiond/base/option.h"
#include "sessiond/base/status.h"
#include "sessiond/store/metrics.h"
#include "sessiond/store/mutation.h"
#include "sessiond/store/terms.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_OPTIONS(X)                                                                           \
    X(memory, SIZE, "1g", "16m", NULL, OPTION_FIXED,                                               \
      "Memory for sessions, connections and values on their way. When it is full, live sessions "  \
      "stay and new ones get an error.")                                                           \
    X(max_value, SIZE, "1m", "1k", "64m", OPTION_FIXED, "Largest value that is stored.")
struct store_options {
    STORE_OPTIONS(OPTION_DECLARE)
};
extern const struct option_table store_option_table;

struct store;

/** returns OK (the caller owns *out) | NO_MEMORY */
SESS_MUST_CHECK enum sess_status store_create(const struct store_config *config,
                                              struct store **out);

/** Frees all entries, zeroed, and sets *store to NULL. No other call may be under way. */
void store_destroy(struct store **store);

/** A key's hash: for the hints, and for `hash` of the calls below, wherever a key goes; 0 there says that it is not
 *  known, and costs only time. */
uint64_t store_hash(const struct store *store, struct slice key);

/** Hints for the processor that a key of this hash will be looked up soon: fetch its bucket; a while later, its entry with
 *  the key; and the value, or much of it. They take no lock.
 *  returns  what the last one is to be told: nothing that may be looked at; or NULL, and there is nothing to fetch */
void store_fetch(struct store *store, uint64_t hash);
const void *store_fetch_entry(struct store *store, uint64_t hash);
void store_fetch_value(const void *entry);

/** Wired call: whom to ask before each change. Before the first change; NULL asks nobody. */
void store_on_mutation(struct store *store, mutation_fn hook, void *context);

/** Store a value under a key, on the condition that its mode says.
 *  returns  OK | NOT_STORED (add of a live key; replace, append, prepend of none; restore of one that is there) |
 *           NOT_FOUND (cas of none; restore behind its deadline) | EXISTS (cas of another version) | TOO_LARGE (with what is there, for append and
 *           prepend) | NO_MEMORY | BUSY | REFUSED; but for OK nothing changed. *outcome is set by all
 *           of them. */
SESS_MUST_CHECK enum sess_status store_write(struct store *store, const struct store_write *write,
                                             int64_t now_s, struct store_outcome *outcome);

/** Delete a key. returns OK | NOT_FOUND | BUSY | REFUSED; *outcome is set by all of them. */
SESS_MUST_CHECK enum sess_status store_delete(struct store *store, struct slice key, uint64_t hash,
                                              int64_t now_s, struct store_outcome *outcome);

/** Delete a key on a condition, or mark or empty it instead. Marking never needs more room, but for a CAS id
 *  that a client asks for.
 *  returns  OK | NOT_FOUND | EXISTS (another CAS id) | NO_MEMORY | BUSY | REFUSED; but for OK nothing changed.
 *           *outcome is set by all of them.
 *  Source: memcached doc/protocol.txt, "Meta Delete". */
SESS_MUST_CHECK enum sess_status store_remove(struct store *store,
                                              const struct store_removal *removal, int64_t now_s,
                                              struct store_outcome *outcome);

/** Add to, or take from, the number that a live key's value is: 1 to 20 digits within 64 bits, blanks
 *  behind them are allowed. The result is stored as plain digits; flags and deadline stay.
 *  result   set by OK
 *  returns  OK | NOT_FOUND | EXISTS (another CAS id) | INVALID (the value is no number) | NO_MEMORY (only
 *           when it needs more room than it has) | BUSY | REFUSED; but for OK nothing changed. *outcome is set by all of them.
 *  Source: memcached doc/protocol.txt, "Increment/Decrement". */
SESS_MUST_CHECK enum sess_status store_count(struct store *store, const struct store_count *count,
                                             int64_t now_s, uint64_t *result,
                                             struct store_outcome *outcome);

/** Give a live key a new deadline; one at or before now deletes it. The CAS id stays. Never fails for
 *  memory.
 *  returns  OK | NOT_FOUND | BUSY | REFUSED; *outcome is set by all of them */
SESS_MUST_CHECK enum sess_status store_touch(struct store *store, struct slice key, uint64_t hash,
                                             struct store_expiry expiry, int64_t now_s,
                                             struct store_outcome *outcome);

/** Make everything that was stored before a time unreadable; space returns in slices. It is a barrier
 *  in each shard's sequence of changes, not a comparison of seconds: what is stored after it stays. One
 *  that is still to come is replaced by the next.
 *  at_s     wall seconds of the barrier; at or before now: at once
 *  returns  OK | BUSY | REFUSED (nothing changed); *outcome is set by all of them */
SESS_MUST_CHECK enum sess_status store_flush(struct store *store, int64_t at_s, int64_t now_s,
                                             struct store_outcome *outcome);

struct shard;
struct entry;

/* A look at one live entry. Up to STORE_COPY_MAX bytes are looked at under the shard's lock: copy
 * and end at once. A larger value is immutable and held by reference: copy at leisure. */
struct store_reading {
    struct slice value; /* until store_read_end */
    uint32_t flags;
    uint64_t cas;
    struct store_outcome outcome;
    bool has_changed;     /* it was a change, too: the reply waits as for one */
    struct store *store;  /* the store's own */
    struct shard *locked; /* the store's own */
    struct entry *gone;   /* the store's own */
    int64_t hold_until_s; /* the store's own */
    struct value_block
        *block; /* NULL, or what holds the value: take a reference to keep it longer */
};

/** Look a key up.
 *  returns  OK (the caller must call store_read_end, soon) | NOT_FOUND (only reading->outcome is
 *           set, and nothing is to be ended) */
SESS_MUST_CHECK enum sess_status store_read_begin(struct store *store, struct slice key,
                                                  uint64_t hash, int64_t now_s,
                                                  struct store_reading *reading);
void store_read_end(struct store_reading *reading);

/** The same, and give the key a new deadline under the same lock. A deadline at or before now deletes
 *  the key; its last value is still to be read.
 *  returns  as store_read_begin | BUSY | REFUSED (only reading->outcome is set) */
SESS_MUST_CHECK enum sess_status store_read_touch_begin(struct store *store, struct slice key,
                                                        uint64_t hash, struct store_expiry expiry,
                                                        int64_t now_s,
                                                        struct store_reading *reading);

/** Look a key up, and do to it what the look says, under one lock.
 *  sight    set by OK
 *  returns  as store_read_begin | TOO_LARGE (`replies` will never have room to lend) | NO_MEMORY | BUSY (the
 *           journal has no room now, or `replies` has none) | REFUSED (nothing changed; only reading->outcome is set). A block that was lent is the caller's to take back.
 *  Source: memcached doc/protocol.txt, "Meta Get". */
SESS_MUST_CHECK enum sess_status store_look_begin(struct store *store,
                                                  const struct store_look *look, int64_t now_s,
                                                  struct store_reading *reading,
                                                  struct store_sight *sight);

struct store_upload;

/** Begin to receive a value of `size` bytes in its place, invisible until it is committed. The place
 *  has `tail` bytes more, for what follows a value on the wire.
 *  returns  OK (end with commit or abort) | TOO_LARGE | NO_MEMORY */
SESS_MUST_CHECK enum sess_status store_upload_begin(struct store *store, size_t size, size_t tail,
                                                    struct store_upload **out);

/** Where the next bytes belong, at most `most`; room for them is charged as it is given out.
 *  *size 0 with OK: all bytes, the tail too, are there.
 *  returns  OK | AGAIN (values in flight are at their cap: try again later) */
SESS_MUST_CHECK enum sess_status store_upload_place(struct store_upload *upload, size_t most,
                                                    uint8_t **place, size_t *size);

/** Tell that `size` bytes were written to the place. */
void store_upload_received(struct store_upload *upload, size_t size);

/** The tail's bytes, once all have arrived. */
struct slice store_upload_tail(const struct store_upload *upload);

/** Store the received value (write->value is not used). The upload ends and *upload is NULL, but for
 *  BUSY, after which it can be committed again.
 *  returns  as store_write | INVALID (not all bytes have been received) */
SESS_MUST_CHECK enum sess_status store_upload_commit(struct store *store,
                                                     struct store_upload **upload,
                                                     const struct store_write *write, int64_t now_s,
                                                     struct store_outcome *outcome);

/** Zero and free an upload that will not be committed; *upload is NULL. */
void store_upload_abort(struct store_upload **upload);

/* The shards that one worker looks after, and where it goes on. */
struct store_ticker {
    unsigned first;    /* immutable: 0..stride-1 */
    unsigned stride;   /* immutable: number of workers */
    unsigned position; /* the owner's thread */
};

/** Wired call, worker to store: take back what has expired, in at most `max_steps` steps of bounded
 *  work. Returns true when there is more to do at once. */
bool store_tick(struct store *store, struct store_ticker *ticker, int64_t now_s,
                unsigned max_steps);

/** Add up the store's metrics (a registry_sum_fn; context is the store). */
void store_sum(void *store, uint64_t *totals);

#endif
