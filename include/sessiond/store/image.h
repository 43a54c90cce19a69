/* Images: states of keys as a journal recorded them, and how a store is made of them again.
 *
 * Not a change: no policy, no hook, no judgement by the time that it is, no new CAS id, nothing counted but
 * what is there. One thread, before any other use of the store: store_fill, store_apply for all records in
 * order, then store_begin once. Source: durability.md, "Recovery". */
#ifndef SESSIOND_STORE_IMAGE_H
#define SESSIOND_STORE_IMAGE_H

#include "sessiond/base/slice.h"
#include "sessiond/base/status.h"
#include "sessiond/store/terms.h"

#include <stddef.h>
#include <stdint.h>

struct store;

enum image_kind {
    IMAGE_SET,    /* the key holds this, whatever it held */
    IMAGE_TOUCH,  /* the key, if it is there, has this deadline, whatever it had */
    IMAGE_DELETE, /* the key is not there */
    IMAGE_EXPIRY, /* no key is there whose deadline is this one or an earlier one */
    IMAGE_FLUSH, /* no session is there; holds stay: a flush that took effect. One that is to come is told to
                     store_begin alone */
};

struct store_image {
    enum image_kind kind;
    struct slice key; /* 1..STORE_KEY_MAX bytes; not of EXPIRY, FLUSH */
    struct slice
        value;      /* SET: copied. Larger than max_value_bytes is fine: it may have been lowered */
    uint32_t flags; /* SET: the client's flags */
    uint64_t cas;   /* SET: 1 to UINT64_MAX - 1, or 0 of a hold */
    struct store_marks marks; /* SET */
    int64_t
        deadline_s; /* SET, TOUCH, EXPIRY: wall seconds from 1 on, past ones too, or STORE_NO_DEADLINE. What is
                           later than an entry can hold is its latest; so
                           it is with what marks ask for */
};

/** The store, which is empty, is about to be filled: memory is taken in large pieces until store_begin.
 *  n_entries  about so many will come, for which the index is made at once; 0: nobody knows */
void store_fill(struct store *store, uint64_t n_entries);

/** Let the store hold what images say, one after the other; several at once are faster, and no different. It
 *  may use all of the data budget, what is kept back for keys that are there too, and squeezes pages to
 *  make room.
 *  returns  OK | NO_MEMORY (a SET does not fit; the images behind it are not applied) */
SESS_MUST_CHECK enum sess_status store_apply(struct store *store, const struct store_image *images,
                                             size_t n_images);

/** All has been applied; from now on time counts, and what has expired is there for nobody.
 *  now_s       wall seconds, the time of every shard unless it is later already
 *  first_cas   CAS ids of new versions start here: above all that were applied
 *  flush_at_s  of the flush that is still to come, or STORE_NO_DEADLINE. If that has passed it takes
 *              effect, by the hook, in front of the next call */
void store_begin(struct store *store, int64_t now_s, uint64_t first_cas, int64_t flush_at_s);

#endif
