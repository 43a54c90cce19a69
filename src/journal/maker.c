/* The maker of segments: a thread that has the next one ready before it is needed.
 *
 * Zeroed, so that a sync of what is later written there changes nothing else on the disk. Threads: its own.
 * Memory: a chunk of zeros, read-only. */
#include "state.h"

#include "sessiond/base/failpoint.h"
#include "sessiond/base/log.h"

#include <unistd.h>

/* In pieces with rests, so that syncs of others do not wait long.
 * returns  OK | CLOSED (the journal ends) | NO_SPACE | IO */
static enum sess_status fill(struct journal *journal, struct segment *segment,
                             struct sess_error *error)
{
    static const uint8_t zeros[SPARE_CHUNK];
    enum sess_status status = SESS_OK;

    for (uint64_t at = SEGMENT_HEADER_SIZE; status == SESS_OK && at < segment->size;
         at += SPARE_CHUNK) {
        uint64_t left = segment->size - at;
        struct slice piece = slice_of(zeros, left < SPARE_CHUNK ? (size_t)left : SPARE_CHUNK);

        if (journal_ask_ending(journal)) {
            return SESS_CLOSED;
        }
        status = file_write(&segment->file, &piece, 1, at, error);
        if (status == SESS_OK) {
            status = file_sync(&segment->file, error);
        }
        failpoint("segment.filled");
        (void)usleep(SPARE_REST_US);
    }
    return status;
}

/* returns  OK | CLOSED | NO_SPACE | LIMIT | IO; but for OK nothing is left of it */
static enum sess_status make(struct journal *journal, int64_t now_s, struct segment *segment,
                             struct sess_error *error)
{
    struct directory *directory = journal->config.directory;
    enum sess_status status;

    status = segment_begin(directory, now_s, segment, error);

    if (status != SESS_OK) {
        return status;
    }
    status = fill(journal, segment, error);
    if (status == SESS_OK) {
        status = segment_finish(segment, error);
    }
    if (status != SESS_OK) {
        struct sess_error ignored;

        file_close(&segment->file);
        (void)!directory_remove(directory, segment->file.name, &ignored);
    }
    return status;
}

static void take_segment(struct journal *journal, const struct segment *segment)
{
    journal->writer.next = *segment;
    journal->writer.has_next = true;
    metric_add(&journal->metrics.journal_segments, 1);
    metric_add(&journal->metrics.journal_size, segment->size);
    if (journal->is_out_of_space) {
        log_write(LOG_LEVEL_INFO, "there is space for the journal again: changes are accepted");
    }
    journal->is_out_of_space = false;
    (void)pthread_cond_signal(&journal->write_wanted);
    (void)pthread_cond_signal(&journal->sync_wanted);
    (void)pthread_cond_signal(&journal->checkpoint_wanted);
}

static void meet_full_disk(struct journal *journal, const struct sess_error *error)
{
    if (!journal->is_out_of_space) {
        log_write(LOG_LEVEL_ERROR,
                  "%s: when the journal's present file is nearly full, changes will be refused, "
                  "but for those that end sessions, until there is room; it is tried again every "
                  "second",
                  error->text);
    }
    journal->is_out_of_space = true;
    (void)pthread_cond_signal(&journal->checkpoint_wanted);
}

/* Under the lock, which is given up meanwhile. */
static void make_next(struct journal *journal)
{
    struct segment segment = {.number = journal->writer.next_number++,
                              .size = journal->config.segment_bytes};
    int64_t now_s = journal_time(journal);
    struct sess_error error;
    enum sess_status status;

    journal_to_disk(journal, PULSE_MAKER);
    status = make(journal, now_s, &segment, &error);
    journal_from_disk(journal, PULSE_MAKER);
    switch (status) {
    case SESS_OK:
        take_segment(journal, &segment);
        break;
    case SESS_CLOSED:
        break;
    case SESS_NO_SPACE:
    case SESS_LIMIT:
        meet_full_disk(journal, &error);
        break;
    default:
        journal_fail(journal, &error);
        break;
    }
}

/* Under the lock. */
static void rest_on_full_disk(struct journal *journal)
{
    if (journal->is_out_of_space && !journal_is_ending(journal)) {
        journal_wait(journal, &journal->spare_wanted, SPARE_RETRY_MS * INT64_C(1000));
    }
}

void *maker_run(void *journal)
{
    struct journal *self = journal;

    (void)pthread_mutex_lock(&self->lock);
    while (!journal_is_ending(self)) {
        journal_turn(self, PULSE_MAKER);
        if (self->writer.has_next) {
            (void)pthread_cond_wait(&self->spare_wanted, &self->lock);
        } else {
            make_next(self);
            (void)pthread_mutex_unlock(&self->lock);
            failpoint("spare.published");
            /* Those that wait are told also that there is no room. */
            journal_wake(self);
            (void)pthread_mutex_lock(&self->lock);
            rest_on_full_disk(self);
        }
    }
    (void)pthread_mutex_unlock(&self->lock);
    return NULL;
}
