/* Unit tests of recovery's calls: what is applied is there exactly as recorded, whatever the time. */
#include "sessiond/store/image.h"

#include "faults.h"
#include "store_fixture.h"
#include "store_inside.h"
#include "suite_main.h"

#include <stdio.h>

enum {
    MANY = 3000,
    LARGE = STORE_COPY_MAX + 1,
    PAST_S = FIXTURE_NOW_S - 5000,
    FAR_S = FIXTURE_NOW_S + 5000,
    FIRST_CAS = 1 << 24,
};

#define ITEMS(array) (sizeof(array) / sizeof(array)[0])

static uint8_t bytes[1 << 17];

static enum sess_status try_image(struct store_fixture *fixture, struct store_image image)
{
    return store_apply(fixture->store, &image, 1);
}

static enum sess_status try_set(struct store_fixture *fixture, const char *key, struct slice value,
                                uint64_t cas, int64_t deadline_s)
{
    return try_image(fixture, (struct store_image){.kind = IMAGE_SET,
                                                   .key = slice_from_text(key),
                                                   .value = value,
                                                   .flags = (uint32_t)cas % 3,
                                                   .cas = cas,
                                                   .deadline_s = deadline_s});
}

static void set(struct store_fixture *fixture, const char *key, const char *value, uint64_t cas,
                int64_t deadline_s)
{
    ck_assert_int_eq(try_set(fixture, key, slice_from_text(value), cas, deadline_s), SESS_OK);
}

static void touch(struct store_fixture *fixture, const char *key, int64_t deadline_s)
{
    struct store_image image = {
        .kind = IMAGE_TOUCH, .key = slice_from_text(key), .deadline_s = deadline_s};

    ck_assert_int_eq(try_image(fixture, image), SESS_OK);
}

static void forget(struct store_fixture *fixture, const char *key)
{
    struct store_image image = {.kind = IMAGE_DELETE, .key = slice_from_text(key)};

    ck_assert_int_eq(try_image(fixture, image), SESS_OK);
}

static void flush(struct store_fixture *fixture)
{
    ck_assert_int_eq(try_image(fixture, (struct store_image){.kind = IMAGE_FLUSH}), SESS_OK);
}

static void begin(struct store_fixture *fixture)
{
    store_begin(fixture->store, fixture->now_s, FIRST_CAS, STORE_NO_DEADLINE);
}

/* Entries by the census of all shards. */
static uint64_t counted_by_size(const struct store *store)
{
    uint64_t n = 0;

    for (size_t i = 0; i < store->n_shards; i++) {
        for (size_t size = 0; size < CENSUS_SIZES; size++) {
            n += store->shards[i].census.sizes[size];
        }
    }
    return n;
}

/* So many are there, and every account says so; nobody was asked and nothing counted as done. */
static void assert_applied(struct store_fixture *fixture, uint64_t n_entries)
{
    static const char *const not_counted[] = {
        "total_items",      "sessions_created", "sessions_renewed",
        "sessions_deleted", "sessions_flushed", "reclaimed",
    };

    ck_assert_uint_eq(fixture_figure(fixture, "curr_items"), n_entries);
    ck_assert_uint_eq(counted_by_size(fixture->store), n_entries);
    for (size_t i = 0; i < ITEMS(not_counted); i++) {
        ck_assert_uint_eq(fixture_figure(fixture, not_counted[i]), 0);
    }
    ck_assert_uint_eq(fixture->recorder.n_calls, 0);
    inside_check_budget(fixture);
    inside_check_pages(fixture->store);
}

static void assert_key(struct store_fixture *fixture, const char *key, struct slice value,
                       uint64_t cas, int64_t deadline_s)
{
    struct entry *entry = inside_entry(fixture->store, slice_from_text(key));

    ck_assert_ptr_nonnull(entry);
    ck_assert(slice_equal(entry_value(entry), value));
    ck_assert_uint_eq(entry_cas(entry), cas);
    ck_assert_uint_eq(entry_flags(entry), (uint32_t)cas % 3);
    ck_assert_int_eq(entry_deadline(entry), deadline_s);
}

