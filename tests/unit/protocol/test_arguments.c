/* Facts about protocol/arguments: each argument letter, what it takes and what it refuses. Framing is
 * test_parser.c. */
#include "arguments.h"

#include "suite.h"

static struct request request;
static struct argument_fault fault;

static void set_up(void)
{
    request = (struct request){.command = NULL};
    /* It must be cleared by the call. */
    fault = (struct argument_fault){true, REPLY_END, true, true};
}

static void read_line(enum command_id id, const char *line)
{
    request.command = command_get_row(id);
    arguments_read(request.command, slice_from_text(line), &request, &fault);
}

static void assert_no_fault(void)
{
    ck_assert(!fault.is_set);
    ck_assert(!fault.bytes_unknown);
    ck_assert(!fault.bytes_absurd);
}

/* Keys of one byte and of the most bytes, and a byte more. */
START_TEST(key_has_1_to_250_bytes)
{
    char key[REQUEST_KEY_MAX + 1];

    memset(key, 'k', sizeof key);
    ck_assert(!arguments_key_is_valid(slice_of(key, 0)));
    ck_assert(arguments_key_is_valid(slice_of(key, 1)));
    ck_assert(arguments_key_is_valid(slice_of(key, REQUEST_KEY_MAX)));
    ck_assert(!arguments_key_is_valid(slice_of(key, REQUEST_KEY_MAX + 1)));
}
END_TEST

/* Each byte, at the start and at the end of a key. */
START_TEST(key_has_no_control_bytes)
{
    uint8_t key[] = "kk";
    bool is_allowed = _i > 0x20 && _i != 0x7f;

    key[1] = (uint8_t)_i;
    ck_assert_int_eq(arguments_key_is_valid(slice_of(key, 2)), is_allowed);
    key[0] = (uint8_t)_i;
    key[1] = 'k';
    ck_assert_int_eq(arguments_key_is_valid(slice_of(key, 2)), is_allowed);
}
END_TEST

/* Of a meta command: before what is wrong with its flags, base64 included. */
START_TEST(a_long_key_is_told_first)
{
    static const char *const flags[] = {"", " b", " Cx", " O12345678901234567890123456789012"};
    char line[REQUEST_KEY_MAX + 100];

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        memset(line, 'k', REQUEST_KEY_MAX + 2);
        (void)strcpy(line + REQUEST_KEY_MAX + 2, flags[i]);
        read_line(COMMAND_META_GET, line);
        ck_assert(fault.is_set);
        ck_assert_int_eq(fault.reply, REPLY_BAD_FORMAT);
    }
}
END_TEST

/* A whole line of set. */
START_TEST(set_line_fills_the_request)
{
    read_line(COMMAND_SET, " key 4294967295 -9223372036854775808 007 noreply");
    assert_no_fault();
    ck_assert(slice_is(request.key, "key"));
    ck_assert_uint_eq(request.flags, UINT32_MAX);
    ck_assert_int_eq(request.exptime, INT64_MIN);
    ck_assert_uint_eq(request.value_size, 7);
    ck_assert(request.noreply);
    ck_assert_uint_eq(request.word.size, 0);
}
END_TEST

/* Blanks in front, between and behind. */
START_TEST(blanks_do_not_matter)
{
    read_line(COMMAND_ADD, "   key  1   2  3  ");
    assert_no_fault();
    ck_assert_uint_eq(request.flags, 1);
    ck_assert_int_eq(request.exptime, 2);
    ck_assert_uint_eq(request.value_size, 3);
    ck_assert(!request.noreply);
}
END_TEST

struct fault_fact {
    enum command_id id;
    const char *line;
    enum reply reply;
    bool bytes_unknown;
    bool noreply;
};

