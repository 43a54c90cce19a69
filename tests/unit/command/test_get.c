/* Unit tests of get, gets, gat and gats: replies byte for byte, counters, tickets, attached values. */
#include "sessiond/command/command.h"

#include "command_fixture.h"
#include "faults.h"
#include "sessiond/command/attached.h"
#include "suite_main.h"

#include <stdio.h>

#define REFUSED "SERVER_ERROR changes are refused, see the log of sessiond\r\n"
#define NO_MEMORY "SERVER_ERROR out of memory writing get response\r\n"

enum { LARGE = 100000 };

static struct command_fixture fixture;

static void say(const char *text, const char *expected)
{
    command_fixture_say(&fixture, text, expected);
}

static void moved(const char *expected)
{
    command_fixture_expect_metrics(&fixture, expected);
}

/* Keys that are there, are not, and have expired, with get and with gets. */
START_TEST(test_get)
{
    static const struct command_step steps[] = {
        {"get k\r\n", "END\r\n", "cmd_get=1 get_misses=1"},
        {"set k 5 100 3\r\nabc\r\n", "STORED\r\n", "cmd_set=1"},
        {"get k\r\n", "VALUE k 5 3\r\nabc\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"gets k\r\n", "VALUE k 5 3 1\r\nabc\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"set e 0 0 0\r\n\r\n", "STORED\r\n", "cmd_set=1"},
        {"get e\r\n", "VALUE e 0 0\r\n\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"set f 4294967295 0 2\r\n\r\n\r\n", "STORED\r\n", "cmd_set=1"},
        {"get f\r\n", "VALUE f 4294967295 2\r\n\r\n\r\nEND\r\n", "cmd_get=1 get_hits=1"},
    };

    command_fixture_open(&fixture);
    COMMAND_CONVERSE(&fixture, steps);
    command_fixture_advance(&fixture, 99);
    say("get k\r\n", "VALUE k 5 3\r\nabc\r\nEND\r\n");
    command_fixture_advance(&fixture, 1);
    moved("cmd_get=1 get_hits=1");
    say("get k\r\n", "END\r\n");
    moved("cmd_get=1 get_misses=1");
    command_fixture_close(&fixture);
}
END_TEST

/* One get of many keys: what is found in the order asked for, a key twice too, then one END. */
START_TEST(test_get_many)
{
    static const struct command_step steps[] = {
        {"set a 1 0 1\r\nA\r\nset b 2 0 1\r\nB\r\n", "STORED\r\nSTORED\r\n", "cmd_set=2"},
        {"get b none a b\r\n",
         "VALUE b 2 1\r\nB\r\nVALUE a 1 1\r\nA\r\nVALUE b 2 1\r\nB\r\nEND\r\n",
         "cmd_get=4 get_hits=3 get_misses=1"},
        {"get x y z\r\n", "END\r\n", "cmd_get=3 get_misses=3"},
    };

    command_fixture_open(&fixture);
    COMMAND_CONVERSE(&fixture, steps);
    command_fixture_close(&fixture);
}
END_TEST

static struct request get_request(const char *key, bool is_last_key)
{
    return (struct request){.command = command_get_row(COMMAND_GET),
                            .key = slice_from_text(key),
                            .is_last_key = is_last_key};
}

/* The keys of a get are run one by one: END comes behind the last one alone, and also when the line
 * ends without a further key. */
START_TEST(test_end_follows_the_last_key)
{
    static const struct {
        const char *key;
        bool is_last_key;
        const char *out;
    } rows[] = {{"a", false, ""}, {"b", true, "END\r\n"}, {"", true, "END\r\n"}};

    command_fixture_open(&fixture);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct request request = get_request(rows[i].key, rows[i].is_last_key);

        buffer_clear(&fixture.out, 0);
        ck_assert_int_eq(command_run(&fixture.context, &request, &fixture.out), SESS_OK);
        ck_assert(slice_is(buffer_slice(&fixture.out), rows[i].out));
    }
    moved("cmd_get=2 get_misses=2");
    command_fixture_close(&fixture);
}
END_TEST

