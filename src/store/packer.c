/* Takes memory ahead of need. Not which, nor when: arena.c. Threads: its own. Memory: none. */
#include "packer.h"

#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

static void *run(void *context)
{
    struct packer *packer = context;

    /* A worker that wakes on the same processor is run at once, not behind the zeroing of a page. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), PACKER_NICE);
    while (arena_pack_next(packer->arena)) {
    }
    return NULL;
}

void packer_start(struct packer *packer, struct arena *arena)
{
    packer->arena = arena;
    if (pthread_create(&packer->thread, NULL, run, packer) != 0) {
        packer->arena = NULL;
    }
}

void packer_stop(struct packer *packer)
{
    if (packer->arena != NULL) {
        arena_end_pack(packer->arena);
        (void)pthread_join(packer->thread, NULL);
        (void)arena_give_ahead(packer->arena);
        packer->arena = NULL;
    }
}
