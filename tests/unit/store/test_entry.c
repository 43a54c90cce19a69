/* Unit tests of entries: every combination of fields reads back what was put in. */
#include "entry.h"

#include "heap.h"
#include "shard.h"

#include "faults.h"
#include "heap_inside.h"
#include "sessiond/store/store.h"
#include "suite_main.h"

#include <stdalign.h>

#define ITEMS(array) (sizeof(array) / sizeof((array)[0]))

static const uint32_t flag_cases[] = {0, 1, 0x80000000, UINT32_MAX};
static const uint64_t cas_cases[] = {
    1, 255, (1ULL << 32) + 5, (1ULL << 40) - 1, 1ULL << 40, (1ULL << 40) + 1, UINT64_MAX};
static const int64_t deadline_cases[] = {
    1,                       /* 1970 */
    INT32_MAX,               /* 2038-01-19 */
    (int64_t)INT32_MAX + 1,  /* a second later */
    UINT32_MAX,              /* 2106-02-07 */
    (int64_t)UINT32_MAX + 1, /* the low half is 0, as for none */
    (int64_t)1 << 35,
    ENTRY_DEADLINE_MAX, /* in 4147 */
    STORE_NO_DEADLINE,
};
static const size_t key_cases[] = {0, 1, 250};
static const size_t value_cases[] = {0, 1, 777, STORE_COPY_MAX};

enum { UNTOUCHED = 0xa5, MARGIN = 16, PLACE_SIZE = 32768 };

static uint8_t key_bytes[STORE_KEY_MAX];
static uint8_t value_bytes[STORE_COPY_MAX];
static alignas(8) uint8_t place[PLACE_SIZE];
static struct arena *arena;
static struct prefixes prefixes;

static void open_arena(void)
{
    ck_assert_int_eq(arena_create((size_t)16 << 20, 1 << 20, &arena), SESS_OK);
}

static void fill_bytes(void)
{
    for (size_t i = 0; i < sizeof key_bytes; i++) {
        key_bytes[i] = (uint8_t)(i * 7 + 1);
    }
    for (size_t i = 0; i < sizeof value_bytes; i++) {
        value_bytes[i] = (uint8_t)(i * 13 + 5);
    }
}

static void assert_reads_back(const struct entry *entry, const struct entry_fields *fields)
{
    struct slice value =
        fields->block == NULL ? fields->value : slice_of(fields->block->bytes, fields->block->size);

    uint8_t room[STORE_KEY_MAX];

    ck_assert(slice_equal(entry_key(entry, &prefixes, room), fields->key));
    ck_assert(entry_has_key(entry, &prefixes, fields->key));
    ck_assert(entry_is_packed(entry) == (fields->prefix != NULL));
    ck_assert(slice_equal(entry_value(entry), value));
    ck_assert_ptr_eq(entry_block(entry), fields->block);
    ck_assert_uint_eq(entry_flags(entry), fields->flags);
    ck_assert_uint_eq(entry_cas(entry), fields->cas);
    ck_assert(entry_marks(entry).is_stale == fields->marks.is_stale);
    ck_assert(entry_marks(entry).has_winner == fields->marks.has_winner);
    ck_assert(entry_marks(entry).is_clients_cas == fields->marks.is_clients_cas);
    ck_assert_int_eq(entry_deadline(entry), fields->deadline_s);
}

/* An entry at the place, which takes over a reference. Not a byte behind it is touched. */
static struct entry *make(const struct entry_fields *fields)
{
    struct entry *entry = (struct entry *)(void *)place;
    size_t size = entry_size_for(fields);

    HOT_ASSERT(size + MARGIN <= sizeof place);
    memset(place, 0, size);
    memset(place + size, UNTOUCHED, MARGIN);
    entry_make(entry, fields);
    HOT_ASSERT(entry_size(entry) == size);
    for (size_t i = 0; i < MARGIN; i++) {
        HOT_ASSERT(place[size + i] == UNTOUCHED);
    }
    return entry;
}

static void try_entry(const struct entry_fields *fields)
{
    assert_reads_back(make(fields), fields);
}

