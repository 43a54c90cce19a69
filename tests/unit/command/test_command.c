/* Unit tests of what all commands share: dispatch, silence, refusals, tickets. */
#include "sessiond/command/command.h"

#include "command_fixture.h"
#include "faults.h"
#include "handlers.h"
#include "suite_main.h"

static struct command_fixture fixture;

/* A request as the parser would give it for a command, complete enough for every handler. */
static struct request request_for(enum command_id id)
{
    return (struct request){.command = command_get_row(id),
                            .key = SLICE_LITERAL("key"),
                            .is_last_key = true,
                            .exptime = 100,
                            .value = SLICE_LITERAL("value"),
                            .value_size = 5,
                            .word = SLICE_LITERAL("none")};
}

/* Every row of the command table has a handler that says something, or closes. */
START_TEST(test_every_command_answers)
{
    command_fixture_open(&fixture);
    for (unsigned id = 0; id < COMMAND_COUNT; id++) {
        struct request request = request_for((enum command_id)id);

        buffer_clear(&fixture.out, 0);
        fixture.context.must_close = false;
        ck_assert_int_eq(command_run(&fixture.context, &request, &fixture.out), SESS_OK);
        ck_assert_int_eq(fixture.context.must_close, id == COMMAND_QUIT);
        ck_assert_int_eq(fixture.out.size > 0, id != COMMAND_QUIT);
        if (fixture.out.size > 0) {
            ck_assert(slice_ends_with(buffer_slice(&fixture.out), SLICE_LITERAL("\r\n")));
        }
    }
    command_fixture_close(&fixture);
}
END_TEST

/* Every reply row, with noreply and without. */
START_TEST(test_answer)
{
    struct request request = {.noreply = false};

    command_fixture_open(&fixture);
    for (unsigned id = 0; id < REPLY_COUNT; id++) {
        struct slice text = slice_from_text(reply_get_row((enum reply)id)->text);

        buffer_clear(&fixture.out, 0);
        ck_assert_int_eq(buffer_reserve(&fixture.out, REPLY_LINE_MAX), SESS_OK);
        request.noreply = true;
        answer(&request, &fixture.out, (enum reply)id);
        ck_assert_uint_eq(fixture.out.size, 0);
        request.noreply = false;
        answer(&request, &fixture.out, (enum reply)id);
        ck_assert_uint_eq(fixture.out.size, text.size + 2);
        ck_assert(slice_starts_with(buffer_slice(&fixture.out), text));
    }
    command_fixture_close(&fixture);
}
END_TEST

/* Outcomes come in any order: of each ticket the highest counts. What only reads waits for what it saw,
 * what changes for the last revocation, too. */
START_TEST(test_note)
{
    static const struct {
        void (*note)(struct command_context *context, const struct store_outcome *outcome);
        struct store_outcome outcome;
        struct store_tickets noted;
    } rows[] = {
        {note_read, {.ticket = 0}, {0, 0, 0}},
        {note_read, {.ticket = 5, .revocation_ticket = 4}, {5, 0, 0}},
        {note_read, {.ticket = 3, .revocation_ticket = 3}, {5, 0, 0}},
        {note_change, {.ticket = 0}, {5, 0, 0}},
        {note_change, {.ticket = 3, .revocation_ticket = 2}, {5, 3, 2}},
        {note_change, {.ticket = 6}, {6, 6, 2}},
        {note_read, {.ticket = 9, .revocation_ticket = 8}, {9, 6, 2}},
        {note_change, {.ticket = 7, .revocation_ticket = 7}, {9, 7, 7}},
        {note_change, {.ticket = 1, .revocation_ticket = 1}, {9, 7, 7}},
        {note_change,
         {.ticket = UINT64_MAX, .revocation_ticket = UINT64_MAX},
         {UINT64_MAX, UINT64_MAX, UINT64_MAX}},
    };

    command_fixture_open(&fixture);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rows[i].note(&fixture.context, &rows[i].outcome);
        ck_assert_uint_eq(fixture.context.tickets.seen, rows[i].noted.seen);
        ck_assert_uint_eq(fixture.context.tickets.changed, rows[i].noted.changed);
        ck_assert_uint_eq(fixture.context.tickets.revoked, rows[i].noted.revoked);
    }
    command_fixture_close(&fixture);
}
END_TEST

/* What the parser could not read is answered with its reply, counted, and closes where it says so. */
START_TEST(test_reject)
{
    static const struct {
        struct request request;
        const char *reply;
        const char *metrics;
    } rows[] = {
        {{.error = REPLY_ERROR}, "ERROR\r\n", "protocol_errors=1"},
        {{.error = REPLY_BAD_FORMAT, .noreply = true}, "", "protocol_errors=1"},
        {{.error = REPLY_TOO_LARGE},
         "SERVER_ERROR object too large for cache\r\n",
         "store_too_large=1"},
        {{.error = REPLY_LINE_TOO_LONG, .must_close = true},
         "CLIENT_ERROR line too long\r\n",
         "protocol_errors=1"},
    };

    command_fixture_open(&fixture);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buffer_clear(&fixture.out, 0);
        command_reject(&fixture.context, &rows[i].request, &fixture.out);
        ck_assert(slice_is(buffer_slice(&fixture.out), rows[i].reply));
        command_fixture_expect_metrics(&fixture, rows[i].metrics);
        ck_assert_int_eq(fixture.context.must_close, rows[i].request.must_close);
    }
    command_fixture_close(&fixture);
}
END_TEST

/* A refusal that cannot be written closes the connection. */
START_TEST(test_reject_without_memory)
{
    struct request request = {.error = REPLY_ERROR};

    command_fixture_open(&fixture);
    faults_fail_allocation(1);
    command_reject(&fixture.context, &request, &fixture.out);
    ck_assert_uint_eq(fixture.out.size, 0);
    ck_assert(fixture.context.must_close);
    command_fixture_close(&fixture);
}
END_TEST

/* A reply is added behind what earlier commands of the turn have said. */
START_TEST(test_replies_are_added)
{
    command_fixture_open(&fixture);
    command_fixture_say(&fixture, "set a 0 0 1\r\nx\r\nget a\r\ndelete a\r\ndelete a\r\n",
                        "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\nDELETED\r\nNOT_FOUND\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* A look that gives a new session the life that was asked for is a change; other looks are none. */
START_TEST(test_a_use_waits_as_a_change)
{
    static const char *const looks[][2] = {{"get k\r\n", "VALUE k 0 1\r\nx\r\nEND\r\n"},
                                           {"mg k v\r\n", "VA 1\r\nx\r\n"}};

    for (size_t i = 0; i < 2; i++) {
        command_fixture_open(&fixture);
        fixture.policy_options.first_write_ttl = 60 * 1000;
        command_fixture_say(&fixture, "set k 0 1000 1\r\nx\r\n", "STORED\r\n");
        for (unsigned look = 0; look < 3; look++) { /* too early, in time, and once more */
            uint64_t before = fixture.store.recorder.ticket;

            fixture.context.tickets = (struct store_tickets){.seen = 0};
            command_fixture_say(&fixture, looks[i][0], looks[i][1]);
            ck_assert_uint_eq(fixture.store.recorder.ticket, before + (look == 1));
            ck_assert_uint_eq(fixture.context.tickets.changed, look == 1 ? before + 1 : 0);
            command_fixture_advance(&fixture, 2);
        }
        command_fixture_close(&fixture);
    }
}
END_TEST

SUITE_MAIN("command/command", test_every_command_answers, test_answer, test_note, test_reject,
           test_reject_without_memory, test_replies_are_added, test_a_use_waits_as_a_change)
