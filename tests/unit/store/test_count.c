/* Unit tests of numbers as values: what is a number, how it counts, and where it stands. */
#include "sessiond/store/store.h"

#include "faults.h"
#include "key_state.h"
#include "suite.h"

#include <stdlib.h>

enum { FLAGS = 7, DEADLINE_S = FIXTURE_NOW_S + 10 };

static void put(struct store_fixture *fixture, struct slice value)
{
    ck_assert_int_eq(fixture_write_slice(fixture, STORE_SET, "key", value, FLAGS, DEADLINE_S),
                     SESS_OK);
}

static void put_text(struct store_fixture *fixture, const char *text)
{
    put(fixture, slice_from_text(text));
}

/* A count that goes through. */
struct row {
    const char *value;
    uint64_t delta;
    bool is_decrement;
    const char *after;
};

static const struct row rows[] = {
    {"0", 1, false, "1"},
    {"5", 0, false, "5"},
    {"9", 1, false, "10"},
    {"99", 1, false, "100"},
    {"10", 1, true, "9"},
    {"1000", 1, true, "999"},
    {"5", 5, true, "0"},
    {"5", 6, true, "0"},
    {"5", UINT64_MAX, true, "0"},
    {"0", 1, true, "0"},
    {"18446744073709551614", 1, false, "18446744073709551615"},
    {"18446744073709551615", 1, false, "0"},
    {"18446744073709551615", 2, false, "1"},
    {"18446744073709551615", UINT64_MAX, false, "18446744073709551614"},
    {"1", UINT64_MAX, false, "0"},
    {"18446744073709551615", 0, true, "18446744073709551615"},
    {"18446744073709551615", UINT64_MAX, true, "0"},
    {"007", 1, false, "8"},
    {"00000000000000000009", 1, false, "10"},
    {"9 ", 1, false, "10"},
    {"10  ", 1, true, "9"},
    {"00000000000000000001   ", 1, false, "2"},
    {"18446744073709551615     ", 1, true, "18446744073709551614"},
};

/* One row: the result is the reply's and the value's, and all but value and CAS id stays. */
START_TEST(test_counts)
{
    const struct row *row = &rows[_i];
    const struct mutation *told;
    struct store_fixture fixture;
    struct seen seen;
    uint64_t cas;
    uint64_t result = 12345;

    fixture_open(&fixture);
    told = &fixture.recorder.last.mutation;
    put_text(&fixture, row->value);
    cas = fixture.outcome.cas;
    ck_assert_int_eq(fixture_count(&fixture, "key", row->delta, row->is_decrement, &result),
                     SESS_OK);
    ck_assert_uint_gt(fixture.outcome.cas, cas);
    seen = fixture_look(&fixture, "key");
    ck_assert_str_eq(seen.value, row->after);
    ck_assert_uint_eq(seen.size, strlen(row->after));
    ck_assert_uint_eq(result, strtoull(row->after, NULL, 10));
    ck_assert_uint_eq(seen.flags, FLAGS);
    ck_assert_uint_gt(seen.cas, cas);
    ck_assert_int_eq(entry_deadline(inside_entry(fixture.store, SLICE_LITERAL("key"))), DEADLINE_S);
    ck_assert_int_eq(told->kind, MUTATION_SET);
    ck_assert(!told->is_touch);
    ck_assert(slice_is(told->value, row->after));
    ck_assert_uint_eq(told->flags, FLAGS);
    ck_assert_uint_eq(told->cas, seen.cas);
    ck_assert_int_eq(told->deadline_s, DEADLINE_S);
    ck_assert_int_eq(told->old_deadline_s, DEADLINE_S);
    inside_check_budget(&fixture);
    inside_check_pages(fixture.store);
    fixture_close(&fixture);
}
END_TEST

/* Values that are no number. */
static const char *const no_numbers[] = {
    "",
    " ",
    "                     ",
    "a",
    "1a",
    "a1",
    "-1",
    "+1",
    " 1",
    "1 1",
    "1\t",
    "1\r",
    "1.0",
    "0x1",
    "18446744073709551616",
    "99999999999999999999",
    "000000000000000000001",
    "184467440737095516150",
    "111111111111111111111111111111",
};

