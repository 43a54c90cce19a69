/* Unit tests of the store as a whole: its life, expiry without reads, figures, and many threads. */
#include "sessiond/store/store.h"

#include "faults.h"
#include "store_fixture.h"
#include "store_inside.h"
#include "suite_main.h"
#include "test_random.h"

#include <stdio.h>

/* Keys from `first` on, all with the same deadline. */
static void write_many(struct store_fixture *fixture, unsigned first, unsigned n,
                       int64_t deadline_s)
{
    for (unsigned i = first; i < first + n; i++) {
        ck_assert_int_eq(
            fixture_write(fixture, STORE_SET, fixture_numbered(i), "value", deadline_s), SESS_OK);
    }
}

/* Another key in the same shard, without a deadline. */
static void write_neighbour(struct store_fixture *fixture, const char *key)
{
    char name[24];

    inside_neighbour(fixture->store, slice_from_text(key), name, sizeof name);
    ck_assert_int_eq(fixture_write(fixture, STORE_SET, name, "neighbour", STORE_NO_DEADLINE),
                     SESS_OK);
}

static uint64_t items(struct store_fixture *fixture)
{
    return fixture_figure(fixture, "curr_items");
}

/* A store is made and taken down with nothing in it, and with a lot. */
START_TEST(test_life)
{
    struct store_fixture fixture;
    struct store *none = NULL;

    fixture_open(&fixture);
    ck_assert_uint_eq(budget_used(&fixture.data), inside_index_size(fixture.store));
    fixture_close(&fixture);
    fixture_open(&fixture);
    write_many(&fixture, 0, 5000, STORE_NO_DEADLINE);
    fixture_close(&fixture);
    store_destroy(&none);
}
END_TEST

/* The data budget is too small for the empty index: there is no store, and nothing stays charged. */
START_TEST(test_create_without_budget)
{
    struct store_fixture fixture;

    fixture_prepare(&fixture);
    fixture.data.limit = 100000;
    ck_assert_int_eq(store_create(&fixture.config, &fixture.store), SESS_NO_MEMORY);
    ck_assert_ptr_null(fixture.store);
    ck_assert_uint_eq(budget_used(&fixture.data), 0);
}
END_TEST

/* Each call of one kind that store_create makes fails in turn, until it makes no more of them: none
 * leaks, none is used. Returns how many there are. */
static unsigned try_create_failures(void (*make_fail)(unsigned n))
{
    for (unsigned nth = 1;; nth++) {
        struct store_fixture fixture;
        enum sess_status status;

        fixture_prepare(&fixture);
        make_fail(nth);
        status = store_create(&fixture.config, &fixture.store);
        make_fail(0);
        if (status == SESS_OK) {
            fixture_close(&fixture);
            return nth - 1;
        }
        ck_assert_ptr_null(fixture.store);
        ck_assert_uint_eq(budget_used(&fixture.data), 0);
        ck_assert_uint_lt(nth, 10 * STORE_SHARDS_MAX);
    }
}

START_TEST(test_create_without_memory)
{
    ck_assert_uint_ge(try_create_failures(faults_fail_allocation), STORE_SHARDS_MIN);
    ck_assert_uint_ge(try_create_failures(faults_fail_mmap), 1);
    ck_assert_uint_ge(try_create_failures(faults_fail_mprotect), 1);
}
END_TEST

/* The figures of a few changes, exactly. */
START_TEST(test_report)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    ck_assert_uint_eq(items(&fixture), 0);
    write_many(&fixture, 0, 3, FIXTURE_NOW_S + 10);
    write_many(&fixture, 0, 1, FIXTURE_NOW_S + 10);
    (void)fixture_delete(&fixture, fixture_numbered(1));
    ck_assert_uint_eq(items(&fixture), 2);
    ck_assert_uint_eq(fixture_figure(&fixture, "total_items"), 4);
    ck_assert_uint_eq(
        fixture_figure(&fixture, "bytes"),
        2 * shard_entry_cost(fixture.store, inside_entry(fixture.store, SLICE_LITERAL("key-0"))));
    ck_assert_uint_eq(fixture_figure(&fixture, "reclaimed"), 0);
    fixture.now_s += 10;
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(items(&fixture), 0);
    ck_assert_uint_eq(fixture_figure(&fixture, "bytes"), 0);
    ck_assert_uint_eq(fixture_figure(&fixture, "reclaimed"), 2);
    ck_assert_uint_eq(fixture_figure(&fixture, "total_items"), 4);
    fixture_close(&fixture);
}
END_TEST

/* Nobody reads a session again: it is there until its second, and gone at a tick within 2 s. The
 * memory comes back too. */
