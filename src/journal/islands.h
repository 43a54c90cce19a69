/* Islands: every intact record of a directory in order, also of one that is damaged.
 *
 * Private to the journal. Replay (replay.h) says whether a start goes on; this goes on behind damage, and says
 * where it was. It judges a gap as replay does: with a mark beyond it, it is damage; without one, it is the
 * unsynced tail, and the journal ends there. What a later segment does not link to is left out: a frame with a
 * sequence from which on a later segment goes another way. Changes no file. Threads: one.
 * Memory: an item for each segment, and the reader's window. Source: durability.md, "Recovery". */
#ifndef SESSIOND_SRC_JOURNAL_ISLANDS_H
#define SESSIOND_SRC_JOURNAL_ISLANDS_H

#include "reader.h"
#include "record.h"

#include "sessiond/journal/inspection.h"

struct island_item {
    uint64_t number;
    struct segment segment;  /* its file is closed, but for the one that is being read */
    uint64_t file_size;      /* bytes */
    bool is_marred;          /* its header does not hold */
    uint64_t link_sequence;  /* of its first frame; UINT64_MAX: it has no link */
    uint64_t first_sequence; /* likewise its own; 0: it has no link */
    uint64_t ceiling;        /* frames from this sequence on do not belong to the journal */
};

struct islands {
    struct directory *directory;  /* borrowed */
    inspect_progress_fn progress; /* NULL: tell nobody */
    void *progress_context;
    /* What the checkpoint says; all 0 without one. */
    uint64_t first_segment; /* earlier ones are left over */
    uint64_t
        first_sequence; /* of the first frame whose records count; 0 beside a reach: nobody can say */
    uint64_t reach;     /* frames up to this one were synced */
    uint64_t bytes;     /* of all files */
    struct island_item *items; /* by number, ascending */
    size_t n_items;
    uint64_t durable; /* the highest mark of any frame that belongs to the journal */
    struct reader reader;
};

/* Where a record is, and how many gaps are in front of it. */
struct island_place {
    enum segment_kind kind;
    uint64_t segment;
    uint64_t offset; /* of the record */
    size_t n_gaps;
};

/* What a visit is told of; each may be NULL. Frames and gaps come in the journal's order. */
struct island_visitor {
    void (*frame)(void *context, size_t item, const struct frame_read *read, bool is_seal);
    enum sess_status (*record)(void *context, const struct record *record,
                               const struct island_place *place);
    void (*gap)(void *context, const struct inspected_gap *gap);
    void *context;
};

/** Find the segments, and read every frame's mark. The fields of *islands above `bytes` are the caller's.
 *  returns  OK (islands_fini) | REFUSED (a format that is not known) | NOT_FOUND (a file has gone) | IO |
 *           NO_MEMORY */
SESS_MUST_CHECK enum sess_status islands_load(struct islands *islands, struct sess_error *error);

/** Visit everything that is intact. returns OK | what a visit returned | NOT_FOUND | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status islands_visit(struct islands *islands,
                                               const struct island_visitor *visitor,
                                               struct sess_error *error);

/** Free the items and the window, zeroed. */
void islands_fini(struct islands *islands);

#endif
