/* Unit tests of squeezing: every entry is still found, whoever moved it; pages go back; nothing of what
 * was there is left; and it ends. */
#include "compact.h"

#include "store_fixture.h"
#include "store_inside.h"
#include "suite_main.h"
#include "test_random.h"

enum {
    N_KEYS = 400,
    NAME_SIZE = 24,
    SMALL_STORE = 16 << 20, /* bytes; pages of 16 KiB */
    LARGE_STORE = 1 << 30,  /* of 64 KiB */
    N_PAGES_SEEN = 4096,
};

static struct store_fixture fixture;
static struct shard *shard;
static char names[N_KEYS][NAME_SIZE]; /* of keys in one shard */
static uint8_t marks[N_KEYS];         /* what a key's value is made of; 0: it is not there */
static size_t sizes[N_KEYS];
static uint8_t bytes[STORE_COPY_MAX];
static struct test_random random_state;

static void open_store(size_t memory)
{
    fixture_prepare(&fixture);
    budget_init(&fixture.data, memory);
    fixture_start(&fixture);
    shard = inside_shard(fixture.store, SLICE_LITERAL("key"));
    random_state.state = 17;
    for (unsigned i = 0, number = 0; i < N_KEYS; number++) {
        (void)snprintf(names[i], NAME_SIZE, "key-%u", number);
        i += inside_shard(fixture.store, slice_from_text(names[i])) == shard;
    }
}

static void set_up(void)
{
    open_store(SMALL_STORE);
}

static void tear_down(void)
{
    inside_check_budget(&fixture);
    inside_check_pages(fixture.store);
    fixture_close(&fixture);
}

static uint64_t below(uint64_t bound)
{
    return test_random_below(&random_state, bound);
}

static void put(size_t i, size_t size, int64_t deadline_s)
{
    marks[i] = (uint8_t)(1 + i % 250);
    sizes[i] = size;
    memset(bytes, marks[i], size);
    ck_assert_int_eq(
        fixture_write_slice(&fixture, STORE_SET, names[i], slice_of(bytes, size), 0, deadline_s),
        SESS_OK);
}

static void take_out(size_t i)
{
    ck_assert_int_eq(fixture_delete(&fixture, names[i]), SESS_OK);
    marks[i] = 0;
}

/* The index finds each key that is there, and no other; its value is whole. */
static void check_keys(void)
{
    for (size_t i = 0; i < N_KEYS; i++) {
        memset(bytes, marks[i], sizes[i]);
        HOT_ASSERT(fixture_holds(&fixture, names[i], slice_of(bytes, sizes[i])) == (marks[i] != 0));
    }
    inside_check_pages(fixture.store);
}

/* Deadlines of many keys are in the same seconds, so that their timers hang on each other. */
static void fill_and_thin(size_t size, unsigned keep_one_of)
{
    for (size_t i = 0; i < N_KEYS; i++) {
        put(i, size / 2 + below(size / 2), FIXTURE_NOW_S + 10 + (int64_t)(i % 7));
    }
    for (size_t i = 0; i < N_KEYS; i++) {
        if (i % keep_one_of != 0) {
            take_out(i);
        }
    }
}

/* Steps until it does not pay any more. */
static unsigned compact_all(bool is_pressed)
{
    unsigned n_steps = 0;

    while (compact_pays(shard, is_pressed)) {
        size_t loose = heap_loose(&shard->heap);

        for (unsigned i = 0; !compact_step(shard); i++) {
            /* A page of 64 KiB, to which others move in between. */
            ck_assert_uint_lt(i, 4096);
        }
        ck_assert_uint_lt(heap_loose(&shard->heap), loose);
        ck_assert_uint_lt(++n_steps, 10000);
    }
    return n_steps;
}

/* Keys are deleted between others: what is left moves together, pages go back, and each key is found. */
START_TEST(step_gives_pages_back)
{
    size_t before;

    fill_and_thin(2000, 5);
    before = shard->heap.n_pages;
    ck_assert(compact_pays(shard, false));
    ck_assert_uint_gt(compact_all(false), 0);
    check_keys();
    ck_assert_uint_lt(shard->heap.n_pages, before / 2);
    ck_assert_uint_eq(budget_used(&fixture.data), inside_size(fixture.store));
}
END_TEST

