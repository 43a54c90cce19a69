/* Unit tests of a full store: what is kept for sessions that are there, and what never fails. */
#include "change.h"

#include "store_fixture.h"
#include "store_inside.h"
#include "suite_main.h"
#include "test_random.h"

#include <stdlib.h>

enum { MANY = 400000, REFUSED_IN_A_ROW = 300, GROWTH = 100 };

/* A store's size, the values that it is filled with, and by how much they can grow then. */
static const struct {
    size_t memory;
    size_t size_min;
    size_t size_max;
    size_t growth_permille; /* of memory, at least */
} rows[] = {
    {(size_t)8 << 20, 500, 500, 25},    {(size_t)16 << 20, 200, 600, 25},
    {(size_t)16 << 20, 1, 3000, 25},    {(size_t)64 << 20, 500, 500, 25},
    {(size_t)24 << 20, 200, 10000, 20}, /* most of them blocks, which grow by pages */
};

static struct store_fixture fixture;
static struct test_random random_state;
static bool is_there[MANY];
static unsigned n_tried;
static uint8_t bytes[1 << 16];

/* All names are of the same length. */
static const char *name_of(unsigned number)
{
    return fixture_numbered(MANY + number);
}

static enum sess_status put(enum store_mode mode, unsigned number, size_t size)
{
    return fixture_write_slice(&fixture, mode, name_of(number), slice_of(bytes, size), 0,
                               FIXTURE_NOW_S + 1000);
}

static size_t size_of(unsigned number)
{
    return fixture_look(&fixture, name_of(number)).size;
}

/* New keys until thousands in a row are refused. */
static void fill(size_t memory, size_t size_min, size_t size_max)
{
    unsigned n_refused = 0;

    fixture_prepare(&fixture);
    budget_init(&fixture.data, memory);
    fixture_start(&fixture);
    random_state.state = 23;
    for (n_tried = 0; n_refused < REFUSED_IN_A_ROW; n_tried++) {
        enum sess_status status =
            put(STORE_ADD, n_tried,
                size_min + test_random_below(&random_state, size_max - size_min + 1));

        HOT_ASSERT(n_tried < MANY - 1);
        HOT_ASSERT(status == SESS_OK || status == SESS_NO_MEMORY);
        is_there[n_tried] = status == SESS_OK;
        n_refused = status == SESS_OK ? 0 : n_refused + 1;
    }
}

static unsigned random_key(void)
{
    unsigned number;

    do {
        number = (unsigned)test_random_below(&random_state, n_tried);
    } while (!is_there[number]);
    return number;
}

static void close_store(void)
{
    inside_check_budget(&fixture);
    inside_check_pages(fixture.store);
    fixture_close(&fixture);
}

/* New keys stop short of the limit; then values of keys that are there, chosen at random, can grow by
 * 2.5 % of the data budget and more before the first one is refused, and meanwhile no new key comes in. The one
 * that is refused keeps its old value. */
START_TEST(live_keys_grow_when_new_ones_are_refused)
{
    size_t memory = rows[_i].memory;
    size_t grown = 0;

    fill(memory, rows[_i].size_min, rows[_i].size_max);
    for (;;) {
        unsigned number = random_key();
        size_t size = size_of(number);
        enum sess_status status = put(STORE_SET, number, size + GROWTH);

        if (status != SESS_OK) {
            HOT_ASSERT(status == SESS_NO_MEMORY);
            ck_assert_uint_eq(size_of(number), size);
            break;
        }
        grown += GROWTH;
        if (grown % (100 * GROWTH) == 0) {
            ck_assert_int_eq(put(STORE_ADD, MANY, rows[_i].size_max), SESS_NO_MEMORY);
        }
    }
    ck_assert_uint_ge(grown, memory / 1000 * rows[_i].growth_permille);
    ck_assert_uint_le(budget_used(&fixture.data), memory);
    close_store();
}
END_TEST

/* What is kept back is used up as well: still every session can be stored again in its size, shorter,
 * touched, counted and deleted, by any mode. */
