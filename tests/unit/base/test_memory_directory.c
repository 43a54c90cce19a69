/* The tests' own directory in memory: files, handles, observer, failures, stalls. */
#include "memory_directory.h"
#include "suite_main.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

struct seen {
    enum memory_call calls[16];
    size_t n_calls;
};

static void note(void *context, const struct memory_event *event)
{
    struct seen *seen = context;

    ck_assert_uint_lt(seen->n_calls, 16);
    seen->calls[seen->n_calls++] = event->call;
}

static struct memory_directory *open_directory(void)
{
    struct memory_directory *memory = memory_directory_create();

    ck_assert_ptr_nonnull(memory);
    return memory;
}

static void close_directory(struct memory_directory *memory)
{
    struct directory *base = memory_directory_base(memory);

    directory_destroy(&base);
}

static struct file create(struct memory_directory *memory, const char *name)
{
    struct file file;
    struct sess_error error;

    ck_assert_int_eq(file_open(memory_directory_base(memory), name, FILE_CREATE, &file, &error),
                     SESS_OK);
    return file;
}

static void write_text(struct file *file, const char *text, uint64_t offset)
{
    struct slice piece = slice_from_text(text);
    struct sess_error error;

    ck_assert_int_eq(file_write(file, &piece, 1, offset, &error), SESS_OK);
}

START_TEST(test_a_write_beyond_the_end_leaves_zeros)
{
    struct memory_directory *memory = open_directory();
    struct file file = create(memory, "a");
    size_t size;
    const uint8_t *bytes;

    write_text(&file, "xy", 3);
    bytes = memory_directory_bytes(memory, "a", &size);
    ck_assert_uint_eq(size, 5);
    ck_assert_mem_eq(bytes, "\0\0\0xy", 5);
    file_close(&file);
    close_directory(memory);
}
END_TEST

START_TEST(test_a_removed_file_lives_while_it_is_open)
{
    struct memory_directory *memory = open_directory();
    struct file file = create(memory, "a");
    struct sess_error error;
    char text[4];
    size_t got;

    write_text(&file, "abc", 0);
    ck_assert_int_eq(directory_remove(memory_directory_base(memory), "a", &error), SESS_OK);
    ck_assert_int_eq(directory_remove(memory_directory_base(memory), "a", &error), SESS_NOT_FOUND);
    ck_assert_int_eq(file_read(&file, text, sizeof text, 1, &got, &error), SESS_OK);
    ck_assert_uint_eq(got, 2);
    ck_assert_mem_eq(text, "bc", 2);
    file_close(&file);
    ck_assert_uint_eq(memory_directory_count(memory), 0);
    close_directory(memory);
}
END_TEST

START_TEST(test_rename_goes_over_what_is_there)
{
    struct memory_directory *memory = open_directory();
    struct file first = create(memory, "a");
    struct file second = create(memory, "b");
    struct memory_file *files;
    struct sess_error error;
    size_t n_files;

    write_text(&first, "one", 0);
    write_text(&second, "two", 0);
    ck_assert_int_eq(directory_rename(memory_directory_base(memory), "b", "a", &error), SESS_OK);
    ck_assert(memory_directory_copy(memory, &files, &n_files));
    ck_assert_uint_eq(n_files, 1);
    ck_assert_str_eq(files[0].name, "a");
    ck_assert_mem_eq(files[0].bytes, "two", 3);
    memory_files_free(files, n_files);
    file_close(&first);
    file_close(&second);
    close_directory(memory);
}
END_TEST

START_TEST(test_the_observer_is_told_in_order)
{
    static const enum memory_call expected[] = {MEMORY_CREATE, MEMORY_ALLOCATE, MEMORY_WRITE,
                                                MEMORY_SYNC,   MEMORY_SYNC,     MEMORY_TRUNCATE};
    struct memory_directory *memory = open_directory();
    struct seen seen = {.n_calls = 0};
    struct sess_error error;
    struct file file;

    memory_directory_observe(memory, note, &seen);
    file = create(memory, "a");
    ck_assert_int_eq(file_allocate(&file, 100, &error), SESS_OK);
    write_text(&file, "abc", 0);
    ck_assert_int_eq(file_sync(&file, &error), SESS_OK);
    ck_assert_int_eq(file_truncate(&file, 2, &error), SESS_OK);
    ck_assert_uint_eq(seen.n_calls, sizeof expected / sizeof expected[0]);
    ck_assert_mem_eq(seen.calls, expected, sizeof expected);
    file_close(&file);
    close_directory(memory);
}
END_TEST

START_TEST(test_the_nth_call_fails_and_changes_nothing)
{
    struct memory_directory *memory = open_directory();
    struct file file = create(memory, "a");
    struct slice piece = slice_from_text("x");
    struct sess_error error;
    uint64_t size;

    memory_directory_fail(memory, MEMORY_WRITE, 2, SESS_NO_SPACE);
    write_text(&file, "a", 0);
    ck_assert_int_eq(file_write(&file, &piece, 1, 1, &error), SESS_NO_SPACE);
    ck_assert_int_eq(file_size(&file, &size, &error), SESS_OK);
    ck_assert_uint_eq(size, 1);
    write_text(&file, "b", 1);
    memory_directory_cut(memory);
    ck_assert_int_eq(file_write(&file, &piece, 1, 1, &error), SESS_IO);
    memory_directory_restart(memory);
    write_text(&file, "c", 1);
    ck_assert_uint_eq(memory_directory_calls(memory, MEMORY_WRITE), 1);
    file_close(&file);
    close_directory(memory);
}
END_TEST

