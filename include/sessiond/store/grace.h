/* A grace: the store while the wall clock is not believed yet, and what it counts as expired.
 *
 * What has expired by the clock is there for nobody, but what expired behind the mark is only hidden: nothing
 * takes it back but a change of its key, and it is there again if the clock is put right. What ends a hidden
 * session is journaled, though its reply is that of a key that is not there.
 * Source: durability.md, "Clock"; docs/decisions/0012-clock.md. */
#ifndef SESSIOND_STORE_GRACE_H
#define SESSIOND_STORE_GRACE_H

#include <stdint.h>

struct clock;
struct store;

/** Begin a grace, right behind store_begin and before any other use. In it, and behind it where a caller's time is
 *  ahead, the store reads the clock by itself, under its locks: no time that was read before the clock was put
 *  right is taken for a later one.
 *  clock    borrowed for the store's life; in its grace
 *  mark_s   wall seconds: what expired up to here has expired */
void store_begin_grace(struct store *store, struct clock *clock, int64_t mark_s);

/** The clock's grace is over: what has expired by its time goes from now on. In all shards at one moment.
 *  Threads: any. */
void store_end_grace(struct store *store);

/** How often anybody or anything found that a session has expired. Threads: any; no lock. */
uint64_t store_count_expired(const struct store *store);

#endif