START_TEST(test_expires_unread)
{
    static const int64_t spans[] = {1, 2, 255, 256, 257, 1800, 16384, 1209600, 70000000};
    struct store_fixture fixture;

    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        fixture_open(&fixture);
        write_many(&fixture, 0, 50, fixture.now_s + spans[i]);
        fixture.now_s += spans[i] - 1;
        (void)fixture_tick_all(&fixture);
        ck_assert_uint_eq(items(&fixture), 50);
        fixture.now_s += 2;
        (void)fixture_tick_all(&fixture);
        ck_assert_uint_eq(items(&fixture), 0);
        inside_assert_bare(&fixture);
        fixture_close(&fixture);
    }
}
END_TEST

/* The same with a tick each half second as a worker does it, one worker's shards after the other's. */
START_TEST(test_expires_while_ticking)
{
    enum { N_WORKERS = 3, N_PER_SECOND = 20, N_SECONDS = 600 };
    struct store_fixture fixture;
    struct store_ticker tickers[N_WORKERS];

    fixture_open(&fixture);
    for (unsigned i = 0; i < N_WORKERS; i++) {
        tickers[i] = (struct store_ticker){.first = i, .stride = N_WORKERS, .position = i};
    }
    for (unsigned second = 0; second < N_SECONDS; second++) {
        write_many(&fixture, second * N_PER_SECOND, N_PER_SECOND, FIXTURE_NOW_S + 1 + second);
    }
    for (unsigned second = 1; second <= N_SECONDS; second++) {
        fixture.now_s = FIXTURE_NOW_S + second;
        for (unsigned i = 0; i < N_WORKERS; i++) {
            while (store_tick(fixture.store, &tickers[i], fixture.now_s, 128)) {
            }
        }
        ck_assert_uint_eq(items(&fixture), (uint64_t)(N_SECONDS - second) * N_PER_SECOND);
    }
    fixture_close(&fixture);
}
END_TEST

/* Sessions without a deadline, and one that was given more time, are still there after their first
 * deadline has passed; a touch that brings the deadline nearer is obeyed. */
START_TEST(test_tick_follows_touches)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "ever", "v", STORE_NO_DEADLINE), SESS_OK);
    write_many(&fixture, 0, 4, FIXTURE_NOW_S + 100);
    (void)fixture_touch(&fixture, fixture_numbered(0), FIXTURE_NOW_S + 1000);
    (void)fixture_touch(&fixture, fixture_numbered(1), STORE_NO_DEADLINE);
    (void)fixture_touch(&fixture, fixture_numbered(2), FIXTURE_NOW_S + 50);
    (void)fixture_touch(&fixture, "ever", FIXTURE_NOW_S + 2000);
    fixture.now_s = FIXTURE_NOW_S + 50;
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(items(&fixture), 4);
    fixture.now_s = FIXTURE_NOW_S + 100;
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(items(&fixture), 3);
    (void)fixture_touch(&fixture, fixture_numbered(1), FIXTURE_NOW_S + 200);
    fixture.now_s = FIXTURE_NOW_S + 200;
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(items(&fixture), 2);
    fixture.now_s = FIXTURE_NOW_S + 1000;
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(items(&fixture), 1);
    fixture.now_s = FIXTURE_NOW_S + 2000;
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(items(&fixture), 0);
    ck_assert_uint_eq(fixture_figure(&fixture, "reclaimed"), 5);
    fixture_close(&fixture);
}
END_TEST

/* Whoever only ever extends a session costs the timer nothing but an occasional look. */
START_TEST(test_extending_only_arms_again)
{
    struct store_fixture fixture;
    const struct entry *entry;
    const struct timers *timers;
    uint8_t mark;

    fixture_open(&fixture);
    (void)fixture_write(&fixture, STORE_SET, "key", "v", FIXTURE_NOW_S + 100);
    entry = inside_entry(fixture.store, SLICE_LITERAL("key"));
    timers = &shard_place(fixture.store, SLICE_LITERAL("key"), 0).shard->timers;
    mark = entry->timer;
    for (int64_t i = 1; i <= 99; i++) {
        fixture.now_s = FIXTURE_NOW_S + i;
        (void)fixture_touch(&fixture, "key", fixture.now_s + 100);
        (void)fixture_tick_all(&fixture);
        ck_assert_uint_eq(entry->timer, mark);
        ck_assert_uint_eq(timers->wheel.n_records, 1);
    }
    fixture.now_s = FIXTURE_NOW_S + 100;
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_ne(entry->timer, mark);
    ck_assert_uint_eq(timers->wheel.n_records, 1);
    ck_assert_uint_eq(items(&fixture), 1);
    fixture.now_s = FIXTURE_NOW_S + 199;
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(items(&fixture), 0);
    fixture_close(&fixture);
}
END_TEST

/* A hundred thousand sessions expire in one second: each slice takes back what its steps allow and
 * no more, and in the end all are gone. */
