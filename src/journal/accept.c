/* Accepting changes: under a shard's lock, before the change, never waiting.
 *
 * Threads: any. Memory: the pending batch. */
#include "sessiond/journal/journal.h"

#include "state.h"

#include "sessiond/base/failpoint.h"

/* Whether this change must be on disk before it is answered: the rules of sync-revocations. */
static bool is_revocation(const struct journal *journal, const struct mutation *mutation)
{
    uint64_t revocations = journal->config.options->sync_revocations;
    bool overwrites = revocations == REVOCATIONS_OVERWRITES && mutation->kind == MUTATION_SET &&
                      !mutation->is_touch && mutation->old_deadline_s != 0;

    if (journal->fsync != FSYNC_EVERYSEC || revocations == REVOCATIONS_NO) {
        return false;
    }
    if (mutation->kind == MUTATION_FLUSH) {
        return true;
    }
    /* Locks come and go with every request of PHP. */
    return (overwrites || mutation_revokes(mutation)) &&
           mutation->old_deadline_s - mutation->now_s >=
               (int64_t)(journal->config.options->sync_min_life / 1000);
}

static bool fits(const struct journal *journal, const struct mutation *mutation, size_t size)
{
    switch (writer_room(&journal->writer, size)) {
    case ROOM_HERE:
    case ROOM_NEXT:
        return true;
    case ROOM_RESERVE:
        /* What ends a session, or lets it end earlier, in every mode and whatever life it had. */
        return mutation_revokes(mutation);
    case ROOM_NOT_YET:
        break;
    }
    return false;
}

/* Under the lock. */
static enum mutation_answer find_room(struct journal *journal, const struct mutation *mutation,
                                      const struct record *record, const struct value_block *block)
{
    size_t size = batch_size_with(journal->pending, record, block);

    if (atomic_load_explicit(&journal->has_failed, memory_order_relaxed)) {
        return MUTATION_BUSY;
    }
    if (size > 0 && fits(journal, mutation, size)) {
        return MUTATION_ACCEPTED;
    }
    if (size > 0 && journal->is_out_of_space) {
        metric_add(&journal->metrics.journal_refused, 1);
        return MUTATION_REFUSED;
    }
    metric_add(&journal->metrics.journal_busy, 1);
    journal->must_write = true;
    (void)pthread_cond_signal(&journal->write_wanted);
    return MUTATION_BUSY;
}

static void add(struct journal *journal, const struct mutation *mutation,
                const struct record *record, struct value_block *block,
                struct mutation_receipt *receipt)
{
    struct batch *batch = journal->pending;
    struct batch_facts *facts = &batch->facts;

    if (facts->n_records == 0) {
        facts->since_ms = journal_ms(journal);
    }
    batch_add(batch, record, block);
    /* In a grace nobody knows what the time is. */
    if (mutation->now_s > facts->time_s && !journal->is_in_grace) {
        facts->time_s = mutation->now_s;
    }
    facts->has_revocation = facts->has_revocation || receipt->is_revocation;
    receipt->ticket = journal->writer.next_sequence;
    journal->has_dead = journal->has_dead || mutation->kind == MUTATION_FLUSH ||
                        (mutation->old_deadline_s != 0 && !mutation->is_touch);
    metric_add(&journal->metrics.journal_records, 1);
    metric_add(&journal->metrics.journal_revocations, receipt->is_revocation);
    failpoint("change.accepted");
}

enum mutation_answer journal_accept(void *journal, const struct mutation *mutation,
                                    struct mutation_receipt *receipt)
{
    struct journal *self = journal;
    struct record record = record_of(mutation);
    struct value_block *block = record_is_state(&record) ? mutation->block : NULL;
    enum mutation_answer answer;

    *receipt = (struct mutation_receipt){.is_revocation = is_revocation(self, mutation)};
    (void)pthread_mutex_lock(&self->lock);
    answer = find_room(self, mutation, &record, block);
    if (answer == MUTATION_ACCEPTED) {
        add(self, mutation, &record, block, receipt);
    }
    (void)pthread_mutex_unlock(&self->lock);
    return answer;
}
