/* Bytes that are made piece by piece, as whoever sends them has room.
 *
 * Knows neither what they are nor where they go. Threads: one at a time. */
#ifndef SESSIOND_BASE_STREAM_H
#define SESSIOND_BASE_STREAM_H

#include "sessiond/base/buffer.h"

enum { STREAM_PIECE_MAX = 1 << 16 }; /* bytes of a piece */

/* The first member of what makes them. */
struct stream {
    enum sess_status (*next)(struct stream *stream, struct buffer *out);
    void (*end)(struct stream *stream);
};

/** Append the next piece: up to STREAM_PIECE_MAX bytes, or none, after a bounded time.
 *  returns  OK (there is more) | NOT_FOUND (it was the last) | BUSY (nothing was appended: ask again later) |
 *           NO_MEMORY (nothing more comes, and what has come is not whole) */
SESS_MUST_CHECK static inline enum sess_status stream_next(struct stream *stream,
                                                           struct buffer *out)
{
    return stream->next(stream, out);
}

/** Let it go, wherever it is, and set *stream to NULL. No effect for NULL. */
static inline void stream_end(struct stream **stream)
{
    if (*stream != NULL) {
        (*stream)->end(*stream);
        *stream = NULL;
    }
}

#endif
