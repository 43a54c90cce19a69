/* Unit tests of recovery: what it finds is what there was, and it goes on without doing anything twice. */
#include "written_journal.h"

enum { PAST_S = FIXTURE_NOW_S - 5000, FAR_S = FIXTURE_NOW_S + WRITTEN_LIFE_S };

/* Start, compare, stop. The store is recovered into the fixture, which the caller closes. */
static void start(struct written *written, struct store_fixture *fixture)
{
    fixture_open(fixture);
    store_on_mutation(fixture->store, NULL, NULL);
    written_stop(written);
    ck_assert_int_eq(written_recover(written, fixture->store), SESS_OK);
}

static void start_and_check(struct written *written)
{
    struct store_fixture fixture;

    start(written, &fixture);
    written_check(&fixture, &written->state);
    fixture_close(&fixture);
}

START_TEST(an_empty_directory_is_an_empty_store)
{
    struct written written;

    written_begin(&written);
    ck_assert_uint_eq(written.found.n_frames, 0);
    ck_assert_uint_eq(written.found.highest_sequence, 0);
    ck_assert_uint_eq(memory_directory_count(written.memory), 1);
    start_and_check(&written);
    written_end(&written);
}
END_TEST

START_TEST(every_kind_of_change_comes_back)
{
    struct written written;

    written_begin(&written);
    written_set(&written, 0, 10, FAR_S);
    written_set(&written, 1, 0, STORE_NO_DEADLINE);
    written_set(&written, 2, 7, FAR_S);
    written_commit(&written);
    written_change(&written, RECORD_TOUCH, 0, FAR_S + 500);
    written_change(&written, RECORD_DELETE, 2, 0);
    written_commit(&written);
    start_and_check(&written);
    written_change(&written, RECORD_FLUSH, 0, FIXTURE_NOW_S);
    written_set(&written, 3, 3, FAR_S);
    written_commit(&written);
    start_and_check(&written);
    ck_assert(written.state.keys[3].is_there && !written.state.keys[0].is_there);
    written_end(&written);
}
END_TEST

/* The image is past its time; the touch that follows says that the session was not. */
START_TEST(nothing_is_judged_by_time_before_all_is_applied)
{
    struct written written;

    written_begin(&written);
    written_set(&written, 0, 10, PAST_S);
    written_set(&written, 1, 10, PAST_S);
    written_commit(&written);
    written_change(&written, RECORD_TOUCH, 0, FAR_S);
    written_commit(&written);
    written.state.keys[1].is_there = false;
    start_and_check(&written);
    written_end(&written);
}
END_TEST

START_TEST(a_touch_that_makes_it_past_is_applied_too)
{
    struct written written;

    written_begin(&written);
    written_set(&written, 0, 10, FAR_S);
    written_change(&written, RECORD_TOUCH, 0, PAST_S);
    written_commit(&written);
    written.state.keys[0].is_there = false;
    start_and_check(&written);
    written_end(&written);
}
END_TEST

START_TEST(a_flush_that_is_to_come_is_told)
{
    struct written written;

    written_begin(&written);
    written_set(&written, 0, 10, FAR_S);
    written_change(&written, RECORD_FLUSH, 0, FAR_S);
    written_commit(&written);
    start_and_check(&written);
    ck_assert_int_eq(written.found.flush_at_s, FAR_S);
    /* It is what is copied, too. */
    start_and_check(&written);
    ck_assert_int_eq(written.found.flush_at_s, FAR_S);
    written_change(&written, RECORD_FLUSH, 0, 0);
    written_commit(&written);
    start_and_check(&written);
    ck_assert_int_eq(written.found.flush_at_s, STORE_NO_DEADLINE);
    written_end(&written);
}
END_TEST

START_TEST(the_highest_ids_and_the_latest_time_are_told)
{
    struct written written;
    uint64_t cas;
    uint64_t first;

    written_begin(&written);
    written.cas = 1000;
    written_set(&written, 0, 10, FAR_S);
    written_set(&written, 1, 10, FAR_S);
    written_change(&written, RECORD_DELETE, 1, 0);
    written_commit(&written);
    start_and_check(&written);
    cas = written.found.highest_cas;
    ck_assert_uint_ge(cas, 1001);
    ck_assert_int_eq(written.found.time_s, FIXTURE_NOW_S);
    first = written.writer.next_sequence;
    ck_assert_uint_gt(first, written.found.highest_sequence);
    /* Nothing was written since: ids may have been given out all the same. */
    start_and_check(&written);
    ck_assert_uint_ge(written.found.highest_cas, cas + RECOVERY_CAS_JUMP);
    ck_assert_uint_gt(written.writer.next_sequence, first);
    written_end(&written);
}
END_TEST

/* What is cut was never acknowledged, but its ids were given out. */
START_TEST(the_ids_of_what_is_cut_are_not_given_out_again)
{
    struct written written;
    uint64_t at;
    uint64_t sequence;
    uint8_t *bytes;
    size_t size;

    written_begin(&written);
    at = frame_round(written.writer.at, FRAME_BLOCK);
    written_set(&written, 0, 10, FAR_S);
    written_commit(&written);
    written.cas = (uint64_t)1 << 40;
    written_set(&written, 1, 10, FAR_S);
    sequence = written.writer.next_sequence;
    written_commit(&written);
    bytes =
        (uint8_t *)(uintptr_t)memory_directory_bytes(written.memory, "journal-000000000001", &size);
    bytes[at + FRAME_HEAD_SIZE] ^= 1;
    written.state.keys[0].is_there = false;
    written.state.keys[1].is_there = false;
    start_and_check(&written);
    ck_assert_uint_ge(written.found.highest_cas, (uint64_t)1 << 40);
    ck_assert_uint_ge(written.found.highest_sequence, sequence);
    ck_assert_uint_gt(written.writer.next_sequence, sequence);
    ck_assert_uint_gt(written.found.n_cut, 0);
    ck_assert_uint_eq(written.found.cut_segment, 1);
    ck_assert_uint_eq(written.found.cut_offset, at - FRAME_BLOCK + FRAME_HEAD_SIZE);
    written_end(&written);
}
END_TEST

