/* One session in memory: a packed header, optional fields, key, value.
 *
 * Private to the store. Layout and byte budget: docs/decisions/0001-entry.md. It stands in its shard's
 * heap and may be moved there, so nothing but the index and the wheel knows where.
 *
 *     offset  bytes
 *      0      4   bit 0 is 0: a place in use (heap.h); inline value length (15 bits), 12 flag bits, the deadline's
 *                 high 4 bits
 *      4      4   deadline, wall seconds, the low 32 of 36 bits; 0: none
 *      8      4   last access, wall seconds, low 32 bits
 *     12      5   CAS id; with a full one: twice the flushes that its shard has seen, and 1 if a client chose it
 *     17      1   length of that
 *     18      1   mark of its record in the wheel (timer.h); 0: none
 *     19          optional, by bit: client flags 4, full CAS 8, times 6, probation 8: the low 36 bits are the deadline
 *                 that was asked for (0: none), the others the low ones of the second in which it was made
 *                 key; with KEY_PACKED the number of its prefix and what is behind that
 *                 value, or the address of its block with ENTRY_BY_REFERENCE
 *
 * Threads: under the shard's lock. */
#ifndef SESSIOND_SRC_STORE_ENTRY_H
#define SESSIOND_SRC_STORE_ENTRY_H

#include "block.h"
#include "prefix.h"
#include "sessiond/base/slice.h"
#include "sessiond/store/terms.h"

#include <stdbool.h>
#include <stdint.h>

/* Bits above the inline value length. Those marked "later" have their place but no user yet. */
enum entry_bit {
    ENTRY_HAS_FLAGS = 1 << 0,    /* client flags that are not 0 */
    ENTRY_HAS_FULL_CAS = 1 << 1, /* CAS id over 40 bits */
    ENTRY_HAS_TIMES = 1 << 2,    /* later: coarse creation and first write */
    ENTRY_BY_REFERENCE = 1 << 3, /* the value is a block of its own */
    ENTRY_STALE = 1 << 4,        /* invalidated */
    ENTRY_WIN = 1 << 5,          /* somebody was told to make it anew */
    ENTRY_FETCHED = 1 << 6,      /* was read */
    ENTRY_RENEWED = 1 << 7,      /* was stored or touched again */
    ENTRY_PROBATION = 1 << 8,    /* first-write-ttl is running */
    ENTRY_UNDO = 1 << 9,         /* later: flushed, may come back by unflush */
    ENTRY_KEY_PACKED = 1 << 10,  /* it begins with the number of a prefix */
    ENTRY_HELD = 1 << 11,        /* a hold: no session, and its CAS id is 0 */
};

/* The latest deadline that an entry holds, in the year 4147. */
#define ENTRY_DEADLINE_MAX (((int64_t)1 << 36) - 1)

enum {
    ENTRY_CAS_SIZE = 5,
    ENTRY_BITS_SHIFT = 16, /* of the bits above in the entry's first word */
};

struct entry {
    uint32_t word; /* length, flag bits, far deadline */
    uint32_t deadline;
    uint32_t accessed;
    uint8_t cas[ENTRY_CAS_SIZE];
    uint8_t key_size;
    uint8_t timer;
    uint8_t packed[];
};

/* What an entry is made of. */
struct entry_fields {
    struct slice key;
    const struct prefix *prefix; /* NULL, or what the key begins with: the entry keeps its number */
    struct slice value;          /* copied, unless there is a block */
    struct value_block *block;   /* NULL, or the value: the entry takes over a reference */
    uint32_t flags;
    int64_t deadline_s;
    uint64_t cas;
    struct store_marks marks;
    bool is_renewed; /* stored or touched again since it was made */
    uint64_t
        n_flushes; /* that its shard has seen; kept by a full CAS id, which says nothing of when it was */
};

/** Bytes that an entry of these fields needs, and that an entry has. */
size_t entry_size_for(const struct entry_fields *fields);
size_t entry_size(const struct entry *entry);

/** Make an entry in a place of its own; its timer is not armed, and nobody has accessed it. */
void entry_make(struct entry *place, const struct entry_fields *fields);

/** Make another entry of the same key out of one, which has room for it; its timer stays as it is. */
void entry_remake(struct entry *entry, const struct entry_fields *fields);

/** Its key.
 *  prefixes  those that it may refer to
 *  room      STORE_KEY_MAX bytes, where it is put together if it is packed; the caller zeroes it then */
struct slice entry_key(const struct entry *entry, const struct prefixes *prefixes, uint8_t *room);
bool entry_has_key(const struct entry *entry, const struct prefixes *prefixes, struct slice key);

/** The bytes of its key that it has itself; the whole key unless it is packed. */
struct slice entry_own_key(const struct entry *entry);
bool entry_is_packed(const struct entry *entry);
struct slice entry_value(const struct entry *entry);
struct value_block *entry_block(const struct entry *entry); /* NULL for an inline value */
uint32_t entry_flags(const struct entry *entry);
uint64_t entry_cas(const struct entry *entry);
int64_t entry_deadline(const struct entry *entry);

/** Set a deadline: 1 to ENTRY_DEADLINE_MAX, or STORE_NO_DEADLINE. It never needs more room. */
void entry_set_deadline(struct entry *entry, int64_t deadline_s);

/** Whether it was made before a flush: its CAS id is below the barrier, or its shard has seen more flushes. It holds of
 *  a hold, too, since a barrier is 1 at least: so whoever asks whether an entry is live need not know of them. */
bool entry_is_flushed(const struct entry *entry, uint64_t flushed_below, uint64_t n_flushes);

struct store_marks entry_marks(const struct entry *entry);

/** Whether it is on probation, for how many seconds, and the deadline that it gets behind that: its own if it is not. */
static inline bool entry_is_on_probation(const struct entry *entry)
{
    return (entry->word & (uint32_t)ENTRY_PROBATION << ENTRY_BITS_SHIFT) != 0;
}
int64_t entry_created_s(const struct entry *entry, int64_t now_s);
int64_t entry_full_deadline(const struct entry *entry);

/** While it is on probation: let it get another deadline, or have been made at another time; as it is made, that is
 *  long ago. */
void entry_set_asked(struct entry *entry, int64_t asked_s);
void entry_set_created(struct entry *entry, int64_t created_s);

/** Let it be on probation no more. Its size shrinks; its deadline stays. */
void entry_end_probation(struct entry *entry);

/** Whether it is a hold, in force or not. */
static inline bool entry_is_hold(const struct entry *entry)
{
    return (entry->word & (uint32_t)ENTRY_HELD << ENTRY_BITS_SHIFT) != 0;
}

/** Let it be a hold of its key: what is behind the key is nobody's any more. Its size shrinks; its timer stays. */
void entry_become_hold(struct entry *entry, int64_t deadline_s);

/** Note that somebody was told to make it anew. */
void entry_set_winner(struct entry *entry);

/** Note that somebody read the value. */
void entry_set_fetched(struct entry *entry);
bool entry_is_fetched(const struct entry *entry);

/** Note that it was touched, since it was made or a start brought it back. A write says so by its fields. */
void entry_set_renewed(struct entry *entry);
bool entry_is_renewed(const struct entry *entry);

/** Note an access at this time, and how long ago the last one was. */
static inline void entry_set_accessed(struct entry *entry, int64_t now_s)
{
    if (entry->accessed != (uint32_t)now_s) {
        entry->accessed = (uint32_t)now_s;
    }
}

static inline int64_t entry_idle_s(const struct entry *entry, int64_t now_s)
{
    return (uint32_t)((uint32_t)now_s - entry->accessed);
}

#endif
