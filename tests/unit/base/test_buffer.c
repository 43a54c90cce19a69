/* Facts about base/buffer: it grows, keeps its bytes, and zeroes what it lets go. */
#include "sessiond/base/buffer.h"

#include "faults.h"
#include "suite.h"

#include <stdint.h>

static struct buffer buffer;

static void set_up(void)
{
    buffer = (struct buffer){0};
}

static void tear_down(void)
{
    buffer_release(&buffer);
}

/* `size` bytes, each of them not zero and unlike its neighbours. */
static struct slice pattern(size_t size)
{
    static uint8_t bytes[100000];

    ck_assert_uint_le(size, sizeof bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(i % 251 + 1);
    }
    return slice_of(bytes, size);
}

static void append_pattern(size_t size)
{
    ck_assert_int_eq(buffer_append(&buffer, pattern(size)), SESS_OK);
}

static size_t count_not_zero(const uint8_t *bytes, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i++) {
        n += bytes[i] != 0;
    }
    return n;
}

/* Room in an empty buffer. */
START_TEST(reserve_makes_room)
{
    ck_assert_int_eq(buffer_reserve(&buffer, 1000), SESS_OK);
    ck_assert_uint_eq(buffer.size, 0);
    ck_assert_uint_ge(buffer.capacity, 1000);
    ck_assert_ptr_nonnull(buffer.data);
}
END_TEST

/* Room that is there already. */
START_TEST(reserve_of_what_is_there_moves_nothing)
{
    const uint8_t *data;
    size_t capacity;

    append_pattern(10);
    data = buffer.data;
    capacity = buffer.capacity;
    ck_assert_int_eq(buffer_reserve(&buffer, capacity - 10), SESS_OK);
    ck_assert_int_eq(buffer_reserve(&buffer, 0), SESS_OK);
    ck_assert_ptr_eq(buffer.data, data);
    ck_assert_uint_eq(buffer.capacity, capacity);
}
END_TEST

/* Room for one byte more than there is. */
START_TEST(reserve_keeps_the_bytes)
{
    append_pattern(200);
    ck_assert_int_eq(buffer_reserve(&buffer, buffer.capacity - 199), SESS_OK);
    ck_assert(slice_equal(buffer_slice(&buffer), pattern(200)));
}
END_TEST

/* A buffer that moves to a larger place. */
START_TEST(reserve_zeroes_the_old_place)
{
    append_pattern(200);
    faults_watch_free(buffer.data, 200);
    ck_assert_int_eq(buffer_reserve(&buffer, buffer.capacity), SESS_OK);
    ck_assert(faults_was_freed());
    ck_assert_uint_eq(faults_left_in_freed(), 0);
}
END_TEST

/* Sizes whose sum wraps, and a size that no machine has. */
START_TEST(reserve_refuses_absurd_sizes)
{
    append_pattern(10);
    ck_assert_int_eq(buffer_reserve(&buffer, SIZE_MAX), SESS_NO_MEMORY);
    ck_assert_int_eq(buffer_reserve(&buffer, SIZE_MAX - 10), SESS_NO_MEMORY);
    ck_assert_int_eq(buffer_reserve(&buffer, SIZE_MAX / 2), SESS_NO_MEMORY);
    ck_assert(slice_equal(buffer_slice(&buffer), pattern(10)));
}
END_TEST

/* No memory while growing. */
START_TEST(reserve_without_memory_changes_nothing)
{
    struct buffer before;

    append_pattern(100);
    before = buffer;
    faults_fail_allocation(1);
    ck_assert_int_eq(buffer_reserve(&buffer, 10000), SESS_NO_MEMORY);
    ck_assert_mem_eq(&buffer, &before, sizeof before);
    ck_assert(slice_equal(buffer_slice(&buffer), pattern(100)));
    ck_assert_int_eq(buffer_reserve(&buffer, 10000), SESS_OK);
}
END_TEST

/* No memory for the first byte. */
START_TEST(append_without_memory_changes_nothing)
{
    faults_fail_allocation(1);
    ck_assert_int_eq(buffer_append(&buffer, SLICE_LITERAL("a")), SESS_NO_MEMORY);
    ck_assert_ptr_null(buffer.data);
    ck_assert_uint_eq(buffer.size, 0);
    ck_assert_uint_eq(buffer.capacity, 0);
}
END_TEST

/* Bytes in many small pieces. */
START_TEST(append_keeps_the_order)
{
    struct slice all = pattern(50000);

    for (size_t at = 0; at < all.size; at += 100) {
        ck_assert_int_eq(buffer_append(&buffer, slice_first(slice_from(all, at), 100)), SESS_OK);
    }
    ck_assert(slice_equal(buffer_slice(&buffer), all));
}
END_TEST

