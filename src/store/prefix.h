/* Prefixes that many keys share: an entry keeps the number of its key's prefix instead of the bytes.
 *
 * Private to the store. All keys of a site's session engine begin alike: half of Django's 64 bytes are its name. A prefix is
 * learnt from pairs of keys that are in the store, and never forgotten: entries refer to it. Nothing of it is on the
 * disk, nor has anybody to know it who only reads. Threads: any; finding takes no lock, learning one of its own, behind
 * a shard's. Memory: the struct. Decision: docs/decisions/0018-key-prefixes.md. */
#ifndef SESSIOND_SRC_STORE_PREFIX_H
#define SESSIOND_SRC_STORE_PREFIX_H

#include "sessiond/base/slice.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    PREFIXES_MAX = 32,
    PREFIX_SIZE_MIN = 8, /* bytes; a shorter one is not worth it */
    PREFIX_SIZE_MAX = 64,
    PREFIX_VOTES = 64, /* pairs of keys that must have it, more than have not */
};

struct prefix {
    uint8_t number;
    uint8_t size; /* bytes */
    uint8_t bytes[PREFIX_SIZE_MAX];
};

struct prefixes {
    _Atomic unsigned n_prefixes;      /* those below are immutable */
    struct prefix rows[PREFIXES_MAX]; /* in the order in which they were learnt */

    pthread_mutex_t lock;
    /* under the lock */
    struct prefix candidate; /* of 0 bytes: none */
    unsigned votes;
};

/** All of it zero before. */
void prefixes_init(struct prefixes *prefixes);
void prefixes_fini(struct prefixes *prefixes);

/** The prefix that a key begins with, or NULL; the first one that was learnt. Later calls may find one where there was
 *  none, but never another one. */
const struct prefix *prefixes_find(const struct prefixes *prefixes, struct slice key);

/** A prefix by its number. */
static inline const struct prefix *prefixes_get(const struct prefixes *prefixes, uint8_t number)
{
    return &prefixes->rows[number];
}

/** Two keys of the store that have no prefix yet: what they share may become one. */
void prefixes_learn(struct prefixes *prefixes, struct slice key, struct slice other);

static inline bool prefixes_are_full(const struct prefixes *prefixes)
{
    return atomic_load_explicit(&prefixes->n_prefixes, memory_order_relaxed) == PREFIXES_MAX;
}

#endif
