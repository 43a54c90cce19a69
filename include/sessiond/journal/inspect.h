/* Inspection: what a data directory holds, how far it is whole, and every session that is provably intact.
 *
 * For tools, beside a stopped daemon or a running one; it writes nothing. Of a directory in use the last bytes
 * are still moving, and what looks damaged there may only be on its way: look twice.
 *
 * Which sessions are certain: behind damage, records may be missing, and any of them may have been the logout,
 * the renewal or the next value of any session. So a session is certain if its value was recorded behind the
 * last damage; one that was recorded in front of it is told as uncertain. One that an intact later record
 * deleted, or that a flush met, is never told. Source: durability.md, "Recovery".
 * Threads: one. Memory: about 64 bytes and the key for each session; no values. */
#ifndef SESSIOND_JOURNAL_INSPECT_H
#define SESSIOND_JOURNAL_INSPECT_H

#include "sessiond/base/directory.h"

enum { INSPECT_GAPS_MAX = 16 }; /* gaps that are told one by one */

/* Called now and then with bytes that were read, and all bytes, in each of the passes. */
typedef void (*inspect_progress_fn)(void *context, uint64_t done, uint64_t all);

struct inspect_config {
    struct directory *directory; /* borrowed; only reading calls are made */
    int64_t now_s;               /* wall seconds; a later time in the journal counts instead */
    inspect_progress_fn progress; /* NULL: tell nobody */
    void *progress_context;
};

/* A file of the journal. */
struct inspected_segment {
    uint64_t number;
    uint64_t size;     /* bytes of the file */
    uint64_t n_frames; /* intact ones that belong to the journal */
    uint64_t n_bytes;  /* of them */
    uint64_t first_sequence; /* 0: it has no such frame */
    uint64_t last_sequence;
    bool is_sealed; /* full, and the next one was there */
    bool is_marred; /* its header is damaged */
};

/* A place where frames are missing that were acknowledged. */
struct inspected_gap {
    uint64_t segment;       /* where the last intact frame in front of it ends; 0: nothing is in front */
    uint64_t offset;        /* there, in bytes */
    uint64_t next_segment;  /* where the next intact frame begins; 0: there is none */
    uint64_t next_offset;
    uint64_t first_missing; /* sequence of the first frame that is missing */
    uint64_t n_missing;     /* frames, at most; 0: nobody can say */
};

struct inspection {
    struct inspected_segment *segments; /* by number, ascending */
    size_t n_segments;
    uint64_t file_bytes; /* of all segments */
    uint64_t n_frames;
    uint64_t n_bytes; /* of frames */
    uint64_t n_records;
    uint64_t n_sessions;  /* that live */
    uint64_t n_uncertain; /* of them: recorded in front of damage */
    uint64_t n_expired;   /* still on disk */
    uint64_t highest_cas;
    int64_t time_s;     /* the latest that is recorded; 0: none */
    int64_t flush_at_s; /* of a flush that was accepted for a later time, or STORE_NO_DEADLINE */
    bool is_flush_due;  /* that time has come: no session lives */
    uint64_t end_segment; /* where the journal ends; 0: there is none */
    uint64_t end_offset;
    uint64_t n_cut;   /* bytes behind the end that are not 0: an unsynced tail, which a start cuts off */
    bool is_damaged;  /* a start would refuse */
    char damage[ERROR_TEXT_SIZE]; /* what it would say: file, offset and what is wrong there */
    size_t n_gaps;
    struct inspected_gap gaps[INSPECT_GAPS_MAX]; /* the first of them */
};

struct inspected_session {
    struct slice key;   /* borrowed, until the visit returns */
    struct slice value; /* likewise */
    uint32_t flags;
    uint64_t cas;
    int64_t deadline_s; /* wall seconds, or STORE_NO_DEADLINE */
    bool is_certain;
};

typedef enum sess_status (*inspect_visit_fn)(void *context,
                                             const struct inspected_session *session);

struct inspector;

/** Look whether a start would go on: by the very code of a start, but for the store.
 *  returns  OK | DAMAGED (which file and offset is in the text) | REFUSED (a format that is not known) |
 *           NOT_FOUND (a file went while it was looked at) | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status inspect_verdict(struct directory *directory,
                                                 struct sess_error *error);

/** Look at all of a directory, damaged or not.
 *  returns  OK (the caller owns *out) | REFUSED | NOT_FOUND | IO | NO_MEMORY, as above */
SESS_MUST_CHECK enum sess_status inspector_create(const struct inspect_config *config,
                                                  struct inspector **out, struct sess_error *error);

/** What was found; the inspector's. */
const struct inspection *inspector_found(const struct inspector *inspector);

/** Visit every session that lives, in the order in which they were recorded.
 *  returns  OK | what a visit returned, which ends it | NOT_FOUND | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status inspector_visit(struct inspector *inspector, inspect_visit_fn visit,
                                                 void *context, struct sess_error *error);

/** Free an inspector, its keys zeroed, and set *inspector to NULL. */
void inspector_destroy(struct inspector **inspector);

#endif
