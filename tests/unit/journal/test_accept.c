/* Unit tests of accepting changes: what is a revocation in which mode, and when there is no room. */
#include "open_journal.h"

enum { NOW = FIXTURE_NOW_S, MIN_LIFE = 60 };

static const struct {
    const char *what;
    struct mutation mutation;
    bool by_deletes;
    bool by_overwrites;
} rows[] = {
    {"a new session", {.kind = MUTATION_SET, .deadline_s = NOW + 100}, false, false},
    {"one stored anew, to live longer",
     {.kind = MUTATION_SET, .old_deadline_s = NOW + 100, .deadline_s = NOW + 200},
     false,
     true},
    {"one stored anew, to live as long",
     {.kind = MUTATION_SET, .old_deadline_s = NOW + 100, .deadline_s = NOW + 100},
     false,
     true},
    {"one stored anew, to end earlier",
     {.kind = MUTATION_SET, .old_deadline_s = NOW + 100, .deadline_s = NOW + 99},
     true,
     true},
    {"one without end, stored with one",
     {.kind = MUTATION_SET, .old_deadline_s = STORE_NO_DEADLINE, .deadline_s = NOW + 5000},
     true,
     true},
    {"a touch to live longer",
     {.kind = MUTATION_SET,
      .is_touch = true,
      .old_deadline_s = NOW + 100,
      .deadline_s = STORE_NO_DEADLINE},
     false,
     false},
    {"a touch to end earlier",
     {.kind = MUTATION_SET, .is_touch = true, .old_deadline_s = NOW + 100, .deadline_s = NOW + 99},
     true,
     true},
    {"a logout", {.kind = MUTATION_DELETE, .old_deadline_s = NOW + MIN_LIFE}, true, true},
    {"a logout of one that never ends",
     {.kind = MUTATION_DELETE, .old_deadline_s = STORE_NO_DEADLINE},
     true,
     true},
    {"a lock's end", {.kind = MUTATION_DELETE, .old_deadline_s = NOW + MIN_LIFE - 1}, false, false},
    {"a lock shortened",
     {.kind = MUTATION_SET, .old_deadline_s = NOW + MIN_LIFE - 1, .deadline_s = NOW + 1},
     false,
     false},
    {"one on probation, stored once more",
     {.kind = MUTATION_SET,
      .old_deadline_s = NOW + 1000,
      .deadline_s = NOW + 10,
      .marks.asked_s = NOW + 1000},
     false,
     true},
    {"one on probation, to end earlier",
     {.kind = MUTATION_SET,
      .old_deadline_s = NOW + 1000,
      .deadline_s = NOW + 10,
      .marks.asked_s = NOW + 999},
     true,
     true},
    {"the delete of nothing", {.kind = MUTATION_DELETE}, false, false},
    {"a flush", {.kind = MUTATION_FLUSH, .deadline_s = NOW}, true, true},
    {"a flush that is to come", {.kind = MUTATION_FLUSH, .deadline_s = NOW + 10}, true, true},
};

static bool is_revocation(enum fsync_choice fsync, enum revocations_choice revocations, int row)
{
    struct mutation mutation = rows[row].mutation;
    struct mutation_receipt receipt;
    struct open_journal open;

    mutation.now_s = NOW;
    if (mutation.kind != MUTATION_FLUSH) {
        mutation.key = SLICE_LITERAL("key");
    }
    open_begin(&open, fsync, revocations);
    ck_assert_int_eq(journal_accept(open.journal, &mutation, &receipt), MUTATION_ACCEPTED);
    open_end(&open);
    return receipt.is_revocation;
}

START_TEST(revocations_are_those_of_the_mode)
{
    const char *what = rows[_i].what;

    ck_assert_msg(is_revocation(FSYNC_EVERYSEC, REVOCATIONS_DELETES, _i) == rows[_i].by_deletes,
                  "%s", what);
    ck_assert_msg(is_revocation(FSYNC_EVERYSEC, REVOCATIONS_OVERWRITES, _i) ==
                      rows[_i].by_overwrites,
                  "%s", what);
    ck_assert_msg(!is_revocation(FSYNC_EVERYSEC, REVOCATIONS_NO, _i), "%s", what);
    /* All wait for the sync there, or none. */
    ck_assert_msg(!is_revocation(FSYNC_ALWAYS, REVOCATIONS_OVERWRITES, _i), "%s", what);
    ck_assert_msg(!is_revocation(FSYNC_NEVER, REVOCATIONS_OVERWRITES, _i), "%s", what);
}
END_TEST

