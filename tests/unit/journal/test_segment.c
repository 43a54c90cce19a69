/* Unit tests of segments as files: their names, and what their headers refuse. */
#include "written_journal.h"

#include "checksum.h"
#include "sessiond/base/bytes.h"

enum { SIZE = 5 * FRAME_BLOCK };

static const struct {
    const char *name;
    uint64_t number; /* 0: none */
} names[] = {
    {"journal-000000000001", 1},
    {"journal-000000000420", 420},
    {"journal-999999999999", 999999999999},
    {"journal-1000000000000", 1000000000000},
    {"journal-18446744073709551615", UINT64_MAX},
    {"journal-18446744073709551616", 0},
    {"journal-0000000000001", 0},
    {"journal-000000000000", 0},
    {"journal-1", 0},
    {"journal-", 0},
    {"journal-00000000000x", 0},
    {"journal-000000000001 ", 0},
    {"journal-000000000001.new", 0},
    {"Journal-000000000001", 0},
    {"", 0},
    {"lock", 0},
};

START_TEST(a_number_has_one_name)
{
    char name[FILE_NAME_SIZE];
    uint64_t number = 0;

    ck_assert_msg(segment_number_of(SEGMENT_JOURNAL, names[_i].name, &number) ==
                      (names[_i].number != 0),
                  "%s", names[_i].name);
    if (names[_i].number != 0) {
        ck_assert_uint_eq(number, names[_i].number);
        segment_name(SEGMENT_JOURNAL, number, name);
        ck_assert_str_eq(name, names[_i].name);
    }
}
END_TEST

START_TEST(unfinished_is_what_was_being_made_and_nothing_else)
{
    static char longest[300];

    ck_assert(segment_is_unfinished("journal-000000000001.new"));
    ck_assert(!segment_is_unfinished("journal-000000000001"));
    ck_assert(!segment_is_unfinished("journal-old.new"));
    ck_assert(!segment_is_unfinished("journal-1.new"));
    ck_assert(!segment_is_unfinished(".new"));
    ck_assert(!segment_is_unfinished("new"));
    memset(longest, 'x', sizeof longest - 1);
    memcpy(longest + sizeof longest - 5, ".new", 4);
    ck_assert(!segment_is_unfinished(longest));
}
END_TEST

/* One segment, finished. Returns its bytes, to be changed. */
static uint8_t *make(struct written *written, struct segment *segment)
{
    size_t size;
    const uint8_t *bytes;

    written_prepare(written);
    ck_assert_int_eq(begin_segment(written->directory, 7, SIZE, 1234, segment, &written->error),
                     SESS_OK);
    ck_assert_int_eq(segment_finish(segment, &written->error), SESS_OK);
    bytes = memory_directory_bytes(written->memory, "journal-000000000007", &size);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(size, SIZE);
    return (uint8_t *)(uintptr_t)bytes;
}

static enum sess_status open_again(struct written *written)
{
    struct segment segment;
    enum sess_status status =
        segment_open(written->directory, SEGMENT_JOURNAL, 7, &segment, &written->error);

    if (status == SESS_OK) {
        ck_assert_uint_eq(segment.number, 7);
        ck_assert_uint_eq(segment.size, SIZE);
        file_close(&segment.file);
    }
    return status;
}

static void end(struct written *written, struct segment *segment)
{
    file_close(&segment->file);
    written_end(written);
}

START_TEST(is_opened_as_it_was_made)
{
    struct written written;
    struct segment segment;
    struct segment again;
    uint8_t *bytes = make(&written, &segment);

    ck_assert_int_eq(segment_open(written.directory, SEGMENT_JOURNAL, 7, &again, &written.error),
                     SESS_OK);
    ck_assert_uint_eq(again.salt, segment.salt);
    file_close(&again.file);
    ck_assert_int_eq(open_again(&written), SESS_OK);
    ck_assert_mem_eq(bytes, "SESSJRNL\1\0\0\0\0\0\0\0", 16);
    ck_assert_uint_eq(bytes_u64(bytes + 40), segment.salt);
    ck_assert_uint_eq(bytes_u64(bytes + 48), 7);
    ck_assert_uint_eq(bytes_u64(bytes + 56), SIZE);
    ck_assert_uint_eq(bytes_u64(bytes + 64), 1234);
    end(&written, &segment);
}
END_TEST

