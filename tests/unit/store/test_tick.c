/* Unit tests of taking back: what was read, what was touched, in which slices, and under pressure. */
#include "tick.h"

#include "compact.h"
#include "store_fixture.h"
#include "store_inside.h"
#include "suite_main.h"

enum { MANY = 2000 };

static uint8_t bytes[1 << 18];

static void put(struct store_fixture *fixture, const char *key, int64_t deadline_s)
{
    ck_assert_int_eq(fixture_write(fixture, STORE_SET, key, "value", deadline_s), SESS_OK);
}

static uint64_t figure(struct store_fixture *fixture, const char *name)
{
    return fixture_figure(fixture, name);
}

/* Of what expires, what nobody has read is counted; a look, one that renews, and a large value's look
 * are reads, a touch, an overwrite and a count are none; what is stored anew was not read. */
START_TEST(test_unfetched)
{
    static const char *const read[] = {"read", "read-and-touched", "large"};
    static const char *const unread[] = {"unread", "touched", "overwritten", "counted"};
    struct store_fixture fixture;
    struct store_reading reading;
    uint64_t result;

    fixture_open(&fixture);
    for (size_t i = 0; i < 3; i++) {
        put(&fixture, read[i], FIXTURE_NOW_S + 10);
    }
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(fixture_write(&fixture, STORE_SET, unread[i], "1", FIXTURE_NOW_S + 10),
                         SESS_OK);
    }
    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, "large",
                                         slice_of(bytes, STORE_COPY_MAX + 1), 0,
                                         FIXTURE_NOW_S + 10),
                     SESS_OK);
    (void)fixture_look(&fixture, "read");
    (void)fixture_look(&fixture, "large");
    ck_assert_int_eq(store_read_touch_begin(fixture.store, SLICE_LITERAL("read-and-touched"), 0,
                                            store_expiry_at(FIXTURE_NOW_S + 20), fixture.now_s,
                                            &reading),
                     SESS_OK);
    store_read_end(&reading);
    (void)fixture_look(&fixture, "overwritten");
    put(&fixture, "overwritten", FIXTURE_NOW_S + 10);
    (void)fixture_touch(&fixture, "touched", FIXTURE_NOW_S + 15);
    ck_assert_int_eq(fixture_count(&fixture, "counted", 1, false, &result), SESS_OK);
    fixture.now_s = FIXTURE_NOW_S + 10;
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(figure(&fixture, "reclaimed"), 5);
    ck_assert_uint_eq(figure(&fixture, "expired_unfetched"), 3);
    fixture.now_s = FIXTURE_NOW_S + 30;
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(figure(&fixture, "reclaimed"), 7);
    ck_assert_uint_eq(figure(&fixture, "expired_unfetched"), 3);
    ck_assert_uint_eq(figure(&fixture, "curr_items"), 0);
    fixture_close(&fixture);
}
END_TEST

/* A session is touched to each deadline of a list, one after the other; the last one counts, whatever
 * was armed before. */
START_TEST(test_last_touch_counts)
{
    static const int64_t spans[] = {1000, 10, 5000, 20, 30, 3, 100000, 40};
    struct store_fixture fixture;

    for (size_t n = 1; n <= sizeof spans / sizeof spans[0]; n++) {
        int64_t end_s = FIXTURE_NOW_S + spans[n - 1];

        fixture_open(&fixture);
        put(&fixture, "key", FIXTURE_NOW_S + 100);
        for (size_t i = 0; i < n; i++) {
            ck_assert_int_eq(fixture_touch(&fixture, "key", FIXTURE_NOW_S + spans[i]), SESS_OK);
        }
        for (int64_t before_s = FIXTURE_NOW_S; before_s < end_s; before_s += 1 + spans[n - 1] / 7) {
            fixture.now_s = before_s;
            (void)fixture_tick_all(&fixture);
            ck_assert_uint_eq(figure(&fixture, "curr_items"), 1);
        }
        fixture.now_s = end_s - 1;
        (void)fixture_tick_all(&fixture);
        ck_assert_uint_eq(figure(&fixture, "curr_items"), 1);
        fixture.now_s = end_s;
        (void)fixture_tick_all(&fixture);
        ck_assert_uint_eq(figure(&fixture, "curr_items"), 0);
        inside_assert_bare(&fixture);
        fixture_close(&fixture);
    }
}
END_TEST

