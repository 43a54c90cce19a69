/* Unit tests of notices: where they go, and what becomes of them when nobody is there. */
#include "notifier.h"

#include "captured.h"
#include "suite_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];
static struct notifier notifier;

/* A manager's socket of that address. */
static int open_manager(const char *name, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, name, size);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)(const void *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)),
                     0);
    return fd;
}

static void open_with(const char *value)
{
    ck_assert_int_eq(value == NULL ? unsetenv("NOTIFY_SOCKET") : setenv("NOTIFY_SOCKET", value, 1),
                     0);
    notifier_open(&notifier);
}

static void expect_notice(int manager, const char *text)
{
    char notice[2048];
    ssize_t size = recv(manager, notice, sizeof notice - 1, MSG_DONTWAIT);

    ck_assert_int_ge(size, 0);
    notice[size] = '\0';
    ck_assert_str_eq(notice, text);
}

/* A path, and an abstract name, which has no end but its length. */
START_TEST(test_addresses)
{
    char name[64];
    int manager;

    (void)snprintf(path, sizeof path, "/tmp/sessiond-test-%d", (int)getpid());
    manager = open_manager(path, strlen(path) + 1);
    open_with(path);
    ck_assert(notifier_is_open(&notifier));
    notifier_tell(&notifier, "READY=1\nSTATUS=%d", 5);
    expect_notice(manager, "READY=1\nSTATUS=5");
    notifier_close(&notifier);
    ck_assert(!notifier_is_open(&notifier));
    ck_assert_int_eq(close(manager), 0);
    ck_assert_int_eq(unlink(path), 0);

    (void)snprintf(name, sizeof name, "@sessiond-test-%d", (int)getpid());
    open_with(name);
    name[0] = '\0';
    manager = open_manager(name, strlen(name + 1) + 1);
    notifier_tell(&notifier, "WATCHDOG=1");
    expect_notice(manager, "WATCHDOG=1");
    notifier_close(&notifier);
    ck_assert_int_eq(close(manager), 0);
}
END_TEST

/* Nobody to tell is no trouble; an address that is none is logged. */
START_TEST(test_nobody)
{
    static const char *const others[] = {"", "relative", "vsock:2:1"};
    char long_path[200];

    open_with(NULL);
    ck_assert(!notifier_is_open(&notifier));
    notifier_tell(&notifier, "READY=1");
    notifier_close(&notifier);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        captured_start();
        open_with(others[i]);
        ck_assert_ptr_nonnull(strstr(captured_end(), "NOTIFY_SOCKET is no unix socket"));
        ck_assert(!notifier_is_open(&notifier));
    }
    memset(long_path, '/', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    captured_start();
    open_with(long_path);
    ck_assert_ptr_nonnull(strstr(captured_end(), "NOTIFY_SOCKET is no unix socket"));
}
END_TEST

/* A manager that is gone is told of in the log, by the first line alone. */
START_TEST(test_gone)
{
    const char *log;

    open_with("/nonexistent/manager");
    captured_start();
    notifier_tell(&notifier, "READY=1\nSTATUS=secret");
    log = captured_end();
    ck_assert_ptr_nonnull(strstr(log, "could not be told 'READY=1': No such file"));
    ck_assert_ptr_null(strstr(log, "secret"));
    notifier_close(&notifier);
}
END_TEST

SUITE_MAIN("daemon/notifier", test_addresses, test_nobody, test_gone)
