/* The index of one shard. Not the entries' policy (change.c, store.c). Threads: under the shard's lock.
 * Memory: pages of home buckets and of overflow pieces, charged to the data budget. */
#include "index.h"

#include "sessiond/base/prefetch.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    ADDRESS_BITS = 48,
    TAG_SHIFT = 40, /* the tag comes from other bits of the hash than bucket and shard */
    BUCKETS_FIRST = 4,
    CACHE_LINE = 64,
    LINES_OF_KEY = 2,   /* of an entry: its key begins in the first one */
    LINES_OF_ENTRY = 8, /* and of its value, or much of it */
};

#define ADDRESS_MASK ((1ULL << ADDRESS_BITS) - 1)

_Static_assert(sizeof(struct index_bucket) == CACHE_LINE, "a bucket is one cache line");

static uint64_t slot_make(uint64_t hash, const struct entry *entry)
{
    return (hash >> TAG_SHIFT & 0xffff) << ADDRESS_BITS | (uint64_t)(uintptr_t)entry;
}

/* Slots are written under the lock, and by these two alone, since fetching reads them without. */
static void set_slot(uint64_t *slot, uint64_t value)
{
    _Atomic uint64_t *shared = (_Atomic uint64_t *)slot;

    atomic_store_explicit(shared, value, memory_order_relaxed);
}

static void clear_slots(struct index_bucket *piece)
{
    for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
        set_slot(&piece->slots[i], 0);
    }
    piece->overflow = NULL;
}

struct entry *index_entry(uint64_t slot)
{
    return (struct entry *)(uintptr_t)(slot & ADDRESS_MASK);
}

struct index_bucket *index_bucket_of(struct index *index, size_t number)
{
    struct index_segments *segments = atomic_load_explicit(&index->segments, memory_order_acquire);

    return &segments->at[number >> index->segment_bits][number & (index->segment_buckets - 1)];
}

static size_t home_number(const struct index *index, uint64_t hash)
{
    size_t round = index->round;
    size_t number = (size_t)hash & (2 * round - 1);

    return number < index->n_buckets ? number : number - round;
}

struct index_bucket *index_bucket_of_low(struct index *index, uint32_t low)
{
    return index_bucket_of(index, home_number(index, low));
}

/* Room for one more segment. */
static enum sess_status grow_segments(struct index *index)
{
    struct index_segments *older = index->segments;
    size_t capacity = older == NULL ? INDEX_SEGMENTS_FIRST : 2 * older->capacity;
    struct index_segments *grown;

    if (older != NULL && index->n_segments < older->capacity) {
        return SESS_OK;
    }
    grown = malloc(sizeof *grown + capacity * sizeof grown->at[0]);
    if (grown == NULL) {
        return SESS_NO_MEMORY;
    }
    *grown = (struct index_segments){.older = older, .capacity = capacity};
    if (older != NULL) {
        memcpy(grown->at, older->at, index->n_segments * sizeof grown->at[0]);
    }
    atomic_store_explicit(&index->segments, grown, memory_order_release);
    return SESS_OK;
}

static enum sess_status add_segment(struct index *index, size_t limit)
{
    struct index_bucket *segment;

    if (grow_segments(index) != SESS_OK) {
        return SESS_NO_MEMORY;
    }
    segment = pages_add(&index->pages, limit);
    if (segment == NULL) {
        return SESS_NO_MEMORY;
    }
    index->segments->at[index->n_segments++] = segment;
    return SESS_OK;
}

static enum sess_status add_pieces(struct index *index, size_t limit)
{
    struct index_bucket *page = pages_add(&index->pages, limit);

    if (page == NULL) {
        return SESS_NO_MEMORY;
    }
    for (size_t i = 0; i < index->segment_buckets; i++) {
        page[i].overflow = index->spare;
        index->spare = &page[i];
    }
    index->n_pieces += index->segment_buckets;
    return SESS_OK;
}

