/* Unit tests of the store's figures: what is reported of sessions that the test knows. */
#include "sessiond/store/figures.h"

#include "store_fixture.h"
#include "store_inside.h"
#include "suite_main.h"

#include <stdio.h>
#include <stdlib.h>

enum { MANY = 30000, KEY_SIZE = 32 };

static struct store_fixture fixture;
static struct report report;

/* A line of the report made last, or "" when there is none. */
static const char *line(const char *wanted)
{
    struct slice name;
    struct slice value;
    size_t position = 0;

    while (report_next(&report, &position, &name, &value)) {
        if (slice_is(name, wanted)) {
            return (const char *)value.data;
        }
    }
    return "";
}

static void ask(void (*report_fn)(void *store, struct report *report))
{
    report_release(&report);
    report_fn(fixture.store, &report);
    ck_assert(!report.is_cut);
}

#define CHECK_LINE(name, value) ck_assert_str_eq(line(name), value)

static size_t n_lines(void)
{
    struct slice name;
    struct slice value;
    size_t position = 0;
    size_t n = 0;

    while (report_next(&report, &position, &name, &value)) {
        n++;
    }
    return n;
}

static const char *numbered(size_t number)
{
    static char key[KEY_SIZE];

    (void)snprintf(key, sizeof key, "key-%zu", number);
    return key;
}

static void write_sized(const char *key, size_t size, int64_t deadline_s)
{
    static char bytes[1 << 20];

    ck_assert_int_eq(
        fixture_write_slice(&fixture, STORE_SET, key, slice_of(bytes, size), 0, deadline_s),
        SESS_OK);
}

/* Move the time on, with a tick in each of the seconds. */
static void pass(int64_t seconds)
{
    for (int64_t i = 0; i < seconds; i++) {
        fixture.now_s++;
        (void)fixture_tick_all(&fixture);
    }
}

/* Nothing there: every line is there all the same, but for sizes. */
START_TEST(test_empty)
{
    fixture_open(&fixture);
    ask(store_report_sizes);
    ck_assert_uint_eq(n_lines(), 0);
    ask(store_report_sessions);
    CHECK_LINE("size_largest", "0");
    CHECK_LINE("estimated_from", "0");
    CHECK_LINE("remaining_le_60", "0");
    CHECK_LINE("remaining_le_2592000", "0");
    CHECK_LINE("no_deadline", "0");
    CHECK_LINE("never_renewed", "0");
    CHECK_LINE("never_renewed_share", "0.00");
    CHECK_LINE("age_le_60", "0");
    ck_assert_uint_eq((size_t)atol(line("memory_for_growth")), fixture.store->held.limit);
    ck_assert_uint_eq((size_t)atol(line("memory_for_sessions")), fixture.store->new_key_limit);
    ck_assert_uint_eq((size_t)atol(line("memory_resident")), budget_used(&fixture.data));
    CHECK_LINE("time_to_full", "never");
    ask(store_report_shards);
    CHECK_LINE("shards", "256");
    CHECK_LINE("sessions_most", "0");
    CHECK_LINE("sessions_dispersion", "0.00");
    CHECK_LINE("sessions_per_bucket", "0.00");
    CHECK_LINE("index_buckets", "1024");
    report_release(&report);
    fixture_close(&fixture);
}
END_TEST

/* The upper bound of the class that a key's entry is counted in. */
static size_t bound_of(const char *key)
{
    size_t cost =
        shard_entry_cost(fixture.store, inside_entry(fixture.store, slice_from_text(key)));
    size_t size = 0;

    while (census_size_bytes(size) < cost) {
        size++;
    }
    return census_size_bytes(size);
}

static void expect_size(size_t bound, const char *expected)
{
    char name[KEY_SIZE];

    (void)snprintf(name, sizeof name, "%zu", bound);
    CHECK_LINE(name, expected);
}

