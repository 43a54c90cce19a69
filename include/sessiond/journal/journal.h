/* The journal: every change on disk before it is answered, and back from there after a crash.
 *
 * Knows no sockets and no wire text. A change is accepted into a batch under its shard's lock; a batch is
 * written as one frame, at the end of a worker's turn or by the journal's own thread while the disk is
 * busy; another thread syncs. A ticket is the sequence of the frame that a change will be in.
 * Lock order: shard, arena, the journal's own; its threads take no shard's lock.
 * Source: durability.md; docs/decisions/0010-journal.md. */
#ifndef SESSIOND_JOURNAL_JOURNAL_H
#define SESSIOND_JOURNAL_JOURNAL_H

#include "sessiond/base/report.h"
#include "sessiond/journal/config.h"
#include "sessiond/journal/recovered.h"
#include "sessiond/store/mutation.h"
#include "sessiond/store/tickets.h"

struct journal;

/** Memory that a journal with such batches and such largest values takes, in bytes. */
size_t journal_memory(size_t batch_bytes, size_t max_value_bytes);

/** Recover what the directory holds into the store; nothing runs yet.
 *  returns  OK (the caller owns *out) | DAMAGED | REFUSED (a format that is not known) | OUT_OF_RANGE (does
 *           not fit `memory`) | NO_SPACE | IO | NO_MEMORY; but for OK the directory is as it was */
SESS_MUST_CHECK enum sess_status journal_open(const struct journal_config *config,
                                              struct journal **out, struct sess_error *error);

/** What was recovered. */
const struct recovered *journal_recovered(const struct journal *journal);

/** Start the journal's threads. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status journal_start(struct journal *journal, struct sess_error *error);

/** Wired call, store to journal: a mutation_fn; context is the journal. Under a shard's lock; never
 *  waits for the disk. */
enum mutation_answer journal_accept(void *journal, const struct mutation *mutation,
                                    struct mutation_receipt *receipt);

/** Wired call, worker to journal: whether replies with these tickets may leave, in the journal's mode. It
 *  may write what is pending, when the disk is not busy, but never waits for a sync. Any thread. */
bool journal_committed(void *journal, const struct store_tickets *tickets);

/* What a look at the journal's threads has found. */
struct journal_look {
    bool
        is_stuck; /* one has done nothing since the last look, though the disk does not hold it up */
    bool
        is_write_held; /* one write has been at the disk since then: who makes it, a worker maybe, cannot
                           go on */
};

/** Whether each thread of the journal has finished a turn since the last look, or waits for the disk, which
 *  may take any time; then let those that have nothing to do have a turn. Not for the first moments after
 *  journal_start: a thread that has not begun is one that does nothing. Threads: one, always the same. */
struct journal_look journal_look(struct journal *journal);

/** Stop: write and sync everything, in every mode, and join the threads. No change comes any more.
 *  returns  OK | IO (also when the disk failed earlier; the text says what) */
SESS_MUST_CHECK enum sess_status journal_stop(struct journal *journal, struct sess_error *error);

/** Free a journal that does not run, and set *journal to NULL. */
void journal_destroy(struct journal **journal);

/** Add the lines of `stats journal` (registry_report_fn; context is the journal). Any thread. */
void journal_report(void *journal, struct report *report);

#endif
