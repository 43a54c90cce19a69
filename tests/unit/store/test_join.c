/* Unit tests of append and prepend: what is joined, what stays, and somebody else who is faster. */
#include "change.h"

#include "faults.h"
#include "key_state.h"
#include "suite_main.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MAX_VALUE = 1 << 20,
    SMALL = STORE_COPY_MAX,
    FLAGS = 7,
    DEADLINE_S = FIXTURE_NOW_S + 10,
};

static uint8_t old_bytes[MAX_VALUE];
static uint8_t more_bytes[2 * MAX_VALUE];
static uint8_t joined[2 * MAX_VALUE];
static struct store_fixture fixture;

static void set_up(void)
{
    for (size_t i = 0; i < sizeof old_bytes; i++) {
        old_bytes[i] = (uint8_t)(i * 31 % 251);
    }
    for (size_t i = 0; i < sizeof more_bytes; i++) {
        more_bytes[i] = (uint8_t)(1 + i * 17 % 253);
    }
    fixture_open(&fixture);
}

static void tear_down(void)
{
    inside_check_budget(&fixture);
    inside_check_pages(fixture.store);
    fixture_close(&fixture);
}

static void put_old(size_t size)
{
    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, "key", slice_of(old_bytes, size),
                                         FLAGS, DEADLINE_S),
                     SESS_OK);
}

/* With flags and a deadline that must not count: not even one that has passed. */
static enum sess_status join(enum store_mode mode, size_t size)
{
    return fixture_write_slice(&fixture, mode, "key", slice_of(more_bytes, size), 99, 1);
}

/* The same, with the bytes received first. */
static enum sess_status join_by_upload(enum store_mode mode, size_t size)
{
    struct store_write write = {.mode = mode, .key = SLICE_LITERAL("key"), .flags = 99};
    struct store_upload *upload = NULL;
    size_t at = 0;
    size_t room = 0;
    uint8_t *place;

    ck_assert_int_eq(store_upload_begin(fixture.store, size, 2, &upload), SESS_OK);
    do {
        ck_assert_int_eq(store_upload_place(upload, MAX_VALUE, &place, &room), SESS_OK);
        memcpy(place, more_bytes + at, room); /* the tail is of no interest */
        store_upload_received(upload, room);
        at += room;
    } while (room > 0);
    ck_assert_uint_eq(at, size + 2);
    return store_upload_commit(fixture.store, &upload, &write, fixture.now_s, &fixture.outcome);
}

static struct slice join_here(enum store_mode mode, size_t old_size, size_t more_size)
{
    bool is_append = mode == STORE_APPEND;

    memcpy(joined + (is_append ? 0 : more_size), old_bytes, old_size);
    memcpy(joined + (is_append ? old_size : 0), more_bytes, more_size);
    return slice_of(joined, old_size + more_size);
}

/* The joined value is there, is what the hook was told, and has a new CAS id; flags and deadline are the
 * old ones. */
static void check_joined(struct slice value, uint64_t old_cas)
{
    const struct mutation *told = &fixture.recorder.last.mutation;
    struct seen seen = fixture_look(&fixture, "key");
    size_t noted = value.size < FIXTURE_TEXT_MAX ? value.size : FIXTURE_TEXT_MAX;

    ck_assert(fixture_holds(&fixture, "key", value));
    ck_assert_uint_eq(seen.flags, FLAGS);
    ck_assert_uint_gt(seen.cas, old_cas);
    ck_assert_int_eq(entry_deadline(inside_entry(fixture.store, SLICE_LITERAL("key"))), DEADLINE_S);
    ck_assert_int_eq(told->kind, MUTATION_SET);
    ck_assert(!told->is_touch);
    ck_assert_uint_eq(told->value.size, value.size);
    ck_assert(slice_equal(slice_of(told->value.data, noted), slice_of(value.data, noted)));
    ck_assert_uint_eq(told->flags, FLAGS);
    ck_assert_uint_eq(told->cas, seen.cas);
    ck_assert_int_eq(told->deadline_s, DEADLINE_S);
    ck_assert_int_eq(told->old_deadline_s, DEADLINE_S);
}

/* Sizes of what is there and of what is added. */
static const struct {
    size_t old_size;
    size_t more_size;
} rows
    [] =
        {
            {0, 0},
            {0, 10},
            {10, 0},
            {10, 20},
            {1, SMALL - 1},
            {SMALL - 1, 1},
            {SMALL, 0},
            {0, SMALL},
            {SMALL, 1}, /* a small value becomes a large one */
            {1, SMALL},
            {SMALL, SMALL},
            {100, 100000},
            {100000, 100}, /* a large value grows */
            {100000, 0},
            {0, 100000},
            {100000, 200000},
            {MAX_VALUE - 1, 1},
            {1, MAX_VALUE - 1},
            {MAX_VALUE, 0},
            {0, MAX_VALUE},
};

