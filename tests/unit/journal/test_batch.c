/* Unit tests of batches: what is accepted is in the frame, and nothing of it stays in memory. */
#include "batch.h"

#include "faults.h"
#include "store_fixture.h"
#include "suite_main.h"

#include <stdlib.h>

enum { LIMIT = 1000, LARGE = STORE_COPY_MAX + 1000 };

static const struct record small = {.type = RECORD_SET,
                                    .key = {(const uint8_t *)"key", 3},
                                    .value = {(const uint8_t *)"value", 5},
                                    .cas = 7,
                                    .deadline_s = 9};

static size_t add(struct batch *batch, const struct record *record, struct value_block *block)
{
    size_t size = batch_size_with(batch, record, block);

    if (size > 0) {
        batch_add(batch, record, block);
    }
    return size;
}

/* The frame's body in one run, which the caller frees. */
static uint8_t *join(const struct batch *batch, size_t *size)
{
    struct slice pieces[BATCH_PIECES_MAX];
    size_t n_pieces = batch_pieces(batch, pieces);
    uint8_t *out = malloc(FRAME_HEAD_SIZE + batch->facts.total + 1);
    size_t at = 0;

    ck_assert_uint_le(n_pieces, BATCH_PIECES_MAX);
    ck_assert_uint_ge(pieces[0].size, FRAME_HEAD_SIZE);
    ck_assert_ptr_eq(pieces[0].data, batch->bytes);
    for (size_t i = 0; i < n_pieces; i++) {
        ck_assert_uint_le(at + pieces[i].size, FRAME_HEAD_SIZE + batch->facts.total);
        memcpy(out + at, pieces[i].data, pieces[i].size);
        at += pieces[i].size;
    }
    ck_assert_uint_eq(at, FRAME_HEAD_SIZE + batch->facts.total);
    *size = batch->facts.total;
    memmove(out, out + FRAME_HEAD_SIZE, *size);
    return out;
}

/* A large value in a store, held by a reading. */
struct large {
    struct store_fixture fixture;
    struct store_reading reading;
};

static void large_begin(struct large *large)
{
    static uint8_t bytes[LARGE];

    memset(bytes, 'L', sizeof bytes);
    fixture_open(&large->fixture);
    ck_assert_int_eq(fixture_write_slice(&large->fixture, STORE_SET, "large",
                                         slice_of(bytes, sizeof bytes), 0, STORE_NO_DEADLINE),
                     SESS_OK);
    ck_assert_int_eq(store_read_begin(large->fixture.store, SLICE_LITERAL("large"), 0,
                                      FIXTURE_NOW_S, &large->reading),
                     SESS_OK);
    ck_assert_ptr_nonnull(large->reading.block);
}

static struct record large_record(const struct large *large)
{
    return (struct record){
        .type = RECORD_SET, .key = SLICE_LITERAL("large"), .value = large->reading.value, .cas = 8};
}

START_TEST(records_stand_one_behind_the_other)
{
    struct batch batch;
    uint8_t *body;
    size_t left;
    size_t at = 0;

    ck_assert_int_eq(batch_init(&batch, LIMIT), SESS_OK);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_gt(add(&batch, &small, NULL), 0);
    }
    ck_assert_uint_eq(batch.facts.n_records, 4);
    body = join(&batch, &left);
    while (at < left) {
        struct record read;
        size_t used;

        ck_assert_int_eq(record_decode(slice_of(body + at, left - at), &read, &used), SESS_OK);
        ck_assert(slice_equal(read.key, small.key) && slice_equal(read.value, small.value));
        at += used;
    }
    free(body);
    batch_fini(&batch);
}
END_TEST

START_TEST(none_is_one_piece_for_the_head)
{
    struct slice pieces[BATCH_PIECES_MAX];
    struct batch batch;

    ck_assert_int_eq(batch_init(&batch, LIMIT), SESS_OK);
    ck_assert_uint_eq(batch_pieces(&batch, pieces), 1);
    ck_assert_uint_eq(pieces[0].size, FRAME_HEAD_SIZE);
    batch_fini(&batch);
}
END_TEST

