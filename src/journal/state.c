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
    journal_news(journal);
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

void journal_turn(struct journal *journal, enum journal_pulse pulse)
{
    journal->pulses[pulse].n_turns++;
}

void journal_to_disk(struct journal *journal, enum journal_pulse pulse)
{
    journal_turn(journal, pulse);
    journal->pulses[pulse].is_at_disk = true;
    (void)pthread_mutex_unlock(&journal->lock);
}

void journal_from_disk(struct journal *journal, enum journal_pulse pulse)
{
    (void)pthread_mutex_lock(&journal->lock);
    journal->pulses[pulse].is_at_disk = false;
    journal_turn(journal, pulse);
}

void journal_news(struct journal *journal)
{
    (void)pthread_cond_broadcast(&journal->write_wanted);
    (void)pthread_cond_broadcast(&journal->sync_wanted);
    (void)pthread_cond_broadcast(&journal->spare_wanted);
    (void)pthread_cond_broadcast(&journal->checkpoint_wanted);
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
