/* Facts about base/error: a status and a sentence, with contexts in front. */
#include "sessiond/base/error.h"

#include "suite.h"

#include <string.h>

static struct sess_error error;

/* A text longer than the struct holds. */
static const char *long_text(void)
{
    static char text[2 * ERROR_TEXT_SIZE];

    memset(text, 'x', sizeof text - 1);
    return text;
}

/* An error with numbers in its text. */
START_TEST(set_writes_status_and_text)
{
    ck_assert_int_eq(error_set(&error, SESS_IO, "cannot read %s, line %d", "a file", 7), SESS_IO);
    ck_assert_int_eq(error.status, SESS_IO);
    ck_assert_str_eq(error.text, "cannot read a file, line 7");
}
END_TEST

/* A second error in the same struct. */
START_TEST(set_replaces)
{
    (void)error_set(&error, SESS_IO, "a first and longer text");
    ck_assert_int_eq(error_set(&error, SESS_INVALID, "second"), SESS_INVALID);
    ck_assert_str_eq(error.text, "second");
}
END_TEST

/* A text that does not fit. */
START_TEST(set_cuts_at_the_end)
{
    (void)error_set(&error, SESS_IO, "begin %s", long_text());
    ck_assert_uint_eq(strlen(error.text), ERROR_TEXT_SIZE - 1);
    ck_assert_int_eq(strncmp(error.text, "begin xxx", 9), 0);
}
END_TEST

/* A caller, and its caller, that know more. */
START_TEST(wrap_puts_contexts_in_front)
{
    (void)error_set(&error, SESS_OUT_OF_RANGE, "too large");
    ck_assert_int_eq(error_wrap(&error, "line %d", 3), SESS_OUT_OF_RANGE);
    ck_assert_int_eq(error_wrap(&error, "%s", "sessiond.conf"), SESS_OUT_OF_RANGE);
    ck_assert_int_eq(error.status, SESS_OUT_OF_RANGE);
    ck_assert_str_eq(error.text, "sessiond.conf: line 3: too large");
}
END_TEST

/* A context whose end leaves no room for all of the text. */
START_TEST(wrap_cuts_the_text_behind)
{
    (void)error_set(&error, SESS_IO, "%s", long_text());
    (void)error_wrap(&error, "context");
    ck_assert_uint_eq(strlen(error.text), ERROR_TEXT_SIZE - 1);
    ck_assert_int_eq(strncmp(error.text, "context: xxx", 12), 0);
}
END_TEST

/* A context that fills the struct by itself. */
START_TEST(wrap_cuts_the_context)
{
    (void)error_set(&error, SESS_IO, "text");
    ck_assert_int_eq(error_wrap(&error, "%s", long_text()), SESS_IO);
    ck_assert_uint_eq(strlen(error.text), ERROR_TEXT_SIZE - 1);
    ck_assert_ptr_null(strchr(error.text, ':'));
}
END_TEST

/* A context that overwrites the place of the text it goes in front of. */
START_TEST(wrap_reads_the_text_before_writing)
{
    (void)error_set(&error, SESS_IO, "inner");
    (void)error_wrap(&error, "outer, longer than inner");
    ck_assert_str_eq(error.text, "outer, longer than inner: inner");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/error");
    TCase *set = suite_case(suite, "error_set");
    TCase *wrap = suite_case(suite, "error_wrap");

    tcase_add_test(set, set_writes_status_and_text);
    tcase_add_test(set, set_replaces);
    tcase_add_test(set, set_cuts_at_the_end);
    tcase_add_test(wrap, wrap_puts_contexts_in_front);
    tcase_add_test(wrap, wrap_cuts_the_text_behind);
    tcase_add_test(wrap, wrap_cuts_the_context);
    tcase_add_test(wrap, wrap_reads_the_text_before_writing);
    return suite_run(suite);
}
