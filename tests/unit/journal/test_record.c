/* Unit tests of the codec of records: what was written is read again, and nothing else is read. */
#include "record.h"

#include "sessiond/store/terms.h"

#include "suite_main.h"

enum { ROOM = RECORD_HEAD_MAX + 64 };

#define KEY SLICE_LITERAL("a-key")
#define VALUE SLICE_LITERAL("some value")

static const struct record examples[] = {
    {.type = RECORD_SET,
     .key = {(const uint8_t *)"a-key", 5},
     .value = {(const uint8_t *)"some value", 10},
     .flags = 0xfedcba98,
     .cas = 0x0123456789abcdef,
     .deadline_s = 0x7123456789abcdef},
    {.type = RECORD_SET, .key = {(const uint8_t *)"k", 1}, .cas = 1, .deadline_s = INT64_MAX},
    {.type = RECORD_MARKED,
     .key = {(const uint8_t *)"a-key", 5},
     .value = {(const uint8_t *)"some value", 10},
     .flags = 0xfedcba98,
     .cas = UINT64_MAX - 1,
     .marks = {.is_clients_cas = true},
     .deadline_s = 0x7123456789abcdef},
    {.type = RECORD_MARKED,
     .key = {(const uint8_t *)"k", 1},
     .cas = 1,
     .marks = {.is_stale = true}},
    {.type = RECORD_MARKED,
     .key = {(const uint8_t *)"k", 1},
     .cas = 1,
     .marks = {.is_stale = true, .has_winner = true}},
    {.type = RECORD_TOUCH, .key = {(const uint8_t *)"a-key", 5}, .deadline_s = 77},
    {.type = RECORD_DELETE, .key = {(const uint8_t *)"a-key", 5}},
    {.type = RECORD_PROBATION,
     .key = {(const uint8_t *)"a-key", 5},
     .value = {(const uint8_t *)"some value", 10},
     .flags = 0xfedcba98,
     .cas = 0x0123456789abcdef,
     .marks = {.is_stale = true, .asked_s = 0x7123456789abcdef},
     .deadline_s = 77},
    {.type = RECORD_HOLD,
     .key = {(const uint8_t *)"a-key", 5},
     .deadline_s = 78,
     .marks = {.is_held = true}},
    {.type = RECORD_FLUSH, .deadline_s = 1234},
    {.type = RECORD_FLUSH, .deadline_s = 1234, .is_scheduled = true},
    {.type = RECORD_LINK,
     .segment = 1,
     .sequence = 0x1122334455667788,
     .offset = UINT64_MAX,
     .cas = 99},
    {.type = RECORD_SEAL, .segment = 0x1122334455667788},
    {.type = RECORD_CLOCK, .deadline_s = 0x1122334455667788, .time_s = 0x0123456789abcdef},
    {.type = RECORD_END,
     .segment = 2,
     .sequence = 0x1122334455667788,
     .last = 0x1122334455667787,
     .offset = UINT64_MAX,
     .cas = 99,
     .deadline_s = 77},
};

/* Returns the bytes, value included. */
static size_t write_whole(const struct record *record, uint8_t *out)
{
    size_t size = record_encode(record, out);

    if (record->value.size > 0) {
        memcpy(out + size, record->value.data, record->value.size);
    }
    return size + record->value.size;
}

static bool same(const struct record *a, const struct record *b)
{
    return a->type == b->type && slice_equal(a->key, b->key) && slice_equal(a->value, b->value) &&
           a->flags == b->flags && a->cas == b->cas && a->deadline_s == b->deadline_s &&
           a->is_scheduled == b->is_scheduled && a->segment == b->segment &&
           a->marks.is_stale == b->marks.is_stale && a->marks.has_winner == b->marks.has_winner &&
           a->marks.is_clients_cas == b->marks.is_clients_cas &&
           a->marks.is_held == b->marks.is_held && a->marks.asked_s == b->marks.asked_s &&
           a->sequence == b->sequence && a->offset == b->offset && a->time_s == b->time_s;
}

START_TEST(is_read_as_it_was_written)
{
    uint8_t bytes[ROOM];
    size_t size = write_whole(&examples[_i], bytes);
    struct record read;
    size_t used = 0;

    /* What follows it is another record's. */
    memset(bytes + size, 0xff, sizeof bytes - size);
    ck_assert_int_eq(record_decode(slice_of(bytes, sizeof bytes), &read, &used), SESS_OK);
    ck_assert_uint_eq(used, size);
    ck_assert(same(&read, &examples[_i]));
}
END_TEST