static const struct fault_fact fault_facts[] = {
    /* k */
    {COMMAND_SET, "k\x7f 0 0 1", REPLY_BAD_FORMAT, false, false},
    {COMMAND_SET, "k\t 0 0 1 noreply", REPLY_BAD_FORMAT, false, true},
    {COMMAND_DELETE, "k\x01", REPLY_BAD_FORMAT, false, false},
    {COMMAND_TOUCH, "k\x01 1", REPLY_BAD_FORMAT, false, false},
    /* f */
    {COMMAND_SET, "k x 0 1", REPLY_BAD_FORMAT, false, false},
    {COMMAND_SET, "k -1 0 1", REPLY_BAD_FORMAT, false, false},
    {COMMAND_SET, "k +1 0 1", REPLY_BAD_FORMAT, false, false},
    {COMMAND_SET, "k 4294967296 0 1", REPLY_BAD_FORMAT, false, false},
    {COMMAND_SET, "k 123456789012345678901234567890 0 1", REPLY_BAD_FORMAT, false, false},
    /* e */
    {COMMAND_SET, "k 0 x 1", REPLY_BAD_FORMAT, false, false},
    {COMMAND_SET, "k 0 -0 1", REPLY_BAD_FORMAT, false, false},
    {COMMAND_SET, "k 0 1.5 1", REPLY_BAD_FORMAT, false, false},
    {COMMAND_SET, "k 0 9223372036854775808 1", REPLY_BAD_FORMAT, false, false},
    {COMMAND_TOUCH, "k x", REPLY_BAD_EXPTIME, false, false},
    {COMMAND_TOUCH, "k 9223372036854775808", REPLY_BAD_EXPTIME, false, false},
    {COMMAND_TOUCH, "k x noreply", REPLY_BAD_EXPTIME, false, true},
    {COMMAND_TOUCH, "k noreply", REPLY_BAD_EXPTIME, false, true},
    /* b */
    {COMMAND_SET, "k 0 0 x", REPLY_BAD_FORMAT, true, false},
    {COMMAND_SET, "k 0 0 -1", REPLY_BAD_FORMAT, true, false},
    {COMMAND_SET, "k 0 0 +1", REPLY_BAD_FORMAT, true, false},
    {COMMAND_SET, "k 0 0 1x", REPLY_BAD_FORMAT, true, false},
    /* c */
    {COMMAND_CAS, "k 0 0 1 x", REPLY_BAD_FORMAT, false, false},
    {COMMAND_CAS, "k 0 0 1 -1", REPLY_BAD_FORMAT, false, false},
    {COMMAND_CAS, "k 0 0 1 +1", REPLY_BAD_FORMAT, false, false},
    {COMMAND_CAS, "k 0 0 1 18446744073709551616", REPLY_BAD_FORMAT, false, false},
    {COMMAND_CAS, "k 0 0 1 x noreply", REPLY_BAD_FORMAT, false, true},
    {COMMAND_CAS, "k 0 0 1 noreply", REPLY_BAD_FORMAT, false, true},
    {COMMAND_CAS, "k 0 0 x 1", REPLY_BAD_FORMAT, true, false},
    {COMMAND_CAS, "k x 0 1 y", REPLY_BAD_FORMAT, false, false},
    /* d */
    {COMMAND_INCR, "k x", REPLY_BAD_DELTA, false, false},
    {COMMAND_INCR, "k -1", REPLY_BAD_DELTA, false, false},
    {COMMAND_DECR, "k +1", REPLY_BAD_DELTA, false, false},
    {COMMAND_DECR, "k 18446744073709551616", REPLY_BAD_DELTA, false, false},
    {COMMAND_INCR, "k x noreply", REPLY_BAD_DELTA, false, true},
    {COMMAND_INCR, "k noreply", REPLY_BAD_DELTA, false, true},
    {COMMAND_INCR, "k\x01 x", REPLY_BAD_FORMAT, false, false},
    {COMMAND_INCR, "k\x01 1 2 3", REPLY_ERROR, false, false},
    /* v */
    {COMMAND_VERBOSITY, "", REPLY_ERROR, false, false},
    {COMMAND_VERBOSITY, "x", REPLY_BAD_FORMAT, false, false},
    {COMMAND_VERBOSITY, "-1", REPLY_BAD_FORMAT, false, false},
    {COMMAND_VERBOSITY, "18446744073709551616", REPLY_BAD_FORMAT, false, false},
    {COMMAND_VERBOSITY, "x noreply", REPLY_BAD_FORMAT, false, true},
    {COMMAND_VERBOSITY, "1 2", REPLY_BAD_FORMAT, false, false},
    {COMMAND_VERBOSITY, "1 2 3", REPLY_ERROR, false, false},
    {COMMAND_VERBOSITY, "x y z", REPLY_ERROR, false, false},
    {COMMAND_VERBOSITY, "noreply x", REPLY_BAD_FORMAT, false, false},
    /* t */
    {COMMAND_FLUSH_ALL, "0 x", REPLY_BAD_FORMAT, false, false},
    {COMMAND_FLUSH_ALL, "0 noreply x", REPLY_ERROR, false, false},
    {COMMAND_FLUSH_ALL, "0 1 2", REPLY_ERROR, false, false},
    {COMMAND_FLUSH_ALL, "0 x noreply", REPLY_ERROR, false, true},
    {COMMAND_FLUSH_ALL, "noreply x", REPLY_BAD_FORMAT, false, false},
    /* Missing words. */
    {COMMAND_SET, "", REPLY_BAD_FORMAT, true, false},
    {COMMAND_SET, "k", REPLY_BAD_FORMAT, true, false},
    {COMMAND_SET, "k 0", REPLY_BAD_FORMAT, true, false},
    {COMMAND_SET, "k 0 0", REPLY_BAD_FORMAT, true, false},
    {COMMAND_SET, "k 0 0 ", REPLY_BAD_FORMAT, true, false},
    {COMMAND_DELETE, "", REPLY_ERROR, true, false},
    {COMMAND_TOUCH, "", REPLY_ERROR, true, false},
    {COMMAND_TOUCH, "k", REPLY_ERROR, true, false},
    {COMMAND_TOUCH, "noreply", REPLY_ERROR, true, false},
    {COMMAND_INCR, "", REPLY_ERROR, true, false},
    {COMMAND_INCR, "k", REPLY_ERROR, true, false},
    {COMMAND_CAS, "k 0 0 1", REPLY_BAD_FORMAT, true, false},
    /* n, and words too many. */
    {COMMAND_SET, "k 0 0 1 x", REPLY_BAD_FORMAT, true, false},
    {COMMAND_SET, "k 0 0 1 NOREPLY", REPLY_BAD_FORMAT, true, false},
    {COMMAND_SET, "k 0 0 1 noreply x", REPLY_BAD_FORMAT, true, false},
    {COMMAND_SET, "k 0 0 1 x noreply", REPLY_BAD_FORMAT, true, true},
    {COMMAND_TOUCH, "k 1 x", REPLY_BAD_FORMAT, false, false},
    {COMMAND_TOUCH, "k 1 noreply x", REPLY_ERROR, false, false},
    {COMMAND_TOUCH, "k 1 x y", REPLY_ERROR, false, false},
    {COMMAND_TOUCH, "k x y noreply", REPLY_ERROR, false, true},
    {COMMAND_INCR, "k 1 x", REPLY_BAD_FORMAT, false, false},
    {COMMAND_INCR, "k x y z", REPLY_ERROR, false, false},
    {COMMAND_CAS, "k 0 0 1 1 x", REPLY_BAD_FORMAT, true, false},
    /* 0 */
    {COMMAND_DELETE, "k 1", REPLY_DELETE_USAGE, false, false},
    {COMMAND_DELETE, "k 00", REPLY_DELETE_USAGE, false, false},
    {COMMAND_DELETE, "k 0 0", REPLY_DELETE_USAGE, false, false},
    {COMMAND_DELETE, "k 0 x", REPLY_DELETE_USAGE, false, false},
    {COMMAND_DELETE, "k 0 x noreply", REPLY_ERROR, false, true},
    {COMMAND_DELETE, "k noreply x", REPLY_DELETE_USAGE, false, false},
    /* Several faults: the first one tells the reply. */
    {COMMAND_TOUCH, "k\x01 x", REPLY_BAD_FORMAT, false, false},
    {COMMAND_SET, "k\x01 x y z", REPLY_BAD_FORMAT, true, false},
};