static void try_row(enum store_mode mode, bool by_upload)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t more_size = rows[i].more_size;
        uint64_t cas;

        put_old(rows[i].old_size);
        cas = fixture.outcome.cas;
        ck_assert_int_eq(by_upload ? join_by_upload(mode, more_size) : join(mode, more_size),
                         SESS_OK);
        ck_assert_uint_gt(fixture.outcome.cas, cas);
        check_joined(join_here(mode, rows[i].old_size, more_size), cas);
        ck_assert_uint_eq(budget_used(&fixture.in_flight), 0);
        inside_check_budget(&fixture);
    }
}

START_TEST(append_puts_it_behind)
{
    try_row(STORE_APPEND, false);
}
END_TEST

START_TEST(prepend_puts_it_in_front)
{
    try_row(STORE_PREPEND, false);
}
END_TEST

START_TEST(append_of_what_was_received)
{
    try_row(STORE_APPEND, true);
}
END_TEST

START_TEST(prepend_of_what_was_received)
{
    try_row(STORE_PREPEND, true);
}
END_TEST

/* The store has small pages, and so fewer values stand in their entries. */
START_TEST(small_store_has_large_values_earlier)
{
    size_t small;

    fixture_close(&fixture);
    fixture_prepare(&fixture);
    budget_init(&fixture.data, 16 << 20);
    fixture_start(&fixture);
    small = fixture.store->inline_max;
    ck_assert_uint_lt(small, SMALL);
    for (size_t more = 1; more < 4; more++) {
        put_old(small - 2);
        ck_assert_int_eq(join(STORE_APPEND, more), SESS_OK);
        ck_assert_int_eq(inside_block_size(fixture.store) > 0, more > 2);
        check_joined(join_here(STORE_APPEND, small - 2, more), 0);
    }
}
END_TEST

/* Again and again, from nothing to the largest size, at both ends. */
START_TEST(many_joins)
{
    struct slice value = {.size = 0};

    put_old(0);
    for (size_t i = 0; value.size + 3000 <= MAX_VALUE; i++) {
        size_t size = 1 + i * 37 % 3000;
        bool is_append = i % 2 == 0;

        ck_assert_int_eq(join(is_append ? STORE_APPEND : STORE_PREPEND, size), SESS_OK);
        memmove(joined + (is_append ? 0 : size), joined, value.size);
        memcpy(joined + (is_append ? value.size : 0), more_bytes, size);
        value = slice_of(joined, value.size + size);
    }
    ck_assert(fixture_holds(&fixture, "key", value));
    ck_assert_int_eq(join(STORE_APPEND, MAX_VALUE - value.size), SESS_OK);
    ck_assert_int_eq(join(STORE_APPEND, 1), SESS_TOO_LARGE);
}
END_TEST

/* A join that comes to nothing, for whatever reason, changes nothing. */
static void check_refused(enum store_mode mode, size_t more_size, enum sess_status status)
{
    struct key_state state = key_state_of(&fixture, "key");
    struct key_state after;

    ck_assert_int_eq(join(mode, more_size), status);
    ck_assert_uint_eq(fixture.outcome.cas, 0);
    if (more_size <= MAX_VALUE) {
        ck_assert_int_eq(join_by_upload(mode, more_size), status);
    }
    after = key_state_of(&fixture, "key");
    assert_same_state(&after, &state);
}

static void check_both_refused(size_t more_size, enum sess_status status)
{
    check_refused(STORE_APPEND, more_size, status);
    check_refused(STORE_PREPEND, more_size, status);
}

/* Absent, deleted, flushed and expired: there is nothing to add to. */
START_TEST(nothing_to_add_to)
{
    check_both_refused(10, SESS_NOT_STORED);
    put_old(10);
    (void)fixture_delete(&fixture, "key");
    check_both_refused(10, SESS_NOT_STORED);
    put_old(10);
    (void)fixture_flush(&fixture, 0);
    check_both_refused(10, SESS_NOT_STORED);
    check_both_refused(MAX_VALUE, SESS_NOT_STORED);
    put_old(100000);
    fixture.now_s = DEADLINE_S;
    check_both_refused(10, SESS_NOT_STORED);
    ck_assert_uint_eq(fixture.recorder.n_calls, 5);
}
END_TEST

