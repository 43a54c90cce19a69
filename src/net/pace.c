/* The pace of expiry. Who keeps it: worker.c. Threads: the worker's. Memory: none. */
#include "pace.h"

uint64_t pace_next(struct pace *pace, bool has_more, int64_t now_ms)
{
    if (has_more && !pace->has_backlog) {
        pace->since_ms = now_ms;
    }
    pace->has_backlog = has_more;
    if (!has_more) {
        return PACE_REST_MS;
    }
    return now_ms - pace->since_ms < PACE_LATE_MS ? PACE_SOON_MS : 0;
}
