/* Unit tests of a shard's index, against a plain array as the model. */
#include "index.h"

#include "faults.h"
#include "sessiond/store/store.h"
#include "suite_main.h"
#include "test_random.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    N_KEYS = 100000,
    OPEN_STEP = 1 << 21, /* bytes of addresses that the arena makes usable at once */
};

static const struct hash_key test_key = {.low = 1, .high = 2};
static const struct prefixes no_prefixes;

struct table {
    struct arena *arena;
    size_t page_size;
    struct index index;
    struct budget budget;
    struct budget held;     /* charged alike, without a limit of its own */
    struct entry **entries; /* the model: by number; NULL: not in the index */
    size_t n_entries;
};

struct named {
    char text[24];
    struct slice key;
    uint64_t hash;
};

static struct named name_of(size_t number)
{
    struct named named;

    (void)snprintf(named.text, sizeof named.text, "key-%zu", number);
    named.key.size = strlen(named.text);
    named.hash = hash_bytes(&test_key, slice_from_text(named.text));
    return named;
}

/* limit: pages that may be charged; SIZE_MAX: any number. */
static void table_open(struct table *table, size_t limit)
{
    struct pages pages = {.budget = &table->budget, .held = &table->held};

    *table = (struct table){.entries = calloc(N_KEYS, sizeof(struct entry *))};
    ck_assert_ptr_nonnull(table->entries);
    ck_assert_int_eq(arena_create((size_t)64 << 20, 4096, &table->arena), SESS_OK);
    table->page_size = arena_page_size(table->arena);
    budget_init(&table->held, SIZE_MAX);
    budget_init(&table->budget, limit == SIZE_MAX ? limit : limit * table->page_size);
    pages.arena = table->arena;
    ck_assert_int_eq(index_init(&table->index, &test_key, &no_prefixes, &pages), SESS_OK);
}

static void table_close(struct table *table)
{
    index_fini(&table->index);
    ck_assert_uint_eq(budget_used(&table->budget), 0);
    arena_destroy(&table->arena);
    for (size_t i = 0; i < N_KEYS; i++) {
        free(table->entries[i]);
    }
    free(table->entries);
}

static struct entry *make_entry(const struct named *named)
{
    struct entry_fields fields = {.key = slice_from_text(named->text), .cas = 1};
    struct entry *entry = malloc(entry_size_for(&fields));

    HOT_ASSERT(NULL != entry);
    entry_make(entry, &fields);
    return entry;
}

static uint64_t *find(struct table *table, size_t number)
{
    struct named named = name_of(number);

    return index_find(&table->index, named.hash, slice_from_text(named.text));
}

static void insert(struct table *table, size_t number)
{
    struct named named = name_of(number);
    size_t n_buckets = table->index.n_buckets;

    HOT_ASSERT(index_reserve(&table->index, SIZE_MAX) == SESS_OK);
    table->entries[number] = make_entry(&named);
    index_insert(&table->index, named.hash, table->entries[number]);
    table->n_entries++;
    /* Growing never stalls: a bucket at a time. */
    HOT_ASSERT(table->index.n_buckets <= n_buckets + 1);
}

static void take_out(struct table *table, size_t number)
{
    struct named named = name_of(number);
    uint64_t *slot = find(table, number);

    HOT_ASSERT(NULL != slot);
    index_remove(&table->index, named.hash, slot);
    free(table->entries[number]);
    table->entries[number] = NULL;
    table->n_entries--;
}

static void put_another(struct table *table, size_t number)
{
    struct named named = name_of(number);
    uint64_t *slot = find(table, number);
    struct entry *another = make_entry(&named);

    HOT_ASSERT(NULL != slot);
    index_replace(slot, another);
    free(table->entries[number]);
    table->entries[number] = another;
}

