/* A record: one change as bytes in a frame's body.
 *
 * Private to the journal. A record is the state that came out, never the operation, so that it can be
 * applied again. Pure; no allocation. Byte tables: docs/DISK-FORMAT.md. Source: durability.md, "Files". */
#ifndef SESSIOND_SRC_JOURNAL_RECORD_H
#define SESSIOND_SRC_JOURNAL_RECORD_H

#include "sessiond/base/slice.h"
#include "sessiond/base/status.h"
#include "sessiond/store/image.h"
#include "sessiond/store/mutation.h"

#include <stdint.h>

/* RECORD(id, number, doc): every type of record there is. A file with another one is refused. */
#define RECORD_TYPES(X)                                                                            \
    X(SET, 1, "a key with its whole state")                                                        \
    X(TOUCH, 2, "a key's new deadline")                                                            \
    X(DELETE, 3, "a key is gone")                                                                  \
    X(FLUSH, 4, "all keys are gone, at once or at a time")                                         \
    X(LINK, 5, "where the segment goes on from; first in each segment")                            \
    X(SEAL, 6, "the segment is full, and its successor is there")                                  \
    X(HOLD, 8, "a key is gone, and held: it is not saved again before a time")                     \
    X(CLOCK, 9, "the time is an earlier one: a clock that was behind was accepted")                \
    X(END, 11, "a checkpoint is whole; last in it")                                                \
    X(MARKED, 12, "a key with its whole state, and marks of it")                                   \
    X(PROBATION, 13, "a key with its whole state, marks, and the deadline that it is to get")
#define RECORD_TYPE_ID(id, number, doc) RECORD_##id = (number),
enum record_type { RECORD_TYPES(RECORD_TYPE_ID) };
#undef RECORD_TYPE_ID
/* Numbers that are kept for: flush undo 7, key rotation 10. */

enum { RECORD_HEAD_MAX = 40 + 250 }; /* bytes of a record without its value, at most */

struct record {
    enum record_type type;
    struct slice key;
    struct slice value;
    uint32_t flags;
    struct store_marks marks; /* MARKED, PROBATION; HOLD: it is held */
    uint64_t cas;       /* LINK, END: ids up to this one may have been given out, written or not */
    int64_t deadline_s; /* FLUSH: when it takes effect. END: of a flush that was
                           still to come, or STORE_NO_DEADLINE. CLOCK: what ended up to then is gone */
    int64_t time_s;     /* CLOCK: the time from here on */
    bool is_scheduled;  /* FLUSH: its time was still to come */
    uint64_t segment;   /* LINK: the number of the segment before, 0: none. SEAL: of the one behind.
                         END: of the one where the journal is to be read from */
    uint64_t sequence; /* LINK: the first that does not belong to the segment before. END: the first
                          frame that is to be replayed over it */
    uint64_t last; /* END: the journal's frames up to this one were synced before the checkpoint was
                         named */
    uint64_t offset; /* LINK: where the segment before ends. END: number of entries */
};

/** The record of a mutation; its slices are borrowed from it. */
struct record record_of(const struct mutation *mutation);

/** The type of a key's whole state: SET, MARKED if it has marks, PROBATION or HOLD if it is that. */
enum record_type record_type_of(struct store_marks marks);

/** Whether a record is a key's whole state. */
static inline bool record_is_state(const struct record *record)
{
    return record->type == RECORD_SET || record->type == RECORD_MARKED ||
           record->type == RECORD_HOLD || record->type == RECORD_PROBATION;
}

/** The id up to which ids were given out, by this record: none for one that a client chose. */
static inline uint64_t record_highest_cas(const struct record *record)
{
    return record->marks.is_clients_cas ? 0 : record->cas;
}

/** What a SET, MARKED, PROBATION, HOLD, TOUCH, DELETE, FLUSH or CLOCK does to a store; its slices are the record's. */
struct store_image record_image(const struct record *record);

/** Bytes of a record without key and value. */
size_t record_size(enum record_type type);

/** Write all but the value to `out` (room for RECORD_HEAD_MAX bytes); returns the bytes written. The
 *  value's bytes follow them. */
size_t record_encode(const struct record *record, uint8_t *out);

/** Read the record at the start of `bytes`; its slices point into them.
 *  used     bytes of the record, set by OK
 *  returns  OK | REFUSED (of a type, or with bits, of another version) | DAMAGED (cut, or malformed) */
SESS_MUST_CHECK enum sess_status record_decode(struct slice bytes, struct record *out,
                                               size_t *used);

#endif
