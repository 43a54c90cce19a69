/* Unit tests of get, store, delete and touch: replies byte for byte, counters, tickets. */
#include "sessiond/command/command.h"

#include "command_fixture.h"
#include "faults.h"
#include "suite_main.h"

#include <stdio.h>

#define REFUSED "SERVER_ERROR changes are refused, see the log of sessiond\r\n"

static struct command_fixture fixture;

static void say(const char *text, const char *expected)
{
    command_fixture_say(&fixture, text, expected);
}

static void moved(const char *expected)
{
    command_fixture_expect_metrics(&fixture, expected);
}

/* A conversation of its own: each step is what is sent, the reply, and the counters that move. */
struct step {
    const char *text;
    const char *reply;
    const char *metrics;
};

static void converse(const struct step *steps, size_t n_steps)
{
    for (size_t i = 0; i < n_steps; i++) {
        say(steps[i].text, steps[i].reply);
        moved(steps[i].metrics);
    }
}

#define CONVERSE(steps) converse(steps, sizeof(steps) / sizeof((steps)[0]))

/* Keys that are there, are not, and have expired, with get and with gets. */
START_TEST(test_get)
{
    static const struct step steps[] = {
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
    CONVERSE(steps);
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
    static const struct step steps[] = {
        {"set a 1 0 1\r\nA\r\nset b 2 0 1\r\nB\r\n", "STORED\r\nSTORED\r\n", "cmd_set=2"},
        {"get b none a b\r\n",
         "VALUE b 2 1\r\nB\r\nVALUE a 1 1\r\nA\r\nVALUE b 2 1\r\nB\r\nEND\r\n",
         "cmd_get=4 get_hits=3 get_misses=1"},
        {"get x y z\r\n", "END\r\n", "cmd_get=3 get_misses=3"},
    };

    command_fixture_open(&fixture);
    CONVERSE(steps);
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

/* set, add and replace of keys that are there, are not, and have expired. */
START_TEST(test_store)
{
    static const struct step steps[] = {
        {"replace k 0 0 1\r\na\r\n", "NOT_STORED\r\n", "cmd_set=1"},
        {"get k\r\n", "END\r\n", "cmd_get=1 get_misses=1"},
        {"add k 0 100 1\r\nb\r\n", "STORED\r\n", "cmd_set=1"},
        {"add k 0 0 1\r\nc\r\n", "NOT_STORED\r\n", "cmd_set=1"},
        {"get k\r\n", "VALUE k 0 1\r\nb\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"replace k 3 100 1\r\nd\r\n", "STORED\r\n", "cmd_set=1"},
        {"get k\r\n", "VALUE k 3 1\r\nd\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"set k 4 100 2\r\nee\r\n", "STORED\r\n", "cmd_set=1"},
        {"get k\r\n", "VALUE k 4 2\r\nee\r\nEND\r\n", "cmd_get=1 get_hits=1"},
    };
    static const struct step when_expired[] = {
        {"replace k 0 100 1\r\nf\r\n", "NOT_STORED\r\n", "cmd_set=1"},
        {"add k 0 100 1\r\ng\r\n", "STORED\r\n", "cmd_set=1"},
    };

    command_fixture_open(&fixture);
    CONVERSE(steps);
    command_fixture_advance(&fixture, 100);
    CONVERSE(when_expired);
    command_fixture_advance(&fixture, 100);
    say("set k 0 0 1\r\nh\r\n", "STORED\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* The same words with noreply: nothing is answered, all is done and counted. */
START_TEST(test_noreply)
{
    static const struct step steps[] = {
        {"set k 0 0 1 noreply\r\na\r\n", "", "cmd_set=1"},
        {"add k 0 0 1 noreply\r\nb\r\n", "", "cmd_set=1"},
        {"get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"replace k 0 0 1 noreply\r\nc\r\n", "", "cmd_set=1"},
        {"get k\r\n", "VALUE k 0 1\r\nc\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"touch k 10 noreply\r\n", "", "cmd_touch=1 touch_hits=1"},
        {"touch none 10 noreply\r\n", "", "cmd_touch=1 touch_misses=1"},
        {"delete k noreply\r\n", "", "delete_hits=1"},
        {"delete k noreply\r\n", "", "delete_misses=1"},
        {"get k\r\n", "END\r\n", "cmd_get=1 get_misses=1"},
    };

    command_fixture_open(&fixture);
    CONVERSE(steps);
    command_fixture_close(&fixture);
}
END_TEST

/* delete of keys that are there, are not, and have expired. */
START_TEST(test_delete)
{
    static const struct step steps[] = {
        {"delete k\r\n", "NOT_FOUND\r\n", "delete_misses=1"},
        {"set k 0 10 1\r\na\r\n", "STORED\r\n", "cmd_set=1"},
        {"delete k 0\r\n", "DELETED\r\n", "delete_hits=1"},
        {"get k\r\n", "END\r\n", "cmd_get=1 get_misses=1"},
        {"set k 0 10 1\r\na\r\n", "STORED\r\n", "cmd_set=1"},
    };

    command_fixture_open(&fixture);
    CONVERSE(steps);
    command_fixture_advance(&fixture, 10);
    say("delete k\r\n", "NOT_FOUND\r\n");
    moved("delete_misses=1");
    command_fixture_close(&fixture);
}
END_TEST

/* touch gives more time, less, and none; the CAS id stays. */
START_TEST(test_touch)
{
    static const struct step steps[] = {
        {"touch k 10\r\n", "NOT_FOUND\r\n", "cmd_touch=1 touch_misses=1"},
        {"set k 7 10 1\r\na\r\n", "STORED\r\n", "cmd_set=1"},
        {"touch k 20\r\n", "TOUCHED\r\n", "cmd_touch=1 touch_hits=1"},
        {"gets k\r\n", "VALUE k 7 1 1\r\na\r\nEND\r\n", "cmd_get=1 get_hits=1"},
    };
    static const struct step later[] = {
        {"get k\r\n", "VALUE k 7 1\r\na\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"touch k -1\r\n", "TOUCHED\r\n", "cmd_touch=1 touch_hits=1"},
        {"touch k 10\r\n", "NOT_FOUND\r\n", "cmd_touch=1 touch_misses=1"},
        {"get k\r\n", "END\r\n", "cmd_get=1 get_misses=1"},
        {"set k 0 10 1\r\na\r\n", "STORED\r\n", "cmd_set=1"},
    };

    command_fixture_open(&fixture);
    CONVERSE(steps);
    command_fixture_advance(&fixture, 19);
    CONVERSE(later);
    command_fixture_advance(&fixture, 10);
    say("touch k 10\r\n", "NOT_FOUND\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* A deadline that has passed on arrival: the ordinary answer, nothing is kept, a live key is gone. */
START_TEST(test_dead_on_arrival)
{
    static const struct step steps[] = {
        {"add k 0 -1 1\r\na\r\n", "STORED\r\n", "cmd_set=1"},
        {"get k\r\n", "END\r\n", "cmd_get=1 get_misses=1"},
        {"set k 0 0 1\r\na\r\n", "STORED\r\n", "cmd_set=1"},
        {"add k 0 -1 1\r\nb\r\n", "NOT_STORED\r\n", "cmd_set=1"},
        {"get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"set k 0 2592001 1\r\nc\r\n", "STORED\r\n", "cmd_set=1"},
        {"get k\r\n", "END\r\n", "cmd_get=1 get_misses=1"},
    };

    command_fixture_open(&fixture);
    fixture.context.now.wall_s = fixture.store.now_s = 1700000000;
    CONVERSE(steps);
    command_fixture_close(&fixture);
}
END_TEST

/* The parser's refusals: the counters tell size from form, noreply silences what need not close. */
START_TEST(test_reject)
{
    static const struct step steps[] = {
        {"bogus\r\n", "ERROR\r\n", "protocol_errors=1"},
    };
    static char line[2 << 20];
    int used = snprintf(line, sizeof line, "set k 0 0 1048577\r\n");

    command_fixture_open(&fixture);
    say("version\r\n", "VERSION 1.6.18\r\n");
    CONVERSE(steps);
    ck_assert(!fixture.context.must_close);
    memset(line + used, 'x', 1048577);
    memcpy(line + used + 1048577, "\r\n", 3);
    say(line, "SERVER_ERROR object too large for cache\r\n");
    moved("store_too_large=1");
    say("touch k abc noreply\r\n", "");
    moved("protocol_errors=1");
    say("set k 0 0 1\r\nabc\r\n", "CLIENT_ERROR bad data chunk\r\n");
    moved("protocol_errors=1");
    ck_assert(fixture.context.must_close);
    command_fixture_close(&fixture);
}
END_TEST

/* A value that only the store itself knows to be too large. */
START_TEST(test_store_says_too_large)
{
    static char line[20000];
    int used = snprintf(line, sizeof line, "set k 0 0 2000\r\n");

    command_fixture_open(&fixture);
    store_destroy(&fixture.store.store);
    fixture.store.config.max_value_bytes = 1999;
    fixture_start(&fixture.store);
    fixture.shared.store = fixture.store.store;
    memset(line + used, 'x', 2000);
    memcpy(line + used + 2000, "\r\n", 3);
    say(line, "SERVER_ERROR object too large for cache\r\n");
    moved("cmd_set=1 store_too_large=1");
    command_fixture_close(&fixture);
}
END_TEST

/* The data budget is full: an error, counted, and the old value stays. */
START_TEST(test_no_memory)
{
    command_fixture_open(&fixture);
    say("set k 0 0 1\r\na\r\n", "STORED\r\n");
    fixture.store.data.limit = budget_used(&fixture.store.data);
    moved("cmd_set=1");
    say("set k 0 0 9\r\n123456789\r\n", "SERVER_ERROR out of memory storing object\r\n");
    moved("cmd_set=1 store_no_memory=1");
    say("set k 0 0 9 noreply\r\n123456789\r\n", "");
    say("get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n");
    faults_fail_allocation(2); /* behind the reply's room */
    say("touch k 253402300799\r\n", "SERVER_ERROR out of memory storing object\r\n");
    say("get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* The journal refuses: each change says so, noreply or not, and is not done; reads go on. */
START_TEST(test_refused)
{
    static const struct step steps[] = {
        {"set k 0 0 1\r\nb\r\n", REFUSED, "cmd_set=1"},
        {"delete k\r\n", REFUSED, ""},
        {"touch k 5\r\n", REFUSED, "cmd_touch=1"},
        {"set k 0 0 1 noreply\r\nb\r\n", "", "cmd_set=1"},
        {"delete k noreply\r\n", "", ""},
        {"get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"delete none\r\n", "NOT_FOUND\r\n", "delete_misses=1"},
    };

    command_fixture_open(&fixture);
    say("set k 0 0 1\r\na\r\n", "STORED\r\n");
    moved("cmd_set=1");
    fixture.store.recorder.answer = MUTATION_REFUSED;
    CONVERSE(steps);
    command_fixture_close(&fixture);
}
END_TEST

static void try_busy(const char *text, const char *reply)
{
    fixture.store.recorder.answer = MUTATION_BUSY;
    buffer_clear(&fixture.out, 0);
    moved("");
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(command_fixture_run(&fixture, slice_from_text(text)), SESS_BUSY);
        ck_assert_uint_eq(fixture.out.size, 0);
        moved("");
    }
    fixture.store.recorder.answer = MUTATION_ACCEPTED;
    say(text, reply);
}

/* The journal is full for now: nothing is changed, answered or counted, and the same request runs
 * later. */
START_TEST(test_busy)
{
    command_fixture_open(&fixture);
    try_busy("set k 0 0 1\r\na\r\n", "STORED\r\n");
    moved("cmd_set=1");
    try_busy("touch k 100\r\n", "TOUCHED\r\n");
    moved("cmd_touch=1 touch_hits=1");
    try_busy("delete k\r\n", "DELETED\r\n");
    moved("delete_hits=1");
    command_fixture_close(&fixture);
}
END_TEST

/* The ticket that replies wait for is the highest of all keys of the turn, of misses too, and never
 * falls. */
START_TEST(test_ticket_rises)
{
    command_fixture_open(&fixture);
    say("get k\r\n", "END\r\n");
    ck_assert_uint_eq(fixture.context.ticket, 0);
    say("set k 0 0 1\r\na\r\n", "STORED\r\n");
    ck_assert_uint_eq(fixture.context.ticket, 1);
    say("set other 0 0 1\r\na\r\n", "STORED\r\n");
    ck_assert_uint_eq(fixture.context.ticket, 2);
    say("get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n");
    ck_assert_uint_eq(fixture.context.ticket, 2);
    fixture.context.ticket = 0;
    say("get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n");
    ck_assert_uint_eq(fixture.context.ticket, 1);
    say("touch k 100\r\n", "TOUCHED\r\n");
    ck_assert_uint_eq(fixture.context.ticket, 3);
    say("delete k\r\n", "DELETED\r\n");
    ck_assert_uint_eq(fixture.context.ticket, 4);
    fixture.context.ticket = 0;
    say("get k\r\n", "END\r\n");
    ck_assert_uint_eq(fixture.context.ticket, 4);
    fixture.context.ticket = 0;
    say("add other 0 0 1\r\nb\r\n", "NOT_STORED\r\n");
    ck_assert_uint_eq(fixture.context.ticket, 2);
    command_fixture_close(&fixture);
}
END_TEST

/* There is no memory for a reply's room: the connection closes instead of guessing, and before that
 * nothing was changed. */
START_TEST(test_no_room_for_a_reply)
{
    command_fixture_open(&fixture);
    faults_fail_allocation(1);
    say("delete k\r\n", "");
    ck_assert(fixture.context.must_close);
    moved("");
    fixture.context.must_close = false;
    faults_fail_allocation(1);
    say("touch k\r\n", "");
    ck_assert(fixture.context.must_close);
    command_fixture_close(&fixture);
}
END_TEST

/* There is room for a fixed line but not for a value. */
START_TEST(test_no_room_for_a_value)
{
    static const char no_memory[] = "SERVER_ERROR out of memory writing get response\r\n";
    static char line[100100];
    int used = snprintf(line, sizeof line, "set k 0 0 100000\r\n");

    command_fixture_open(&fixture);
    faults_fail_allocation(2);
    say("get k\r\n", no_memory);
    ck_assert(fixture.context.must_close);
    fixture.context.must_close = false;
    memset(line + used, 'x', 100000);
    memcpy(line + used + 100000, "\r\n", 3);
    say(line, "STORED\r\n");
    faults_fail_allocation(3);
    say("get k other\r\n", no_memory);
    ck_assert(fixture.context.must_close);
    command_fixture_close(&fixture);
}
END_TEST

/* The wired call takes back what has expired. */
START_TEST(test_tick)
{
    struct store_ticker ticker = {.stride = 1};

    command_fixture_open(&fixture);
    say("set k 0 10 1\r\na\r\n", "STORED\r\n");
    command_fixture_advance(&fixture, 11);
    ck_assert_uint_eq(fixture_figure(&fixture.store, "curr_items"), 1);
    ck_assert(command_tick(&fixture.shared, &ticker, fixture.store.now_s, 1));
    while (command_tick(&fixture.shared, &ticker, fixture.store.now_s, 1000)) {
    }
    ck_assert_uint_eq(fixture_figure(&fixture.store, "curr_items"), 0);
    command_fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("command/session", test_get, test_get_many, test_end_follows_the_last_key, test_store,
           test_noreply, test_delete, test_touch, test_dead_on_arrival, test_reject,
           test_store_says_too_large, test_no_memory, test_refused, test_busy, test_ticket_rises,
           test_no_room_for_a_reply, test_no_room_for_a_value, test_tick)