START_TEST(what_needs_no_room_never_fails)
{
    uint64_t result;
    unsigned n_refused = 0;

    fill(rows[_i].memory, rows[_i].size_min, rows[_i].size_max);
    while (n_refused < REFUSED_IN_A_ROW) {
        unsigned number = random_key();

        n_refused =
            put(STORE_SET, number, size_of(number) + 10 * GROWTH) == SESS_OK ? 0 : n_refused + 1;
    }
    memset(bytes, '7', sizeof bytes);
    for (unsigned i = 0; i < 5000; i++) {
        unsigned number = random_key();
        const char *key = name_of(number);
        size_t size = size_of(number);

        HOT_ASSERT(put(STORE_SET, number, size) == SESS_OK);
        HOT_ASSERT(put(STORE_REPLACE, number, size) == SESS_OK);
        HOT_ASSERT(fixture_touch(&fixture, key, FIXTURE_NOW_S + 2000 + i) == SESS_OK);
        if (i % 3 == 0) {
            HOT_ASSERT(put(STORE_SET, number, size - size / 4) == SESS_OK);
        }
        if (size <= 15) {
            HOT_ASSERT(fixture_count(&fixture, key, 1, false, &result) == SESS_OK);
        }
        if (i % 10 == 0) {
            HOT_ASSERT(fixture_delete(&fixture, key) == SESS_OK);
            is_there[number] = false;
        }
    }
    memset(bytes, 0, sizeof bytes);
    close_store();
}
END_TEST

/* Whoever leaves makes room for another one of the same size, anywhere in the store; but that the index
 * takes a page now and then. */
START_TEST(one_leaves_and_another_comes)
{
    enum { N = 20000 };
    unsigned n_refused = 0;

    fill((size_t)16 << 20, 500, 500);
    for (unsigned i = 0; i < N; i++) {
        unsigned number = random_key();

        HOT_ASSERT(fixture_delete(&fixture, name_of(number)) == SESS_OK);
        is_there[number] = false;
        is_there[n_tried] = put(STORE_ADD, n_tried, 500) == SESS_OK;
        n_refused += !is_there[n_tried++];
    }
    ck_assert_uint_le(n_refused, N / 200);
    ck_assert_int_eq(put(STORE_ADD, MANY, 10000), SESS_NO_MEMORY);
    close_store();
}
END_TEST

/* All small sessions leave: large values take their room, and back again. */
START_TEST(sizes_may_shift)
{
    static const size_t sizes[] = {100, 3000, 50000, 1000, 20000, 100};
    struct store *store;
    size_t payload[sizeof sizes / sizeof sizes[0]];

    fixture_prepare(&fixture);
    budget_init(&fixture.data, (size_t)16 << 20);
    fixture_start(&fixture);
    store = fixture.store;
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        unsigned n = 0;

        while (put(STORE_ADD, n, sizes[k]) == SESS_OK) {
            n++;
        }
        payload[k] = n * sizes[k];
        ck_assert_uint_gt(budget_used(&store->held) + 2 * sizes[k] + 16384, store->new_key_limit);
        for (unsigned i = 0; i < n; i++) {
            HOT_ASSERT(fixture_delete(&fixture, name_of(i)) == SESS_OK);
        }
    }
    /* The index of the many stays; but for that the first and the last are the same. */
    ck_assert_uint_ge(payload[5] + payload[5] / 20, payload[0]);
    close_store();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/reserve");
    TCase *facts = suite_case(suite, "new_key_limit");

    tcase_set_timeout(facts, 0);
    tcase_add_loop_test(facts, live_keys_grow_when_new_ones_are_refused, 0, SUITE_ROWS(rows));
    tcase_add_loop_test(facts, what_needs_no_room_never_fails, 0, SUITE_ROWS(rows));
    tcase_add_test(facts, one_leaves_and_another_comes);
    tcase_add_test(facts, sizes_may_shift);
    return suite_run(suite);
}