/* The value is no number: it stays as it is, and nobody is asked. */
START_TEST(test_no_number)
{
    struct store_fixture fixture;
    struct key_state state;
    struct key_state after;
    uint64_t result = 12345;

    fixture_open(&fixture);
    put_text(&fixture, no_numbers[_i]);
    state = key_state_of(&fixture, "key");
    ck_assert_int_eq(fixture_count(&fixture, "key", 1, false, &result), SESS_INVALID);
    ck_assert_int_eq(fixture_count(&fixture, "key", 1, true, &result), SESS_INVALID);
    ck_assert_uint_eq(fixture.outcome.cas, 0);
    ck_assert_uint_eq(result, 12345);
    ck_assert_uint_eq(fixture.recorder.n_calls, 1);
    after = key_state_of(&fixture, "key");
    assert_same_state(&after, &state);
    fixture_close(&fixture);
}
END_TEST

/* A byte 0 among digits, and values of any other byte, are no numbers either. */
START_TEST(test_no_byte_but_digits)
{
    struct store_fixture fixture;
    uint64_t result;

    fixture_open(&fixture);
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t value[3] = {'1', (uint8_t)byte, '1'};
        bool is_digit = byte >= '0' && byte <= '9';

        put(&fixture, slice_of(value, sizeof value));
        ck_assert_int_eq(fixture_count(&fixture, "key", 1, false, &result),
                         is_digit ? SESS_OK : SESS_INVALID);
    }
    fixture_close(&fixture);
}
END_TEST

/* A large value is no number: neither one of digits nor one of blanks. A number among blanks that fill a
 * large value is one, and is small afterwards. */
START_TEST(test_large_values)
{
    static uint8_t large[STORE_COPY_MAX + 100];
    struct store_fixture fixture;
    uint64_t result;

    fixture_open(&fixture);
    memset(large, '1', sizeof large);
    put(&fixture, slice_of(large, sizeof large));
    ck_assert_int_eq(fixture_count(&fixture, "key", 1, false, &result), SESS_INVALID);
    memset(large, ' ', sizeof large);
    put(&fixture, slice_of(large, sizeof large));
    ck_assert_int_eq(fixture_count(&fixture, "key", 1, false, &result), SESS_INVALID);
    large[0] = '7';
    put(&fixture, slice_of(large, sizeof large));
    ck_assert_int_eq(fixture_count(&fixture, "key", 1, false, &result), SESS_OK);
    ck_assert_uint_eq(result, 8);
    ck_assert_str_eq(fixture_look(&fixture, "key").value, "8");
    ck_assert_uint_eq(inside_block_size(fixture.store), 0);
    inside_check_budget(&fixture);
    inside_check_pages(fixture.store);
    fixture_close(&fixture);
}
END_TEST

/* Absent, deleted, expired and flushed: there is nothing to count. */
START_TEST(test_nothing_to_count)
{
    struct store_fixture fixture;
    uint64_t result = 12345;

    fixture_open(&fixture);
    ck_assert_int_eq(fixture_count(&fixture, "key", 1, false, &result), SESS_NOT_FOUND);
    put_text(&fixture, "5");
    (void)fixture_delete(&fixture, "key");
    ck_assert_int_eq(fixture_count(&fixture, "key", 1, false, &result), SESS_NOT_FOUND);
    ck_assert_uint_eq(fixture.outcome.ticket, 2);
    put_text(&fixture, "5");
    ck_assert_int_eq(fixture_flush(&fixture, 0), SESS_OK);
    ck_assert_int_eq(fixture_count(&fixture, "key", 1, false, &result), SESS_NOT_FOUND);
    put_text(&fixture, "5");
    fixture.now_s = DEADLINE_S;
    ck_assert_int_eq(fixture_count(&fixture, "key", 1, false, &result), SESS_NOT_FOUND);
    ck_assert_uint_eq(result, 12345);
    ck_assert_uint_eq(fixture.recorder.n_calls, 5);
    fixture_close(&fixture);
}
END_TEST

