/* Unit tests of when the service manager is told, by its environment. What it is told is tests/service. */
#include "supervisor.h"

#include "suite_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct supervisor supervisor;
static struct sess_error error;

static void set(const char *name, const char *value)
{
    ck_assert_int_eq(value == NULL ? unsetenv(name) : setenv(name, value, 1), 0);
}

static void open_with(const char *socket, const char *usec, const char *pid)
{
    set("NOTIFY_SOCKET", socket);
    set("WATCHDOG_USEC", usec);
    set("WATCHDOG_PID", pid);
    ck_assert_int_eq(supervisor_open(&supervisor, &error), SESS_OK);
}

/* Four looks within the watchdog's time, and one in 10 s at least; a watchdog of another process is none. */
START_TEST(test_looks)
{
    char self[32];

    (void)snprintf(self, sizeof self, "%d", (int)getpid());
    {
        const struct {
            const char *usec;
            const char *pid;
            bool has_watchdog;
            uint64_t look_us;
        } rows[] = {
            {NULL, NULL, false, 10000000},
            {"30000000", self, true, 7500000},
            {"30000000", NULL, true, 7500000},
            {"30000000", "1", false, 10000000},
            {"30000000", "x", false, 10000000},
            {"3600000000", self, true, 10000000},
            {"4", NULL, true, 1},
            {"0", NULL, false, 10000000},
            {"x", NULL, false, 10000000},
        };

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            open_with("/nonexistent/manager", rows[i].usec, rows[i].pid);
            ck_assert_int_eq(supervisor.has_watchdog, rows[i].has_watchdog);
            ck_assert_uint_eq(supervisor.look_us, rows[i].look_us);
            supervisor_close(&supervisor);
        }
    }
}
END_TEST

/* There are looks from the ready line on, and none where there is nobody to tell. */
START_TEST(test_begin)
{
    struct itimerspec left;

    open_with("/nonexistent/manager", "4000000", NULL);
    ck_assert_int_eq(timerfd_gettime(supervisor_fd(&supervisor), &left), 0);
    ck_assert_int_eq(left.it_value.tv_sec + left.it_value.tv_nsec, 0);
    ck_assert(!supervisor_is_due(&supervisor));
    supervisor_ready(&supervisor, 0);
    ck_assert_int_eq(timerfd_gettime(supervisor_fd(&supervisor), &left), 0);
    ck_assert_int_eq(left.it_interval.tv_sec, 1);
    supervisor_close(&supervisor);
    ck_assert_int_eq(supervisor_fd(&supervisor), -1);
    open_with(NULL, "4000000", NULL);
    supervisor_ready(&supervisor, 0);
    ck_assert_int_eq(supervisor_fd(&supervisor), -1);
    ck_assert(!supervisor_is_due(&supervisor));
    supervisor_close(&supervisor);
}
END_TEST

SUITE_MAIN("daemon/supervisor", test_looks, test_begin)
