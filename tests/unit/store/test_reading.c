/* Unit tests of looks at one key: what they show, and how long it holds. */
#include "sessiond/store/store.h"

#include "key_state.h"
#include "suite_main.h"

enum { LARGE = STORE_COPY_MAX + 1 };

static uint8_t bytes[1 << 18];

/* A key that was never stored, was deleted, or has expired. */
START_TEST(test_not_found)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    ck_assert_uint_eq(fixture.outcome.ticket, 0);
    (void)fixture_write(&fixture, STORE_SET, "key", "v", FIXTURE_NOW_S + 1);
    (void)fixture_delete(&fixture, "key");
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    ck_assert_uint_eq(fixture.outcome.ticket, 2);
    ck_assert_uint_eq(fixture.outcome.revocation_ticket, 2);
    (void)fixture_write(&fixture, STORE_SET, "key", "v", FIXTURE_NOW_S + 1);
    fixture.now_s++;
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    ck_assert_uint_eq(fixture.outcome.ticket, 3);
    fixture_close(&fixture);
}
END_TEST

/* A session with all its fields, read twice: reading changes nothing, and asks nobody. */
START_TEST(test_fields)
{
    struct store_fixture fixture;
    uint64_t cas;

    fixture_open(&fixture);
    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, "key", SLICE_LITERAL("a value"), 42,
                                         STORE_NO_DEADLINE),
                     SESS_OK);
    cas = fixture.outcome.cas;
    for (unsigned i = 0; i < 2; i++) {
        struct seen seen = fixture_look(&fixture, "key");

        ck_assert_int_eq(seen.status, SESS_OK);
        ck_assert_str_eq(seen.value, "a value");
        ck_assert_uint_eq(seen.size, 7);
        ck_assert_uint_eq(seen.flags, 42);
        ck_assert_uint_eq(seen.cas, cas);
        ck_assert_uint_eq(fixture.outcome.ticket, 1);
        ck_assert_uint_eq(fixture.outcome.cas, 0);
    }
    ck_assert_uint_eq(fixture.recorder.n_calls, 1);
    fixture_close(&fixture);
}
END_TEST

static void begin(struct store_fixture *fixture, struct store_reading *reading)
{
    ck_assert_int_eq(
        store_read_begin(fixture->store, SLICE_LITERAL("key"), 0, fixture->now_s, reading),
        SESS_OK);
}

static void write_bytes(struct store_fixture *fixture, uint8_t byte, size_t size)
{
    memset(bytes, byte, size);
    ck_assert_int_eq(fixture_write_slice(fixture, STORE_SET, "key", slice_of(bytes, size), 0,
                                         fixture->now_s + 10),
                     SESS_OK);
}

static bool all_are(struct slice value, uint8_t byte, size_t size)
{
    bool same = value.size == size;

    for (size_t i = 0; same && i < size; i++) {
        same = value.data[i] == byte;
    }
    return same;
}

/* Up to 16 KiB the shard is locked until the look ends; above, it is free at once. */
START_TEST(test_lock_is_held_for_small_values_only)
{
    struct store_fixture fixture;
    struct store_reading reading;
    pthread_mutex_t *lock;

    fixture_open(&fixture);
    lock = &inside_shard(fixture.store, SLICE_LITERAL("key"))->lock;
    write_bytes(&fixture, 's', STORE_COPY_MAX);
    begin(&fixture, &reading);
    ck_assert_int_ne(pthread_mutex_trylock(lock), 0);
    store_read_end(&reading);
    ck_assert_int_eq(pthread_mutex_trylock(lock), 0);
    ck_assert_int_eq(pthread_mutex_unlock(lock), 0);
    write_bytes(&fixture, 'l', LARGE);
    begin(&fixture, &reading);
    ck_assert_int_eq(pthread_mutex_trylock(lock), 0);
    ck_assert_int_eq(pthread_mutex_unlock(lock), 0);
    store_read_end(&reading);
    fixture_close(&fixture);
}
END_TEST

/* While a large value is looked at it is overwritten, deleted, touched and expires: the look stays
 * whole. */
START_TEST(test_large_value_outlives_its_entry)
{
    struct store_fixture fixture;
    struct store_reading readings[4];

    fixture_open(&fixture);
    write_bytes(&fixture, 'a', LARGE);
    begin(&fixture, &readings[0]);
    write_bytes(&fixture, 'b', 50000);
    begin(&fixture, &readings[1]);
    ck_assert_int_eq(fixture_touch(&fixture, "key", (int64_t)1 << 40), SESS_OK);
    begin(&fixture, &readings[2]);
    ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_OK);
    write_bytes(&fixture, 'c', sizeof bytes);
    begin(&fixture, &readings[3]);
    fixture.now_s += 10;
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 0);
    ck_assert(all_are(readings[0].value, 'a', LARGE));
    ck_assert(all_are(readings[1].value, 'b', 50000));
    ck_assert(all_are(readings[2].value, 'b', 50000));
    ck_assert(all_are(readings[3].value, 'c', sizeof bytes));
    for (size_t i = 0; i < 4; i++) {
        store_read_end(&readings[i]);
    }
    fixture_close(&fixture);
}
END_TEST

