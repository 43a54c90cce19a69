/* The checkpointer: when a checkpoint is taken, and what goes afterwards. What it is: checkpoint.h.
 *
 * Threads: its own; it takes a shard's lock for a slice, and the journal's for a moment, never both. Memory: the
 * journal's third batch. */
#include "chain.h"
#include "checkpoint.h"
#include "state.h"

#include "sessiond/base/failpoint.h"
#include "sessiond/base/log.h"
#include "sessiond/store/walk.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* The journal is larger than what lives, or deleted values have been in it for so long. */
static bool is_due(const struct journal *journal)
{
    const struct journal_config *config = &journal->config;
    uint64_t live_bytes = metric_read(&journal->metrics.checkpoint_bytes);
    uint64_t most = live_bytes > config->checkpoint_bytes ? live_bytes : config->checkpoint_bytes;
    int64_t age_ms = journal_ms(journal) - journal->checkpoint_ms;

    if (config->checkpoint_bytes == 0 || journal_ms(journal) < journal->checkpoint_not_before_ms) {
        return false;
    }
    return journal->log_bytes > most ||
           (journal->has_dead &&
            age_ms + (int64_t)metric_read(&journal->metrics.checkpoint_ms) > config->checkpoint_ms);
}

/* Between slices. */
static bool rest(void *context)
{
    timekeeper_look(context);
    (void)usleep(CHECKPOINT_REST_US);
    return !journal_ask_ending(context);
}

/* Wait until everything that was accepted is synced: an image that ran ahead of the journal would make recovery
 * skip later deletes. Returns its sequence; 0: the journal ends. */
static uint64_t sync_all(struct journal *journal)
{
    uint64_t last;

    (void)pthread_mutex_lock(&journal->lock);
    last = journal->writer.next_sequence - (journal->pending->facts.n_records > 0 ? 0 : 1);
    while (atomic_load(&journal->durable) < last && !journal_is_ending(journal)) {
        journal->must_write = true;
        journal->must_sync = true;
        (void)pthread_cond_signal(&journal->write_wanted);
        (void)pthread_cond_signal(&journal->sync_wanted);
        journal_wait(journal, &journal->checkpoint_wanted, CHECKPOINT_LOOK_MS * INT64_C(1000));
    }
    if (atomic_load(&journal->durable) < last) {
        last = 0;
    }
    (void)pthread_mutex_unlock(&journal->lock);
    return last;
}

/* What the journal is not read from any more. */
static enum sess_status remove_segments(struct directory *directory, uint64_t below,
                                        struct sess_error *error)
{
    uint64_t *numbers = NULL;
    size_t n_numbers = 0;
    enum sess_status status = chain_list(directory, SEGMENT_JOURNAL, &numbers, &n_numbers, error);

    for (size_t i = 0; status == SESS_OK && i < n_numbers && numbers[i] < below; i++) {
        char name[FILE_NAME_SIZE];

        segment_name(SEGMENT_JOURNAL, numbers[i], name);
        status = directory_remove(directory, name, error);
        failpoint("checkpoint.removed");
    }
    free(numbers);
    return status;
}

/* What the journal's files take now: they were counted as they came, and some went. */
struct measure {
    size_t n_segments;
    uint64_t n_bytes;
};

static uint64_t size_of(struct directory *directory, uint64_t number)
{
    char name[FILE_NAME_SIZE];
    struct sess_error ignored;
    struct file file;
    uint64_t size = 0;

    segment_name(SEGMENT_JOURNAL, number, name);
    if (file_open(directory, name, FILE_READ, &file, &ignored) == SESS_OK) {
        (void)!file_size(&file, &size, &ignored);
        file_close(&file);
    }
    return size;
}

static struct measure measure(struct directory *directory)
{
    struct measure found = {.n_segments = 0};
    struct sess_error ignored;
    uint64_t *numbers = NULL;

    (void)!chain_list(directory, SEGMENT_JOURNAL, &numbers, &found.n_segments, &ignored);
    for (size_t i = 0; i < found.n_segments; i++) {
        found.n_bytes += size_of(directory, numbers[i]);
    }
    free(numbers);
    return found;
}

/* Give it its name; only then does what it replaces go. */
static enum sess_status finish(struct journal *journal, struct checkpoint *checkpoint,
                               const struct record *end, struct sess_error *error)
{
    struct directory *directory = journal->config.directory;
    enum sess_status status = segment_finish(&checkpoint->segment, error);

    if (status != SESS_OK) {
        checkpoint_drop(checkpoint);
        return status;
    }
    failpoint("checkpoint.named");
    status = remove_segments(directory, end->segment, error);
    if (status == SESS_OK) {
        status = checkpoint_remove_others(directory, checkpoint->number, error);
    }
    if (status == SESS_OK) {
        status = directory_sync(directory, error);
    }
    file_close(&checkpoint->segment.file);
    return status;
}

/* Under the lock, which is given up meanwhile: frames go to the next file from here on, so that what was deleted
 * before goes with the old ones. Returns whether they do: not while the disk is full. */
static bool leave_segment(struct journal *journal)
{
    struct writer *writer = &journal->writer;
    uint64_t left = writer->current.number;

    writer->must_leave = true;
    while (writer->current.number == left && !journal_is_ending(journal) &&
           !journal->is_out_of_space) {
        if (writer_can_leave(writer) && commit_can_write(journal)) {
            (void)commit_write(journal);
        } else {
            journal_wait(journal, &journal->checkpoint_wanted, CHECKPOINT_LOOK_MS * INT64_C(1000));
        }
    }
    writer->must_leave = false;
    return writer->current.number != left;
}

