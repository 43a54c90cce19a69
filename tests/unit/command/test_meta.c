/* Unit tests of the meta commands: what tests/protocol/meta.seq cannot bring about. What waits, is refused or finds
 * no memory has changed nothing; and what each reply must wait for. */
#include "sessiond/command/command.h"

#include "command_fixture.h"
#include "faults.h"
#include "suite_main.h"

#include <stdio.h>
#include <stdlib.h>

#define REFUSED "SERVER_ERROR changes are refused, see the log of sessiond\r\n"
#define NO_MEMORY "SERVER_ERROR out of memory storing object\r\n"

static struct command_fixture fixture;

static void say(const char *text, const char *expected)
{
    command_fixture_say(&fixture, text, expected);
}

static void forget_tickets(void)
{
    fixture.context.tickets = (struct store_tickets){.seen = 0};
}

/* Commands that change, upon a session that is stale. */
static const char *const changes[] = {
    "ms k 3\r\nnew\r\n", "ms k 1 MA\r\nx\r\n", "md k\r\n",      "md k I\r\n",    "md k x\r\n",
    "ma k\r\n",          "mg k T50\r\n",       "mg new N9\r\n", "ma new N9\r\n",
};

START_TEST(test_waits_and_is_refused)
{
    struct slice text = slice_from_text(changes[_i]);

    command_fixture_open(&fixture);
    say("ms k 1 T100 F7\r\n1\r\nmd k I\r\n", "HD\r\nHD\r\n");
    fixture.store.recorder.answer = MUTATION_BUSY;
    buffer_clear(&fixture.out, 0);
    ck_assert_int_eq(command_fixture_run(&fixture, text), SESS_BUSY);
    ck_assert_uint_eq(fixture.out.size, 0);
    fixture.store.recorder.answer = MUTATION_REFUSED;
    say(changes[_i], REFUSED);
    fixture.store.recorder.answer = MUTATION_ACCEPTED;
    say("mg new\r\n", "EN\r\n");
    say("mg k v f t\r\n", "VA 1 f7 t100 X W\r\n1\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* What changed, or would have, waits for the disk; what only looked, or won, does not. */
START_TEST(test_tickets)
{
    static const struct {
        const char *text;
        bool waits;
    } rows[] = {
        {"mg k\r\n", false},         {"mg none\r\n", false},       {"me k\r\n", false},
        {"mg k R1000\r\n", false},   {"mg k T50\r\n", true},       {"mg none T50\r\n", true},
        {"mg k N9\r\n", true},       {"mg none q N9\r\n", true},   {"md k q\r\n", true},
        {"md none q\r\n", true},     {"md k I q\r\n", true},       {"ma k q\r\n", true},
        {"ms k 1 q\r\n2\r\n", true}, {"ms k 1 ME\r\n2\r\n", true}, {"mn\r\n", false},
    };
    const struct store_tickets *tickets = &fixture.context.tickets;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        command_fixture_open(&fixture);
        say("ms k 1 T100\r\n1\r\nms none 1\r\n1\r\nmd none\r\n", "HD\r\nHD\r\nHD\r\n");
        forget_tickets();
        ck_assert_int_eq(command_fixture_run(&fixture, slice_from_text(rows[i].text)), SESS_OK);
        ck_assert_msg((tickets->changed > 0) == rows[i].waits, "%s", rows[i].text);
        command_fixture_close(&fixture);
    }
}
END_TEST

START_TEST(test_no_memory)
{
    command_fixture_open(&fixture);
    say("ms k 1\r\n1\r\n", "HD\r\n");
    fixture.store.data.limit = budget_used(&fixture.store.data);
    command_fixture_fill(&fixture, 100);
    say("mg none N9\r\n", NO_MEMORY);
    say("ma none N9\r\n", NO_MEMORY);
    say("ms none 1 MA N9\r\nx\r\n", NO_MEMORY);
    say("ms none 1 q\r\nx\r\n", NO_MEMORY);
    say("md k I\r\nmg k v\r\n", "HD\r\nVA 1 X W\r\n1\r\n");
    fixture.store.data.limit = SIZE_MAX;
    command_fixture_close(&fixture);
}
END_TEST

/* A line of a key in base64 and all that is given back fits the room that is made for it. */
START_TEST(test_longest_reply)
{
    char line[1000];
    char reply[1000];
    char key[245];

    memset(key, 'a', 244);
    key[244] = '\0';
    command_fixture_open(&fixture);
    (void)snprintf(line, sizeof line,
                   "ms %s 0 b F4294967295 E18446744073709551614 q\r\n\r\n"
                   "mg %s b k Oxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx c f h l s t v\r\n",
                   key, key);
    (void)snprintf(reply, sizeof reply,
                   "VA 0 k%s b Oxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx c18446744073709551614 f4294967295 "
                   "h0 l0 s0 t-1\r\n\r\n",
                   key);
    say(line, reply);
    command_fixture_close(&fixture);
}
END_TEST

/* There is room for a fixed line but not for all that a meta reply may be: nothing has changed, and the connection
 * closes instead of guessing. */
START_TEST(test_no_room_for_a_reply)
{
    static const struct {
        const char *text;
        const char *reply;
    } rows[] = {{"ms k 1\r\n2\r\n", ""},
                {"md k\r\n", ""},
                {"ma k\r\n", ""},
                {"me k\r\n", ""},
                {"mg k v T9\r\n", "SERVER_ERROR out of memory writing get response\r\n"}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        command_fixture_open(&fixture);
        say("ms k 1\r\n1\r\n", "HD\r\n");
        faults_fail_allocation(2);
        say(rows[i].text, rows[i].reply);
        ck_assert(fixture.context.must_close);
        fixture.context.must_close = false;
        say("mg k v t\r\n", "VA 1 t-1\r\n1\r\n");
        command_fixture_close(&fixture);
    }
}
END_TEST

/* Say the line, a block of `size` bytes behind it. */
static void say_large(const char *line, size_t size, const char *expected)
{
    char *text = malloc(strlen(line) + size + 3);
    struct slice bytes = slice_of(text, strlen(line) + size + 2);

    ck_assert_ptr_nonnull(text);
    (void)memcpy(text, line, strlen(line));
    (void)memset(text + strlen(line), 'x', size);
    (void)memcpy(text + strlen(line) + size, "\r\n", 3);
    buffer_clear(&fixture.out, 0);
    ck_assert_int_eq(command_fixture_run(&fixture, bytes), SESS_OK);
    ck_assert(slice_is(buffer_slice(&fixture.out), expected));
    free(text);
}

/* What is sent is within the limit, but not what it would be joined to: that is not stored, as memcached has it. */
START_TEST(test_joined_it_is_too_large)
{
    command_fixture_open(&fixture);
    say_large("ms k 1048576\r\n", 1 << 20, "HD\r\n");
    say("ms k 1 MA\r\nx\r\nms k 1 MP k\r\nx\r\nmg k s\r\n", "NS\r\nNS kk\r\nHD s1048576\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* A large value that the client has already is not sent, nor stays charged: the fixture looks when it closes. */
START_TEST(test_large_value_that_is_known)
{
    command_fixture_open(&fixture);
    say_large("ms k 20000 E5\r\n", 20000, "HD\r\n");
    say("mg k v C5 c s\r\n", "HD c5 s20000\r\n");
    ck_assert_uint_eq(budget_used(&fixture.replies), 0);
    command_fixture_close(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("command/meta");
    TCase *facts = suite_case(suite, "meta commands");

    tcase_add_loop_test(facts, test_waits_and_is_refused, 0, sizeof changes / sizeof changes[0]);
    tcase_add_test(facts, test_tickets);
    tcase_add_test(facts, test_no_memory);
    tcase_add_test(facts, test_longest_reply);
    tcase_add_test(facts, test_no_room_for_a_reply);
    tcase_add_test(facts, test_joined_it_is_too_large);
    tcase_add_test(facts, test_large_value_that_is_known);
    return suite_run(suite);
}
