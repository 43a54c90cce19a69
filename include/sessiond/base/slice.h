/* A slice: a borrowed run of bytes, never terminated, never owned.
 *
 * Not a buffer (base/buffer.h owns its bytes). A slice lives as long as what it points into. */
#ifndef SESSIOND_BASE_SLICE_H
#define SESSIOND_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data; /* may be NULL when size is 0 */
    size_t size;         /* bytes */
};

/* The bytes of a string literal, without its terminator. */
#define SLICE_LITERAL(text) ((struct slice){(const uint8_t *)(text), sizeof(text) - 1})

static inline struct slice slice_of(const void *data, size_t size)
{
    return (struct slice){data, size};
}

static inline struct slice slice_from_text(const char *text)
{
    return slice_of(text, strlen(text));
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_is(struct slice s, const char *text)
{
    return slice_equal(s, slice_from_text(text));
}

/** The bytes from `start` on; `start` is at most the slice's size. */
static inline struct slice slice_from(struct slice s, size_t start)
{
    /* Not even 0 may be added to a null pointer. */
    return start == 0 ? s : slice_of(s.data + start, s.size - start);
}

/** The first `size` bytes; `size` is at most the slice's size. */
static inline struct slice slice_first(struct slice s, size_t size)
{
    return slice_of(s.data, size);
}

static inline bool slice_ends_with(struct slice s, struct slice end)
{
    return s.size >= end.size && slice_equal(slice_from(s, s.size - end.size), end);
}

static inline bool slice_starts_with(struct slice s, struct slice start)
{
    return s.size >= start.size && slice_equal(slice_first(s, start.size), start);
}

#endif
