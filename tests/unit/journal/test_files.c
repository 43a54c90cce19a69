/* Damage to the files of a journal as a whole: missing, empty, cut, doubled, swapped, something else.
 *
 * Whatever was acknowledged is there, or the start is refused with the name of a file. */
#include "written_journal.h"

enum { SEED = 0xf11e5, SEGMENTS = 4 };

/* Three segments that are full and sealed, and one more; everything synced and marked. Not restarted: all
 * is one run of the daemon. */
static void write_chain(struct written *written)
{
    struct test_random random = {SEED};

    written_begin(written);
    while (written->writer.current.number < SEGMENTS) {
        if (!written->writer.has_next) {
            written_make_next(written);
        }
        written_fill(written, &random);
        written_commit(written);
        written_sync(written);
        if (written->writer.has_previous) {
            written_seal(written);
        }
    }
    written_mark(written);
    written_stop(written);
}

static enum sess_status start(struct written *written)
{
    struct store_fixture fixture;
    enum sess_status status;

    fixture_open(&fixture);
    store_on_mutation(fixture.store, NULL, NULL);
    status = written_recover(written, fixture.store);
    if (status == SESS_OK) {
        written_check(&fixture, &written->state);
    }
    fixture_close(&fixture);
    written_stop(written);
    return status;
}

static void remove_file(struct written *written, uint64_t number)
{
    char name[FILE_NAME_SIZE];

    segment_name(SEGMENT_JOURNAL, number, name);
    ck_assert_int_eq(directory_remove(written->directory, name, &written->error), SESS_OK);
}

static void rename_file(struct written *written, uint64_t from, uint64_t to)
{
    char old[FILE_NAME_SIZE];
    char new[FILE_NAME_SIZE];

    segment_name(SEGMENT_JOURNAL, from, old);
    segment_name(SEGMENT_JOURNAL, to, new);
    ck_assert_int_eq(directory_rename(written->directory, old, new, &written->error), SESS_OK);
}

static struct slice bytes_of(struct written *written, uint64_t number)
{
    char name[FILE_NAME_SIZE];
    size_t size;
    const uint8_t *bytes;

    segment_name(SEGMENT_JOURNAL, number, name);
    bytes = memory_directory_bytes(written->memory, name, &size);
    return slice_of(bytes, size);
}

/* Put a file there, whatever is there. */
static void put(struct written *written, uint64_t number, struct slice bytes)
{
    char name[FILE_NAME_SIZE];
    uint8_t *own = malloc(bytes.size + 1);

    memcpy(own, bytes.data, bytes.size);
    segment_name(SEGMENT_JOURNAL, number, name);
    (void)!directory_remove(written->directory, name, &written->error);
    ck_assert_uint_ne(memory_directory_add(written->memory, name, slice_of(own, bytes.size)), 0);
    free(own);
}

/* It is refused, and all files are as they were. */
static void is_refused(struct written *written)
{
    struct memory_file *before;
    struct memory_file *after;
    size_t n_before;
    size_t n_after;

    ck_assert(memory_directory_copy(written->memory, &before, &n_before));
    ck_assert_int_eq(start(written), SESS_DAMAGED);
    ck_assert_ptr_nonnull(strstr(written->error.text, "journal-"));
    ck_assert(memory_directory_copy(written->memory, &after, &n_after));
    ck_assert_uint_eq(n_before, n_after);
    for (size_t i = 0; i < n_before; i++) {
        ck_assert_str_eq(before[i].name, after[i].name);
        ck_assert_uint_eq(before[i].size, after[i].size);
        ck_assert(before[i].size == 0 ||
                  memcmp(before[i].bytes, after[i].bytes, before[i].size) == 0);
    }
    memory_files_free(before, n_before);
    memory_files_free(after, n_after);
}

START_TEST(all_of_it_is_there)
{
    struct written written;

    write_chain(&written);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(start(&written), SESS_OK);
    }
    written_end(&written);
}
END_TEST

START_TEST(a_missing_file_is_damage)
{
    struct written written;

    write_chain(&written);
    remove_file(&written, (uint64_t)_i);
    is_refused(&written);
    written_end(&written);
}
END_TEST

/* The starts link to the segments before them: the last one is the one of the last start. */
START_TEST(a_missing_file_is_damage_after_a_restart)
{
    struct written written;

    write_chain(&written);
    ck_assert_int_eq(start(&written), SESS_OK);
    ck_assert_uint_eq(written.writer.current.number, SEGMENTS + 1);
    remove_file(&written, (uint64_t)_i);
    is_refused(&written);
    written_end(&written);
}
END_TEST

START_TEST(an_empty_file_is_damage)
{
    struct written written;

    write_chain(&written);
    put(&written, (uint64_t)_i, slice_of("", 0));
    is_refused(&written);
    written_end(&written);
}
END_TEST

