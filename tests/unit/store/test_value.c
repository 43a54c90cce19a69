/* Unit tests of large values that are lent to replies: charged once, however many replies they are in. */
#include "sessiond/store/value.h"

#include "store_fixture.h"
#include "suite_main.h"

#include <pthread.h>
#include <stdlib.h>

enum { SIZE = 100000, N_THREADS = 4, N_LOANS = 5000 };

static struct store_fixture store;
static struct budget replies;
static struct value_block *block; /* a reference of the test's own */

static void open_with_value(size_t limit_bytes)
{
    struct store_reading reading;
    void *value = calloc(1, SIZE);

    ck_assert_ptr_nonnull(value);
    fixture_open(&store);
    budget_init(&replies, limit_bytes);
    ck_assert_int_eq(
        fixture_write_slice(&store, STORE_SET, "k", slice_of(value, SIZE), 0, STORE_NO_DEADLINE),
        SESS_OK);
    free(value);
    ck_assert_int_eq(store_read_begin(store.store, SLICE_LITERAL("k"), 0, store.now_s, &reading),
                     SESS_OK);
    block = reading.block;
    value_block_acquire(block);
    store_read_end(&reading);
}

static void close_all(void)
{
    ck_assert_uint_eq(budget_used(&replies), 0);
    value_block_release(block);
    fixture_close(&store);
}

/* The first loan is charged, further ones are not, and the last to come back frees the charge. */
START_TEST(test_charged_once)
{
    open_with_value(SIZE);
    ck_assert(value_block_lend(block, &replies));
    ck_assert_uint_eq(budget_used(&replies), SIZE);
    ck_assert(value_block_lend(block, &replies));
    value_block_lend_always(block, &replies);
    ck_assert_uint_eq(budget_used(&replies), SIZE);
    value_block_take_back(block, &replies);
    value_block_take_back(block, &replies);
    ck_assert_uint_eq(budget_used(&replies), SIZE);
    value_block_take_back(block, &replies);
    ck_assert_uint_eq(budget_used(&replies), 0);
    close_all();
}
END_TEST

/* There is no room: nothing is taken, unless it must be. */
START_TEST(test_no_room)
{
    open_with_value(SIZE - 1);
    ck_assert(!value_block_lend(block, &replies));
    ck_assert_uint_eq(budget_used(&replies), 0);
    value_block_lend_always(block, &replies);
    ck_assert_uint_eq(budget_used(&replies), SIZE);
    ck_assert(value_block_lend(block, &replies));
    value_block_take_back(block, &replies);
    value_block_take_back(block, &replies);
    close_all();
}
END_TEST

/* It holds while it is lent, though its key is gone. */
START_TEST(test_holds_without_its_key)
{
    open_with_value(SIZE);
    ck_assert(value_block_lend(block, &replies));
    value_block_release(block);
    ck_assert_int_eq(fixture_delete(&store, "k"), SESS_OK);
    ck_assert_uint_eq(value_block_bytes(block).size, SIZE);
    ck_assert_uint_eq(value_block_bytes(block).data[SIZE - 1], 0);
    value_block_acquire(block);
    value_block_take_back(block, &replies);
    close_all();
}
END_TEST

static void *lend_often(void *context)
{
    (void)context;
    for (unsigned i = 0; i < N_LOANS; i++) {
        if (value_block_lend(block, &replies)) {
            value_block_take_back(block, &replies);
        }
        value_block_lend_always(block, &replies);
        value_block_take_back(block, &replies);
    }
    return NULL;
}

/* Several threads lend at once: nothing stays charged, and nothing is given back twice. */
START_TEST(test_many_threads)
{
    pthread_t threads[N_THREADS];

    open_with_value((size_t)2 * SIZE);
    for (size_t i = 0; i < N_THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, lend_often, NULL), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    close_all();
}
END_TEST

SUITE_MAIN("store/value", test_charged_once, test_no_room, test_holds_without_its_key,
           test_many_threads)
