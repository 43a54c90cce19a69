/* Timers of a shard's entries: that each entry with a deadline is looked at when it passes.
 *
 * Private to the store. The wheel has a record for each entry: the low bits of its key's hash, which name its home
 * bucket for good, and a mark of 8 bits that the entry has, too. An entry that goes or moves tells nobody: a record
 * whose low bits and mark nobody has is stale, and dropped when its time comes, or sifted out when there is no room
 * for another one. Two keys may share the low bits and a mark: then a record counts for both, and is looked at in vain at
 * worst. An entry's record stands at or before its deadline, so one that is only ever extended has one record.
 * Threads: under the shard's lock. Decision: docs/decisions/0005-wheel.md. */
#ifndef SESSIOND_SRC_STORE_TIMER_H
#define SESSIOND_SRC_STORE_TIMER_H

#include "entry.h"
#include "index.h"
#include "wheel.h"

enum {
    TIMERS_STALE_SHARE =
        8, /* sifted before a page is taken, if an 8th as many records are stale as are not, */
    TIMERS_STALE_MIN = 64, /* and these */
    TIMERS_SIFT_SPARE = 4, /* and when so few chunks are left: sifting needs some */
    TIMERS_SIFT_STEPS = 128,
    TIMERS_FETCH_MOST = 16, /* records whose entries are fetched together */
};

struct timers {
    struct wheel wheel;
    uint64_t n_armed; /* entries with a record */
    uint8_t last_mark;
};

void timers_init(struct timers *timers, int64_t now_s, const struct pages *pages);

/** The entry's deadline has become `deadline_s` and was `before_s`: see that it is looked at in time.
 *  hash  of its key */
void timer_set(struct timers *timers, struct index *index, uint64_t hash, struct entry *entry,
               int64_t before_s, int64_t deadline_s);

/** Let another entry of the same key, whose timer is not armed, have the record of this one. */
void timer_hand_over(struct entry *from, struct entry *to);

/** The entry goes. */
void timer_forget(struct timers *timers, struct entry *entry);

/** A record was handed back: the entry that is over, for the caller to take out at once; one of them, if it may be of
 *  several, since the others' records are handed back as well. If none is over, they are armed again.
 *  returns  the slot in the index, or NULL */
uint64_t *timer_find_over(struct timers *timers, struct index *index, uint32_t record,
                          int64_t now_s);

/** Hints for the processor: fetch what the next steps of the wheel, or of the sifting, will look at.
 *  returns  for how many of them, at most TIMERS_FETCH_MOST */
unsigned timers_fetch(const struct timers *timers, struct index *index);

/** Have at hand what one more timer may need. Where stale records have a part in that there is no room, some are sifted
 *  out instead. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status timers_reserve(struct timers *timers, struct index *index);

/** Go on with what timers_reserve has begun: the wheel stands still until all records are sifted. */
static inline bool timers_are_sifted(const struct timers *timers)
{
    return wheel_is_sifted(&timers->wheel);
}
void timers_sift_step(struct timers *timers, struct index *index);

#endif
