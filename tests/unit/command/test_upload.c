/* Unit tests of store commands whose value arrives in pieces. */
#include "sessiond/command/command.h"

#include "command_fixture.h"
#include "faults.h"
#include "suite_main.h"

#include <stdio.h>

enum { SIZE = 100000, LINE_MAX_SIZE = 100 };

static struct command_fixture fixture;
static char text[LINE_MAX_SIZE + SIZE + 20];

/* `line`, a block of SIZE times `byte`, and `end`. */
static const char *compose(const char *line, char byte, const char *end)
{
    size_t used = strlen(line);

    memcpy(text, line, used);
    memset(text + used, byte, SIZE);
    memcpy(text + used + SIZE, end, strlen(end) + 1);
    return text;
}

static void say(const char *sent, const char *expected)
{
    command_fixture_say(&fixture, sent, expected);
}

static void assert_value(const char *head, char byte)
{
    buffer_clear(&fixture.out, 0);
    ck_assert_int_eq(command_fixture_run(&fixture, SLICE_LITERAL("get k\r\n")), SESS_OK);
    ck_assert(slice_is(buffer_slice(&fixture.out), compose(head, byte, "\r\nEND\r\n")));
    buffer_clear(&fixture.out, 0);
}

/* A large value is stored by each store command under its own conditions, and comes back whole. */
START_TEST(test_modes)
{
    command_fixture_open(&fixture);
    say(compose("replace k 0 0 100000\r\n", 'a', "\r\n"), "NOT_STORED\r\n");
    say(compose("add k 1 0 100000\r\n", 'b', "\r\n"), "STORED\r\n");
    assert_value("VALUE k 1 100000\r\n", 'b');
    say(compose("add k 2 0 100000\r\n", 'c', "\r\n"), "NOT_STORED\r\n");
    assert_value("VALUE k 1 100000\r\n", 'b');
    say(compose("replace k 3 0 100000\r\n", 'd', "\r\n"), "STORED\r\n");
    assert_value("VALUE k 3 100000\r\n", 'd');
    say(compose("set k 4 0 100000\r\n", 'e', "\r\nversion\r\n"), "STORED\r\nVERSION 1.6.18\r\n");
    assert_value("VALUE k 4 100000\r\n", 'e');
    command_fixture_expect_metrics(&fixture, "cmd_get=4 cmd_set=5 get_hits=4");
    ck_assert_uint_eq(fixture.context.tickets.seen, 3);
    ck_assert_uint_eq(fixture.context.tickets.changed, 3);
    say(compose("cas k 5 0 100000 1\r\n", 'f', "\r\n"), "EXISTS\r\n");
    say(compose("cas k 5 0 100000 3\r\n", 'f', "\r\n"), "STORED\r\n");
    assert_value("VALUE k 5 100000\r\n", 'f');
    say("set k 6 0 1\r\ng\r\n", "STORED\r\n");
    say(compose("append k 7 0 100000\r\n", 'g', "\r\n"), "STORED\r\n");
    say(compose("prepend none 7 0 100000\r\n", 'g', "\r\n"), "NOT_STORED\r\n");
    command_fixture_expect_metrics(&fixture,
                                   "cmd_get=1 cmd_set=5 get_hits=1 cas_hits=1 cas_badval=1");
    command_fixture_close(&fixture);
}
END_TEST

/* noreply: nothing is answered, all is stored. */
START_TEST(test_noreply)
{
    command_fixture_open(&fixture);
    say(compose("set k 0 0 100000 noreply\r\n", 'n', "\r\n"), "");
    assert_value("VALUE k 0 100000\r\n", 'n');
    command_fixture_close(&fixture);
}
END_TEST

