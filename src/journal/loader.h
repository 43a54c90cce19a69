/* A loader: records on their way into a store, in groups, since a store is filled faster so.
 *
 * Private to the journal. Keeps their order. Threads: one. Memory: the struct. */
#ifndef SESSIOND_SRC_JOURNAL_LOADER_H
#define SESSIOND_SRC_JOURNAL_LOADER_H

#include "record.h"

enum { LOADER_IMAGES = 16 };

struct loader {
    struct store *store; /* borrowed; NULL: nothing is applied */
    struct store_image images[LOADER_IMAGES];
    size_t n_images; /* that wait; their bytes are those of the records */
};

/** Add what a SET, TOUCH, DELETE or FLUSH does. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status loader_add(struct loader *loader, const struct record *record);

/** Apply what waits: before the records' bytes go. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status loader_apply(struct loader *loader);

#endif