/* gat and gats answer as the others do, renew what they find, and count as touches. */
START_TEST(test_gat)
{
    static const struct command_step steps[] = {
        {"gat 10 k\r\n", "END\r\n", "cmd_touch=1 touch_misses=1"},
        {"set k 5 10 1\r\na\r\n", "STORED\r\n", "cmd_set=1"},
        {"gat 20 k\r\n", "VALUE k 5 1\r\na\r\nEND\r\n", "cmd_touch=1 touch_hits=1"},
        {"gats 20 k x k\r\n", "VALUE k 5 1 1\r\na\r\nVALUE k 5 1 1\r\na\r\nEND\r\n",
         "cmd_touch=3 touch_hits=2 touch_misses=1"},
        {"gat 20\r\n", "END\r\n", ""},
        {"gat x k\r\n", "CLIENT_ERROR invalid exptime argument\r\n", "protocol_errors=1"},
    };
    static const struct command_step later[] = {
        {"gats 0 k\r\n", "VALUE k 5 1 1\r\na\r\nEND\r\n", "cmd_touch=1 touch_hits=1"},
    };
    static const struct command_step much_later[] = {
        {"gat -1 k\r\n", "VALUE k 5 1\r\na\r\nEND\r\n", "cmd_touch=1 touch_hits=1"},
        {"gat 10 k\r\n", "END\r\n", "cmd_touch=1 touch_misses=1"},
    };

    command_fixture_open(&fixture);
    COMMAND_CONVERSE(&fixture, steps);
    command_fixture_advance(&fixture, 19);
    COMMAND_CONVERSE(&fixture, later);
    command_fixture_advance(&fixture, 1000000);
    COMMAND_CONVERSE(&fixture, much_later);
    ck_assert_uint_eq(fixture.context.tickets.seen, 4);
    command_fixture_close(&fixture);
}
END_TEST

/* The journal is full in the middle of a line: the keys in front of it are done, the exptime holds when
 * the rest is parsed again. */