/* In steps, each of which moves a few, also where entries have no room but in their own page: in between all keys are
 * there, and pages can be walked. */
static void compact_watched(bool *is_squeezed)
{
    unsigned n_steps = 0;

    while (compact_pays(shard, true)) {
        uint64_t before = fixture_figure(&fixture, "entries_moved");
        size_t n_pages = shard->heap.n_pages;
        bool is_done = compact_step(shard);

        ck_assert_uint_le(fixture_figure(&fixture, "entries_moved") - before, COMPACT_STEP_ENTRIES);
        *is_squeezed |= is_done && shard->heap.n_pages == n_pages;
        check_keys();
        ck_assert_uint_lt(++n_steps, 1000);
    }
    /* More than pages: they are not squeezed in one go. */
    ck_assert_uint_gt(n_steps, 2 * shard->heap.n_pages);
}

START_TEST(step_moves_a_few)
{
    bool is_squeezed = false;

    fixture_close(&fixture);
    open_store(LARGE_STORE);
    for (unsigned round = 0; round < 4; round++) {
        fill_and_thin(1000, 2 + round % 2);
        compact_watched(&is_squeezed);
    }
    ck_assert(is_squeezed);
}
END_TEST

/* The timers moved along: each session ends at its second, no sooner and no later. */
START_TEST(step_takes_the_timers_along)
{
    fill_and_thin(2000, 5);
    (void)compact_all(true);
    for (int64_t second = 9; second < 17; second++) {
        fixture.now_s = FIXTURE_NOW_S + second;
        (void)fixture_tick_all(&fixture);
        for (size_t i = 0; i < N_KEYS; i++) {
            marks[i] = 10 + (int64_t)(i % 7) <= second ? 0 : marks[i];
        }
        check_keys();
        ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), shard->index.n_entries);
    }
    ck_assert_uint_eq(shard->index.n_entries, 0);
    inside_assert_bare(&fixture);
}
END_TEST

/* Timers that wait on several levels, and such as were armed again, are taken along, too. */
START_TEST(timers_of_all_levels_are_taken_along)
{
    static const int64_t spans[] = {5, 300, 20000, 2000000, 100000000};

    for (size_t i = 0; i < N_KEYS; i++) {
        put(i, 1000, FIXTURE_NOW_S + spans[i % 5]);
    }
    for (size_t i = 0; i < N_KEYS; i++) {
        if (i % 3 == 0) {
            ck_assert_int_eq(fixture_touch(&fixture, names[i], FIXTURE_NOW_S + spans[(i + 1) % 5]),
                             SESS_OK);
        } else if (i % 3 == 1) {
            take_out(i);
        }
    }
    ck_assert_uint_gt(compact_all(true), 0);
    for (size_t k = 0; k < 5; k++) {
        fixture.now_s = FIXTURE_NOW_S + spans[k] - 1;
        (void)fixture_tick_all(&fixture);
        check_keys();
        fixture.now_s++;
        for (size_t i = 0; i < N_KEYS; i++) {
            marks[i] = (i % 3 == 0 ? (i + 1) % 5 : i % 5) == k ? 0 : marks[i];
        }
        (void)fixture_tick_all(&fixture);
        check_keys();
        ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), shard->index.n_entries);
    }
    ck_assert_uint_eq(shard->index.n_entries, 0);
}
END_TEST

/* Pages are full, and a 16th of them is free: before another is taken one is squeezed, though there is
 * budget. */
START_TEST(place_squeezes_before_it_takes)
{
    size_t n_pages;

    fill_and_thin(2000, 2);
    n_pages = shard->heap.n_pages;
    for (size_t i = 1; i < N_KEYS * 3 / 4; i += 2) {
        put(i, 1000, STORE_NO_DEADLINE);
    }
    check_keys();
    ck_assert_uint_le(shard->heap.n_pages, n_pages + 1);
}
END_TEST

