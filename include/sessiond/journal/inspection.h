/* What an inspection finds in a data directory.
 *
 * Not the looking (journal/inspect.h). Plain data; threads: one. */
#ifndef SESSIOND_JOURNAL_INSPECTION_H
#define SESSIOND_JOURNAL_INSPECTION_H

#include "sessiond/base/error.h"
#include "sessiond/base/slice.h"
#include "sessiond/store/terms.h"

#include <stdint.h>

enum { INSPECT_GAPS_MAX = 16 }; /* gaps that are told one by one */

/* Called now and then with bytes that were read, and all bytes, in each of the passes. */
typedef void (*inspect_progress_fn)(void *context, uint64_t done, uint64_t all);

/* A file of the journal. */
struct inspected_segment {
    uint64_t number;
    uint64_t size;           /* bytes of the file */
    uint64_t n_frames;       /* intact ones that belong to the journal */
    uint64_t n_bytes;        /* of them */
    uint64_t first_sequence; /* 0: it has no such frame */
    uint64_t last_sequence;
    bool is_sealed;    /* full, and the next one was there */
    bool is_marred;    /* its header is damaged */
    bool is_left_over; /* the checkpoint holds all that it tells: it is not read */
};

/* The checkpoint that is read in front of the journal. */
struct inspected_checkpoint {
    uint64_t number;    /* 0: there is none */
    uint64_t size;      /* bytes of the file */
    uint64_t n_entries; /* intact ones */
    uint64_t n_told;    /* entries that it says it has; 0 where that is damaged */
    uint64_t n_newer;   /* checkpoints behind it: all of them damaged */
    bool is_whole;      /* otherwise no checkpoint is, and a start would refuse */
};

/* A place where frames are missing that were acknowledged. */
struct inspected_gap {
    uint64_t segment; /* where the last intact frame in front of it ends; 0: nothing is in front */
    uint64_t offset;  /* there, in bytes */
    uint64_t next_segment; /* where the next intact frame begins; 0: there is none */
    uint64_t next_offset;
    uint64_t first_missing; /* sequence of the first frame that is missing */
    uint64_t n_missing;     /* frames, at most; 0: nobody can say */
};

struct inspection {
    struct inspected_checkpoint checkpoint;
    struct inspected_segment *segments; /* by number, ascending */
    size_t n_segments;
    uint64_t file_bytes; /* of all segments */
    uint64_t n_frames;
    uint64_t n_bytes;     /* of frames */
    uint64_t n_records;   /* changes that are not in the checkpoint */
    uint64_t n_sessions;  /* that live */
    uint64_t n_uncertain; /* of them: recorded in front of damage, or in a damaged checkpoint */
    uint64_t n_expired;   /* still on disk */
    uint64_t highest_cas;
    int64_t time_s;       /* the latest that is recorded; 0: none */
    int64_t flush_at_s;   /* of a flush that was accepted for a later time, or STORE_NO_DEADLINE */
    bool is_flush_due;    /* that time has come: no session lives */
    uint64_t end_segment; /* where the journal ends; 0: there is none */
    uint64_t end_offset;
    uint64_t
        n_cut; /* bytes behind the end that are not 0: an unsynced tail, which a start cuts off */
    bool is_damaged;              /* a start would refuse */
    char damage[ERROR_TEXT_SIZE]; /* what it would say: file, offset and what is wrong there */
    size_t n_gaps;
    struct inspected_gap gaps[INSPECT_GAPS_MAX]; /* the first of them */
};

struct inspected_session {
    struct slice key;   /* borrowed, until the visit returns */
    struct slice value; /* likewise */
    uint32_t flags;
    uint64_t cas;
    struct store_marks marks;
    int64_t deadline_s; /* wall seconds, or STORE_NO_DEADLINE */
    bool is_certain;
};

#endif