/* A slice ends when it has taken out a quarter of a megabyte, so that large values are not released in
 * one go while others wait. */
START_TEST(test_slice_is_bounded_in_bytes)
{
    struct store_fixture fixture;
    struct store_ticker ticker = {.stride = 1};
    uint64_t left = 20;
    unsigned n_slices = 0;
    char key[24];
    bool has_more = true;

    fixture_open(&fixture);
    for (unsigned i = 0; i < left; i++) {
        inside_neighbour(fixture.store, SLICE_LITERAL("key"), key, sizeof key);
        ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, key, slice_of(bytes, 100000), 0,
                                             FIXTURE_NOW_S + 5),
                         SESS_OK);
    }
    fixture.now_s += 5;
    while (has_more) {
        uint64_t before = left;

        has_more = store_tick(fixture.store, &ticker, fixture.now_s, 1000000);
        left = figure(&fixture, "curr_items");
        ck_assert_uint_le(before - left, 3);
        ck_assert_uint_lt(++n_slices, 100);
    }
    ck_assert_uint_ge(n_slices, 20 / 3);
    inside_assert_bare(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* Three workers share the shards: each looks after its own, and all shards are somebody's. */
START_TEST(test_workers_share_the_shards)
{
    enum { N_WORKERS = 3 };
    struct store_fixture fixture;

    fixture_open(&fixture);
    for (unsigned i = 0; i < MANY; i++) {
        put(&fixture, fixture_numbered(i), FIXTURE_NOW_S + 1);
    }
    fixture.now_s += 1;
    for (unsigned i = 0; i < N_WORKERS; i++) {
        struct store_ticker ticker = {.first = i, .stride = N_WORKERS, .position = i};

        while (store_tick(fixture.store, &ticker, fixture.now_s, 100)) {
        }
        for (unsigned shard = 0; shard < fixture.store->n_shards; shard++) {
            ck_assert_int_eq(fixture.store->shards[shard].index.n_entries == 0,
                             shard % N_WORKERS <= i);
            ck_assert_int_eq(fixture.store->shards[shard].now_s == fixture.now_s,
                             shard % N_WORKERS <= i);
        }
    }
    ck_assert_uint_eq(figure(&fixture, "curr_items"), 0);
    fixture_close(&fixture);
}
END_TEST

/* Keys in a store of 16 MiB until no shard takes another one. Returns how many numbers were tried. */
static unsigned fill(struct store_fixture *fixture, int64_t deadline_s)
{
    unsigned n = 0;
    unsigned n_refused = 0;

    fixture_prepare(fixture);
    budget_init(&fixture->data, 16 << 20);
    fixture_start(fixture);
    while (n_refused < 2000) {
        bool is_stored = fixture_write_slice(fixture, STORE_SET, fixture_numbered(n++),
                                             slice_of(bytes, 500), 0, deadline_s) == SESS_OK;

        n_refused = is_stored ? 0 : n_refused + 1;
        ck_assert_uint_lt(n, 100000);
    }
    return n;
}

/* Memory is full of what has expired, and no tick has come: new sessions are stored nevertheless. */
START_TEST(test_expired_make_room)
{
    struct store_fixture fixture;
    unsigned n = fill(&fixture, FIXTURE_NOW_S + 10);
    uint64_t n_before = figure(&fixture, "curr_items");

    fixture.now_s += 10;
    for (unsigned i = 0; i < 1000; i++) {
        ck_assert_int_eq(fixture_write_slice(&fixture, STORE_ADD, fixture_numbered(n + i),
                                             slice_of(bytes, 500), 0, STORE_NO_DEADLINE),
                         SESS_OK);
    }
    ck_assert_uint_lt(figure(&fixture, "curr_items"), n_before);
    inside_check_budget(&fixture);
    inside_check_pages(fixture.store);
    fixture_close(&fixture);
}
END_TEST

/* The same with what was flushed. */
START_TEST(test_flushed_make_room)
{
    struct store_fixture fixture;
    unsigned n = fill(&fixture, STORE_NO_DEADLINE);

    ck_assert_int_eq(fixture_flush(&fixture, 0), SESS_OK);
    for (unsigned i = 0; i < 1000; i++) {
        ck_assert_int_eq(fixture_write_slice(&fixture, STORE_ADD, fixture_numbered(n + i),
                                             slice_of(bytes, 500), 0, STORE_NO_DEADLINE),
                         SESS_OK);
    }
    fixture_close(&fixture);
}
END_TEST

/* Nothing can be taken back: looking for it says so, ends, and leaves everything where it is. */
START_TEST(test_nothing_helps)
{
    static const enum sess_status statuses[] = {SESS_NO_MEMORY, SESS_LIMIT};
    struct store_fixture fixture;
    uint64_t n;
    size_t used;

    (void)fill(&fixture, STORE_NO_DEADLINE);
    (void)fixture_tick_all(&fixture);
    n = figure(&fixture, "curr_items");
    used = budget_used(&fixture.data);
    for (unsigned i = 0; i < 2 * fixture.store->n_shards; i++) {
        ck_assert(!tick_helps(fixture.store, fixture.now_s, statuses[i % 2], 0));
    }
    ck_assert_uint_eq(figure(&fixture, "curr_items"), n);
    ck_assert_uint_eq(budget_used(&fixture.data), used);
    fixture_close(&fixture);
}
END_TEST

/* Only want of memory is helped, a few times; no other failure makes anybody look. */
START_TEST(test_helps_for_memory_alone)
{
    struct store_fixture fixture;
    uint64_t n;

    (void)fill(&fixture, FIXTURE_NOW_S + 10);
    n = figure(&fixture, "curr_items");
    fixture.now_s += 10;
    for (int status = SESS_OK; status < SESS_LIMIT; status++) {
        ck_assert(status == SESS_NO_MEMORY ||
                  !tick_helps(fixture.store, fixture.now_s, (enum sess_status)status, 0));
    }
    ck_assert(!tick_helps(fixture.store, fixture.now_s, SESS_NO_MEMORY, 100));
    ck_assert(!tick_helps(fixture.store, fixture.now_s, SESS_LIMIT, 100));
    ck_assert_uint_eq(figure(&fixture, "curr_items"), n);
    ck_assert(tick_helps(fixture.store, fixture.now_s, SESS_NO_MEMORY, 0));
    ck_assert_uint_lt(figure(&fixture, "curr_items"), n);
    ck_assert_int_eq(tick_status(SESS_LIMIT), SESS_NO_MEMORY);
    ck_assert_int_eq(tick_status(SESS_BUSY), SESS_BUSY);
    fixture_close(&fixture);
}
END_TEST

/* Looking goes through all shards in turn, a few at a time and a bounded number of steps. */
START_TEST(test_help_takes_turns)
{
    struct store_fixture fixture;
    uint64_t left;
    unsigned n_calls = 0;

    (void)fill(&fixture, FIXTURE_NOW_S + 10);
    left = figure(&fixture, "curr_items");
    fixture.now_s += 10;
    while (left > 0) {
        uint64_t before = left;

        (void)tick_helps(fixture.store, fixture.now_s, SESS_NO_MEMORY, 0);
        left = figure(&fixture, "curr_items");
        ck_assert_uint_le(before - left, 512);
        ck_assert_uint_lt(++n_calls, 2000);
    }
    inside_assert_bare(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* Half of all sessions of a full store are deleted: while ticks come, pages are given back; live sessions
 * stay. */
START_TEST(test_deleted_give_pages_back)
{
    struct store_fixture fixture;
    unsigned n = fill(&fixture, STORE_NO_DEADLINE);
    size_t used = inside_heap_size(fixture.store);
    uint64_t n_left;

    for (unsigned i = 0; i < n; i++) {
        if (i % 3 != 0) {
            (void)fixture_delete(&fixture, fixture_numbered(i));
        }
    }
    n_left = figure(&fixture, "curr_items");
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(figure(&fixture, "curr_items"), n_left);
    ck_assert_uint_lt(inside_heap_size(fixture.store), used / 4 * 3);
    for (size_t i = 0; i < fixture.store->n_shards; i++) {
        ck_assert(!compact_pays(&fixture.store->shards[i], false));
    }
    inside_check_budget(&fixture);
    inside_check_pages(fixture.store);
    fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("store/tick", test_unfetched, test_last_touch_counts, test_slice_is_bounded_in_bytes,
           test_workers_share_the_shards, test_expired_make_room, test_flushed_make_room,
           test_nothing_helps, test_helps_for_memory_alone, test_help_takes_turns,
           test_deleted_give_pages_back)