/* No page can be had: whatever was freed is used, until no page has room for another one. */
START_TEST(place_without_pages)
{
    enum { SIZE = 1100, COST = 1200 };
    size_t n_pages;
    size_t n = 0;

    fill_and_thin(1200, 2);
    n_pages = shard->heap.n_pages;
    fixture.data.limit = budget_used(&fixture.data);
    memset(bytes, 'n', SIZE);
    while (fixture_write_slice(&fixture, STORE_ADD, names[1 + 2 * n], slice_of(bytes, SIZE), 0,
                               STORE_NO_DEADLINE) == SESS_OK) {
        marks[1 + 2 * n] = 'n';
        sizes[1 + 2 * n] = SIZE;
        ck_assert_uint_eq(shard->heap.n_pages, n_pages);
        ck_assert_uint_lt(++n, N_KEYS / 2 - 1);
    }
    ck_assert_uint_gt(n, N_KEYS / 8);
    ck_assert_uint_lt(heap_page_free(&shard->heap, heap_sparsest(&shard->heap)), COST);
    check_keys();
}
END_TEST

/* Every page is full to its end: there is no place, and every entry is where it was. */
START_TEST(place_finds_none)
{
    const struct entry *first;
    struct heap before;

    for (size_t i = 0; i < 100; i++) {
        put(i, 1000, STORE_NO_DEADLINE);
    }
    fixture.data.limit = budget_used(&fixture.data);
    while (heap_place(&shard->heap, 8) != NULL) {
        /* Filled to the end: nobody walks here any more. */
    }
    first = inside_entry(fixture.store, slice_from_text(names[0]));
    before = shard->heap;
    ck_assert_ptr_null(compact_place(shard, shard->heap.page_size / 2));
    ck_assert_uint_eq(shard->heap.n_pages, before.n_pages);
    ck_assert_uint_eq(shard->heap.live, before.live);
    ck_assert_uint_eq(shard->heap.ends, before.ends);
    ck_assert_ptr_eq(inside_entry(fixture.store, slice_from_text(names[0])), first);
    fixture_close(&fixture);
    open_store(SMALL_STORE);
}
END_TEST

/* Of the open page alone half is free between places: it is squeezed itself. */
START_TEST(open_page_is_squeezed)
{
    for (size_t i = 0; i < 14; i++) {
        put(i, 1000, STORE_NO_DEADLINE);
    }
    for (size_t i = 0; i < 12; i += 2) {
        take_out(i);
    }
    ck_assert_uint_eq(shard->heap.n_pages, 1);
    fixture.data.limit = budget_used(&fixture.data);
    for (size_t i = 0; i < 12; i += 2) {
        put(i, 1000, STORE_NO_DEADLINE);
    }
    ck_assert_uint_eq(shard->heap.n_pages, 1);
    check_keys();
}
END_TEST

/* It does not pay for one page, nor for less than a page's worth; when memory is short it pays sooner
 * than else. */
START_TEST(when_it_pays)
{
    size_t n_deleted = 0;

    for (size_t i = 0; i < 12; i++) {
        put(i, 1000, STORE_NO_DEADLINE);
    }
    for (size_t i = 0; i < 10; i++) {
        take_out(i);
    }
    ck_assert_uint_eq(shard->heap.n_pages, 1);
    ck_assert(!compact_pays(shard, true));
    for (size_t i = 0; i < N_KEYS; i++) {
        put(i, 1000, STORE_NO_DEADLINE);
    }
    ck_assert(!compact_pays(shard, true));
    for (size_t i = 0; !compact_pays(shard, true); i += 3, n_deleted++) {
        take_out(i);
    }
    ck_assert_uint_ge(n_deleted * 1100, shard->heap.page_size);
    ck_assert(!compact_pays(shard, false));
    for (size_t i = 1; !compact_pays(shard, false); i += 3, n_deleted++) {
        take_out(i);
    }
    ck_assert_uint_lt(n_deleted, N_KEYS / 2);
}
END_TEST

/* Values of which three fill a page: what is left at the ends is too little for another one. Keys come and
 * go; each time squeezing ends, after few steps. */
START_TEST(large_places_end_too)
{
    fixture_close(&fixture);
    open_store(LARGE_STORE);
    ck_assert_uint_eq(fixture.store->inline_max, STORE_COPY_MAX);
    for (unsigned round = 0; round < 3000; round++) {
        size_t i = below(60);

        if (marks[i] == 0 || below(3) == 0) {
            put(i, STORE_COPY_MAX - below(round % 2 == 0 ? 10 : 6000), STORE_NO_DEADLINE);
        } else {
            take_out(i);
        }
        ck_assert_uint_lt(compact_all(round % 3 == 0), 30);
        ck_assert(!compact_pays(shard, round % 3 == 0));
        if (round % 100 == 0) {
            check_keys();
        }
    }
    (void)fixture_tick_all(&fixture);
}
END_TEST

