/* The store's terms: its limits, what it is made with, what a write is and what comes of it.
 *
 * Not the calls (store/store.h). Shared by the store's own bodies and its callers. */
#ifndef SESSIOND_STORE_TERMS_H
#define SESSIOND_STORE_TERMS_H

#include "sessiond/base/budget.h"
#include "sessiond/base/hash.h"
#include "sessiond/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_NO_DEADLINE INT64_MAX /* the latest of all deadlines */

enum {
    STORE_KEY_MAX = 250, /* bytes */
    STORE_COPY_MAX =
        16384, /* bytes; a larger value is shared by reference, not copied under a lock */
};

struct store_config {
    size_t max_value_bytes; /* 0..64 MiB */
    struct budget *data;    /* charged for entries and index; borrowed */
    struct budget
        *in_flight; /* charged for uploads, over its limit by one value at most; borrowed */
    struct hash_key hash_key; /* secret, one for each process */
    uint64_t first_cas;       /* >= 1; CAS ids of new versions start here */
    int64_t now_s;            /* wall seconds at the start */
};

struct store_outcome {
    uint64_t ticket;            /* of the last change in the key's shard; 0: none */
    uint64_t revocation_ticket; /* of the last revocation in the key's shard; 0: none */
    uint64_t cas;               /* of the entry after a write; else 0 */
};

/* When an entry ends. A relative one counts from the time that its shard has when it is stored: two
 * workers' times may differ by a second, and a session of one second must not be dead on arrival. */
struct store_expiry {
    int64_t seconds;  /* wall seconds, or STORE_NO_DEADLINE; from now on if is_relative (> 0) */
    bool is_relative; /* at or before now otherwise: the ordinary result of the command, nothing is
                         kept, and a live key that it would replace is deleted */
};

static inline struct store_expiry store_expiry_at(int64_t deadline_s)
{
    return (struct store_expiry){.seconds = deadline_s};
}

static inline struct store_expiry store_expiry_in(int64_t ttl_s)
{
    return (struct store_expiry){.seconds = ttl_s, .is_relative = true};
}

enum store_mode {
    STORE_SET,
    STORE_ADD,     /* only if there is no live entry */
    STORE_REPLACE, /* only if there is one */
    STORE_APPEND,  /* behind the value of a live entry, which keeps flags and deadline */
    STORE_PREPEND, /* in front of it */
    STORE_CAS,     /* only over the live entry with this CAS id */
};

struct store_write {
    enum store_mode mode;
    struct slice key;           /* 1..STORE_KEY_MAX bytes */
    struct slice value;         /* copied */
    uint32_t flags;             /* not used by APPEND, PREPEND */
    struct store_expiry expiry; /* not used by APPEND, PREPEND */
    uint64_t cas;               /* CAS: the id that the live entry must have */
};

/* A change of a stored number. */
struct store_count {
    struct slice key;
    uint64_t delta;
    bool is_decrement; /* ends at 0; an increment wraps at 2^64 */
};

#endif
