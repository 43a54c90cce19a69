/* A hierarchical timing wheel for deadlines in whole seconds, of records without links.
 *
 * Private to the store. A record is 32 bits of which the wheel knows nothing: it hands each one back when its time
 * comes, or earlier, and its user puts it in again for the rest. So nothing is ever taken out of the middle, an entry
 * that moves or goes tells nobody, and a record costs 4 1/4 bytes. Slots are chains of chunks of one cache line. Every
 * step is O(1), so a million records of one second are handled in slices. Threads: under the shard's lock. Memory:
 * pages, which are kept for further records.
 * Source: Varghese, Lauck: Hashed and Hierarchical Timing Wheels (1987); decision 0005. */
#ifndef SESSIOND_SRC_STORE_WHEEL_H
#define SESSIOND_SRC_STORE_WHEEL_H

#include "pages.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    WHEEL_LEVELS = 4,
    WHEEL_SLOT_BITS = 8, /* log2 of the slots of a level */
    WHEEL_SLOTS = 1 << WHEEL_SLOT_BITS,
    WHEEL_CHUNK_RECORDS = 15,
    WHEEL_RECORD_COST = 5, /* bytes, with a part of a chunk and of what is stale */
};

struct wheel_chunk {
    uint32_t next; /* number of the next one in its slot, or among the spare ones; 0: none */
    uint32_t records[WHEEL_CHUNK_RECORDS];
};

/* A chain of chunks. All but the first one are full. */
struct wheel_slot {
    uint32_t first; /* number of the chunk that is filled and emptied; 0: no record */
    uint32_t used;  /* records in it */
};

struct wheel {
    int64_t now_s; /* everything up to here was handed back */
    struct wheel_slot slots[WHEEL_LEVELS][WHEEL_SLOTS];
    uint32_t n_filled[WHEEL_LEVELS]; /* slots with records */
    uint64_t n_records;
    struct wheel_slot sifted; /* the slot that is being sifted, taken out of its level */
    unsigned sift_at; /* its number, over all levels; behind the last one: nothing is sifted */
    struct wheel_chunk **places; /* the pages, by number of their first chunk */
    size_t capacity;             /* of that array */
    uint32_t spare;              /* a chunk for use, linked by `next`; 0: none */
    uint32_t n_spare;            /* of them */
    struct pages pages;
};

enum wheel_step {
    WHEEL_IDLE,  /* nothing more up to now */
    WHEEL_MOVED, /* some work was done, call again */
    WHEEL_DUE,   /* *due is handed back */
};

void wheel_init(struct wheel *wheel, int64_t now_s, const struct pages *pages);

/** Give back what the wheel took; its pages go with the arena. */
void wheel_fini(struct wheel *wheel);

/** Begin anew at another time, without any record. */
void wheel_restart(struct wheel *wheel, int64_t now_s);

/** Have at hand what one record may need, within the budget. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status wheel_reserve(struct wheel *wheel);

/** Put a record in, to be handed back at `when_s` or before: at the next step if that is now or past. Without wheel_reserve
 *  it takes a page over the budget if it must.
 *  returns  OK | NO_MEMORY (the system has none) */
SESS_MUST_CHECK enum sess_status wheel_put(struct wheel *wheel, uint32_t record, int64_t when_s);

/** The records that the next steps hand back, as far as it can be said now: hints, since more may come between.
 *  returns  how many were told, at most `most` */
unsigned wheel_peek(const struct wheel *wheel, uint32_t *records, unsigned most);

/** Do one step towards `now_s`. */
enum wheel_step wheel_step(struct wheel *wheel, int64_t now_s, uint32_t *due);

/** Sift: hand back every record, whatever its time, slot by slot. wheel_sift begins; then each wheel_sift_next hands one
 *  out, until it returns false. Records are put in meanwhile, those of slots that are still to come are handed out once
 *  more. No wheel_step before the end: what is taken out might be due. */
void wheel_sift(struct wheel *wheel);
bool wheel_sift_next(struct wheel *wheel, uint32_t *record);
bool wheel_is_sifted(const struct wheel *wheel);

#endif
