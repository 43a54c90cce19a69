/* Unit tests of entries: every combination of fields reads back what was put in. */
#include "entry.h"

#include "faults.h"
#include "sessiond/store/store.h"
#include "suite_main.h"

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
    (int64_t)1 << 36,
    ENTRY_DEADLINE_MAX, /* in 6325 */
    STORE_NO_DEADLINE,
};
static const size_t key_cases[] = {0, 1, 250};
static const size_t value_cases[] = {0, 1, 777, STORE_COPY_MAX};

static uint8_t key_bytes[STORE_KEY_MAX];
static uint8_t value_bytes[STORE_COPY_MAX];

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

    ck_assert(slice_equal(entry_key(entry), fields->key));
    ck_assert(slice_equal(entry_value(entry), value));
    ck_assert_ptr_eq(entry_block(entry), fields->block);
    ck_assert_uint_eq(entry_flags(entry), fields->flags);
    ck_assert_uint_eq(entry_cas(entry), fields->cas);
    ck_assert_int_eq(entry_deadline(entry), fields->deadline_s);
}

static void try_entry(const struct entry_fields *fields)
{
    struct entry *entry;

    ck_assert_int_eq(entry_create(fields, &entry), SESS_OK);
    assert_reads_back(entry, fields);
    entry_destroy(entry);
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

/* The same with the value in a block, of which the entry holds a reference. */
static void try_entry_by_reference(const struct entry_fields *fields)
{
    value_block_acquire(fields->block);
    try_entry(fields);
    ck_assert_uint_eq(atomic_load(&fields->block->references), 1);
}

START_TEST(test_block_fields_read_back)
{
    struct value_block *block = value_block_create(3, 5);
    struct entry_fields fields = {.key = slice_of(key_bytes, 9), .block = block};

    ck_assert_ptr_nonnull(block);
    ck_assert_uint_eq(block->size, 3);
    ck_assert_uint_eq(block->allocated, 5);
    ck_assert_uint_eq(atomic_load(&block->references), 1);
    fill_bytes();
    memcpy(block->bytes, "abc\r\n", 5);
    try_all_fields(fields, try_entry_by_reference);
    value_block_release(block);
}
END_TEST

/* A reader still holds the block of an entry that is gone. */
START_TEST(test_block_outlives_its_entry)
{
    struct value_block *block = value_block_create(20000, 20000);
    struct entry_fields fields = {.key = SLICE_LITERAL("k"), .block = block, .cas = 1};
    struct entry *entry;

    ck_assert_ptr_nonnull(block);
    memset(block->bytes, 'x', 20000);
    ck_assert_int_eq(entry_create(&fields, &entry), SESS_OK);
    value_block_acquire(block);
    ck_assert_uint_eq(atomic_load(&block->references), 2);
    entry_destroy(entry);
    ck_assert_uint_eq(atomic_load(&block->references), 1);
    ck_assert_uint_eq(block->bytes[0], 'x');
    ck_assert_uint_eq(block->bytes[19999], 'x');
    value_block_release(block);
}
END_TEST

static size_t left_after_destroy(struct entry *entry, const void *memory, size_t size)
{
    faults_watch_free(memory, size);
    entry_destroy(entry);
    ck_assert(faults_was_freed());
    return faults_left_in_freed();
}

/* Key and value are zeroed before their memory is given back, in the entry and in the block. */
START_TEST(test_destroy_zeroes)
{
    struct value_block *block = value_block_create(20000, 20002);
    struct entry_fields fields = {
        .key = SLICE_LITERAL("secret"), .value = SLICE_LITERAL("value"), .flags = 5, .cas = 7};
    struct entry *entry;

    ck_assert_int_eq(entry_create(&fields, &entry), SESS_OK);
    ck_assert_uint_eq(left_after_destroy(entry, entry, sizeof *entry + 14 + 4 + 6 + 5), 0);
    ck_assert_ptr_nonnull(block);
    memset(block->bytes, 'x', block->allocated);
    fields.block = block;
    ck_assert_int_eq(entry_create(&fields, &entry), SESS_OK);
    /* The header in front of the bytes holds numbers only. */
    ck_assert_uint_le(left_after_destroy(entry, block, sizeof *block + block->allocated),
                      sizeof *block);
}
END_TEST

/* There is no memory for an entry: the block stays the caller's. */
START_TEST(test_create_without_memory)
{
    struct value_block *block = value_block_create(1, 1);
    struct entry_fields fields = {.key = SLICE_LITERAL("k"), .block = block};
    struct entry *entry = NULL;

    ck_assert_ptr_nonnull(block);
    faults_fail_allocation(1);
    ck_assert_int_eq(entry_create(&fields, &entry), SESS_NO_MEMORY);
    ck_assert_ptr_null(entry);
    ck_assert_uint_eq(atomic_load(&block->references), 1);
    block->bytes[0] = 0;
    value_block_release(block);
    faults_fail_allocation(1);
    ck_assert_ptr_null(value_block_create(1, 1));
}
END_TEST

/* A new entry is in no wheel yet. */
START_TEST(test_timer_is_not_armed)
{
    struct entry_fields fields = {.key = SLICE_LITERAL("k"), .deadline_s = 5};
    struct entry *entry;

    ck_assert_int_eq(entry_create(&fields, &entry), SESS_OK);
    ck_assert_ptr_null(entry->timer.next);
    entry_destroy(entry);
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
    struct entry *entry;

    ck_assert_int_eq(entry_create(&fields, &entry), SESS_OK);
    for (size_t i = 0; i < ITEMS(deadline_cases); i++) {
        entry_set_deadline(entry, deadline_cases[i]);
        fields.deadline_s = deadline_cases[i];
        assert_reads_back(entry, &fields);
    }
    entry_destroy(entry);
}
END_TEST

static size_t cost_of(const struct entry_fields *fields)
{
    struct entry *entry;
    size_t cost;

    ck_assert_int_eq(entry_create(fields, &entry), SESS_OK);
    cost = entry_cost(entry);
    entry_destroy(entry);
    return cost;
}

/* What is charged grows with each byte of key and value and with each optional field, by its size. */
START_TEST(test_cost_counts_every_field)
{
    struct entry_fields fields = {.key = slice_of(key_bytes, 10), .cas = 1, .deadline_s = 1};
    size_t base = cost_of(&fields);

    ck_assert_uint_ge(base, sizeof(struct entry) + 14 + 10);
    fields.key.size = 250;
    ck_assert_uint_eq(cost_of(&fields), base + 240);
    fields.value = slice_of(value_bytes, STORE_COPY_MAX);
    ck_assert_uint_eq(cost_of(&fields), base + 240 + STORE_COPY_MAX);
    fields.flags = 1;
    ck_assert_uint_eq(cost_of(&fields), base + 240 + STORE_COPY_MAX + 4);
    fields.cas = 1ULL << 40;
    ck_assert_uint_eq(cost_of(&fields), base + 240 + STORE_COPY_MAX + 12);
    fields.deadline_s = (int64_t)1 << 32;
    ck_assert_uint_eq(cost_of(&fields), base + 240 + STORE_COPY_MAX + 12);
}
END_TEST

/* With a block the whole of it is charged, what lies behind the value too. */
START_TEST(test_cost_counts_the_block)
{
    struct value_block *block = value_block_create(20000, 20002);
    struct entry_fields fields = {.key = SLICE_LITERAL("k"), .cas = 1};
    size_t base = cost_of(&fields);

    fields.block = block;
    memset(block->bytes, 0, block->allocated);
    ck_assert_uint_ge(cost_of(&fields), base + 20002 + sizeof *block + sizeof block);
}
END_TEST

SUITE_MAIN("store/entry", test_fields_read_back, test_block_fields_read_back,
           test_block_outlives_its_entry, test_destroy_zeroes, test_create_without_memory,
           test_timer_is_not_armed, test_every_deadline_is_held, test_cost_counts_every_field,
           test_cost_counts_the_block)
