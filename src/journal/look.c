/* A look at the journal's threads from outside. What they note of themselves is state.c. Threads: the looker's.
 * Memory: none. */
#include "sessiond/journal/journal.h"

#include "state.h"

/* Whether it stands where it stood at the last look. Under the lock. */
static bool has_stood_still(struct pulse *pulse)
{
    bool has = pulse->n_turns == pulse->n_seen;

    pulse->n_seen = pulse->n_turns;
    return has;
}

struct journal_look journal_look(struct journal *journal)
{
    const struct pulse *write = &journal->pulses[PULSE_WRITE];
    struct journal_look look = {.is_stuck = false};

    (void)pthread_mutex_lock(&journal->lock);
    look.is_write_held = has_stood_still(&journal->pulses[PULSE_WRITE]) && write->is_at_disk;
    for (unsigned i = 0; i < JOURNAL_THREADS; i++) {
        bool is_still = has_stood_still(&journal->pulses[i]);

        look.is_stuck = look.is_stuck || (is_still && !journal->pulses[i].is_at_disk);
    }
    /* Any of them may be the one that writes. */
    look.is_stuck = look.is_stuck && !look.is_write_held;
    journal_news(journal);
    (void)pthread_mutex_unlock(&journal->lock);
    return look;
}
