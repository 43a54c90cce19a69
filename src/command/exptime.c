/* Exptimes. Threads: any. Memory: none. */
#include "sessiond/command/exptime.h"

struct store_expiry exptime_to_expiry(int64_t exptime)
{
    if (exptime == 0) {
        return store_expiry_at(STORE_NO_DEADLINE);
    }
    if (exptime < 0) {
        return store_expiry_at(0);
    }
    return exptime <= EXPTIME_RELATIVE_MAX ? store_expiry_in(exptime) : store_expiry_at(exptime);
}
