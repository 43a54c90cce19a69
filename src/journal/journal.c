/* The journal's life. Changes are accept.c, writing is commit.c, the threads are syncer.c and maker.c.
 *
 * Threads: the creator's. Memory: the struct and two batches. */
#include "sessiond/journal/journal.h"

#include "recovery.h"
#include "sessiond/base/log.h"
#include "sessiond/store/grace.h"
#include "sessiond/store/image.h"
#include "state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define ROW(...) OPTION_ROW(journal_options, __VA_ARGS__)
static const struct option_row option_rows[] = {JOURNAL_OPTIONS(ROW)};
#undef ROW
const struct option_table journal_option_table = {.title = "Durability",
                                                  .rows = option_rows,
                                                  .n_rows =
                                                      sizeof option_rows / sizeof option_rows[0]};

static const struct metric_row metric_rows[] = {JOURNAL_METRICS(METRIC_ROW)};
_Static_assert(sizeof metric_rows / sizeof metric_rows[0] <= METRIC_ROWS_MAX, "totals have room");
const struct metric_table journal_metric_table = {
    .rows = metric_rows, .n_rows = sizeof metric_rows / sizeof metric_rows[0]};

enum { PROGRESS_MS = 2000 };

size_t journal_memory(size_t batch_bytes, size_t max_value_bytes)
{
    size_t batch = batch_bytes + BATCH_RECORD_MAX + FRAME_HEAD_SIZE;

    /* Two of changes, each with a large value that nobody else may hold any more, and one of a checkpoint. */
    return 3 * batch + 2 * max_value_bytes;
}

/* When progress was told last. */
struct progress {
    const struct journal_config *config;
    int64_t next_ms;
};

static void tell_progress(void *context, uint64_t done, uint64_t all)
{
    struct progress *progress = context;
    const struct journal_config *config = progress->config;
    int64_t now_ms = clock_now(config->clock).boot_ms;

    if (config->progress != NULL) {
        config->progress(config->progress_context, done, all);
    }
    if (now_ms >= progress->next_ms) {
        progress->next_ms = now_ms + PROGRESS_MS;
        log_write(LOG_LEVEL_INFO, "recovering: %" PRIu64 " of %" PRIu64 " MiB", done >> 20,
                  all >> 20);
    }
}

/* The store goes on where the files end: no id comes twice, and time does not go back. */
static void begin_store(struct journal *journal)
{
    const struct recovered *found = &journal->recovered;
    struct clock *clock = journal->config.clock;

    journal->is_in_grace = clock_begin(clock, found->time_s);
    atomic_store(&journal->metrics.clock_in_grace, journal->is_in_grace);
    store_begin(journal->config.store, clock_now(clock).wall_s,
                found->highest_cas + RECOVERY_CAS_JUMP, found->flush_at_s);
    if (journal->is_in_grace) {
        store_begin_grace(journal->config.store, clock, found->time_s);
    }
}

/* When the last checkpoint began: its age goes on over starts, and while the daemon is down. Else what was
 * deleted would stay on disk for as long as there are starts often enough. */
static int64_t checkpoint_began_ms(const struct journal *journal)
{
    int64_t since_s = journal->recovered.since_s;
    int64_t age_s = clock_now(journal->config.clock).wall_s - since_s;

    return journal_ms(journal) - (since_s > 0 && age_s > 0 ? age_s * 1000 : 0);
}

static enum sess_status recover(struct journal *journal, struct sess_error *error)
{
    struct progress progress = {.config = &journal->config};
    struct recovery recovery = {
        .directory = journal->config.directory,
        .store = journal->config.store,
        .now_s = clock_now(journal->config.clock).wall_s,
        .accepts_clock = journal->config.accepts_clock,
        .segment_size = journal->config.segment_bytes,
        .progress = tell_progress,
        .progress_context = &progress,
    };
    int64_t began_ms = journal_ms(journal);
    enum sess_status status;

