/* Unit tests of flush_all: refused, or allowed in all its forms. */
#include "sessiond/command/command.h"

#include "captured.h"
#include "command_fixture.h"
#include "suite_main.h"

#define REFUSED "CLIENT_ERROR flush_all not allowed\r\n"
#define BAD_TIME "CLIENT_ERROR invalid exptime argument\r\n"

static struct command_fixture fixture;

static void say(const char *text, const char *expected)
{
    command_fixture_say(&fixture, text, expected);
}

static void open_with_session(bool may_flush)
{
    command_fixture_open(&fixture);
    fixture.options.flush_all = may_flush ? FLUSH_ALL_ALLOW : FLUSH_ALL_REFUSE;
    say("set k 0 0 1\r\na\r\n", "STORED\r\n");
    command_fixture_expect_metrics(&fixture, "cmd_set=1");
}

static void assert_there(bool is_there)
{
    say("get k\r\n", is_there ? "VALUE k 0 1\r\na\r\nEND\r\n" : "END\r\n");
}

/* Refused in all its forms, whatever the time: every session stays, the journal is not asked, and it is
 * counted. */
START_TEST(test_refused)
{
    open_with_session(false);
    say("flush_all\r\n", REFUSED);
    say("flush_all 10\r\n", REFUSED);
    say("flush_all -1\r\n", REFUSED);
    say("flush_all abc\r\n", REFUSED);
    say("flush_all noreply\r\n", "");
    say("flush_all 0 noreply\r\n", "");
    command_fixture_expect_metrics(&fixture, "cmd_flush=6");
    assert_there(true);
    command_fixture_advance(&fixture, 100);
    assert_there(true);
    ck_assert_uint_eq(fixture.store.recorder.n_calls, 1);
    ck_assert(!fixture.context.must_close);
    command_fixture_close(&fixture);
}
END_TEST

static void assert_logged_once(const char *text, const char *line)
{
    const char *first = strstr(text, line);

    ck_assert_msg(first != NULL, "no %s in %s", line, text);
    ck_assert_ptr_nonnull(strstr(text, " warning "));
    ck_assert_ptr_null(strstr(first + 1, "flush_all from"));
}