/* Where the journal is to be read from over the image: asked before the first shard is copied. */
static void begin(struct journal *journal, struct checkpoint *checkpoint, struct record *end)
{
    bool has_left;
    uint64_t linked;

    *checkpoint = (struct checkpoint){
        .directory = journal->config.directory,
        .store = journal->config.store,
        .batch = &journal->image,
        .rest = rest,
        .context = journal,
    };
    (void)pthread_mutex_lock(&journal->lock);
    checkpoint->number = journal->checkpoint_number + 1;
    has_left = leave_segment(journal);
    checkpoint->now_s = journal_time(journal);
    linked = journal->writer.link.sequence;
    /* All of the file that stays: what it tells of before now changes nothing. But what the start wrote there is
     * in the store, and a clock that it accepted must not be taken for one of now. */
    *end = (struct record){
        .sequence = linked > journal->start_sequence ? linked : journal->start_sequence,
        .segment = journal->writer.current.number,
    };
    journal->has_dead = journal->has_dead && (!has_left || journal->last_data > end->sequence ||
                                              journal->pending->facts.n_records > 0);
    (void)pthread_mutex_unlock(&journal->lock);
    journal_wake(journal);
    end->deadline_s = store_get_facts(journal->config.store).flush_at_s;
}

static int64_t ask_time(struct journal *journal)
{
    int64_t time_s;

    (void)pthread_mutex_lock(&journal->lock);
    time_s = journal_time(journal);
    (void)pthread_mutex_unlock(&journal->lock);
    return time_s;
}

static enum sess_status take(struct journal *journal, struct checkpoint *checkpoint,
                             struct record *end, struct sess_error *error)
{
    enum sess_status status = checkpoint_write(checkpoint, error);

    if (status != SESS_OK) {
        return status;
    }
    failpoint("checkpoint.walked");
    end->cas = store_get_facts(journal->config.store).next_cas;
    end->last = sync_all(journal);
    /* What has expired since the begin was left out: no start may go back before that. */
    checkpoint->now_s = ask_time(journal);
    status = end->last == 0 ? SESS_CLOSED : checkpoint_end(checkpoint, end, error);
    if (status != SESS_OK) {
        checkpoint_drop(checkpoint);
        return status;
    }
    failpoint("checkpoint.ended");
    return finish(journal, checkpoint, end, error);
}

static void note_done(struct journal *journal, const struct checkpoint *checkpoint,
                      const struct measure *files, uint64_t log_bytes, int64_t began_ms)
{
    struct journal_metrics *metrics = &journal->metrics;

    atomic_store(&metrics->journal_segments, files->n_segments);
    atomic_store(&metrics->journal_size, files->n_bytes);
    journal->checkpoint_number = checkpoint->number;
    journal->checkpoint_ms = began_ms;
    journal->log_bytes -= log_bytes;
    metric_add(&metrics->checkpoints, 1);
    atomic_store(&metrics->checkpoint_entries, checkpoint->n_entries);
    atomic_store(&metrics->checkpoint_bytes, checkpoint->at);
    atomic_store(&metrics->checkpoint_ms, (uint64_t)(journal_ms(journal) - began_ms));
}

/* Under the lock, which is given up meanwhile. */
static void run_one(struct journal *journal)
{
    uint64_t log_bytes = journal->log_bytes;
    int64_t began_ms = journal_ms(journal);
    struct checkpoint checkpoint;
    struct measure files;
    struct record end;
    struct sess_error error;
    enum sess_status status;

    /* All of it: what else it could wait for are workers and the syncer, which are looked at themselves. */
    journal_to_disk(journal, PULSE_CHECKPOINTER);
    begin(journal, &checkpoint, &end);
    status = take(journal, &checkpoint, &end, &error);
    files = measure(journal->config.directory);
    journal_from_disk(journal, PULSE_CHECKPOINTER);
    switch (status) {
    case SESS_OK:
        note_done(journal, &checkpoint, &files, log_bytes, began_ms);
        break;
    case SESS_CLOSED:
        break;
    case SESS_NO_SPACE:
    case SESS_LIMIT:
    case SESS_NO_MEMORY:
        log_write(LOG_LEVEL_WARNING,
                  "%s: the checkpoint is given up and tried again later; until then the journal "
                  "grows",
                  error.text);
        journal->has_dead = true;
        journal->checkpoint_not_before_ms = journal_ms(journal) + CHECKPOINT_RETRY_MS;
        metric_add(&journal->metrics.checkpoints_given_up, 1);
        break;
    default:
        journal_fail(journal, &error);
        break;
    }
}

/* A worker that wakes is run at once, not behind a slice of the walk. A thread of Linux has a priority of its
 * own; where it cannot be lowered nothing but the tail suffers. */
static void yield_to_workers(void)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), CHECKPOINTER_NICE);
}

void *checkpointer_run(void *journal)
{
    struct journal *self = journal;

    yield_to_workers();
    (void)pthread_mutex_lock(&self->lock);
    while (!journal_is_ending(self)) {
        journal_turn(self, PULSE_CHECKPOINTER);
        if (is_due(self)) {
            run_one(self);
        } else {
            journal_wait(self, &self->checkpoint_wanted, CHECKPOINT_LOOK_MS * INT64_C(1000));
        }
        (void)pthread_mutex_unlock(&self->lock);
        timekeeper_look(self);
        failpoint("time.looked");
        (void)pthread_mutex_lock(&self->lock);
    }
    (void)pthread_mutex_unlock(&self->lock);
    return NULL;
}
