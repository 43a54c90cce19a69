/* Unit tests of the config file's form, and of what it says when something is wrong. */
#include "sessiond/daemon/config_file.h"

#include "settings_fixture.h"
#include "suite_main.h"

static struct settings_fixture fixture;

/* The file is in order and gives these. */
static void expect(const char *text, uint64_t memory_mib, uint64_t threads)
{
    settings_open(&fixture);
    ck_assert_msg(settings_read_file(&fixture, text) == SESS_OK, "%s", fixture.error.text);
    ck_assert_uint_eq(fixture.settings.store.memory >> 20, memory_mib);
    ck_assert_uint_eq(fixture.settings.net.threads, threads);
}

/* The file is wrong at this line, and the error says so and what. */
static void expect_error(const char *text, enum sess_status status, unsigned number,
                         const char *words)
{
    char place[FIXTURE_PATH_SIZE + 16];

    settings_open(&fixture);
    ck_assert_int_eq(settings_read_file(&fixture, text), status);
    (void)snprintf(place, sizeof place, "%s:%u: ", fixture.path, number);
    settings_expect_error(&fixture, place);
    settings_expect_error(&fixture, words);
}

/* Nothing, or nothing but blanks and comments. */
START_TEST(test_empty)
{
    expect("", 1024, 0);
    expect("\n", 1024, 0);
    expect("   \n\t\n\r\n# memory = 32m\n   # threads = 2\n#", 1024, 0);
}
END_TEST

/* Lines of every allowed look: blanks, no blanks, tabs, CR LF, no line end at the end of the file. */
START_TEST(test_lines)
{
    expect("memory = 32m\nthreads = 2\n", 32, 2);
    expect("memory=32m\nthreads=2", 32, 2);
    expect("  memory\t=\t32m  \n\tthreads   =   2\t\n", 32, 2);
    expect("memory = 32m\r\nthreads = 2\r\n", 32, 2);
    expect("\r\nmemory = 32m\r\n\r\nthreads = 2", 32, 2);
}
END_TEST

/* A comment at a line's start, and behind a blank; a '#' within a word is no comment. */
START_TEST(test_comments)
{
    expect("# a = b\nmemory = 32m # not 64m\nthreads = 2\t# two", 32, 2);
    expect("memory = 32m #\nthreads = 2 ## memory = 64m", 32, 2);
    settings_open(&fixture);
    ck_assert_int_eq(settings_read_file(&fixture, "listen = unix:/tmp/a#b\n"), SESS_OK);
    ck_assert_str_eq(fixture.settings.net.listen.items[0], "unix:/tmp/a#b");
}
END_TEST

/* Only the first '=' parts name and value. */
START_TEST(test_equals_in_a_value)
{
    settings_open(&fixture);
    ck_assert_int_eq(settings_read_file(&fixture, "listen = unix:/tmp/a=b\n"), SESS_OK);
    ck_assert_str_eq(fixture.settings.net.listen.items[0], "unix:/tmp/a=b");
}
END_TEST

/* A name with '_' for '-', and one given twice: the last one counts. */
START_TEST(test_names)
{
    settings_open(&fixture);
    ck_assert_int_eq(settings_read_file(&fixture, "max_connections = 5\nmax-connections = 6\n"),
                     SESS_OK);
    ck_assert_uint_eq(fixture.settings.net.max_connections, 6);
}
END_TEST

/* Lines that are no setting: the error names file and line, and what to do. */
START_TEST(test_errors)
{
    expect_error("memory = 32m\nmemory\n", SESS_INVALID, 2, "name = value");
    expect_error("\n\n\nverbose = yes\n", SESS_NOT_FOUND, 4,
                 "there is no option 'verbose'; sessiond --print-config lists them");
    expect_error("[section]\n", SESS_INVALID, 1, "'[section]'");
    expect_error("= 5\n", SESS_NOT_FOUND, 1, "there is no option ''");
    expect_error("memory = lots\n", SESS_INVALID, 1, "memory: 'lots' will not do");
    expect_error("memory =\n", SESS_INVALID, 1, "memory: ");
    expect_error("memory = 1k\n", SESS_OUT_OF_RANGE, 1, "at least 16m");
    expect_error("threads = 65\n", SESS_OUT_OF_RANGE, 1, "1 to 64");
    expect_error("threads = -1\n", SESS_INVALID, 1, "threads: '-1'");
    expect_error("log-level = loud\n", SESS_INVALID, 1, "error warning info debug");
    expect_error("insecure-listen = maybe\n", SESS_INVALID, 1, "yes or no");
    expect_error("listen =\n", SESS_INVALID, 1, "listen: ");
}
END_TEST

