/* Facts about protocol/parser: where requests begin and end, whatever way the bytes arrive. The
 * arguments' own rules are test_arguments.c; the form of a transcript is support/delivery.h. */
#include "sessiond/protocol/parser.h"

#include "delivery.h"
#include "suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_NARROW = 32, VALUE_MAX = 1000, INLINE_MAX = 100 };

/* Room for every line of the tables below. */
static const struct parser_limits roomy = {2048, VALUE_MAX, INLINE_MAX, false};

static const struct parser_limits narrow = {LINE_MAX_NARROW, VALUE_MAX, INLINE_MAX, false};

/* What long keys, words and values are made of. */
static char filling[10 * VALUE_MAX];

/* The present test's input, made by printf. */
static char *input;

static void set_up(void)
{
    memset(filling, 'x', sizeof filling - 1);
}

static void tear_down(void)
{
    free(input);
    input = NULL;
}

__attribute__((format(printf, 1, 2))) static struct slice make_input(const char *form, ...)
{
    va_list args;
    int size;

    free(input);
    va_start(args, form);
    size = vasprintf(&input, form, args);
    va_end(args);
    ck_assert_int_ge(size, 0);
    return slice_of(input, (size_t)size);
}

struct parser_fact {
    struct slice input;
    const char *transcript;
};

/* clang-format off */
#define FACT(bytes, transcript) {{(const uint8_t *)(bytes), sizeof(bytes) - 1}, (transcript)}

static const struct parser_fact valid_facts[] = {
    FACT("get k\r\n", "get k."),
    FACT("gets k\r\n", "gets k."),
    FACT("get k\n", "get k."),
    FACT("get a b c\r\n", "get a b c."),
    FACT("get  a   b  \r\n", "get a b."),
    FACT("gets a a\r\nget a\r\n", "gets a a.; get a."),
    FACT("get caf\xc3\xa9 \xff\r\n", "get caf\\xc3\\xa9 \\xff."),
    FACT("set k 5 -1 3\r\nabc\r\n", "set key=k flags=5 exptime=-1 size=3 value=abc"),
    FACT("add k 0 60 3\r\nabc\r\n", "add key=k exptime=60 size=3 value=abc"),
    FACT("replace k 0 60 3\r\nabc\r\n", "replace key=k exptime=60 size=3 value=abc"),
    FACT("set k 0 0 3 noreply\r\nabc\r\n", "set key=k size=3 value=abc noreply"),
    FACT("set k 4294967295 9223372036854775807 1\r\nx\r\n",
         "set key=k flags=4294967295 exptime=9223372036854775807 size=1 value=x"),
    FACT("set k 0 0 0\r\n\r\n", "set key=k"),
    FACT("set k 0 0 003\r\nabc\r\n", "set key=k size=3 value=abc"),
    FACT("set k 0 0 3\nabc\r\n", "set key=k size=3 value=abc"),
    FACT("set  k  0  0  3 \r\nabc\r\n", "set key=k size=3 value=abc"),
    FACT("set k 0 0 4\r\n\r\n\r\n\r\n", "set key=k size=4 value=\\x0d\\x0a\\x0d\\x0a"),
    FACT("set k 0 0 7\r\nget a\r\n\r\n", "set key=k size=7 value=get\\x20a\\x0d\\x0a"),
    FACT("set k 0 0 3\r\n\0\x80\xff\r\n", "set key=k size=3 value=\\x00\\x80\\xff"),
    FACT("delete k\r\n", "delete key=k"),
    FACT("delete k 0\r\n", "delete key=k"),
    FACT("delete k noreply\r\n", "delete key=k noreply"),
    FACT("delete k 0 noreply\r\n", "delete key=k noreply"),
    FACT("touch k 60\r\n", "touch key=k exptime=60"),
    FACT("touch k -1 noreply\r\n", "touch key=k exptime=-1 noreply"),
    FACT("flush_all\r\n", "flush_all"),
    FACT("flush_all 30\r\n", "flush_all word=30"),
    FACT("flush_all abc noreply\r\n", "flush_all word=abc noreply"),
    FACT("flush_all noreply\r\n", "flush_all noreply"),
    FACT("stats\r\n", "stats"),
    FACT("stats settings\r\n", "stats word=settings"),
    FACT("stats detail dump more\r\n", "stats word=detail argument=dump"),
    FACT("stats \r\n", "stats"),
    FACT("verbosity 1\r\n", "verbosity"),
    FACT("verbosity noreply\r\n", "verbosity noreply"),
    FACT("gat 60 k\r\n", "gat 60: k."),
    FACT("gats -1 a b a\n", "gats -1: a -1: b -1: a."),
    FACT("gat  60  a  \r\nget b\r\ngat 0 c\r\n", "gat 60: a.; get b.; gat c."),
    FACT("gat 60\r\n", "gat 60:."),
    FACT("gat 60 \r\ngat 0 \n", "gat 60:.; gat."),
    FACT("gat 9223372036854775807 k\r\n", "gat 9223372036854775807: k."),
    FACT("append k 5 -1 3\r\nabc\r\n", "append key=k flags=5 exptime=-1 size=3 value=abc"),
    FACT("prepend k 0 0 3 noreply\r\nabc\r\n", "prepend key=k size=3 value=abc noreply"),
    FACT("cas k 5 60 3 7\r\nabc\r\n", "cas key=k flags=5 exptime=60 size=3 cas=7 value=abc"),
    FACT("cas k 0 0 3 18446744073709551615 noreply\r\nabc\r\n",
         "cas key=k size=3 cas=18446744073709551615 value=abc noreply"),
    FACT("incr k 7\r\n", "incr key=k delta=7"),
    FACT("decr k 18446744073709551615 noreply\r\n",
         "decr key=k delta=18446744073709551615 noreply"),
    FACT("version\r\n", "version"),
    FACT("version\n", "version"),
    FACT("help\r\n", "help"),
    FACT("quit\r\n", "quit"),
    FACT("set a 0 0 1\r\n1\r\nget a b\r\ndelete a\r\nset b 0 0 1 noreply\r\n2\r\nversion\r\n",
         "set key=a size=1 value=1; get a b.; delete key=a; set key=b size=1 value=2 noreply; "
         "version"),
};