/* The reader of the test below. */
struct reader {
    struct store *store;
    _Atomic bool is_done;
    uint64_t n_torn;
    _Atomic uint64_t n_reads;
};

static void *read_again_and_again(void *context)
{
    struct reader *self = context;

    while (!atomic_load(&self->is_done)) {
        struct store_reading reading;

        if (store_read_begin(self->store, SLICE_LITERAL("key"), 0, FIXTURE_NOW_S, &reading) ==
            SESS_OK) {
            self->n_torn += !all_are(reading.value, reading.value.data[0], reading.value.size);
            atomic_fetch_add(&self->n_reads, 1);
            store_read_end(&reading);
        }
    }
    return NULL;
}

/* A large value is read by one thread while another overwrites it: each look is one whole value. */
START_TEST(test_large_value_is_whole)
{
    struct store_fixture fixture;
    struct reader reader = {.n_torn = 0};
    pthread_t thread;

    fixture_open(&fixture);
    write_bytes(&fixture, 1, LARGE);
    reader.store = fixture.store;
    ck_assert_int_eq(pthread_create(&thread, NULL, read_again_and_again, &reader), 0);
    while (atomic_load(&reader.n_reads) == 0) {
        (void)sched_yield();
    }
    for (unsigned i = 0; i < 2000; i++) {
        write_bytes(&fixture, (uint8_t)i, LARGE + i % 7 * 4000);
    }
    atomic_store(&reader.is_done, true);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(reader.n_torn, 0);
    fixture_close(&fixture);
}
END_TEST

static enum sess_status begin_touch(struct store_fixture *fixture, int64_t deadline_s,
                                    struct store_reading *reading)
{
    enum sess_status status =
        store_read_touch_begin(fixture->store, SLICE_LITERAL("key"), 0, store_expiry_at(deadline_s),
                               fixture->now_s, reading);

    fixture->outcome = reading->outcome;
    return status;
}

/* Nobody holds the shard's lock. */
static void assert_free(struct store_fixture *fixture)
{
    pthread_mutex_t *lock = &inside_shard(fixture->store, SLICE_LITERAL("key"))->lock;

    ck_assert_int_eq(pthread_mutex_trylock(lock), 0);
    ck_assert_int_eq(pthread_mutex_unlock(lock), 0);
}

/* A value of `size` is looked at and touched: it is the same, and its deadline is the new one. */
static void try_read_touch(size_t size)
{
    static const int64_t spans[] = {100, 5, 5, 1000};
    struct store_fixture fixture;
    size_t n_calls = 1;
    int64_t old_s = FIXTURE_NOW_S + 10;
    uint64_t cas;

    fixture_open(&fixture);
    write_bytes(&fixture, 't', size);
    cas = fixture.outcome.cas;
    for (size_t i = 0; i < 4; i++) {
        struct store_reading reading;
        int64_t deadline_s = FIXTURE_NOW_S + spans[i];

        ck_assert_int_eq(begin_touch(&fixture, deadline_s, &reading), SESS_OK);
        n_calls += deadline_s != old_s;
        ck_assert_uint_eq(fixture.recorder.n_calls, n_calls);
        ck_assert_uint_eq(reading.outcome.ticket, n_calls);
        ck_assert(fixture.recorder.last.mutation.is_touch);
        ck_assert_int_eq(fixture.recorder.last.mutation.deadline_s, deadline_s);
        ck_assert(all_are(reading.value, 't', size));
        ck_assert_uint_eq(reading.cas, cas);
        store_read_end(&reading);
        assert_free(&fixture);
        ck_assert_int_eq(entry_deadline(inside_entry(fixture.store, SLICE_LITERAL("key"))),
                         deadline_s);
        ck_assert(entry_is_fetched(inside_entry(fixture.store, SLICE_LITERAL("key"))));
        old_s = deadline_s;
    }
    fixture_close(&fixture);
}

START_TEST(test_read_touch)
{
    try_read_touch(0);
    try_read_touch(10);
    try_read_touch(STORE_COPY_MAX);
    try_read_touch(LARGE);
}
END_TEST

/* A deadline that has passed deletes; the last value is still to be read, and then not a byte of it is
 * left. */