/* What was applied is read as it was recorded, and what is written next has the next id. */
START_TEST(test_what_is_applied_is_there)
{
    struct store_fixture fixture;
    struct seen seen;

    fixture_open(&fixture);
    set(&fixture, "key", "value", 7, FAR_S);
    set(&fixture, "for-ever", "", 8, STORE_NO_DEADLINE);
    assert_applied(&fixture, 2);
    begin(&fixture);
    assert_applied(&fixture, 2);
    seen = fixture_look(&fixture, "key");
    ck_assert_int_eq(seen.status, SESS_OK);
    ck_assert_str_eq(seen.value, "value");
    ck_assert_uint_eq(seen.flags, 1);
    ck_assert_uint_eq(seen.cas, 7);
    ck_assert_uint_eq(fixture.outcome.ticket, 0);
    seen = fixture_look(&fixture, "for-ever");
    ck_assert_int_eq(seen.status, SESS_OK);
    ck_assert_uint_eq(seen.size, 0);
    ck_assert_uint_eq(seen.cas, 8);
    ck_assert_int_eq(fixture_cas(&fixture, "key", "new", 7, FAR_S), SESS_OK);
    ck_assert_uint_eq(fixture.outcome.cas, FIRST_CAS);
    ck_assert_int_eq(fixture.recorder.last.mutation.old_deadline_s, FAR_S);
    ck_assert_uint_eq(fixture_figure(&fixture, "sessions_renewed"), 1);
    fixture.now_s = FAR_S;
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_look(&fixture, "for-ever").status, SESS_OK);
    fixture_close(&fixture);
}
END_TEST

/* The last image counts, smaller, larger and by reference, its id lower or higher, wide or not. */
START_TEST(test_apply_over)
{
    static const size_t sizes[] = {0, 9, LARGE, 300, sizeof bytes, STORE_COPY_MAX, 1, LARGE, 0};
    static const uint64_t ids[] = {9, 3, UINT64_MAX - 1, 4, 1ULL << 40, (1ULL << 40) - 1, 1};
    static const int64_t deadlines_s[] = {PAST_S, FAR_S, STORE_NO_DEADLINE, 1, FAR_S};
    struct store_fixture fixture;

    fixture_open(&fixture);
    set(&fixture, "other", "stays", 5, FAR_S);
    for (size_t i = 0; i < ITEMS(sizes) * ITEMS(ids) * ITEMS(deadlines_s); i++) {
        struct slice value = slice_of(bytes, sizes[i % ITEMS(sizes)]);
        uint64_t cas = ids[i % ITEMS(ids)];
        int64_t deadline_s = deadlines_s[i % ITEMS(deadlines_s)];

        memset(bytes, (int)i, value.size);
        ck_assert_int_eq(try_set(&fixture, "key", value, cas, deadline_s), SESS_OK);
        assert_key(&fixture, "key", value, cas, deadline_s);
        assert_key(&fixture, "other", SLICE_LITERAL("stays"), 5, FAR_S);
        assert_applied(&fixture, 2);
    }
    begin(&fixture);
    ck_assert(fixture_holds(&fixture, "other", SLICE_LITERAL("stays")));
    fixture_close(&fixture);
}
END_TEST

/* Whatever the deadline is that the entry has, and whatever it gets. */
START_TEST(test_touch_changes_the_deadline_alone)
{
    static const int64_t deadlines_s[] = {1,      PAST_S, FIXTURE_NOW_S,     FIXTURE_NOW_S + 1,
                                          PAST_S, FAR_S,  STORE_NO_DEADLINE, PAST_S,
                                          FAR_S,  PAST_S, STORE_NO_DEADLINE, FAR_S};
    static const size_t sizes[] = {5, LARGE};

    for (size_t size = 0; size < ITEMS(sizes); size++) {
        struct store_fixture fixture;

        fixture_open(&fixture);
        ck_assert_int_eq(try_set(&fixture, "key", slice_of(bytes, sizes[size]), 1ULL << 50, PAST_S),
                         SESS_OK);
        for (size_t i = 0; i < ITEMS(deadlines_s); i++) {
            touch(&fixture, "key", deadlines_s[i]);
            assert_key(&fixture, "key", slice_of(bytes, sizes[size]), 1ULL << 50, deadlines_s[i]);
            touch(&fixture, "absent", deadlines_s[i]);
            assert_applied(&fixture, 1);
        }
        begin(&fixture);
        ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
        ck_assert_int_eq(fixture_look(&fixture, "absent").status, SESS_NOT_FOUND);
        fixture_close(&fixture);
    }
}
END_TEST