START_TEST(test_mass_expiry_comes_in_slices)
{
    enum { N = 100000, STEPS = 128 };
    struct store_fixture fixture;
    struct store_ticker ticker = {.stride = 1};
    uint64_t left = N;
    bool has_more = true;
    unsigned n_slices = 0;

    fixture_open(&fixture);
    write_many(&fixture, 0, N, FIXTURE_NOW_S + 5000);
    fixture.now_s = FIXTURE_NOW_S + 5000;
    while (has_more) {
        uint64_t before = left;

        has_more = store_tick(fixture.store, &ticker, fixture.now_s, STEPS);
        left = items(&fixture);
        ck_assert_uint_le(before - left, STEPS);
        /* A timer takes a few steps, its shard some more. */
        ck_assert_uint_lt(++n_slices, N / 10);
    }
    ck_assert_uint_eq(left, 0);
    ck_assert_uint_ge(n_slices, N / STEPS);
    inside_assert_bare(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* No steps are allowed at all: nothing happens, and there is still more to do. */
START_TEST(test_tick_without_steps)
{
    struct store_fixture fixture;
    struct store_ticker ticker = {.stride = 1};

    fixture_open(&fixture);
    write_many(&fixture, 0, 10, FIXTURE_NOW_S + 1);
    fixture.now_s += 5;
    ck_assert(store_tick(fixture.store, &ticker, fixture.now_s, 0));
    ck_assert_uint_eq(items(&fixture), 10);
    ck_assert_uint_eq(ticker.position, 0);
    fixture_close(&fixture);
}
END_TEST

/* Nothing is in the store and years pass between two ticks. */
START_TEST(test_idle_tick_is_short)
{
    struct store_fixture fixture;
    struct store_ticker ticker = {.stride = 1};

    fixture_open(&fixture);
    ck_assert(!store_tick(fixture.store, &ticker, FIXTURE_NOW_S + 1000000000,
                          2 * fixture.store->n_shards));
    ck_assert(!store_tick(fixture.store, &ticker, FIXTURE_NOW_S + 1000000000, 1));
    fixture_close(&fixture);
}
END_TEST

/* A tick that comes with an older time than the shard has seen takes nothing more and nothing less. */
START_TEST(test_tick_with_time_back)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    write_many(&fixture, 0, 10, FIXTURE_NOW_S + 100);
    fixture.now_s = FIXTURE_NOW_S - 100;
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(items(&fixture), 10);
    fixture.now_s = FIXTURE_NOW_S + 100;
    (void)fixture_look(&fixture, fixture_numbered(0));
    fixture.now_s = FIXTURE_NOW_S;
    ck_assert_int_eq(fixture_look(&fixture, fixture_numbered(0)).status, SESS_NOT_FOUND);
    (void)fixture_tick_all(&fixture);
    ck_assert_int_eq(fixture_look(&fixture, fixture_numbered(0)).status, SESS_NOT_FOUND);
    fixture_close(&fixture);
}
END_TEST

/* A session that expired is stored anew before the tick comes: the tick leaves the new one alone. */
START_TEST(test_tick_leaves_the_new_one)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    write_many(&fixture, 0, 1, FIXTURE_NOW_S + 10);
    fixture.now_s = FIXTURE_NOW_S + 20;
    write_many(&fixture, 0, 1, FIXTURE_NOW_S + 30);
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(items(&fixture), 1);
    ck_assert_int_eq(fixture_look(&fixture, fixture_numbered(0)).status, SESS_OK);
    fixture_close(&fixture);
}
END_TEST

/* Expired values are zeroed before their memory goes back, in a page that others still use. */
START_TEST(test_expired_value_is_zeroed)
{
    struct store_fixture fixture;
    const struct entry *entry;
    size_t size;

    fixture_open(&fixture);
    write_neighbour(&fixture, "key");
    (void)fixture_write(&fixture, STORE_SET, "key",
                        "a secret of more bytes than a header, and a few", FIXTURE_NOW_S + 10);
    write_neighbour(&fixture, "key");
    entry = inside_entry(fixture.store, SLICE_LITERAL("key"));
    size = entry_size(entry);
    ck_assert_uint_lt(inside_count(entry, size, 0), size - 50);
    fixture.now_s += 10;
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(items(&fixture), 2);
    /* What says that the place is free may be there. */
    ck_assert_uint_ge(inside_count(entry, size, 0), size - sizeof(uint64_t));
    fixture_close(&fixture);
}
END_TEST

enum { N_THREADS = 4, N_SHARED_KEYS = 40, N_OPERATIONS = 15000 };

/* One thread that changes and reads the keys that all threads share. */
struct busy_thread {
    pthread_t thread;
    struct store *store;
    struct test_random random;
    _Atomic int64_t *now_s;
    uint64_t n_torn;  /* values that were not whole, or of another key */
    uint64_t n_reads; /* that found something */
};

