/* Settings of the allocator. Who gives memory back after a burst: net/trim.c. Threads: start-up only.
 * Memory: none. */
#include "allocator.h"

#include <malloc.h>

enum {
    /* Blocks from here on are mappings of their own, which go when they are freed. Left alone, the
     * limit rises to the size of any that is freed, up to 32 MiB, and further ones stay in the heap. */
    MMAP_BYTES = 128 << 10,
    TRIM_BYTES = 1 << 20, /* free at the heap's end before it is given back */
    ARENAS = 1, /* each would keep free memory of its own, and threads could not share it */
};

void allocator_set_up(void)
{
    /* A sanitizer's allocator takes none of these. */
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
    (void)mallopt(M_ARENA_MAX, ARENAS);
}
