/* One session in memory: a packed header, optional fields, key, value.
 *
 * Private to the store. Layout and byte budget: docs/decisions/0001-entry.md. The timer link in
 * front of the packed bytes stands there only until entries live in an arena.
 *
 *     offset  bytes
 *      0      4   deadline, wall seconds, the low 32 of 37 bits; 0: none
 *      4      5   CAS id
 *      9      1   key length
 *     10      4   inline value length (15 bits), 12 flag bits, the deadline's high 5 bits
 *     14          optional, by bit: client flags 4, full CAS 8, times 6
 *                 key
 *                 value, or the address of its block with ENTRY_BY_REFERENCE
 *
 * Threads: under the shard's lock, but for entry_create and entry_destroy. */
#ifndef SESSIOND_SRC_STORE_ENTRY_H
#define SESSIOND_SRC_STORE_ENTRY_H

#include "sessiond/base/slice.h"
#include "sessiond/base/status.h"
#include "sessiond/store/value.h"
#include "wheel.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Bits above the inline value length. Those marked "later" have their place but no user yet. */
enum entry_bit {
    ENTRY_HAS_FLAGS = 1 << 0,    /* client flags that are not 0 */
    ENTRY_HAS_FULL_CAS = 1 << 1, /* CAS id over 40 bits */
    ENTRY_HAS_TIMES = 1 << 2,    /* later: coarse creation and last access */
    ENTRY_BY_REFERENCE = 1 << 3, /* the value is a block of its own */
    ENTRY_STALE = 1 << 4,        /* later: md I */
    ENTRY_WIN = 1 << 5,          /* later: the recache token is given out */
    ENTRY_FETCHED = 1 << 6,      /* was read */
    ENTRY_RENEWED = 1 << 7,      /* later: was stored or touched again */
    ENTRY_PROBATION = 1 << 8,    /* later: first-write-ttl is running */
    ENTRY_UNDO = 1 << 9,         /* later: flushed, may come back by unflush */
    ENTRY_KEY_PACKED = 3 << 10,  /* later: how the key is packed */
};

/* The latest deadline that an entry holds, in the year 6325. */
#define ENTRY_DEADLINE_MAX (((int64_t)1 << 37) - 1)

/* An immutable value of more than STORE_COPY_MAX bytes. The last release zeroes and frees it. */
struct value_block {
    _Atomic uint32_t references;
    size_t size;      /* bytes of the value */
    size_t allocated; /* bytes behind this header */
    uint8_t bytes[];
};

struct entry {
    struct wheel_timer timer; /* its first member: the wheel hands timers back */
    uint8_t packed[];
};

/* What an entry is made of. */
struct entry_fields {
    struct slice key;
    struct slice value;        /* copied, unless there is a block */
    struct slice more;         /* likewise, behind `value` */
    struct value_block *block; /* NULL, or the value; the entry takes one reference over */
    uint32_t flags;
    int64_t deadline_s;
    uint64_t cas;
};

/** Build an entry. returns OK (the caller owns *out) | NO_MEMORY (the block stays the caller's) */
SESS_MUST_CHECK enum sess_status entry_create(const struct entry_fields *fields,
                                              struct entry **out);

/** Zero and free an entry, and release its block. */
void entry_destroy(struct entry *entry);

/** Bytes that the entry and its block take, as charged to the data budget. */
size_t entry_cost(const struct entry *entry);

struct slice entry_key(const struct entry *entry);
struct slice entry_value(const struct entry *entry);
struct value_block *entry_block(const struct entry *entry); /* NULL for an inline value */
uint32_t entry_flags(const struct entry *entry);
uint64_t entry_cas(const struct entry *entry);
int64_t entry_deadline(const struct entry *entry);

/** Set a deadline: 1 to ENTRY_DEADLINE_MAX, or STORE_NO_DEADLINE. It never needs more room. */
void entry_set_deadline(struct entry *entry, int64_t deadline_s);

/** Note that somebody read the value. */
void entry_set_fetched(struct entry *entry);
bool entry_is_fetched(const struct entry *entry);

/** A block with room for `allocated` >= `size` bytes and one reference; or NULL. */
struct value_block *value_block_create(size_t size, size_t allocated);

#endif