/* Entries come by a write, change by another one, go by a delete and by expiry. */
START_TEST(test_sizes_follow_entries)
{
    size_t small;
    size_t large;

    fixture_open(&fixture);
    write_sized("a", 10, STORE_NO_DEADLINE);
    write_sized("b", 10, STORE_NO_DEADLINE);
    write_sized("c", 100000, fixture.now_s + 5);
    small = bound_of("a");
    large = bound_of("c");
    ask(store_report_sizes);
    ck_assert_uint_eq(n_lines(), 2);
    expect_size(small, "2");
    expect_size(large, "1");
    write_sized("a", 100000, STORE_NO_DEADLINE);
    ck_assert_int_eq(fixture_delete(&fixture, "b"), SESS_OK);
    ask(store_report_sizes);
    ck_assert_uint_eq(n_lines(), 1);
    expect_size(large, "2");
    pass(6);
    ask(store_report_sizes);
    expect_size(large, "1");
    ck_assert_int_eq(store_flush(fixture.store, fixture.now_s, fixture.now_s, &fixture.outcome),
                     SESS_OK);
    (void)fixture_tick_all(&fixture);
    ask(store_report_sizes);
    ck_assert_uint_eq(n_lines(), 0);
    report_release(&report);
    fixture_close(&fixture);
}
END_TEST

/* `stats sessions` adds sizes up, to the power of two that holds all. */
START_TEST(test_session_sizes)
{
    fixture_open(&fixture);
    write_sized("a", 10, STORE_NO_DEADLINE);
    write_sized("b", 10, STORE_NO_DEADLINE);
    write_sized("c", 900, STORE_NO_DEADLINE);
    write_sized("d", 14000, STORE_NO_DEADLINE);
    ask(store_report_sessions);
    CHECK_LINE("size_le_128", "2");
    CHECK_LINE("size_le_512", "2");
    CHECK_LINE("size_le_1024", "3");
    CHECK_LINE("size_le_8192", "3");
    CHECK_LINE("size_le_16384", "4");
    CHECK_LINE("size_le_32768", "");
    ck_assert_uint_eq((size_t)atoi(line("size_largest")), bound_of("d"));
    report_release(&report);
    fixture_close(&fixture);
}
END_TEST

/* A few sessions are all looked at: the figures are exact. */
START_TEST(test_remaining)
{
    fixture_open(&fixture);
    (void)fixture_write(&fixture, STORE_SET, "a", "v", fixture.now_s + 60);
    (void)fixture_write(&fixture, STORE_SET, "b", "v", fixture.now_s + 61);
    (void)fixture_write(&fixture, STORE_SET, "c", "v", fixture.now_s + 14 * 86400);
    (void)fixture_write(&fixture, STORE_SET, "d", "v", fixture.now_s + 31 * 86400);
    (void)fixture_write(&fixture, STORE_SET, "e", "v", STORE_NO_DEADLINE);
    ask(store_report_sessions);
    CHECK_LINE("estimated_from", "5");
    CHECK_LINE("remaining_le_60", "1");
    CHECK_LINE("remaining_le_600", "2");
    CHECK_LINE("remaining_le_604800", "2");
    CHECK_LINE("remaining_le_2592000", "3");
    CHECK_LINE("no_deadline", "1");
    (void)fixture_touch(&fixture, "a", fixture.now_s + 600);
    ask(store_report_sessions);
    CHECK_LINE("remaining_le_60", "0");
    CHECK_LINE("remaining_le_600", "2");
    report_release(&report);
    fixture_close(&fixture);
}
END_TEST

static void expect_never_renewed(const char *number, const char *share)
{
    ask(store_report_sessions);
    CHECK_LINE("never_renewed", number);
    CHECK_LINE("never_renewed_share", share);
}

