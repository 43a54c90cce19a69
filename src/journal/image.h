/* An image: the checkpoint that an inspection reads in front of the journal, whole or not.
 *
 * Private to the journal. Chosen as recovery does it: the newest that is whole. When none is, the newest is read
 * as far as it is intact, which no start does. Changes no file. Threads: one. Memory: the reader's window. */
#ifndef SESSIOND_SRC_JOURNAL_IMAGE_H
#define SESSIOND_SRC_JOURNAL_IMAGE_H

#include "islands.h"

struct image {
    struct directory *directory;  /* borrowed */
    inspect_progress_fn progress; /* NULL: tell nobody */
    void *progress_context;
    struct reader reader;
    struct inspected_checkpoint
        found;         /* by image_find; its number is 0 when there is no checkpoint */
    struct record end; /* likewise; its type is END if that record is intact */
    int64_t time_s;    /* likewise; the latest of its frames */
};

/** Choose the checkpoint, and look how much of it there is. The fields above `reader` are the caller's.
 *  returns  OK (image_fini) | REFUSED (a format that is not known) | NOT_FOUND (a file has gone) | IO |
 *           NO_MEMORY */
SESS_MUST_CHECK enum sess_status image_find(struct image *image, struct sess_error *error);

/** Visit every entry that is intact, as a SET record. returns OK | what a visit returned | NOT_FOUND | IO |
 *  NO_MEMORY */
SESS_MUST_CHECK enum sess_status image_visit(struct image *image,
                                             const struct island_visitor *visitor,
                                             struct sess_error *error);

/** Free the window, zeroed. */
void image_fini(struct image *image);

#endif