/* One row of the table above. */
START_TEST(fault_row)
{
    const struct fault_fact *fact = &fault_facts[_i];

    read_line(fact->id, fact->line);
    ck_assert(fault.is_set);
    ck_assert_str_eq(reply_get_row(fault.reply)->text, reply_get_row(fact->reply)->text);
    ck_assert_int_eq(fault.bytes_unknown, fact->bytes_unknown);
    ck_assert_int_eq(request.noreply, fact->noreply);
}
END_TEST

/* Byte counts up to the largest that memcached takes, and beyond. */
START_TEST(bytes_beyond_2_gib_are_absurd)
{
    read_line(COMMAND_SET, "k 0 0 2147483647");
    assert_no_fault();
    ck_assert_uint_eq(request.value_size, 2147483647);
    read_line(COMMAND_SET, "k 0 0 2147483648");
    ck_assert(fault.bytes_absurd);
    ck_assert(!fault.bytes_unknown);
    read_line(COMMAND_SET, "k 0 0 18446744073709551616");
    ck_assert(fault.bytes_absurd);
    read_line(COMMAND_SET, "k 0 0 123456789012345678901234567890");
    ck_assert(fault.bytes_absurd);
    /* That many at least: the log tells it. */
    ck_assert_uint_eq(request.value_size, (size_t)1 << 31);
}
END_TEST