static void check_one(struct table *table, size_t number)
{
    uint64_t *slot = find(table, number);

    if (table->entries[number] == NULL) {
        HOT_ASSERT(NULL == slot);
    } else {
        HOT_ASSERT(NULL != slot);
        HOT_ASSERT(index_entry(*slot) == table->entries[number]);
    }
}

static void check_all(struct table *table)
{
    for (size_t i = 0; i < N_KEYS; i++) {
        check_one(table, i);
    }
    ck_assert_uint_eq(table->index.n_entries, table->n_entries);
}

static size_t count_spare(const struct index *index)
{
    size_t n = 0;

    for (const struct index_bucket *piece = index->spare; piece != NULL; piece = piece->overflow) {
        n++;
    }
    return n;
}

/* Overflow pieces that hang on buckets. */
static size_t count_used_pieces(struct index *index)
{
    size_t n = 0;

    for (size_t i = 0; i < index->n_buckets; i++) {
        for (const struct index_bucket *piece = index_bucket_of(index, i)->overflow; piece != NULL;
             piece = piece->overflow) {
            n++;
        }
    }
    return n;
}

/* Every page of the index, and no other, is charged; every piece in its pages is spare or in use. */
static void check_budget(struct table *table)
{
    struct index *index = &table->index;

    ck_assert_uint_eq(index->segment_buckets * sizeof(struct index_bucket), table->page_size);
    ck_assert_uint_eq(count_spare(index) + count_used_pieces(index), index->n_pieces);
    ck_assert_uint_eq(index->n_pieces % index->segment_buckets, 0);
    ck_assert_uint_eq(index->pages.n_pages,
                      index->n_segments + index->n_pieces / index->segment_buckets);
    ck_assert_uint_eq(budget_used(&table->budget), index->pages.n_pages * table->page_size);
}

/* Let the next page that the index takes be one for which the arena must open further addresses. */
static void use_up_open_pages(struct table *table)
{
    for (size_t n = table->index.pages.n_pages; n % (OPEN_STEP / table->page_size) != 0; n++) {
        HOT_ASSERT(NULL != arena_take(table->arena, table->page_size));
    }
}

/* An empty index is asked for a key. */
START_TEST(test_empty_finds_nothing)
{
    struct table table;

    table_open(&table, SIZE_MAX);
    check_one(&table, 0);
    check_budget(&table);
    table_close(&table);
}
END_TEST

/* A hundred thousand keys come, go, come again and change their entries at random. */
START_TEST(test_random_against_model)
{
    struct table table;
    struct test_random random = {.state = 3};

    table_open(&table, SIZE_MAX);
    for (size_t i = 0; i < 4 * N_KEYS; i++) {
        size_t number = test_random_below(&random, N_KEYS);

        check_one(&table, number);
        if (table.entries[number] == NULL) {
            insert(&table, number);
        } else if (test_random_below(&random, 3) > 0) {
            put_another(&table, number);
        } else {
            take_out(&table, number);
        }
    }
    ck_assert_uint_gt(table.n_entries, N_KEYS / 2);
    check_all(&table);
    check_budget(&table);
    table_close(&table);
}
END_TEST

/* All keys come, then all go, and then come again: overflow pieces are given back and used again. */
START_TEST(test_pieces_are_given_back)
{
    struct table table;
    size_t charged;

    table_open(&table, SIZE_MAX);
    for (size_t i = 0; i < N_KEYS; i++) {
        insert(&table, i);
    }
    /* Full enough to be small, and not so full that looking up gets slow. */
    ck_assert_uint_ge(table.index.n_buckets * INDEX_FILL, N_KEYS);
    ck_assert_uint_lt(table.index.n_buckets, N_KEYS / 4);
    ck_assert_uint_gt(count_used_pieces(&table.index), 0);
    check_all(&table);
    charged = budget_used(&table.budget);
    ck_assert_uint_lt(charged / N_KEYS, 20);
    for (size_t i = 0; i < N_KEYS; i++) {
        take_out(&table, i);
    }
    ck_assert_uint_eq(count_used_pieces(&table.index), 0);
    check_budget(&table);
    for (size_t i = 0; i < N_KEYS; i++) {
        insert(&table, i);
    }
    check_all(&table);
    ck_assert_uint_eq(budget_used(&table.budget), charged);
    table_close(&table);
}
END_TEST

