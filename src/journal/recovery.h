/* Recovery: replay, and a new segment to go on in.
 *
 * Private to the journal. Frames above the last mark are copied into a new segment, which is synced before
 * anybody is served; no old one is read again beyond the end that the new one names, where a seal is put.
 * It starts no thread and ends no process; of what it finds damaged it changes nothing. Threads: one.
 * Source: durability.md, "Recovery". */
#ifndef SESSIOND_SRC_JOURNAL_RECOVERY_H
#define SESSIOND_SRC_JOURNAL_RECOVERY_H

#include "replay.h"
#include "writer.h"

struct recovery {
    struct directory *directory; /* borrowed */
    struct store *store;         /* borrowed; empty */
    int64_t now_s;               /* wall seconds */
    bool accepts_clock;          /* if that is before the journal's time, time goes on from there */
    uint64_t segment_size;       /* bytes of segments to come; a multiple of FRAME_BLOCK */
    reader_progress_fn progress; /* NULL: tell nobody */
    void *progress_context;
};

/** Recover. On OK the writer can go on, and everything up to the sequence before its next one is synced.
 *  returns  OK (writer_fini) | DAMAGED | REFUSED | OUT_OF_RANGE (does not fit `memory`) | NO_SPACE | IO |
 *           NO_MEMORY */
SESS_MUST_CHECK enum sess_status recovery_run(const struct recovery *recovery,
                                              struct writer *writer, struct recovered *result,
                                              struct sess_error *error);

#endif