/* Call `try` with every combination of flags, CAS id and deadline. */
static void try_all_fields(struct entry_fields fields, void (*try)(const struct entry_fields *))
{
    for (size_t f = 0; f < ITEMS(flag_cases); f++) {
        for (size_t c = 0; c < ITEMS(cas_cases); c++) {
            for (size_t d = 0; d < ITEMS(deadline_cases); d++) {
                fields.flags = flag_cases[f];
                fields.cas = cas_cases[c];
                fields.deadline_s = deadline_cases[d];
                try(&fields);
            }
        }
    }
}

/* Each optional field is there or not, alone and together with the others, for short and long keys
 * and values. */
START_TEST(test_fields_read_back)
{
    fill_bytes();
    for (size_t k = 0; k < ITEMS(key_cases); k++) {
        for (size_t v = 0; v < ITEMS(value_cases); v++) {
            struct entry_fields fields = {.key = slice_of(key_bytes, key_cases[k]),
                                          .value = slice_of(value_bytes, value_cases[v])};

            try_all_fields(fields, try_entry);
        }
    }
}
END_TEST

/* The prefix of a number, `size` bytes of the key's. */
static const struct prefix *give_prefix(uint8_t number, uint8_t size)
{
    struct prefix *prefix = &prefixes.rows[number];

    prefix->number = number;
    prefix->size = size;
    memcpy(prefix->bytes, key_bytes, size);
    return prefix;
}

/* A key that is packed: with much behind its prefix, a byte, and nothing. */
START_TEST(test_packed_fields_read_back)
{
    static const struct {
        uint8_t number, prefix_size, key_size;
    } rows[] = {{0, 8, 250}, {1, 64, 250}, {31, 32, 33}, {5, 8, 8}};

    fill_bytes();
    for (size_t i = 0; i < ITEMS(rows); i++) {
        struct entry_fields fields = {.key = slice_of(key_bytes, rows[i].key_size),
                                      .value = slice_of(value_bytes, 100)};
        size_t size = entry_size_for(&fields);

        fields.prefix = give_prefix(rows[i].number, rows[i].prefix_size);
        ck_assert_uint_eq(entry_size_for(&fields), size - rows[i].prefix_size + 1);
        try_all_fields(fields, try_entry);
    }
}
END_TEST

/* Keys that differ in a byte of the prefix, behind it, or in length; and the packed bytes themselves. */
START_TEST(test_packed_key_is_no_other)
{
    struct entry_fields fields = {.key = slice_of(key_bytes, 20)};
    uint8_t other[32];
    struct entry *entry;

    fill_bytes();
    fields.prefix = give_prefix(2, 10);
    entry = make(&fields);
    for (size_t i = 0; i < 20; i++) {
        memcpy(other, key_bytes, sizeof other);
        ck_assert(entry_has_key(entry, &prefixes, slice_of(other, 20)));
        other[i] ^= 1;
        ck_assert(!entry_has_key(entry, &prefixes, slice_of(other, 20)));
    }
    ck_assert(!entry_has_key(entry, &prefixes, slice_of(key_bytes, 19)));
    ck_assert(!entry_has_key(entry, &prefixes, slice_of(key_bytes, 21)));
    ck_assert(!entry_has_key(entry, &prefixes, slice_of(key_bytes, 10)));
    ck_assert(!entry_has_key(entry, &prefixes, entry_own_key(entry)));
}
END_TEST

/* The same with the value in a block, of which the entry holds a reference. */
static void try_entry_by_reference(const struct entry_fields *fields)
{
    value_block_acquire(fields->block);
    try_entry(fields);
    ck_assert_uint_eq(atomic_load(&fields->block->references), 2);
    value_block_release(entry_block((struct entry *)(void *)place));
    ck_assert_uint_eq(atomic_load(&fields->block->references), 1);
}

START_TEST(test_block_fields_read_back)
{
    struct value_block *block;
    struct entry_fields fields = {.key = slice_of(key_bytes, 9)};

    open_arena();
    block = block_create(arena, 3, 5);
    fields.block = block;
    ck_assert_ptr_nonnull(block);
    ck_assert_uint_eq(block->size, 3);
    ck_assert_uint_eq(block->allocated, 5);
    ck_assert_uint_eq(atomic_load(&block->references), 1);
    fill_bytes();
    memcpy(block->bytes, "abc\r\n", 5);
    try_all_fields(fields, try_entry_by_reference);
    value_block_release(block);
    arena_destroy(&arena);
}
END_TEST

