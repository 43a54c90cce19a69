/* Exptimes. Threads: any. Memory: none. */
#include "sessiond/command/exptime.h"

#include "sessiond/store/store.h"

int64_t exptime_to_deadline(int64_t exptime, int64_t now_s)
{
    if (exptime == 0) {
        return STORE_NO_DEADLINE;
    }
    if (exptime < 0) {
        return 0;
    }
    return exptime <= EXPTIME_RELATIVE_MAX ? now_s + exptime : exptime;
}
