/* Unit tests of the entries' timers: which record is whose, and what becomes of those that are nobody's. */
#include "timer.h"

#include "shard.h"
#include "suite_main.h"
#include "test_random.h"

#include <stdlib.h>

enum { NOW_S = 1700000000, MEMORY = 64 << 20, N_KEYS = 2000, PLACE_SIZE = 64 };

static const struct prefixes no_prefixes;
static const struct hash_key key_of_hash = {.low = 1, .high = 2};

/* An index of entries whose keys are numbers, and their timers. */
struct table {
    struct index index;
    struct timers timers;
    struct arena *arena;
    struct budget data, held;
    struct entry *entries[N_KEYS]; /* NULL: not there */
    int64_t now_s;
};

static void open_table(struct table *table)
{
    struct pages pages = {.budget = &table->data, .held = &table->held};

    *table = (struct table){.now_s = NOW_S};
    ck_assert_int_eq(arena_create(MEMORY, 1 << 20, &table->arena), SESS_OK);
    pages.arena = table->arena;
    budget_init(&table->data, MEMORY);
    budget_init(&table->held, MEMORY);
    ck_assert_int_eq(index_init(&table->index, &key_of_hash, &no_prefixes, &pages), SESS_OK);
    timers_init(&table->timers, NOW_S, &pages);
}

static void close_table(struct table *table)
{
    for (size_t i = 0; i < N_KEYS; i++) {
        free(table->entries[i]);
    }
    wheel_fini(&table->timers.wheel);
    index_fini(&table->index);
    ck_assert_uint_eq(budget_used(&table->data), 0);
    arena_destroy(&table->arena);
}

static struct slice key_at(const uint32_t *number)
{
    return slice_of(number, sizeof *number);
}

static uint64_t hash_at(uint32_t number)
{
    return hash_bytes(&key_of_hash, key_at(&number));
}

static void add(struct table *table, uint32_t number, int64_t deadline_s)
{
    struct entry_fields fields = {.key = key_at(&number), .deadline_s = deadline_s};
    struct entry *entry = aligned_alloc(PLACE_SIZE, PLACE_SIZE);

    ck_assert_ptr_nonnull(entry);
    entry_make(entry, &fields);
    ck_assert_int_eq(index_reserve(&table->index, SIZE_MAX), SESS_OK);
    ck_assert_int_eq(timers_reserve(&table->timers, &table->index), SESS_OK);
    index_insert(&table->index, hash_at(number), entry);
    timer_set(&table->timers, &table->index, hash_at(number), entry, 0, deadline_s);
    table->entries[number] = entry;
}

static void take_out(struct table *table, uint64_t *slot)
{
    struct entry *entry = index_entry(*slot);
    uint32_t number;

    memcpy(&number, entry_own_key(entry).data, sizeof number);
    HOT_ASSERT(table->entries[number] == entry);
    timer_forget(&table->timers, entry);
    index_remove(&table->index, hash_at(number), slot);
    table->entries[number] = NULL;
    free(entry);
}

static void drop(struct table *table, uint32_t number)
{
    take_out(table, index_find_entry(&table->index, hash_at(number), table->entries[number]));
}

static void set_deadline(struct table *table, uint32_t number, int64_t deadline_s)
{
    struct entry *entry = table->entries[number];
    int64_t before_s = entry_deadline(entry);

    entry_set_deadline(entry, deadline_s);
    timer_set(&table->timers, &table->index, hash_at(number), entry, before_s, deadline_s);
}

/* Go to a time; returns the entries that were over on the way. */
static unsigned go(struct table *table, int64_t now_s)
{
    enum wheel_step step = WHEEL_MOVED;
    unsigned n_over = 0;

    while (step != WHEEL_IDLE) {
        uint32_t record;
        uint64_t *slot;

        if (timers_are_sifted(&table->timers)) {
            timers_sift_step(&table->timers, &table->index);
            continue;
        }
        step = wheel_step(&table->timers.wheel, now_s, &record);
        if (step == WHEEL_DUE && (slot = timer_find_over(&table->timers, &table->index, record,
                                                         table->timers.wheel.now_s)) != NULL) {
            HOT_ASSERT(entry_deadline(index_entry(*slot)) == table->timers.wheel.now_s);
            take_out(table, slot);
            n_over++;
        }
    }
    table->now_s = now_s;
    return n_over;
}

