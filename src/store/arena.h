/* Pages for the store: runs of whole pages out of one range of addresses that is reserved at the start.
 *
 * Private to the store. A page takes memory from its first use on (arena_fill, arena_pack: some before); a run that is given back is the
 * kernel's again at once, so it is zeroed and the process is as small as its runs. Nothing is ever
 * fragmented: each size (a power of two of pages) has addresses of its own, more of them than memory
 * could fill. Not an account: who takes a run charges arena_size of it to a budget.
 * Threads: any. Memory: the range is left out of core dumps. */
#ifndef SESSIOND_SRC_STORE_ARENA_H
#define SESSIOND_SRC_STORE_ARENA_H

#include "sessiond/base/budget.h"
#include "sessiond/base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    ARENA_ORDERS = 20,           /* sizes of runs: 1 to 2^19 pages, 2 GiB with pages of 4 KiB */
    ARENA_UNFILLED_RUNS = 16384, /* runs of a size that may be taken without being used ... */
    ARENA_FILL_FROM = 8 << 20,   /* bytes; a small store is not worth what is lost at the end */
    ARENA_PACK_FROM = 512 << 20, /* bytes; below, addresses are found fast enough */
    ARENA_PACK_AHEAD = 4 << 20,  /* bytes of each size that are taken ahead, at most */
    ARENA_PACK_ROOM = 64 << 20,  /* bytes that the budget must have left for it */
};
#define ARENA_UNFILLED_BYTES ((size_t)32 << 30) /* ... and the addresses for them, at most */

struct arena;

/** Reserve the addresses.
 *  memory   bytes that all runs together may fill
 *  largest  bytes of the largest run
 *  returns  OK (the caller owns *out) | NO_MEMORY (no such range of addresses is free) */
SESS_MUST_CHECK enum sess_status arena_create(size_t memory, size_t largest, struct arena **out);

/** Give everything back and set *arena to NULL; NULL is fine. */
void arena_destroy(struct arena **arena);

/** A run of at least `size` > 0 bytes, all 0, aligned to its own size; or NULL: `size` is over the
 *  largest, or too many runs are taken and not filled. */
void *arena_take(struct arena *arena, size_t size);

/** Give a run back; `size` as it was taken. */
void arena_give(struct arena *arena, void *run, size_t size);

/** From now on runs of this size will be taken one after the other and filled: once ARENA_FILL_FROM bytes of
 *  addresses are used, further ones get their memory at once, 2 MiB of it, in huge pages where there are any.
 *  For the start, when a page fault for each page is most of the work. */
void arena_fill(struct arena *arena, size_t size);

/** No run is filled any more: memory that no run has yet goes back. */
void arena_end_fill(struct arena *arena);

/** For the life of the arena: runs of this size are taken one after the other and filled, and in a large arena memory
 *  for the next ones is taken ahead, by arena_pack_next: in more memory than the processor has addresses for,
 *  looking one up takes longer than the load does, but for huge pages. Before the first run of this size is taken.
 *  budget  charged for what was taken ahead until a run has it, whose user charges it then */
void arena_pack(struct arena *arena, size_t size, struct budget *budget);

/** Wait until memory is to be taken ahead, and take 2 MiB: once ARENA_PACK_FROM bytes of runs that are packed have
 *  been taken, and while the budget has ARENA_PACK_ROOM left. One thread, which may have to wait for the kernel
 *  to zero it; nobody waits for that thread: who needs more than is there opens addresses as ever.
 *  returns  false: never again, since the kernel does not do it, or arena_end_pack was called */
bool arena_pack_next(struct arena *arena);

/** Let arena_pack_next return false from now on. */
void arena_end_pack(struct arena *arena);

/** Bytes that were taken ahead and that no run has yet. */
size_t arena_ahead(struct arena *arena);

/** Give them back. Returns whether there were any. */
bool arena_give_ahead(struct arena *arena);

/** Bytes of a page, and of the pages that a run of `size` bytes fills. */
size_t arena_page_size(const struct arena *arena);
size_t arena_size(const struct arena *arena, size_t size);

#endif