START_TEST(an_unknown_record_is_refused)
{
    struct written written;
    struct store_fixture fixture;
    struct record record = {.type = RECORD_DELETE, .key = SLICE_LITERAL("key-0")};

    written_begin(&written);
    written_set(&written, 0, 10, FAR_S);
    batch_add(&written.batch, &record, NULL);
    written.batch.bytes[written.batch.used - 9] = (uint8_t)_i;
    written_set(&written, 1, 10, FAR_S);
    written_commit(&written);
    written_stop(&written);
    fixture_open(&fixture);
    ck_assert_int_eq(written_recover(&written, fixture.store),
                     _i == RECORD_HOLD || _i == RECORD_END || _i == RECORD_CLOCK ? SESS_DAMAGED
                                                                                 : SESS_REFUSED);
    ck_assert_ptr_nonnull(strstr(written.error.text, "journal-000000000001, offset "));
    fixture_close(&fixture);
    written_end(&written);
}
END_TEST

START_TEST(what_does_not_fit_memory_is_refused)
{
    struct written written;
    struct store_fixture fixture;
    size_t taken;

    written_begin(&written);
    written_set(&written, 0, 10, FAR_S);
    written_commit(&written);
    written_stop(&written);
    fixture_open(&fixture);
    taken = ((size_t)1 << 30) - budget_used(&fixture.data);
    ck_assert(budget_charge(&fixture.data, taken));
    ck_assert_int_eq(written_recover(&written, fixture.store), SESS_OUT_OF_RANGE);
    budget_release(&fixture.data, taken);
    fixture_close(&fixture);
    ck_assert_uint_eq(memory_directory_count(written.memory), 1);
    written_end(&written);
}
END_TEST

/* The n-th such call of a start fails: nothing is lost, and the next start finds all. Returns whether there
 * was such a call. */
static bool fail_at(enum memory_call call, unsigned n)
{
    struct written written;
    struct store_fixture fixture;
    bool has_failed;

    written_begin(&written);
    written_set(&written, 0, 10, FAR_S);
    written_set(&written, 1, 10, FAR_S);
    written_commit(&written);
    written_stop(&written);
    fixture_open(&fixture);
    memory_directory_fail(written.memory, call, n, SESS_IO);
    has_failed = written_recover(&written, fixture.store) != SESS_OK;
    ck_assert(!has_failed || written.error.status == SESS_IO);
    fixture_close(&fixture);
    memory_directory_restart(written.memory);
    start_and_check(&written);
    written_end(&written);
    return has_failed;
}

static const enum memory_call failing[] = {
    MEMORY_OPEN,           MEMORY_CREATE,   MEMORY_WRITE, MEMORY_READ,
    MEMORY_SIZE,           MEMORY_ALLOCATE, MEMORY_SYNC,  MEMORY_TRUNCATE,
    MEMORY_SYNC_DIRECTORY, MEMORY_RENAME,   MEMORY_LIST,
};

START_TEST(a_start_that_fails_anywhere_loses_nothing)
{
    unsigned n = 1;

    while (fail_at(failing[_i], n)) {
        ck_assert_uint_lt(++n, 100);
    }
    ck_assert_uint_gt(n, 1);
}
END_TEST

START_TEST(starts_leave_no_files_behind_that_lead_nowhere)
{
    struct written written;
    size_t size;

    written_begin(&written);
    written_set(&written, 0, 10, FAR_S);
    written_commit(&written);
    written_mark(&written);
    written_make_next(&written);
    while (written.writer.current.number == 1) {
        written_set(&written, 1, WRITTEN_VALUE_MAX, FAR_S);
        written_commit(&written);
    }
    /* Segment 2 was never synced: a start goes on from 1, and is interrupted behind the naming. */
    written_stop(&written);
    memory_directory_fail(written.memory, MEMORY_REMOVE, 2, SESS_IO);
    ck_assert_int_eq(written_recover(&written, NULL), SESS_IO);
    ck_assert_ptr_nonnull(memory_directory_bytes(written.memory, "journal-000000000002", &size));
    start_and_check(&written);
    ck_assert_ptr_null(memory_directory_bytes(written.memory, "journal-000000000002", &size));
    ck_assert_uint_eq(memory_directory_count(written.memory), 3);
    written_end(&written);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal/recovery");
    TCase *facts = suite_case(suite, "recovery");

    tcase_set_timeout(facts, 0);
    tcase_add_test(facts, an_empty_directory_is_an_empty_store);
    tcase_add_test(facts, every_kind_of_change_comes_back);
    tcase_add_test(facts, nothing_is_judged_by_time_before_all_is_applied);
    tcase_add_test(facts, a_touch_that_makes_it_past_is_applied_too);
    tcase_add_test(facts, a_flush_that_is_to_come_is_told);
    tcase_add_test(facts, the_highest_ids_and_the_latest_time_are_told);
    tcase_add_test(facts, the_ids_of_what_is_cut_are_not_given_out_again);
    tcase_add_loop_test(facts, an_unknown_record_is_refused, 7, 12);
    tcase_add_test(facts, what_does_not_fit_memory_is_refused);
    tcase_add_loop_test(facts, a_start_that_fails_anywhere_loses_nothing, 0, SUITE_ROWS(failing));
    tcase_add_test(facts, starts_leave_no_files_behind_that_lead_nowhere);
    return suite_run(suite);
}
