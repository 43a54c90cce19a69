/* Facts about base/report: names and values, in order. */
#include "sessiond/base/report.h"

#include "faults.h"
#include "suite.h"

#include <stdio.h>

static struct report report;

static void set_up(void)
{
    report = (struct report){.is_cut = false};
}

static void tear_down(void)
{
    report_release(&report);
}

/* Step once and compare. */
static void assert_next(size_t *position, const char *name, const char *value)
{
    struct slice found_name;
    struct slice found_value;

    ck_assert(report_next(&report, position, &found_name, &found_value));
    ck_assert_msg(slice_is(found_name, name), "the name is %s", (const char *)found_name.data);
    ck_assert_msg(slice_is(found_value, value), "the value is %s", (const char *)found_value.data);
}

static void assert_end(size_t position)
{
    struct slice name;
    struct slice value;

    ck_assert(!report_next(&report, &position, &name, &value));
}

/* A report that nobody has filled. */
START_TEST(empty_report_has_no_line)
{
    assert_end(0);
}
END_TEST

/* Lines of words, numbers, and an empty value. */
START_TEST(lines_come_in_their_order)
{
    size_t position = 0;

    report_add(&report, "first", "%s %d", "words", 7);
    report_add_u64(&report, "second", UINT64_MAX);
    report_add(&report, "third", "%s", "");
    report_add_u64(&report, "fourth", 0);
    assert_next(&position, "first", "words 7");
    assert_next(&position, "second", "18446744073709551615");
    assert_next(&position, "third", "");
    assert_next(&position, "fourth", "0");
    assert_end(position);
    ck_assert(!report.is_cut);
}
END_TEST

/* A value longer than any line should be. */
START_TEST(long_value_is_cut)
{
    char text[2000];
    size_t position = 0;
    struct slice name;
    struct slice value;

    memset(text, 'x', sizeof text);
    report_add(&report, "long", "%.*s", (int)sizeof text, text);
    report_add(&report, "next", "value");
    ck_assert(report_next(&report, &position, &name, &value));
    ck_assert_uint_ge(value.size, 256);
    ck_assert_uint_lt(value.size, sizeof text);
    assert_next(&position, "next", "value");
}
END_TEST

/* A text with blanks, and one that is too long with them. */
START_TEST(word_has_no_blank)
{
    char text[600];
    size_t position = 0;
    struct slice name;
    struct slice value;

    memset(text, ' ', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    report_add_word(&report, "path", "/srv/my sockets/a ");
    report_add_word(&report, "empty", "");
    report_add_word(&report, "long", text);
    assert_next(&position, "path", "/srv/my%20sockets/a%20");
    assert_next(&position, "empty", "");
    ck_assert(report_next(&report, &position, &name, &value));
    ck_assert_uint_ge(value.size, 256);
    ck_assert_ptr_null(memchr(value.data, ' ', value.size));
    assert_end(position);
}
END_TEST

/* A thousand lines: the place moves. */
START_TEST(many_lines_are_kept)
{
    size_t position = 0;

    for (unsigned i = 0; i < 1000; i++) {
        report_add_u64(&report, "line", i);
    }
    for (unsigned i = 0; i < 1000; i++) {
        char number[16];

        (void)snprintf(number, sizeof number, "%u", i);
        assert_next(&position, "line", number);
    }
    assert_end(position);
}
END_TEST

/* No memory for one line of two. */
START_TEST(missing_memory_is_told)
{
    size_t position = 0;

    faults_fail_allocation(1);
    report_add(&report, "lost", "value");
    ck_assert(report.is_cut);
    report_add(&report, "kept", "value");
    ck_assert(report.is_cut);
    assert_next(&position, "kept", "value");
    assert_end(position);
}
END_TEST

/* A report that is used again. */
START_TEST(release_empties)
{
    faults_fail_allocation(1);
    report_add(&report, "lost", "value");
    report_add(&report, "kept", "value");
    report_release(&report);
    ck_assert(!report.is_cut);
    assert_end(0);
    report_release(&report);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/report");
    TCase *add = suite_case(suite, "report_add");
    TCase *release = suite_case(suite, "report_release");

    tcase_add_checked_fixture(add, set_up, tear_down);
    tcase_add_checked_fixture(release, set_up, tear_down);
    tcase_add_test(add, empty_report_has_no_line);
    tcase_add_test(add, lines_come_in_their_order);
    tcase_add_test(add, long_value_is_cut);
    tcase_add_test(add, word_has_no_blank);
    tcase_add_test(add, many_lines_are_kept);
    tcase_add_test(add, missing_memory_is_told);
    tcase_add_test(release, release_empties);
    return suite_run(suite);
}
