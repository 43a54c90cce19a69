/* A segment: one file of the journal, of a fixed size, reserved and zeroed before its first use.
 *
 * Private to the journal. Its header is written, synced and named before anything else is in it, and never
 * changed: a file of that name with a header that does not hold is damage, never a torn write. What comes
 * before the segment stands in its first record (RECORD_LINK), so that it can be made ahead of its use.
 * Decision: docs/decisions/0010-journal.md. Source: durability.md, "Files".
 *
 *     offset  bytes
 *      0      8   magic
 *      8      4   format version
 *     12      4   required feature bits: whoever does not know one leaves the file alone
 *     16      4   other feature bits
 *     20      4   cipher id, 0: none
 *     24     16   key id, 0: none
 *     40      8   salt, random
 *     48      8   number
 *     56      8   size of the file when it was made
 *     64      8   time when it was made, wall seconds
 *     72          0 to the end of the block
 *   4088      8   checksum over the bytes in front of it
 *   4096          frames */
#ifndef SESSIOND_SRC_JOURNAL_SEGMENT_H
#define SESSIOND_SRC_JOURNAL_SEGMENT_H

#include "sessiond/base/directory.h"

#include <stdint.h>

enum {
    SEGMENT_HEADER_SIZE = 4096,
    SEGMENT_SEAL_ROOM = 2 * 4096, /* bytes at its end that only a seal uses */
    SEGMENT_VERSION = 1,
};

/* What a file holds: frames of both kinds are alike, names and magics are not. */
enum segment_kind {
    SEGMENT_JOURNAL,
    SEGMENT_CHECKPOINT, /* an image of all entries: checkpoint.h */
};

struct segment {
    struct file file;
    enum segment_kind kind;
    uint64_t number; /* from 1 on */
    uint64_t salt;
    uint64_t size; /* bytes of the file when it was made */
};

/** Bytes that frames may use of a segment of that size. */
static inline uint64_t segment_end(uint64_t size)
{
    return size - SEGMENT_SEAL_ROOM;
}

/** A segment's name, to `out` (FILE_NAME_SIZE bytes), terminated. */
void segment_name(enum segment_kind kind, uint64_t number, char *out);

/** Whether a name is that of a segment; *number is set if so. */
bool segment_number_of(enum segment_kind kind, const char *name, uint64_t *number);

/** Whether a name is that of a segment that was being made. */
bool segment_is_unfinished(const char *name);

/** Begin a segment under its unfinished name: space reserved, header written; nothing is synced.
 *  segment  in: kind, number and size (0: it grows as it is written); out: the whole
 *  returns  OK (the caller closes segment->file) | NO_SPACE | LIMIT | IO */
SESS_MUST_CHECK enum sess_status segment_begin(struct directory *directory, int64_t now_s,
                                               struct segment *segment, struct sess_error *error);

/** Sync what is written, and give the segment its name for good. returns OK | IO */
SESS_MUST_CHECK enum sess_status segment_finish(struct segment *segment, struct sess_error *error);

/** Open a segment, for reading alone, and read its header.
 *  returns  OK (the caller closes out->file) | DAMAGED | REFUSED (of a version, or with a feature, that is
 *           not known) | IO */
SESS_MUST_CHECK enum sess_status segment_open(struct directory *directory, enum segment_kind kind,
                                              uint64_t number, struct segment *out,
                                              struct sess_error *error);

/** The same, whatever the header says: what it is found guilty of goes to *verdict and *error, and the salt
 *  that stands there may still be the right one.
 *  returns  OK (the caller closes out->file) | NOT_FOUND | LIMIT | IO */
SESS_MUST_CHECK enum sess_status segment_open_anyway(struct directory *directory,
                                                     enum segment_kind kind, uint64_t number,
                                                     struct segment *out, enum sess_status *verdict,
                                                     struct sess_error *error);

#endif