/* The exptime counts from when the value is complete, not from when it began. */
START_TEST(test_exptime_counts_from_the_end)
{
    command_fixture_open(&fixture);
    say(compose("set k 0 10 100000\r\n", 't', "\r\n"), "STORED\r\n");
    command_fixture_advance(&fixture, 9);
    assert_value("VALUE k 0 100000\r\n", 't');
    command_fixture_advance(&fixture, 1);
    say("get k\r\n", "END\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* The block does not end in CR LF: it is refused, the old value stays, the connection closes. */
START_TEST(test_bad_line_end)
{
    static const char *const ends[] = {"\n\r", "xx", "\rx", "x\n", "\n\n"};

    command_fixture_open(&fixture);
    say("set k 0 0 1\r\na\r\n", "STORED\r\n");
    command_fixture_expect_metrics(&fixture, "cmd_set=1");
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        buffer_clear(&fixture.out, 0);
        ck_assert_int_eq(command_fixture_run(&fixture, slice_from_text(compose(
                                                           "set k 0 0 100000\r\n", 'b', ends[i]))),
                         SESS_INVALID);
        ck_assert(slice_is(buffer_slice(&fixture.out), "CLIENT_ERROR bad data chunk\r\n"));
        ck_assert_ptr_null(fixture.upload);
        ck_assert(fixture.context.must_close);
        fixture.context.must_close = false;
        command_fixture_expect_metrics(&fixture, "protocol_errors=1");
        ck_assert_uint_eq(budget_used(&fixture.store.in_flight), 0);
    }
    say("get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* The journal is full when the value is complete: nothing is answered or counted, the upload stays
 * and ends later. */
START_TEST(test_busy)
{
    command_fixture_open(&fixture);
    fixture.store.recorder.answer = MUTATION_BUSY;
    ck_assert_int_eq(command_fixture_run(
                         &fixture, slice_from_text(compose("set k 0 0 100000\r\n", 'b', "\r\n"))),
                     SESS_BUSY);
    ck_assert_ptr_nonnull(fixture.upload);
    ck_assert_int_eq(command_upload_finish(&fixture.context, &fixture.upload, &fixture.out),
                     SESS_BUSY);
    ck_assert_uint_eq(fixture.out.size, 0);
    command_fixture_expect_metrics(&fixture, "");
    fixture.store.recorder.answer = MUTATION_ACCEPTED;
    ck_assert_int_eq(command_upload_finish(&fixture.context, &fixture.upload, &fixture.out),
                     SESS_OK);
    ck_assert_ptr_null(fixture.upload);
    ck_assert(slice_is(buffer_slice(&fixture.out), "STORED\r\n"));
    command_fixture_expect_metrics(&fixture, "cmd_set=1");
    assert_value("VALUE k 0 100000\r\n", 'b');
    command_fixture_close(&fixture);
}
END_TEST

/* The journal refuses, or the data budget is full: an error, and the old value stays. */
START_TEST(test_failures_keep_the_old_value)
{
    command_fixture_open(&fixture);
    say("set k 0 0 1\r\na\r\n", "STORED\r\n");
    fixture.store.recorder.answer = MUTATION_REFUSED;
    say(compose("set k 0 0 100000\r\n", 'b', "\r\n"),
        "SERVER_ERROR changes are refused, see the log of sessiond\r\n");
    fixture.store.recorder.answer = MUTATION_ACCEPTED;
    command_fixture_fill(&fixture, SIZE);
    say(compose("set new 0 0 100000\r\n", 'b', "\r\n"),
        "SERVER_ERROR out of memory storing object\r\n");
    say("get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n");
    command_fixture_expect_metrics(&fixture, "cmd_get=1 cmd_set=3 get_hits=1 store_no_memory=1");
    ck_assert_uint_eq(budget_used(&fixture.store.in_flight), 0);
    command_fixture_close(&fixture);
}
END_TEST

/* The allocator fails anywhere: that is answered, the block is dropped, and the connection goes on; or,
 * where the answer has no room, it closes. Nothing is stored and nothing stays charged. */
START_TEST(test_begin_without_memory)
{
    unsigned n_answered = 0;
    unsigned nth = 0;
    enum sess_status status;
    bool is_stored;

    do {
        command_fixture_open(&fixture);
        compose("set k 0 0 100000\r\n", 'b', "\r\nversion\r\n");
        faults_fail_allocation(++nth);
        status = command_fixture_run(&fixture, slice_from_text(text));
        faults_fail_allocation(0);
        ck_assert_int_eq(status, SESS_OK);
        ck_assert_ptr_null(fixture.upload);
        ck_assert_uint_eq(budget_used(&fixture.store.in_flight), 0);
        is_stored = slice_is(buffer_slice(&fixture.out), "STORED\r\nVERSION 1.6.18\r\n");
        if (!is_stored && !fixture.context.must_close) {
            ck_assert(slice_is(buffer_slice(&fixture.out),
                               "SERVER_ERROR out of memory storing object\r\nVERSION 1.6.18\r\n"));
            command_fixture_expect_metrics(&fixture, "cmd_set=1 store_no_memory=1");
            n_answered++;
        }
        fixture.context.must_close = false;
        command_fixture_close(&fixture);
    } while (!is_stored);
    ck_assert_uint_ge(n_answered, 1);
}
END_TEST

static struct command_upload *begin(void)
{
    struct request request = {
        .command = command_get_row(COMMAND_SET), .key = SLICE_LITERAL("k"), .value_size = SIZE};
    struct command_upload *upload = NULL;

    ck_assert_int_eq(command_upload_begin(&fixture.context, &request, &fixture.out, &upload),
                     SESS_OK);
    ck_assert_uint_eq(command_upload_size(upload), SIZE);
    return upload;
}

/* Neither the value nor the words that not even that is possible find memory: the connection closes. */
START_TEST(test_begin_without_any_memory)
{
    struct request request = {.command = command_get_row(COMMAND_SET),
                              .key = SLICE_LITERAL("k"),
                              .value_size = (1 << 20) + 1};
    struct command_upload *upload = NULL;

    command_fixture_open(&fixture);
    /* The store refuses this size, so that the reply is what the second allocation is for. */
    faults_fail_allocation(2);
    ck_assert_int_eq(command_upload_begin(&fixture.context, &request, &fixture.out, &upload),
                     SESS_NO_MEMORY);
    ck_assert_ptr_null(upload);
    ck_assert_uint_eq(fixture.out.size, 0);
    ck_assert(fixture.context.must_close);
    command_fixture_close(&fixture);
}
END_TEST

/* The client goes away in the middle, and an upload that has ended is ended again. */
START_TEST(test_abort)
{
    struct command_upload *upload;
    uint8_t *place;
    size_t size;

    command_fixture_open(&fixture);
    upload = begin();
    ck_assert_int_eq(command_upload_place(upload, 10, &place, &size), SESS_OK);
    ck_assert_uint_eq(size, 10);
    memset(place, 'x', 10);
    command_upload_received(upload, 10);
    command_upload_abort(&upload);
    ck_assert_ptr_null(upload);
    command_upload_abort(&upload);
    say("get k\r\n", "END\r\n");
    ck_assert_uint_eq(budget_used(&fixture.store.in_flight), 0);
    command_fixture_close(&fixture);
}
END_TEST

/* Values in flight are at their cap: the upload is told to wait. */
START_TEST(test_place_at_the_cap)
{
    struct command_upload *first;
    struct command_upload *second;
    uint8_t *place;
    size_t size;

    command_fixture_open(&fixture);
    fixture.store.in_flight.limit = 1000;
    first = begin();
    second = begin();
    /* One at a time may go over the cap, so that not all wait for each other. */
    ck_assert_int_eq(command_upload_place(first, SIZE, &place, &size), SESS_OK);
    ck_assert_int_eq(command_upload_place(second, SIZE, &place, &size), SESS_AGAIN);
    command_upload_abort(&first);
    ck_assert_int_eq(command_upload_place(second, SIZE, &place, &size), SESS_OK);
    command_upload_abort(&second);
    command_fixture_close(&fixture);
}
END_TEST

/* All has arrived and there is no memory for the reply: nothing is stored, the connection closes. */
START_TEST(test_finish_without_room_for_the_reply)
{
    struct command_upload *upload;
    uint8_t *place;
    size_t size;

    command_fixture_open(&fixture);
    upload = begin();
    for (;;) {
        ck_assert_int_eq(command_upload_place(upload, SIZE, &place, &size), SESS_OK);
        if (size == 0) {
            break;
        }
        memset(place, 'x', size);
        command_upload_received(upload, size);
    }
    faults_fail_allocation(1);
    ck_assert_int_eq(command_upload_finish(&fixture.context, &upload, &fixture.out), SESS_OK);
    ck_assert_ptr_null(upload);
    ck_assert(fixture.context.must_close);
    fixture.context.must_close = false;
    say("get k\r\n", "END\r\n");
    command_fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("command/upload", test_modes, test_noreply, test_exptime_counts_from_the_end,
           test_bad_line_end, test_busy, test_failures_keep_the_old_value,
           test_begin_without_memory, test_begin_without_any_memory, test_abort,
           test_place_at_the_cap, test_finish_without_room_for_the_reply)
