/* Facts about protocol/reply: the bytes that clients compare. */
#include "sessiond/protocol/reply.h"

#include "faults.h"
#include "suite.h"

static struct buffer out;

static void set_up(void)
{
    out = (struct buffer){0};
    ck_assert_int_eq(buffer_append(&out, SLICE_LITERAL("before ")), SESS_OK);
}

static void tear_down(void)
{
    buffer_release(&out);
}

static void assert_out(struct slice expected)
{
    ck_assert_uint_eq(out.size, expected.size);
    ck_assert_mem_eq(out.data, expected.data, expected.size);
}

static const struct {
    enum reply reply;
    const char *text;
} lines[] = {
    {REPLY_STORED, "STORED"},
    {REPLY_NOT_STORED, "NOT_STORED"},
    {REPLY_DELETED, "DELETED"},
    {REPLY_TOUCHED, "TOUCHED"},
    {REPLY_NOT_FOUND, "NOT_FOUND"},
    {REPLY_END, "END"},
    {REPLY_VERSION, "VERSION 1.6.18"},
    {REPLY_ERROR, "ERROR"},
    {REPLY_BAD_FORMAT, "CLIENT_ERROR bad command line format"},
    {REPLY_DELETE_USAGE, "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]"},
    {REPLY_BAD_EXPTIME, "CLIENT_ERROR invalid exptime argument"},
    {REPLY_BAD_DATA, "CLIENT_ERROR bad data chunk"},
    {REPLY_LINE_TOO_LONG, "CLIENT_ERROR line too long"},
    {REPLY_FLUSH_REFUSED, "CLIENT_ERROR flush_all not allowed"},
    {REPLY_TOO_LARGE, "SERVER_ERROR object too large for cache"},
    {REPLY_NO_MEMORY, "SERVER_ERROR out of memory storing object"},
    {REPLY_NO_MEMORY_READING, "SERVER_ERROR out of memory writing get response"},
    {REPLY_TOO_MANY_CONNECTIONS, "ERROR Too many open connections"},
};

/* Each fixed line that a client library knows. */
START_TEST(put_writes_the_line)
{
    struct buffer expected = {0};

    ck_assert_int_eq(buffer_append(&expected, SLICE_LITERAL("before ")), SESS_OK);
    ck_assert_int_eq(buffer_append(&expected, slice_from_text(lines[_i].text)), SESS_OK);
    ck_assert_int_eq(buffer_append(&expected, SLICE_LITERAL("\r\n")), SESS_OK);
    ck_assert_int_eq(buffer_reserve(&out, REPLY_LINE_MAX), SESS_OK);
    reply_put(&out, lines[_i].reply);
    assert_out(buffer_slice(&expected));
    buffer_release(&expected);
}
END_TEST

/* Every row: it fits into the room, has no line end of its own, and says what it is. */
START_TEST(rows_fit_their_room)
{
    const struct reply_row *row = reply_get_row((enum reply)_i);

    ck_assert_uint_gt(strlen(row->text), 0);
    ck_assert_uint_le(strlen(row->text) + 2, REPLY_LINE_MAX);
    ck_assert_uint_eq(strcspn(row->text, "\r\n"), strlen(row->text));
    ck_assert_uint_gt(strlen(row->doc), 0);
}
END_TEST

static void put_value(struct slice key, uint32_t flags, struct slice value, const uint64_t *cas)
{
    ck_assert_int_eq(buffer_reserve(&out, REPLY_VALUE_MAX + value.size), SESS_OK);
    reply_put_value_line(&out, key, flags, value.size, cas);
    buffer_put(&out, value);
    reply_put_value_end(&out);
}

/* A value as get answers it. */
START_TEST(value_without_cas)
{
    put_value(SLICE_LITERAL("k"), 5, SLICE_LITERAL("a\r\n\0z"), NULL);
    assert_out(SLICE_LITERAL("before VALUE k 5 5\r\na\r\n\0z\r\n"));
}
END_TEST