START_TEST(test_gat_busy_between_keys)
{
    struct parser before;
    struct request request;
    size_t used;
    struct slice input = SLICE_LITERAL("gat 100 a b\r\n");

    command_fixture_open(&fixture);
    say("set a 0 10 1\r\nA\r\nset b 0 10 1\r\nB\r\n", "STORED\r\nSTORED\r\n");
    moved("cmd_set=2");
    ck_assert_int_eq(parser_next(&fixture.parser, input, &request, &used), PARSE_REQUEST);
    ck_assert_int_eq(command_run(&fixture.context, &request, &fixture.out), SESS_OK);
    input = slice_from(input, used);
    before = fixture.parser;
    fixture.store.recorder.answer = MUTATION_BUSY;
    ck_assert_int_eq(parser_next(&fixture.parser, input, &request, &used), PARSE_REQUEST);
    ck_assert_int_eq(command_run(&fixture.context, &request, &fixture.out), SESS_BUSY);
    fixture.parser = before;
    fixture.store.recorder.answer = MUTATION_ACCEPTED;
    ck_assert_int_eq(command_fixture_run(&fixture, input), SESS_OK);
    ck_assert(
        slice_is(buffer_slice(&fixture.out), "VALUE a 0 1\r\nA\r\nVALUE b 0 1\r\nB\r\nEND\r\n"));
    moved("cmd_touch=2 touch_hits=2");
    command_fixture_advance(&fixture, 99);
    say("get a b\r\n", "VALUE a 0 1\r\nA\r\nVALUE b 0 1\r\nB\r\nEND\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* The journal refuses: nothing is renewed, and no value may follow the error. */
START_TEST(test_gat_refused)
{
    static const struct command_step steps[] = {
        {"gat 100 a\r\n", REFUSED, "cmd_touch=1"},
        {"gat 100 none\r\n", "END\r\n", "cmd_touch=1 touch_misses=1"},
        {"get a\r\n", "VALUE a 0 1\r\nA\r\nEND\r\n", "cmd_get=1 get_hits=1"},
    };

    command_fixture_open(&fixture);
    say("set a 0 10 1\r\nA\r\n", "STORED\r\n");
    moved("cmd_set=1");
    fixture.store.recorder.answer = MUTATION_REFUSED;
    COMMAND_CONVERSE(&fixture, steps);
    ck_assert(!fixture.context.must_close);
    say("gat 100 a a\r\n", REFUSED);
    ck_assert(fixture.context.must_close);
    fixture.context.must_close = false;
    command_fixture_advance(&fixture, 10);
    parser_init(&fixture.parser, &fixture.limits);
    say("get a\r\n", "END\r\n");
    command_fixture_close(&fixture);
}
END_TEST

static void store_large(const char *key, char byte)
{
    static char text[LARGE + 100];
    int used = snprintf(text, sizeof text, "set %s 5 0 %d\r\n", key, LARGE);

    memset(text + used, byte, LARGE);
    memcpy(text + used + LARGE, "\r\n", 3);
    say(text, "STORED\r\n");
}

static void run_one(enum command_id id, const char *key, enum sess_status status)
{
    struct request request = {.command = command_get_row(id),
                              .key = slice_from_text(key),
                              .is_last_key = true,
                              .exptime = 100};

    ck_assert_int_eq(command_run(&fixture.context, &request, &fixture.out), status);
}

/* Whoever sends the reply gets a reference to the value, charged: it holds although the key is gone. */
START_TEST(test_large_value_is_attached)
{
    static const enum command_id ids[] = {COMMAND_GET, COMMAND_GETS, COMMAND_GAT, COMMAND_GATS};

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct slice value;

        command_fixture_open(&fixture);
        store_large("k", 'a');
        run_one(ids[i], "k", SESS_OK);
        ck_assert_ptr_nonnull(fixture.context.attached);
        ck_assert_uint_eq(budget_used(&fixture.replies), LARGE);
        ck_assert(
            slice_ends_with(slice_first(buffer_slice(&fixture.out), fixture.context.attached_at),
                            SLICE_LITERAL("\r\n")));
        ck_assert(slice_is(slice_from(buffer_slice(&fixture.out), fixture.context.attached_at),
                           "\r\nEND\r\n"));
        ck_assert_int_eq(fixture_delete(&fixture.store, "k"), SESS_OK);
        value = attached_bytes(fixture.context.attached);
        ck_assert_uint_eq(value.size, LARGE);
        ck_assert(value.data[0] == 'a' && memcmp(value.data, value.data + 1, LARGE - 1) == 0);
        attached_release(&fixture.shared, &fixture.context.attached);
        ck_assert_ptr_null(fixture.context.attached);
        attached_release(&fixture.shared, &fixture.context.attached);
        command_fixture_close(&fixture);
    }
}
END_TEST

/* Replies hold too much by now: nothing is said, counted or renewed, and the same request runs later;
 * small values do not wait. */
START_TEST(test_busy_while_replies_are_at_their_limit)
{
    static const enum command_id ids[] = {COMMAND_GET, COMMAND_GAT};

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        uint64_t n_calls;

        command_fixture_open(&fixture);
        store_large("k", 'a');
        say("set small 0 0 1\r\ns\r\n", "STORED\r\n");
        moved("cmd_set=2");
        n_calls = fixture.store.recorder.n_calls;
        fixture.replies.limit = LARGE + 1;
        ck_assert(budget_charge(&fixture.replies, 2));
        run_one(ids[i], "k", SESS_BUSY);
        ck_assert_ptr_null(fixture.context.attached);
        ck_assert_uint_eq(fixture.out.size, 0);
        ck_assert_uint_eq(fixture.store.recorder.n_calls, n_calls);
        ck_assert_uint_eq(budget_used(&fixture.replies), 2);
        moved("");
        say("gat 0 small\r\n", "VALUE small 0 1\r\ns\r\nEND\r\n");
        moved("cmd_touch=1 touch_hits=1");
        budget_release(&fixture.replies, 2);
        run_one(ids[i], "k", SESS_OK);
        ck_assert_ptr_nonnull(fixture.context.attached);
        attached_release(&fixture.shared, &fixture.context.attached);
        command_fixture_close(&fixture);
    }
}
END_TEST

