/* The codec of frames. Pure. Memory: none. */
#include "frame.h"

#include "checksum.h"
#include "sessiond/base/bytes.h"

#define FRAME_MAGIC 0x4d524653U /* "SFRM" */

enum {
    CHECKED_FROM = 8, /* where the checksum begins */
    CHECK_AT = 44,    /* of the head alone */
    PIECES_MAX = 64,  /* FILE_PIECES_MAX */
};

/* The bytes that are checked: all but the checksum itself. */
static uint64_t checksum(uint64_t salt, const struct slice *pieces, size_t n_pieces)
{
    struct slice checked[PIECES_MAX];

    for (size_t i = 0; i < n_pieces; i++) {
        checked[i] = i == 0 ? slice_from(pieces[0], CHECKED_FROM) : pieces[i];
    }
    return checksum_of(salt, checked, n_pieces);
}

static uint32_t head_check(const uint8_t *head, uint64_t salt)
{
    struct slice checked = slice_of(head + CHECKED_FROM, CHECK_AT - CHECKED_FROM);

    return (uint32_t)checksum_of(salt, &checked, 1);
}

void frame_encode(const struct frame *frame, uint64_t salt, uint8_t *head,
                  const struct slice *pieces, size_t n_pieces)
{
    bytes_put_u32(head + 8, FRAME_MAGIC);
    bytes_put_u32(head + 12, frame->body_size);
    bytes_put_u64(head + 16, frame->sequence);
    bytes_put_u64(head + 24, frame->durable);
    bytes_put_u64(head + 32, (uint64_t)frame->time_s);
    bytes_put_u32(head + 40, frame->n_records);
    bytes_put_u32(head + CHECK_AT, head_check(head, salt));
    bytes_put_u64(head, checksum(salt, pieces, n_pieces));
}

bool frame_peek(struct slice bytes, uint64_t salt, struct frame *out)
{
    if (bytes.size < FRAME_HEAD_SIZE || bytes_u32(bytes.data + 8) != FRAME_MAGIC ||
        bytes_u32(bytes.data + CHECK_AT) != head_check(bytes.data, salt)) {
        return false;
    }
    *out = (struct frame){
        .body_size = bytes_u32(bytes.data + 12),
        .sequence = bytes_u64(bytes.data + 16),
        .durable = bytes_u64(bytes.data + 24),
        .time_s = (int64_t)bytes_u64(bytes.data + 32),
        .n_records = bytes_u32(bytes.data + 40),
    };
    return true;
}

bool frame_is_valid(struct slice bytes, uint64_t salt)
{
    return checksum(salt, &bytes, 1) == bytes_u64(bytes.data);
}
