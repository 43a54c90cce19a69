/* A reader: the frames of one segment, in their order, through a window.
 *
 * Private to the journal. Threads: one. Memory: the window, which grows to the largest frame or 1 MiB of a
 * file, and may be used for one segment after the other. */
#ifndef SESSIOND_SRC_JOURNAL_READER_H
#define SESSIOND_SRC_JOURNAL_READER_H

#include "frame.h"
#include "record.h"
#include "segment.h"

#include "sessiond/base/buffer.h"

/* Called now and then with bytes that are done, and all bytes. */
typedef void (*reader_progress_fn)(void *context, uint64_t done, uint64_t all);

struct reader {
    struct segment *segment;     /* borrowed */
    reader_progress_fn progress; /* NULL: tell nobody */
    void *progress_context;
    uint64_t file_size; /* bytes */
    uint64_t at;        /* where the last frame ended */
    uint64_t sequence;  /* that the next frame must have */
    struct buffer window;
    uint64_t window_at; /* offset of the window's first byte */
    uint64_t dirty_to;  /* behind the last bytes that a search has met and that are not 0 */
};

/* A frame that was read; its bytes are the reader's, until the next call. */
struct frame_read {
    struct frame frame;
    uint64_t at;       /* offset */
    struct slice body; /* records */
};

/** Begin with a segment, at its first frame, whatever sequence that has. returns OK | IO */
SESS_MUST_CHECK enum sess_status reader_begin(struct reader *reader, struct segment *segment,
                                              struct sess_error *error);

/** The next frame, if it is valid and ends at or before `limit`.
 *  returns  OK | NOT_FOUND (what is there is no such frame) | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status reader_next(struct reader *reader, uint64_t limit,
                                             struct frame_read *out, struct sess_error *error);

/** The next valid frame whose sequence is not below the next one's, whatever lies in front of it.
 *  returns  OK | NOT_FOUND (none up to the file's end) | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status reader_next_intact(struct reader *reader, struct frame_read *out,
                                                    struct sess_error *error);

/** The next valid frame of any sequence from *at on, at whatever place a frame may have; *at is then behind
 *  it. returns OK | NOT_FOUND (none up to the file's end) | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status reader_search(struct reader *reader, uint64_t *at,
                                               struct frame_read *out, struct sess_error *error);

/** Whether a frame has one record alone, of this type; *record is set if so. */
bool reader_lone(const struct frame_read *read, enum record_type type, struct record *record);

/** Say that the record at `rest` in this frame is of a type that nobody knows: it is never skipped, since it may end
 *  sessions, nor is anything older used instead. returns REFUSED */
SESS_MUST_CHECK enum sess_status reader_refuse(const struct reader *reader,
                                               const struct frame_read *read, struct slice rest,
                                               struct sess_error *error);

/** Tell of progress, if the bytes that are done have passed another 16 MiB since there were `before`. */
void reader_tell(const struct reader *reader, uint64_t before, uint64_t done, uint64_t all);

/** Free the window, zeroed. */
void reader_fini(struct reader *reader);

#endif
