/* A checkpoint: an image of all entries in a file, so that the journal before it has no further use.
 *
 * Private to the journal. Frames of SET records, as in a segment of the journal, with sequences from 1 on, and
 * one with an END record. It is taken while the store is in use: entries are told as they are when the walk
 * comes by, and what happened meanwhile is replayed over them, from the sequence that END names. Later copies
 * of a key win. Not when one is taken, nor what goes then: checkpointer.c. Threads: one; a slice of the
 * walk holds a shard's lock. Source: durability.md, "Checkpoint". */
#ifndef SESSIOND_SRC_JOURNAL_CHECKPOINT_H
#define SESSIOND_SRC_JOURNAL_CHECKPOINT_H

#include "batch.h"
#include "reader.h"

#include "sessiond/journal/recovered.h"

struct store;

/* One that is being made. */
struct checkpoint {
    struct directory *directory; /* borrowed */
    struct store *store;         /* borrowed */
    struct batch *batch;         /* borrowed, empty */
    /* Between slices, outside all locks: rests, and says whether to go on. */
    bool (*rest)(void *context);
    void *context;
    uint64_t number;
    int64_t
        now_s; /* that its frames carry; at the end not before anything was left out as expired */
    struct segment segment; /* the file */
    uint64_t at;            /* where its next frame goes */
    uint64_t synced_to;     /* bytes */
    uint64_t sequence;      /* of the next frame */
    uint64_t n_entries;
    bool is_out_of_memory;
};

/** Write all entries under the unfinished name: not synced, and without its END.
 *  returns  OK (go on with checkpoint_end, or checkpoint_drop) | CLOSED (`rest` said so) | NO_SPACE | LIMIT |
 *           IO | NO_MEMORY; but for OK nothing is left of it */
SESS_MUST_CHECK enum sess_status checkpoint_write(struct checkpoint *checkpoint,
                                                  struct sess_error *error);

/** Write the END record, all of whose fields the caller sets but the number of entries.
 *  returns  OK | NO_SPACE | IO */
SESS_MUST_CHECK enum sess_status checkpoint_end(struct checkpoint *checkpoint,
                                                const struct record *end, struct sess_error *error);

/** Close it and remove it, whatever its name is. */
void checkpoint_drop(struct checkpoint *checkpoint);

/** Read the newest whole checkpoint of a directory into the store (NULL: only look), which is empty. An older
 *  one is read when the newest is damaged; the caller sees whether the journal goes back so far.
 *  end      the record at its end; end->segment is 0 when there is no checkpoint
 *  found    checkpoint: its number, 0 for none; and what was read
 *  returns  OK | DAMAGED (none is whole) | REFUSED | OUT_OF_RANGE (does not fit `memory`) | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status checkpoint_load(struct directory *directory, struct store *store,
                                                 struct reader *reader, struct record *end,
                                                 struct recovered *found, struct sess_error *error);

/** Remove every checkpoint but the one of this number (0: all). returns OK | IO */
SESS_MUST_CHECK enum sess_status checkpoint_remove_others(struct directory *directory,
                                                          uint64_t number,
                                                          struct sess_error *error);

#endif
