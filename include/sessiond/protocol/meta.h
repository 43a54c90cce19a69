/* The flags of a meta command, as read; and what a meta reply is made of.
 *
 * Pure. Not what they do (room command). Source: memcached doc/protocol.txt, "Meta Commands". */
#ifndef SESSIOND_PROTOCOL_META_H
#define SESSIOND_PROTOCOL_META_H

#include "sessiond/base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    META_OPAQUE_MAX = 32, /* bytes of an opaque, its O among them */
    META_ORDER_MAX = 12,  /* flags whose order counts, and an end */
};

struct meta_flags {
    uint64_t set; /* the flags that are there: meta_bit of each */
    char order
        [META_ORDER_MAX]; /* those that are answered, and T, N, R, in their order; terminated */
    struct slice opaque;  /* in the input, with its O */
    uint64_t new_cas;     /* E: 1 to UINT64_MAX - 1; 0: none */
    uint64_t initial;     /* J */
    int64_t vivify;       /* N: exptime as sent */
    int64_t recache;      /* R: likewise */
    char mode;            /* M; 0: none */
};

static inline uint64_t meta_bit(char flag)
{
    return (uint64_t)1 << (flag - 'A');
}

static inline bool meta_has(const struct meta_flags *flags, char flag)
{
    return (flags->set & meta_bit(flag)) != 0;
}

/** Whether flag `a` is there, and stands in front of flag `b` or without it; both count in `order`. */
static inline bool meta_comes_first(const struct meta_flags *flags, char a, char b)
{
    const char *first = strchr(flags->order, a);
    const char *second = strchr(flags->order, b);

    return first != NULL && (second == NULL || first < second);
}

#endif
