/* Growing byte buffers. Not for sharing between threads. Memory: the heap, zeroed before release. */
#include "sessiond/base/buffer.h"

#include <stdlib.h>

enum { SMALLEST_CAPACITY = 256 };

/* realloc would leave the old bytes behind in freed memory, so growing is copy and zero. */
enum sess_status buffer_reserve(struct buffer *buffer, size_t more)
{
    size_t needed;
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : SMALLEST_CAPACITY;
    uint8_t *grown;

    if (__builtin_add_overflow(buffer->size, more, &needed) || needed > SIZE_MAX / 2) {
        return SESS_NO_MEMORY;
    }
    if (needed <= buffer->capacity) {
        return SESS_OK;
    }
    while (capacity < needed) {
        capacity *= 2;
    }
    grown = malloc(capacity);
    if (grown == NULL) {
        return SESS_NO_MEMORY;
    }
    if (buffer->size > 0) {
        memcpy(grown, buffer->data, buffer->size);
        explicit_bzero(buffer->data, buffer->size);
    }
    free(buffer->data);
    buffer->data = grown;
    buffer->capacity = capacity;
    return SESS_OK;
}

enum sess_status buffer_append(struct buffer *buffer, struct slice bytes)
{
    enum sess_status status = buffer_reserve(buffer, bytes.size);

    if (status == SESS_OK) {
        buffer_put(buffer, bytes);
    }
    return status;
}

void buffer_clear(struct buffer *buffer, size_t keep)
{
    if (buffer->capacity > keep) {
        buffer_release(buffer);
    } else if (buffer->size > 0) {
        explicit_bzero(buffer->data, buffer->size);
        buffer->size = 0;
    }
}

void buffer_release(struct buffer *buffer)
{
    if (buffer->size > 0) {
        explicit_bzero(buffer->data, buffer->size);
    }
    free(buffer->data);
    *buffer = (struct buffer){0};
}
