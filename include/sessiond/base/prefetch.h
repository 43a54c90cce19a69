/* A hint for the processor that memory will be read soon.
 *
 * Only a hint: any address will do. Pure otherwise. */
#ifndef SESSIOND_BASE_PREFETCH_H
#define SESSIOND_BASE_PREFETCH_H

enum { PREFETCH_LINE = 64 }; /* bytes of a cache line */

/** Fetch the cache line of this address. */
static inline void prefetch(const void *address)
{
    __builtin_prefetch(address);
    /* Else gcc takes a function of nothing but hints for one without effect, and drops the calls of it. */
    __asm__ volatile("");
}

#endif