/* A write or a touch of a live session renews it, in its place or in another one; a read or a mark does not. */
START_TEST(test_never_renewed)
{
    const struct store_removal mark = {.key = SLICE_LITERAL("a"), .invalidates = true};

    fixture_open(&fixture);
    for (size_t i = 0; i < 4; i++) {
        const char *const keys[] = {"a", "b", "c", "d"};

        write_sized(keys[i], 10, fixture.now_s + 60);
    }
    ck_assert(fixture_look(&fixture, "a").status == SESS_OK);
    ck_assert_int_eq(store_remove(fixture.store, &mark, fixture.now_s, &fixture.outcome), SESS_OK);
    expect_never_renewed("4", "1.00");
    write_sized("a", 10, fixture.now_s + 60);
    expect_never_renewed("3", "0.75");
    write_sized("b", 5000, fixture.now_s + 60);
    expect_never_renewed("2", "0.50");
    ck_assert_int_eq(fixture_touch(&fixture, "c", fixture.now_s + 60), SESS_OK);
    expect_never_renewed("1", "0.25");
    ck_assert_int_eq(store_remove(fixture.store, &mark, fixture.now_s, &fixture.outcome), SESS_OK);
    expect_never_renewed("1", "0.25");
    ck_assert_int_eq(fixture_delete(&fixture, "a"), SESS_OK);
    write_sized("a", 10, fixture.now_s + 60);
    expect_never_renewed("2", "0.50");
    pass(60); /* all have expired: the key is a new session's */
    write_sized("b", 10, fixture.now_s + 60);
    expect_never_renewed("1", "1.00");
    report_release(&report);
    fixture_close(&fixture);
}
END_TEST

/* What was flushed, or has expired, is no session any more, though it may still take space. */
START_TEST(test_dead_do_not_count)
{
    fixture_open(&fixture);
    (void)fixture_write(&fixture, STORE_SET, "a", "v", fixture.now_s + 60);
    ck_assert_int_eq(store_flush(fixture.store, fixture.now_s, fixture.now_s, &fixture.outcome),
                     SESS_OK);
    (void)fixture_write(&fixture, STORE_SET, "b", "v", fixture.now_s + 60);
    ask(store_report_sessions);
    CHECK_LINE("estimated_from", "2");
    CHECK_LINE("remaining_le_60", "1");
    CHECK_LINE("age_le_60", "1");
    report_release(&report);
    fixture_close(&fixture);
}
END_TEST

/* The age counts from the last time that a session was stored; a touch does not change it. */
START_TEST(test_ages)
{
    fixture_open(&fixture);
    (void)fixture_write(&fixture, STORE_SET, "a", "v", STORE_NO_DEADLINE);
    (void)fixture_write(&fixture, STORE_SET, "b", "v", STORE_NO_DEADLINE);
    pass(50);
    ask(store_report_sessions);
    CHECK_LINE("age_le_60", "2");
    pass(40);
    (void)fixture_write(&fixture, STORE_SET, "a", "w", STORE_NO_DEADLINE);
    (void)fixture_touch(&fixture, "b", fixture.now_s + 100000);
    ask(store_report_sessions);
    CHECK_LINE("age_le_60", "1");
    CHECK_LINE("age_le_600", "2");
    pass(700);
    ask(store_report_sessions);
    CHECK_LINE("age_le_60", "0");
    CHECK_LINE("age_le_600", "0");
    CHECK_LINE("age_le_3600", "2");
    report_release(&report);
    fixture_close(&fixture);
}
END_TEST

static void expect_about(const char *name, double expected)
{
    double found = atof(line(name));

    ck_assert_msg(found > 0.95 * expected && found < 1.05 * expected, "%s is %.0f, not %.0f", name,
                  found, expected);
}

/* Of many sessions a bounded sample is looked at, and scaled to all. */
START_TEST(test_estimate)
{
    fixture_open(&fixture);
    for (size_t i = 0; i < MANY; i++) {
        int64_t deadline_s =
            i % 3 == 0 ? STORE_NO_DEADLINE : fixture.now_s + (i % 3 == 1 ? 50 : 500);

        HOT_ASSERT(fixture_write(&fixture, STORE_SET, numbered(i), "v", deadline_s) == SESS_OK);
    }
    ask(store_report_sessions);
    ck_assert_int_gt(atoi(line("estimated_from")), 5000);
    ck_assert_int_lt(atoi(line("estimated_from")), 11000);
    expect_about("remaining_le_60", MANY / 3.0);
    expect_about("remaining_le_600", MANY / 1.5);
    expect_about("no_deadline", MANY / 3.0);
    expect_about("age_le_60", MANY);
    expect_about("never_renewed", MANY);
    ask(store_report_shards);
    ck_assert_uint_eq((size_t)atoi(line("sessions_mean")), (MANY + 128) / 256);
    ck_assert_double_lt(atof(line("sessions_dispersion")), 1.5);
    ck_assert_double_gt(atof(line("sessions_dispersion")), 0.6);
    report_release(&report);
    fixture_close(&fixture);
}
END_TEST

