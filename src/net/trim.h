/* Giving free memory back to the system after a burst.
 *
 * Private to net. What connections held back lies between other blocks, where the allocator keeps it
 * for ever unless it is asked. Threads: one worker's, with a struct of its own. */
#ifndef SESSIOND_SRC_NET_TRIM_H
#define SESSIOND_SRC_NET_TRIM_H

#include <stdbool.h>
#include <stddef.h>

enum { TRIM_FALL = 1 << 20 }; /* bytes: asking goes through the whole heap, so it is done rarely */

struct trim {
    size_t used; /* bytes of connections */
    size_t peak; /* the most of them since memory was last given back */
};

/** Tell that connections take other bytes now than before. */
void trim_note(struct trim *trim, size_t before_bytes, size_t now_bytes);

/** Give free memory back if what is in use has fallen by TRIM_FALL. Returns whether it did. */
bool trim_after_burst(struct trim *trim);

#endif