/* Keys of all sizes come, grow, shrink and go at random, with steps in between. */
START_TEST(random_changes)
{
    for (unsigned round = 0; round < 20000; round++) {
        size_t i = below(N_KEYS);

        if (marks[i] == 0 || below(3) > 0) {
            put(i, 1 + (below(4000) >> below(6)), FIXTURE_NOW_S + 1000);
        } else {
            take_out(i);
        }
        if (round % 50 == 0 && compact_pays(shard, true)) {
            (void)compact_step(shard);
        }
        if (round % 500 == 0) {
            check_keys();
        }
    }
    (void)compact_all(false);
    check_keys();
}
END_TEST

static const uint8_t *pages_seen[N_PAGES_SEEN];
static size_t n_pages_seen;

static void note_pages(void)
{
    for (size_t i = 0; i < shard->heap.n_pages; i++) {
        const uint8_t *start = shard->heap.pages[i].start;
        size_t k = 0;

        while (k < n_pages_seen && pages_seen[k] != start) {
            k++;
        }
        ck_assert_uint_lt(k, N_PAGES_SEEN);
        pages_seen[k] = start;
        n_pages_seen += k == n_pages_seen;
    }
}

/* How often a byte stands in pages that the shard ever had. */
static size_t count_in_pages(uint8_t byte)
{
    size_t n = 0;

    for (size_t i = 0; i < n_pages_seen; i++) {
        n += inside_count(pages_seen[i], shard->heap.page_size, byte);
    }
    return n;
}

/* Sessions hold a byte that nothing else holds. They are moved, shortened, overwritten and deleted: the
 * byte stands as often in all pages, those that were given back too, as live values have it. */
START_TEST(nothing_old_remains)
{
    enum { SECRET = 0xee, N_SECRETS = 100 };
    size_t live = 0;

    for (unsigned round = 0; round < 3000; round++) {
        size_t i = below(N_KEYS);
        size_t size = 1 + below(1500);
        bool is_secret = i < N_SECRETS;

        live -= is_secret && marks[i] != 0 ? sizes[i] : 0;
        if (marks[i] != 0 && below(3) == 0) {
            take_out(i);
        } else {
            marks[i] = is_secret ? SECRET : 0x11;
            sizes[i] = size;
            memset(bytes, marks[i], size);
            ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, names[i],
                                                 slice_of(bytes, size), 0, STORE_NO_DEADLINE),
                             SESS_OK);
            live += is_secret ? size : 0;
        }
        note_pages();
        if (compact_pays(shard, true)) {
            (void)compact_step(shard);
        }
        if (round % 20 == 0) {
            /* Addresses and ids hold the byte a few times by chance. */
            size_t n = count_in_pages(SECRET);

            HOT_ASSERT(n >= live && n <= live + shard->index.n_entries / 4);
        }
    }
    ck_assert_uint_gt(n_pages_seen, 10);
    for (size_t i = 0; i < N_SECRETS; i++) {
        if (marks[i] != 0) {
            take_out(i);
        }
    }
    (void)compact_all(true);
    ck_assert_uint_le(count_in_pages(SECRET), shard->index.n_entries / 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/compact");
    TCase *place = suite_case(suite, "compact_place");
    TCase *step = suite_case(suite, "compact_step");

    tcase_set_timeout(place, 0);
    tcase_set_timeout(step, 0);
    tcase_add_checked_fixture(place, set_up, tear_down);
    tcase_add_checked_fixture(step, set_up, tear_down);
    tcase_add_test(place, place_squeezes_before_it_takes);
    tcase_add_test(place, place_without_pages);
    tcase_add_test(place, place_finds_none);
    tcase_add_test(place, open_page_is_squeezed);
    tcase_add_test(place, random_changes);
    tcase_add_test(step, step_gives_pages_back);
    tcase_add_test(step, step_moves_a_few);
    tcase_add_test(step, step_takes_the_timers_along);
    tcase_add_test(step, timers_of_all_levels_are_taken_along);
    tcase_add_test(step, when_it_pays);
    tcase_add_test(step, large_places_end_too);
    tcase_add_test(step, nothing_old_remains);
    return suite_run(suite);
}
