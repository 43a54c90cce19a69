/* A frame: the records of one batch, written at once, with a checksum over all of it.
 *
 * Private to the journal. Pure; no allocation. Source: durability.md, "Files".
 *
 *     offset  bytes
 *      0      8   checksum (XXH3, seeded with the segment's salt) over all that follows to the body's end
 *      8      4   magic
 *     12      4   body size
 *     16      8   sequence, one more than the frame's before
 *     24      8   durable: every frame up to this sequence is on disk
 *     32      8   time, wall seconds
 *     40      4   number of records
 *     44      4   check of bytes 8 to 43, the checksum's low half over them alone: values may look like
 *                 heads, and whoever searches for frames must not read all that one of them claims to be
 *     48          body, then 0 to 7 bytes to the next multiple of 8 */
#ifndef SESSIOND_SRC_JOURNAL_FRAME_H
#define SESSIOND_SRC_JOURNAL_FRAME_H

#include "sessiond/base/slice.h"

#include <stdint.h>

enum {
    FRAME_ALIGN = 8,    /* bytes: frames begin at multiples of it */
    FRAME_BLOCK = 4096, /* bytes: the first frame after a sync begins at a multiple of it */
    FRAME_HEAD_SIZE = 48,
};

struct frame {
    uint64_t sequence;
    uint64_t durable;
    int64_t time_s;
    uint32_t n_records;
    uint32_t body_size; /* bytes */
};

static inline uint64_t frame_round(uint64_t offset, uint64_t align)
{
    return (offset + align - 1) / align * align;
}

/** Bytes of a frame with its end. */
static inline uint64_t frame_size(uint64_t body_size)
{
    return frame_round(FRAME_HEAD_SIZE + body_size, FRAME_ALIGN);
}

/** Write a frame's head to `head` (FRAME_HEAD_SIZE bytes). pieces[0] begins with this very head, and
 *  the pieces together are head and body. */
void frame_encode(const struct frame *frame, uint64_t salt, uint8_t *head,
                  const struct slice *pieces, size_t n_pieces);

/** Whether bytes at a frame's place are a head of that salt; *out is then what it says. */
bool frame_peek(struct slice bytes, uint64_t salt, struct frame *out);

/** Whether these bytes, head and whole body, are a frame of that salt. */
bool frame_is_valid(struct slice bytes, uint64_t salt);

#endif