/* One listener more than there is room for. */
START_TEST(test_too_many_listeners)
{
    char text[OPTION_LIST_MAX * 32 + 64] = "";

    for (unsigned i = 0; i <= OPTION_LIST_MAX; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "listen = [::1]:%u\n", i);
    }
    expect_error(text, SESS_LIMIT, OPTION_LIST_MAX + 1, "listen: ");
}
END_TEST

/* A wrong line stops the reading: what stands before it is assigned, what follows is not. */
START_TEST(test_stops_at_the_error)
{
    settings_open(&fixture);
    ck_assert_int_eq(settings_read_file(&fixture, "memory = 32m\nnonsense\nthreads = 2\n"),
                     SESS_INVALID);
    ck_assert_uint_eq(fixture.settings.store.memory >> 20, 32);
    ck_assert_uint_eq(fixture.settings.net.threads, 0);
}
END_TEST

/* A line of `size` bytes, its line end not counted, between two others. */
static enum sess_status read_long_line(size_t size)
{
    static char text[3 * CONFIG_LINE_MAX];

    (void)snprintf(text, sizeof text, "memory = 32m\n");
    memset(text + 13, '#', size);
    (void)snprintf(text + 13 + size, sizeof text - 13 - size, "\nthreads = 2\n");
    settings_open(&fixture);
    return settings_read_file(&fixture, text);
}

/* A line just within the limit, and longer ones. */
START_TEST(test_overlong_line)
{
    ck_assert_int_eq(read_long_line(CONFIG_LINE_MAX - 1), SESS_OK);
    ck_assert_uint_eq(fixture.settings.net.threads, 2);
    ck_assert_int_eq(read_long_line(CONFIG_LINE_MAX + 1), SESS_INVALID);
    settings_expect_error(&fixture, ":2: ");
    settings_expect_error(&fixture, "4096");
    ck_assert_int_eq(read_long_line(2 * CONFIG_LINE_MAX), SESS_INVALID);
}
END_TEST

/* A NUL anywhere in a line: nothing may hide behind it. */
START_TEST(test_nul)
{
    static const char *const heads[] = {"", "memory = 32m", "# comment ", "memory = 32m\n# "};

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        char text[64] = "";
        size_t size = strlen(heads[i]);

        memcpy(text, heads[i], size);
        memcpy(text + size, "\0threads = 2\n", 13);
        settings_open(&fixture);
        ck_assert_int_eq(settings_read_bytes(&fixture, slice_of(text, size + 13)), SESS_INVALID);
        settings_expect_error(&fixture, i == 3 ? ":2: " : ":1: ");
        ck_assert_uint_eq(fixture.settings.net.threads, 0);
    }
}
END_TEST

/* There is no such file, and a directory instead of one. */
START_TEST(test_unreadable)
{
    settings_open(&fixture);
    ck_assert_int_eq(config_file_read(&fixture.registry, "/no/such/sessiond.conf", &fixture.error),
                     SESS_IO);
    settings_expect_error(&fixture, "cannot open /no/such/sessiond.conf: No such file");
    ck_assert_int_eq(config_file_read(&fixture.registry, "/tmp", &fixture.error), SESS_IO);
    settings_expect_error(&fixture, "cannot read /tmp: Is a directory");
}
END_TEST

SUITE_MAIN("daemon/config_file", test_empty, test_lines, test_comments, test_equals_in_a_value,
           test_names, test_errors, test_too_many_listeners, test_stops_at_the_error,
           test_overlong_line, test_nul, test_unreadable)