/* The fullest and the emptiest shard, by sessions and by bytes; the index's pieces. */
START_TEST(test_shards)
{
    struct shard *crowded;
    size_t n_in_shard = 0;

    fixture_open(&fixture);
    crowded = inside_shard(fixture.store, SLICE_LITERAL("key-0"));
    for (size_t i = 0; n_in_shard < 100; i++) {
        if (inside_shard(fixture.store, slice_from_text(numbered(i))) == crowded) {
            write_sized(numbered(i), 10, STORE_NO_DEADLINE);
            n_in_shard++;
        }
    }
    ask(store_report_shards);
    CHECK_LINE("sessions_most", "100");
    CHECK_LINE("sessions_least", "0");
    ck_assert_ptr_eq(&fixture.store->shards[atoi(line("sessions_most_shard"))], crowded);
    ck_assert_ptr_eq(&fixture.store->shards[atoi(line("bytes_most_shard"))], crowded);
    ck_assert_uint_eq((size_t)atoi(line("bytes_most")), metric_read(&crowded->metrics.bytes));
    CHECK_LINE("bytes_least", "0");
    ck_assert_double_gt(atof(line("sessions_dispersion")), 50);
    ck_assert_uint_eq((size_t)atoi(line("index_buckets")), 255 * 4 + crowded->index.n_buckets);
    ck_assert_uint_eq((size_t)atoi(line("index_overflow_pieces")), crowded->index.n_pieces);
    ck_assert_uint_gt(crowded->index.n_pieces, 0);
    report_release(&report);
    fixture_close(&fixture);
}
END_TEST

/* As many shards as the configuration says, however much data there may be. */
START_TEST(test_shards_as_told)
{
    fixture_prepare(&fixture);
    fixture.config.n_shards = 2;
    fixture_start(&fixture);
    for (size_t i = 0; i < 100; i++) {
        write_sized(numbered(i), 10, STORE_NO_DEADLINE);
    }
    ask(store_report_shards);
    CHECK_LINE("shards", "2");
    CHECK_LINE("sessions_mean", "50");
    report_release(&report);
    fixture_close(&fixture);
}
END_TEST

/* Memory that grows by a known amount fills at a known time. */
START_TEST(test_time_to_full)
{
    size_t before;
    size_t grown;

    fixture_open(&fixture);
    before = budget_used(&fixture.store->held);
    for (size_t i = 0; i < 60; i++) {
        write_sized(numbered(i), 100000, STORE_NO_DEADLINE);
        pass(1);
    }
    ask(store_report_sessions);
    ck_assert_uint_eq((size_t)atoi(line("memory_held")), budget_used(&fixture.store->held));
    grown = budget_used(&fixture.store->held) - before;
    ck_assert_uint_gt(grown, 6000000);
    ck_assert_double_eq_tol(
        atof(line("time_to_full")),
        60.0 * (double)(fixture.store->new_key_limit - before - grown) / (double)grown, 1.0);
    report_release(&report);
    fixture_close(&fixture);
}
END_TEST

static size_t figure(const char *name)
{
    return (size_t)strtoull(line(name), NULL, 10);
}