START_TEST(test_delete)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    forget(&fixture, "absent");
    assert_applied(&fixture, 0);
    set(&fixture, "small", "value", 1, PAST_S);
    set(&fixture, "stays", "value", 2, FAR_S);
    ck_assert_int_eq(try_set(&fixture, "large", slice_of(bytes, LARGE), 3, FAR_S), SESS_OK);
    assert_applied(&fixture, 3);
    forget(&fixture, "small");
    forget(&fixture, "large");
    forget(&fixture, "large");
    assert_applied(&fixture, 1);
    ck_assert_uint_eq(inside_block_size(fixture.store), 0);
    touch(&fixture, "small", FAR_S);
    begin(&fixture);
    ck_assert_int_eq(fixture_look(&fixture, "small").status, SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_look(&fixture, "large").status, SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_look(&fixture, "stays").status, SESS_OK);
    fixture_close(&fixture);
}
END_TEST

/* Nothing is judged by time until the start: a touch may follow an old image. Then what has expired is seen
 * by nobody, and its space comes back; it was no deletion. */
START_TEST(test_time_counts_from_the_start_on)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    set(&fixture, "expired", "v", 1, PAST_S);
    set(&fixture, "now", "v", 2, FIXTURE_NOW_S + 50);
    set(&fixture, "next", "v", 3, FIXTURE_NOW_S + 51);
    set(&fixture, "revived", "v", 4, PAST_S);
    set(&fixture, "ended", "v", 5, STORE_NO_DEADLINE);
    touch(&fixture, "revived", FAR_S);
    touch(&fixture, "ended", PAST_S);
    assert_applied(&fixture, 5);
    fixture.now_s = FIXTURE_NOW_S + 50;
    begin(&fixture);
    assert_applied(&fixture, 5);
    ck_assert_int_eq(fixture_look(&fixture, "expired").status, SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_look(&fixture, "now").status, SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_look(&fixture, "ended").status, SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_look(&fixture, "next").status, SESS_OK);
    ck_assert_int_eq(fixture_look(&fixture, "revived").status, SESS_OK);
    ck_assert_uint_eq(fixture_figure(&fixture, "get_expired"), 3);
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 2);
    ck_assert_uint_eq(fixture_figure(&fixture, "reclaimed"), 3);
    ck_assert_uint_eq(counted_by_size(fixture.store), 2);
    ck_assert_uint_eq(fixture.recorder.n_calls, 0);
    inside_check_budget(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* What an entry cannot hold is its latest, and never none. */
START_TEST(test_deadlines_an_entry_cannot_hold)
{
    static const struct {
        int64_t recorded_s;
        int64_t held_s;
    } rows[] = {
        {ENTRY_DEADLINE_MAX, ENTRY_DEADLINE_MAX},
        {ENTRY_DEADLINE_MAX + 1, ENTRY_DEADLINE_MAX},
        {INT64_MAX - 1, ENTRY_DEADLINE_MAX},
        {0, 1},
        {INT64_MIN, 1},
    };
    struct store_fixture fixture;

    fixture_open(&fixture);
    for (size_t i = 0; i < ITEMS(rows); i++) {
        set(&fixture, "set", "v", 1, rows[i].recorded_s);
        set(&fixture, "touched", "v", 1, FAR_S);
        touch(&fixture, "touched", rows[i].recorded_s);
        assert_key(&fixture, "set", SLICE_LITERAL("v"), 1, rows[i].held_s);
        assert_key(&fixture, "touched", SLICE_LITERAL("v"), 1, rows[i].held_s);
    }
    fixture_close(&fixture);
}
END_TEST

/* A flush takes out all that came before it, at once, whatever its ids; what comes behind it stays, though
 * its ids may be lower: in the process that gave them out it lived in another shard. */
START_TEST(test_flush_in_the_middle)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    flush(&fixture);
    for (unsigned i = 0; i < MANY; i++) {
        set(&fixture, fixture_numbered(i), "before", UINT64_MAX - 1 - i,
            i % 2 == 0 ? FAR_S : PAST_S);
    }
    ck_assert_int_eq(try_set(&fixture, "large", slice_of(bytes, LARGE), 3, FAR_S), SESS_OK);
    assert_applied(&fixture, MANY + 1);
    flush(&fixture);
    assert_applied(&fixture, 0);
    inside_assert_bare(&fixture);
    touch(&fixture, fixture_numbered(1), FAR_S);
    for (unsigned i = 0; i < 10 * MANY; i += 10) {
        set(&fixture, fixture_numbered(i), "behind", 1 + i, FAR_S);
    }
    assert_applied(&fixture, MANY);
    begin(&fixture);
    ck_assert_int_eq(fixture_look(&fixture, fixture_numbered(1)).status, SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_look(&fixture, "large").status, SESS_NOT_FOUND);
    (void)fixture_tick_all(&fixture);
    for (unsigned i = 0; i < 10 * MANY; i += 10) {
        ck_assert(fixture_holds(&fixture, fixture_numbered(i), SLICE_LITERAL("behind")));
    }
    fixture_close(&fixture);
}
END_TEST