/* A byte count that can be used, behind other faults. */
START_TEST(bytes_are_read_behind_a_fault)
{
    read_line(COMMAND_SET, "k\x01 x y 77");
    ck_assert(fault.is_set);
    ck_assert(!fault.bytes_unknown);
    ck_assert_uint_eq(request.value_size, 77);
}
END_TEST

static const struct {
    enum command_id id;
    const char *line;
    const char *key;
    const char *word;
    bool noreply;
    const char *argument; /* NULL: none */
} optional_words[] = {
    {COMMAND_DELETE, " k", "k", "", false, NULL},
    {COMMAND_DELETE, " k 0", "k", "", false, NULL},
    {COMMAND_DELETE, " k noreply", "k", "", true, NULL},
    {COMMAND_DELETE, " k 0 noreply", "k", "", true, NULL},
    {COMMAND_DELETE, " 0", "0", "", false, NULL},
    {COMMAND_DELETE, " noreply noreply", "noreply", "", true, NULL},
    /* A key, not a wish: memcached answers this one. */
    {COMMAND_DELETE, " noreply", "noreply", "", false, NULL},
    {COMMAND_TOUCH, " k 5", "k", "", false, NULL},
    {COMMAND_TOUCH, " k -5 noreply", "k", "", true, NULL},
    {COMMAND_INCR, " noreply 1", "noreply", "", false, NULL},
    {COMMAND_INCR, " noreply 1 noreply", "noreply", "", true, NULL},
    {COMMAND_STATS, "", "", "", false, NULL},
    {COMMAND_STATS, " ", "", "", false, NULL},
    {COMMAND_STATS, " settings", "", "settings", false, NULL},
    {COMMAND_STATS, " detail dump more and more", "", "detail", false, "dump"},
    /* Not silent: memcached answers this one, too. */
    {COMMAND_STATS, " noreply", "", "noreply", false, NULL},
    {COMMAND_STATS, " reset noreply", "", "reset", false, "noreply"},
    {COMMAND_FLUSH_ALL, "", "", "", false, NULL},
    {COMMAND_FLUSH_ALL, " ", "", "", false, NULL},
    {COMMAND_FLUSH_ALL, " 30", "", "30", false, NULL},
    {COMMAND_FLUSH_ALL, " abc", "", "abc", false, NULL},
    {COMMAND_FLUSH_ALL, " noreply", "", "", true, NULL},
    {COMMAND_FLUSH_ALL, " 30 noreply", "", "30", true, NULL},
    {COMMAND_VERBOSITY, " 1", "", "", false, NULL},
    {COMMAND_VERBOSITY, " 18446744073709551615 ", "", "", false, NULL},
    {COMMAND_VERBOSITY, " noreply", "", "", true, NULL},
    {COMMAND_VERBOSITY, " 1 noreply", "", "", true, NULL},
    {COMMAND_VERSION, "", "", "", false, NULL},
    {COMMAND_VERSION, " and more noreply", "", "", false, NULL},
    {COMMAND_QUIT, " now", "", "", false, NULL},
};

