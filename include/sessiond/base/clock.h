/* The clock: one wall time that never runs backwards, and elapsed time.
 *
 * Not a timer. Runs on CLOCK_BOOTTIME from a wall-clock base, so that suspends count. A wall clock
 * stepping ahead by up to a day is followed; a larger step, and any step back, is logged once and
 * ignored. Source: durability.md, "Clock". */
#ifndef SESSIOND_BASE_CLOCK_H
#define SESSIOND_BASE_CLOCK_H

#include "sessiond/base/status.h"

#include <stdint.h>

struct clock;

struct instant {
    int64_t wall_s;  /* effective wall time, whole seconds since 1970, never decreasing */
    int64_t boot_ms; /* elapsed time, milliseconds since an arbitrary start */
};

/** A clock on the system's clocks. In test builds (SESSIOND_TEST_HOOKS) the environment variable
 *  SESSIOND_TEST_CLOCK may name a file of 8 bytes, a native int64 of milliseconds that is added to
 *  both clocks and may grow while the daemon runs.
 *  returns  OK (the caller owns *out) | NO_MEMORY | IO (the test clock's file) */
SESS_MUST_CHECK enum sess_status clock_create(struct clock **out);

/** A clock that stands still at `wall_s` until clock_advance moves it. */
SESS_MUST_CHECK enum sess_status clock_create_manual(int64_t wall_s, struct clock **out);

/** Frees the clock and sets *clock to NULL. No other thread may use it any more. */
void clock_destroy(struct clock **clock);

/** Now. Threads: any. */
struct instant clock_now(struct clock *clock);

/** Move a manual clock on by `ms` >= 0. Threads: any. */
void clock_advance(struct clock *clock, int64_t ms);

#endif