/* A value says in every byte which key it belongs to and which of its writes it was. */
static bool is_whole(struct slice value, unsigned key)
{
    uint8_t mark = value.size < 2 ? 0 : value.data[1];

    if (value.size < 2 || value.data[0] != key) {
        return false;
    }
    for (size_t i = 2; i < value.size; i++) {
        if (value.data[i] != (uint8_t)(mark + key)) {
            return false;
        }
    }
    return true;
}

static void write_key(struct busy_thread *self, unsigned key, struct slice name, int64_t now_s)
{
    static _Thread_local uint8_t value[2 * STORE_COPY_MAX];
    bool is_large = test_random_below(&self->random, 8) == 0;
    size_t size = 2 + test_random_below(&self->random, is_large ? sizeof value - 2 : 300);
    uint8_t mark = (uint8_t)test_random_next(&self->random);
    struct store_outcome outcome;
    struct store_write write = {
        .mode = (enum store_mode)test_random_below(&self->random, 3),
        .key = name,
        .value = slice_of(value, size),
        .expiry = store_expiry_at(now_s + (int64_t)test_random_below(&self->random, 20)),
    };
    enum sess_status status;

    memset(value, (uint8_t)(mark + key), size);
    value[0] = (uint8_t)key;
    value[1] = mark;
    status = store_write(self->store, &write, now_s, &outcome);
    self->n_torn += status != SESS_OK && status != SESS_NOT_STORED;
}

static void read_key(struct busy_thread *self, unsigned key, struct slice name, int64_t now_s)
{
    struct store_reading reading;

    if (store_read_begin(self->store, name, 0, now_s, &reading) == SESS_OK) {
        self->n_torn += !is_whole(reading.value, key);
        self->n_reads++;
        store_read_end(&reading);
    }
}

static void *be_busy(void *context)
{
    struct busy_thread *self = context;
    struct store_ticker ticker = {.stride = 1};

    for (unsigned i = 0; i < N_OPERATIONS; i++) {
        unsigned key = (unsigned)test_random_below(&self->random, N_SHARED_KEYS);
        char text[24];
        struct slice name = slice_of(text, (size_t)snprintf(text, sizeof text, "shared-%u", key));
        int64_t now_s = atomic_load(self->now_s);
        uint64_t hash = store_hash(self->store, name);
        struct store_outcome outcome;

        store_fetch(self->store, hash);
        store_fetch_value(store_fetch_entry(self->store, hash));
        switch (test_random_below(&self->random, 8)) {
        case 0:
        case 1:
        case 2:
            write_key(self, key, name, now_s);
            break;
        case 3:
            (void)!store_delete(self->store, name, 0, now_s, &outcome);
            break;
        case 4:
            (void)!store_touch(
                self->store, name, 0,
                store_expiry_at(now_s + (int64_t)test_random_below(&self->random, 30) - 2), now_s,
                &outcome);
            break;
        default:
            read_key(self, key, name, now_s);
            break;
        }
        if (i % 100 == 0) {
            atomic_fetch_add(self->now_s, 1);
            (void)store_tick(self->store, &ticker, now_s, 64);
        }
    }
    return NULL;
}

/* Four threads change, read and expire the same keys: every value that is read is whole and its own
 * key's, and in the end not one byte is lost. */
START_TEST(test_threads_share_keys)
{
    struct store_fixture fixture;
    struct busy_thread threads[N_THREADS];
    _Atomic int64_t now_s = FIXTURE_NOW_S;
    uint64_t n_reads = 0;

    fixture_open(&fixture);
    store_on_mutation(fixture.store, NULL, NULL);
    for (unsigned i = 0; i < N_THREADS; i++) {
        threads[i] = (struct busy_thread){
            .store = fixture.store, .random = {.state = i + 100}, .now_s = &now_s};
        ck_assert_int_eq(pthread_create(&threads[i].thread, NULL, be_busy, &threads[i]), 0);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i].thread, NULL), 0);
        ck_assert_uint_eq(threads[i].n_torn, 0);
        n_reads += threads[i].n_reads;
    }
    ck_assert_uint_gt(n_reads, N_OPERATIONS / 8);
    inside_check_budget(&fixture);
    fixture.now_s = atomic_load(&now_s) + 100;
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(items(&fixture), 0);
    fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("store/store", test_life, test_create_without_budget, test_create_without_memory,
           test_report, test_expires_unread, test_expires_while_ticking, test_tick_follows_touches,
           test_extending_only_arms_again, test_mass_expiry_comes_in_slices,
           test_tick_without_steps, test_idle_tick_is_short, test_tick_with_time_back,
           test_tick_leaves_the_new_one, test_expired_value_is_zeroed, test_threads_share_keys)