START_TEST(is_damaged_when_cut_at_any_length)
{
    uint8_t bytes[ROOM];
    size_t size = write_whole(&examples[_i], bytes);

    for (size_t cut = 0; cut < size; cut++) {
        struct record read;
        size_t used;

        ck_assert_int_eq(record_decode(slice_of(bytes, cut), &read, &used), SESS_DAMAGED);
    }
}
END_TEST

START_TEST(a_key_of_250_bytes_has_room)
{
    uint8_t key[STORE_KEY_MAX];
    struct record record = {.type = RECORD_PROBATION,
                            .key = slice_of(key, sizeof key),
                            .cas = 1,
                            .marks = {.asked_s = 1}};
    uint8_t bytes[RECORD_HEAD_MAX];
    struct record read;
    size_t used;

    memset(key, 'k', sizeof key);
    ck_assert_uint_eq(record_encode(&record, bytes), RECORD_HEAD_MAX);
    ck_assert_int_eq(record_decode(slice_of(bytes, sizeof bytes), &read, &used), SESS_OK);
    ck_assert(same(&read, &record));
}
END_TEST

START_TEST(a_longer_key_is_damaged)
{
    uint8_t bytes[RECORD_HEAD_MAX + UINT8_MAX] = {0};
    struct record record = {.type = RECORD_DELETE, .key = KEY};
    struct record read;
    size_t used;

    (void)record_encode(&record, bytes);
    for (unsigned size = STORE_KEY_MAX; size <= UINT8_MAX; size++) {
        bytes[1] = (uint8_t)size;
        ck_assert_int_eq(record_decode(slice_of(bytes, sizeof bytes), &read, &used),
                         size == STORE_KEY_MAX ? SESS_OK : SESS_DAMAGED);
    }
}
END_TEST

/* A start would pass over frames that the checkpoint does not hold. */
START_TEST(an_end_that_begins_behind_what_it_holds_is_damaged)
{
    static const struct {
        uint64_t sequence;
        uint64_t last;
        enum sess_status status;
    } rows[] = {
        {1, 1, SESS_OK},      {8, 7, SESS_OK},
        {9, 7, SESS_DAMAGED}, {7, 100, SESS_OK},
        {2, 0, SESS_DAMAGED}, {UINT64_MAX, UINT64_MAX - 1, SESS_OK},
        {0, 7, SESS_DAMAGED}, {UINT64_MAX, 7, SESS_DAMAGED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct record record = {
            .type = RECORD_END, .sequence = rows[i].sequence, .last = rows[i].last};
        uint8_t bytes[RECORD_HEAD_MAX];
        struct record read;
        size_t used;
        size_t size = record_encode(&record, bytes);

        ck_assert_int_eq(record_decode(slice_of(bytes, size), &read, &used), rows[i].status);
    }
}
END_TEST

/* Where the table has 0, and a 0 or 1, nothing else may stand. */
START_TEST(another_byte_in_its_fixed_places_is_of_another_version)
{
    static const size_t places[] = {2, 3, 13, 19};
    uint8_t bytes[ROOM];
    struct record read;
    size_t used;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const struct record flush = {.type = RECORD_FLUSH, .deadline_s = 1234};

        (void)record_encode(&flush, bytes);
        bytes[places[i]] = 1;
        ck_assert_int_eq(record_decode(slice_of(bytes, sizeof bytes), &read, &used), SESS_REFUSED);
    }
}
END_TEST

START_TEST(a_type_that_does_not_exist_is_refused)
{
    uint8_t bytes[ROOM] = {0};

    for (unsigned type = 0; type <= UINT8_MAX; type++) {
        struct record read;
        size_t used;

        if ((type >= RECORD_SET && type <= RECORD_SEAL) || type == RECORD_HOLD ||
            type == RECORD_CLOCK || type == RECORD_END || type == RECORD_MARKED ||
            type == RECORD_PROBATION) {
            continue;
        }
        for (uint8_t key_size = 0; key_size < 2; key_size++) {
            bytes[0] = (uint8_t)type;
            bytes[1] = key_size;
            ck_assert_int_eq(record_decode(slice_of(bytes, sizeof bytes), &read, &used),
                             SESS_REFUSED);
        }
    }
}
END_TEST

START_TEST(a_key_belongs_to_sessions_alone)
{
    bool has_key = examples[_i].key.size > 0;
    uint8_t bytes[ROOM] = {0};
    struct record read;
    size_t used;

    (void)write_whole(&examples[_i], bytes);
    bytes[1] = has_key ? 0 : 1;
    ck_assert_int_eq(record_decode(slice_of(bytes, sizeof bytes), &read, &used), SESS_DAMAGED);
}
END_TEST

