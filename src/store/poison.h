/* Tells the address sanitizer which parts of our own pages must not be touched.
 *
 * Private to the store; nothing in other builds. */
#ifndef SESSIOND_SRC_STORE_POISON_H
#define SESSIOND_SRC_STORE_POISON_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SESSIOND_POISON 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SESSIOND_POISON 1
#endif

#ifdef SESSIOND_POISON
#include <sanitizer/asan_interface.h>
#endif

/** From now on touching these bytes is a bug. */
static inline void memory_poison(void *start, size_t size)
{
#ifdef SESSIOND_POISON
    __asan_poison_memory_region(start, size);
#else
    (void)start;
    (void)size;
#endif
}

/** From now on they may be touched. */
static inline void memory_unpoison(void *start, size_t size)
{
#ifdef SESSIOND_POISON
    __asan_unpoison_memory_region(start, size);
#else
    (void)start;
    (void)size;
#endif
}

#endif
