/* Exptimes. Threads: any. Memory: none. */
#include "sessiond/command/exptime.h"

static bool is_negative(int64_t exptime)
{
    return exptime < 0 || (exptime >= EXPTIME_UNSIGNED_MIN && exptime <= EXPTIME_UNSIGNED_MAX);
}

struct store_expiry exptime_to_expiry(int64_t exptime)
{
    if (exptime == 0) {
        return store_expiry_at(STORE_NO_DEADLINE);
    }
    if (is_negative(exptime)) {
        return store_expiry_at(0);
    }
    return exptime <= EXPTIME_RELATIVE_MAX ? store_expiry_in(exptime) : store_expiry_at(exptime);
}