/* Lines that have no answer yet. */
static const struct parser_fact waiting_facts[] = {
    FACT("g", "waits"),
    FACT("get", "waits"),
    FACT("get a b", "waits"),
    FACT("get a b\r", "waits"),
    FACT("gat", "waits"),
    FACT("gat 60", "waits"),
    FACT("gat 60 a", "waits"),
    FACT("set k 0 0 3\r\n", "waits"),
    FACT("set k 0 0 3\r\nabc", "waits"),
    FACT("set k 0 0 3\r\nabc\r", "waits"),
    FACT("set k 0 0 3\r\nab\r\n", "waits"),
    FACT("version\r\nver", "version; waits"),
};

/* Bad requests whose end is certain: one answer, and on with the next one. */
static const struct parser_fact error_facts[] = {
    FACT("version\r\n\r\nversion\r\n", "version; error ERROR; version"),
    FACT("version\r\nfoo bar\r\nversion\r\n", "version; error ERROR; version"),
    FACT("version\r\nGET k\r\nversion\r\n", "version; error ERROR; version"),
    FACT("version\r\n get k\r\nversion\r\n", "version; error ERROR; version"),
    FACT("version\r\n \r\nversion\r\n", "version; error ERROR; version"),
    FACT("version\r\nversion\t\r\nversion\r\n", "version; error ERROR; version"),
    FACT("version\r\nmgk k 1\r\nversion\r\n", "version; error ERROR; version"),
    FACT("get\r\nversion\r\n", "error ERROR; version"),
    FACT("get \r\nversion\r\n", "error ERROR; version"),
    FACT("gets\r\nversion\r\n", "error ERROR; version"),
    FACT("delete\r\nversion\r\n", "error ERROR; version"),
    FACT("touch k\r\nversion\r\n", "error ERROR; version"),
    /* One bad key spoils the line: no key of it is answered. */
    FACT("get good bad\x7fkey\r\nversion\r\n", "error BAD_FORMAT; version"),
    FACT("get bad\tkey good\r\nversion\r\n", "error BAD_FORMAT; version"),
    FACT("get good \0\r\nversion\r\n", "error BAD_FORMAT; version"),
    FACT("get good bad\rkey\r\nversion\r\n", "error BAD_FORMAT; version"),
    FACT("delete k\x01\r\nversion\r\n", "error BAD_FORMAT; version"),
    FACT("delete k 5\r\nversion\r\n", "error DELETE_USAGE; version"),
    FACT("delete k 5 noreply\r\nversion\r\n", "error DELETE_USAGE noreply; version"),
    FACT("touch k x\r\nversion\r\n", "error BAD_EXPTIME; version"),
    FACT("touch k 1 x\r\nversion\r\n", "error BAD_FORMAT; version"),
    FACT("gat\r\nversion\r\n", "error ERROR; version"),
    FACT("gats \r\nversion\r\n", "error ERROR; version"),
    FACT("gat x\r\nversion\r\n", "error BAD_EXPTIME; version"),
    FACT("gat x k\r\nversion\r\n", "error BAD_EXPTIME; version"),
    FACT("gat k\x01 k\x01\r\nversion\r\n", "error BAD_EXPTIME; version"),
    FACT("gat 0 good bad\x7fkey\r\nversion\r\n", "error BAD_FORMAT; version"),
    FACT("gat 60 a b\x01\r\nget a\r\n", "error BAD_FORMAT; get a."),
    FACT("incr k x\r\nversion\r\n", "error BAD_DELTA; version"),
    FACT("decr k x noreply\r\nversion\r\n", "error BAD_DELTA noreply; version"),
    FACT("verbosity\r\nversion\r\n", "error ERROR; version"),
    FACT("flush_all 1 2 3\r\nversion\r\n", "error ERROR; version"),
    FACT("cas k 0 0 3 x\r\nabc\r\nversion\r\n", "error BAD_FORMAT; version"),
    FACT("cas k 0 0 3 noreply\r\nabc\r\nversion\r\n", "error BAD_FORMAT noreply; version"),
    /* The byte count is good, so the block is dropped with its line. */
    FACT("set k x 0 3\r\nabc\r\nversion\r\n", "error BAD_FORMAT; version"),
    FACT("set k -1 0 3\r\nabc\r\nversion\r\n", "error BAD_FORMAT; version"),
    FACT("set k 4294967296 0 3\r\nabc\r\nversion\r\n", "error BAD_FORMAT; version"),
    FACT("set k 0 x 3\r\nabc\r\nversion\r\n", "error BAD_FORMAT; version"),
    FACT("set k\x01 0 0 3\r\nabc\r\nversion\r\n", "error BAD_FORMAT; version"),
    FACT("set k x 0 3 noreply\r\nabc\r\nversion\r\n", "error BAD_FORMAT noreply; version"),
    FACT("set k x 0 0\r\n\r\nversion\r\n", "error BAD_FORMAT; version"),
    FACT("set k x 0 9\r\nversion\r\n\r\nhelp\r\n", "error BAD_FORMAT; help"),
};

