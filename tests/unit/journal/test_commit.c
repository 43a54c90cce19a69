/* Unit tests of what may leave: which tickets wait for what, in which mode. */
#include "open_journal.h"

/* With the threads, and syncs that stall: whatever leaves now did not wait for one. */
static void begin_stalled(struct open_journal *open, enum fsync_choice fsync)
{
    open_begin(open, fsync, REVOCATIONS_DELETES);
    memory_directory_stall(open->memory, MEMORY_SYNC);
    open_start(open);
}

static void end_stalled(struct open_journal *open)
{
    memory_directory_release(open->memory, MEMORY_SYNC);
    ck_assert_int_eq(journal_stop(open->journal, &open->error), SESS_OK);
    open_end(open);
}

START_TEST(nothing_waits_for_nothing)
{
    struct open_journal open;

    open_begin(&open, (enum fsync_choice)_i, REVOCATIONS_DELETES);
    ck_assert(open_may_leave(&open, 0, 0, 0));
    (void)open_accept(&open, open_set("a", "1"));
    ck_assert(open_may_leave(&open, 0, 0, 0));
    open_end(&open);
}
END_TEST

START_TEST(always_waits_for_all_that_is_told_of)
{
    struct open_journal open;
    uint64_t ticket;

    begin_stalled(&open, FSYNC_ALWAYS);
    ticket = open_accept(&open, open_set("a", "1"));
    ck_assert(!open_may_leave(&open, ticket, ticket, 0));
    memory_directory_await_stalled(open.memory, MEMORY_SYNC);
    /* A read that has seen it, too. */
    ck_assert(!open_may_leave(&open, ticket, 0, 0));
    ck_assert(!open_may_leave(&open, 0, ticket, 0));
    ck_assert(open_may_leave(&open, ticket - 1, ticket - 1, 0));
    memory_directory_release(open.memory, MEMORY_SYNC);
    open_await(&open, ticket, ticket, 0);
    end_stalled(&open);
}
END_TEST

START_TEST(everysec_waits_for_revocations_alone)
{
    struct open_journal open;
    uint64_t ticket;

    begin_stalled(&open, FSYNC_EVERYSEC);
    ticket = open_accept(&open, open_set("a", "1"));
    ck_assert(open_may_leave(&open, ticket, ticket, 0));
    ticket = open_accept(&open, open_delete("a"));
    ck_assert(!open_may_leave(&open, ticket, ticket, ticket));
    memory_directory_await_stalled(open.memory, MEMORY_SYNC);
    ck_assert(!open_may_leave(&open, ticket, ticket, ticket));
    /* Reads of the same shard do not wait. */
    ck_assert(open_may_leave(&open, ticket, 0, 0));
    memory_directory_release(open.memory, MEMORY_SYNC);
    open_await(&open, ticket, ticket, ticket);
    end_stalled(&open);
}
END_TEST

START_TEST(never_waits_for_the_write)
{
    struct open_journal open;
    uint64_t ticket;

    begin_stalled(&open, FSYNC_NEVER);
    ticket = open_accept(&open, open_delete("a"));
    ck_assert_uint_lt(atomic_load(&open.journal->written), ticket);
    ck_assert(open_may_leave(&open, ticket, ticket, 0));
    ck_assert_uint_eq(atomic_load(&open.journal->written), ticket);
    ck_assert_uint_lt(atomic_load(&open.journal->durable), ticket);
    end_stalled(&open);
}
END_TEST

/* The threads do not run, so nobody syncs. */
START_TEST(everysec_waits_when_a_change_is_old)
{
    struct open_journal open;
    uint64_t ticket;

    open_begin(&open, FSYNC_EVERYSEC, REVOCATIONS_DELETES);
    ticket = open_accept(&open, open_set("a", "1"));
    ck_assert(open_may_leave(&open, 0, ticket, 0));
    clock_advance(open.clock, LATE_AFTER_MS);
    ticket = open_accept(&open, open_set("b", "1"));
    ck_assert(open_may_leave(&open, 0, ticket, 0));
    clock_advance(open.clock, 1);
    ck_assert(!open_may_leave(&open, 0, ticket, 0));
    /* What is synced has nothing to wait for, nor has a read. */
    ck_assert(open_may_leave(&open, 0, atomic_load(&open.journal->durable), 0));
    ck_assert(open_may_leave(&open, ticket, 0, 0));
    open_end(&open);
}
END_TEST

START_TEST(never_is_not_late)
{
    struct open_journal open;
    uint64_t ticket;

    open_begin(&open, FSYNC_NEVER, REVOCATIONS_DELETES);
    ticket = open_accept(&open, open_set("a", "1"));
    ck_assert(open_may_leave(&open, 0, ticket, 0));
    clock_advance(open.clock, 10 * LATE_AFTER_MS);
    ck_assert(open_may_leave(&open, 0, ticket, 0));
    open_end(&open);
}
END_TEST

START_TEST(a_sync_begins_in_time_by_itself)
{
    struct open_journal open;
    uint64_t ticket;

    open_begin(&open, FSYNC_EVERYSEC, REVOCATIONS_DELETES);
    open_start(&open);
    ticket = open_accept(&open, open_set("a", "1"));
    ck_assert(open_may_leave(&open, 0, ticket, 0));
    clock_advance(open.clock, SYNC_AFTER_MS);
    for (unsigned tries = 0; atomic_load(&open.journal->durable) < ticket; tries++) {
        ck_assert_uint_lt(tries, OPEN_TRIES);
        (void)usleep(1000);
    }
    ck_assert_int_eq(journal_stop(open.journal, &open.error), SESS_OK);
    open_end(&open);
}
END_TEST