/* The log names the peer of a flush_all, refused or not, once a second at most. */
START_TEST(test_logged)
{
    static const struct {
        bool may_flush;
        const char *text;
        const char *line;
    } rows[] = {
        {false, "flush_all\r\nflush_all\r\n",
         "flush_all from 127.0.0.1:4711 refused: nobody was logged out"},
        {true, "flush_all\r\nflush_all\r\n",
         "flush_all from 127.0.0.1:4711: every session has ended"},
        {true, "flush_all noreply\r\n", "flush_all from 127.0.0.1:4711: every session has ended"},
        {true, "flush_all 100\r\n", "flush_all from 127.0.0.1:4711: every session ends in 100 s"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_with_session(rows[i].may_flush);
        captured_start();
        ck_assert_int_eq(command_fixture_run(&fixture, slice_from_text(rows[i].text)), SESS_OK);
        assert_logged_once(captured_end(), rows[i].line);
        command_fixture_close(&fixture);
    }
}
END_TEST

/* What is no time flushes nothing, and is not logged as a flush. */
START_TEST(test_bad_time)
{
    open_with_session(true);
    captured_start();
    say("flush_all abc\r\n", BAD_TIME);
    say("flush_all 9223372036854775808\r\n", BAD_TIME);
    say("flush_all abc noreply\r\n", "");
    ck_assert_ptr_null(strstr(captured_end(), "flush_all"));
    command_fixture_expect_metrics(&fixture, "cmd_flush=3");
    assert_there(true);
    ck_assert_uint_eq(fixture.store.recorder.n_calls, 1);
    command_fixture_close(&fixture);
}
END_TEST

/* Now, in each of its words. */
START_TEST(test_now)
{
    static const char *const texts[] = {"flush_all\r\n", "flush_all 0\r\n", "flush_all -5\r\n",
                                        "flush_all -9223372036854775808\r\n"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        open_with_session(true);
        say(texts[i], "OK\r\n");
        command_fixture_expect_metrics(&fixture, "cmd_flush=1");
        assert_there(false);
        ck_assert_uint_eq(fixture.context.tickets.seen, 2);
        ck_assert_uint_eq(fixture.context.tickets.changed, 2);
        ck_assert_uint_eq(fixture.context.tickets.revoked, 2);
        say("set k 0 0 1\r\na\r\n", "STORED\r\n");
        assert_there(true);
        command_fixture_close(&fixture);
    }
}
END_TEST

/* After a delay, or at a date: to the second. */
START_TEST(test_later)
{
    static const char *const texts[] = {"flush_all 10\r\n", "flush_all 1700000010\r\n"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        command_fixture_open(&fixture);
        fixture.options.flush_all = FLUSH_ALL_ALLOW;
        command_fixture_advance(&fixture, 1700000000 - FIXTURE_NOW_S);
        say("set k 0 0 1\r\na\r\n", "STORED\r\n");
        say(texts[i], "OK\r\n");
        command_fixture_advance(&fixture, 9);
        assert_there(true);
        command_fixture_advance(&fixture, 1);
        assert_there(false);
        command_fixture_close(&fixture);
    }
}
END_TEST

/* A date that has passed is now; the farthest is never, and takes back one that was to come. */
START_TEST(test_dates)
{
    command_fixture_open(&fixture);
    fixture.options.flush_all = FLUSH_ALL_ALLOW;
    command_fixture_advance(&fixture, 1700000000 - FIXTURE_NOW_S);
    say("set k 0 0 1\r\na\r\n", "STORED\r\n");
    say("flush_all 1699999999\r\n", "OK\r\n");
    assert_there(false);
    say("set k 0 0 1\r\na\r\n", "STORED\r\n");
    say("flush_all 10\r\nflush_all 9223372036854775807\r\n", "OK\r\nOK\r\n");
    command_fixture_advance(&fixture, 1000000);
    assert_there(true);
    command_fixture_close(&fixture);
}
END_TEST

/* The journal has no room for now: nothing is done, said, counted or logged. */
START_TEST(test_busy)
{
    open_with_session(true);
    fixture.store.recorder.answer = MUTATION_BUSY;
    captured_start();
    ck_assert_int_eq(command_fixture_run(&fixture, SLICE_LITERAL("flush_all\r\n")), SESS_BUSY);
    ck_assert_str_eq(captured_end(), "");
    ck_assert_uint_eq(fixture.out.size, 0);
    command_fixture_expect_metrics(&fixture, "");
    assert_there(true);
    fixture.store.recorder.answer = MUTATION_ACCEPTED;
    say("flush_all\r\n", "OK\r\n");
    assert_there(false);
    command_fixture_close(&fixture);
}
END_TEST

/* The journal refuses: that is said, and nobody is logged out. */
START_TEST(test_refused_by_the_journal)
{
    open_with_session(true);
    fixture.store.recorder.answer = MUTATION_REFUSED;
    captured_start();
    say("flush_all\r\n", "SERVER_ERROR changes are refused, see the log of sessiond\r\n");
    ck_assert_str_eq(captured_end(), "");
    command_fixture_expect_metrics(&fixture, "cmd_flush=1");
    assert_there(true);
    command_fixture_close(&fixture);
}
END_TEST

/* flush and flush_all of an admin listener do what they say, whatever flush-all is; the reply waits for
 * the disk, and the log has the verb and who it was. Another word flushes nothing. */
START_TEST(test_admin)
{
    static const char *const texts[] = {"flush\r\n", "flush now\r\n", "flush_all\r\n"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char line[128];

        open_with_session(false);
        command_fixture_become_admin(&fixture);
        say("flush then\r\n", "ERROR\r\n");
        say("flush now then\r\n", "ERROR\r\n");
        command_fixture_expect_metrics(&fixture, "protocol_errors=1");
        assert_there(true);
        fixture.context.tickets = (struct store_tickets){.seen = 0};
        captured_start();
        say(texts[i], "OK\r\n");
        (void)snprintf(line, sizeof line, "%.*s from 127.0.0.1:4711: every session has ended",
                       (int)strcspn(texts[i], " \r"), texts[i]);
        ck_assert_ptr_nonnull(strstr(captured_end(), line));
        ck_assert_uint_gt(fixture.context.tickets.revoked, 0);
        command_fixture_expect_metrics(&fixture, "cmd_get=1 cmd_flush=1 get_hits=1");
        assert_there(false);
        command_fixture_close(&fixture);
    }
}
END_TEST

/* What an operator does is told each time, beside refusals that share a limit. */
START_TEST(test_admin_is_told_each_time)
{
    const char *log;
    const char *first;

    open_with_session(false);
    captured_start();
    say("flush_all\r\n", REFUSED);
    command_fixture_become_admin(&fixture);
    say("flush\r\nflush\r\n", "OK\r\nOK\r\n");
    log = captured_end();
    first = strstr(log, "flush from 127.0.0.1:4711: every session has ended\n");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(
        strstr(first + 1, "flush from 127.0.0.1:4711: every session has ended\n"));
    command_fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("command/flush", test_admin, test_admin_is_told_each_time, test_refused, test_logged,
           test_bad_time, test_now, test_later, test_dates, test_busy, test_refused_by_the_journal)
