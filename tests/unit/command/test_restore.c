/* Unit tests of the verb restore: its line, its answers, and what the log says. */
#include "sessiond/command/command.h"

#include "captured.h"
#include "command_fixture.h"
#include "suite_main.h"

#include <stdio.h>

#define BAD "CLIENT_ERROR bad command line format\r\n"

enum { LARGE = 100000, NOW_S = FIXTURE_NOW_S };

static struct command_fixture fixture;

static void say(const char *text, const char *expected)
{
    command_fixture_say(&fixture, text, expected);
}

static void open_as_admin(void)
{
    command_fixture_open(&fixture);
    command_fixture_become_admin(&fixture);
}

/* A session that is there, one that is not, one whose time has passed, and one with all marks and a binary key. */
START_TEST(each_session_has_its_answer)
{
    open_as_admin();
    say("restore k 7 0 55 3\r\nabc\r\n", "STORED\r\n");
    say("gets k\r\n", "VALUE k 7 3 55\r\nabc\r\nEND\r\n");
    say("restore k 7 0 56 3\r\ndef\r\n", "NOT_STORED\r\n");
    say("restore late 7 1000000 57 3\r\ndef\r\n", "NOT_FOUND\r\n");
    say("restore soon 7 1000010 58 0 X\r\n\r\n", "STORED\r\n");
    say("mg soon t c s v\r\n", "VA 0 t10 c58 s0 X W\r\n\r\n");
    say("restore AAE= 0 0 18446744073709551614 1 bXWE\r\nv\r\n", "STORED\r\n");
    say("mg AAE= b c v\r\n", "VA 1 c18446744073709551614 Z X\r\nv\r\n");
    say("restore held 0 1000009 0 0 H\r\n\r\n", "STORED\r\n");
    say("restore held 0 1000009 7 1\r\nv\r\n", "NOT_STORED\r\n");
    say("set held 0 0 1\r\nv\r\n", "NOT_STORED\r\n");
    say("restore AAI= 0 1000009 0 0 bH\r\n\r\n", "STORED\r\n");
    say("ms AAI= 1 b\r\nv\r\n", "NS\r\n");
    command_fixture_advance(&fixture, 10);
    say("get k soon\r\n", "VALUE k 7 3\r\nabc\r\nEND\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* Keys, flags, deadlines and ids that are none: the block is dropped. */
static const char *const wrong[] = {
    "k 0 0 0 1",
    "k 0 -1 1 1",
    "k 0 0 9223372036854775808 1",
    "k 0 0 18446744073709551615 1 E",
    "k 4294967296 0 1 1",
    "k\x01 0 0 1 1",
    "k 0 x 1 1",
    "k 0 1000009 0 1 H",
    "k 0 1000009 1 1 H",
};

START_TEST(what_is_no_session_is_refused)
{
    char line[128];

    open_as_admin();
    (void)snprintf(line, sizeof line, "restore %s\r\nv\r\nping\r\n", wrong[_i]);
    say(line, BAD "OK\r\n");
    ck_assert_uint_eq(fixture.store.recorder.n_calls, 0);
    command_fixture_close(&fixture);
}
END_TEST

/* Marks that are out of order, twice, or none: the byte count may be another word. */
static const char *const uncertain[] = {
    "k 0 0 1 1 XX", "k 0 0 1 1 WX", "k 0 0 1 1 Xb",  "k 0 0 1 1 Q",
    "k 0 0 1 1 x",  "k y 0 0 1 1",  "k 0 0 1 1 X X", "k 0 0 1",
};

START_TEST(where_the_data_begins_is_certain)
{
    char line[128];

    open_as_admin();
    (void)snprintf(line, sizeof line, "restore %s\r\nv\r\nping\r\n", uncertain[_i]);
    say(line, BAD);
    ck_assert(fixture.context.must_close);
    ck_assert_uint_eq(fixture.store.recorder.n_calls, 0);
    command_fixture_close(&fixture);
}
END_TEST

START_TEST(a_key_that_is_no_base64_is_refused)
{
    open_as_admin();
    say("restore k 0 0 1 1 b\r\nv\r\nping\r\n", "CLIENT_ERROR error decoding key\r\nOK\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* On a data listener it is no command, and its data is none that is waited for. */
START_TEST(clients_do_not_know_it)
{
    command_fixture_open(&fixture);
    say("version\r\nrestore k 0 0 1 0\r\nversion\r\n",
        "VERSION 1.6.18\r\nERROR\r\nVERSION 1.6.18\r\n");
    command_fixture_close(&fixture);
}
END_TEST

static void restore_large(const char *line, const char *expected)
{
    struct buffer text = {.size = 0};

    ck_assert_int_eq(buffer_append(&text, slice_from_text(line)), SESS_OK);
    ck_assert_int_eq(buffer_reserve(&text, LARGE + 3), SESS_OK);
    memset(text.data + text.size, 'v', LARGE);
    memcpy(text.data + text.size + LARGE, "\r\n", 3);
    say((const char *)text.data, expected);
    buffer_release(&text);
}

/* A large value keeps its marks, too, and a key that is no text. */
START_TEST(a_large_value_is_restored)
{
    open_as_admin();
    restore_large("restore AAE= 3 1000010 55 100000 bX\r\n", "STORED\r\n");
    say("mg AAE= b f c t s\r\n", "HD f3 c55 t10 s100000 X W\r\n");
    restore_large("restore AAE= 3 1000010 55 100000 bX\r\n", "NOT_STORED\r\n");
    restore_large("restore k 3 1000000 55 100000\r\n", "NOT_FOUND\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* Nothing is answered nor logged for one that must wait, and it is the same request again. */
START_TEST(a_busy_journal_is_waited_for)
{
    const char *line = "restore k 0 0 1 1\r\nv\r\n";

    open_as_admin();
    fixture.store.recorder.answer = MUTATION_BUSY;
    ck_assert_int_eq(command_fixture_run(&fixture, slice_from_text(line)), SESS_BUSY);
    ck_assert_uint_eq(fixture.out.size, 0);
    ck_assert(!fixture.context.has_restored);
    fixture.store.recorder.answer = MUTATION_ACCEPTED;
    say(line, "STORED\r\n");
    ck_assert_uint_eq(fixture.context.tickets.changed, 1);
    command_fixture_close(&fixture);
}
END_TEST

/* Once for a connection, and without a key. */
START_TEST(it_is_logged_once)
{
    const char *text;
    const char *first;

    open_as_admin();
    captured_start();
    say("restore secret 0 0 1 1\r\nv\r\nrestore secret 0 0 1 1\r\nv\r\n",
        "STORED\r\nNOT_STORED\r\n");
    text = captured_end();
    first = strstr(text, "restore from 127.0.0.1:4711: sessions of a dump are stored again");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(strstr(first + 1, "restore from"));
    ck_assert_ptr_null(strstr(text, "secret"));
    command_fixture_close(&fixture);
}
END_TEST

/* Where nobody makes dumps the verb is none. */
START_TEST(a_dump_needs_who_makes_it)
{
    open_as_admin();
    say("dump\r\n", "ERROR\r\n");
    command_fixture_close(&fixture);
}
END_TEST

static enum sess_status begin_none(void *context, int64_t now_s, struct stream **out)
{
    (void)context;
    (void)now_s;
    (void)out;
    return SESS_NO_MEMORY;
}

START_TEST(a_dump_without_memory_closes)
{
    open_as_admin();
    fixture.shared.dump = begin_none;
    say("dump\r\n", "SERVER_ERROR out of memory writing get response\r\n");
    ck_assert(fixture.context.must_close);
    ck_assert_ptr_null(fixture.context.stream);
    command_fixture_close(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("command/restore");
    TCase *facts = suite_case(suite, "restore");

    tcase_add_loop_test(facts, what_is_no_session_is_refused, 0, sizeof wrong / sizeof wrong[0]);
    tcase_add_loop_test(facts, where_the_data_begins_is_certain, 0,
                        sizeof uncertain / sizeof uncertain[0]);
    tcase_add_test(facts, each_session_has_its_answer);
    tcase_add_test(facts, a_key_that_is_no_base64_is_refused);
    tcase_add_test(facts, clients_do_not_know_it);
    tcase_add_test(facts, a_large_value_is_restored);
    tcase_add_test(facts, a_busy_journal_is_waited_for);
    tcase_add_test(facts, it_is_logged_once);
    tcase_add_test(facts, a_dump_needs_who_makes_it);
    tcase_add_test(facts, a_dump_without_memory_closes);
    return suite_run(suite);
}
