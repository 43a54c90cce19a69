/* Unit tests of the daemon as a whole, in this process: how it starts, what signals do to it, and
 * the exit codes of starts that fail. */
#include "sessiond/daemon/daemon.h"

#include "captured.h"
#include "faults.h"
#include "settings_fixture.h"
#include "suite_main.h"
#include "wiring.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

static struct settings_fixture fixture;

/* The user that the tests run as, so that root may run them. */
static void open_settings(const char *words)
{
    settings_open(&fixture);
    ck_assert_int_eq(settings_read_line(
                         &fixture, "--listen 127.0.0.1:0 --memory 64m --threads 1 --data-dir none"),
                     SESS_OK);
    if (geteuid() == 0) {
        ck_assert_int_eq(settings_read_line(&fixture, "--user root"), SESS_OK);
    }
    ck_assert_int_eq(settings_read_line(&fixture, words), SESS_OK);
}

static enum exit_code run(void)
{
    return daemon_run(&fixture.settings, &fixture.registry, &fixture.line);
}

/* Whoever waits for the ready line, and sends signals then. */
struct bystander {
    pthread_t thread;
    int out;         /* the daemon's standard output */
    char ready[128]; /* what it said there */
    int last_signal;
};

static void *operate(void *context)
{
    struct bystander *self = context;
    size_t used = 0;

    while (used + 1 < sizeof self->ready && strchr(self->ready, '\n') == NULL) {
        ssize_t got = read(self->out, self->ready + used, sizeof self->ready - 1 - used);

        if (got <= 0) {
            break;
        }
        used += (size_t)got;
    }
    (void)kill(getpid(), SIGHUP);
    (void)kill(getpid(), self->last_signal);
    return NULL;
}

/* Run until this signal; returns what was logged. */
static const char *run_until(int last_signal, struct bystander *bystander)
{
    sigset_t signals;
    int ends[2];
    enum exit_code code;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, last_signal);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &signals, NULL), 0);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(dup2(ends[1], STDOUT_FILENO), 0);
    *bystander = (struct bystander){.out = ends[0], .last_signal = last_signal};
    ck_assert_int_eq(pthread_create(&bystander->thread, NULL, operate, bystander), 0);
    captured_start();
    code = run();
    ck_assert_int_eq(pthread_join(bystander->thread, NULL), 0);
    ck_assert_int_eq(code, EXIT_DONE);
    return captured_end();
}

/* It starts, says where it listens, keeps on running at SIGHUP, and stops at SIGTERM and at SIGINT. */
static void try_signal(int last_signal, const char *name)
{
    struct bystander bystander;
    const char *log;

    open_settings("");
    log = run_until(last_signal, &bystander);
    ck_assert_ptr_eq(strstr(bystander.ready, "listening data 127.0.0.1:"), bystander.ready);
    ck_assert_ptr_nonnull(strstr(log, "a restart logs everybody out"));
    ck_assert_ptr_nonnull(strstr(
        log,
        "refused: nothing was changed: there is no file to read: sessiond was started without --config"));
    ck_assert_ptr_nonnull(strstr(log, name));
    ck_assert_ptr_nonnull(strstr(log, "stopped"));
}

START_TEST(test_term_stops)
{
    try_signal(SIGTERM, "SIGTERM from process ");
}
END_TEST

START_TEST(test_int_stops)
{
    try_signal(SIGINT, "SIGINT from process ");
}
END_TEST

/* Starts that fail: the log says why, the exit code what kind. */
static void expect_failure(const char *words, enum exit_code code, const char *text)
{
    const char *log;
    enum exit_code result;

    open_settings(words);
    captured_start();
    result = run();
    log = captured_end();
    ck_assert_int_eq(result, code);
    ck_assert_msg(strstr(log, text) != NULL, "'%s' does not say '%s'", log, text);
}

