/* What the journal's bodies share. Threads: any. Memory: none. */
#include "state.h"

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
