/* When to trim. The allocator's settings: daemon/allocator.c. Threads: one worker's. Memory: none. */
#include "trim.h"

#include <malloc.h>

bool trim_after_burst(struct trim *trim, size_t used_bytes)
{
    if (used_bytes > trim->peak) {
        trim->peak = used_bytes;
    }
    if (trim->peak - used_bytes < TRIM_FALL) {
        return false;
    }
    trim->peak = used_bytes;
    (void)malloc_trim(0);
    return true;
}