enum sess_status index_init(struct index *index, const struct hash_key *hash_key,
                            const struct prefixes *prefixes, const struct pages *pages)
{
    size_t segment_buckets = pages_size(pages) / sizeof(struct index_bucket);

    *index = (struct index){
        .hash_key = hash_key,
        .prefixes = prefixes,
        .pages = *pages,
        .segment_buckets = segment_buckets,
        .segment_bits = (unsigned)__builtin_ctzl(segment_buckets),
        .round = BUCKETS_FIRST,
    };
    enum sess_status status = add_segment(index, SIZE_MAX);

    if (status == SESS_OK) {
        index->n_buckets = BUCKETS_FIRST;
    }
    return status;
}

void index_fini(struct index *index)
{
    if (index->pages.arena != NULL) {
        pages_release(&index->pages);
    }
    for (struct index_segments *segments = index->segments; segments != NULL;) {
        struct index_segments *older = segments->older;

        free(segments);
        segments = older;
    }
    *index = (struct index){0};
}

uint64_t index_hash(const struct index *index, const struct entry *entry)
{
    uint8_t room[STORE_KEY_MAX];
    struct slice key = entry_key(entry, index->prefixes, room);
    uint64_t hash = hash_bytes(index->hash_key, key);

    if (key.data == room) {
        explicit_bzero(room, key.size);
    }
    return hash;
}

static bool is_unpacked(const void *context, const struct entry *entry)
{
    (void)context;
    return !entry_is_packed(entry);
}

const struct entry *index_neighbour(struct index *index, uint64_t hash)
{
    const uint64_t *slot =
        index_find_where(index_bucket_of(index, home_number(index, hash)), is_unpacked, NULL);

    return slot == NULL ? NULL : index_entry(*slot);
}

uint64_t *index_find_entry(struct index *index, uint64_t hash, const struct entry *entry)
{
    uint64_t wanted = slot_make(hash, entry);
    struct index_bucket *piece = index_bucket_of(index, home_number(index, hash));

    for (; piece != NULL; piece = piece->overflow) {
        for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
            if (piece->slots[i] == wanted) {
                return &piece->slots[i];
            }
        }
    }
    return NULL;
}

uint64_t *index_find(struct index *index, uint64_t hash, struct slice key)
{
    uint64_t tag = slot_make(hash, NULL);
    struct index_bucket *piece = index_bucket_of(index, home_number(index, hash));

    for (; piece != NULL; piece = piece->overflow) {
        for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
            uint64_t slot = piece->slots[i];

            if (slot != 0 && (slot & ~ADDRESS_MASK) == tag &&
                entry_has_key(index_entry(slot), index->prefixes, key)) {
                return &piece->slots[i];
            }
        }
    }
    return NULL;
}

/* The bound is one of 80 million sessions in a shard: above it, chains grow longer. */
static bool split_is_due(const struct index *index)
{
    return index->n_entries + 1 > index->n_buckets * INDEX_FILL &&
           index->n_buckets < (size_t)1 << INDEX_LOW_BITS;
}

uint64_t *index_find_where(struct index_bucket *bucket,
                           bool (*holds)(const void *context, const struct entry *entry),
                           const void *context)
{
    for (struct index_bucket *piece = bucket; piece != NULL; piece = piece->overflow) {
        for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
            if (piece->slots[i] != 0 && holds(context, index_entry(piece->slots[i]))) {
                return &piece->slots[i];
            }
        }
    }
    return NULL;
}

enum sess_status index_reserve(struct index *index, size_t limit)
{
    enum sess_status status = SESS_OK;

    if (index->spare == NULL) {
        status = add_pieces(index, limit);
    }
    if (status == SESS_OK && split_is_due(index) &&
        index->n_buckets == index->n_segments * index->segment_buckets) {
        status = add_segment(index, limit);
    }
    return status;
}