/* max-value may be lower than when it was stored. */
START_TEST(test_too_large_is_not_judged)
{
    struct store_fixture fixture;

    fixture_prepare(&fixture);
    fixture.config.max_value_bytes = 1000;
    fixture_start(&fixture);
    ck_assert_int_eq(try_set(&fixture, "key", slice_of(bytes, 1001), 1, FAR_S), SESS_OK);
    ck_assert_int_eq(try_set(&fixture, "large", slice_of(bytes, LARGE), 2, FAR_S), SESS_OK);
    assert_applied(&fixture, 2);
    begin(&fixture);
    ck_assert(fixture_holds(&fixture, "key", slice_of(bytes, 1001)));
    ck_assert(fixture_holds(&fixture, "large", slice_of(bytes, LARGE)));
    fixture_close(&fixture);
}
END_TEST

/* A store made for little. */
static void open_small(struct store_fixture *fixture)
{
    fixture_prepare(fixture);
    budget_init(&fixture->data, (size_t)4 << 20);
    fixture_start(fixture);
}

/* Apply new keys with values of `size` until one does not fit. Returns the keys that are there. */
static unsigned fill(struct store_fixture *fixture, unsigned first, size_t size)
{
    unsigned n = first;

    while (try_set(fixture, fixture_numbered(n), slice_of(bytes, size), n + 1, FAR_S) == SESS_OK) {
        n++;
    }
    ck_assert_int_eq(try_set(fixture, fixture_numbered(n), slice_of(bytes, size), n + 1, FAR_S),
                     SESS_NO_MEMORY);
    return n;
}

/* It does not fit: every account is as before, and so is what it would have replaced. All memory was used,
 * what is kept back from new keys too. */
START_TEST(test_no_memory)
{
    static const size_t sizes[] = {400, 5000};

    for (size_t i = 0; i < ITEMS(sizes); i++) {
        struct store_fixture fixture;
        struct slice value = slice_of(bytes, sizes[i]);
        unsigned n;

        open_small(&fixture);
        memset(bytes, 'm', sizeof bytes);
        n = fill(&fixture, 0, sizes[i]);
        assert_applied(&fixture, n);
        ck_assert_uint_gt(budget_used(&fixture.store->held), fixture.store->new_key_limit);
        ck_assert_int_eq(try_set(&fixture, "key-3", slice_of(bytes, sizeof bytes), 99, PAST_S),
                         SESS_NO_MEMORY);
        assert_key(&fixture, "key-3", value, 4, FAR_S);
        assert_applied(&fixture, n);
        touch(&fixture, "key-3", FAR_S + 1);
        forget(&fixture, "key-4");
        ck_assert_int_eq(try_set(&fixture, "key-4", value, 5, FAR_S), SESS_OK);
        begin(&fixture);
        ck_assert_int_eq(
            fixture_write_slice(&fixture, STORE_SET, "new", value, 0, STORE_NO_DEADLINE),
            SESS_NO_MEMORY);
        ck_assert_int_eq(
            fixture_write_slice(&fixture, STORE_SET, "key-3", value, 0, STORE_NO_DEADLINE),
            SESS_OK);
        fixture_close(&fixture);
    }
}
END_TEST