/* The sum is over the largest size, or what is added is by itself. */
START_TEST(joined_is_too_large)
{
    static const size_t sizes[] = {0, 10, 100000, MAX_VALUE};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        put_old(sizes[i]);
        check_both_refused(MAX_VALUE - sizes[i] + 1, SESS_TOO_LARGE);
        check_both_refused(2 * MAX_VALUE, SESS_TOO_LARGE);
    }
}
END_TEST

/* The journal does not take it: small and large. */
START_TEST(hook_says_no)
{
    static const size_t sizes[] = {10, 100000};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct store_upload *upload = NULL;
        struct store_write write = {.mode = STORE_APPEND, .key = SLICE_LITERAL("key")};

        fixture.recorder.answer = MUTATION_ACCEPTED;
        put_old(sizes[i]);
        fixture.recorder.answer = MUTATION_REFUSED;
        check_both_refused(10, SESS_REFUSED);
        /* An upload stays for another try. */
        fixture.recorder.answer = MUTATION_BUSY;
        ck_assert_int_eq(join(STORE_APPEND, 10), SESS_BUSY);
        ck_assert_int_eq(store_upload_begin(fixture.store, 0, 0, &upload), SESS_OK);
        ck_assert_int_eq(
            store_upload_commit(fixture.store, &upload, &write, fixture.now_s, &fixture.outcome),
            SESS_BUSY);
        ck_assert(fixture_holds(&fixture, "key", slice_of(old_bytes, sizes[i])));
        store_upload_abort(&upload);
    }
}
END_TEST

/* The budget is full, or there are no addresses for the joined value: the old one stays. */
START_TEST(no_memory)
{
    put_old(100000);
    fixture.data.limit = budget_used(&fixture.data);
    check_both_refused(100000, SESS_NO_MEMORY);
    fixture.data.limit = SIZE_MAX;
    for (unsigned nth = 1; nth <= 2; nth++) {
        struct key_state state = key_state_of(&fixture, "key");
        struct key_state after;

        put_old(100);
        state = key_state_of(&fixture, "key");
        faults_fail_mprotect(nth);
        ck_assert_int_eq(join(STORE_APPEND, SMALL), SESS_NO_MEMORY);
        after = key_state_of(&fixture, "key");
        assert_same_state(&after, &state);
    }
}
END_TEST

/* A large value is looked at while it is joined: the look stays whole. */
START_TEST(reader_keeps_the_old_value)
{
    struct store_reading reading;

    put_old(100000);
    ck_assert_int_eq(
        store_read_begin(fixture.store, SLICE_LITERAL("key"), 0, fixture.now_s, &reading), SESS_OK);
    ck_assert_int_eq(join(STORE_PREPEND, 50000), SESS_OK);
    ck_assert(slice_equal(reading.value, slice_of(old_bytes, 100000)));
    store_read_end(&reading);
    check_joined(join_here(STORE_PREPEND, 100000, 50000), 0);
}
END_TEST

/* What somebody else does to the key while the joined value is being made. */
enum interruption { OVERWRITE, TOUCH, DELETE, DELETE_AND_ADD };

static void interrupt(void *context)
{
    const enum interruption *interruption = context;
    struct store_outcome outcome;
    struct store_write write = {.key = SLICE_LITERAL("key"),
                                .value = slice_of(more_bytes, 50),
                                .flags = FLAGS,
                                .expiry = store_expiry_at(DEADLINE_S)};

    switch (*interruption) {
    case DELETE_AND_ADD:
        ck_assert_int_eq(store_delete(fixture.store, write.key, 0, fixture.now_s, &outcome),
                         SESS_OK);
        write.mode = STORE_ADD;
        write.value = slice_of(old_bytes, 100);
        __attribute__((fallthrough));
    case OVERWRITE:
        ck_assert_int_eq(store_write(fixture.store, &write, fixture.now_s, &outcome), SESS_OK);
        break;
    case TOUCH:
        ck_assert_int_eq(store_touch(fixture.store, write.key, 0, store_expiry_at(DEADLINE_S + 5),
                                     fixture.now_s, &outcome),
                         SESS_OK);
        break;
    default:
        ck_assert_int_eq(store_delete(fixture.store, write.key, 0, fixture.now_s, &outcome),
                         SESS_OK);
        break;
    }
}

/* Append 100,000 bytes to 100, interrupted before the joined value is made. */
static enum sess_status join_interrupted(enum interruption interruption)
{
    put_old(100);
    faults_call_at_mprotect(interrupt, &interruption);
    return join(STORE_APPEND, 100000);
}