/* Put a slot into the first hole of a bucket, or into a spare piece at its end. */
static void place(struct index *index, struct index_bucket *piece, uint64_t slot)
{
    for (;; piece = piece->overflow) {
        for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
            if (piece->slots[i] == 0) {
                set_slot(&piece->slots[i], slot);
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
    clear_slots(piece);
    piece->overflow = index->spare;
    index->spare = piece;
}

/* The bucket that is split next. */
static size_t next_split(const struct index *index)
{
    return index->n_buckets - index->round;
}

/* There is a home bucket more. */
static void count_bucket(struct index *index)
{
    size_t n_buckets = index->n_buckets + 1;

    /* Behind its segment, for those who look without the lock. */
    atomic_store_explicit(&index->n_buckets, n_buckets, memory_order_release);
    if (n_buckets == 2 * index->round) {
        atomic_store_explicit(&index->round, n_buckets, memory_order_relaxed);
    }
}

void index_expect(struct index *index, size_t n_entries)
{
    while (index->n_entries == 0 && index->n_buckets < n_entries / INDEX_FILL &&
           index->n_buckets < (size_t)1 << INDEX_LOW_BITS) {
        if (index->n_buckets == index->n_segments * index->segment_buckets &&
            add_segment(index, SIZE_MAX) != SESS_OK) {
            return;
        }
        count_bucket(index);
    }
}

static void fetch_lines(const struct entry *entry, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        prefetch((const uint8_t *)entry + i * PREFETCH_LINE);
    }
}

/* The home bucket of a hash; a wrong one, or NULL, while somebody else changes the index. */
static const struct index_bucket *peek(struct index *index, uint64_t hash)
{
    size_t number = home_number(index, hash);

    return number < index->n_buckets ? index_bucket_of(index, number) : NULL;
}

void index_fetch(struct index *index, uint64_t hash)
{
    const struct index_bucket *home = peek(index, hash);

    if (home != NULL) {
        prefetch(home);
    }
}

const struct entry *index_fetch_entry(struct index *index, uint64_t hash)
{
    const struct index_bucket *home = peek(index, hash);
    uint64_t tag = slot_make(hash, NULL);

    for (size_t i = 0; home != NULL && i < INDEX_BUCKET_SLOTS; i++) {
        uint64_t slot =
            atomic_load_explicit((const _Atomic uint64_t *)&home->slots[i], memory_order_relaxed);

        if (slot != 0 && (slot & ~ADDRESS_MASK) == tag) {
            fetch_lines(index_entry(slot), 0, LINES_OF_KEY);
            return index_entry(slot);
        }
    }
    return NULL;
}

void index_fetch_value(const struct entry *entry)
{
    fetch_lines(entry, LINES_OF_KEY, LINES_OF_ENTRY);
}

void index_fetch_split(struct index *index)
{
    if (split_is_due(index)) {
        prefetch(index_bucket_of(index, next_split(index)));
    }
}

void index_fetch_split_entries(struct index *index)
{
    const struct index_bucket *split;

    if (!split_is_due(index)) {
        return;
    }
    split = index_bucket_of(index, next_split(index));
    for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
        if (split->slots[i] != 0) {
            fetch_lines(index_entry(split->slots[i]), 0, LINES_OF_KEY);
        }
    }
}

/* Distribute one bucket over itself and the next new one. Its own overflow pieces, given back one by
 * one, are all that the two can need: n entries never take more pieces in two buckets than in one. */
static void split_bucket(struct index *index)
{
    struct index_bucket *old = index_bucket_of(index, next_split(index));
    struct index_bucket piece = *old;
    struct index_bucket *overflow = old->overflow;

    clear_slots(old);
    count_bucket(index);
    for (;;) {
        for (size_t i = 0; i < INDEX_BUCKET_SLOTS; i++) {
            if (piece.slots[i] != 0) {
                uint64_t hash = index_hash(index, index_entry(piece.slots[i]));

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
    set_slot(slot, (*slot & ~ADDRESS_MASK) | (uint64_t)(uintptr_t)entry);
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
    set_slot(slot, piece->slots[last]);
    set_slot(&piece->slots[last], 0);
    if (last == 0 && before != NULL) {
        before->overflow = NULL;
        give_back(index, piece);
    }
    index->n_entries--;
}