/* What was freed in pieces, in all shards, is of use again without a tick: for entries of another size, and
 * for large values. */
START_TEST(test_room_in_pieces)
{
    static const size_t sizes[] = {700, 6000};

    for (size_t i = 0; i < ITEMS(sizes); i++) {
        struct store_fixture fixture;
        unsigned n;
        unsigned left = 0;
        size_t held;

        open_small(&fixture);
        n = fill(&fixture, 0, 300);
        held = budget_used(&fixture.store->held);
        for (unsigned key = 0; key < n; key++) {
            if (key % 3 == 0) {
                left++;
            } else {
                forget(&fixture, fixture_numbered(key));
            }
        }
        left += fill(&fixture, n, sizes[i]) - n;
        assert_applied(&fixture, left);
        ck_assert_uint_gt(budget_used(&fixture.store->held), held - held / 50);
        fixture_close(&fixture);
    }
}
END_TEST

/* The time of the start is that of all shards, and never an earlier one than the store was made with. */
START_TEST(test_begin_sets_the_time)
{
    static const int64_t told_s[] = {FIXTURE_NOW_S - 100, FIXTURE_NOW_S, FIXTURE_NOW_S + 100};

    for (size_t i = 0; i < ITEMS(told_s); i++) {
        struct store_fixture fixture;
        int64_t now_s = told_s[i] > FIXTURE_NOW_S ? told_s[i] : FIXTURE_NOW_S;

        fixture_open(&fixture);
        store_begin(fixture.store, told_s[i], 1ULL << 41, STORE_NO_DEADLINE);
        for (size_t shard = 0; shard < fixture.store->n_shards; shard++) {
            ck_assert_int_eq(fixture.store->shards[shard].now_s, now_s);
            ck_assert_uint_eq(fixture.store->shards[shard].next_cas, 1ULL << 41);
        }
        ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "v", FAR_S), SESS_OK);
        ck_assert_uint_eq(fixture.outcome.cas, 1ULL << 41);
        fixture_close(&fixture);
    }
}
END_TEST

/* The flush that is to come takes effect at its time, by a record; if it has passed, in front of the first
 * call. */
START_TEST(test_begin_with_a_flush_to_come)
{
    static const int64_t spans[] = {-100, 0, 1, 100};

    for (size_t i = 0; i < ITEMS(spans); i++) {
        struct store_fixture fixture;
        const struct mutation *told = &fixture.recorder.last.mutation;

        fixture_open(&fixture);
        set(&fixture, "key", "v", FIRST_CAS - 1, STORE_NO_DEADLINE);
        store_begin(fixture.store, FIXTURE_NOW_S, FIRST_CAS, FIXTURE_NOW_S + spans[i]);
        ck_assert_uint_eq(fixture.recorder.n_calls, 0);
        if (spans[i] > 0) {
            fixture.now_s += spans[i] - 1;
            ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
            fixture.now_s++;
        }
        ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
        ck_assert_uint_eq(fixture.recorder.n_calls, 1);
        ck_assert_int_eq(told->kind, MUTATION_FLUSH);
        ck_assert_int_eq(told->deadline_s, FIXTURE_NOW_S + spans[i]);
        ck_assert_int_eq(told->now_s, fixture.now_s);
        ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "v", FAR_S), SESS_OK);
        fixture.now_s += 200;
        ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
        fixture_close(&fixture);
    }
}
END_TEST

