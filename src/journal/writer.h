/* The writer: where in which segment the next frame goes, and its writing.
 *
 * Private to the journal. Not when to write, nor syncs: journal.c, syncer.c. Taking a place is done under the
 * journal's lock, writing there outside it, by one thread at a time. Memory: none but the struct. */
#ifndef SESSIOND_SRC_JOURNAL_WRITER_H
#define SESSIOND_SRC_JOURNAL_WRITER_H

#include "batch.h"
#include "segment.h"

struct writer {
    /* under the journal's lock */
    struct segment current; /* that frames go to */
    uint64_t at;            /* where its last frame ends */
    bool must_align;        /* a sync has begun since: the next frame begins a block */
    bool must_leave;        /* a checkpoint begins: the next frame goes to `next`, if it can */
    bool has_next;
    struct segment next; /* made ahead, empty */
    bool has_previous;
    struct segment previous; /* still to be synced and sealed */
    struct record link;      /* what the first frame of `current` says of `previous` */
    uint64_t next_sequence;  /* of the next frame: the ticket of what is accepted now */
    uint64_t next_number;    /* of the next segment to be made */
};

/* A place for one frame, and for a frame in front of it that links a new segment. */
struct placement {
    struct file file;
    uint64_t salt;
    uint64_t at;
    uint64_t sequence;
    bool has_link; /* the link's frame comes first, with this sequence; the batch's has the next */
    struct record link;
};

/* What writer_room says. */
enum writer_room {
    ROOM_HERE,
    ROOM_RESERVE, /* here, in the last part, and there is no segment behind it yet: for revocations alone */
    ROOM_NEXT,    /* in the segment that was made ahead */
    ROOM_NOT_YET, /* one must be made, or the previous one be sealed, first */
};

/** Bytes at the end of a segment of that size that only revocations use while no other one is there: a share of it,
 *  but enough for some logouts, each of which may take two blocks, and never more than half of it. */
uint64_t writer_reserve(uint64_t segment_size);

/** Whether frames could go on in the segment that was made ahead. */
bool writer_can_leave(const struct writer *writer);

/** Where a frame with a body of so many bytes would fit. */
enum writer_room writer_room(const struct writer *writer, uint64_t body_size);

/** Take the place of a frame, for which there is room. */
void writer_place(struct writer *writer, uint64_t body_size, struct placement *out);

/** Write a batch as a frame at its place. returns OK | IO */
SESS_MUST_CHECK enum sess_status writer_write(struct placement *placement, struct batch *batch,
                                              uint64_t durable, int64_t time_s,
                                              struct sess_error *error);

/** Write one record as a frame of a segment (of which file and salt are used); *end is where it ends. returns OK | IO */
SESS_MUST_CHECK enum sess_status writer_put_record(struct segment *segment, uint64_t at,
                                                   const struct frame *frame,
                                                   const struct record *record, uint64_t *end,
                                                   struct sess_error *error);

/** Write the seal of the previous segment. returns OK | IO */
SESS_MUST_CHECK enum sess_status writer_seal(struct segment *previous, const struct record *link,
                                             uint64_t successor, int64_t time_s,
                                             struct sess_error *error);

/** Close whatever is open. */
void writer_fini(struct writer *writer);

#endif