/* Every entry that is there has its time ahead, and the wheel counts those that have a record. */
static void check_table(const struct table *table)
{
    uint64_t n_armed = 0;

    for (size_t i = 0; i < N_KEYS; i++) {
        const struct entry *entry = table->entries[i];

        HOT_ASSERT(entry == NULL || entry_deadline(entry) > table->now_s);
        n_armed += entry != NULL && entry->timer != 0;
    }
    HOT_ASSERT(table->timers.n_armed == n_armed);
    HOT_ASSERT(table->timers.wheel.n_records >= n_armed);
}

/* One deadline, to the second. */
START_TEST(test_is_over_at_its_second)
{
    static struct table table;

    open_table(&table);
    add(&table, 1, NOW_S + 1000);
    ck_assert_uint_eq(go(&table, NOW_S + 999), 0);
    ck_assert_uint_eq(go(&table, NOW_S + 1000), 1);
    ck_assert_uint_eq(table.timers.wheel.n_records, 0);
    ck_assert_uint_eq(table.timers.n_armed, 0);
    close_table(&table);
}
END_TEST

/* A deadline that only grows has one record, however often it is changed. */
START_TEST(test_extended_keeps_its_record)
{
    static struct table table;

    open_table(&table);
    add(&table, 1, NOW_S + 1000);
    for (int64_t i = 1; i < 900; i++) {
        set_deadline(&table, 1, NOW_S + 1000 + i);
        ck_assert_uint_eq(table.timers.wheel.n_records, 1);
    }
    ck_assert_uint_eq(go(&table, NOW_S + 1898), 0);
    ck_assert_uint_eq(go(&table, NOW_S + 1899), 1);
    close_table(&table);
}
END_TEST

/* A shorter one is met in time, and the record that was there before is nobody's. */
START_TEST(test_shortened_is_over_earlier)
{
    static struct table table;

    open_table(&table);
    add(&table, 1, NOW_S + 1000);
    set_deadline(&table, 1, NOW_S + 10);
    ck_assert_uint_eq(table.timers.wheel.n_records, 2);
    ck_assert_uint_eq(table.timers.n_armed, 1);
    ck_assert_uint_eq(go(&table, NOW_S + 10), 1);
    add(&table, 1, NOW_S + 5000);
    ck_assert_uint_eq(go(&table, NOW_S + 1001), 0);
    ck_assert_ptr_nonnull(table.entries[1]);
    ck_assert_uint_eq(go(&table, NOW_S + 5000), 1);
    close_table(&table);
}
END_TEST

/* None, at first or later, and one again: that is met. */
START_TEST(test_none_and_back)
{
    static struct table table;

    open_table(&table);
    add(&table, 1, STORE_NO_DEADLINE);
    add(&table, 2, NOW_S + 10);
    ck_assert_uint_eq(table.timers.n_armed, 1);
    set_deadline(&table, 2, STORE_NO_DEADLINE);
    ck_assert_uint_eq(go(&table, NOW_S + 100), 0);
    ck_assert_uint_eq(table.timers.n_armed, 0);
    ck_assert_uint_eq(table.timers.wheel.n_records, 0);
    set_deadline(&table, 1, NOW_S + 200);
    set_deadline(&table, 2, NOW_S + 300);
    ck_assert_uint_eq(go(&table, NOW_S + 200), 1);
    ck_assert_uint_eq(go(&table, NOW_S + 300), 1);
    close_table(&table);
}
END_TEST

/* None while its record is out, then a deadline before that record's. */
START_TEST(test_none_and_back_earlier)
{
    static struct table table;

    open_table(&table);
    add(&table, 1, NOW_S + 1000);
    set_deadline(&table, 1, STORE_NO_DEADLINE);
    set_deadline(&table, 1, NOW_S + 10);
    ck_assert_uint_eq(go(&table, NOW_S + 10), 1);
    close_table(&table);
}
END_TEST

/* Another entry of the key takes the record over. */
START_TEST(test_hand_over)
{
    static struct table table;
    struct entry *from;
    uint32_t number = 1;

    open_table(&table);
    add(&table, number, NOW_S + 100);
    from = table.entries[number];
    table.entries[number] = aligned_alloc(PLACE_SIZE, PLACE_SIZE);
    ck_assert_ptr_nonnull(table.entries[number]);
    entry_make(table.entries[number],
               &(struct entry_fields){.key = key_at(&number), .deadline_s = NOW_S + 150});
    timer_hand_over(from, table.entries[number]);
    index_replace(index_find_entry(&table.index, hash_at(number), from), table.entries[number]);
    free(from);
    timer_set(&table.timers, &table.index, hash_at(number), table.entries[number], NOW_S + 100,
              NOW_S + 150);
    ck_assert_uint_eq(table.timers.wheel.n_records, 1);
    ck_assert_uint_eq(table.timers.n_armed, 1);
    ck_assert_uint_eq(go(&table, NOW_S + 149), 0);
    ck_assert_uint_eq(go(&table, NOW_S + 150), 1);
    close_table(&table);
}
END_TEST