/* A client's flush after the start covers what was applied. */
START_TEST(test_flush_after_the_start)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    set(&fixture, "key", "v", FIRST_CAS - 1, STORE_NO_DEADLINE);
    begin(&fixture);
    ck_assert_int_eq(fixture_flush(&fixture, 0), SESS_OK);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    (void)fixture_tick_all(&fixture);
    inside_assert_bare(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* What was applied is as old as the start, and its coming is no growth to forecast from. */
START_TEST(test_figures_begin_anew)
{
    struct store_fixture fixture;
    struct forecast *forecast;

    open_small(&fixture);
    forecast = &fixture.store->forecast;
    for (unsigned i = 0; i < MANY; i++) {
        set(&fixture, fixture_numbered(i), "v", i + 1, FAR_S);
    }
    fixture.now_s += 60;
    begin(&fixture);
    for (unsigned second = 0; second < 120; second += 20) {
        const struct census *census = &inside_shard(fixture.store, SLICE_LITERAL("key-0"))->census;

        (void)fixture_tick_all(&fixture);
        ck_assert_int_eq(forecast_full_s(forecast, fixture.now_s, budget_used(&fixture.store->held),
                                         fixture.store->new_key_limit),
                         FORECAST_NEVER);
        ck_assert_uint_eq(census_first_cas(census, 0), second < 60 ? 0 : FIRST_CAS);
        ck_assert_uint_eq(census_first_cas(census, 1), 0);
        fixture.now_s += 20;
    }
    fixture_close(&fixture);
}
END_TEST

/* Many images in one call are applied in their order, to where each belongs: the last one of a key wins. */
START_TEST(test_many_at_once)
{
    enum { N = 500, KEYS = 60 };
    struct store_fixture fixture;
    static struct store_image images[N];
    static char keys[N][24];
    uint64_t last[KEYS] = {0}; /* CAS id of what is there; 0: nothing */
    size_t n_there = 0;

    fixture_open(&fixture);
    for (size_t i = 0; i < N; i++) {
        size_t key = i * i % KEYS;
        bool is_set = i % 3 != 2;

        (void)snprintf(keys[i], sizeof keys[i], "key-%zu", key);
        images[i] = (struct store_image){
            .kind = is_set ? IMAGE_SET : IMAGE_DELETE,
            .key = slice_from_text(keys[i]),
            .value = slice_from_text(keys[i]),
            .flags = (uint32_t)(i + 1) % 3,
            .cas = i + 1,
            .deadline_s = FAR_S,
        };
        last[key] = is_set ? i + 1 : 0;
    }
    store_fill(fixture.store, KEYS);
    ck_assert_int_eq(store_apply(fixture.store, images, N), SESS_OK);
    for (size_t key = 0; key < KEYS; key++) {
        char text[24];

        (void)snprintf(text, sizeof text, "key-%zu", key);
        if (last[key] == 0) {
            ck_assert_ptr_null(inside_entry(fixture.store, slice_from_text(text)));
        } else {
            assert_key(&fixture, text, slice_from_text(text), last[key], FAR_S);
            n_there++;
        }
    }
    ck_assert_uint_gt(n_there, 0);
    assert_applied(&fixture, n_there);
    fixture_close(&fixture);
}
END_TEST

/* One does not fit: those in front of it are there, those behind it are not. */
START_TEST(test_many_until_one_does_not_fit)
{
    struct store_fixture fixture;
    struct store_image images[] = {
        {.kind = IMAGE_SET, .key = SLICE_LITERAL("first"), .cas = 3, .deadline_s = FAR_S},
        {.kind = IMAGE_SET, .key = SLICE_LITERAL("large"), .cas = 1, .deadline_s = FAR_S},
        {.kind = IMAGE_SET, .key = SLICE_LITERAL("last"), .cas = 1, .deadline_s = FAR_S},
    };

    fixture_open(&fixture);
    images[1].value = slice_of(bytes, LARGE);
    faults_fail_mprotect(3); /* the first one takes a page, and its place in a list */
    ck_assert_int_eq(store_apply(fixture.store, images, ITEMS(images)), SESS_NO_MEMORY);
    assert_key(&fixture, "first", slice_of(NULL, 0), 3, FAR_S);
    ck_assert_ptr_null(inside_entry(fixture.store, SLICE_LITERAL("large")));
    ck_assert_ptr_null(inside_entry(fixture.store, SLICE_LITERAL("last")));
    assert_applied(&fixture, 1);
    fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("store/apply", test_many_at_once, test_many_until_one_does_not_fit,
           test_what_is_applied_is_there, test_apply_over, test_touch_changes_the_deadline_alone,
           test_delete, test_time_counts_from_the_start_on, test_deadlines_an_entry_cannot_hold,
           test_flush_in_the_middle, test_too_large_is_not_judged, test_no_memory,
           test_room_in_pieces, test_begin_sets_the_time, test_begin_with_a_flush_to_come,
           test_flush_after_the_start, test_figures_begin_anew)
