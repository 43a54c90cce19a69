/* What a journal is made with.
 *
 * Threads: start-up only; read-only afterwards. */
#ifndef SESSIOND_JOURNAL_CONFIG_H
#define SESSIOND_JOURNAL_CONFIG_H

#include "sessiond/base/clock.h"
#include "sessiond/base/directory.h"
#include "sessiond/journal/options.h"
#include "sessiond/store/store.h"

struct journal_config {
    const struct journal_options *options; /* borrowed */
    struct directory *directory;           /* borrowed, locked */
    struct clock *clock;                   /* borrowed */
    struct store *store;                   /* borrowed, empty */
    bool accepts_clock;                    /* a wall clock behind the files' time is taken */
    size_t batch_bytes; /* records that wait to be written, at most, and one more */
    uint64_t
        checkpoint_bytes;   /* of changes before the next checkpoint, at least; 0: none is taken */
    int64_t checkpoint_ms;  /* age of the last checkpoint at which the next begins, if anything was
                                  deleted since */
    uint64_t segment_bytes; /* of a journal file; a multiple of 4096, and room for a batch */
    /* Wired call, journal to worker: tickets became durable, or there is room again. Any thread. */
    void (*wake)(void *context);
    void *wake_context;
    /* Recovery gets on: `done` of `all` bytes of a file are read. Called every 16 MiB, by journal_open's thread;
     * NULL: tell nobody. */
    void (*progress)(void *context, uint64_t done, uint64_t all);
    void *progress_context;
    /* The disk failed: nothing is acknowledged any more. Called once, any thread. */
    void (*failed)(void *context);
    void *failed_context;
};

#endif
