/* A growing byte buffer that zeroes what it lets go.
 *
 * Not a queue across threads. Whoever holds the struct owns the bytes; one thread at a time. What
 * passes through holds keys and values, so every byte is zeroed at the end of its use (design,
 * "Store"). */
#ifndef SESSIOND_BASE_BUFFER_H
#define SESSIOND_BASE_BUFFER_H

#include "sessiond/base/slice.h"
#include "sessiond/base/status.h"

struct buffer {
    uint8_t *data;   /* NULL while capacity is 0 */
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
};

/** Make room for `more` bytes behind the used ones: OK | NO_MEMORY (buffer unchanged). */
SESS_MUST_CHECK enum sess_status buffer_reserve(struct buffer *buffer, size_t more);

/** Append a copy of `bytes`: OK | NO_MEMORY (buffer unchanged). */
SESS_MUST_CHECK enum sess_status buffer_append(struct buffer *buffer, struct slice bytes);

/** Append a copy into room that buffer_reserve has made. */
static inline void buffer_put(struct buffer *buffer, struct slice bytes)
{
    if (bytes.size > 0) {
        memcpy(buffer->data + buffer->size, bytes.data, bytes.size);
        buffer->size += bytes.size;
    }
}

/** Forget the bytes in use, zeroed; capacity above `keep` bytes is freed. */
void buffer_clear(struct buffer *buffer, size_t keep);

/** Free all, zeroed; the struct is as after `= {0}`. */
void buffer_release(struct buffer *buffer);

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return slice_of(buffer->data, buffer->size);
}

#endif