/* Keys of one bucket and one tag, as an attacker would send if the hash were known, are still told
 * apart, and removing any of them leaves the others. */
START_TEST(test_equal_hashes)
{
    enum { N_EQUAL = 40 };
    struct table table;
    struct entry *entries[N_EQUAL];
    const uint64_t hash = 0x123456789abcdef0;

    table_open(&table, SIZE_MAX);
    for (size_t i = 0; i < N_EQUAL; i++) {
        struct named named = name_of(i);

        /* Below the fill at which buckets are split: splitting asks for the true hash. */
        table.index.n_entries = 0;
        ck_assert_int_eq(index_reserve(&table.index, SIZE_MAX), SESS_OK);
        entries[i] = make_entry(&named);
        index_insert(&table.index, hash, entries[i]);
    }
    table.index.n_entries = N_EQUAL;
    ck_assert_uint_eq(count_used_pieces(&table.index), (N_EQUAL - 1) / INDEX_BUCKET_SLOTS);
    for (size_t i = 0; i < N_EQUAL; i += 3) {
        uint64_t *slot = index_find(&table.index, hash, entry_own_key(entries[i]));

        ck_assert_ptr_nonnull(slot);
        ck_assert_ptr_eq(index_entry(*slot), entries[i]);
        index_remove(&table.index, hash, slot);
        ck_assert_ptr_null(index_find(&table.index, hash, entry_own_key(entries[i])));
        free(entries[i]);
    }
    for (size_t i = 0; i < N_EQUAL; i++) {
        uint64_t *slot;

        if (i % 3 == 0) {
            continue;
        }
        slot = index_find(&table.index, hash, entry_own_key(entries[i]));
        ck_assert_ptr_nonnull(slot);
        ck_assert_ptr_eq(index_entry(*slot), entries[i]);
    }
    for (size_t i = 0; i < N_EQUAL; i++) {
        if (i % 3 != 0) {
            free(entries[i]);
        }
    }
    ck_assert_uint_eq(count_used_pieces(&table.index),
                      (table.index.n_entries - 1) / INDEX_BUCKET_SLOTS);
    check_budget(&table);
    table_close(&table);
}
END_TEST

/* There is no budget for the first segment. */
START_TEST(test_init_without_memory)
{
    struct arena *arena;
    struct index index;
    struct budget budget;
    struct budget held;
    struct pages pages = {.budget = &budget, .held = &held};

    ck_assert_int_eq(arena_create(1 << 20, 4096, &arena), SESS_OK);
    pages.arena = arena;
    budget_init(&held, SIZE_MAX);
    budget_init(&budget, arena_page_size(arena) - 1);
    ck_assert_int_eq(index_init(&index, &test_key, &no_prefixes, &pages), SESS_NO_MEMORY);
    index_fini(&index);
    index_fini(&index);
    ck_assert_uint_eq(budget_used(&budget), 0);
    arena_destroy(&arena);
}
END_TEST

/* The budget is full when a spare piece is needed: nothing is taken and nothing changes. */
START_TEST(test_reserve_without_budget_for_a_piece)
{
    struct table table;

    table_open(&table, 1);
    ck_assert_int_eq(index_reserve(&table.index, SIZE_MAX), SESS_NO_MEMORY);
    ck_assert_uint_eq(budget_used(&table.budget), table.page_size);
    ck_assert_ptr_null(table.index.spare);
    table_close(&table);
}
END_TEST

/* Whoever reserves says how far the budget may be used: beyond that nothing is taken, though there
 * would be room. */
