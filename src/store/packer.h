/* The thread that takes memory ahead of a large store's need: arena_pack, and why, is told in arena.h.
 *
 * Private to the store. Without it a store is as right, and slower when it is large. Threads: its own, which takes the
 * arena's lock alone. Memory: none of its own. */
#ifndef SESSIOND_SRC_STORE_PACKER_H
#define SESSIOND_SRC_STORE_PACKER_H

#include "arena.h"

#include <pthread.h>

enum { PACKER_NICE = 5 }; /* a quarter of a processor that workers keep busy */

struct packer {
    struct arena *arena; /* borrowed; NULL: there is no thread */
    pthread_t thread;
};

/** Begin. Where there can be no thread there is none. */
void packer_start(struct packer *packer, struct arena *arena);

/** End it, if there is one, and wait for that: for 2 MiB at most. */
void packer_stop(struct packer *packer);

#endif
