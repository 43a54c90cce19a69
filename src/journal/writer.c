/* Places for frames, and frames to files. Threads, memory: see the header. */
#include "writer.h"

#include "sessiond/base/failpoint.h"

enum { ONE_RECORD_MAX = FRAME_HEAD_SIZE + RECORD_HEAD_MAX };

/* Bytes that a link's frame takes at the start of a segment: a block, so that what follows begins one. */
enum { LINK_ROOM = FRAME_BLOCK };

enum {
    RESERVE_SHARE = 16,     /* of a segment */
    RESERVE_MIN = 64 << 10, /* bytes */
};

uint64_t writer_reserve(uint64_t segment_size)
{
    uint64_t reserve = segment_size / RESERVE_SHARE;

    if (reserve < RESERVE_MIN) {
        reserve = RESERVE_MIN;
    }
    return reserve < segment_size / 2 ? reserve : segment_size / 2;
}

static uint64_t next_place(const struct writer *writer)
{
    return writer->must_align ? frame_round(writer->at, FRAME_BLOCK) : writer->at;
}

bool writer_can_leave(const struct writer *writer)
{
    return writer->has_next && !writer->has_previous;
}

enum writer_room writer_room(const struct writer *writer, uint64_t body_size)
{
    uint64_t size = frame_size(body_size);
    /* As if it had to begin a block: a sync may begin before it is written. */
    uint64_t end = frame_round(writer->at, FRAME_BLOCK) + size;
    uint64_t last = segment_end(writer->current.size);
    bool fits_here = end <= last;

    if ((!fits_here || writer->must_leave) && writer_can_leave(writer) &&
        SEGMENT_HEADER_SIZE + LINK_ROOM + size <= segment_end(writer->next.size)) {
        return ROOM_NEXT;
    }
    if (!fits_here) {
        return ROOM_NOT_YET;
    }
    return writer->has_next || end + writer_reserve(writer->current.size) <= last ? ROOM_HERE
                                                                                  : ROOM_RESERVE;
}

/* Go on in the segment that was made ahead. */
static void go_on(struct writer *writer)
{
    writer->link = (struct record){
        .type = RECORD_LINK,
        .segment = writer->current.number,
        .sequence = writer->next_sequence,
        .offset = writer->at,
        .cas = writer->link.cas,
    };
    writer->previous = writer->current;
    writer->has_previous = true;
    writer->current = writer->next;
    writer->has_next = false;
    writer->at = SEGMENT_HEADER_SIZE;
    writer->must_align = false;
    writer->must_leave = false;
}

void writer_place(struct writer *writer, uint64_t body_size, struct placement *out)
{
    bool has_link = writer_room(writer, body_size) == ROOM_NEXT;

    if (has_link) {
        go_on(writer);
    }
    *out = (struct placement){
        .file = writer->current.file,
        .salt = writer->current.salt,
        .at = next_place(writer),
        .sequence = writer->next_sequence,
        .has_link = has_link,
        .link = writer->link,
    };
    writer->at = out->at + (has_link ? LINK_ROOM : 0) + frame_size(body_size);
    writer->next_sequence += has_link ? 2 : 1;
    writer->must_align = false;
}

enum sess_status writer_put_record(struct segment *segment, uint64_t at, const struct frame *frame,
                                   const struct record *record, uint64_t *end,
                                   struct sess_error *error)
{
    uint8_t bytes[ONE_RECORD_MAX];
    struct frame with_size = *frame;
    struct slice piece;

    with_size.n_records = 1;
    with_size.body_size = (uint32_t)record_encode(record, bytes + FRAME_HEAD_SIZE);
    piece = slice_of(bytes, FRAME_HEAD_SIZE + with_size.body_size);
    frame_encode(&with_size, segment->salt, bytes, &piece, 1);
    *end = at + frame_size(with_size.body_size);
    return file_write(&segment->file, &piece, 1, at, error);
}

/* Returns the frame that follows. */
static struct frame after_link(const struct placement *placement, uint64_t durable, int64_t time_s)
{
    return (struct frame){
        .sequence = placement->sequence + (placement->has_link ? 1 : 0),
        .durable = durable,
        .time_s = time_s,
    };
}

enum sess_status writer_write(struct placement *placement, struct batch *batch, uint64_t durable,
                              int64_t time_s, struct sess_error *error)
{
    struct frame frame = after_link(placement, durable, time_s);
    struct slice pieces[BATCH_PIECES_MAX];
    size_t n_pieces = batch_pieces(batch, pieces);
    uint64_t at = placement->at;
    enum sess_status status = SESS_OK;

    if (placement->has_link) {
        struct segment segment = {.file = placement->file, .salt = placement->salt};
        struct frame first = {
            .sequence = placement->sequence, .durable = durable, .time_s = time_s};
        uint64_t end;

        status = writer_put_record(&segment, at, &first, &placement->link, &end, error);
        at += LINK_ROOM;
        failpoint("frame.linked");
    }
    frame.body_size = (uint32_t)batch->facts.total;
    frame.n_records = batch->facts.n_records;
    frame_encode(&frame, placement->salt, batch->bytes, pieces, n_pieces);
    failpoint("frame.made");
    if (status == SESS_OK) {
        status = file_write(&placement->file, pieces, n_pieces, at, error);
    }
    failpoint("frame.written");
    return status;
}

enum sess_status writer_seal(struct segment *previous, const struct record *link,
                             uint64_t successor, int64_t time_s, struct sess_error *error)
{
    struct record seal = {.type = RECORD_SEAL, .segment = successor};
    struct frame frame = {
        .sequence = link->sequence, .durable = link->sequence - 1, .time_s = time_s};
    uint64_t end;

    return writer_put_record(previous, frame_round(link->offset, FRAME_BLOCK), &frame, &seal, &end,
                             error);
}

void writer_fini(struct writer *writer)
{
    file_close(&writer->current.file);
    if (writer->has_next) {
        file_close(&writer->next.file);
    }
    if (writer->has_previous) {
        file_close(&writer->previous.file);
    }
}