/* A value as gets answers it. */
START_TEST(value_with_cas)
{
    put_value(SLICE_LITERAL("k"), 0, SLICE_LITERAL("abc"), &(uint64_t){42});
    assert_out(SLICE_LITERAL("before VALUE k 0 3 42\r\nabc\r\n"));
}
END_TEST

/* A session of no bytes. */
START_TEST(value_of_nothing)
{
    put_value(SLICE_LITERAL("k"), 0, slice_of(NULL, 0), NULL);
    assert_out(SLICE_LITERAL("before VALUE k 0 0\r\n\r\n"));
}
END_TEST

/* The longest key and the largest numbers: all but the data fits the room that is promised. */
START_TEST(value_with_the_longest_head_fits_its_room)
{
    static char key[250];
    static uint8_t value[1 << 20];
    size_t before = out.size;

    memset(key, 'k', sizeof key);
    put_value(slice_of(key, sizeof key), UINT32_MAX, slice_of(value, sizeof value),
              &(uint64_t){UINT64_MAX});
    ck_assert_uint_le(out.size - before, REPLY_VALUE_MAX + sizeof value);
    ck_assert_uint_eq(out.size - before,
                      strlen("VALUE ") + sizeof key +
                          strlen(" 4294967295 1048576 18446744073709551615\r\n") + sizeof value +
                          2);
}
END_TEST

/* A figure. */
START_TEST(stat_writes_a_line)
{
    ck_assert_int_eq(reply_append_stat(&out, SLICE_LITERAL("uptime"), SLICE_LITERAL("7")), SESS_OK);
    assert_out(SLICE_LITERAL("before STAT uptime 7\r\n"));
}
END_TEST

/* A figure without words. */
START_TEST(stat_may_have_an_empty_value)
{
    ck_assert_int_eq(reply_append_stat(&out, SLICE_LITERAL("name"), slice_of(NULL, 0)), SESS_OK);
    assert_out(SLICE_LITERAL("before STAT name \r\n"));
}
END_TEST

/* Words for a person. */
START_TEST(text_writes_a_line)
{
    ck_assert_int_eq(reply_append_text(&out, "some words"), SESS_OK);
    ck_assert_int_eq(reply_append_text(&out, ""), SESS_OK);
    assert_out(SLICE_LITERAL("before some words\r\n\r\n"));
}
END_TEST

/* No memory for lines that make their own room. */
START_TEST(append_without_memory_writes_nothing)
{
    struct buffer none = {0};

    faults_fail_allocation(1);
    ck_assert_int_eq(reply_append_stat(&none, SLICE_LITERAL("name"), SLICE_LITERAL("1")),
                     SESS_NO_MEMORY);
    faults_fail_allocation(1);
    ck_assert_int_eq(reply_append_text(&none, "words"), SESS_NO_MEMORY);
    ck_assert_uint_eq(none.size, 0);
    ck_assert_ptr_null(none.data);
}
END_TEST

static TCase *reply_case(Suite *suite, const char *function)
{
    TCase *facts = suite_case(suite, function);

    tcase_add_checked_fixture(facts, set_up, tear_down);
    return facts;
}

int main(void)
{
    Suite *suite = suite_create("protocol/reply");
    TCase *put = reply_case(suite, "reply_put");
    TCase *value = reply_case(suite, "reply_put_value");
    TCase *append = reply_case(suite, "reply_append");

    tcase_add_loop_test(put, put_writes_the_line, 0, SUITE_ROWS(lines));
    tcase_add_loop_test(put, rows_fit_their_room, 0, REPLY_COUNT);
    tcase_add_test(value, value_without_cas);
    tcase_add_test(value, value_with_cas);
    tcase_add_test(value, value_of_nothing);
    tcase_add_test(value, value_with_the_longest_head_fits_its_room);
    tcase_add_test(append, stat_writes_a_line);
    tcase_add_test(append, stat_may_have_an_empty_value);
    tcase_add_test(append, text_writes_a_line);
    tcase_add_test(append, append_without_memory_writes_nothing);
    return suite_run(suite);
}