/* Bad requests whose end is uncertain: one answer, asked for or not, and the end. */
static const struct parser_fact closing_facts[] = {
    FACT("set\r\nversion\r\n", "error BAD_FORMAT close"),
    FACT("set k\r\nversion\r\n", "error BAD_FORMAT close"),
    FACT("set k 0\r\nversion\r\n", "error BAD_FORMAT close"),
    FACT("set k 0 0\r\nversion\r\n", "error BAD_FORMAT close"),
    FACT("set k 0 0 noreply\r\nversion\r\n", "error BAD_FORMAT close"),
    FACT("set k 0 0 -1\r\nversion\r\n", "error BAD_FORMAT close"),
    FACT("cas k 0 0 3\r\nabc\r\nversion\r\n", "error BAD_FORMAT close"),
    FACT("cas k 0 0 3 7 x\r\nabc\r\nversion\r\n", "error BAD_FORMAT close"),
    FACT("cas k 0 0 x 7\r\nversion\r\n", "error BAD_FORMAT close"),
    FACT("append k 0 3\r\nabc\r\nversion\r\n", "error BAD_FORMAT close"),
    FACT("set k 0 0 +3\r\nabc\r\nversion\r\n", "error BAD_FORMAT close"),
    FACT("set k 0 0 3x\r\nabc\r\nversion\r\n", "error BAD_FORMAT close"),
    FACT("set k 0 0 x noreply\r\nversion\r\n", "error BAD_FORMAT close"),
    /* A key with a blank in it moves the words: what the client sent as data must not run. */
    FACT("set a key 0 0 3\r\nabc\r\nversion\r\n", "error BAD_FORMAT close"),
    FACT("set user 1 0 0 12\r\n\r\ndelete adm\r\n", "error BAD_FORMAT close"),
    FACT("set k 0 0 3 x\r\nabc\r\nversion\r\n", "error BAD_FORMAT close"),
    FACT("set k 0 0 3 noreply x\r\nabc\r\nversion\r\n", "error BAD_FORMAT close"),
    FACT("set k 0 0 2147483647\r\n", "error TOO_LARGE close"),
    FACT("set k 0 0 2147483648\r\n", "error TOO_LARGE close"),
    FACT("set k 0 0 4294967297 noreply\r\n", "error TOO_LARGE close"),
    FACT("set k 0 0 18446744073709551615\r\n", "error TOO_LARGE close"),
    FACT("set k 0 0 18446744073709551616\r\n", "error TOO_LARGE close"),
    FACT("set k 0 0 123456789012345678901234567890\r\n", "error TOO_LARGE close"),
    FACT("set k x 0 123456789012345678901234567890\r\n", "error BAD_FORMAT close"),
    FACT("set k 0 0 3\r\nabcd\r\nversion\r\n", "error BAD_DATA close"),
    FACT("set k 0 0 3\r\nab\r\nversion\r\n", "error BAD_DATA close"),
    FACT("set k 0 0 3\r\nabc\nversion\r\n", "error BAD_DATA close"),
    FACT("set k 0 0 3\r\nabc\rversion\r\n", "error BAD_DATA close"),
    FACT("set k 0 0 0\r\nversion\r\n", "error BAD_DATA close"),
    FACT("set k 0 0 3 noreply\r\nabcd\r\nversion\r\n", "error BAD_DATA close"),
    FACT("set k x 0 3\r\nabcd\r\nversion\r\n", "error BAD_FORMAT; CLOSE"),
    FACT("set k x 0 3\r\nabc\rX\r\nversion\r\n", "error BAD_FORMAT; CLOSE"),
    FACT("set k x 0 3\r\nabc\n\nversion\r\n", "error BAD_FORMAT; CLOSE"),
    FACT("set k x 0 0\r\nversion\r\n", "error BAD_FORMAT; CLOSE"),
};

