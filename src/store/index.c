/* The index of one shard. Not the entries' policy (change.c, store.c). Threads: under the shard's lock.
 * Memory: segments of home buckets and overflow pieces, charged to the data budget. */
#include "index.h"

#include <stdlib.h>
#include <string.h>

enum {
    ADDRESS_BITS = 48,
    TAG_SHIFT = 40, /* the tag comes from other bits of the hash than bucket and shard */
    BUCKETS_FIRST = 4,
    FILL_PER_BUCKET = 5, /* entries a home bucket on average; above, a bucket is split */
    CACHE_LINE = 64,
};

#define ADDRESS_MASK ((1ULL << ADDRESS_BITS) - 1)
#define SEGMENT_SIZE (INDEX_SEGMENT_BUCKETS * sizeof(struct index_bucket))

_Static_assert(sizeof(struct index_bucket) == CACHE_LINE, "a bucket is one cache line");

static uint64_t slot_make(uint64_t hash, const struct entry *entry)
{
    return (hash >> TAG_SHIFT & 0xffff) << ADDRESS_BITS | (uint64_t)(uintptr_t)entry;
}

struct entry *index_entry(uint64_t slot)
{
    return (struct entry *)(uintptr_t)(slot & ADDRESS_MASK);
}

struct index_bucket *index_bucket_of(struct index *index, size_t number)
{
    return &index->segments[number / INDEX_SEGMENT_BUCKETS][number % INDEX_SEGMENT_BUCKETS];
}

static size_t home_number(const struct index *index, uint64_t hash)
{
    size_t number = (size_t)hash & (2 * index->round - 1);

    return number < index->n_buckets ? number : number - index->round;
}

static struct index_bucket *bucket_create(struct budget *budget, size_t n_buckets)
{
    size_t size = n_buckets * sizeof(struct index_bucket);
    struct index_bucket *buckets;

    if (!budget_charge(budget, size)) {
        return NULL;
    }
    buckets = aligned_alloc(CACHE_LINE, size);
    if (buckets == NULL) {
        budget_release(budget, size);
        return NULL;
    }
    memset(buckets, 0, size);
    return buckets;
}

static enum sess_status add_segment(struct index *index)
{
    struct index_bucket *segment;

    if (index->n_segments == index->segments_capacity) {
        size_t capacity =
            index->segments_capacity == 0 ? INDEX_SEGMENTS_FIRST : 2 * index->segments_capacity;
        struct index_bucket **grown = realloc(index->segments, capacity * sizeof *grown);

        if (grown == NULL) {
            return SESS_NO_MEMORY;
        }
        index->segments = grown;
        index->segments_capacity = capacity;
    }
    segment = bucket_create(index->budget, INDEX_SEGMENT_BUCKETS);
    if (segment == NULL) {
        return SESS_NO_MEMORY;
    }
    index->segments[index->n_segments++] = segment;
    return SESS_OK;
}

enum sess_status index_init(struct index *index, const struct hash_key *hash_key,
                            struct budget *budget)
{
    *index = (struct index){
        .hash_key = hash_key,
        .budget = budget,
        .n_buckets = BUCKETS_FIRST,
        .round = BUCKETS_FIRST,
    };
    return add_segment(index);
}

static void destroy_entries(struct index_bucket *piece)
{
    for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
        if (piece->slots[i] != 0) {
            entry_destroy(index_entry(piece->slots[i]));
        }
    }
}

static void free_pieces(struct index *index, struct index_bucket *piece)
{
    while (piece != NULL) {
        struct index_bucket *next = piece->overflow;

        destroy_entries(piece);
        free(piece);
        budget_release(index->budget, sizeof *piece);
        piece = next;
    }
}

void index_fini(struct index *index)
{
    for (size_t i = 0; i < index->n_segments; i++) {
        for (size_t j = 0; j < INDEX_SEGMENT_BUCKETS; j++) {
            destroy_entries(&index->segments[i][j]);
            free_pieces(index, index->segments[i][j].overflow);
        }
        free(index->segments[i]);
        budget_release(index->budget, SEGMENT_SIZE);
    }
    free_pieces(index, index->spare);
    free(index->segments);
    *index = (struct index){0};
}

