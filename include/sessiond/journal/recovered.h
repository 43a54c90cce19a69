/* What recovery found in a directory, and made a store of.
 *
 * Filled once, at the start; read-only afterwards. Source: durability.md, "Recovery". */
#ifndef SESSIOND_JOURNAL_RECOVERED_H
#define SESSIOND_JOURNAL_RECOVERED_H

#include <stdint.h>

/* CAS ids begin this far above the highest in any file, and the new file's link says where: ids that were
 * given out and never reached the disk are not given out again. */
#define RECOVERY_CAS_JUMP ((uint64_t)1 << 24)

/* What was found. */
struct recovered {
    uint64_t checkpoint;  /* number of the checkpoint that was read; 0: none */
    uint64_t n_images;    /* entries in it */
    uint64_t image_bytes; /* of its frames */
    uint64_t n_segments;  /* that were replayed */
    uint64_t n_frames;
    uint64_t n_records;   /* changes */
    uint64_t n_bytes;     /* of frames */
    uint64_t n_kept;      /* frames above the last mark, which were copied */
    uint64_t n_cut;       /* bytes behind the last frame that are not 0: the unsynced tail */
    uint64_t cut_segment; /* where they were; 0: nothing was cut */
    uint64_t cut_offset;
    uint64_t highest_sequence; /* of any frame in any file, also of what was cut */
    uint64_t highest_cas;      /* likewise of any record */
    int64_t time_s;            /* the latest of any frame: the time is not before it */
    int64_t left_time_s; /* what that was before an earlier wall clock was accepted; 0: none was */
    int64_t
        since_s; /* of the first frame that was read: when the checkpoint began, else the journal;
                        0: there was none */
    uint64_t took_ms;
    int64_t flush_at_s; /* of a flush that was accepted for a later time, or STORE_NO_DEADLINE */
};

#endif