/* A reader still holds the block of an entry that is gone. */
START_TEST(test_block_outlives_its_entry)
{
    struct value_block *block;
    struct entry_fields fields = {.key = SLICE_LITERAL("k"), .cas = 1};
    struct entry *entry;

    open_arena();
    block = block_create(arena, 20000, 20000);
    fields.block = block;
    ck_assert_ptr_nonnull(block);
    memset(block->bytes, 'x', 20000);
    entry = make(&fields);
    value_block_acquire(block);
    ck_assert_uint_eq(atomic_load(&block->references), 2);
    value_block_release(entry_block(entry));
    ck_assert_uint_eq(atomic_load(&block->references), 1);
    ck_assert_uint_eq(block->bytes[0], 'x');
    ck_assert_uint_eq(block->bytes[19999], 'x');
    value_block_release(block);
}
END_TEST

/* Key and value are zeroed when their memory is given back, in the entry's place and in the block. */
START_TEST(test_freed_is_zeroed)
{
    struct entry_fields fields = {
        .key = SLICE_LITERAL("secret"), .value = SLICE_LITERAL("value"), .flags = 5, .cas = 7};
    struct budget budget;
    struct heap heap;
    struct entry *entry;
    struct value_block *block;

    open_arena();
    budget_init(&budget, SIZE_MAX);
    heap_init(&heap, arena, &budget, HEAP_PAGE_MIN);
    ck_assert_int_eq(heap_add_page(&heap), SESS_OK);
    entry = heap_place(&heap, entry_size_for(&fields));
    entry_make(entry, &fields);
    ck_assert_uint_ne(inside_count_used(entry, entry_size(entry)), 0);
    heap_free(&heap, entry, entry_size(entry));
    ck_assert_uint_eq(inside_count_used(entry, entry_size_for(&fields)), 0);
    heap_fini(&heap);

    block = block_create(arena, 20000, 20002);
    ck_assert_ptr_nonnull(block);
    memset(block->bytes, 'x', block->allocated);
    value_block_release(block);
    ck_assert_uint_eq(inside_count_used(block, sizeof *block + 20002), 0);
    arena_destroy(&arena);
}
END_TEST

/* There is no memory for a block, or it would be too large for any. */
START_TEST(test_block_without_memory)
{
    open_arena();
    faults_fail_mprotect(1);
    ck_assert_ptr_null(block_create(arena, 1, 1));
    ck_assert_ptr_null(block_create(arena, 2 << 20, 2 << 20));
    arena_destroy(&arena);
}
END_TEST

/* A new entry is in no wheel yet. */
START_TEST(test_timer_is_not_armed)
{
    struct entry_fields fields = {.key = SLICE_LITERAL("k"), .deadline_s = 5};
    struct entry *entry = (struct entry *)(void *)place;

    memset(place, UNTOUCHED, sizeof *entry);
    entry_make(entry, &fields);
    ck_assert_uint_eq(entry->timer, 0);
    ck_assert_uint_eq(entry->accessed, 0);
}
END_TEST

/* Every deadline can be set, one after the other, without more room. */
START_TEST(test_every_deadline_is_held)
{
    struct entry_fields fields = {.key = SLICE_LITERAL("key"),
                                  .value = SLICE_LITERAL("value"),
                                  .flags = 9,
                                  .cas = 1ULL << 50,
                                  .deadline_s = (int64_t)1 << 33};
    struct entry *entry = make(&fields);

    for (size_t i = 0; i < ITEMS(deadline_cases); i++) {
        entry_set_deadline(entry, deadline_cases[i]);
        fields.deadline_s = deadline_cases[i];
        assert_reads_back(entry, &fields);
    }
}
END_TEST