START_TEST(test_wrong_settings)
{
    expect_failure("--memory 16m --max-value 8m", EXIT_CONFIGURATION, "raise memory");
    expect_failure("--listen 0.0.0.0:0", EXIT_CONFIGURATION, "insecure-listen");
    expect_failure("--listen nonsense", EXIT_CONFIGURATION, "'nonsense'");
    expect_failure("--listen unix:/no/such/folder/socket", EXIT_IO, "No such file");
    expect_failure("--user no-such-user-here", EXIT_CONFIGURATION, "no-such-user-here");
}
END_TEST

/* Root without a user; whoever is not root cannot be caught by this. */
START_TEST(test_root_by_accident)
{
    if (geteuid() == 0) {
        expect_failure("--user none", EXIT_CONFIGURATION, "started as root");
    } else {
        ck_assert_int_ne(getuid(), 0);
    }
}
END_TEST

/* Another process listens there already. */
START_TEST(test_address_in_use)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char words[64];

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)(void *)&address, size), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)(void *)&address, &size), 0);
    (void)snprintf(words, sizeof words, "--listen 127.0.0.1:%u", ntohs(address.sin_port));
    expect_failure(words, EXIT_UNAVAILABLE, "is in use");
    ck_assert_int_eq(close(fd), 0);
}
END_TEST

/* The rooms are joined, tell the registry all their figures, and come apart again. */
START_TEST(test_wiring)
{
    static const char *const names[] = {"pid", "curr_connections", "cmd_get", "curr_items"};
    struct wiring *wiring = NULL;
    struct report report = {.is_cut = false};

    open_settings("");
    ck_assert_int_eq(
        wiring_create(&fixture.settings, &fixture.registry, NULL, &wiring, &fixture.error),
        SESS_OK);
    ck_assert_uint_eq(net_server_listeners(wiring_server(wiring)), 1);
    ck_assert_int_eq(registry_report(&fixture.registry, SLICE_LITERAL(""), &report), SESS_OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct slice name = {.size = 0};
        struct slice value;
        size_t position = 0;

        while (!slice_is(name, names[i])) {
            ck_assert_msg(report_next(&report, &position, &name, &value), "no %s", names[i]);
        }
    }
    report_release(&report);
    ck_assert_int_eq(registry_report(&fixture.registry, SLICE_LITERAL("settings"), &report),
                     SESS_OK);
    report_release(&report);
    wiring_destroy(&wiring);
    ck_assert_ptr_null(wiring);
    wiring_destroy(&wiring);
}
END_TEST

/* The registry has no room for the figures. */
START_TEST(test_wiring_with_a_full_registry)
{
    struct wiring *wiring = NULL;

    open_settings("");
    fixture.registry.n_metrics = REGISTRY_ROOMS_MAX - 1;
    ck_assert_int_eq(
        wiring_create(&fixture.settings, &fixture.registry, NULL, &wiring, &fixture.error),
        SESS_LIMIT);
    ck_assert_ptr_null(wiring);
}
END_TEST

/* Each allocation of the start fails in turn: an error with words, and nothing leaks. */
START_TEST(test_wiring_without_memory)
{
    struct wiring *wiring = NULL;
    enum sess_status status = SESS_NO_MEMORY;
    unsigned nth = 0;

    open_settings("");
    while (status != SESS_OK) {
        HOT_ASSERT(nth < 10000);
        fixture.error.text[0] = '\0';
        faults_fail_allocation(++nth);
        status = wiring_create(&fixture.settings, &fixture.registry, NULL, &wiring, &fixture.error);
        faults_fail_allocation(0);
        HOT_ASSERT(status == SESS_OK || (wiring == NULL && fixture.error.text[0] != '\0'));
    }
    ck_assert_uint_gt(nth, 10);
    wiring_destroy(&wiring);
}
END_TEST

SUITE_MAIN("daemon/daemon", test_term_stops, test_int_stops, test_wrong_settings,
           test_root_by_accident, test_address_in_use, test_wiring,
           test_wiring_with_a_full_registry, test_wiring_without_memory)
