/* A shard's count of its entries by size, and its memory of which CAS ids were given out when.
 *
 * Private to the store. Sizes are counted exactly, as entries come and go. Entries keep no time: their
 * ids do, since those of a shard grow with time. For each of a few ages a ring of marks holds the id
 * that was next at eighths of the age, so whether an entry was stored within that age is known to 1/8
 * of it. Threads: under the shard's lock. Decision: docs/decisions/0009-session-figures.md. */
#ifndef SESSIOND_SRC_STORE_CENSUS_H
#define SESSIOND_SRC_STORE_CENSUS_H

#include <stddef.h>
#include <stdint.h>

enum {
    CENSUS_SIZES = 93, /* 16 B, then four in each octave, up to 128 MiB */
    CENSUS_AGES = 7,   /* 1 min, 10 min, 1 h, 6 h, 1 d, 7 d, 30 d */
    CENSUS_MARKS = 8,  /* of one age */
};

struct census {
    uint32_t sizes[CENSUS_SIZES];              /* entries of each size */
    int64_t marked_s;                          /* the marks are as of this time */
    int64_t next_mark_s;                       /* when the next one is due */
    uint64_t marks[CENSUS_AGES][CENSUS_MARKS]; /* next id at multiples of an eighth of the age */
};

/** Begin to count at a time when the shard's next id is `next_cas`. */
void census_init(struct census *census, int64_t now_s, uint64_t next_cas);

/** Forget all marks and begin with new ones, as census_init does; sizes stay. A next_cas of 0: what is
 *  there counts as having come now. */
void census_restart(struct census *census, int64_t now_s, uint64_t next_cas);

/** An entry came, or went; `size_bytes` must be the same. O(1). */
void census_add(struct census *census, size_t size_bytes);
void census_remove(struct census *census, size_t size_bytes);

/** Seconds of an age: 0 <= age < CENSUS_AGES, growing. */
int64_t census_age_s(size_t age);

/** The largest size of a size class: 0 <= size < CENSUS_SIZES, growing. */
size_t census_size_bytes(size_t size);

/** Set marks from census_time; not for others. */
void census_mark(struct census *census, int64_t now_s, uint64_t next_cas);

/** The shard's time has moved on, and its next id is `next_cas`. O(1), and mostly nothing. */
static inline void census_time(struct census *census, int64_t now_s, uint64_t next_cas)
{
    if (now_s >= census->next_mark_s) {
        census_mark(census, now_s, next_cas);
    }
}

/** Entries with this id or a higher one were stored within the age, or in 1/8 of it less. */
uint64_t census_first_cas(const struct census *census, size_t age);

#endif
