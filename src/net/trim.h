/* Giving free memory back to the system after a burst.
 *
 * Private to net. What connections held back lies between other blocks, where the allocator keeps it
 * for ever unless it is asked. Threads: one worker's. */
#ifndef SESSIOND_SRC_NET_TRIM_H
#define SESSIOND_SRC_NET_TRIM_H

#include <stdbool.h>
#include <stddef.h>

enum { TRIM_FALL = 1 << 20 }; /* bytes: asking goes through the whole heap, so it is done rarely */

struct trim {
    size_t peak; /* bytes in use, the most since memory was last given back */
};

/** Look at how many bytes are in use; give free memory back when that has fallen by TRIM_FALL.
 *  Returns whether it did. */
bool trim_after_burst(struct trim *trim, size_t used_bytes);

#endif
