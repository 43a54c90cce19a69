/* The journal's numbers, one row each: part of `stats journal`.
 *
 * Written under the journal's lock, read by anyone. */
#ifndef SESSIOND_JOURNAL_METRICS_H
#define SESSIOND_JOURNAL_METRICS_H

#include "sessiond/base/metric.h"

#define JOURNAL_METRICS(X)                                                                         \
    X(journal_records, COUNTER, "changes that were journaled")                                     \
    X(journal_revocations, COUNTER, "of them: revocations, by sync-revocations")                   \
    X(journal_frames, COUNTER, "batches of changes that were written")                             \
    X(journal_bytes, COUNTER, "bytes of them")                                                     \
    X(journal_syncs, COUNTER, "syncs of a journal file")                                           \
    X(journal_sync_us, COUNTER, "microseconds that they took, added up")                           \
    X(journal_sync_slowest_us, GAUGE, "the longest of them")                                       \
    X(journal_busy, COUNTER, "changes that had to wait because the journal had no room")           \
    X(journal_refused, COUNTER, "changes that were refused because the disk is full")              \
    X(checkpoints, COUNTER, "checkpoints that were finished")                                      \
    X(checkpoints_given_up, COUNTER, "checkpoints that found no room or memory")                   \
    X(checkpoint_entries, GAUGE, "sessions in the last one")                                       \
    X(checkpoint_bytes, GAUGE, "bytes of it")                                                      \
    X(checkpoint_ms, GAUGE, "milliseconds that it took")                                           \
    X(clock_in_grace, GAUGE, "1 while a wall clock that is far ahead is not believed yet")         \
    X(journal_segments, GAUGE, "journal files")                                                    \
    X(journal_size, GAUGE, "bytes of the journal's files, reserved space included")

struct journal_metrics {
    JOURNAL_METRICS(METRIC_DECLARE)
};
extern const struct metric_table journal_metric_table;

#endif
