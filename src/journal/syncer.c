/* The journal's two threads for the disk: the syncer, which lets what is written last, and the flusher, which
 * writes while a sync runs. Threads: each its own. Memory: none. */
#include "state.h"

#include "sessiond/base/failpoint.h"

#include <time.h>

/* What one sync is about: taken under the lock, used outside it. */
struct sync_job {
    uint64_t target; /* frames up to this sequence are on disk afterwards */
    uint64_t mark;   /* that the last of them carries */
    struct file file;
    bool has_previous; /* a segment that was left: it is synced first, and sealed */
    struct segment previous;
    struct record link;
    uint64_t successor;
    int64_t now_s; /* wall seconds, as a frame carries it */
};

static bool has_unsynced(const struct journal *journal)
{
    return atomic_load(&journal->written) > atomic_load(&journal->durable);
}

/* The last frames lie behind no mark that is on disk: damage to them could not be told. */
static bool wants_mark(const struct journal *journal)
{
    return (journal->fsync != FSYNC_NEVER || journal->is_stopping) && !has_unsynced(journal) &&
           journal->last_data > journal->marked;
}

/* Elapsed time at which the next sync is due; INT64_MAX: nothing is to be done. */
static int64_t due_ms(const struct journal *journal)
{
    int64_t since_ms = atomic_load(&journal->unsynced_since_ms);

    if (journal->writer.has_previous) {
        return 0;
    }
    if (wants_mark(journal)) {
        return journal->is_stopping ? 0 : journal->synced_ms + MARK_AFTER_MS;
    }
    if (!has_unsynced(journal)) {
        return INT64_MAX;
    }
    if (journal->is_stopping || journal->must_sync || journal->fsync == FSYNC_ALWAYS) {
        return 0;
    }
    if (journal->fsync == FSYNC_NEVER) {
        return INT64_MAX;
    }
    return since_ms == INT64_MAX ? journal->synced_ms + MARK_AFTER_MS : since_ms + SYNC_AFTER_MS;
}

static int64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void wait_until(struct journal *journal, int64_t at_ms)
{
    if (at_ms == INT64_MAX) {
        (void)pthread_cond_wait(&journal->sync_wanted, &journal->lock);
    } else {
        journal_wait(journal, &journal->sync_wanted, (at_ms - journal_ms(journal)) * 1000);
    }
}

/* Clients that the last sync has let go are about to come with their next changes. A sync that began at once
 * would leave them out, and from then on each would serve half of them. */
static void gather(struct journal *journal)
{
    int64_t share_us = journal->sync_us / GATHER_SHARE;
    int64_t until_us = journal->synced_us + (share_us < GATHER_MAX_US ? share_us : GATHER_MAX_US);
    int64_t rest_us = until_us - now_us();

    while (rest_us > 0 && !journal->is_stopping) {
        journal_wait(journal, &journal->sync_wanted, rest_us);
        rest_us = until_us - now_us();
    }
}

/* Under the lock, nobody writing: from here on frames begin a new block, so that no torn write of
 * theirs reaches what this sync is about. */
static void begin_sync(struct journal *journal, struct sync_job *job)
{
    struct writer *writer = &journal->writer;

    *job = (struct sync_job){
        .target = atomic_load(&journal->written),
        .mark = journal->last_mark,
        .file = writer->current.file,
        .has_previous = writer->has_previous,
        .previous = writer->previous,
        .link = writer->link,
        .successor = writer->current.number,
        .now_s = journal_time(journal),
    };
    writer->must_align = true;
    journal->is_syncing = true;
    journal->is_sync_due = false;
    journal->must_sync = false;
    journal->written_since_ms = INT64_MAX;
    (void)pthread_cond_signal(&journal->write_wanted);
}

static enum sess_status sync_files(struct sync_job *job, struct sess_error *error)
{
    enum sess_status status;

    failpoint("sync.begun");
    status = job->has_previous ? file_sync(&job->previous.file, error) : SESS_OK;
    if (job->has_previous) {
        failpoint("sync.previous");
    }
    if (status == SESS_OK) {
        status = file_sync(&job->file, error);
    }
    failpoint("sync.done");
    return status;
}

/* The seal is written only now that the successor's link is on disk; nobody waits for it. */
static enum sess_status seal_previous(struct sync_job *job, struct sess_error *error)
{
    enum sess_status status =
        writer_seal(&job->previous, &job->link, job->successor, job->now_s, error);

    failpoint("seal.written");
    if (status == SESS_OK) {
        status = file_sync(&job->previous.file, error);
    }
    failpoint("seal.synced");
    file_close(&job->previous.file);
    return status;
}