START_TEST(is_full_at_its_limit_and_its_first_record_fits_always)
{
    static uint8_t bytes[STORE_COPY_MAX];
    uint8_t key[STORE_KEY_MAX];
    struct record largest = {.type = RECORD_SET,
                             .key = slice_of(key, sizeof key),
                             .value = slice_of(bytes, sizeof bytes)};
    struct batch batch;
    size_t n_added = 0;

    memset(key, 'k', sizeof key);
    ck_assert_int_eq(batch_init(&batch, LIMIT), SESS_OK);
    ck_assert_uint_ge(add(&batch, &largest, NULL), RECORD_HEAD_MAX + STORE_COPY_MAX);
    ck_assert_uint_eq(batch_size_with(&batch, &small, NULL), 0);
    batch_clear(&batch);
    while (add(&batch, &small, NULL) > 0) {
        n_added++;
        ck_assert_uint_lt(n_added, LIMIT);
    }
    ck_assert_uint_eq(n_added, (LIMIT + 35) / 36);
    /* One below the limit, and then the largest there is: the buffer holds it. */
    batch_clear(&batch);
    while (batch.facts.total + 36 < LIMIT) {
        (void)add(&batch, &small, NULL);
    }
    ck_assert_uint_gt(add(&batch, &largest, NULL), 0);
    batch_fini(&batch);
}
END_TEST

START_TEST(a_large_value_is_written_from_where_it_is)
{
    struct slice pieces[BATCH_PIECES_MAX];
    struct large large;
    struct record record;
    struct batch batch;
    uint8_t *body;
    size_t size;

    large_begin(&large);
    record = large_record(&large);
    ck_assert_int_eq(batch_init(&batch, LIMIT), SESS_OK);
    (void)add(&batch, &small, NULL);
    ck_assert_uint_gt(add(&batch, &record, large.reading.block), LARGE);
    (void)batch_pieces(&batch, pieces);
    ck_assert_ptr_eq(pieces[1].data, large.reading.value.data);
    store_read_end(&large.reading);
    /* The session goes; the batch has what it has. */
    ck_assert_int_eq(fixture_delete(&large.fixture, "large"), SESS_OK);
    body = join(&batch, &size);
    ck_assert_uint_eq(size, 36 + 28 + 5 + LARGE);
    ck_assert_int_eq(body[size - 1], 'L');
    free(body);
    batch_fini(&batch);
    fixture_close(&large.fixture);
}
END_TEST

START_TEST(large_values_are_limited_by_number)
{
    struct large large;
    struct record record;
    struct batch batch;
    uint8_t *body;
    size_t size;

    large_begin(&large);
    record = large_record(&large);
    ck_assert_int_eq(batch_init(&batch, (size_t)64 << 20), SESS_OK);
    for (size_t i = 0; i < BATCH_VALUES_MAX; i++) {
        ck_assert_uint_gt(add(&batch, &record, large.reading.block), 0);
    }
    ck_assert_uint_eq(batch_size_with(&batch, &record, large.reading.block), 0);
    ck_assert_uint_gt(add(&batch, &small, NULL), 0);
    body = join(&batch, &size);
    free(body);
    batch_clear(&batch);
    ck_assert_uint_gt(batch_size_with(&batch, &record, large.reading.block), 0);
    batch_fini(&batch);
    store_read_end(&large.reading);
    fixture_close(&large.fixture);
}
END_TEST

START_TEST(nothing_stays_in_memory)
{
    struct batch batch;
    size_t size = FRAME_HEAD_SIZE + LIMIT + BATCH_RECORD_MAX;

    ck_assert_int_eq(batch_init(&batch, LIMIT), SESS_OK);
    memset(batch.bytes, 0, size);
    while (add(&batch, &small, NULL) > 0) {
    }
    memset(batch.bytes, 'h', FRAME_HEAD_SIZE);
    batch_clear(&batch);
    ck_assert_uint_eq(batch.facts.total, 0);
    ck_assert_uint_eq(batch.facts.n_records, 0);
    for (size_t i = 0; i < size; i++) {
        HOT_ASSERT(batch.bytes[i] == 0);
    }
    (void)add(&batch, &small, NULL);
    faults_watch_free(batch.bytes, size);
    batch_fini(&batch);
    ck_assert(faults_was_freed());
    ck_assert_uint_eq(faults_left_in_freed(), 0);
}
END_TEST

START_TEST(no_memory_is_told)
{
    struct batch batch;

    faults_fail_allocation(1);
    ck_assert_int_eq(batch_init(&batch, LIMIT), SESS_NO_MEMORY);
    batch_fini(&batch);
}
END_TEST

SUITE_MAIN("journal/batch", records_stand_one_behind_the_other, none_is_one_piece_for_the_head,
           is_full_at_its_limit_and_its_first_record_fits_always,
           a_large_value_is_written_from_where_it_is, large_values_are_limited_by_number,
           nothing_stays_in_memory, no_memory_is_told)
