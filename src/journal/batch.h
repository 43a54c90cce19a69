/* A batch: the records that have been accepted and not yet written, one frame to be.
 *
 * Private to the journal. Large values are kept by reference, and written from where they are. Threads: the
 * caller's lock, or whoever has taken it. Memory: one buffer for good; what passed through it is zeroed. */
#ifndef SESSIOND_SRC_JOURNAL_BATCH_H
#define SESSIOND_SRC_JOURNAL_BATCH_H

#include "frame.h"
#include "record.h"
#include "sessiond/store/terms.h"
#include "sessiond/store/value.h"

#include <stdbool.h>

enum {
    BATCH_VALUES_MAX = 24, /* large values in one batch */
    BATCH_PIECES_MAX = 2 * BATCH_VALUES_MAX + 1,
    BATCH_RECORD_MAX = RECORD_HEAD_MAX + STORE_COPY_MAX, /* bytes of one record in the buffer */
};

/* A large value, and where it belongs among the bytes. */
struct batch_value {
    struct value_block *block; /* a reference */
    size_t at;                 /* bytes in front of it */
};

/* What is known of a batch. */
struct batch_facts {
    size_t total; /* bytes of the frame's body: records with all values */
    uint32_t n_records;
    bool has_revocation;
    int64_t time_s;   /* the latest of its records; 0: none */
    int64_t since_ms; /* elapsed time when its first record came */
};

struct batch {
    uint8_t *bytes;  /* room for a frame's head, then records without the large values */
    size_t capacity; /* bytes */
    size_t limit;    /* immutable: bytes of records above which no more are taken */
    size_t used;     /* bytes, with the head's room */
    struct batch_facts facts;
    struct batch_value values[BATCH_VALUES_MAX];
    size_t n_values;
};

/** returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status batch_init(struct batch *batch, size_t limit_bytes);

/** Free it, zeroed, and give up its references. */
void batch_fini(struct batch *batch);

/** Bytes of the frame's body if this record were added; 0: the batch is full. The first record fits
 *  always. */
size_t batch_size_with(const struct batch *batch, const struct record *record,
                       const struct value_block *block);

/** Make room for a record whatever there is in the batch already; *block becomes NULL when its value is to be
 *  copied like a small one. Returns false without memory. */
bool batch_grow(struct batch *batch, const struct record *record, struct value_block **block);

/** Add a record, for which there is room. `block` is NULL, or what holds its value: a reference is taken. */
void batch_add(struct batch *batch, const struct record *record, struct value_block *block);

/** The pieces of its frame, head's room first: at most BATCH_PIECES_MAX. Returns their number. */
size_t batch_pieces(const struct batch *batch, struct slice *pieces);

/** Forget everything, zeroed. Not under a lock: the last reference of a large value frees it. */
void batch_clear(struct batch *batch);

#endif
