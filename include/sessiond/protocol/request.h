/* A request: one command with its arguments, as the parser read it.
 *
 * Its slices point into the input and hold no longer than that. */
#ifndef SESSIOND_PROTOCOL_REQUEST_H
#define SESSIOND_PROTOCOL_REQUEST_H

#include "sessiond/protocol/command.h"
#include "sessiond/protocol/meta.h"
#include "sessiond/protocol/reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REQUEST_KEY_MAX = 250,     /* bytes */
    REQUEST_LINE_END_SIZE = 2, /* bytes behind a data block: CR LF */
};

struct request {
    const struct command *command;
    struct slice key; /* in the input; empty: no (further) key. Of a meta command: as it was sent */
    bool is_last_key; /* K: nothing more of this command follows */
    uint32_t flags;
    int64_t exptime;   /* as sent */
    size_t value_size; /* bytes of the data block; what is told when it is refused may be too low */
    uint64_t cas;
    uint64_t delta;
    struct slice value;    /* in the input; empty for PARSE_UPLOAD */
    struct slice word;     /* in the input; w, t: empty when there is none */
    struct slice argument; /* in the input; a: the word behind it */
    bool noreply;
    enum reply error; /* PARSE_ERROR: what to answer */
    bool must_close;  /* PARSE_ERROR: and then close */
    struct meta_flags
        meta; /* its last member: set for meta commands alone; T, C, D and F stand above. And of restore, which
                 has its marks in `set`, and its deadline in exptime */
};

#endif