START_TEST(has_its_name_only_when_it_is_finished)
{
    struct written written;
    struct segment segment;
    size_t size;

    written_prepare(&written);
    ck_assert_int_eq(begin_segment(written.directory, 7, SIZE, 1234, &segment, &written.error),
                     SESS_OK);
    ck_assert_ptr_null(memory_directory_bytes(written.memory, "journal-000000000007", &size));
    ck_assert_int_eq(open_again(&written), SESS_NOT_FOUND);
    ck_assert_uint_eq(memory_directory_calls(written.memory, MEMORY_SYNC), 0);
    ck_assert_int_eq(segment_finish(&segment, &written.error), SESS_OK);
    ck_assert_uint_eq(memory_directory_calls(written.memory, MEMORY_SYNC), 1);
    ck_assert_uint_eq(memory_directory_calls(written.memory, MEMORY_SYNC_DIRECTORY), 1);
    ck_assert_uint_eq(memory_directory_count(written.memory), 1);
    end(&written, &segment);
}
END_TEST

START_TEST(salts_are_different)
{
    struct written written;
    struct segment segment;
    uint64_t salt;

    (void)make(&written, &segment);
    salt = segment.salt;
    end(&written, &segment);
    (void)make(&written, &segment);
    ck_assert_uint_ne(segment.salt, salt);
    end(&written, &segment);
}
END_TEST

START_TEST(every_flipped_bit_of_the_header_is_noticed)
{
    struct written written;
    struct segment segment;
    uint8_t *bytes = make(&written, &segment);

    for (size_t bit = 0; bit < (size_t)8 * SEGMENT_HEADER_SIZE; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        HOT_ASSERT(open_again(&written) == SESS_DAMAGED);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    end(&written, &segment);
}
END_TEST

/* What another version may have written, with a checksum that holds. */
static const struct {
    size_t at;
    uint32_t value;
    enum sess_status status;
} headers[] = {
    {8, 2, SESS_REFUSED},                             /* version */
    {8, 0, SESS_REFUSED},                             /* version */
    {12, 1, SESS_REFUSED},                            /* required feature */
    {12, 0x80000000, SESS_REFUSED}, {16, 1, SESS_OK}, /* other feature */
    {20, 1, SESS_REFUSED},                            /* cipher */
    {48, 8, SESS_DAMAGED},                            /* number */
};

START_TEST(a_header_of_another_version_is_refused)
{
    struct written written;
    struct segment segment;
    uint8_t *bytes = make(&written, &segment);
    struct slice checked = slice_of(bytes, SEGMENT_HEADER_SIZE - 8);

    bytes_put_u32(bytes + headers[_i].at, headers[_i].value);
    bytes_put_u64(bytes + SEGMENT_HEADER_SIZE - 8, checksum_of(0, &checked, 1));
    ck_assert_int_eq(open_again(&written), headers[_i].status);
    if (headers[_i].status != SESS_OK) {
        ck_assert_ptr_nonnull(strstr(written.error.text, "journal-000000000007"));
    }
    end(&written, &segment);
}
END_TEST

static const struct {
    enum memory_call call;
    enum sess_status status;
} failures[] = {
    {MEMORY_CREATE, SESS_IO},   {MEMORY_CREATE, SESS_NO_SPACE}, {MEMORY_ALLOCATE, SESS_NO_SPACE},
    {MEMORY_ALLOCATE, SESS_IO}, {MEMORY_WRITE, SESS_IO},
};

START_TEST(nothing_is_left_of_one_that_could_not_be_made)
{
    struct written written;
    struct segment segment;

    written_prepare(&written);
    memory_directory_fail(written.memory, failures[_i].call, 1, failures[_i].status);
    ck_assert_int_eq(begin_segment(written.directory, 7, SIZE, 1234, &segment, &written.error),
                     failures[_i].status);
    ck_assert_uint_eq(memory_directory_count(written.memory), 0);
    written_end(&written);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal/segment");
    TCase *facts = suite_case(suite, "segment");

    tcase_set_timeout(facts, 0);
    tcase_add_loop_test(facts, a_number_has_one_name, 0, SUITE_ROWS(names));
    tcase_add_test(facts, unfinished_is_what_was_being_made_and_nothing_else);
    tcase_add_test(facts, is_opened_as_it_was_made);
    tcase_add_test(facts, has_its_name_only_when_it_is_finished);
    tcase_add_test(facts, salts_are_different);
    tcase_add_test(facts, every_flipped_bit_of_the_header_is_noticed);
    tcase_add_loop_test(facts, a_header_of_another_version_is_refused, 0, SUITE_ROWS(headers));
    tcase_add_loop_test(facts, nothing_is_left_of_one_that_could_not_be_made, 0,
                        SUITE_ROWS(failures));
    return suite_run(suite);
}
