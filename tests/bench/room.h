/* Room for the bench's programs: from the heap, or there is no program; and bytes put into it.
 *
 * The caller owns what allocate returns. */
#ifndef BENCH_ROOM_H
#define BENCH_ROOM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** `count` times `size` bytes, all 0. */
static inline void *allocate(size_t count, size_t size)
{
    void *room = calloc(count, size);

    if (room == NULL) {
        perror("load: calloc");
        exit(EXIT_FAILURE);
    }
    return room;
}

/** Copies `length` bytes to `out`; returns their end. */
static inline char *put(char *out, const char *text, size_t length)
{
    memcpy(out, text, length);
    return out + length;
}

#endif
