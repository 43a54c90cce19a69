/* Unit tests of what the environment says of sockets that were handed over. */
#include "activation.h"

#include "captured.h"
#include "suite_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct activation handed;
static struct sess_error error;

static void set(const char *name, const char *value)
{
    ck_assert_int_eq(value == NULL ? unsetenv(name) : setenv(name, value, 1), 0);
}

/* Of sockets that are for this process. */
static enum sess_status read_with(const char *count, const char *names)
{
    char pid[32];

    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    set("LISTEN_PID", pid);
    set("LISTEN_FDS", count);
    set("LISTEN_FDNAMES", names);
    return activation_read(&handed, &error);
}

/* Names, and the roles that they are. */
START_TEST(test_roles)
{
    ck_assert_int_eq(read_with("3", "data:admin:data"), SESS_OK);
    ck_assert_uint_eq(handed.n_sockets, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(handed.sockets[i].fd, 3 + (int)i);
        ck_assert_int_eq(handed.sockets[i].role, i == 1 ? NET_ROLE_ADMIN : NET_ROLE_DATA);
    }
    ck_assert_int_eq(read_with("2", NULL), SESS_OK);
    ck_assert_uint_eq(handed.n_sockets, 2);
    ck_assert_int_eq(handed.sockets[1].role, NET_ROLE_DATA);
}
END_TEST

/* None: nothing was said, there are none, or they are for somebody else. */
START_TEST(test_none)
{
    static const char *const pids[] = {NULL, "", "1", "x", "-1", "99999999999999999999"};

    ck_assert_int_eq(read_with("0", ""), SESS_OK);
    ck_assert_uint_eq(handed.n_sockets, 0);
    ck_assert_int_eq(read_with(NULL, "data"), SESS_OK);
    ck_assert_uint_eq(handed.n_sockets, 0);
    for (size_t i = 0; i < sizeof pids / sizeof pids[0]; i++) {
        set("LISTEN_FDS", "1");
        set("LISTEN_PID", pids[i]);
        ck_assert_int_eq(activation_read(&handed, &error), SESS_OK);
        ck_assert_uint_eq(handed.n_sockets, 0);
    }
}
END_TEST

/* A role is never guessed. */
START_TEST(test_refused)
{
    static const struct {
        const char *count;
        const char *names;
        enum sess_status status;
        const char *text;
    } rows[] = {
        {"1", "sessiond.socket", SESS_INVALID, "by the name 'sessiond.socket'"},
        {"1", "", SESS_INVALID, "by the name ''"},
        {"2", "data", SESS_INVALID, "by the name ''"},
        {"1", "Data", SESS_INVALID, "by the name 'Data'"},
        {"1", "dataadmin", SESS_INVALID, "by the name 'dataadmin'"},
        {"", NULL, SESS_INVALID, "LISTEN_FDS: ''"},
        {"-1", NULL, SESS_INVALID, "LISTEN_FDS: '-1'"},
        {"1x", NULL, SESS_INVALID, "LISTEN_FDS: '1x'"},
        {"17", NULL, SESS_OUT_OF_RANGE, "17 sockets were handed over"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(read_with(rows[i].count, rows[i].names), rows[i].status);
        ck_assert_ptr_nonnull(strstr(error.text, rows[i].text));
    }
    ck_assert_int_eq(read_with("16", NULL), SESS_OK);
    ck_assert_uint_eq(handed.n_sockets, NET_INHERITED_MAX);
}
END_TEST

/* The log names the options that are not looked at, and no others. */
START_TEST(test_tell)
{
    const char *log;

    ck_assert_int_eq(read_with("2", "data:data"), SESS_OK);
    captured_start();
    activation_tell(&handed);
    log = captured_end();
    ck_assert_ptr_nonnull(
        strstr(log, " listen is not looked at: sockets for data were handed over, 2 of them"));
    ck_assert_ptr_null(strstr(log, "admin-listen"));
}
END_TEST

SUITE_MAIN("daemon/activation", test_roles, test_none, test_refused, test_tell)
