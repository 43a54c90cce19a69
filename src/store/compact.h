/* Room for entries: where a new one goes, and how what was freed is gathered.
 *
 * Private to the store. A page is squeezed by moving its entries together, within it or to where there is
 * room; a squeeze moves one page at most, in the background a few entries a step. Threads: under the shard's lock. Source: Rumble, Kejriwal,
 * Ousterhout: Log-structured Memory for DRAM-based Storage (2014). */
#ifndef SESSIOND_SRC_STORE_COMPACT_H
#define SESSIOND_SRC_STORE_COMPACT_H

#include "shard.h"

enum {
    COMPACT_STEP_ENTRIES = 16
}; /* that a step moves at most, and so many steps of a tick that it counts for */

/** A place for `size` bytes, or NULL. It may move the shard's entries: find them anew. */
void *compact_place(struct shard *shard, size_t size);

/** Whether so much of the shard's pages is free that pages could be given back. `is_pressed`: memory is
 *  short, so that it pays earlier. */
bool compact_pays(const struct shard *shard, bool is_pressed);

/** One step towards giving a page back, while that pays: a few entries of the page with most holes move, to where there is
 *  room, or together. Returns whether it ended one: the page is given back, or is the open one without holes. */
bool compact_step(struct shard *shard);

#endif