/* A mark comes round: 255 times shortened, and each time over only once. */
START_TEST(test_marks_come_round)
{
    static struct table table;

    open_table(&table);
    add(&table, 1, NOW_S + 10000);
    for (int64_t i = 1; i <= 600; i++) {
        set_deadline(&table, 1, NOW_S + 10000 - i);
        ck_assert_uint_ne(table.entries[1]->timer, 0);
    }
    ck_assert_uint_eq(go(&table, NOW_S + 9399), 0);
    ck_assert_uint_eq(go(&table, NOW_S + 9400), 1);
    ck_assert_uint_eq(go(&table, NOW_S + 20000), 0);
    ck_assert_uint_eq(table.timers.wheel.n_records, 0);
    close_table(&table);
}
END_TEST

/* Every shortening leaves a stale record: those take no further page either. */
START_TEST(test_shortening_takes_no_memory)
{
    static struct table table;

    open_table(&table);
    for (uint32_t i = 0; i < 100; i++) {
        add(&table, i, NOW_S + 1000);
    }
    for (uint32_t i = 0; i < 100000; i++) {
        set_deadline(&table, i % 100, NOW_S + 1209600 + (int64_t)i);
        set_deadline(&table, i % 100, NOW_S + 1000);
        HOT_ASSERT(table.timers.wheel.pages.n_pages == 1);
    }
    ck_assert_uint_eq(go(&table, NOW_S + 999), 0);
    ck_assert_uint_eq(go(&table, NOW_S + 1000), 100);
    close_table(&table);
}
END_TEST

/* Sessions come and go long before their deadlines: what is left of them takes no further page. */
START_TEST(test_stale_records_are_sifted_out)
{
    static struct table table;

    open_table(&table);
    for (uint32_t i = 0; i < 500; i++) {
        add(&table, i, NOW_S + 1200000 + (int64_t)i);
    }
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t number = 500 + i % 1000;

        add(&table, number, NOW_S + 1209600 + (int64_t)i);
        drop(&table, number);
        (void)go(&table, NOW_S + (int64_t)i / 100);
        /* One page holds 945 records. */
        HOT_ASSERT(table.timers.wheel.pages.n_pages == 1);
    }
    ck_assert_uint_eq(table.timers.n_armed, 500);
    check_table(&table);
    for (uint32_t i = 0; i < 500; i++) {
        ck_assert_uint_eq(go(&table, NOW_S + 1200000 + (int64_t)i), 1);
    }
    close_table(&table);
}
END_TEST

static void change_at_random(struct table *table, struct test_random *random)
{
    uint32_t number = (uint32_t)test_random_below(random, N_KEYS);
    int64_t deadline_s =
        table->now_s + 1 +
        (int64_t)(test_random_below(random, 1 << 22) >> test_random_below(random, 22));

    if (test_random_below(random, 20) == 0) {
        deadline_s = STORE_NO_DEADLINE;
    }
    if (table->entries[number] == NULL) {
        add(table, number, deadline_s);
    } else if (test_random_below(random, 4) == 0) {
        drop(table, number);
    } else {
        set_deadline(table, number, deadline_s);
    }
}

/* Whatever changes, whoever is there has its time ahead after each step in time, and goes at its second. */
START_TEST(test_random_against_deadlines)
{
    static struct table table;
    struct test_random random = {.state = 7};
    unsigned n_over = 0;

    open_table(&table);
    for (unsigned round = 0; round < 3000; round++) {
        for (unsigned i = 0; i < 40; i++) {
            change_at_random(&table, &random);
        }
        n_over += go(&table, table.now_s + (int64_t)(test_random_below(&random, 1 << 18) >>
                                                     test_random_below(&random, 18)));
        check_table(&table);
    }
    ck_assert_uint_gt(n_over, 10000);
    close_table(&table);
}
END_TEST

SUITE_MAIN("store/timer", test_is_over_at_its_second, test_extended_keeps_its_record,
           test_shortened_is_over_earlier, test_none_and_back, test_none_and_back_earlier,
           test_hand_over, test_marks_come_round, test_shortening_takes_no_memory,
           test_stale_records_are_sifted_out, test_random_against_deadlines)