    progress.next_ms = began_ms + PROGRESS_MS;
    status = recovery_run(&recovery, &journal->writer, &journal->recovered, error);
    if (status != SESS_OK) {
        return status;
    }
    journal->recovered.took_ms = (uint64_t)(journal_ms(journal) - began_ms);
    atomic_store(&journal->written, journal->writer.next_sequence - 1);
    atomic_store(&journal->durable, journal->writer.next_sequence - 1);
    metric_add(&journal->metrics.journal_segments, journal->recovered.n_segments + 1);
    metric_add(&journal->metrics.journal_size,
               journal->recovered.n_bytes + journal->writer.current.size);
    journal->checkpoint_number = journal->recovered.checkpoint;
    journal->start_sequence = journal->writer.next_sequence;
    journal->time_s = journal->recovered.time_s;
    journal->log_bytes = journal->recovered.n_bytes;
    atomic_store(&journal->metrics.checkpoint_entries, journal->recovered.n_images);
    atomic_store(&journal->metrics.checkpoint_bytes, journal->recovered.image_bytes);
    journal->has_dead = journal->recovered.n_records > 0;
    journal->checkpoint_ms = checkpoint_began_ms(journal);
    begin_store(journal);
    return SESS_OK;
}

static enum sess_status make_locks(struct journal *journal)
{
    pthread_condattr_t attributes;
    bool is_made = pthread_mutex_init(&journal->lock, NULL) == 0 &&
                   pthread_condattr_init(&attributes) == 0 &&
                   pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                   pthread_cond_init(&journal->write_wanted, &attributes) == 0 &&
                   pthread_cond_init(&journal->sync_wanted, &attributes) == 0 &&
                   pthread_cond_init(&journal->spare_wanted, &attributes) == 0 &&
                   pthread_cond_init(&journal->checkpoint_wanted, &attributes) == 0;

    return is_made ? SESS_OK : SESS_NO_MEMORY;
}

static enum sess_status init(struct journal *journal, const struct journal_config *config)
{
    enum sess_status status = make_locks(journal);

    journal->config = *config;
    journal->fsync = (enum fsync_choice)config->options->fsync;
    atomic_init(&journal->unsynced_since_ms, INT64_MAX);
    journal->written_since_ms = INT64_MAX;
    journal->pending = &journal->batches[0];
    for (size_t i = 0; status == SESS_OK && i < 2; i++) {
        status = batch_init(&journal->batches[i], config->batch_bytes);
    }
    if (status == SESS_OK) {
        status = batch_init(&journal->image, config->batch_bytes);
    }
    return status;
}

enum sess_status journal_open(const struct journal_config *config, struct journal **out,
                              struct sess_error *error)
{
    struct journal *journal = calloc(1, sizeof *journal);
    enum sess_status status = journal == NULL ? SESS_NO_MEMORY : init(journal, config);

    if (status != SESS_OK) {
        status = error_set(error, status, "no memory for the journal");
    } else {
        status = recover(journal, error);
    }
    if (status != SESS_OK) {
        journal_destroy(&journal);
        return status;
    }
    *out = journal;
    return SESS_OK;
}

const struct recovered *journal_recovered(const struct journal *journal)
{
    return &journal->recovered;
}

enum sess_status journal_start(struct journal *journal, struct sess_error *error)
{
    void *(*const bodies[JOURNAL_THREADS])(void *) = {flusher_run, syncer_run, maker_run,
                                                      checkpointer_run};

    for (; journal->n_threads < JOURNAL_THREADS; journal->n_threads++) {
        unsigned i = journal->n_threads;

        if (pthread_create(&journal->threads[i], NULL, bodies[i], journal) != 0) {
            return error_set(error, SESS_NO_MEMORY, "cannot start the journal's threads");
        }
    }
    return SESS_OK;
}

enum sess_status journal_stop(struct journal *journal, struct sess_error *error)
{
    timekeeper_stop(journal);
    (void)pthread_mutex_lock(&journal->lock);
    journal->is_stopping = true;
    journal_news(journal);
    (void)pthread_mutex_unlock(&journal->lock);
    for (; journal->n_threads > 0; journal->n_threads--) {
        (void)pthread_join(journal->threads[journal->n_threads - 1], NULL);
    }
    if (atomic_load(&journal->has_failed)) {
        *error = journal->failure;
        return error->status == SESS_OK ? SESS_IO : error->status;
    }
    return SESS_OK;
}

void journal_destroy(struct journal **journal)
{
    struct journal *self = *journal;

    if (self == NULL) {
        return;
    }
    writer_fini(&self->writer);
    batch_fini(&self->batches[0]);
    batch_fini(&self->batches[1]);
    batch_fini(&self->image);
    (void)pthread_cond_destroy(&self->write_wanted);
    (void)pthread_cond_destroy(&self->sync_wanted);
    (void)pthread_cond_destroy(&self->spare_wanted);
    (void)pthread_cond_destroy(&self->checkpoint_wanted);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
    *journal = NULL;
}