START_TEST(all_of_a_batch_have_its_ticket)
{
    struct open_journal open;
    uint64_t first;
    uint64_t second;

    open_begin(&open, FSYNC_EVERYSEC, REVOCATIONS_DELETES);
    first = open_accept(&open, open_set("a", "1"));
    ck_assert_uint_eq(open_accept(&open, open_set("b", "2")), first);
    ck_assert(open_may_leave(&open, 0, first, 0));
    second = open_accept(&open, open_set("c", "3"));
    ck_assert_uint_gt(second, first);
    open_end(&open);
}
END_TEST

/* Nobody writes: the flusher's thread does not run. */
START_TEST(a_full_batch_is_busy_until_it_is_written)
{
    struct mutation mutation = open_set("key", "some value");
    struct mutation_receipt receipt;
    struct open_journal open;
    unsigned n = 0;
    uint64_t ticket = 0;

    open_begin(&open, FSYNC_EVERYSEC, REVOCATIONS_DELETES);
    while (journal_accept(open.journal, &mutation, &receipt) == MUTATION_ACCEPTED) {
        ticket = receipt.ticket;
        ck_assert_uint_lt(++n, OPEN_BATCH);
    }
    ck_assert_int_eq(journal_accept(open.journal, &mutation, &receipt), MUTATION_BUSY);
    ck_assert_uint_eq(receipt.ticket, 0);
    ck_assert_uint_eq(metric_read(&open.journal->metrics.journal_busy), 2);
    ck_assert_uint_eq(metric_read(&open.journal->metrics.journal_records), n);
    ck_assert(open_may_leave(&open, 0, ticket, 0));
    ck_assert_int_eq(journal_accept(open.journal, &mutation, &receipt), MUTATION_ACCEPTED);
    open_end(&open);
}
END_TEST

static enum mutation_answer fill_segment(struct open_journal *open)
{
    struct mutation mutation = open_set("key", "some value");
    struct mutation_receipt receipt;
    enum mutation_answer answer = MUTATION_ACCEPTED;

    for (unsigned n = 0; answer == MUTATION_ACCEPTED; n++) {
        ck_assert_uint_lt(n, OPEN_SEGMENT);
        answer = journal_accept(open->journal, &mutation, &receipt);
        if (answer == MUTATION_ACCEPTED) {
            /* Which writes it; nobody syncs. */
            ck_assert(open_may_leave(open, 0, receipt.ticket, 0) ==
                      (open->options.fsync != FSYNC_ALWAYS));
        }
    }
    return answer;
}

START_TEST(a_full_segment_is_busy_and_on_a_full_disk_refused)
{
    struct mutation mutation = open_set("key", "some value");
    struct mutation_receipt receipt;
    struct open_journal open;

    open_begin(&open, FSYNC_EVERYSEC, REVOCATIONS_DELETES);
    ck_assert_int_eq(fill_segment(&open), MUTATION_BUSY);
    open.journal->is_out_of_space = true;
    ck_assert_int_eq(journal_accept(open.journal, &mutation, &receipt), MUTATION_REFUSED);
    ck_assert_uint_eq(metric_read(&open.journal->metrics.journal_refused), 1);
    open_end(&open);
}
END_TEST

/* Rows that may use what is kept for revocations: in each mode, and whatever life the session had. */
static bool may_use_reserve(const struct mutation *mutation)
{
    return mutation->kind == MUTATION_FLUSH ||
           (mutation->old_deadline_s != 0 &&
            mutation_full_deadline(mutation) < mutation->old_deadline_s);
}

static const enum fsync_choice modes[] = {FSYNC_ALWAYS, FSYNC_EVERYSEC, FSYNC_NEVER};

START_TEST(the_last_part_takes_revocations_alone)
{
    struct open_journal open;
    struct mutation_receipt receipt;

    open_begin(&open, modes[_i], REVOCATIONS_NO);
    open.journal->is_out_of_space = true;
    ck_assert_int_eq(fill_segment(&open), MUTATION_REFUSED);
    for (int row = 0; row < SUITE_ROWS(rows); row++) {
        struct mutation mutation = rows[row].mutation;
        bool is_taken;

        mutation.now_s = NOW;
        if (mutation.kind != MUTATION_FLUSH) {
            mutation.key = SLICE_LITERAL("key");
        }
        is_taken = journal_accept(open.journal, &mutation, &receipt) == MUTATION_ACCEPTED;
        ck_assert_msg(is_taken == may_use_reserve(&mutation), "%s", rows[row].what);
    }
    open_end(&open);
}
END_TEST

