/* The clock: one wall time that never runs backwards, and elapsed time.
 *
 * Not a timer. Runs on CLOCK_BOOTTIME from a wall-clock base, so that suspends count. A wall clock
 * stepping ahead by up to a day is followed; a larger step, and any step back, is logged once and
 * ignored. What was known before the start, the mark, is told by clock_begin: time does not go back behind it,
 * and a wall clock more than a day ahead of it is believed after a grace only, in which it may be put right.
 * Source: durability.md, "Clock"; docs/decisions/0012-clock.md. */
#ifndef SESSIOND_BASE_CLOCK_H
#define SESSIOND_BASE_CLOCK_H

#include "sessiond/base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum { CLOCK_GRACE_MS = 10 * 60 * 1000 }; /* elapsed; how long a start far ahead is not believed */

struct clock;

struct instant {
    int64_t wall_s; /* effective wall time, whole seconds since 1970; decreasing in a grace alone */
    int64_t boot_ms; /* elapsed time, milliseconds since an arbitrary start */
};

/** A clock on the system's clocks. In test builds (SESSIOND_TEST_HOOKS) the environment variable
 *  SESSIOND_TEST_CLOCK may name a file of two native int64 of milliseconds: the first is added to both
 *  clocks, the second to the wall clock alone. Either may change while the daemon runs.
 *  returns  OK (the caller owns *out) | NO_MEMORY | IO (the test clock's file) */
SESS_MUST_CHECK enum sess_status clock_create(struct clock **out);

/** A clock on clocks that stand still, the wall at `wall_s`, until clock_advance or clock_step moves them. */
SESS_MUST_CHECK enum sess_status clock_create_manual(int64_t wall_s, struct clock **out);

/** Frees the clock and sets *clock to NULL. No other thread may use it any more. */
void clock_destroy(struct clock **clock);

/** Begin anew behind a mark: from the later of the wall clock and the mark. What is not as it should be is
 *  logged, with both times and what helps. Threads: start-up only.
 *  mark_s   wall seconds, the latest time that is known; 0: none is
 *  returns  whether a grace begins: the wall clock is more than a day ahead of the mark. Until it is within a
 *           day, or CLOCK_GRACE_MS have passed, steps back are followed, but never to before the mark. */
bool clock_begin(struct clock *clock, int64_t mark_s);

/** Whether the grace still ran at the last clock_now. Threads: any. */
bool clock_is_in_grace(const struct clock *clock);

/** Now. Threads: any. */
struct instant clock_now(struct clock *clock);

/** Move both of a manual clock's clocks on by `ms` >= 0. Threads: any. */
void clock_advance(struct clock *clock, int64_t ms);

/** Step a manual clock's wall clock alone, ahead or back. Threads: any. */
void clock_step(struct clock *clock, int64_t ms);

#endif
