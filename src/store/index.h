/* The index of one shard: from a key's hash to its entry.
 *
 * Private to the store. Buckets of one cache line with seven slots, each a 16-bit tag and an
 * address; small overflow pieces; linear hashing, which splits one bucket an insert and so never
 * stalls to double. Buckets are never merged, so no entry ever moves to a lower home bucket: a walk
 * in bucket order misses nothing. Threads: under the shard's lock.
 * Source: Litwin: Linear Hashing (1980). */
#ifndef SESSIOND_SRC_STORE_INDEX_H
#define SESSIOND_SRC_STORE_INDEX_H

#include "entry.h"
#include "pages.h"
#include "sessiond/base/hash.h"

enum {
    INDEX_BUCKET_SLOTS = 7,
    INDEX_FILL = 6, /* entries a home bucket on average; above, a bucket is split */
    INDEX_SEGMENTS_FIRST = 8,
    INDEX_LOW_BITS = 24, /* of a hash; there are never more home buckets than that */
};

struct index_bucket {
    uint64_t slots[INDEX_BUCKET_SLOTS]; /* tag in the top 16 bits, address below; 0: empty */
    struct index_bucket *overflow;      /* NULL, or the next piece of this bucket */
};

/* Where the home buckets are, a page of them each. When there is no room for another one, a copy takes its place, and it
 * stays for those who look without the lock. */
struct index_segments {
    struct index_segments *older; /* NULL, or the one that it is a copy of */
    size_t capacity;
    struct index_bucket *at[];
};

/* What every look-up reads stands first, in one cache line. */
struct index {
    /* written under the lock, read by anyone */
    struct index_segments *_Atomic segments;
    _Atomic size_t n_buckets; /* home buckets in use */
    _Atomic size_t round;     /* home buckets when the running doubling began: a power of 2 */

    /* immutable */
    unsigned segment_bits;           /* of the number of a bucket in its page */
    const struct prefixes *prefixes; /* borrowed */
    const struct hash_key *hash_key; /* borrowed */

    /* under the lock */
    size_t n_entries;
    struct index_bucket *spare; /* overflow pieces for use, linked by `overflow` */
    size_t n_segments;          /* allocated segments */
    size_t n_pieces;            /* overflow pieces, spare ones too */
    struct pages pages;         /* of segments and pieces */
    size_t segment_buckets;     /* immutable: buckets in a page, 2 to the segment_bits */
};

/** returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status index_init(struct index *index, const struct hash_key *hash_key,
                                            const struct prefixes *prefixes,
                                            const struct pages *pages);

/** Give an index without entries the home buckets that so many need, as far as there is memory for them: it need
 *  not grow bucket by bucket then. */
void index_expect(struct index *index, size_t n_entries);

/** Hints for the processor that a key of this hash is about to be looked up: fetch its home bucket; a while later, the
 *  beginning of its entry, with the key; and the value, or much of it. Without the lock: what is fetched may be another one
 *  by now, or nothing.
 *  returns  the entry, for the last call and nothing else; NULL when there is none */
void index_fetch(struct index *index, uint64_t hash);
const struct entry *index_fetch_entry(struct index *index, uint64_t hash);
void index_fetch_value(const struct entry *entry);

/** The same for an insert, which may split a bucket: fetch that; and, a while later, the entries in it. */
void index_fetch_split(struct index *index);
void index_fetch_split_entries(struct index *index);

/** Give back what the index took. The entries are not its own; its pages go with the arena. */
void index_fini(struct index *index);

/** The slot that holds `key`'s entry, or NULL. Valid until the next change of the index. */
uint64_t *index_find(struct index *index, uint64_t hash, struct slice key);

/** The entry in a slot. */
struct entry *index_entry(uint64_t slot);

/** The home bucket of all keys whose hashes have these low bits, INDEX_LOW_BITS of them. */
struct index_bucket *index_bucket_of_low(struct index *index, uint32_t low);

/** A home bucket in use, by its number. */
struct index_bucket *index_bucket_of(struct index *index, size_t number);

/** The hash of an entry's key. */
uint64_t index_hash(const struct index *index, const struct entry *entry);

/** An entry in the home bucket of this hash whose key is not packed, or NULL. */
const struct entry *index_neighbour(struct index *index, uint64_t hash);

/** The slot that holds this very entry. */
uint64_t *index_find_entry(struct index *index, uint64_t hash, const struct entry *entry);

/** The slot in a home bucket, which holds an entry that this holds of, found first; or NULL. */
uint64_t *index_find_where(struct index_bucket *bucket,
                           bool (*holds)(const void *context, const struct entry *entry),
                           const void *context);

/** Have at hand what one insert may need.
 *  limit    bytes up to which `held` may be used
 *  returns  OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status index_reserve(struct index *index, size_t limit);

/** Insert an entry whose key is not there; cannot fail after index_reserve. */
void index_insert(struct index *index, uint64_t hash, struct entry *entry);

/** Put another entry of the same key into its slot. */
void index_replace(uint64_t *slot, struct entry *entry);

/** Empty a slot that index_find gave for `hash`. */
void index_remove(struct index *index, uint64_t hash, uint64_t *slot);

#endif