/* Also before it is known that the disk is full: they wait for the next file, and leave that part alone. */
START_TEST(the_last_part_is_kept_before_the_disk_is_full)
{
    struct mutation mutation = open_set("key", "some value");
    struct mutation_receipt receipt;
    struct open_journal open;

    open_begin(&open, FSYNC_EVERYSEC, REVOCATIONS_DELETES);
    ck_assert_int_eq(fill_segment(&open), MUTATION_BUSY);
    mutation = open_delete("key");
    ck_assert_int_eq(journal_accept(open.journal, &mutation, &receipt), MUTATION_ACCEPTED);
    ck_assert_uint_eq(metric_read(&open.journal->metrics.journal_refused), 0);
    open_end(&open);
}
END_TEST

/* Logouts, one by one, with the syncs that each of them waits for: some at least. */
START_TEST(when_that_is_gone_revocations_are_refused_too)
{
    enum { LEAST = 7 }; /* of 64 KiB, two blocks each */
    struct mutation mutation = open_delete("key");
    struct mutation_receipt receipt;
    struct open_journal open;
    uint64_t refused;
    unsigned n = 0;

    open_begin(&open, FSYNC_EVERYSEC, REVOCATIONS_DELETES);
    open.journal->is_out_of_space = true;
    (void)fill_segment(&open);
    refused = metric_read(&open.journal->metrics.journal_refused);
    while (journal_accept(open.journal, &mutation, &receipt) == MUTATION_ACCEPTED) {
        ck_assert(open_may_leave(&open, 0, receipt.ticket, 0));
        open.journal->writer.must_align = true;
        ck_assert_uint_lt(++n, OPEN_SEGMENT);
    }
    ck_assert_uint_ge(n, LEAST);
    ck_assert_int_eq(journal_accept(open.journal, &mutation, &receipt), MUTATION_REFUSED);
    ck_assert_uint_eq(receipt.ticket, 0);
    ck_assert_uint_eq(metric_read(&open.journal->metrics.journal_refused), refused + 2);
    open_end(&open);
}
END_TEST

/* With its threads: the maker meets a full disk, and then there is space again. */
START_TEST(changes_go_on_when_there_is_space_again)
{
    struct mutation mutation = open_set("key", "some value");
    struct mutation_receipt receipt;
    struct open_journal open;
    enum mutation_answer answer = MUTATION_BUSY;

    open_begin(&open, FSYNC_EVERYSEC, REVOCATIONS_DELETES);
    memory_directory_fail(open.memory, MEMORY_ALLOCATE, 1, SESS_NO_SPACE);
    open_start(&open);
    for (unsigned tries = 0; answer != MUTATION_REFUSED; tries++) {
        ck_assert_uint_lt(tries, OPEN_TRIES);
        answer = fill_segment(&open);
        (void)usleep(answer == MUTATION_REFUSED ? 0 : 1000);
    }
    for (unsigned tries = 0; answer != MUTATION_ACCEPTED; tries++) {
        ck_assert_uint_lt(tries, OPEN_TRIES);
        (void)usleep(1000);
        answer = journal_accept(open.journal, &mutation, &receipt);
    }
    open_await(&open, 0, receipt.ticket, 0);
    ck_assert_int_eq(journal_stop(open.journal, &open.error), SESS_OK);
    ck_assert_uint_eq(atomic_load(&open.n_failures), 0);
    open_end(&open);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal/accept");
    TCase *facts = suite_case(suite, "accept");

    tcase_set_timeout(facts, 0);
    tcase_add_loop_test(facts, revocations_are_those_of_the_mode, 0, SUITE_ROWS(rows));
    tcase_add_test(facts, all_of_a_batch_have_its_ticket);
    tcase_add_test(facts, a_full_batch_is_busy_until_it_is_written);
    tcase_add_test(facts, a_full_segment_is_busy_and_on_a_full_disk_refused);
    tcase_add_loop_test(facts, the_last_part_takes_revocations_alone, 0, SUITE_ROWS(modes));
    tcase_add_test(facts, the_last_part_is_kept_before_the_disk_is_full);
    tcase_add_test(facts, when_that_is_gone_revocations_are_refused_too);
    tcase_add_test(facts, changes_go_on_when_there_is_space_again);
    return suite_run(suite);
}
