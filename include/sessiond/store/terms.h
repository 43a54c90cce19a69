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

/* What a session's state has beside value, flags, deadline and CAS id; kept by the journal, too. */
struct store_marks {
    bool is_stale;   /* invalidated: whoever reads it is told */
    bool has_winner; /* somebody was told to make it anew: nobody else is */
    bool
        is_clients_cas; /* the CAS id is what a client asked for, and none of the shard's sequence */
    bool
        is_held; /* no session is there, nor may an old one be saved again before the deadline: a hold. No
                     value, flags 0, CAS id 0, and no other mark */
    int64_t
        asked_s; /* 0, or: a new session on probation. When it is used again its deadline is this one, a later one
                        than it has: wall seconds, or STORE_NO_DEADLINE */
};

struct policy;

struct store_config {
    size_t max_value_bytes; /* 0..64 MiB */
    struct budget *data;    /* charged for entries and index; borrowed */
    struct budget
        *in_flight; /* charged for uploads, over its limit by one value at most; borrowed */
    const struct policy *policy; /* NULL: none (store/policy.h); borrowed */
    struct hash_key hash_key;    /* secret, one for each process */
    uint64_t first_cas;          /* >= 1; CAS ids of new versions start here */
    int64_t now_s;               /* wall seconds at the start */
    unsigned n_shards;           /* a power of 2; 0: as suits the data */
};

struct store_outcome {
    uint64_t ticket;            /* of the last change in the key's shard; 0: none */
    uint64_t revocation_ticket; /* of the last revocation in the key's shard; 0: none */
    uint64_t cas;               /* of the entry after a write; else 0 */
    int64_t deadline_s;         /* likewise */
    size_t size_bytes;          /* of its value; likewise */
    bool is_new;                /* store_count: there was no number, and now there is */
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
    STORE_RESTORE, /* only if there is none, nor one that a clock's grace hides, nor a hold, and before its
                      deadline: with the CAS id and the marks that it had; a hold is no session */
};

struct store_write {
    enum store_mode mode;
    struct slice key;           /* 1..STORE_KEY_MAX bytes */
    uint64_t hash;              /* of the key, from store_hash, or 0 */
    struct slice value;         /* copied */
    uint32_t flags;             /* not used by APPEND, PREPEND */
    struct store_expiry expiry; /* not used by APPEND, PREPEND */
    uint64_t cas; /* CAS: the id that the live entry must have; APPEND, PREPEND: the same,
                                   unless it is 0; RESTORE: the id that it is to have, 1 to UINT64_MAX - 1, or 0 of a hold */
    struct store_marks marks; /* RESTORE */
    uint64_t new_cas;         /* 0, or the id that the entry is to have: 1 to UINT64_MAX - 1 */
    bool takes_older; /* CAS: an id below the entry's is taken as well. The value is stored then,
                                   marked stale, and lives as long as the one before it */
    bool vivifies;    /* APPEND, PREPEND: without a live entry store the value, flags and expiry */
};

/* A change of a stored number. */
struct store_count {
    struct slice key;
    uint64_t hash; /* as of a write */
    uint64_t delta;
    bool is_decrement; /* ends at 0; an increment wraps at 2^64 */
    uint64_t cas;      /* 0, or the id that the live entry must have */
    uint64_t new_cas;  /* as of a write */
    bool renews;       /* with this deadline instead of the one it has */
    struct store_expiry expiry;
    bool vivifies; /* without a live entry store this number, with this deadline */
    uint64_t initial;
    struct store_expiry vivified;
};

/* A delete with conditions, or what is done in its place. */
struct store_removal {
    struct slice key;
    uint64_t hash;     /* as of a write */
    bool compares_cas; /* only the live entry with this id */
    uint64_t cas;
    bool invalidates; /* keep it, marked stale, with a new CAS id; the next reader wins */
    bool empties;     /* keep it, with a new CAS id, no value and no flags */
    bool renews;      /* what is kept has this deadline */
    struct store_expiry expiry;
    uint64_t new_cas; /* of what is kept; as of a write */
};

/* A look that may change what it looks at. */
struct store_look {
    struct slice key;
    uint64_t hash;          /* as of a write */
    struct budget *replies; /* NULL, or what a large value is lent from (store/value.h) */
    bool leaves_no_trace;   /* it is no access */
    bool renews;            /* a live entry has this deadline from now on */
    struct store_expiry expiry;
    bool vivifies; /* without a live entry store an empty value with this deadline */
    struct store_expiry vivified;
    uint64_t new_cas; /* of what is stored; as of a write */
    bool recaches;    /* win the right to make it anew if it ends before this */
    struct store_expiry recache;
    bool recaches_renewed; /* by its new deadline, not by the one before */
};

/* What a look finds beside the value. */
struct store_sight {
    int64_t old_ttl_s; /* before the look, STORE_NO_DEADLINE: no end */
    int64_t ttl_s;     /* and behind it */
    int64_t idle_s; /* since the last access, or the start of the process if there was none since */
    size_t held_bytes; /* that the entry takes in memory */
    bool was_fetched;  /* somebody read it before */
    bool is_stale;
    bool had_winner; /* before */
    bool has_won;    /* by this look */
};

#endif
