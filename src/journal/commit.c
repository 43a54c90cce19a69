/* Writing batches, and which replies may leave.
 *
 * While the disk is idle, the worker that asks writes by itself: nothing is cheaper, and nothing makes it
 * wait then. While a sync runs, a write may be held up by it, and the flusher's thread does it instead, so
 * that reads keep their latency. Threads: any. Memory: none. */
#include "sessiond/journal/journal.h"

#include "state.h"

bool commit_can_write(const struct journal *journal)
{
    return !journal->is_writing && !journal->is_sync_due && !atomic_load(&journal->has_failed) &&
           writer_room(&journal->writer, journal->pending->facts.total) != ROOM_NOT_YET;
}

/* Under the lock: what is pending becomes the caller's to write. */
static struct batch *take_batch(struct journal *journal, struct placement *placement)
{
    struct batch *batch = journal->pending;

    writer_place(&journal->writer, batch->facts.total, placement);
    journal->pending = batch == &journal->batches[0] ? &journal->batches[1] : &journal->batches[0];
    journal->is_writing = true;
    journal->must_write = false;
    if (placement->has_link) {
        (void)pthread_cond_signal(&journal->spare_wanted);
    }
    return batch;
}

static void note_age(struct journal *journal, int64_t since_ms)
{
    if (since_ms < atomic_load(&journal->unsynced_since_ms)) {
        atomic_store(&journal->unsynced_since_ms, since_ms);
    }
    if (since_ms < journal->written_since_ms) {
        journal->written_since_ms = since_ms;
    }
}

/* Under the lock: the frame is where no crash of the process takes it back. */
static void publish(struct journal *journal, const struct placement *placement,
                    const struct batch_facts *facts, uint64_t mark)
{
    uint64_t sequence = placement->sequence + (placement->has_link ? 1 : 0);

    if (facts->n_records > 0) {
        note_age(journal, facts->since_ms);
        journal->last_data = sequence;
    }
    journal->last_mark = mark;
    journal->must_sync = journal->must_sync || facts->has_revocation;
    atomic_store(&journal->written, sequence);
    metric_add(&journal->metrics.journal_frames, 1);
    metric_add(&journal->metrics.journal_bytes, frame_size(facts->total));
    journal->log_bytes += frame_size(facts->total);
    if (journal->log_bytes > journal->config.checkpoint_bytes) {
        (void)pthread_cond_signal(&journal->checkpoint_wanted);
    }
    (void)pthread_cond_signal(&journal->sync_wanted);
}

/* Under the lock: the time that the frame carries. It never goes back, not even when the machine's clock
 * does: the files that told of a later one may be gone. */
static int64_t frame_time(struct journal *journal, const struct batch_facts *facts)
{
    if (facts->time_s == 0) {
        journal->time_s = journal_time(journal);
    } else if (facts->time_s > journal->time_s) {
        journal->time_s = facts->time_s;
    }
    return journal->time_s;
}

static enum sess_status write_out(struct placement *placement, struct batch *batch, uint64_t mark,
                                  int64_t time_s, struct sess_error *error)
{
    enum sess_status status = writer_write(placement, batch, mark, time_s, error);

    batch_clear(batch);
    return status;
}

bool commit_write(struct journal *journal)
{
    struct placement placement;
    struct batch *batch = take_batch(journal, &placement);
    struct batch_facts facts = batch->facts;
    uint64_t mark = atomic_load(&journal->durable);
    int64_t time_s = frame_time(journal, &facts);
    struct sess_error error;
    enum sess_status status;

    journal_to_disk(journal, PULSE_WRITE);
    status = write_out(&placement, batch, mark, time_s, &error);
    journal_from_disk(journal, PULSE_WRITE);
    journal->is_writing = false;
    if (status == SESS_OK) {
        publish(journal, &placement, &facts, mark);
    } else {
        journal_fail(journal, &error);
    }
    if (journal->must_write || journal->is_stopping) {
        (void)pthread_cond_signal(&journal->write_wanted);
    }
    return status == SESS_OK;
}

/* Write what is pending, or see that it is written. */
static void commit(struct journal *journal)
{
    bool has_written = false;

    (void)pthread_mutex_lock(&journal->lock);
    if (journal->pending->facts.n_records > 0) {
        if (!journal->is_syncing && commit_can_write(journal)) {
            has_written = commit_write(journal);
        } else {
            journal->must_write = true;
            (void)pthread_cond_signal(&journal->write_wanted);
        }
    }
    (void)pthread_mutex_unlock(&journal->lock);
    if (has_written) {
        journal_wake(journal);
    }
}

static void ask_sync(struct journal *journal)
{
    (void)pthread_mutex_lock(&journal->lock);
    journal->must_sync = true;
    (void)pthread_cond_signal(&journal->sync_wanted);
    (void)pthread_mutex_unlock(&journal->lock);
}

/* Whether the oldest unsynced change is so old that no further one may be answered before the sync. */
static bool is_late(struct journal *journal)
{
    int64_t since_ms = atomic_load(&journal->unsynced_since_ms);

    return journal->fsync == FSYNC_EVERYSEC && since_ms != INT64_MAX &&
           journal_ms(journal) - since_ms > LATE_AFTER_MS;
}

bool journal_committed(void *journal, const struct store_tickets *tickets)
{
    struct journal *self = journal;
    uint64_t to_sync = self->fsync == FSYNC_ALWAYS ? tickets->seen : tickets->revoked;
    uint64_t to_write = store_tickets_later(tickets->changed, to_sync);

    if (self->fsync == FSYNC_ALWAYS) {
        to_sync = to_write;
    }
    if (atomic_load(&self->written) < to_write) {
        commit(self);
    }
    if (atomic_load(&self->has_failed)) {
        return false;
    }
    if (atomic_load(&self->durable) < to_sync) {
        ask_sync(self);
        return false;
    }
    if (atomic_load(&self->durable) >= to_write) {
        return true;
    }
    return atomic_load(&self->written) >= to_write && !is_late(self);
}
