/* A recording: real lives of a store with its journal under a random load, one after the other on one
 * directory, ended by stops and by crashes of the process; what they called, and what they promised.
 *
 * Threads: one, besides the journal's. */
#ifndef SESSIOND_TESTS_CRASH_RECORDING_H
#define SESSIOND_TESTS_CRASH_RECORDING_H

#include "disk.h"
#include "oracle.h"
#include "subject.h"

#include <stdatomic.h>

enum { RECORDING_LIVES_MAX = 4 };

struct recording {
    struct journal_options options;
    /* what it began with */
    struct memory_file *files;
    uint64_t *ids;
    size_t n_files;
    struct disk_log log;
    struct history histories[RECORDING_LIVES_MAX + 1]; /* [0]: of what was there at first */
    unsigned n_lives;
    _Atomic unsigned n_checkpoints; /* that got their name */
};

/** Record lives over a copy of these files, which hold what the first changes of `history` made. Returns
 *  false, with the reason printed, when a life could not begin or holds what it must not. */
bool recording_make(struct recording *recording, const struct journal_options *options,
                    const struct memory_file *files, size_t n_files, const struct history *history,
                    int64_t wall_s, struct test_random *random);
void recording_end(struct recording *recording);

#endif