static void try_read_delete(size_t size)
{
    static const int64_t deadlines[] = {FIXTURE_NOW_S, FIXTURE_NOW_S - 1, 0, -1};
    struct store_fixture fixture;

    fixture_open(&fixture);
    for (size_t i = 0; i < 4; i++) {
        struct store_reading reading;
        char name[24];

        /* Another one in the page, so that it stays. */
        inside_neighbour(fixture.store, SLICE_LITERAL("key"), name, sizeof name);
        ck_assert_int_eq(fixture_write(&fixture, STORE_SET, name, "n", STORE_NO_DEADLINE), SESS_OK);
        write_bytes(&fixture, 'd', size);
        ck_assert_int_eq(begin_touch(&fixture, deadlines[i], &reading), SESS_OK);
        ck_assert_int_eq(fixture.recorder.last.mutation.kind, MUTATION_DELETE);
        ck_assert_uint_eq(reading.outcome.ticket, fixture.recorder.ticket);
        ck_assert_uint_eq(reading.outcome.revocation_ticket, fixture.recorder.ticket);
        ck_assert(all_are(reading.value, 'd', size));
        ck_assert_uint_eq(fixture_figure(&fixture, "sessions_deleted"), i + 1);
        store_read_end(&reading);
        assert_free(&fixture);
        ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
        ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), i + 1);
        ck_assert_uint_eq(inside_block_size(fixture.store), 0);
        inside_check_budget(&fixture);
        inside_check_pages(fixture.store);
    }
    fixture_close(&fixture);
}

START_TEST(test_read_touch_into_the_past)
{
    try_read_delete(0);
    try_read_delete(10);
    try_read_delete(STORE_COPY_MAX);
    try_read_delete(LARGE);
}
END_TEST

/* The session is gone for others as soon as the look begins: a large one, which locks nobody out. */
START_TEST(test_read_touch_deletes_at_once)
{
    struct store_fixture fixture;
    struct store_reading reading;

    fixture_open(&fixture);
    write_bytes(&fixture, 'd', LARGE);
    ck_assert_int_eq(begin_touch(&fixture, 0, &reading), SESS_OK);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    write_bytes(&fixture, 'e', LARGE);
    ck_assert(all_are(reading.value, 'd', LARGE));
    store_read_end(&reading);
    ck_assert_uint_eq(fixture_look(&fixture, "key").size, LARGE);
    fixture_close(&fixture);
}
END_TEST

/* The journal says no to the touch, or to the deletion: nothing is shown, and nothing changes. */
START_TEST(test_read_touch_can_fail)
{
    static const struct {
        enum mutation_answer answer;
        enum sess_status status;
    } rows[] = {{MUTATION_BUSY, SESS_BUSY}, {MUTATION_REFUSED, SESS_REFUSED}};
    struct store_fixture fixture;
    struct store_reading reading;

    fixture_open(&fixture);
    write_bytes(&fixture, 'f', 10);
    for (size_t i = 0; i < 2; i++) {
        struct key_state state = key_state_of(&fixture, "key");
        struct key_state after;

        fixture.recorder.answer = rows[i].answer;
        ck_assert_int_eq(begin_touch(&fixture, FIXTURE_NOW_S + 99, &reading), rows[i].status);
        assert_free(&fixture);
        ck_assert_int_eq(begin_touch(&fixture, 0, &reading), rows[i].status);
        assert_free(&fixture);
        ck_assert_uint_eq(reading.outcome.ticket, 1);
        after = key_state_of(&fixture, "key");
        assert_same_state(&after, &state);
        /* To leave it as it is asks nobody. */
        ck_assert_int_eq(begin_touch(&fixture, FIXTURE_NOW_S + 10, &reading), SESS_OK);
        store_read_end(&reading);
    }
    fixture_close(&fixture);
}
END_TEST

/* Absent, expired and flushed: not found, whatever the deadline, and counted as what it was. */
START_TEST(test_read_touch_of_none)
{
    struct store_fixture fixture;
    struct store_reading reading;

    fixture_open(&fixture);
    ck_assert_int_eq(begin_touch(&fixture, FIXTURE_NOW_S + 99, &reading), SESS_NOT_FOUND);
    ck_assert_uint_eq(fixture_figure(&fixture, "get_expired"), 0);
    write_bytes(&fixture, 'g', 10);
    ck_assert_int_eq(fixture_flush(&fixture, 0), SESS_OK);
    ck_assert_int_eq(begin_touch(&fixture, FIXTURE_NOW_S + 99, &reading), SESS_NOT_FOUND);
    ck_assert_int_eq(begin_touch(&fixture, 0, &reading), SESS_NOT_FOUND);
    ck_assert_uint_eq(fixture_figure(&fixture, "get_flushed"), 2);
    write_bytes(&fixture, 'g', 10);
    fixture.now_s += 10;
    ck_assert_int_eq(begin_touch(&fixture, FIXTURE_NOW_S + 99, &reading), SESS_NOT_FOUND);
    ck_assert_uint_eq(reading.outcome.ticket, 3);
    ck_assert_uint_eq(fixture_figure(&fixture, "get_expired"), 1);
    ck_assert_uint_eq(fixture_figure(&fixture, "get_flushed"), 2);
    ck_assert_uint_eq(fixture.recorder.n_calls, 3);
    assert_free(&fixture);
    fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("store/reading", test_not_found, test_fields, test_lock_is_held_for_small_values_only,
           test_large_value_outlives_its_entry, test_large_value_is_whole, test_read_touch,
           test_read_touch_into_the_past, test_read_touch_deletes_at_once, test_read_touch_can_fail,
           test_read_touch_of_none)
