/* A walk: every entry of the store, while it is in use, in slices.
 *
 * Not a snapshot: an entry is told as it is when the walk comes by. What was there at the begin of the walk
 * and stayed is told, once or, when its bucket was split meanwhile, again in a later bucket; buckets are split
 * towards higher numbers alone. What changed meanwhile is told in one of its states. What is dead by the
 * shard's time, or flushed, is left out; holds that are in force are told. Threads: any, one for each walk; a slice holds one shard's lock.
 * Source: durability.md, "Checkpoint". */
#ifndef SESSIOND_STORE_WALK_H
#define SESSIOND_STORE_WALK_H

#include "sessiond/store/image.h"
#include "sessiond/store/value.h"

#include <stdbool.h>
#include <stddef.h>

/* Where a walk is; all 0 at its begin. */
struct store_walk {
    unsigned shard;
    size_t bucket; /* home bucket of the shard */
};

/* Told of each entry as an IMAGE_SET, under its shard's lock: copy and return. A large value is in `block`:
 * take a reference, and copy it outside; block is NULL for a small one. */
typedef void (*store_walk_fn)(void *context, const struct store_image *image,
                              struct value_block *block);

/** Go through at least one home bucket, with its overflow, and on until about `most` bytes were told or
 *  the shard ends. Returns false when the walk is over. */
bool store_walk_step(struct store *store, struct store_walk *walk, size_t most, store_walk_fn visit,
                     void *context);

/* What a store knows beside its entries, and a start must know again. */
struct store_facts {
    uint64_t next_cas;  /* no id from here on was given out yet */
    int64_t flush_at_s; /* of the flush that is still to come, or STORE_NO_DEADLINE */
    size_t live_bytes;  /* of keys and values, about */
};

/** Ask for them. Threads: any; locks one shard after the other. */
struct store_facts store_get_facts(struct store *store);

#endif
