/* When the next slice of expiry runs: decision 0005.
 *
 * Private to net. Pure. */
#ifndef SESSIOND_SRC_NET_PACE_H
#define SESSIOND_SRC_NET_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PACE_REST_MS = 500, /* between two looks at what has expired */
    PACE_SOON_MS = 1,   /* the same while there is more to take back */
    PACE_LATE_MS = 250, /* a backlog older than this must go: two seconds are promised */
    PACE_STEPS = 256,   /* one slice: about 50 us */
};

struct pace {
    bool has_backlog;
    int64_t since_ms; /* elapsed time when the backlog began */
};

/** A slice has run; has_more as it says, `now_ms` of elapsed time.
 *  Returns the milliseconds until the next one; 0: at once, after one pass of the event loop. */
uint64_t pace_next(struct pace *pace, bool has_more, int64_t now_ms);

#endif