/* Nothing, in nothing and behind something. */
START_TEST(append_of_nothing_changes_nothing)
{
    ck_assert_int_eq(buffer_append(&buffer, slice_of(NULL, 0)), SESS_OK);
    ck_assert_uint_eq(buffer.capacity, 0);
    append_pattern(5);
    ck_assert_int_eq(buffer_append(&buffer, slice_of(NULL, 0)), SESS_OK);
    ck_assert_uint_eq(buffer.size, 5);
}
END_TEST

/* Room reserved, then filled. */
START_TEST(put_fills_the_room)
{
    ck_assert_int_eq(buffer_reserve(&buffer, 6), SESS_OK);
    buffer_put(&buffer, SLICE_LITERAL("abc"));
    buffer_put(&buffer, slice_of(NULL, 0));
    buffer_put(&buffer, SLICE_LITERAL("def"));
    ck_assert(slice_is(buffer_slice(&buffer), "abcdef"));
}
END_TEST

/* A buffer as large as may be kept. */
START_TEST(clear_keeps_the_capacity_zeroed)
{
    size_t capacity;
    const uint8_t *data;

    append_pattern(200);
    capacity = buffer.capacity;
    data = buffer.data;
    buffer_clear(&buffer, capacity);
    ck_assert_uint_eq(buffer.size, 0);
    ck_assert_uint_eq(buffer.capacity, capacity);
    ck_assert_ptr_eq(buffer.data, data);
    ck_assert_uint_eq(count_not_zero(buffer.data, 200), 0);
}
END_TEST

/* A buffer one byte larger than may be kept. */
START_TEST(clear_frees_what_is_larger)
{
    append_pattern(200);
    faults_watch_free(buffer.data, 200);
    buffer_clear(&buffer, buffer.capacity - 1);
    ck_assert(faults_was_freed());
    ck_assert_uint_eq(faults_left_in_freed(), 0);
    ck_assert_ptr_null(buffer.data);
    ck_assert_uint_eq(buffer.capacity, 0);
}
END_TEST

/* Buffers without bytes. */
START_TEST(clear_of_nothing_is_allowed)
{
    buffer_clear(&buffer, 0);
    ck_assert_ptr_null(buffer.data);
    ck_assert_int_eq(buffer_reserve(&buffer, 10), SESS_OK);
    buffer_clear(&buffer, buffer.capacity);
    ck_assert_ptr_nonnull(buffer.data);
}
END_TEST

/* A buffer with bytes, and then the same again. */
START_TEST(release_zeroes_and_frees)
{
    append_pattern(300);
    faults_watch_free(buffer.data, 300);
    buffer_release(&buffer);
    ck_assert(faults_was_freed());
    ck_assert_uint_eq(faults_left_in_freed(), 0);
    ck_assert_ptr_null(buffer.data);
    ck_assert_uint_eq(buffer.size, 0);
    ck_assert_uint_eq(buffer.capacity, 0);
    buffer_release(&buffer);
    append_pattern(1);
}
END_TEST

static TCase *buffer_case(Suite *suite, const char *function)
{
    TCase *facts = suite_case(suite, function);

    tcase_add_checked_fixture(facts, set_up, tear_down);
    return facts;
}

int main(void)
{
    Suite *suite = suite_create("base/buffer");
    TCase *reserve = buffer_case(suite, "buffer_reserve");
    TCase *append = buffer_case(suite, "buffer_append");
    TCase *clear = buffer_case(suite, "buffer_clear");
    TCase *release = buffer_case(suite, "buffer_release");

    tcase_add_test(reserve, reserve_makes_room);
    tcase_add_test(reserve, reserve_of_what_is_there_moves_nothing);
    tcase_add_test(reserve, reserve_keeps_the_bytes);
    tcase_add_test(reserve, reserve_zeroes_the_old_place);
    tcase_add_test(reserve, reserve_refuses_absurd_sizes);
    tcase_add_test(reserve, reserve_without_memory_changes_nothing);
    tcase_add_test(append, append_without_memory_changes_nothing);
    tcase_add_test(append, append_keeps_the_order);
    tcase_add_test(append, append_of_nothing_changes_nothing);
    tcase_add_test(append, put_fills_the_room);
    tcase_add_test(clear, clear_keeps_the_capacity_zeroed);
    tcase_add_test(clear, clear_frees_what_is_larger);
    tcase_add_test(clear, clear_of_nothing_is_allowed);
    tcase_add_test(release, release_zeroes_and_frees);
    return suite_run(suite);
}