START_TEST(a_file_cut_in_its_header_is_damage)
{
    struct written written;
    struct slice bytes;

    write_chain(&written);
    bytes = bytes_of(&written, (uint64_t)_i);
    put(&written, (uint64_t)_i, slice_first(bytes, SEGMENT_HEADER_SIZE - 1));
    is_refused(&written);
    put(&written, (uint64_t)_i, slice_first(bytes_of(&written, (uint64_t)_i), 100));
    is_refused(&written);
    written_end(&written);
}
END_TEST

START_TEST(a_header_alone_is_damage)
{
    struct written written;

    write_chain(&written);
    put(&written, (uint64_t)_i, slice_first(bytes_of(&written, (uint64_t)_i), SEGMENT_HEADER_SIZE));
    is_refused(&written);
    written_end(&written);
}
END_TEST

START_TEST(swapped_files_are_damage)
{
    struct written written;
    uint64_t other = (uint64_t)_i % SEGMENTS + 1;

    write_chain(&written);
    rename_file(&written, (uint64_t)_i, 99);
    rename_file(&written, other, (uint64_t)_i);
    rename_file(&written, 99, other);
    is_refused(&written);
    written_end(&written);
}
END_TEST

START_TEST(a_doubled_file_is_damage)
{
    struct written written;

    write_chain(&written);
    put(&written, SEGMENTS + 1, bytes_of(&written, (uint64_t)_i));
    is_refused(&written);
    written_end(&written);
}
END_TEST

START_TEST(what_is_no_file_of_ours_stays_and_means_nothing)
{
    static const char *const names[] = {
        "lost+found",           "journal-",        "journal-1",
        "journal-00000000000x", "journal-old.new", "journal-000000000001.bak",
        "journal-.new",         "core.new",        "journal-0000000000001",
        "journal-1.new",
    };
    struct written written;

    write_chain(&written);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ck_assert_uint_ne(
            memory_directory_add(written.memory, names[i], SLICE_LITERAL("of somebody")), 0);
    }
    ck_assert_int_eq(start(&written), SESS_OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t size;

        ck_assert_msg(memory_directory_bytes(written.memory, names[i], &size) != NULL, "%s",
                      names[i]);
    }
    written_end(&written);
}
END_TEST

START_TEST(a_segment_that_was_being_made_is_removed)
{
    struct written written;
    size_t size;

    write_chain(&written);
    ck_assert_uint_ne(memory_directory_add(written.memory, "journal-000000000099.new",
                                           SLICE_LITERAL("half of it")),
                      0);
    ck_assert_int_eq(start(&written), SESS_OK);
    ck_assert_ptr_null(memory_directory_bytes(written.memory, "journal-000000000099.new", &size));
    written_end(&written);
}
END_TEST

/* Garbage behind the end proves nothing, and is not believed; it is told how much it was. */
START_TEST(what_follows_the_end_is_not_believed)
{
    struct written written;
    struct test_random random = {SEED};
    uint8_t *bytes;
    struct slice old;

    write_chain(&written);
    old = bytes_of(&written, SEGMENTS);
    bytes = malloc(old.size + 5000);
    memcpy(bytes, old.data, old.size);
    for (size_t i = 0; i < 5000; i++) {
        bytes[old.size + i] = _i == 0 ? 0 : (uint8_t)(1 | test_random_next(&random));
    }
    put(&written, SEGMENTS, slice_of(bytes, old.size + 5000));
    ck_assert_int_eq(start(&written), SESS_OK);
    if (_i == 0) {
        ck_assert_uint_eq(written.found.n_cut, 0);
        ck_assert_uint_eq(written.found.cut_segment, 0);
    } else {
        ck_assert_uint_gt(written.found.n_cut, 5000 - FRAME_ALIGN);
        ck_assert_uint_eq(written.found.cut_segment, SEGMENTS);
    }
    free(bytes);
    written_end(&written);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal/files");
    TCase *facts = suite_case(suite, "files");

    tcase_set_timeout(facts, 0);
    tcase_add_test(facts, all_of_it_is_there);
    tcase_add_loop_test(facts, a_missing_file_is_damage, 1, SEGMENTS + 1);
    tcase_add_loop_test(facts, a_missing_file_is_damage_after_a_restart, 1, SEGMENTS + 2);
    tcase_add_loop_test(facts, an_empty_file_is_damage, 1, SEGMENTS + 1);
    tcase_add_loop_test(facts, a_file_cut_in_its_header_is_damage, 1, SEGMENTS + 1);
    tcase_add_loop_test(facts, a_header_alone_is_damage, 1, SEGMENTS + 1);
    tcase_add_loop_test(facts, swapped_files_are_damage, 1, SEGMENTS + 1);
    tcase_add_loop_test(facts, a_doubled_file_is_damage, 1, SEGMENTS + 1);
    tcase_add_test(facts, what_is_no_file_of_ours_stays_and_means_nothing);
    tcase_add_test(facts, a_segment_that_was_being_made_is_removed);
    tcase_add_loop_test(facts, what_follows_the_end_is_not_believed, 0, 2);
    return suite_run(suite);
}
