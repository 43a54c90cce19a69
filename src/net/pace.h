/* When a slice of expiry runs, and how long: decision 0005.
 *
 * Private to net. Requests that have come are answered first, so a slice keeps those waiting that come while it runs;
 * where requests never cease it has a twentieth of the worker's time in the end. Pure. */
#ifndef SESSIOND_SRC_NET_PACE_H
#define SESSIOND_SRC_NET_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PACE_REST_MS = 500, /* between two looks at what has expired, once all is taken back */
    PACE_SLICE_US = 25, /* a slice ends behind the steps in which so much of it has passed */
    PACE_STEPS =
        16, /* between two looks at the clock: some 5 us, and 10 more for a page that is given back */
    PACE_LOOKS = 64,     /* a slice's most, whatever the clock says */
    PACE_GIVE_US = 5000, /* it waits for so long at most while requests come one after the other, */
    PACE_LATE_US = 500000,  /* but once the backlog is so old, */
    PACE_LATE_GIVE_US = 500 /* not longer than this: two seconds are promised */
};

struct pace {
    bool has_backlog; /* there is more to take back */
    int64_t since_us; /* monotonic time when the backlog began */
    int64_t last_us;  /* the same when the last slice ended */
};

/** A slice has ended. has_more: as the store says */
static inline void pace_note(struct pace *pace, bool has_more, int64_t now_us)
{
    pace->since_us = pace->has_backlog ? pace->since_us : now_us;
    pace->has_backlog = has_more;
    pace->last_us = now_us;
}

/** Whether a slice runs now, behind a pass of the event loop; `is_busy`: that had requests. Only while there is a
 *  backlog. now_us: monotonic time */
static inline bool pace_is_due(const struct pace *pace, bool is_busy, int64_t now_us)
{
    bool is_late = now_us - pace->since_us >= PACE_LATE_US;

    return pace->has_backlog &&
           (!is_busy || now_us - pace->last_us >= (is_late ? PACE_LATE_GIVE_US : PACE_GIVE_US));
}

/** Whether a slice that began then goes on. n_looks: times that it has been asked */
static inline bool pace_goes_on(int64_t began_us, int64_t now_us, unsigned n_looks)
{
    return n_looks < PACE_LOOKS && now_us - began_us < PACE_SLICE_US;
}

#endif
