/* When to trim. The allocator's settings: daemon/allocator.c. Threads: one worker's. Memory: none. */
#include "trim.h"

#include <malloc.h>

void trim_note(struct trim *trim, size_t before_bytes, size_t now_bytes)
{
    trim->used = trim->used - before_bytes + now_bytes;
    if (trim->used > trim->peak) {
        trim->peak = trim->used;
    }
}

bool trim_after_burst(struct trim *trim)
{
    if (trim->peak - trim->used < TRIM_FALL) {
        return false;
    }
    trim->peak = trim->used;
    (void)malloc_trim(0);
    return true;
}
