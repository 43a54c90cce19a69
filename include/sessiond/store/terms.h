/* The store's terms: its limits, what it is made with, what a write is and what comes of it.
 *
 * Not the calls (store/store.h). Shared by the store's own bodies and its callers. */
#ifndef SESSIOND_STORE_TERMS_H
#define SESSIOND_STORE_TERMS_H

#include "sessiond/base/budget.h"
#include "sessiond/base/hash.h"
#include "sessiond/base/slice.h"

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

enum store_mode { STORE_SET, STORE_ADD, STORE_REPLACE };

struct store_write {
    enum store_mode mode;
    struct slice key;   /* 1..STORE_KEY_MAX bytes */
    struct slice value; /* copied */
    uint32_t flags;
    int64_t deadline_s; /* at or before now: the ordinary result, nothing is kept, and a live key
                           that it would replace is deleted */
};

#endif