START_TEST(a_failed_write_lets_nothing_leave)
{
    struct mutation mutation = open_set("b", "2");
    struct mutation_receipt receipt;
    struct open_journal open;
    uint64_t ticket;

    open_begin(&open, (enum fsync_choice)_i, REVOCATIONS_DELETES);
    ticket = open_accept(&open, open_set("a", "1"));
    memory_directory_fail(open.memory, MEMORY_WRITE, 1, SESS_IO);
    ck_assert(!open_may_leave(&open, 0, ticket, 0));
    ck_assert_uint_eq(atomic_load(&open.n_failures), 1);
    /* The disk would do it again: it is not asked. */
    ck_assert(!open_may_leave(&open, 0, ticket, 0));
    ck_assert(!open_may_leave(&open, 0, 0, 0));
    ck_assert_int_eq(journal_accept(open.journal, &mutation, &receipt), MUTATION_BUSY);
    ck_assert_uint_eq(atomic_load(&open.n_failures), 1);
    ck_assert_int_eq(journal_stop(open.journal, &open.error), SESS_IO);
    open_end(&open);
}
END_TEST

START_TEST(a_failed_sync_lets_nothing_leave_and_is_the_last)
{
    struct open_journal open;
    uint64_t ticket;
    unsigned n_syncs;

    begin_stalled(&open, FSYNC_EVERYSEC);
    ticket = open_accept(&open, open_delete("a"));
    ck_assert(!open_may_leave(&open, 0, ticket, ticket));
    memory_directory_await_stalled(open.memory, MEMORY_SYNC);
    /* The maker of segments may be the one that stalls: whoever is first, it is the last. */
    memory_directory_fail(open.memory, MEMORY_SYNC, 1, SESS_IO);
    memory_directory_release(open.memory, MEMORY_SYNC);
    for (unsigned tries = 0; atomic_load(&open.n_failures) == 0; tries++) {
        ck_assert_uint_lt(tries, OPEN_TRIES);
        (void)usleep(1000);
    }
    ck_assert(!open_may_leave(&open, 0, ticket, ticket));
    ck_assert(!open_may_leave(&open, 0, ticket, 0));
    ck_assert_int_eq(journal_stop(open.journal, &open.error), SESS_IO);
    n_syncs = memory_directory_calls(open.memory, MEMORY_SYNC);
    open_end(&open);
    ck_assert_uint_gt(n_syncs, 0);
}
END_TEST

struct writing {
    struct open_journal *open;
    uint64_t ticket;
};

static void *write_pending(void *context)
{
    struct writing *writing = context;

    (void)open_may_leave(writing->open, 0, writing->ticket, 0);
    return NULL;
}

static bool has_next(struct open_journal *open)
{
    bool is_there;

    (void)pthread_mutex_lock(&open->journal->lock);
    is_there = open->journal->writer.has_next;
    (void)pthread_mutex_unlock(&open->journal->lock);
    return is_there;
}

/* A mark comes due while a worker writes, whose frame carries it: nobody is held up for a sync then. */
START_TEST(a_mark_that_comes_late_holds_nobody_up)
{
    struct open_journal open;
    struct writing writing = {.open = &open};
    pthread_t thread;
    uint64_t ticket;

    open_begin(&open, FSYNC_EVERYSEC, REVOCATIONS_DELETES);
    open_start(&open);
    /* The maker writes as well: it is to be done. */
    for (unsigned tries = 0; !has_next(&open); tries++) {
        ck_assert_uint_lt(tries, OPEN_TRIES);
        (void)usleep(1000);
    }
    ticket = open_accept(&open, open_delete("a"));
    open_await(&open, 0, ticket, ticket);
    memory_directory_stall(open.memory, MEMORY_WRITE);
    clock_advance(open.clock, MARK_AFTER_MS);
    writing.ticket = open_accept(&open, open_set("b", "1"));
    ck_assert_int_eq(pthread_create(&thread, NULL, write_pending, &writing), 0);
    memory_directory_await_stalled(open.memory, MEMORY_WRITE);
    /* Long enough for the syncer to look; if it were not, the test would only see less. */
    (void)usleep(1500000);
    memory_directory_release(open.memory, MEMORY_WRITE);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    (void)pthread_mutex_lock(&open.journal->lock);
    ck_assert(!open.journal->is_sync_due);
    (void)pthread_mutex_unlock(&open.journal->lock);
    ck_assert_int_eq(journal_stop(open.journal, &open.error), SESS_OK);
    open_end(&open);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal/commit");
    TCase *facts = suite_case(suite, "commit");

    tcase_set_timeout(facts, 0);
    tcase_add_loop_test(facts, nothing_waits_for_nothing, 0, 3);
    tcase_add_test(facts, always_waits_for_all_that_is_told_of);
    tcase_add_test(facts, everysec_waits_for_revocations_alone);
    tcase_add_test(facts, never_waits_for_the_write);
    tcase_add_test(facts, everysec_waits_when_a_change_is_old);
    tcase_add_test(facts, never_is_not_late);
    tcase_add_test(facts, a_sync_begins_in_time_by_itself);
    tcase_add_loop_test(facts, a_failed_write_lets_nothing_leave, 0, 3);
    tcase_add_test(facts, a_failed_sync_lets_nothing_leave_and_is_the_last);
    tcase_add_test(facts, a_mark_that_comes_late_holds_nobody_up);
    return suite_run(suite);
}
