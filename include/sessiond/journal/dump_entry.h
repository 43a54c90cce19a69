/* A session of a dump. The format is journal/dump.h.
 *
 * Threads: as its owner says. */
#ifndef SESSIOND_JOURNAL_DUMP_ENTRY_H
#define SESSIOND_JOURNAL_DUMP_ENTRY_H

#include "sessiond/store/terms.h"

#include <stdint.h>

enum {
    DUMP_KEY_MAX = 250,        /* bytes */
    DUMP_VALUE_MAX = 64 << 20, /* bytes */
};

struct dump_entry {
    struct slice key;   /* borrowed */
    struct slice value; /* likewise */
    uint32_t flags;
    uint64_t cas;       /* 0 of a hold */
    int64_t deadline_s; /* wall seconds from 1 on, or STORE_NO_DEADLINE */
    struct store_marks marks;
};

#endif
