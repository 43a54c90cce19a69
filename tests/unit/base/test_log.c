/* Facts about base/log: one line an event, limited, and printable. */
#include "sessiond/base/log.h"

#include "captured.h"
#include "suite.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

/* The text of a line behind its time, which is now or a little before. */
static const char *behind_time(const char *line)
{
    struct tm utc = {0};
    const char *end = strptime(line, "%Y-%m-%dT%H:%M:%SZ", &utc);
    time_t now = time(NULL);

    ck_assert_ptr_nonnull(end);
    ck_assert_int_le(timegm(&utc), now);
    ck_assert_int_ge(timegm(&utc), now - 60);
    ck_assert_int_eq(end - line, 20);
    ck_assert_int_eq(*end, ' ');
    return end + 1;
}

static int count_lines(const char *text)
{
    int n = 0;

    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

/* One event. */
START_TEST(line_has_time_level_and_text)
{
    captured_start();
    log_write(LOG_LEVEL_WARNING, "%s has %d", "somebody", 3);
    ck_assert_str_eq(behind_time(captured_end()), "warning somebody has 3\n");
}
END_TEST

static const struct {
    enum log_level level;
    const char *name;
} levels[] = {
    {LOG_LEVEL_ERROR, "error"},
    {LOG_LEVEL_WARNING, "warning"},
    {LOG_LEVEL_INFO, "info"},
    {LOG_LEVEL_DEBUG, "debug"},
};

/* Nobody has set a level. */
START_TEST(default_level_is_info)
{
    captured_start();
    log_write(levels[_i].level, "text");
    ck_assert_int_eq(count_lines(captured_end()), levels[_i].level <= LOG_LEVEL_INFO ? 1 : 0);
}
END_TEST

/* Each level set, an event of each level. */
START_TEST(level_lets_itself_and_the_graver_ones_pass)
{
    log_set_level(levels[_i].level);
    for (int other = 0; other < SUITE_ROWS(levels); other++) {
        const char *text;

        captured_start();
        log_write(levels[other].level, "text");
        text = captured_end();
        ck_assert_int_eq(count_lines(text), other <= _i ? 1 : 0);
        if (other <= _i) {
            ck_assert_int_eq(
                strncmp(behind_time(text), levels[other].name, strlen(levels[other].name)), 0);
        }
    }
}
END_TEST

/* Texts that fill a line to the byte, one that is a byte longer, and one that is far too long. */
START_TEST(long_line_is_cut)
{
    static const int head = 21 + 5; /* the time, "info " */
    static const int sizes[] = {LOG_LINE_SIZE - 1 - 26, LOG_LINE_SIZE - 26, 3 * LOG_LINE_SIZE};
    static char text[3 * LOG_LINE_SIZE + 1];
    const char *line;

    memset(text, 'x', sizeof text - 1);
    captured_start();
    log_write(LOG_LEVEL_INFO, "%.*s", sizes[_i], text);
    line = captured_end();
    ck_assert_uint_eq(strlen(line), LOG_LINE_SIZE);
    ck_assert_int_eq(line[LOG_LINE_SIZE - 1], '\n');
    ck_assert_int_eq(line[LOG_LINE_SIZE - 2], 'x');
    ck_assert_int_eq(line[head], 'x');
    ck_assert_int_eq(count_lines(line), 1);
}
END_TEST

/* A text one byte shorter than a line. */
START_TEST(line_that_fits_is_whole)
{
    char text[LOG_LINE_SIZE];

    memset(text, 'x', sizeof text);
    captured_start();
    log_write(LOG_LEVEL_INFO, "%.*s", LOG_LINE_SIZE - 2 - 26, text);
    ck_assert_uint_eq(strlen(captured_end()), LOG_LINE_SIZE - 1);
}
END_TEST

/* A text that this locale cannot write. */
START_TEST(line_that_cannot_be_formatted_is_left_out)
{
    captured_start();
    log_write(LOG_LEVEL_INFO, "%ls", L"\x4e2d");
    ck_assert_str_eq(captured_end(), "");
}
END_TEST

/* Nobody listens: standard error is closed. */
START_TEST(line_that_cannot_be_written_is_lost)
{
    ck_assert_int_eq(close(STDERR_FILENO), 0);
    log_write(LOG_LEVEL_INFO, "text");
    ck_assert_int_lt(fcntl(STDERR_FILENO, F_GETFD), 0);
}
END_TEST

/* Events that a client causes, faster than the limit. */
START_TEST(limit_lets_one_line_pass)
{
    struct log_limit limit = {0};
    const char *text;

    captured_start();
    for (int i = 0; i < 5; i++) {
        log_limited(&limit, 3600, LOG_LEVEL_WARNING, "event %d", i);
    }
    text = captured_end();
    ck_assert_str_eq(behind_time(text), "warning event 0\n");
}
END_TEST

/* The first event after the interval: the limit's time is set back instead of waiting. */
START_TEST(limit_tells_how_many_were_left_out)
{
    struct log_limit limit = {0};
    const char *text;

    captured_start();
    for (int i = 0; i < 5; i++) {
        log_limited(&limit, 3600, LOG_LEVEL_WARNING, "event %d", i);
    }
    limit.next_s = 0;
    log_limited(&limit, 3600, LOG_LEVEL_WARNING, "event 5");
    limit.next_s = 0;
    log_limited(&limit, 3600, LOG_LEVEL_WARNING, "event 6");
    text = strchr(captured_end(), '\n') + 1;
    ck_assert_int_eq(count_lines(text), 3);
    ck_assert_ptr_nonnull(
        strstr(behind_time(text), "warning 4 lines like the next were left out\n"));
    text = strchr(text, '\n') + 1;
    ck_assert_int_eq(strncmp(behind_time(text), "warning event 5\n", 16), 0);
    text = strchr(text, '\n') + 1;
    ck_assert_str_eq(behind_time(text), "warning event 6\n");
}
END_TEST

/* Two events with limits of their own. */
START_TEST(limits_do_not_share)
{
    struct log_limit one = {0};
    struct log_limit other = {0};

    captured_start();
    log_limited(&one, 3600, LOG_LEVEL_ERROR, "one");
    log_limited(&other, 3600, LOG_LEVEL_ERROR, "other");
    ck_assert_int_eq(count_lines(captured_end()), 2);
}
END_TEST

/* A limited event below the level that is written. */
START_TEST(limit_keeps_to_the_level)
{
    struct log_limit limit = {0};

    captured_start();
    log_limited(&limit, 0, LOG_LEVEL_DEBUG, "text");
    ck_assert_str_eq(captured_end(), "");
}
END_TEST

/* An interval of no time. */
START_TEST(limit_of_nothing_lets_all_pass)
{
    struct log_limit limit = {0};

    captured_start();
    for (int i = 0; i < 3; i++) {
        log_limited(&limit, 0, LOG_LEVEL_INFO, "event");
    }
    ck_assert_int_eq(count_lines(captured_end()), 3);
}
END_TEST

/* Bytes that print, at both ends of the range. */
START_TEST(escape_leaves_printable_bytes)
{
    char out[64];

    ck_assert_ptr_eq(log_escape(SLICE_LITERAL("get key~ \"'%s"), out, sizeof out), out);
    ck_assert_str_eq(out, "get key~ \"'%s");
}
END_TEST

/* Line ends, a NUL, a backslash, a terminal's escape, bytes above ASCII. */
START_TEST(escape_writes_the_rest_as_hex)
{
    char out[64];

    (void)log_escape(SLICE_LITERAL("a\r\n\0\\\x1b\x1f\x7f\x80\xffz"), out, sizeof out);
    ck_assert_str_eq(out, "a\\x0d\\x0a\\x00\\x5c\\x1b\\x1f\\x7f\\x80\\xffz");
}
END_TEST

/* Nothing to print. */
START_TEST(escape_of_nothing_is_empty)
{
    char out[1] = "#";

    ck_assert_str_eq(log_escape(slice_of(NULL, 0), out, sizeof out), "");
}
END_TEST

struct escape_fact {
    const char *bytes;
    size_t out_size;
    const char *text;
};

static const struct escape_fact cuts[] = {
    {"abc", 4, "abc"},    {"abc", 3, "ab"},     {"abc", 1, ""},
    {"\n", 5, "\\x0a"},   {"\n", 4, ""},        {"a\nb", 6, "a\\x0a"},
    {"a\nb", 5, "a"},     {"a\n", 7, "a\\x0a"}, {"\n\n", 9, "\\x0a\\x0a"},
    {"\n\n", 8, "\\x0a"},
};

/* Places that hold the text to the byte, and a byte less. */
START_TEST(escape_cuts_between_bytes)
{
    char out[16];

    memset(out, '#', sizeof out);
    (void)log_escape(slice_from_text(cuts[_i].bytes), out, cuts[_i].out_size);
    ck_assert_str_eq(out, cuts[_i].text);
    ck_assert_int_eq(out[cuts[_i].out_size], '#');
}
END_TEST

/* Nobody writes a second line, or to the terminal of who reads it. */
START_TEST(control_characters_are_blanked)
{
    captured_start();
    log_write(LOG_LEVEL_ERROR, "%s", "a\nb\r\tc\33[2Jd\177e\xc3\xa9");
    ck_assert_ptr_nonnull(strstr(captured_end(), " error a?b??c?[2Jd?e\xc3\xa9\n"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/log");
    TCase *write = suite_case(suite, "log_write");
    TCase *limited = suite_case(suite, "log_limited");
    TCase *escape = suite_case(suite, "log_escape");

    tcase_add_test(write, line_has_time_level_and_text);
    tcase_add_loop_test(write, default_level_is_info, 0, SUITE_ROWS(levels));
    tcase_add_loop_test(write, level_lets_itself_and_the_graver_ones_pass, 0, SUITE_ROWS(levels));
    tcase_add_loop_test(write, long_line_is_cut, 0, 3);
    tcase_add_test(write, line_that_fits_is_whole);
    tcase_add_test(write, control_characters_are_blanked);
    tcase_add_test(write, line_that_cannot_be_formatted_is_left_out);
    tcase_add_test(write, line_that_cannot_be_written_is_lost);
    tcase_add_test(limited, limit_lets_one_line_pass);
    tcase_add_test(limited, limit_tells_how_many_were_left_out);
    tcase_add_test(limited, limits_do_not_share);
    tcase_add_test(limited, limit_keeps_to_the_level);
    tcase_add_test(limited, limit_of_nothing_lets_all_pass);
    tcase_add_test(escape, escape_leaves_printable_bytes);
    tcase_add_test(escape, escape_writes_the_rest_as_hex);
    tcase_add_test(escape, escape_of_nothing_is_empty);
    tcase_add_loop_test(escape, escape_cuts_between_bytes, 0, SUITE_ROWS(cuts));
    return suite_run(suite);
}