START_TEST(test_from_the_nth_call_on_all_fail)
{
    struct memory_directory *memory = open_directory();
    struct file file = create(memory, "a");
    struct slice piece = slice_from_text("x");
    struct sess_error error;

    memory_directory_fail_from(memory, MEMORY_WRITE, 2, SESS_IO);
    write_text(&file, "a", 0);
    for (unsigned i = 1; i <= 3; i++) {
        ck_assert_int_eq(file_write(&file, &piece, 1, 1, &error), SESS_IO);
        ck_assert_uint_eq(memory_directory_failed(memory), i);
    }
    memory_directory_restart(memory);
    write_text(&file, "b", 1);
    file_close(&file);
    close_directory(memory);
}
END_TEST

START_TEST(test_what_a_failed_sync_was_about_can_be_lost)
{
    struct memory_directory *memory = open_directory();
    struct file file = create(memory, "a");
    struct file other = create(memory, "b");
    struct sess_error error;
    size_t size;

    memory_directory_keep_synced(memory);
    write_text(&file, "kept", 0);
    write_text(&other, "kept, too", 0);
    ck_assert_int_eq(file_sync(&file, &error), SESS_OK);
    write_text(&file, "lost", 2);
    memory_directory_fail(memory, MEMORY_SYNC, 1, SESS_NO_SPACE);
    ck_assert_int_eq(file_sync(&file, &error), SESS_IO);
    ck_assert_uint_eq(memory_directory_resyncs(memory), 0);
    ck_assert_int_eq(file_sync(&file, &error), SESS_OK);
    ck_assert_uint_eq(memory_directory_resyncs(memory), 1);
    memory_directory_fail(memory, MEMORY_SYNC, 1, SESS_IO);
    write_text(&file, "gone", 0);
    ck_assert_int_eq(file_sync(&file, &error), SESS_IO);
    file_close(&file);
    file_close(&other);
    ck_assert_uint_eq(memory_directory_lose(memory), 1);
    ck_assert_mem_eq(memory_directory_bytes(memory, "a", &size), "kelost", 6);
    ck_assert_uint_eq(size, 6);
    ck_assert_mem_eq(memory_directory_bytes(memory, "b", &size), "kept, too", 9);
    close_directory(memory);
}
END_TEST

/* The system tells of a failure once: whoever comes later must not hear that all is well. */
START_TEST(test_names_that_could_not_be_synced_are_not_synced_again)
{
    struct memory_directory *memory = open_directory();
    struct directory *base = memory_directory_base(memory);
    struct sess_error error = {.status = SESS_OK};

    ck_assert_int_eq(directory_sync(base, &error), SESS_OK);
    memory_directory_fail(memory, MEMORY_SYNC_DIRECTORY, 1, SESS_NO_SPACE);
    for (unsigned i = 0; i < 3; i++) {
        error = (struct sess_error){.status = SESS_OK};
        ck_assert_int_eq(directory_sync(base, &error), SESS_IO);
        ck_assert_int_eq(error.status, SESS_IO);
        ck_assert_ptr_nonnull(strstr(error.text, "a call that was to fail"));
    }
    ck_assert_uint_eq(memory_directory_calls(memory, MEMORY_SYNC_DIRECTORY), 2);
    close_directory(memory);
}
END_TEST

static void *sync_it(void *file)
{
    struct sess_error error;

    return file_sync(file, &error) == SESS_OK ? file : NULL;
}

START_TEST(test_a_call_stalls_until_it_is_released)
{
    struct memory_directory *memory = open_directory();
    struct file file = create(memory, "a");
    struct seen seen = {.n_calls = 0};
    pthread_t thread;
    void *result;

    memory_directory_observe(memory, note, &seen);
    memory_directory_stall(memory, MEMORY_SYNC);
    ck_assert_int_eq(pthread_create(&thread, NULL, sync_it, &file), 0);
    memory_directory_await_stalled(memory, MEMORY_SYNC);
    write_text(&file, "goes on", 0);
    ck_assert_uint_eq(seen.n_calls, 2);
    memory_directory_release(memory, MEMORY_SYNC);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_ptr_eq(result, &file);
    ck_assert_uint_eq(seen.n_calls, 3);
    file_close(&file);
    close_directory(memory);
}
END_TEST

SUITE_MAIN("support/memory_directory", test_a_write_beyond_the_end_leaves_zeros,
           test_a_removed_file_lives_while_it_is_open, test_rename_goes_over_what_is_there,
           test_the_observer_is_told_in_order, test_the_nth_call_fails_and_changes_nothing,
           test_from_the_nth_call_on_all_fail, test_what_a_failed_sync_was_about_can_be_lost,
           test_names_that_could_not_be_synced_are_not_synced_again,
           test_a_call_stalls_until_it_is_released)