/* Words that may be there or not. */
START_TEST(optional_words_row)
{
    const char *argument = optional_words[_i].argument;

    read_line(optional_words[_i].id, optional_words[_i].line);
    assert_no_fault();
    ck_assert(slice_is(request.key, optional_words[_i].key));
    ck_assert(slice_is(request.word, optional_words[_i].word));
    ck_assert(slice_is(request.argument, argument == NULL ? "" : argument));
    ck_assert_int_eq(request.noreply, optional_words[_i].noreply);
}
END_TEST

/* The numbers of cas, incr and decr, at both ends of 64 bits. */
START_TEST(wide_numbers)
{
    read_line(COMMAND_CAS, "k 1 2 3 18446744073709551615 noreply");
    assert_no_fault();
    ck_assert_uint_eq(request.value_size, 3);
    ck_assert_uint_eq(request.cas, UINT64_MAX);
    ck_assert(request.noreply);
    read_line(COMMAND_CAS, "k 1 2 3 000");
    assert_no_fault();
    ck_assert_uint_eq(request.cas, 0);
    ck_assert(!request.noreply);
    read_line(COMMAND_INCR, "k 18446744073709551615");
    assert_no_fault();
    ck_assert_uint_eq(request.delta, UINT64_MAX);
    read_line(COMMAND_DECR, "k 0007 noreply");
    assert_no_fault();
    ck_assert_uint_eq(request.delta, 7);
    ck_assert(request.noreply);
}
END_TEST

/* What stands in front of the keys, which are left in the line. */
START_TEST(head_is_taken_off_the_line)
{
    struct slice line = SLICE_LITERAL("  -5  a b");

    arguments_read_head(command_get_row(COMMAND_GET), &line, &request, &fault);
    assert_no_fault();
    ck_assert(slice_is(line, "  -5  a b"));
    request.command = command_get_row(COMMAND_GAT);
    arguments_read_head(request.command, &line, &request, &fault);
    assert_no_fault();
    ck_assert_int_eq(request.exptime, -5);
    ck_assert(slice_is(line, "  a b"));
}
END_TEST

static const struct {
    const char *line;
    enum reply reply;
} bad_heads[] = {{"", REPLY_ERROR},
                 {"   ", REPLY_ERROR},
                 {"x k", REPLY_BAD_EXPTIME},
                 {"1x", REPLY_BAD_EXPTIME},
                 {"9223372036854775808 k", REPLY_BAD_EXPTIME}};

/* An exptime that is not there, or none. */
START_TEST(bad_head_row)
{
    struct slice line = slice_from_text(bad_heads[_i].line);

    request.command = command_get_row(COMMAND_GATS);
    arguments_read_head(request.command, &line, &request, &fault);
    ck_assert(fault.is_set);
    ck_assert_int_eq(fault.reply, bad_heads[_i].reply);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protocol/arguments");
    TCase *key = suite_case(suite, "arguments_key_is_valid");
    TCase *line = suite_case(suite, "arguments_read");
    TCase *head = suite_case(suite, "arguments_read_head");

    tcase_add_test(key, key_has_1_to_250_bytes);
    tcase_add_loop_test(key, key_has_no_control_bytes, 0, 256);
    tcase_add_checked_fixture(line, set_up, NULL);
    tcase_add_checked_fixture(head, set_up, NULL);
    tcase_add_test(line, a_long_key_is_told_first);
    tcase_add_test(line, set_line_fills_the_request);
    tcase_add_test(line, blanks_do_not_matter);
    tcase_add_loop_test(line, fault_row, 0, SUITE_ROWS(fault_facts));
    tcase_add_test(line, bytes_beyond_2_gib_are_absurd);
    tcase_add_test(line, bytes_are_read_behind_a_fault);
    tcase_add_loop_test(line, optional_words_row, 0, SUITE_ROWS(optional_words));
    tcase_add_test(line, wide_numbers);
    tcase_add_test(head, head_is_taken_off_the_line);
    tcase_add_loop_test(head, bad_head_row, 0, SUITE_ROWS(bad_heads));
    return suite_run(suite);
}