/* The parts are all that is charged; sessions stand in their pages, behind each other and rounded. */
START_TEST(test_footprint)
{
    size_t places = 0;
    size_t before;

    fixture_open(&fixture);
    ask(store_report_footprint);
    ck_assert_uint_eq(figure("index_bytes"), budget_used(&fixture.data));
    ck_assert_uint_eq(figure("heap_bytes") + figure("unfilled_bytes") + figure("block_bytes"), 0);
    for (size_t i = 0; i < MANY; i++) {
        HOT_ASSERT(fixture_write(&fixture, STORE_SET, numbered(i), "value", fixture.now_s + 1000) ==
                   SESS_OK);
        places +=
            heap_round(offsetof(struct entry, packed) + strlen(numbered(i)) + strlen("value"));
    }
    ask(store_report_footprint);
    ck_assert_uint_eq(figure("index_bytes") + figure("timer_bytes") + figure("heap_bytes") +
                          figure("unfilled_bytes"),
                      budget_used(&fixture.data));
    ck_assert_uint_eq(figure("place_bytes"), places);
    ck_assert_uint_eq(figure("header_bytes"), MANY * offsetof(struct entry, packed));
    ck_assert_uint_ge(figure("timer_bytes"), MANY * sizeof(uint32_t));
    ck_assert_uint_ge(figure("heap_bytes"), places);
    ck_assert_uint_lt(figure("unfilled_bytes"), fixture.store->n_shards * fixture.store->page_size);
    ck_assert_uint_gt(figure("table_bytes"), 0);
    ck_assert_uint_eq(figure("block_bytes"), 0);
    before = figure("heap_bytes");
    for (size_t i = 0; i < MANY; i++) {
        HOT_ASSERT(fixture_delete(&fixture, numbered(i)) == SESS_OK);
    }
    ask(store_report_footprint);
    ck_assert_uint_eq(figure("place_bytes"), 0);
    ck_assert_msg(figure("heap_bytes") == before, "each shard keeps a page, which has its memory");
    write_sized("large", 500000, STORE_NO_DEADLINE);
    ask(store_report_footprint);
    ck_assert_uint_ge(figure("block_bytes"), 500000);
    report_release(&report);
    fixture_close(&fixture);
}
END_TEST

/* What is taken ahead is told apart from what holds something. */
START_TEST(test_footprint_ahead)
{
    fixture_open(&fixture);
    ask(store_report_footprint);
    ck_assert_uint_eq(figure("ahead_bytes"), 0);
    inside_grow_arena(fixture.store);
    inside_wait_for_ahead(fixture.store->arena, (size_t)2 * ARENA_PACK_AHEAD);
    ask(store_report_footprint);
    ck_assert_uint_eq(figure("ahead_bytes"), 2 * ARENA_PACK_AHEAD);
    ck_assert_uint_eq(figure("block_bytes"), 0);
    report_release(&report);
    fixture_close(&fixture);
}
END_TEST

/* What keys share is missing in their places. */
START_TEST(test_shared_bytes)
{
    static const char beginning[] = "all-keys-of-a-site-begin-alike:";
    char key[sizeof beginning + KEY_SIZE];
    size_t whole = 0;

    fixture_open(&fixture);
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(key, sizeof key, "%s%zu", beginning, 100000 + i);
        HOT_ASSERT(fixture_write(&fixture, STORE_SET, key, "value", STORE_NO_DEADLINE) == SESS_OK);
        whole += offsetof(struct entry, packed) + strlen(key) + strlen("value");
    }
    ask(store_report_footprint);
    ck_assert_uint_gt(figure("shared_bytes"), MANY * (sizeof beginning - 1 - 1) * 9 / 10);
    ck_assert_uint_le(whole - figure("shared_bytes"), figure("place_bytes") + whole / 100);
    ck_assert_uint_ge(whole - figure("shared_bytes") + 8 * MANY, figure("place_bytes"));
    report_release(&report);
    fixture_close(&fixture);
}
END_TEST

/* The index's figures, small and after it has grown. */
START_TEST(test_index)
{
    uint64_t totals[METRIC_ROWS_MAX] = {0};

    fixture_open(&fixture);
    store_sum_index(fixture.store, totals);
    ck_assert_uint_eq(totals[0], 10);
    ck_assert_uint_eq(totals[1], budget_used(&fixture.data));
    for (size_t i = 0; i < MANY; i++) {
        HOT_ASSERT(fixture_write(&fixture, STORE_SET, numbered(i), "v", STORE_NO_DEADLINE) ==
                   SESS_OK);
    }
    memset(totals, 0, sizeof totals);
    store_sum_index(fixture.store, totals);
    ck_assert_uint_eq(totals[0], 12);
    ck_assert_uint_ge(totals[1], MANY / 7 * sizeof(struct index_bucket));
    fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("store/figures", test_empty, test_sizes_follow_entries, test_session_sizes,
           test_remaining, test_never_renewed, test_dead_do_not_count, test_ages, test_estimate,
           test_shards, test_shards_as_told, test_time_to_full, test_footprint,
           test_footprint_ahead, test_shared_bytes, test_index)
