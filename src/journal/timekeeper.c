/* The journal's time: what its frames carry, frames for it alone, and the end of a grace.
 *
 * The time of the last frame is the mark behind which no start goes back, so what has expired must not stay
 * without a frame for long. In a grace the mark stands still. Threads: any, as told in state.h. Memory: none. */
#include "state.h"

#include "sessiond/store/grace.h"

enum { TIME_LOOK_MS = 500 }; /* between two looks, at least */

int64_t journal_time(const struct journal *journal)
{
    int64_t now_s = clock_now(journal->config.clock).wall_s;

    return now_s > journal->time_s && !journal->is_in_grace ? now_s : journal->time_s;
}

/* The store first: a change that it accepted by a time that was wrong is then told in the grace still. */
static void look_for_end(struct journal *journal)
{
    if (clock_is_in_grace(journal->config.clock)) {
        return;
    }
    store_end_grace(journal->config.store);
    (void)pthread_mutex_lock(&journal->lock);
    journal->is_in_grace = false;
    atomic_store(&journal->metrics.clock_in_grace, 0);
    (void)pthread_mutex_unlock(&journal->lock);
}

/* Whatever is pending goes with it. Returns false when it is to be tried again. */
static bool write_time(struct journal *journal)
{
    bool has_written = false;
    bool is_told;

    (void)pthread_mutex_lock(&journal->lock);
    is_told = journal_time(journal) <= journal->time_s;
    if (!is_told && commit_can_write(journal)) {
        has_written = commit_write(journal);
    }
    (void)pthread_mutex_unlock(&journal->lock);
    if (has_written) {
        journal_wake(journal);
    }
    return is_told || has_written;
}

void timekeeper_look(struct journal *journal)
{
    int64_t now_ms = journal_ms(journal);
    uint64_t n_expired;

    if (now_ms < journal->time_look_ms) {
        return;
    }
    n_expired = store_count_expired(journal->config.store);
    if (journal->is_in_grace) {
        look_for_end(journal);
    } else if (n_expired != journal->n_expired && !write_time(journal)) {
        return;
    }
    journal->n_expired = n_expired;
    journal->time_look_ms = now_ms + TIME_LOOK_MS;
}

void timekeeper_stop(struct journal *journal)
{
    if (journal->n_threads > 0) {
        (void)write_time(journal);
    }
}