/* The journal does not take it: the number stays. */
START_TEST(test_hook_says_no)
{
    static const struct {
        enum mutation_answer answer;
        enum sess_status status;
    } answers[] = {{MUTATION_BUSY, SESS_BUSY}, {MUTATION_REFUSED, SESS_REFUSED}};
    struct store_fixture fixture;
    uint64_t result = 12345;

    fixture_open(&fixture);
    put_text(&fixture, "99999999");
    for (size_t i = 0; i < 2; i++) {
        struct key_state state = key_state_of(&fixture, "key");
        struct key_state after;

        fixture.recorder.answer = answers[i].answer;
        ck_assert_int_eq(fixture_count(&fixture, "key", 1, false, &result), answers[i].status);
        ck_assert_int_eq(fixture_count(&fixture, "key", 1, true, &result), answers[i].status);
        after = key_state_of(&fixture, "key");
        assert_same_state(&after, &state);
    }
    ck_assert_uint_eq(result, 12345);
    fixture_close(&fixture);
}
END_TEST

/* There is no memory at all: each count of the same size goes on in its place, and one that gets
 * shorter, too. */
START_TEST(test_counts_in_place_without_memory)
{
    struct store_fixture fixture;
    const struct entry *entry;
    uint64_t result = 0;
    uint64_t sum = 1000;

    fixture_open(&fixture);
    put_text(&fixture, "1000");
    entry = inside_entry(fixture.store, SLICE_LITERAL("key"));
    fixture.data.limit = budget_used(&fixture.data);
    for (unsigned i = 0; i < 2000; i++) {
        bool is_decrement = i % 3 == 2;

        sum = is_decrement ? sum - 1 : sum + 1;
        ck_assert_int_eq(fixture_count(&fixture, "key", 1, is_decrement, &result), SESS_OK);
        ck_assert_uint_eq(result, sum);
    }
    ck_assert_ptr_eq(inside_entry(fixture.store, SLICE_LITERAL("key")), entry);
    ck_assert_int_eq(fixture_count(&fixture, "key", 10000, true, &result), SESS_OK);
    ck_assert_str_eq(fixture_look(&fixture, "key").value, "0");
    inside_check_pages(fixture.store);
    fixture_close(&fixture);
}
END_TEST

/* A digit more, where the place has no room for it and memory is full: the number stays. */
START_TEST(test_grows_without_memory)
{
    struct store_fixture fixture;
    struct key_state state;
    struct key_state after;
    char digits[] = "99999999";
    uint64_t result = 12345;
    struct heap *heap;

    fixture_open(&fixture);
    /* Of the numbers of eight digits or less one fills its place to the end. */
    put_text(&fixture, digits);
    while (entry_size(inside_entry(fixture.store, SLICE_LITERAL("key"))) % HEAP_UNIT != 0) {
        digits[strlen(digits) - 1] = '\0';
        put_text(&fixture, digits);
    }
    heap = &inside_shard(fixture.store, SLICE_LITERAL("key"))->heap;
    while (heap->page_size - heap->pages[heap->open].end >= sizeof(struct entry)) {
        (void)heap_place(heap, sizeof(struct entry)); /* nobody else's either */
    }
    fixture.data.limit = budget_used(&fixture.data);
    state = key_state_of(&fixture, "key");
    ck_assert_int_eq(fixture_count(&fixture, "key", 1, false, &result), SESS_NO_MEMORY);
    ck_assert_uint_eq(result, 12345);
    after = key_state_of(&fixture, "key");
    assert_same_state(&after, &state);
    fixture.data.limit = SIZE_MAX;
    ck_assert_int_eq(fixture_count(&fixture, "key", 1, false, &result), SESS_OK);
    ck_assert_uint_eq(result, strtoull(digits, NULL, 10) + 1);
    fixture_close(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/count");
    TCase *facts = suite_case(suite, "store_count");

    tcase_set_timeout(facts, 0);
    tcase_add_loop_test(facts, test_counts, 0, SUITE_ROWS(rows));
    tcase_add_loop_test(facts, test_no_number, 0, SUITE_ROWS(no_numbers));
    tcase_add_test(facts, test_no_byte_but_digits);
    tcase_add_test(facts, test_large_values);
    tcase_add_test(facts, test_nothing_to_count);
    tcase_add_test(facts, test_hook_says_no);
    tcase_add_test(facts, test_counts_in_place_without_memory);
    tcase_add_test(facts, test_grows_without_memory);
    return suite_run(suite);
}
