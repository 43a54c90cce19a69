/* The chain: the segments of a directory, and which of them follows which.
 *
 * Private to the journal. Threads: one. Memory: an item for each segment; no file stays open. */
#ifndef SESSIOND_SRC_JOURNAL_CHAIN_H
#define SESSIOND_SRC_JOURNAL_CHAIN_H

#include "reader.h"
#include "record.h"

struct chain_item {
    uint64_t number;
    bool has_link; /* its first frame is a valid link: frames were written to it */
    struct record link;
    uint64_t first_sequence; /* of the link's frame */
};

struct chain {
    struct chain_item *items; /* by number, ascending */
    size_t n_items;
    uint64_t bytes; /* of all files */
};

/** The numbers of all segments of a kind in a directory, ascending; free(*numbers), which may be NULL.
 *  returns  OK | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status chain_list(struct directory *directory, enum segment_kind kind,
                                            uint64_t **numbers, size_t *n_numbers,
                                            struct sess_error *error);

/** Remove segments that were being made. returns OK | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status chain_remove_unfinished(struct directory *directory,
                                                         struct sess_error *error);

/** Find all segments of a directory, and read their links. Changes nothing.
 *  returns  OK (chain_fini) | DAMAGED | REFUSED | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status chain_load(struct chain *chain, struct directory *directory,
                                            struct reader *reader, struct sess_error *error);

/** The segment that goes on after an item, or NULL. Of several the latest: that an earlier one was ever
 *  acknowledged is told by marks. */
struct chain_item *chain_successor(struct chain *chain, const struct chain_item *item);

/** Free the items. */
void chain_fini(struct chain *chain);

#endif