static void note_sync(struct journal *journal, int64_t took_us)
{
    struct journal_metrics *metrics = &journal->metrics;

    metric_add(&metrics->journal_syncs, 1);
    metric_add(&metrics->journal_sync_us, (uint64_t)took_us);
    journal->sync_us = took_us;
    journal->synced_us = now_us();
    if ((uint64_t)took_us > metric_read(&metrics->journal_sync_slowest_us)) {
        atomic_store(&metrics->journal_sync_slowest_us, (uint64_t)took_us);
    }
}

/* Under the lock: what was synced may be answered. */
static void end_sync(struct journal *journal, const struct sync_job *job)
{
    journal->is_syncing = false;
    journal->marked = job->mark;
    journal->synced_ms = journal_ms(journal);
    atomic_store(&journal->unsynced_since_ms, journal->written_since_ms);
    atomic_store(&journal->durable, job->target);
    (void)pthread_cond_signal(&journal->checkpoint_wanted);
}

/* Under the lock, which is given up meanwhile. */
static void sync_once(struct journal *journal)
{
    struct sync_job job;
    struct sess_error error;
    int64_t began_us = now_us();
    bool is_closed = false;
    enum sess_status status;

    begin_sync(journal, &job);
    journal_to_disk(journal, PULSE_SYNCER);
    status = sync_files(&job, &error);
    journal_from_disk(journal, PULSE_SYNCER);
    if (status == SESS_OK) {
        note_sync(journal, now_us() - began_us);
        end_sync(journal, &job);
    } else {
        /* Before anybody else can write: what it wrote would be answered. */
        journal_fail(journal, &error);
    }
    (void)pthread_mutex_unlock(&journal->lock);
    failpoint("sync.published");
    journal_wake(journal);
    (void)pthread_mutex_lock(&journal->lock);
    if (status == SESS_OK && job.has_previous) {
        is_closed = true;
        journal_to_disk(journal, PULSE_SYNCER);
        status = seal_previous(&job, &error);
        journal_from_disk(journal, PULSE_SYNCER);
    }
    journal->writer.has_previous = journal->writer.has_previous && !is_closed;
    (void)pthread_cond_signal(&journal->write_wanted);
    (void)pthread_cond_signal(&journal->checkpoint_wanted);
    if (status != SESS_OK) {
        journal_fail(journal, &error);
    }
}

/* Nothing is left to be done when stopping. A mark that has no room is done without. */
static bool is_done(const struct journal *journal)
{
    return atomic_load(&journal->has_failed) ||
           (journal->is_stopping && !journal->is_writing && !has_unsynced(journal) &&
            journal->pending->facts.n_records == 0 && !journal->writer.has_previous &&
            !(wants_mark(journal) && commit_can_write(journal)));
}

/* Under the lock: the next thing that is due. */
static void run_due(struct journal *journal)
{
    if (journal->is_writing) {
        /* Whoever writes is the last to do so before the sync. A mark is no longer wanted then: its frame
         * carries it, and the next sync is not yet due. */
        journal->is_sync_due = !wants_mark(journal) || journal->writer.has_previous;
        wait_until(journal, INT64_MAX);
    } else if (!wants_mark(journal) || journal->writer.has_previous) {
        gather(journal);
        if (!journal->is_writing) {
            sync_once(journal);
        }
    } else if (commit_can_write(journal)) {
        journal->must_sync = commit_write(journal);
    } else {
        wait_until(journal, journal_ms(journal) + MARK_AFTER_MS);
    }
}

void *syncer_run(void *journal)
{
    struct journal *self = journal;

    (void)pthread_mutex_lock(&self->lock);
    while (!is_done(self)) {
        int64_t at_ms = due_ms(self);

        journal_turn(self, PULSE_SYNCER);
        if (at_ms > journal_ms(self)) {
            wait_until(self, at_ms);
        } else {
            run_due(self);
        }
    }
    (void)pthread_mutex_unlock(&self->lock);
    return NULL;
}

static bool has_work(const struct journal *journal)
{
    return journal->pending->facts.n_records > 0 && (journal->must_write || journal->is_stopping) &&
           commit_can_write(journal);
}

void *flusher_run(void *journal)
{
    struct journal *self = journal;

    (void)pthread_mutex_lock(&self->lock);
    while (!atomic_load(&self->has_failed) &&
           !(self->is_stopping && self->pending->facts.n_records == 0)) {
        journal_turn(self, PULSE_FLUSHER);
        if (has_work(self)) {
            (void)commit_write(self);
            (void)pthread_mutex_unlock(&self->lock);
            failpoint("flush.published");
            journal_wake(self);
            (void)pthread_mutex_lock(&self->lock);
        } else {
            (void)pthread_cond_wait(&self->write_wanted, &self->lock);
        }
    }
    (void)pthread_mutex_unlock(&self->lock);
    return NULL;
}