START_TEST(test_reserve_up_to_a_limit)
{
    struct table table;

    table_open(&table, 4);
    ck_assert_int_eq(index_reserve(&table.index, 2 * table.page_size - 1), SESS_NO_MEMORY);
    ck_assert_uint_eq(budget_used(&table.budget), table.page_size);
    ck_assert_int_eq(index_reserve(&table.index, 2 * table.page_size), SESS_OK);
    ck_assert_uint_eq(budget_used(&table.budget), 2 * table.page_size);
    /* What is at hand needs no limit. */
    ck_assert_int_eq(index_reserve(&table.index, 0), SESS_OK);
    check_budget(&table);
    table_close(&table);
}
END_TEST

/* The budget is full when the next segment is needed: every entry stays where it is, and once there
 * is room the index goes on. */
START_TEST(test_reserve_without_budget_for_a_segment)
{
    struct table table;
    size_t n = 0;
    size_t n_buckets;
    size_t charged;

    table_open(&table, 2);
    while (index_reserve(&table.index, SIZE_MAX) == SESS_OK) {
        insert(&table, n++);
        ck_assert_uint_lt(n, N_KEYS);
    }
    ck_assert_uint_eq(table.index.n_buckets, table.index.segment_buckets);
    n_buckets = table.index.n_buckets;
    charged = budget_used(&table.budget);
    ck_assert_int_eq(index_reserve(&table.index, SIZE_MAX), SESS_NO_MEMORY);
    ck_assert_uint_eq(table.index.n_buckets, n_buckets);
    ck_assert_uint_eq(table.index.n_segments, 1);
    ck_assert_uint_eq(budget_used(&table.budget), charged);
    check_all(&table);
    check_budget(&table);
    table.budget.limit = SIZE_MAX;
    for (size_t i = 0; i < 1000; i++) {
        insert(&table, n++);
    }
    check_all(&table);
    check_budget(&table);
    table_close(&table);
}
END_TEST

/* Memory runs out where the budget would allow more: nothing stays charged. */
START_TEST(test_allocation_fails)
{
    struct table table;

    table_open(&table, SIZE_MAX);
    use_up_open_pages(&table);
    faults_fail_mprotect(1);
    ck_assert_int_eq(index_reserve(&table.index, SIZE_MAX), SESS_NO_MEMORY);
    check_budget(&table);
    ck_assert_int_eq(index_reserve(&table.index, SIZE_MAX), SESS_OK);
    check_budget(&table);
    table_close(&table);
}
END_TEST

/* Fill the index until its next entry needs another segment than those of the first array. */
static size_t fill_first_segments(struct table *table)
{
    size_t n = 0;

    while (table->index.n_entries <
           INDEX_SEGMENTS_FIRST * table->index.segment_buckets * INDEX_FILL) {
        insert(table, n++);
    }
    ck_assert_uint_eq(table->index.n_segments, INDEX_SEGMENTS_FIRST);
    ck_assert_ptr_nonnull(table->index.spare);
    return n;
}

/* The array of segments cannot grow: every entry is found as before, and the next try works. */
START_TEST(test_segment_array_cannot_grow)
{
    struct table table;
    size_t n;

    table_open(&table, SIZE_MAX);
    n = fill_first_segments(&table);
    faults_fail_allocation(1);
    ck_assert_int_eq(index_reserve(&table.index, SIZE_MAX), SESS_NO_MEMORY);
    ck_assert_uint_eq(table.index.n_segments, INDEX_SEGMENTS_FIRST);
    check_budget(&table);
    check_all(&table);
    insert(&table, n++);
    check_all(&table);
    table_close(&table);
}
END_TEST

/* The array has grown, and then there is no page for the segment itself. */
START_TEST(test_segment_has_no_page)
{
    struct table table;
    size_t n;

    table_open(&table, SIZE_MAX);
    n = fill_first_segments(&table);
    use_up_open_pages(&table);
    faults_fail_mprotect(1);
    ck_assert_int_eq(index_reserve(&table.index, SIZE_MAX), SESS_NO_MEMORY);
    ck_assert_uint_eq(table.index.n_segments, INDEX_SEGMENTS_FIRST);
    check_budget(&table);
    check_all(&table);
    insert(&table, n++);
    check_all(&table);
    table_close(&table);
}
END_TEST

