/* Unit tests of lists of peers, on pairs of sockets of this process. */
#include "peers.h"

#include "suite_main.h"

#include <stdio.h>
#include <unistd.h>

static struct peers peers;
static struct sess_error error;

static enum sess_status parse(const char *text)
{
    return peers_parse(text, &peers, &error);
}

static void assert_row(size_t i, bool is_group, unsigned id)
{
    ck_assert_uint_lt(i, peers.n_rows);
    ck_assert_int_eq(peers.rows[i].is_group, is_group);
    ck_assert_uint_eq(peers.rows[i].id, id);
}

/* Names and numbers, users and groups, with blanks or without. */
START_TEST(test_parse)
{
    ck_assert_int_eq(parse("root,@root, 1000 ,@4294967294"), SESS_OK);
    ck_assert_uint_eq(peers.n_rows, 4);
    ck_assert(!peers.lets_all_in);
    assert_row(0, false, 0);
    assert_row(1, true, 0);
    assert_row(2, false, 1000);
    assert_row(3, true, 4294967294U);
    ck_assert_int_eq(parse(""), SESS_OK);
    ck_assert_uint_eq(peers.n_rows, 0);
}
END_TEST

/* What is wrong is told, with the word. */
START_TEST(test_parse_errors)
{
    static const struct {
        const char *text;
        enum sess_status status;
        const char *told;
    } rows[] = {
        {"root,,root", SESS_INVALID, "'' is no user"},
        {",", SESS_INVALID, "'' is no user"},
        {"@", SESS_INVALID, "'@' is no user"},
        {"no-such-user-here", SESS_NOT_FOUND, "no user 'no-such-user-here'"},
        {"root,@no-such-group-here", SESS_NOT_FOUND, "no group 'no-such-group-here'"},
        {"4294967295", SESS_NOT_FOUND, "no user '4294967295'"},
        {"-1", SESS_NOT_FOUND, "no user '-1'"},
    };
    char many[4 * PEERS_MAX + 8] = "";

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(parse(rows[i].text), rows[i].status);
        ck_assert_msg(strstr(error.text, rows[i].told) != NULL, "%s", error.text);
    }
    for (size_t i = 0; i < PEERS_MAX; i++) {
        (void)snprintf(many + strlen(many), sizeof many - strlen(many), "%s1", i == 0 ? "" : ",");
    }
    ck_assert_int_eq(parse(many), SESS_OK);
    ck_assert_uint_eq(peers.n_rows, PEERS_MAX);
    (void)snprintf(many + strlen(many), sizeof many - strlen(many), ",1");
    ck_assert_int_eq(parse(many), SESS_LIMIT);
}
END_TEST

/* The kernel says who is there; on something that is no socket it says nothing. */
START_TEST(test_identify)
{
    struct ucred who;
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_int_eq(peers_identify(ends[0], &who), SESS_OK);
    ck_assert_uint_eq(who.uid, geteuid());
    ck_assert_uint_eq(who.gid, getegid());
    ck_assert_int_eq(who.pid, getpid());
    ck_assert_int_eq(close(ends[0]), 0);
    ck_assert_int_eq(close(ends[1]), 0);
    ck_assert_int_eq(peers_identify(-1, &who), SESS_IO);
}
END_TEST

/* Strangers may not; root, the own user, and who is on the list by user or by one of its groups, may. */
START_TEST(test_may)
{
    const unsigned other = geteuid() == 7 ? 8 : 7;
    struct ucred stranger = {.pid = 1, .uid = other, .gid = 4711};
    struct ucred root = {.pid = 1, .uid = 0, .gid = 4711};
    struct ucred self = {.pid = 1, .uid = geteuid(), .gid = 4711};
    gid_t groups[256];
    int n_groups = getgroups(256, groups);
    char text[32];
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_int_eq(parse("4711,@4712"), SESS_OK);
    ck_assert(!peers_may(&peers, ends[0], &stranger));
    ck_assert(peers_may(&peers, ends[0], &root));
    ck_assert(peers_may(&peers, ends[0], &self));
    peers.lets_all_in = true;
    ck_assert(peers_may(&peers, ends[0], &stranger));
    (void)snprintf(text, sizeof text, "1,%u", other);
    ck_assert_int_eq(parse(text), SESS_OK);
    ck_assert(peers_may(&peers, ends[0], &stranger));
    ck_assert_int_eq(parse("1,@4711"), SESS_OK);
    ck_assert(peers_may(&peers, ends[0], &stranger));
    for (int i = 0; i < n_groups; i++) {
        (void)snprintf(text, sizeof text, "@%u", (unsigned)groups[i]);
        ck_assert_int_eq(parse(text), SESS_OK);
        ck_assert(peers_may(&peers, ends[0], &stranger));
    }
    ck_assert_int_eq(close(ends[0]), 0);
    ck_assert_int_eq(close(ends[1]), 0);
}
END_TEST

SUITE_MAIN("net/peers", test_parse, test_parse_errors, test_identify, test_may)