START_TEST(a_size_beyond_the_body_is_damaged)
{
    uint8_t bytes[ROOM] = {0};
    struct record read;
    size_t used;

    (void)write_whole(&examples[0], bytes);
    memset(bytes + 4, 0xff, 4);
    ck_assert_int_eq(record_decode(slice_of(bytes, sizeof bytes), &read, &used), SESS_DAMAGED);
}
END_TEST

/* The bytes of docs/DISK-FORMAT.md: a file that is written today is read for ever. */
START_TEST(the_bytes_are_those_of_the_table)
{
    static const uint8_t expected[] = {
        1,    5,    0,    0,                            /* SET, key of 5 */
        10,   0,    0,    0,                            /* value's size */
        0x98, 0xba, 0xdc, 0xfe,                         /* flags */
        0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x71, /* deadline */
        0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01, /* CAS id */
        'a',  '-',  'k',  'e',  'y',                    /* key */
        's',  'o',  'm',  'e',  ' ',  'v',  'a',  'l',  'u', 'e',
    };
    uint8_t bytes[ROOM];
    size_t size = write_whole(&examples[0], bytes);

    ck_assert_uint_eq(size, sizeof expected);
    ck_assert_mem_eq(bytes, expected, sizeof expected);
}
END_TEST

START_TEST(a_mutation_becomes_the_state_that_came_out)
{
    struct mutation mutation = {.kind = MUTATION_SET,
                                .key = KEY,
                                .value = VALUE,
                                .flags = 3,
                                .cas = 9,
                                .deadline_s = 500,
                                .old_deadline_s = 400,
                                .now_s = 100};
    struct record record = record_of(&mutation);

    ck_assert_int_eq(record.type, RECORD_SET);
    ck_assert(slice_equal(record.key, KEY));
    ck_assert(slice_equal(record.value, VALUE));
    ck_assert_uint_eq(record.flags, 3);
    ck_assert_uint_eq(record.cas, 9);
    ck_assert_int_eq(record.deadline_s, 500);

    mutation.is_touch = true;
    record = record_of(&mutation);
    ck_assert_int_eq(record.type, RECORD_TOUCH);
    ck_assert_uint_eq(record.value.size, 0);
    ck_assert_int_eq(record.deadline_s, 500);

    mutation.kind = MUTATION_DELETE;
    mutation.is_touch = false;
    mutation.value = slice_of(NULL, 0);
    record = record_of(&mutation);
    ck_assert_int_eq(record.type, RECORD_HOLD);
    ck_assert_int_eq(record.deadline_s, 500);
    ck_assert(record.marks.is_held && record_is_state(&record));
    mutation.deadline_s = 0;
    ck_assert_int_eq(record_of(&mutation).type, RECORD_DELETE);
}
END_TEST

START_TEST(a_flush_at_its_time_is_no_longer_to_come)
{
    struct mutation mutation = {.kind = MUTATION_FLUSH, .deadline_s = 101, .now_s = 100};

    ck_assert_int_eq(record_of(&mutation).type, RECORD_FLUSH);
    ck_assert(record_of(&mutation).is_scheduled);
    mutation.now_s = 101;
    ck_assert(!record_of(&mutation).is_scheduled);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal/record");
    TCase *facts = suite_case(suite, "record");

    tcase_add_loop_test(facts, is_read_as_it_was_written, 0, SUITE_ROWS(examples));
    tcase_add_loop_test(facts, is_damaged_when_cut_at_any_length, 0, SUITE_ROWS(examples));
    tcase_add_loop_test(facts, a_key_belongs_to_sessions_alone, 0, SUITE_ROWS(examples));
    tcase_add_test(facts, a_key_of_250_bytes_has_room);
    tcase_add_test(facts, a_longer_key_is_damaged);
    tcase_add_test(facts, an_end_that_begins_behind_what_it_holds_is_damaged);
    tcase_add_test(facts, another_byte_in_its_fixed_places_is_of_another_version);
    tcase_add_test(facts, a_type_that_does_not_exist_is_refused);
    tcase_add_test(facts, a_size_beyond_the_body_is_damaged);
    tcase_add_test(facts, the_bytes_are_those_of_the_table);
    tcase_add_test(facts, a_mutation_becomes_the_state_that_came_out);
    tcase_add_test(facts, a_flush_at_its_time_is_no_longer_to_come);
    return suite_run(suite);
}