/* The very entry is looked for, not its key: one that is not there, of the same key or another, is not
 * found. */
START_TEST(test_find_entry)
{
    struct table table;
    struct named named = name_of(7);
    struct named other = name_of(8);
    struct entry *twin = make_entry(&named);

    table_open(&table, SIZE_MAX);
    for (size_t i = 0; i < 100; i++) {
        insert(&table, i);
    }
    ck_assert_ptr_eq(index_find_entry(&table.index, named.hash, table.entries[7]), find(&table, 7));
    ck_assert_ptr_null(index_find_entry(&table.index, named.hash, twin));
    ck_assert_ptr_null(index_find_entry(&table.index, other.hash, table.entries[7]));
    free(twin);
    table_close(&table);
}
END_TEST

/* An empty index is made for many entries at once: it is the one that it would have grown to, and goes on growing as
 * any. One that has entries is left alone. */
START_TEST(test_expect)
{
    enum { EXPECTED = 30000 };
    struct table table;
    size_t n_buckets;

    table_open(&table, SIZE_MAX);
    index_expect(&table.index, EXPECTED);
    n_buckets = table.index.n_buckets;
    check_budget(&table);
    for (size_t i = 0; i < EXPECTED; i++) {
        insert(&table, i);
    }
    ck_assert_uint_eq(table.index.n_buckets, n_buckets);
    ck_assert_uint_gt(table.index.n_buckets, table.index.round);
    ck_assert_uint_lt(table.index.n_buckets, 2 * table.index.round);
    for (size_t i = EXPECTED; i < 2 * (size_t)EXPECTED; i++) {
        insert(&table, i);
    }
    ck_assert_uint_gt(table.index.n_buckets, n_buckets);
    check_all(&table);
    check_budget(&table);
    n_buckets = table.index.n_buckets;
    index_expect(&table.index, N_KEYS);
    ck_assert_uint_eq(table.index.n_buckets, n_buckets);
    table_close(&table);
}
END_TEST

/* There is memory for some of what is expected: the index has that, and works. */
START_TEST(test_expect_too_much)
{
    enum { PAGES = 20, N = 1000 };
    struct table table;

    table_open(&table, PAGES);
    index_expect(&table.index, N_KEYS);
    ck_assert_uint_eq(table.index.pages.n_pages, PAGES);
    ck_assert_uint_eq(table.index.n_buckets, PAGES * table.index.segment_buckets);
    check_budget(&table);
    table.budget.limit = SIZE_MAX;
    for (size_t i = 0; i < N; i++) {
        insert(&table, i);
    }
    check_all(&table);
    check_budget(&table);
    table_close(&table);
}
END_TEST

/* Hints change nothing, whatever there is to be fetched. */
START_TEST(test_fetch)
{
    struct table table;

    table_open(&table, SIZE_MAX);
    for (size_t i = 0; i < 500; i++) {
        struct named named = name_of(i);

        index_fetch(&table.index, named.hash);
        index_fetch_split(&table.index);
        index_fetch_entry(&table.index, named.hash);
        index_fetch_split_entries(&table.index);
        insert(&table, i);
    }
    check_all(&table);
    check_budget(&table);
    table_close(&table);
}
END_TEST

SUITE_MAIN("store/index", test_expect, test_expect_too_much, test_fetch, test_empty_finds_nothing,
           test_random_against_model, test_pieces_are_given_back, test_equal_hashes,
           test_init_without_memory, test_reserve_without_budget_for_a_piece,
           test_reserve_up_to_a_limit, test_reserve_without_budget_for_a_segment,
           test_allocation_fails, test_segment_array_cannot_grow, test_segment_has_no_page,
           test_find_entry)