/* An entry is made anew in its place, narrower and wider: its timer stays as it is. */
START_TEST(test_remake_keeps_the_timer)
{
    struct entry_fields wide = {.key = SLICE_LITERAL("key"),
                                .value = slice_of(value_bytes, 100),
                                .flags = 9,
                                .cas = 1ULL << 50,
                                .deadline_s = 5};
    struct entry_fields narrow = {
        .key = SLICE_LITERAL("key"), .cas = 3, .deadline_s = STORE_NO_DEADLINE};
    struct entry *entry;

    fill_bytes();
    entry = make(&wide);
    entry_set_fetched(entry);
    entry->timer = 7;
    entry_set_accessed(entry, 99);
    entry_remake(entry, &narrow);
    assert_reads_back(entry, &narrow);
    ck_assert(!entry_is_fetched(entry));
    entry_remake(entry, &wide);
    assert_reads_back(entry, &wide);
    ck_assert_uint_eq(entry->timer, 7);
    ck_assert_int_eq(entry_idle_s(entry, 100), 1);
}
END_TEST

/* That somebody read it is noted, and changes nothing else. */
START_TEST(test_fetched)
{
    struct entry_fields fields = {.key = SLICE_LITERAL("key"),
                                  .value = SLICE_LITERAL("value"),
                                  .flags = 9,
                                  .cas = 1ULL << 50,
                                  .deadline_s = ENTRY_DEADLINE_MAX};
    struct entry *entry = make(&fields);

    ck_assert(!entry_is_fetched(entry));
    for (unsigned i = 0; i < 2; i++) {
        entry_set_fetched(entry);
        ck_assert(entry_is_fetched(entry));
        assert_reads_back(entry, &fields);
    }
}
END_TEST

static size_t cost_of(const struct entry_fields *fields)
{
    /* Of pages so large that what is left at their ends does not count. */
    const struct store store = {.page_size = (size_t)1 << 40, .arena = arena};
    size_t cost = shard_entry_cost(&store, make(fields));

    ck_assert_uint_eq((cost - WHEEL_RECORD_COST) % HEAP_UNIT, 0);
    return cost - WHEEL_RECORD_COST;
}

/* What is charged grows with each byte of key and value and with each optional field, by its size, but
 * for the rounding of the whole. */
START_TEST(test_cost_counts_every_field)
{
    struct entry_fields fields = {.key = slice_of(key_bytes, 10), .cas = 1, .deadline_s = 1};
    size_t base = offsetof(struct entry, packed) + 10;

    ck_assert_uint_eq(cost_of(&fields), heap_round(base));
    fields.key.size = 250;
    ck_assert_uint_eq(cost_of(&fields), heap_round(base + 240));
    fields.value = slice_of(value_bytes, STORE_COPY_MAX);
    ck_assert_uint_eq(cost_of(&fields), heap_round(base + 240 + STORE_COPY_MAX));
    fields.flags = 1;
    ck_assert_uint_eq(cost_of(&fields), heap_round(base + 240 + STORE_COPY_MAX + 4));
    fields.cas = 1ULL << 40;
    ck_assert_uint_eq(cost_of(&fields), heap_round(base + 240 + STORE_COPY_MAX + 12));
    fields.deadline_s = (int64_t)1 << 32;
    ck_assert_uint_eq(cost_of(&fields), heap_round(base + 240 + STORE_COPY_MAX + 12));
}
END_TEST

/* With a block the whole of it is charged, what lies behind the value too, in whole pages. */
START_TEST(test_cost_counts_the_block)
{
    struct entry_fields fields = {.key = SLICE_LITERAL("k"), .cas = 1};
    size_t base = cost_of(&fields);
    size_t page;

    open_arena();
    page = arena_page_size(arena);
    fields.block = block_create(arena, 20000, 20002);
    ck_assert_ptr_nonnull(fields.block);
    ck_assert_uint_eq(cost_of(&fields),
                      base + sizeof fields.block +
                          (sizeof *fields.block + 20002 + page - 1) / page * page);
    value_block_release(fields.block);
    arena_destroy(&arena);
}
END_TEST

SUITE_MAIN("store/entry", test_packed_fields_read_back, test_packed_key_is_no_other,
           test_fields_read_back, test_block_fields_read_back, test_block_outlives_its_entry,
           test_freed_is_zeroed, test_block_without_memory, test_timer_is_not_armed,
           test_every_deadline_is_held, test_remake_keeps_the_timer, test_fetched,
           test_cost_counts_every_field, test_cost_counts_the_block)
