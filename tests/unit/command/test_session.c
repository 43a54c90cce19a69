/* Unit tests of the commands that change a session: replies byte for byte, counters, tickets. */
#include "sessiond/command/command.h"

#include "captured.h"
#include "command_fixture.h"
#include "faults.h"
#include "suite_main.h"

#include <stdio.h>

#define REFUSED "SERVER_ERROR changes are refused, see the log of sessiond\r\n"

#define NO_MEMORY "SERVER_ERROR out of memory storing object\r\n"
#define TOO_LARGE "SERVER_ERROR object too large for cache\r\n"

static struct command_fixture fixture;

static void say(const char *text, const char *expected)
{
    command_fixture_say(&fixture, text, expected);
}

static void moved(const char *expected)
{
    command_fixture_expect_metrics(&fixture, expected);
}

/* A store that takes less than the parser lets through. */
static void open_with_limit(size_t max_value_bytes)
{
    command_fixture_open(&fixture);
    store_destroy(&fixture.store.store);
    fixture.store.config.max_value_bytes = max_value_bytes;
    fixture_start(&fixture.store);
    fixture.shared.store = fixture.store.store;
}

/* set, add and replace of keys that are there, are not, and have expired. */
START_TEST(test_store)
{
    static const struct command_step steps[] = {
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
    static const struct command_step when_expired[] = {
        {"replace k 0 100 1\r\nf\r\n", "NOT_STORED\r\n", "cmd_set=1"},
        {"add k 0 100 1\r\ng\r\n", "STORED\r\n", "cmd_set=1"},
    };

    command_fixture_open(&fixture);
    COMMAND_CONVERSE(&fixture, steps);
    command_fixture_advance(&fixture, 100);
    COMMAND_CONVERSE(&fixture, when_expired);
    command_fixture_advance(&fixture, 100);
    say("set k 0 0 1\r\nh\r\n", "STORED\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* append and prepend add to what is there; what they are sent beside the data is ignored. */
START_TEST(test_join)
{
    static const struct command_step steps[] = {
        {"append k 0 0 1\r\na\r\n", "NOT_STORED\r\n", "cmd_set=1"},
        {"prepend k 0 0 1\r\na\r\n", "NOT_STORED\r\n", "cmd_set=1"},
        {"set k 7 10 1\r\nb\r\n", "STORED\r\n", "cmd_set=1"},
        {"append k 9 -1 1\r\nc\r\n", "STORED\r\n", "cmd_set=1"},
        {"prepend k 9 100 1\r\na\r\n", "STORED\r\n", "cmd_set=1"},
        {"gets k\r\n", "VALUE k 7 3 3\r\nabc\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"append k 0 0 0 noreply\r\n\r\n", "", "cmd_set=1"},
        {"gets k\r\n", "VALUE k 7 3 4\r\nabc\r\nEND\r\n", "cmd_get=1 get_hits=1"},
    };
    static const struct command_step when_expired[] = {
        {"append k 0 0 1\r\na\r\n", "NOT_STORED\r\n", "cmd_set=1"},
    };

    command_fixture_open(&fixture);
    COMMAND_CONVERSE(&fixture, steps);
    command_fixture_advance(&fixture, 10);
    COMMAND_CONVERSE(&fixture, when_expired);
    command_fixture_close(&fixture);
}
END_TEST

/* Together they would be too large: as memcached says it, and counted as no refusal of the size. */
START_TEST(test_join_too_large)
{
    static const struct command_step steps[] = {
        {"set k 0 0 6\r\n123456\r\n", "STORED\r\n", "cmd_set=1"},
        {"append k 0 0 5\r\nabcde\r\n", "NOT_STORED\r\n", "cmd_set=1"},
        {"prepend k 0 0 5\r\nabcde\r\n", "NOT_STORED\r\n", "cmd_set=1"},
        {"append k 0 0 5 noreply\r\nabcde\r\n", "", "cmd_set=1"},
        {"append k 0 0 4\r\nabcd\r\n", "STORED\r\n", "cmd_set=1"},
        {"get k\r\n", "VALUE k 0 10\r\n123456abcd\r\nEND\r\n", "cmd_get=1 get_hits=1"},
    };

    open_with_limit(10);
    COMMAND_CONVERSE(&fixture, steps);
    command_fixture_close(&fixture);
}
END_TEST

/* cas stores over the version that was told, and says why when it does not. */
START_TEST(test_cas)
{
    static const struct command_step steps[] = {
        {"cas k 0 0 1 1\r\na\r\n", "NOT_FOUND\r\n", "cmd_set=1 cas_misses=1"},
        {"set k 0 10 1\r\na\r\n", "STORED\r\n", "cmd_set=1"},
        {"cas k 0 0 1 0\r\nb\r\n", "EXISTS\r\n", "cmd_set=1 cas_badval=1"},
        {"cas k 0 0 1 2\r\nb\r\n", "EXISTS\r\n", "cmd_set=1 cas_badval=1"},
        {"cas k 0 0 1 18446744073709551615\r\nb\r\n", "EXISTS\r\n", "cmd_set=1 cas_badval=1"},
        {"cas k 5 20 2 1\r\nbb\r\n", "STORED\r\n", "cmd_set=1 cas_hits=1"},
        {"gets k\r\n", "VALUE k 5 2 2\r\nbb\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"cas k 5 20 1 1 noreply\r\nc\r\n", "", "cmd_set=1 cas_badval=1"},
        {"cas k 5 20 1 2 noreply\r\nc\r\n", "", "cmd_set=1 cas_hits=1"},
        {"gets k\r\n", "VALUE k 5 1 3\r\nc\r\nEND\r\n", "cmd_get=1 get_hits=1"},
    };
    static const struct command_step later[] = {
        {"gets k\r\n", "VALUE k 5 1 3\r\nc\r\nEND\r\n", "cmd_get=1 get_hits=1"},
    };
    static const struct command_step when_expired[] = {
        {"cas k 0 0 1 3\r\na\r\n", "NOT_FOUND\r\n", "cmd_set=1 cas_misses=1"},
    };

    command_fixture_open(&fixture);
    COMMAND_CONVERSE(&fixture, steps);
    command_fixture_advance(&fixture, 19);
    COMMAND_CONVERSE(&fixture, later);
    command_fixture_advance(&fixture, 1);
    COMMAND_CONVERSE(&fixture, when_expired);
    command_fixture_close(&fixture);
}
END_TEST

/* incr and decr of numbers, of what is none, of what is not there. */
START_TEST(test_count)
{
    static const char not_a_number[] =
        "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
    static const char bad_delta[] = "CLIENT_ERROR invalid numeric delta argument\r\n";
    const struct command_step steps[] = {
        {"incr n 1\r\n", "NOT_FOUND\r\n", "incr_misses=1"},
        {"decr n 1\r\n", "NOT_FOUND\r\n", "decr_misses=1"},
        {"decr n 1 noreply\r\n", "", "decr_misses=1"},
        {"set n 7 10 2\r\n10\r\n", "STORED\r\n", "cmd_set=1"},
        {"incr n 5\r\n", "15\r\n", "incr_hits=1"},
        {"decr n 6\r\n", "9\r\n", "decr_hits=1"},
        {"gets n\r\n", "VALUE n 7 1 3\r\n9\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"decr n 10\r\n", "0\r\n", "decr_hits=1"},
        {"incr n 18446744073709551615\r\n", "18446744073709551615\r\n", "incr_hits=1"},
        {"incr n 3\r\n", "2\r\n", "incr_hits=1"},
        {"incr n 3 noreply\r\n", "", "incr_hits=1"},
        {"decr n 1 noreply\r\n", "", "decr_hits=1"},
        {"get n\r\n", "VALUE n 7 1\r\n4\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"incr n x\r\n", bad_delta, "protocol_errors=1"},
        {"set w 0 0 1\r\nx\r\n", "STORED\r\n", "cmd_set=1"},
        {"incr w 1\r\n", not_a_number, ""},
        {"decr w 1\r\n", not_a_number, ""},
        {"decr w 1 noreply\r\n", "", ""},
    };
    static const struct command_step when_expired[] = {
        {"incr n 1\r\n", "NOT_FOUND\r\n", "incr_misses=1"},
    };

    command_fixture_open(&fixture);
    COMMAND_CONVERSE(&fixture, steps);
    command_fixture_advance(&fixture, 10);
    COMMAND_CONVERSE(&fixture, when_expired);
    command_fixture_close(&fixture);
}
END_TEST

/* A session of one second that is stored while its shard's time is a second ahead of the worker's. */
START_TEST(test_relative_exptimes_count_from_the_shard)
{
    command_fixture_open(&fixture);
    say("set k 0 0 1\r\na\r\n", "STORED\r\n");
    command_fixture_advance(&fixture, 1);
    say("get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n");
    command_fixture_advance(&fixture, -1);
    say("set k 0 1 1\r\nb\r\n", "STORED\r\n");
    say("get k\r\n", "VALUE k 0 1\r\nb\r\nEND\r\n");
    say("touch k 1\r\n", "TOUCHED\r\n");
    say("gat 1 k\r\n", "VALUE k 0 1\r\nb\r\nEND\r\n");
    say("get k\r\n", "VALUE k 0 1\r\nb\r\nEND\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* The same words with noreply: nothing is answered, all is done and counted. */
START_TEST(test_noreply)
{
    static const struct command_step steps[] = {
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
    COMMAND_CONVERSE(&fixture, steps);
    command_fixture_close(&fixture);
}
END_TEST

/* delete of keys that are there, are not, and have expired. */
START_TEST(test_delete)
{
    static const struct command_step steps[] = {
        {"delete k\r\n", "NOT_FOUND\r\n", "delete_misses=1"},
        {"set k 0 10 1\r\na\r\n", "STORED\r\n", "cmd_set=1"},
        {"delete k 0\r\n", "DELETED\r\n", "delete_hits=1"},
        {"get k\r\n", "END\r\n", "cmd_get=1 get_misses=1"},
        {"set k 0 10 1\r\na\r\n", "STORED\r\n", "cmd_set=1"},
    };

    command_fixture_open(&fixture);
    COMMAND_CONVERSE(&fixture, steps);
    command_fixture_advance(&fixture, 10);
    say("delete k\r\n", "NOT_FOUND\r\n");
    moved("delete_misses=1");
    command_fixture_close(&fixture);
}
END_TEST

/* touch gives more time, less, and none; the CAS id stays. */
START_TEST(test_touch)
{
    static const struct command_step steps[] = {
        {"touch k 10\r\n", "NOT_FOUND\r\n", "cmd_touch=1 touch_misses=1"},
        {"set k 7 10 1\r\na\r\n", "STORED\r\n", "cmd_set=1"},
        {"touch k 20\r\n", "TOUCHED\r\n", "cmd_touch=1 touch_hits=1"},
        {"gets k\r\n", "VALUE k 7 1 1\r\na\r\nEND\r\n", "cmd_get=1 get_hits=1"},
    };
    static const struct command_step later[] = {
        {"get k\r\n", "VALUE k 7 1\r\na\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"touch k -1\r\n", "TOUCHED\r\n", "cmd_touch=1 touch_hits=1"},
        {"touch k 10\r\n", "NOT_FOUND\r\n", "cmd_touch=1 touch_misses=1"},
        {"get k\r\n", "END\r\n", "cmd_get=1 get_misses=1"},
        {"set k 0 10 1\r\na\r\n", "STORED\r\n", "cmd_set=1"},
    };

    command_fixture_open(&fixture);
    COMMAND_CONVERSE(&fixture, steps);
    command_fixture_advance(&fixture, 19);
    COMMAND_CONVERSE(&fixture, later);
    command_fixture_advance(&fixture, 10);
    say("touch k 10\r\n", "NOT_FOUND\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* A deadline that has passed on arrival: the ordinary answer, nothing is kept, a live key is gone. */
START_TEST(test_dead_on_arrival)
{
    static const struct command_step steps[] = {
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
    COMMAND_CONVERSE(&fixture, steps);
    command_fixture_close(&fixture);
}
END_TEST

/* The parser's refusals: the counters tell size from form, noreply silences what need not close. */
START_TEST(test_reject)
{
    static const struct command_step steps[] = {
        {"bogus\r\n", "ERROR\r\n", "protocol_errors=1"},
    };
    static char line[2 << 20];
    int used = snprintf(line, sizeof line, "set k 0 0 1048577\r\n");

    command_fixture_open(&fixture);
    say("version\r\n", "VERSION 1.6.18\r\n");
    COMMAND_CONVERSE(&fixture, steps);
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
    static const struct command_step steps[] = {
        {"set k 0 0 11\r\n12345678901\r\n", TOO_LARGE, "cmd_set=1 store_too_large=1"},
        {"cas k 0 0 11 1\r\n12345678901\r\n", TOO_LARGE, "cmd_set=1 store_too_large=1"},
    };

    open_with_limit(10);
    COMMAND_CONVERSE(&fixture, steps);
    command_fixture_close(&fixture);
}
END_TEST

static void set_old(unsigned number, size_t size, enum sess_status *status)
{
    static uint8_t value[1 << 20];
    char key[32];

    memset(value, '1', size);
    (void)snprintf(key, sizeof key, "old:%u", number);
    *status = fixture_write_slice(&fixture.store, STORE_SET, key, slice_of(value, size), 0,
                                  STORE_NO_DEADLINE);
}

/* Fill the memory, what is kept back for live sessions too: the first of N_OLD sessions `old:N` get
 * larger, until not even 20 bytes find a place. Returns the number of the first that is still "1". */
static unsigned exhaust_memory(void)
{
    enum { N_OLD = 20000 };
    static const size_t sizes[] = {1 << 20, 16000, 1000, 100, 20};
    unsigned number = 0;
    enum sess_status status;

    for (unsigned i = 0; i < N_OLD; i++) {
        set_old(i, 1, &status);
        HOT_ASSERT(status == SESS_OK);
    }
    command_fixture_fill(&fixture, 16000);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (status = SESS_OK; status == SESS_OK; number += status == SESS_OK) {
            HOT_ASSERT(number < N_OLD);
            set_old(number, sizes[i], &status);
        }
        ck_assert_int_eq(status, SESS_NO_MEMORY);
    }
    return number;
}

/* There is no memory: an error, counted, and the old value stays. What needs none still works. */
START_TEST(test_no_memory)
{
    char key[32];
    char text[128];
    char reply[64];

    command_fixture_open(&fixture);
    (void)snprintf(key, sizeof key, "old:%u", exhaust_memory());
    (void)snprintf(text, sizeof text, "set %s 0 0 20\r\n12345678901234567890\r\n", key);
    say(text, NO_MEMORY);
    moved("cmd_set=1 store_no_memory=1");
    (void)snprintf(text, sizeof text, "append %s 0 0 20 noreply\r\n12345678901234567890\r\n", key);
    say(text, "");
    moved("cmd_set=1 store_no_memory=1");
    (void)snprintf(text, sizeof text, "incr %s 18446744073709551614\r\n", key);
    say(text, NO_MEMORY);
    moved("store_no_memory=1");
    (void)snprintf(text, sizeof text, "get %s\r\n", key);
    (void)snprintf(reply, sizeof reply, "VALUE %s 0 1\r\n1\r\nEND\r\n", key);
    say(text, reply);
    (void)snprintf(text, sizeof text, "incr %s 1\r\n", key);
    say(text, "2\r\n");
    (void)snprintf(text, sizeof text, "touch %s 253402300799\r\n", key);
    say(text, "TOUCHED\r\n");
    (void)snprintf(text, sizeof text, "delete %s\r\n", key);
    say(text, "DELETED\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* The journal refuses: each change says so, noreply or not, and is not done; reads go on. */
START_TEST(test_refused)
{
    static const struct command_step steps[] = {
        {"set k 0 0 1\r\nb\r\n", REFUSED, "cmd_set=1"},
        {"delete k\r\n", REFUSED, ""},
        {"touch k 5\r\n", REFUSED, "cmd_touch=1"},
        {"set k 0 0 1 noreply\r\nb\r\n", "", "cmd_set=1"},
        {"append k 0 0 1\r\nb\r\n", REFUSED, "cmd_set=1"},
        {"cas k 0 0 1 1\r\nb\r\n", REFUSED, "cmd_set=1"},
        {"incr n 1\r\n", REFUSED, ""},
        {"decr n 1 noreply\r\n", "", ""},
        {"delete k noreply\r\n", "", ""},
        {"get n\r\n", "VALUE n 0 1\r\n5\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n", "cmd_get=1 get_hits=1"},
        {"delete none\r\n", "NOT_FOUND\r\n", "delete_misses=1"},
    };

    command_fixture_open(&fixture);
    say("set k 0 0 1\r\na\r\nset n 0 0 1\r\n5\r\n", "STORED\r\nSTORED\r\n");
    moved("cmd_set=2");
    fixture.store.recorder.answer = MUTATION_REFUSED;
    COMMAND_CONVERSE(&fixture, steps);
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
    try_busy("append k 0 0 1\r\nb\r\n", "STORED\r\n");
    moved("cmd_set=1");
    try_busy("cas k 0 0 1 2\r\n5\r\n", "STORED\r\n");
    moved("cmd_set=1 cas_hits=1");
    try_busy("incr k 1\r\n", "6\r\n");
    moved("incr_hits=1");
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
    ck_assert_uint_eq(fixture.context.tickets.seen, 0);
    say("set k 0 0 1\r\na\r\n", "STORED\r\n");
    ck_assert_uint_eq(fixture.context.tickets.seen, 1);
    say("set other 0 0 1\r\na\r\n", "STORED\r\n");
    ck_assert_uint_eq(fixture.context.tickets.seen, 2);
    say("get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n");
    ck_assert_uint_eq(fixture.context.tickets.seen, 2);
    fixture.context.tickets = (struct store_tickets){.seen = 0};
    say("get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n");
    ck_assert_uint_eq(fixture.context.tickets.seen, 1);
    say("touch k 100\r\n", "TOUCHED\r\n");
    ck_assert_uint_eq(fixture.context.tickets.seen, 3);
    say("delete k\r\n", "DELETED\r\n");
    ck_assert_uint_eq(fixture.context.tickets.seen, 4);
    fixture.context.tickets = (struct store_tickets){.seen = 0};
    say("get k\r\n", "END\r\n");
    ck_assert_uint_eq(fixture.context.tickets.seen, 4);
    fixture.context.tickets = (struct store_tickets){.seen = 0};
    say("add other 0 0 1\r\nb\r\n", "NOT_STORED\r\n");
    ck_assert_uint_eq(fixture.context.tickets.seen, 2);
    command_fixture_close(&fixture);
}
END_TEST

/* What each command waits for, behind a session that was stored (1), and two changes of its shard: one
 * that took it away (2) and one that brought another one (3). Whatever comes of a command, a word for
 * silence included, it waits for the shard's last change and for its last revocation; a look does not. */
START_TEST(test_tickets_by_command)
{
    static const struct {
        const char *text;
        const char *reply;
        struct store_tickets tickets;
    } rows[] = {
        {"get k\r\n", "VALUE k 0 1\r\n5\r\nEND\r\n", {3, 0, 0}},
        {"gets k\r\n", "VALUE k 0 1 2\r\n5\r\nEND\r\n", {3, 0, 0}},
        {"version\r\n", "VERSION 1.6.18\r\n", {0, 0, 0}},
        {"set k 0 0 1\r\na\r\n", "STORED\r\n", {4, 4, 2}},
        {"set k 0 0 1 noreply\r\na\r\n", "", {4, 4, 2}},
        {"set k 0 -1 1\r\na\r\n", "STORED\r\n", {4, 4, 4}},
        {"add k 0 0 1\r\na\r\n", "NOT_STORED\r\n", {3, 3, 2}},
        {"add k 0 0 1 noreply\r\na\r\n", "", {3, 3, 2}},
        {"cas k 0 0 1 1\r\na\r\n", "EXISTS\r\n", {3, 3, 2}},
        {"append k 0 0 1\r\n0\r\n", "STORED\r\n", {4, 4, 2}},
        {"touch k 0\r\n", "TOUCHED\r\n", {3, 3, 2}},
        {"touch k -1\r\n", "TOUCHED\r\n", {4, 4, 4}},
        {"touch k -1 noreply\r\n", "", {4, 4, 4}},
        {"gat 0 k\r\n", "VALUE k 0 1\r\n5\r\nEND\r\n", {3, 3, 2}},
        {"incr k 1\r\n", "6\r\n", {4, 4, 2}},
        {"decr k 1 noreply\r\n", "", {4, 4, 2}},
        {"delete k\r\n", "DELETED\r\n", {4, 4, 4}},
        {"delete k noreply\r\n", "", {4, 4, 4}},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        command_fixture_open(&fixture);
        say("set k 0 0 1\r\n5\r\ndelete k\r\nset k 0 0 1\r\n5\r\n",
            "STORED\r\nDELETED\r\nSTORED\r\n");
        fixture.context.tickets = (struct store_tickets){.seen = 0};
        say(rows[i].text, rows[i].reply);
        ck_assert_uint_eq(fixture.context.tickets.seen, rows[i].tickets.seen);
        ck_assert_uint_eq(fixture.context.tickets.changed, rows[i].tickets.changed);
        ck_assert_uint_eq(fixture.context.tickets.revoked, rows[i].tickets.revoked);
        command_fixture_close(&fixture);
    }
}
END_TEST

/* A logout that is tried again, in each of its forms, waits for the first one. */
START_TEST(test_retried_logout)
{
    static const struct {
        const char *text;
        const char *reply;
    } rows[] = {
        {"delete k\r\n", "NOT_FOUND\r\n"},
        {"touch k -1\r\n", "NOT_FOUND\r\n"},
        {"gat -1 k\r\n", "END\r\n"},
        {"set k 0 -1 1\r\na\r\n", "STORED\r\n"},
        {"replace k 0 -1 1\r\na\r\n", "NOT_STORED\r\n"},
        {"cas k 0 -1 1 1\r\na\r\n", "NOT_FOUND\r\n"},
        {"incr k 1\r\n", "NOT_FOUND\r\n"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        command_fixture_open(&fixture);
        say("set k 0 0 1\r\n5\r\ndelete k\r\n", "STORED\r\nDELETED\r\n");
        fixture.context.tickets = (struct store_tickets){.seen = 0};
        say(rows[i].text, rows[i].reply);
        ck_assert_uint_eq(fixture.context.tickets.revoked, 2);
        ck_assert_uint_eq(fixture.context.tickets.changed, 2);
        command_fixture_close(&fixture);
    }
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

/* A session that is refused is told with a hash of its key: the same for the same key, another
 * for another key or by another salt. */
START_TEST(test_refused_is_logged)
{
    char lines[4][256];

    for (unsigned i = 0; i < 4; i++) {
        const char *found;

        command_fixture_open(&fixture);
        fixture.log_salt.low = i == 3;
        captured_start();
        fixture.limits.value_max = 4;
        ck_assert_int_eq(
            command_fixture_run(&fixture, i == 2 ? SLICE_LITERAL("set other 0 0 5\r\nvalue\r\n")
                                                 : SLICE_LITERAL("set secret 0 0 5\r\nvalue\r\n")),
            SESS_OK);
        (void)snprintf(lines[i], sizeof lines[i], "%s", captured_end());
        found = strstr(lines[i], "a session of 5 bytes from 127.0.0.1:4711, key #");
        ck_assert_ptr_nonnull(found);
        ck_assert_ptr_nonnull(
            strstr(found, ", was refused: SERVER_ERROR object too large for cache\n"));
        ck_assert_ptr_null(strstr(lines[i], "secret"));
        ck_assert_ptr_null(strstr(lines[i], "other"));
        memmove(lines[i], strchr(found, '#'), 10);
        lines[i][10] = '\0';
        ck_assert_int_eq(lines[i][9], ',');
        command_fixture_close(&fixture);
    }
    ck_assert_str_eq(lines[0], lines[1]);
    ck_assert_str_ne(lines[0], lines[2]);
    ck_assert_str_ne(lines[0], lines[3]);
}
END_TEST

SUITE_MAIN("command/session", test_refused_is_logged, test_store, test_join, test_join_too_large,
           test_cas, test_count, test_relative_exptimes_count_from_the_shard, test_noreply,
           test_delete, test_touch, test_dead_on_arrival, test_reject, test_store_says_too_large,
           test_no_memory, test_refused, test_busy, test_ticket_rises, test_tickets_by_command,
           test_retried_logout, test_no_room_for_a_reply, test_tick)