/* Another value was stored meanwhile: that one is added to. */
START_TEST(overwritten_between_the_tries)
{
    ck_assert_int_eq(join_interrupted(OVERWRITE), SESS_OK);
    memcpy(joined, more_bytes, 50);
    memcpy(joined + 50, more_bytes, 100000);
    check_joined(slice_of(joined, 100050), 0);
    ck_assert_uint_eq(fixture.recorder.n_calls, 3);
}
END_TEST

/* The same bytes, but under another CAS id. */
START_TEST(added_anew_between_the_tries)
{
    ck_assert_int_eq(join_interrupted(DELETE_AND_ADD), SESS_OK);
    check_joined(join_here(STORE_APPEND, 100, 100000), 2);
    ck_assert_uint_eq(fixture.recorder.n_calls, 4);
}
END_TEST

/* A touch leaves the CAS id; its deadline is the one that stays. */
START_TEST(touched_between_the_tries)
{
    ck_assert_int_eq(join_interrupted(TOUCH), SESS_OK);
    ck_assert(fixture_holds(&fixture, "key", join_here(STORE_APPEND, 100, 100000)));
    ck_assert_int_eq(entry_deadline(inside_entry(fixture.store, SLICE_LITERAL("key"))),
                     DEADLINE_S + 5);
    ck_assert_int_eq(fixture.recorder.last.mutation.old_deadline_s, DEADLINE_S + 5);
}
END_TEST

/* The key was deleted meanwhile: it does not come back. */
START_TEST(deleted_between_the_tries)
{
    ck_assert_int_eq(join_interrupted(DELETE), SESS_NOT_STORED);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 0);
    ck_assert_uint_eq(fixture.recorder.n_calls, 2);
}
END_TEST

enum { N_THREADS = 4, N_JOINS = 150, RECORD = 300 };

struct joiner {
    pthread_t thread;
    uint8_t mark;
    uint64_t n_failed;
};

static void *join_again_and_again(void *context)
{
    struct joiner *self = context;
    uint8_t record[RECORD];

    for (unsigned i = 0; i < N_JOINS; i++) {
        struct store_write write = {.mode = i % 2 == 0 ? STORE_APPEND : STORE_PREPEND,
                                    .key = SLICE_LITERAL("key"),
                                    .value = slice_of(record, sizeof record)};
        struct store_outcome outcome;

        memset(record, self->mark, sizeof record);
        self->n_failed += store_write(fixture.store, &write, FIXTURE_NOW_S, &outcome) != SESS_OK;
    }
    return NULL;
}

/* Four threads add to both ends of one value: no record is lost, torn or there twice. */
START_TEST(threads_join)
{
    struct joiner joiners[N_THREADS];
    struct store_reading reading;
    unsigned counts[N_THREADS] = {0};

    put_old(0);
    store_on_mutation(fixture.store, NULL, NULL);
    for (unsigned i = 0; i < N_THREADS; i++) {
        joiners[i] = (struct joiner){.mark = (uint8_t)i};
        ck_assert_int_eq(
            pthread_create(&joiners[i].thread, NULL, join_again_and_again, &joiners[i]), 0);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        ck_assert_int_eq(pthread_join(joiners[i].thread, NULL), 0);
        ck_assert_uint_eq(joiners[i].n_failed, 0);
    }
    ck_assert_int_eq(
        store_read_begin(fixture.store, SLICE_LITERAL("key"), 0, fixture.now_s, &reading), SESS_OK);
    ck_assert_uint_eq(reading.value.size, N_THREADS * N_JOINS * RECORD);
    for (size_t i = 0; i < reading.value.size; i++) {
        HOT_ASSERT(reading.value.data[i] == reading.value.data[i / RECORD * RECORD]);
        counts[reading.value.data[i]]++;
    }
    store_read_end(&reading);
    for (unsigned i = 0; i < N_THREADS; i++) {
        ck_assert_uint_eq(counts[i], N_JOINS * RECORD);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        append_puts_it_behind,
        prepend_puts_it_in_front,
        append_of_what_was_received,
        prepend_of_what_was_received,
        small_store_has_large_values_earlier,
        many_joins,
        nothing_to_add_to,
        joined_is_too_large,
        hook_says_no,
        no_memory,
        reader_keeps_the_old_value,
        overwritten_between_the_tries,
        added_anew_between_the_tries,
        touched_between_the_tries,
        deleted_between_the_tries,
        threads_join,
    };
    Suite *suite = suite_create("store/join");
    TCase *facts = suite_case(suite, "change_join");

    tcase_set_timeout(facts, 0);
    tcase_add_checked_fixture(facts, set_up, tear_down);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        tcase_add_test(facts, tests[i]);
    }
    return suite_run(suite);
}
