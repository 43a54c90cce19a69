/* Unit tests of the codec of frames: no bit of one can change unnoticed. */
#include "frame.h"

#include "checksum.h"

#include "suite_main.h"

enum { BODY = 333, SALT = 0x5a17 };

static const struct frame example = {.sequence = 0x0102030405060708,
                                     .durable = 0x0102030405060700,
                                     .time_s = 1700000000,
                                     .n_records = 3,
                                     .body_size = BODY};

/* A whole frame, its body a pattern. */
static struct slice write_example(uint8_t *bytes)
{
    struct slice piece = slice_of(bytes, FRAME_HEAD_SIZE + BODY);

    for (size_t i = 0; i < BODY; i++) {
        bytes[FRAME_HEAD_SIZE + i] = (uint8_t)(i * 7 + 1);
    }
    frame_encode(&example, SALT, bytes, &piece, 1);
    return piece;
}

START_TEST(is_read_as_it_was_written)
{
    uint8_t bytes[FRAME_HEAD_SIZE + BODY];
    struct slice whole = write_example(bytes);
    struct frame read;

    ck_assert(frame_peek(whole, SALT, &read));
    ck_assert_uint_eq(read.sequence, example.sequence);
    ck_assert_uint_eq(read.durable, example.durable);
    ck_assert_int_eq(read.time_s, example.time_s);
    ck_assert_uint_eq(read.n_records, example.n_records);
    ck_assert_uint_eq(read.body_size, example.body_size);
    ck_assert(frame_is_valid(whole, SALT));
}
END_TEST

START_TEST(every_flipped_bit_is_noticed)
{
    uint8_t bytes[FRAME_HEAD_SIZE + BODY];
    struct slice whole = write_example(bytes);

    for (size_t bit = 0; bit < 8 * whole.size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        HOT_ASSERT(!frame_is_valid(whole, SALT));
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    ck_assert(frame_is_valid(whole, SALT));
}
END_TEST

START_TEST(every_other_length_is_noticed)
{
    uint8_t bytes[FRAME_HEAD_SIZE + BODY + 8] = {0};
    struct slice whole = write_example(bytes);

    for (size_t size = FRAME_HEAD_SIZE; size < sizeof bytes; size++) {
        HOT_ASSERT(frame_is_valid(slice_of(bytes, size), SALT) == (size == whole.size));
    }
}
END_TEST

START_TEST(another_salt_is_another_file)
{
    uint8_t bytes[FRAME_HEAD_SIZE + BODY];
    struct slice whole = write_example(bytes);

    for (unsigned bit = 0; bit < 64; bit++) {
        HOT_ASSERT(!frame_is_valid(whole, SALT ^ (uint64_t)1 << bit));
    }
}
END_TEST

START_TEST(pieces_and_one_run_are_the_same)
{
    uint8_t bytes[FRAME_HEAD_SIZE + BODY];
    struct slice whole = write_example(bytes);

    for (size_t cut = FRAME_HEAD_SIZE; cut <= whole.size; cut += 19) {
        uint8_t head[FRAME_HEAD_SIZE + BODY];
        struct slice pieces[] = {slice_of(head, cut), slice_from(whole, cut), slice_of(NULL, 0)};

        memcpy(head, bytes, cut);
        memset(head, 0, FRAME_HEAD_SIZE);
        frame_encode(&example, SALT, head, pieces, 3);
        ck_assert_mem_eq(head, bytes, FRAME_HEAD_SIZE);
    }
}
END_TEST

START_TEST(a_checksum_is_that_of_all_pieces)
{
    static const uint8_t bytes[1000] = {1, 2, 3};
    struct slice whole = slice_of(bytes, sizeof bytes);

    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        struct slice pieces[] = {slice_of(bytes, cut), slice_from(whole, cut)};

        HOT_ASSERT(checksum_of(5, pieces, 2) == checksum_of(5, &whole, 1));
    }
    ck_assert(checksum_of(5, &whole, 1) != checksum_of(6, &whole, 1));
}
END_TEST

START_TEST(zeros_and_short_runs_are_no_frame)
{
    uint8_t bytes[FRAME_HEAD_SIZE + BODY] = {0};
    struct frame read;

    ck_assert(!frame_peek(slice_of(bytes, sizeof bytes), SALT, &read));
    (void)write_example(bytes);
    for (size_t size = 0; size < FRAME_HEAD_SIZE; size++) {
        ck_assert(!frame_peek(slice_of(bytes, size), SALT, &read));
    }
}
END_TEST

/* What a client can write: all but the salt. */
START_TEST(a_head_of_another_salt_is_none)
{
    uint8_t bytes[FRAME_HEAD_SIZE + BODY];
    struct slice whole = write_example(bytes);
    struct frame read;

    ck_assert(!frame_peek(whole, SALT + 1, &read));
    for (size_t bit = 8 * 8; bit < (size_t)8 * FRAME_HEAD_SIZE; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        HOT_ASSERT(!frame_peek(whole, SALT, &read));
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}
END_TEST

START_TEST(frames_end_at_multiples_of_8)
{
    ck_assert_uint_eq(frame_size(0), 48);
    ck_assert_uint_eq(frame_size(1), 56);
    ck_assert_uint_eq(frame_size(8), 56);
    ck_assert_uint_eq(frame_size(9), 64);
    ck_assert_uint_eq(frame_round(0, FRAME_BLOCK), 0);
    ck_assert_uint_eq(frame_round(1, FRAME_BLOCK), FRAME_BLOCK);
    ck_assert_uint_eq(frame_round(FRAME_BLOCK, FRAME_BLOCK), FRAME_BLOCK);
}
END_TEST

SUITE_MAIN("journal/frame", is_read_as_it_was_written, every_flipped_bit_is_noticed,
           every_other_length_is_noticed, another_salt_is_another_file,
           pieces_and_one_run_are_the_same, a_checksum_is_that_of_all_pieces,
           zeros_and_short_runs_are_no_frame, a_head_of_another_salt_is_none,
           frames_end_at_multiples_of_8)