/* The first line of a connection, and the first one after others. */
static const struct parser_fact first_line_facts[] = {
    FACT("foo\r\nversion\r\n", "error ERROR close"),
    FACT("\r\nversion\r\n", "error ERROR close"),
    FACT(" version\r\nversion\r\n", "error ERROR close"),
    FACT("VERSION\r\nversion\r\n", "error ERROR close"),
    FACT("SSH-2.0-OpenSSH_9.2\r\n", "error ERROR close"),
    /* A command with wrong words is a command all the same. */
    FACT("touch k x\r\nversion\r\n", "error BAD_EXPTIME; version"),
    FACT("touch k x\r\nfoo\r\nversion\r\n", "error BAD_EXPTIME; error ERROR close"),
    FACT("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "CLOSE"),
    FACT("POST /a b HTTP/1.0 \r\n", "CLOSE"),
    FACT("version\r\nGET / HTTP/1.1\r\n", "version; CLOSE"),
    FACT("\x80", "CLOSE_BINARY"),
    FACT("\x80\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "CLOSE_BINARY"),
    FACT("\x16", "CLOSE"),
    FACT("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", "CLOSE"),
    FACT("\x81\r\n", "error ERROR close"),
    FACT("version\r\n\x80\r\nversion\r\n", "version; error ERROR; version"),
    FACT("version\r\n\x16\r\nversion\r\n", "version; error ERROR; version"),
    FACT("touch k x\r\n\x80\r\n", "error BAD_EXPTIME; error ERROR close"),
};

#define X30 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* Gets over the narrow limit, which are streamed when they do not come whole. */
static const struct parser_fact long_get_facts[] = {
    FACT("get a b c " X30 " d\r\nversion\r\n", "get a b c " X30 " d.; version"),
    FACT("get a b c " X30 " d\nversion\r\n", "get a b c " X30 " d.; version"),
    FACT("get a b c " X30 " d  \r\nversion\r\n", "get a b c " X30 " d.; version"),
    FACT("get " X30 "   a\r\nversion\r\n", "get " X30 " a.; version"),
    FACT("gets                                  " X30 "\r\nversion\r\n", "gets " X30 ".; version"),
    FACT("get                                       \r\nversion\r\n", "error ERROR; version"),
    FACT("gat 60 a " X30 " d\r\nget a\r\n", "gat 60: a 60: " X30 " 60: d.; get a."),
    FACT("gats -1       " X30 "   a  \nversion\r\n", "gats -1: " X30 " -1: a.; version"),
    FACT("gat 60                                    \r\nversion\r\n", "gat 60:.; version"),
    /* What stands in front of the keys must be within the limit, here 32 bytes. */
    FACT("gat 0000000000000000000000000060 a\r\nversion\r\n", "gat 60: a.; version"),
    FACT("gat 0000000000000000000000000060\r\nversion\r\n", "gat 60:.; version"),
    FACT("gat 00000000000000000000000000060 a\r\nversion\r\n", "error LINE_TOO_LONG close"),
    FACT("gat 00000000000000000000000000060\r\nversion\r\n", "error LINE_TOO_LONG close"),
    FACT("gat                              60 a\r\nversion\r\n", "error LINE_TOO_LONG close"),
    FACT("gat                                       \r\nversion\r\n", "error LINE_TOO_LONG close"),
};

/* Bad gets over the narrow limit, byte by byte: what was streamed is answered, the rest of the line
 * is dropped. */
static const struct parser_fact spoilt_get_facts[] = {
    FACT("get a " X30 " b k\x7f c d\r\nversion\r\n", "get a " X30 " b; error BAD_FORMAT; version"),
    FACT("get a " X30 " b\tb c d\r\nversion\r\n", "get a " X30 " b; error BAD_FORMAT; version"),
    FACT("get a " X30 " b\rb c d\r\nversion\r\n", "get a " X30 " b; error BAD_FORMAT; version"),
    FACT("get a " X30 " \0 c d\nversion\r\n", "get a " X30 "; error BAD_FORMAT; version"),
    FACT("get a " X30 " b \x01 c\nversion\r\n", "get a " X30 " b; error BAD_FORMAT; version"),
    FACT("get a " X30 " b " X30 X30 X30 X30 X30 X30 X30 X30 X30 " c\r\nversion\r\n",
         "get a " X30 " b; error BAD_FORMAT; version"),
    FACT("get " X30 X30 X30 X30 X30 X30 X30 X30 X30, "error BAD_FORMAT; waits"),
    FACT("get a " X30 " b", "get a " X30 "; waits"),
    FACT("gat x a " X30 " b\r\nversion\r\n", "error BAD_EXPTIME; version"),
    FACT("gat 60 a " X30 " k\x7f c\r\nversion\r\n",
         "gat 60: a 60: " X30 "; error BAD_FORMAT; version"),
    FACT("get a " X30 " b ", "get a " X30 " b; waits"),
    FACT("get a " X30 " b \r", "get a " X30 " b; waits"),
};

#define BAD "x\r\n"
#define BAD_7 BAD BAD BAD BAD BAD BAD BAD
#define ERROR "; error ERROR"
#define ERROR_7 ERROR ERROR ERROR ERROR ERROR ERROR ERROR

/* Errors in a row. */
static const struct parser_fact errors_in_a_row_facts[] = {
    FACT("version\r\n" BAD_7 "version\r\n", "version" ERROR_7 "; version"),
    FACT("version\r\n" BAD_7 BAD "version\r\n", "version" ERROR_7 ERROR " close"),
    FACT("version\r\n" BAD_7 "get k\r\n" BAD_7 "version\r\n",
         "version" ERROR_7 "; get k." ERROR_7 "; version"),
    FACT("version\r\n" BAD_7 "set k 0 0 1\r\nx\r\n" BAD_7 BAD "version\r\n",
         "version" ERROR_7 "; set key=k size=1 value=x" ERROR_7 ERROR " close"),
    FACT("version\r\n" BAD_7 "delete\r\nversion\r\n", "version" ERROR_7 ERROR " close"),
    FACT("version\r\n" BAD_7 "get \x7f\r\nversion\r\n",
         "version" ERROR_7 "; error BAD_FORMAT close"),
    FACT("version\r\n" BAD_7 "set k x 0 1\r\nx\r\nversion\r\n",
         "version" ERROR_7 "; error BAD_FORMAT close"),
    FACT("version\r\n" BAD_7 "set k 0 0 1001\r\n", "version" ERROR_7 "; error TOO_LARGE; waits"),
};
/* clang-format on */

/* One row of a table above, however the bytes arrive. */
static void check_fact(const struct parser_fact *fact)
{
    delivery_assert(&roomy, fact->input, fact->transcript);
}

/* Each valid form of each command. */
START_TEST(valid_row)
{
    check_fact(&valid_facts[_i]);
}
END_TEST

/* Inputs that end before their request does. */
START_TEST(waiting_row)
{
    check_fact(&waiting_facts[_i]);
}
END_TEST

/* Bad requests whose end is certain. */
START_TEST(error_row)
{
    check_fact(&error_facts[_i]);
}
END_TEST

/* Bad requests whose end is uncertain. */
START_TEST(closing_row)
{
    check_fact(&closing_facts[_i]);
}
END_TEST

/* What comes first on a connection, and other protocols. */
START_TEST(first_line_row)
{
    check_fact(&first_line_facts[_i]);
}
END_TEST

/* Errors up to the limit of a row, and rows that a valid request ends. */
START_TEST(errors_in_a_row_row)
{
    check_fact(&errors_in_a_row_facts[_i]);
}
END_TEST

/* A set whose every field is there. */
START_TEST(request_of_set_points_into_the_input)
{
    static const char bytes[] = "set key 7 -60 3 noreply\r\nabc\r\nget";
    struct parser parser;
    struct request request;
    size_t used = 0;

    parser_init(&parser, &roomy);
    ck_assert_int_eq(parser_next(&parser, slice_from_text(bytes), &request, &used), PARSE_REQUEST);
    ck_assert_uint_eq(used, strlen(bytes) - 3);
    ck_assert_ptr_eq(request.command, command_get_row(COMMAND_SET));
    ck_assert_ptr_eq(request.key.data, bytes + 4);
    ck_assert(slice_is(request.key, "key"));
    ck_assert_uint_eq(request.flags, 7);
    ck_assert_int_eq(request.exptime, -60);
    ck_assert_uint_eq(request.value_size, 3);
    ck_assert_ptr_eq(request.value.data, bytes + 25);
    ck_assert(slice_is(request.value, "abc"));
    ck_assert(request.noreply);
    ck_assert(!request.must_close);
    ck_assert_uint_eq(request.word.size, 0);
}
END_TEST

/* A command without arguments, behind one with all: nothing of it is left. */
START_TEST(request_is_cleared_each_time)
{
    static const char bytes[] = "set k 7 60 1 noreply\r\nx\r\nversion\r\n";
    struct parser parser;
    struct request request;
    size_t used = 0;

    parser_init(&parser, &roomy);
    ck_assert_int_eq(parser_next(&parser, slice_from_text(bytes), &request, &used), PARSE_REQUEST);
    ck_assert_int_eq(parser_next(&parser, slice_from_text(bytes + used), &request, &used),
                     PARSE_REQUEST);
    ck_assert_ptr_eq(request.command, command_get_row(COMMAND_VERSION));
    ck_assert_uint_eq(request.key.size, 0);
    ck_assert_uint_eq(request.flags, 0);
    ck_assert_int_eq(request.exptime, 0);
    ck_assert_uint_eq(request.value_size, 0);
    ck_assert_uint_eq(request.value.size, 0);
    ck_assert(!request.noreply);
}
END_TEST

/* Two keys: each one a request, the last one says so. */
START_TEST(request_of_get_is_one_a_key)
{
    static const char bytes[] = "gets a bb\r\n";
    struct parser parser;
    struct request request;
    size_t used = 0;
    size_t used_before;

    parser_init(&parser, &roomy);
    ck_assert_int_eq(parser_next(&parser, slice_from_text(bytes), &request, &used), PARSE_REQUEST);
    ck_assert_ptr_eq(request.command, command_get_row(COMMAND_GETS));
    ck_assert(slice_is(request.key, "a"));
    ck_assert(!request.is_last_key);
    used_before = used;
    ck_assert_int_eq(parser_next(&parser, slice_from_text(bytes + used), &request, &used),
                     PARSE_REQUEST);
    ck_assert_ptr_eq(request.command, command_get_row(COMMAND_GETS));
    ck_assert(slice_is(request.key, "bb"));
    ck_assert(request.is_last_key);
    ck_assert_uint_eq(used_before + used, strlen(bytes));
}
END_TEST

/* No input, before anything and among keys. */
START_TEST(no_input_gives_nothing)
{
    struct parser parser;
    struct request request;
    size_t used = 7;

    parser_init(&parser, &roomy);
    ck_assert_int_eq(parser_next(&parser, slice_of(NULL, 0), &request, &used), PARSE_MORE);
    ck_assert_uint_eq(used, 0);
    ck_assert_int_eq(parser_next(&parser, SLICE_LITERAL("get a b\r\n"), &request, &used),
                     PARSE_REQUEST);
    ck_assert_int_eq(parser_next(&parser, slice_of(NULL, 0), &request, &used), PARSE_MORE);
    ck_assert_uint_eq(used, 0);
}
END_TEST

/* Keys of the most bytes and one more, in each command with a key. */
START_TEST(key_limit_holds_in_every_command)
{
    delivery_assert(&roomy, make_input("get %.250s\r\nget %.250s a\r\n", filling, filling),
                    "get <250 bytes>.; get <250 bytes> a.");
    delivery_assert(&roomy, make_input("get a %.251s\r\nversion\r\n", filling),
                    "error BAD_FORMAT; version");
    delivery_assert(&roomy, make_input("set %.250s 0 0 1\r\nx\r\n", filling),
                    "set key=<250 bytes> size=1 value=x");
    delivery_assert(&roomy, make_input("set %.251s 0 0 1\r\nx\r\nversion\r\n", filling),
                    "error BAD_FORMAT; version");
    delivery_assert(&roomy, make_input("delete %.250s\r\ndelete %.251s\r\n", filling, filling),
                    "delete key=<250 bytes>; error BAD_FORMAT");
    delivery_assert(&roomy, make_input("touch %.250s 1\r\ntouch %.251s 1\r\n", filling, filling),
                    "touch key=<250 bytes> exptime=1; error BAD_FORMAT");
}
END_TEST

/* A set of `size` bytes with its block, and a request behind it. */
static struct slice make_set(int size)
{
    return make_input("set k 0 0 %d\r\n%.*s\r\nversion\r\n", size, size, filling);
}

/* Blocks around the size that is waited for whole. */
START_TEST(block_over_the_inline_limit_is_an_upload)
{
    delivery_assert(&roomy, make_set(INLINE_MAX - 1),
                    "set key=k size=99 value=<99 bytes>; version");
    delivery_assert(&roomy, make_set(INLINE_MAX), "set key=k size=100 value=<100 bytes>; version");
    delivery_assert(&roomy, make_set(INLINE_MAX + 1),
                    "upload set key=k size=101, block of 103 bytes; version");
}
END_TEST

/* An upload's fields, and that nothing of its block is used. */
START_TEST(upload_leaves_its_block_in_the_input)
{
    struct slice bytes =
        make_input("add k 5 60 %d noreply\r\n%.*s\r\n", INLINE_MAX + 1, INLINE_MAX + 1, filling);
    struct parser parser;
    struct request request;
    size_t used = 0;

    parser_init(&parser, &roomy);
    ck_assert_int_eq(parser_next(&parser, bytes, &request, &used), PARSE_UPLOAD);
    ck_assert_uint_eq(used, strlen("add k 5 60 101 noreply\r\n"));
    ck_assert_ptr_eq(request.command, command_get_row(COMMAND_ADD));
    ck_assert(slice_is(request.key, "k"));
    ck_assert_uint_eq(request.flags, 5);
    ck_assert_int_eq(request.exptime, 60);
    ck_assert_uint_eq(request.value_size, INLINE_MAX + 1);
    ck_assert_uint_eq(request.value.size, 0);
    ck_assert(request.noreply);
    ck_assert(parser_is_between(&parser));
}
END_TEST

/* An upload that the caller does not want: its block is dropped, and the next request is found. */
START_TEST(swallow_drops_an_upload)
{
    struct slice bytes = make_set(INLINE_MAX + 1);
    struct parser parser;
    struct request request;
    size_t used = 0;

    parser_init(&parser, &roomy);
    ck_assert_int_eq(parser_next(&parser, bytes, &request, &used), PARSE_UPLOAD);
    parser_swallow(&parser, request.value_size);
    ck_assert(!parser_is_between(&parser));
    bytes = slice_from(bytes, used);
    ck_assert_int_eq(parser_next(&parser, slice_first(bytes, 50), &request, &used), PARSE_MORE);
    ck_assert_uint_eq(used, 50);
    ck_assert(!parser_is_between(&parser));
    bytes = slice_from(bytes, used);
    ck_assert_int_eq(parser_next(&parser, bytes, &request, &used), PARSE_REQUEST);
    ck_assert_ptr_eq(request.command, command_get_row(COMMAND_VERSION));
    ck_assert_uint_eq(used, bytes.size);
    ck_assert(parser_is_between(&parser));
}
END_TEST

/* An upload ends a row of errors. */
START_TEST(upload_is_a_valid_request)
{
    delivery_assert(
        &roomy,
        make_input("version\r\n" BAD_7 "set k 0 0 101\r\n%.101s\r\n" BAD "version\r\n", filling),
        "version" ERROR_7 "; upload set key=k size=101, block of 103 bytes" ERROR "; version");
}
END_TEST

/* Blocks at the largest value, one byte over it, and as large as is borne. */
START_TEST(too_large_block_is_dropped)
{
    delivery_assert(&roomy, make_set(VALUE_MAX),
                    "upload set key=k size=1000, block of 1002 bytes; version");
    delivery_assert(&roomy, make_set(VALUE_MAX + 1), "error TOO_LARGE; version");
}
END_TEST

/* A block of eight times the largest value, in pieces; and one byte more. */
START_TEST(block_beyond_eight_times_the_limit_closes)
{
    static const size_t pieces[] = {1, 7, 1000, 4096, 100000};
    int bearable = PARSER_SWALLOW_TIMES * VALUE_MAX;

    for (int i = 0; i < SUITE_ROWS(pieces); i++) {
        char *transcript = delivery_run(&roomy, make_set(bearable), pieces[i], pieces[i]);

        ck_assert_str_eq(transcript, "error TOO_LARGE; version");
        free(transcript);
        transcript = delivery_run(&roomy, make_set(bearable + 1), pieces[i], pieces[i]);
        ck_assert_str_eq(transcript, "error TOO_LARGE close");
        free(transcript);
    }
}
END_TEST

/* Refusals that nobody asked to hear of: one that is dropped, one that closes. */
START_TEST(too_large_block_with_noreply)
{
    delivery_assert(&roomy, make_input("set k 0 0 1001 noreply\r\n%.1001s\r\nversion\r\n", filling),
                    "error TOO_LARGE noreply; version");
    delivery_assert(&roomy, make_input("set k 0 0 8001 noreply\r\n"), "error TOO_LARGE close");
}
END_TEST

/* A dropped block that does not end where its byte count says. */
START_TEST(too_large_block_that_ends_wrongly_closes)
{
    delivery_assert(&roomy, make_input("set k 0 0 1001\r\n%.1001sxx\r\nversion\r\n", filling),
                    "error TOO_LARGE; CLOSE");
    delivery_assert(&roomy, make_input("set k 0 0 1001\r\n%.1001s\rx\r\nversion\r\n", filling),
                    "error TOO_LARGE; CLOSE");
    delivery_assert(&roomy, make_input("set k 0 0 1001\r\n%.1001s\nversion\r\n", filling),
                    "error TOO_LARGE; CLOSE");
    delivery_assert(&roomy, make_input("set k 0 0 1001\r\n%.1000s\r\nversion\r\n", filling),
                    "error TOO_LARGE; CLOSE");
}
END_TEST

/* `stats WORD` whose line has `size` bytes, and this end. */
static struct slice make_line(int size, const char *end)
{
    return make_input("stats %.*s%s", size - 6, filling, end);
}

/* Lines around the limit, with both kinds of line end. */
START_TEST(line_limit_counts_without_the_line_end)
{
    static const char *const ends[] = {"\n", "\r\n"};

    delivery_assert(&narrow, make_line(LINE_MAX_NARROW - 1, ends[_i]),
                    "stats word=xxxxxxxxxxxxxxxxxxxxxxxxx");
    delivery_assert(&narrow, make_line(LINE_MAX_NARROW, ends[_i]),
                    "stats word=xxxxxxxxxxxxxxxxxxxxxxxxxx");
    delivery_assert(&narrow, make_line(LINE_MAX_NARROW + 1, ends[_i]), "error LINE_TOO_LONG close");
}
END_TEST

/* Lines around the limit whose end has not come. */
START_TEST(line_limit_does_not_wait_for_the_line_end)
{
    delivery_assert(&narrow, make_line(LINE_MAX_NARROW - 1, ""), "waits");
    delivery_assert(&narrow, make_line(LINE_MAX_NARROW, ""), "waits");
    delivery_assert(&narrow, make_line(LINE_MAX_NARROW + 1, ""), "error LINE_TOO_LONG close");
}
END_TEST

/* Long lines of other kinds: no command, nothing but blanks, a set, one behind a good one. */
START_TEST(line_limit_holds_for_every_line)
{
    delivery_assert(&narrow, make_input("%.33s\r\n", filling), "error LINE_TOO_LONG close");
    delivery_assert(&narrow, make_input("%33s\r\n", ""), "error LINE_TOO_LONG close");
    delivery_assert(&narrow, make_input("set %.30s 0 0 1 noreply\r\nx\r\n", filling),
                    "error LINE_TOO_LONG close");
    delivery_assert(&narrow, make_input("version\r\ndelete %.30s\r\n", filling),
                    "version; error LINE_TOO_LONG close");
    delivery_assert(&narrow, make_input("getx %.30s\r\n", filling), "error LINE_TOO_LONG close");
}
END_TEST

/* A long line that begins with a blank: no command, though a get's word follows. */
START_TEST(long_line_with_a_leading_blank_is_no_get)
{
    delivery_assert(&narrow, make_input(" get %.30s a b c\r\nversion\r\n", filling),
                    "error LINE_TOO_LONG close");
}
END_TEST

/* Gets just over the limit, with every kind of end: the same keys whole and streamed. */
START_TEST(long_get_row)
{
    delivery_assert(&narrow, long_get_facts[_i].input, long_get_facts[_i].transcript);
}
END_TEST

/* A streamed get that goes wrong in its middle, or ends too early. */
START_TEST(spoilt_get_row)
{
    char *transcript = delivery_run(&narrow, spoilt_get_facts[_i].input, 1, 1);

    ck_assert_str_eq(transcript, spoilt_get_facts[_i].transcript);
    free(transcript);
}
END_TEST

/* The same line with a bad key, come whole: one answer, and no key. */
START_TEST(spoilt_get_that_is_whole_has_one_answer)
{
    struct slice bytes = spoilt_get_facts[0].input;
    char *transcript = delivery_run(&narrow, bytes, bytes.size, 1);

    ck_assert_str_eq(transcript, "error BAD_FORMAT; version");
    free(transcript);
}
END_TEST

static const size_t piece_sizes[] = {1, 2, 3, 7, 31, 32, 33, 34, 64, 4096, 1000000};

/* A get of thousands of keys, far over the limit. */
START_TEST(keys_of_a_long_get_are_streamed)
{
    enum { N_KEYS = 5000 };
    char *keys = NULL;
    char *expected = NULL;
    size_t size;
    FILE *out = open_memstream(&keys, &size);
    char *transcript;

    ck_assert_ptr_nonnull(out);
    for (int i = 0; i < N_KEYS; i++) {
        (void)fprintf(out, " key%d", i);
    }
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_gt(asprintf(&expected, "gets%s.; version", keys), 0);
    transcript = delivery_run(&narrow, make_input("gets%s\r\nversion\r\n", keys), piece_sizes[_i],
                              piece_sizes[_i]);
    ck_assert_str_eq(transcript, expected);
    free(transcript);
    free(expected);
    free(keys);
}
END_TEST

/* A get over the limit whose end never comes: the keys do not wait for it, nor do they pile up. */
START_TEST(streamed_keys_are_used_at_once)
{
    struct parser parser;
    struct request request;
    size_t used = 0;
    struct slice rest = make_input("get %s", "a b c d e f g h i j k l m n o p q r s t");

    parser_init(&parser, &narrow);
    for (const char *key = "abcdefghijklmnopqrs"; *key != '\0'; key++) {
        ck_assert_int_eq(parser_next(&parser, rest, &request, &used), PARSE_REQUEST);
        ck_assert(slice_equal(request.key, slice_of(key, 1)));
        ck_assert(!parser_is_between(&parser));
        rest = slice_from(rest, used);
    }
    ck_assert_int_eq(parser_next(&parser, rest, &request, &used), PARSE_MORE);
    ck_assert_uint_eq(rest.size - used, 1);
}
END_TEST

/* Steps through every state of the parser. */
START_TEST(is_between_until_a_request_has_begun)
{
    struct parser parser;
    struct request request;
    size_t used = 0;

    parser_init(&parser, &roomy);
    ck_assert(parser_is_between(&parser));
    ck_assert_int_eq(parser_next(&parser, SLICE_LITERAL("version\r\n"), &request, &used),
                     PARSE_REQUEST);
    ck_assert(parser_is_between(&parser));
    ck_assert_int_eq(parser_next(&parser, SLICE_LITERAL("get a b\r\n"), &request, &used),
                     PARSE_REQUEST);
    ck_assert(!parser_is_between(&parser));
    ck_assert_int_eq(parser_next(&parser, SLICE_LITERAL("b\r\n"), &request, &used), PARSE_REQUEST);
    ck_assert(parser_is_between(&parser));
    ck_assert_int_eq(parser_next(&parser, SLICE_LITERAL("set k x 0 1\r\n"), &request, &used),
                     PARSE_ERROR);
    ck_assert(!parser_is_between(&parser));
    ck_assert_int_eq(parser_next(&parser, SLICE_LITERAL("x\r"), &request, &used), PARSE_MORE);
    ck_assert(!parser_is_between(&parser));
    ck_assert_int_eq(parser_next(&parser, SLICE_LITERAL("\n"), &request, &used), PARSE_MORE);
    ck_assert_uint_eq(used, 1);
    ck_assert(parser_is_between(&parser));
}
END_TEST

/* The rest of a spoilt line belongs to a request that has begun. */
START_TEST(is_not_between_in_a_spoilt_line)
{
    struct parser parser;
    struct request request;
    size_t used = 0;

    parser_init(&parser, &narrow);
    ck_assert_int_eq(parser_next(&parser, make_input("get \x7f %.30s", filling), &request, &used),
                     PARSE_ERROR);
    ck_assert(!parser_is_between(&parser));
    ck_assert_int_eq(parser_next(&parser, SLICE_LITERAL("more\r\n"), &request, &used), PARSE_MORE);
    ck_assert_uint_eq(used, 6);
    ck_assert(parser_is_between(&parser));
}
END_TEST

/* What a stream is made of: whole requests, their parts, and what spoils them. */
static const char *const stream_parts[] = {
    "get k\r\n",
    "version\r\n",
    "set k 0 0 2\r\nab\r\n",
    "set k 0 0 103\r\n",
    "set k x 0 4\r\n",
    "touch k 1\r\n",
    "delete k 0 noreply\r\n",
    "get a b c\r\n",
    "gat 60 a b\r\n",
    "cas k 0 0 2 7\r\nab\r\n",
    "incr k 1\r\n",
    "set ",
    "gat ",
    "get ",
    "k ",
    "0 ",
    "5 ",
    "noreply",
    "\r\n",
    "\r\n",
    "\n",
    "\r",
    " ",
    "x",
    "ab\r\n",
    "\x7f",
    "HTTP/1.1",
    "\x80",
};

/* Parts in an order that a fixed generator draws: every delivery says the same. */
START_TEST(any_stream_is_the_same_in_every_delivery)
{
    uint32_t state = (uint32_t)_i * 2654435761U + 1;
    struct buffer stream = {0};

    for (int n = 0; n < 12; n++) {
        state = state * 1664525U + 1013904223U;
        ck_assert_int_eq(
            buffer_append(&stream,
                          slice_from_text(stream_parts[(state >> 16) % SUITE_ROWS(stream_parts)])),
            SESS_OK);
    }
    delivery_assert_same(&roomy, buffer_slice(&stream));
    buffer_release(&stream);
}
END_TEST

static TCase *parser_case(Suite *suite, const char *subject)
{
    TCase *facts = suite_case(suite, subject);

    tcase_add_checked_fixture(facts, set_up, tear_down);
    /* Every split of an input of thousands of bytes, under a sanitizer too. */
    tcase_set_timeout(facts, 30);
    return facts;
}

static void add_block_facts(Suite *suite)
{
    TCase *block = parser_case(suite, "parser_next: blocks");

    tcase_add_test(block, block_over_the_inline_limit_is_an_upload);
    tcase_add_test(block, upload_leaves_its_block_in_the_input);
    tcase_add_test(block, upload_is_a_valid_request);
    tcase_add_test(block, too_large_block_is_dropped);
    tcase_add_test(block, block_beyond_eight_times_the_limit_closes);
    tcase_add_test(block, too_large_block_with_noreply);
    tcase_add_test(block, too_large_block_that_ends_wrongly_closes);
}

static void add_line_facts(Suite *suite)
{
    TCase *line = parser_case(suite, "parser_next: long lines");

    tcase_add_loop_test(line, line_limit_counts_without_the_line_end, 0, 2);
    tcase_add_test(line, line_limit_does_not_wait_for_the_line_end);
    tcase_add_test(line, line_limit_holds_for_every_line);
    tcase_add_test(line, long_line_with_a_leading_blank_is_no_get);
    tcase_add_loop_test(line, long_get_row, 0, SUITE_ROWS(long_get_facts));
    tcase_add_loop_test(line, spoilt_get_row, 0, SUITE_ROWS(spoilt_get_facts));
    tcase_add_test(line, spoilt_get_that_is_whole_has_one_answer);
    tcase_add_loop_test(line, keys_of_a_long_get_are_streamed, 0, SUITE_ROWS(piece_sizes));
    tcase_add_test(line, streamed_keys_are_used_at_once);
}

/* Verbs of admin listeners are words that nobody knows, elsewhere. */
START_TEST(admin_verbs_are_known_where_they_belong)
{
    static const struct parser_limits admin = {2048, VALUE_MAX, INLINE_MAX, true};
    size_t n_verbs = 0;

    for (unsigned id = 0; id < COMMAND_COUNT; id++) {
        const struct command *row = command_get_row((enum command_id)id);
        struct slice line = make_input("version\r\n%s%s\r\n", row->word,
                                       command_takes_data(row) ? " key 0 0 1 0\r\n" : "");
        const struct parser_limits *limits[] = {&roomy, &admin};

        for (size_t i = 0; i < 2 && row->mode == MODE_ADMIN; i++) {
            struct parser parser;
            struct request request;
            size_t used;

            parser_init(&parser, limits[i]);
            ck_assert_int_eq(parser_next(&parser, line, &request, &used), PARSE_REQUEST);
            ck_assert_int_eq(parser_next(&parser, slice_from(line, used), &request, &used),
                             i == 0 ? PARSE_ERROR : PARSE_REQUEST);
            ck_assert(i == 0 ? request.error == REPLY_ERROR : request.command == row);
        }
        n_verbs += row->mode == MODE_ADMIN;
    }
    ck_assert_uint_gt(n_verbs, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protocol/parser");
    TCase *request = parser_case(suite, "parser_next: requests");
    TCase *error = parser_case(suite, "parser_next: errors");
    TCase *swallow = parser_case(suite, "parser_swallow");
    TCase *between = parser_case(suite, "parser_is_between");

    tcase_add_loop_test(request, valid_row, 0, SUITE_ROWS(valid_facts));
    tcase_add_loop_test(request, waiting_row, 0, SUITE_ROWS(waiting_facts));
    tcase_add_test(request, request_of_set_points_into_the_input);
    tcase_add_test(request, request_is_cleared_each_time);
    tcase_add_test(request, request_of_get_is_one_a_key);
    tcase_add_test(request, no_input_gives_nothing);
    tcase_add_test(request, admin_verbs_are_known_where_they_belong);
    tcase_add_test(request, key_limit_holds_in_every_command);
    tcase_add_loop_test(request, any_stream_is_the_same_in_every_delivery, 0, 200);
    tcase_add_loop_test(error, error_row, 0, SUITE_ROWS(error_facts));
    tcase_add_loop_test(error, closing_row, 0, SUITE_ROWS(closing_facts));
    tcase_add_loop_test(error, first_line_row, 0, SUITE_ROWS(first_line_facts));
    tcase_add_loop_test(error, errors_in_a_row_row, 0, SUITE_ROWS(errors_in_a_row_facts));
    add_block_facts(suite);
    add_line_facts(suite);
    tcase_add_test(swallow, swallow_drops_an_upload);
    tcase_add_test(between, is_between_until_a_request_has_begun);
    tcase_add_test(between, is_not_between_in_a_spoilt_line);
    return suite_run(suite);
}