/* A value that will never fit is told so, and is not waited for. */
START_TEST(test_larger_than_all_replies)
{
    static const char *const texts[] = {"get k\r\n", "gat 0 k\r\n", "get k k\r\n"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        command_fixture_open(&fixture);
        store_large("k", 'a');
        fixture.replies.limit = LARGE - 1;
        say(texts[i], NO_MEMORY);
        ck_assert(fixture.context.must_close);
        ck_assert_uint_eq(fixture.store.recorder.n_calls, 1);
        command_fixture_close(&fixture);
    }
}
END_TEST

/* The journal lets no gat through: its charge is given back. */
START_TEST(test_gat_of_a_large_value_without_the_journal)
{
    command_fixture_open(&fixture);
    store_large("k", 'a');
    moved("cmd_set=1");
    fixture.store.recorder.answer = MUTATION_BUSY;
    run_one(COMMAND_GAT, "k", SESS_BUSY);
    ck_assert_uint_eq(budget_used(&fixture.replies), 0);
    ck_assert_uint_eq(fixture.out.size, 0);
    moved("");
    fixture.store.recorder.answer = MUTATION_REFUSED;
    run_one(COMMAND_GAT, "k", SESS_OK);
    ck_assert(slice_is(buffer_slice(&fixture.out), REFUSED));
    ck_assert_uint_eq(budget_used(&fixture.replies), 0);
    command_fixture_close(&fixture);
}
END_TEST

/* A large value comes out whole, among small ones. */
START_TEST(test_large_among_small)
{
    static const char end[] = "\r\nVALUE a 0 1 1\r\nA\r\nEND\r\n";
    static char expected[LARGE + 200];
    int used =
        snprintf(expected, sizeof expected, "VALUE a 0 1 1\r\nA\r\nVALUE k 5 %d 1\r\n", LARGE);

    command_fixture_open(&fixture);
    store_large("k", 'z');
    say("set a 0 0 1\r\nA\r\n", "STORED\r\n");
    memset(expected + used, 'z', LARGE);
    memcpy(expected + used + LARGE, end, sizeof end);
    buffer_clear(&fixture.out, 0);
    ck_assert_int_eq(command_fixture_run(&fixture, SLICE_LITERAL("gets a k none a\r\n")), SESS_OK);
    ck_assert(slice_is(buffer_slice(&fixture.out), expected));
    command_fixture_close(&fixture);
}
END_TEST

/* There is room for a fixed line but not for a value: the connection closes instead of guessing. */
START_TEST(test_no_room_for_a_value)
{
    static const char *const texts[] = {"get k\r\n", "gat 0 k\r\n", "get k other\r\n"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        command_fixture_open(&fixture);
        say("set k 0 0 1\r\na\r\n", "STORED\r\n");
        moved("cmd_set=1");
        faults_fail_allocation(2);
        say(texts[i], NO_MEMORY);
        ck_assert(fixture.context.must_close);
        moved("");
        command_fixture_close(&fixture);
    }
}
END_TEST

SUITE_MAIN("command/get", test_get, test_get_many, test_end_follows_the_last_key, test_gat,
           test_gat_busy_between_keys, test_gat_refused, test_large_value_is_attached,
           test_busy_while_replies_are_at_their_limit, test_larger_than_all_replies,
           test_gat_of_a_large_value_without_the_journal, test_large_among_small,
           test_no_room_for_a_value)
