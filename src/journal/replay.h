/* Replay: the frames of a chain applied to a store, up to where they end.
 *
 * Private to the journal. Judges where the journal ends, and whether what comes behind is an unsynced tail
 * or damage; changes no file. Threads: one. Source: durability.md, "Recovery". */
#ifndef SESSIOND_SRC_JOURNAL_REPLAY_H
#define SESSIOND_SRC_JOURNAL_REPLAY_H

#include "chain.h"
#include "loader.h"
#include "sessiond/journal/recovered.h"

struct replay {
    struct directory *directory; /* borrowed */
    struct store *store;         /* borrowed; NULL: only look */
    struct chain *chain;         /* borrowed */
    struct reader *reader;       /* borrowed */
    struct loader loader;        /* into the store */
    struct recovered result;
    uint64_t durable;         /* the highest mark: frames up to it were synced */
    uint64_t next_sequence;   /* behind the last frame */
    struct record image;      /* the END of the checkpoint; its segment is 0 without one */
    struct chain_item *first; /* the segment where the journal is read from; NULL: there is none */
    struct chain_item *last;  /* the segment that it is in; NULL: there is none */
    uint64_t end;             /* where in it the last frame ends */
};

/** Apply one record, that of a LINK too, for what it says of ids. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status replay_apply(struct replay *replay, const struct record *record);

/** Apply everything that holds.
 *  returns  OK | DAMAGED (what was acknowledged is damaged; which file and offset is in the text) |
 *           REFUSED (of another version) | OUT_OF_RANGE (does not fit `memory`) | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status replay_run(struct replay *replay, struct sess_error *error);

#endif