uint64_t *index_find(struct index *index, uint64_t hash, struct slice key)
{
    uint64_t tag = slot_make(hash, NULL);
    struct index_bucket *piece = index_bucket_of(index, home_number(index, hash));

    for (; piece != NULL; piece = piece->overflow) {
        for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
            uint64_t slot = piece->slots[i];

            if (slot != 0 && (slot & ~ADDRESS_MASK) == tag &&
                slice_equal(entry_key(index_entry(slot)), key)) {
                return &piece->slots[i];
            }
        }
    }
    return NULL;
}

static bool split_is_due(const struct index *index)
{
    return index->n_entries + 1 > index->n_buckets * FILL_PER_BUCKET;
}

enum sess_status index_reserve(struct index *index)
{
    if (index->spare == NULL) {
        index->spare = bucket_create(index->budget, 1);
        if (index->spare == NULL) {
            return SESS_NO_MEMORY;
        }
    }
    if (split_is_due(index) && index->n_buckets == index->n_segments * INDEX_SEGMENT_BUCKETS) {
        return add_segment(index);
    }
    return SESS_OK;
}

/* Put a slot into the first hole of a bucket, or into a spare piece at its end. */
static void place(struct index *index, struct index_bucket *piece, uint64_t slot)
{
    for (;; piece = piece->overflow) {
        for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
            if (piece->slots[i] == 0) {
                piece->slots[i] = slot;
                return;
            }
        }
        if (piece->overflow == NULL) {
            piece->overflow = index->spare;
            index->spare = index->spare->overflow;
            piece->overflow->overflow = NULL;
        }
    }
}

static void give_back(struct index *index, struct index_bucket *piece)
{
    memset(piece, 0, sizeof *piece);
    piece->overflow = index->spare;
    index->spare = piece;
}

/* Distribute one bucket over itself and the next new one. Its own overflow pieces, given back one by
 * one, are all that the two can need: n entries never take more pieces in two buckets than in one. */
static void split_bucket(struct index *index)
{
    size_t number = index->n_buckets - index->round;
    struct index_bucket *old = index_bucket_of(index, number);
    struct index_bucket piece = *old;
    struct index_bucket *overflow = old->overflow;

    memset(old, 0, sizeof *old);
    index->n_buckets++;
    for (;;) {
        for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
            if (piece.slots[i] != 0) {
                uint64_t hash = hash_bytes(index->hash_key, entry_key(index_entry(piece.slots[i])));

                place(index, index_bucket_of(index, home_number(index, hash)), piece.slots[i]);
            }
        }
        if (overflow == NULL) {
            break;
        }
        piece = *overflow;
        give_back(index, overflow);
        overflow = piece.overflow;
    }
    if (index->n_buckets == 2 * index->round) {
        index->round *= 2;
    }
}

void index_insert(struct index *index, uint64_t hash, struct entry *entry)
{
    if (split_is_due(index)) {
        split_bucket(index);
    }
    place(index, index_bucket_of(index, home_number(index, hash)), slot_make(hash, entry));
    index->n_entries++;
}

void index_replace(uint64_t *slot, struct entry *entry)
{
    *slot = (*slot & ~ADDRESS_MASK) | (uint64_t)(uintptr_t)entry;
}

static size_t last_used(const struct index_bucket *piece)
{
    size_t i = INDEX_BUCKET_SLOTS;

    while (i > 0 && piece->slots[i - 1] == 0) {
        i--;
    }
    return i;
}

/* The bucket's last slot fills the hole, so that holes never gather and empty pieces can go. */
void index_remove(struct index *index, uint64_t hash, uint64_t *slot)
{
    struct index_bucket *piece = index_bucket_of(index, home_number(index, hash));
    struct index_bucket *before = NULL;
    size_t last;

    while (piece->overflow != NULL) {
        before = piece;
        piece = piece->overflow;
    }
    last = last_used(piece) - 1;
    *slot = piece->slots[last];
    piece->slots[last] = 0;
    if (last == 0 && before != NULL) {
        before->overflow = NULL;
        give_back(index, piece);
    }
    index->n_entries--;
}
