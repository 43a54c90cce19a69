/* What `stats journal` tells. Threads: any. Memory: the report's. */
#include "sessiond/journal/journal.h"

#include "state.h"

#include <inttypes.h>

static const char *mode_text(enum fsync_choice fsync)
{
    static const char *const texts[] = {
        [FSYNC_ALWAYS] = "always", [FSYNC_EVERYSEC] = "everysec", [FSYNC_NEVER] = "never"};

    return texts[fsync];
}

static void report_recovery(const struct recovered *found, struct report *report)
{
    report_add_u64(report, "recovered_images", found->n_images);
    report_add_u64(report, "recovered_segments", found->n_segments);
    report_add_u64(report, "recovered_frames", found->n_frames);
    report_add_u64(report, "recovered_records", found->n_records);
    report_add_u64(report, "recovered_bytes", found->n_bytes);
    report_add_u64(report, "recovered_ms", found->took_ms);
    report_add_u64(report, "recovered_kept_frames", found->n_kept);
    report_add_u64(report, "recovered_cut_bytes", found->n_cut);
}

/* Milliseconds since the oldest change that a power cut would take. */
static int64_t lag_ms(const struct journal *journal)
{
    int64_t since_ms = atomic_load(&journal->unsynced_since_ms);
    int64_t now_ms = journal_ms(journal);

    return since_ms == INT64_MAX || since_ms > now_ms ? 0 : now_ms - since_ms;
}

void journal_report(void *journal, struct report *report)
{
    struct journal *self = journal;
    uint64_t totals[METRIC_ROWS_MAX] = {0};
    uint64_t pending;
    int64_t synced_ms;

    (void)pthread_mutex_lock(&self->lock);
    pending = self->pending->facts.total;
    synced_ms = self->synced_ms;
    (void)pthread_mutex_unlock(&self->lock);
    report_add(report, "journal_mode", "%s", mode_text(self->fsync));
    report_add_u64(report, "journal_written", atomic_load(&self->written));
    report_add_u64(report, "journal_durable", atomic_load(&self->durable));
    report_add_u64(report, "journal_pending_bytes", pending);
    report_add(report, "journal_lag_ms", "%" PRId64, lag_ms(self));
    report_add(report, "journal_last_sync_ms_ago", "%" PRId64,
               synced_ms == 0 ? (int64_t)-1 : journal_ms(self) - synced_ms);
    metric_sum(&journal_metric_table, &self->metrics, totals);
    metric_report(&journal_metric_table, totals, report);
    report_recovery(&self->recovered, report);
}
