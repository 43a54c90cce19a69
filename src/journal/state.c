/* What the journal's bodies share. Threads: any. Memory: none. */
#include "state.h"

#include <time.h>

int64_t journal_ms(const struct journal *journal)
{
    return clock_now(journal->config.clock).boot_ms;
}

void journal_wake(struct journal *journal)
{
    if (journal->config.wake != NULL) {
        journal->config.wake(journal->config.wake_context);
    }
}

void journal_fail(struct journal *journal, const struct sess_error *error)
{
    bool is_first = !atomic_load(&journal->has_failed);

    if (is_first) {
        journal->failure = *error;
        atomic_store(&journal->has_failed, true);
    }
    (void)pthread_cond_broadcast(&journal->write_wanted);
    (void)pthread_cond_broadcast(&journal->sync_wanted);
    (void)pthread_cond_broadcast(&journal->spare_wanted);
    (void)pthread_cond_broadcast(&journal->checkpoint_wanted);
    if (is_first && journal->config.failed != NULL) {
        journal->config.failed(journal->config.failed_context);
    }
}

bool journal_is_ending(const struct journal *journal)
{
    return journal->is_stopping || atomic_load(&journal->has_failed);
}

bool journal_ask_ending(struct journal *journal)
{
    bool is_ending;

    (void)pthread_mutex_lock(&journal->lock);
    is_ending = journal_is_ending(journal);
    (void)pthread_mutex_unlock(&journal->lock);
    return is_ending;
}

void journal_wait(struct journal *journal, pthread_cond_t *news, int64_t us)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += us / 1000000;
    at.tv_nsec += us % 1000000 * 1000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(news, &journal->lock, &at);
}
