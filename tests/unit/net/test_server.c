/* Unit tests of the server's life: creating, serving, stopping, figures. What connections do is
 * tested in conversations with the daemon. */
#include "sessiond/net/server.h"

#include "command_fixture.h"
#include "conns.h"
#include "faults.h"
#include "pace.h"
#include "sessiond/net/address.h"
#include "suite_main.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, N_THREADS = 2 };

/* A server with all it borrows, and a thread that accepts. */
struct served {
    struct command_fixture commands;
    struct net_options options;
    struct option_binding binding;
    struct budget connections;
    struct net_logs logs;
    struct clock *clock;
    struct net_config config;
    struct net_server *server;
    struct sess_error error;
    pthread_t acceptor;
    int wake_fd;
};

static struct served served;

static void set_option(const char *name, const char *value)
{
    ck_assert_int_eq(option_assign(&served.binding, option_find(&served.binding, name), value,
                                   OPTION_FROM_COMMAND_LINE, &served.error),
                     SESS_OK);
}

static void prepare(void)
{
    memset(&served, 0, sizeof served);
    command_fixture_open(&served.commands);
    ck_assert_int_eq(clock_create_manual(FIXTURE_NOW_S, &served.clock), SESS_OK);
    ck_assert_int_eq(
        option_bind(&served.binding, &net_option_table, &served.options, &served.error), SESS_OK);
    set_option("listen", "127.0.0.1:0");
    budget_init(&served.connections, (size_t)8 << 20);
    served.commands.shared.replies = &served.connections;
    served.config = (struct net_config){
        .options = &served.options,
        .commands = &served.commands.shared,
        .clock = served.clock,
        .logs = &served.logs,
        .connections = &served.connections,
        .max_value_bytes = 1 << 20,
        .inline_value_bytes = STORE_COPY_MAX,
        .n_threads = N_THREADS,
        .max_connections = 100,
        .tick = command_tick,
        .tick_context = &served.commands.shared,
    };
}

static enum sess_status create(void)
{
    return net_server_create(&served.config, &served.server, &served.error);
}

static void clean_up(void)
{
    net_server_destroy(&served.server);
    ck_assert_ptr_null(served.server);
    clock_destroy(&served.clock);
    command_fixture_close(&served.commands);
    ck_assert_uint_eq(budget_used(&served.connections), 0);
}

static void *accept_all(void *context)
{
    (void)context;
    return net_server_accept(served.server, served.wake_fd) == SESS_OK ? &served : NULL;
}

static void start(void)
{
    ck_assert_int_eq(create(), SESS_OK);
    ck_assert_int_eq(net_server_start(served.server, &served.error), SESS_OK);
    served.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ck_assert_int_ge(served.wake_fd, 0);
    ck_assert_int_eq(pthread_create(&served.acceptor, NULL, accept_all, NULL), 0);
}

static void stop_accepting(void)
{
    void *result = NULL;

    ck_assert_int_eq(eventfd_write(served.wake_fd, 1), 0);
    ck_assert_int_eq(pthread_join(served.acceptor, &result), 0);
    ck_assert_ptr_eq(result, &served);
    ck_assert_int_eq(close(served.wake_fd), 0);
}

static void stop(void)
{
    stop_accepting();
    net_server_stop(served.server);
}

static const char *description(size_t index)
{
    static char text[OPTION_TEXT_SIZE];

    net_server_describe(served.server, index, text, sizeof text);
    return text;
}

static int connect_client(void)
{
    struct net_address address;
    int fd;

    ck_assert_int_eq(address_parse(description(0) + strlen("data "), &address, &served.error),
                     SESS_OK);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)(void *)&address.socket, address.size), 0);
    return fd;
}

/* Send `text`; exactly `expected` must come back. */
static void talk(int fd, const char *text, const char *expected)
{
    char reply[256];
    size_t size = 0;

    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    while (size < strlen(expected)) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t got;

        ck_assert_int_eq(poll(&ready, 1, PATIENCE_MS), 1);
        got = recv(fd, reply + size, sizeof reply - 1 - size, 0);
        ck_assert_int_gt(got, 0);
        size += (size_t)got;
    }
    reply[size] = '\0';
    ck_assert_str_eq(reply, expected);
}

/* The server has closed this connection. */
static void expect_end(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char byte;

    ck_assert_int_eq(poll(&ready, 1, PATIENCE_MS), 1);
    ck_assert_int_eq(recv(fd, &byte, 1, 0), 0);
    ck_assert_int_eq(close(fd), 0);
}

/* A metric of the net or of the commands. */
static uint64_t figure(const char *name)
{
    struct registry registry = {.n_metrics = 0};
    struct registry_figures figures;

    ck_assert_int_eq(
        registry_add_metrics(&registry, &net_metric_table, net_server_sum, served.server), SESS_OK);
    ck_assert_int_eq(registry_add_metrics(&registry, &command_metric_table, net_server_sum_commands,
                                          served.server),
                     SESS_OK);
    registry_read(&registry, REGISTRY_SINCE_START, &figures);
    return registry_figure(&figures, name);
}

/* It is made, and taken down without ever having run; stopping it then does nothing. */
START_TEST(test_never_started)
{
    prepare();
    ck_assert_int_eq(create(), SESS_OK);
    ck_assert_uint_eq(net_server_listeners(served.server), 1);
    ck_assert_ptr_eq(strstr(description(0), "data 127.0.0.1:"), description(0));
    ck_assert_str_ne(description(0), "data 127.0.0.1:0");
    ck_assert_uint_eq(figure("threads"), N_THREADS);
    ck_assert_uint_eq(figure("curr_connections"), 0);
    net_server_stop(served.server);
    net_server_stop(served.server);
    clean_up();
}
END_TEST

/* Started, stopped with nobody there, stopped again. */
START_TEST(test_stop_with_nobody_there)
{
    prepare();
    start();
    stop();
    net_server_stop(served.server);
    clean_up();
}
END_TEST

/* Workers that have nothing to do have turns all the same, as often as they are looked at: by themselves they
 * would take twice the patience for so many. */
START_TEST(test_idle_workers_turn)
{
    enum { LOOKS = 4 * PATIENCE_MS / PACE_REST_MS };
    unsigned n_turned = 0;

    prepare();
    start();
    for (int ms = 0; n_turned < LOOKS && ms < PATIENCE_MS; ms++) {
        n_turned += net_server_has_turned(served.server);
        (void)usleep(1000);
    }
    ck_assert_uint_eq(n_turned, LOOKS);
    stop();
    clean_up();
}
END_TEST

/* Several listeners, of both kinds; a unix socket's file is gone after the stop. */
START_TEST(test_listeners)
{
    char folder[] = "/tmp/sessiond-test-XXXXXX";
    char text[64];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(text, sizeof text, "unix:%s/s", folder);
    prepare();
    set_option("listen", text);
    ck_assert_int_eq(create(), SESS_OK);
    ck_assert_uint_eq(net_server_listeners(served.server), 2);
    ck_assert_str_eq(description(1) + strlen("data "), text);
    ck_assert_int_eq(access(text + strlen("unix:"), F_OK), 0);
    clean_up();
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* The admin listener stands behind the others, with a role of its own; auto opens none by itself. By a port
 * it needs to be insisted on, for whoever is on the machine could come. */
START_TEST(test_admin_listener)
{
    char folder[] = "/tmp/sessiond-test-XXXXXX";
    char text[64];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(text, sizeof text, "unix:%s/s", folder);
    prepare();
    set_option("admin-listen", "127.0.0.1:0");
    ck_assert_int_eq(net_check_listen(&served.options, &served.error), SESS_REFUSED);
    ck_assert_int_eq(create(), SESS_REFUSED);
    ck_assert_ptr_eq(strstr(served.error.text, "admin-listen: "), served.error.text);
    set_option("insecure-listen", "yes");
    ck_assert_int_eq(net_check_listen(&served.options, &served.error), SESS_OK);
    set_option("insecure-listen", "no");
    set_option("admin-allow", "no-such-user-here");
    ck_assert_int_eq(net_check_listen(&served.options, &served.error), SESS_NOT_FOUND);
    ck_assert_ptr_eq(strstr(served.error.text, "admin-allow: "), served.error.text);
    set_option("admin-allow", "none");
    set_option("admin-listen", "auto");
    ck_assert_int_eq(create(), SESS_OK);
    ck_assert_uint_eq(net_server_listeners(served.server), 1);
    ck_assert_int_eq(net_server_open_admin(served.server, "unix:", &served.error), SESS_INVALID);
    ck_assert_uint_eq(net_server_listeners(served.server), 1);
    ck_assert_int_eq(net_server_open_admin(served.server, text, &served.error), SESS_OK);
    ck_assert_ptr_eq(strstr(description(0), "data 127.0.0.1:"), description(0));
    ck_assert_str_eq(description(1) + strlen("admin "), text);
    ck_assert_ptr_eq(strstr(description(1), "admin "), description(1));
    clean_up();
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* The second listener's port is taken: nothing is left of the first. */
START_TEST(test_port_in_use)
{
    struct net_server *first;
    char text[OPTION_TEXT_SIZE];

    prepare();
    ck_assert_int_eq(create(), SESS_OK);
    first = served.server;
    served.server = NULL;
    net_server_describe(first, 0, text, sizeof text);
    set_option("listen", text + strlen("data "));
    ck_assert_int_eq(create(), SESS_ADDRESS_IN_USE);
    ck_assert_ptr_null(served.server);
    ck_assert_ptr_nonnull(strstr(served.error.text, text + strlen("data ")));
    ck_assert_ptr_nonnull(strstr(served.error.text, "is in use"));
    net_server_destroy(&first);
    clean_up();
}
END_TEST

/* Listeners that other machines can reach, with and without insecure-listen; nothing is opened. */
START_TEST(test_wide_listeners)
{
    static const char *const wide[] = {"0.0.0.0:0", "[::]:0", "192.0.2.1:0"};

    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        prepare();
        set_option("listen", wide[i]);
        ck_assert_int_eq(create(), SESS_REFUSED);
        ck_assert_ptr_null(served.server);
        ck_assert_ptr_nonnull(strstr(served.error.text, wide[i]));
        ck_assert_ptr_nonnull(strstr(served.error.text, "insecure-listen = yes"));
        ck_assert_int_eq(net_check_listen(&served.options, &served.error), SESS_REFUSED);
        set_option("insecure-listen", "yes");
        ck_assert_int_eq(net_check_listen(&served.options, &served.error), SESS_OK);
        clean_up();
    }
}
END_TEST

/* A listener that is no address. */
START_TEST(test_no_address)
{
    prepare();
    set_option("listen", "nonsense");
    ck_assert_int_eq(create(), SESS_INVALID);
    ck_assert_int_eq(net_check_listen(&served.options, &served.error), SESS_INVALID);
    ck_assert_ptr_eq(strstr(served.error.text, "listen: 'nonsense'"), served.error.text);
    clean_up();
}
END_TEST

/* Each allocation of the server's making fails in turn: nothing leaks, nothing stays open. */
START_TEST(test_create_without_memory)
{
    unsigned nth = 0;
    enum sess_status status = SESS_NO_MEMORY;

    prepare();
    while (status != SESS_OK) {
        ck_assert_uint_lt(nth, 20);
        faults_fail_allocation(++nth);
        status = create();
        faults_fail_allocation(0);
        if (status != SESS_OK) {
            ck_assert_int_eq(status, SESS_NO_MEMORY);
            ck_assert_ptr_null(served.server);
        }
    }
    /* The server, and at least a struct and a buffer for each worker. */
    ck_assert_uint_gt(nth, 1 + 2 * N_THREADS);
    clean_up();
}
END_TEST

/* A client is served, leaves, and is counted. */
START_TEST(test_serves)
{
    int fd;

    prepare();
    start();
    fd = connect_client();
    talk(fd, "set k 0 0 1\r\nx\r\n", "STORED\r\n");
    talk(fd, "get k\r\nquit\r\n", "VALUE k 0 1\r\nx\r\nEND\r\n");
    expect_end(fd);
    stop();
    ck_assert_uint_eq(figure("total_connections"), 1);
    ck_assert_uint_eq(figure("curr_connections"), 0);
    ck_assert_uint_eq(figure("bytes_read"), 29);
    ck_assert_uint_eq(figure("bytes_written"), 29);
    ck_assert_uint_eq(figure("cmd_set"), 1);
    ck_assert_uint_eq(figure("get_hits"), 1);
    clean_up();
}
END_TEST

/* Connections are spread over the workers, and the stop closes those that are idle. */
START_TEST(test_stop_closes_idle_connections)
{
    enum { N = 6 };
    int fds[N];

    prepare();
    start();
    for (size_t i = 0; i < N; i++) {
        fds[i] = connect_client();
        talk(fds[i], "version\r\n", "VERSION 1.6.18\r\n");
    }
    ck_assert_uint_eq(figure("curr_connections"), N);
    stop();
    for (size_t i = 0; i < N; i++) {
        expect_end(fds[i]);
    }
    ck_assert_uint_eq(figure("curr_connections"), 0);
    clean_up();
}
END_TEST

/* One connection more than allowed is told so, and closed; the others go on. */
START_TEST(test_too_many_connections)
{
    int first;
    int second;

    prepare();
    served.config.max_connections = 1;
    start();
    first = connect_client();
    talk(first, "version\r\n", "VERSION 1.6.18\r\n");
    second = connect_client();
    talk(second, "", "ERROR Too many open connections\r\n");
    expect_end(second);
    talk(first, "version\r\n", "VERSION 1.6.18\r\n");
    stop();
    expect_end(first);
    ck_assert_uint_eq(figure("rejected_connections"), 1);
    ck_assert_uint_eq(figure("total_connections"), 1);
    clean_up();
}
END_TEST

/* A journal: whether its disk has written what it was given. */
static _Atomic bool is_on_disk;

static bool is_committed(void *context, const struct store_tickets *tickets)
{
    (void)context;
    return tickets->changed == 0 || atomic_load(&is_on_disk);
}

/* One connection for each worker, and the reply to its change waits for the disk. */
static void start_and_park(int *fds)
{
    atomic_store(&is_on_disk, false);
    prepare();
    served.config.committed = is_committed;
    start();
    for (size_t i = 0; i < N_THREADS; i++) {
        unsigned n_waits = 0;

        fds[i] = connect_client();
        talk(fds[i], "set k 0 0 1\r\nx\r\n", "");
        while (figure("conn_parked_now") != i + 1) {
            HOT_ASSERT(n_waits++ < PATIENCE_MS);
            (void)usleep(1000);
        }
    }
}

/* A wake reaches every worker. */
START_TEST(test_wake)
{
    int fds[N_THREADS];

    start_and_park(fds);
    net_server_wake(served.server); /* for nothing: all wait on */
    atomic_store(&is_on_disk, true);
    net_server_wake(served.server);
    for (size_t i = 0; i < N_THREADS; i++) {
        talk(fds[i], "get k\r\n", "STORED\r\nVALUE k 0 1\r\nx\r\nEND\r\n");
    }
    ck_assert_uint_eq(figure("conn_parked_now"), 0);
    ck_assert_uint_eq(figure("conn_parked"), N_THREADS);
    stop();
    net_server_wake(served.server);
    for (size_t i = 0; i < N_THREADS; i++) {
        expect_end(fds[i]);
    }
    clean_up();
}
END_TEST

/* The journal has failed: all connections are closed, none gets its reply, and no worker is left. */
START_TEST(test_abandon)
{
    int fds[N_THREADS];
    int idle;

    start_and_park(fds);
    idle = connect_client();
    talk(idle, "version\r\n", "VERSION 1.6.18\r\n");
    stop_accepting();
    net_server_abandon(served.server);
    for (size_t i = 0; i < N_THREADS; i++) {
        expect_end(fds[i]);
    }
    expect_end(idle);
    ck_assert_uint_eq(figure("curr_connections"), 0);
    ck_assert_uint_eq(figure("conn_parked_now"), 0);
    net_server_stop(served.server);
    clean_up();
}
END_TEST

/* Expiry with a lot to do: how many slices there are, how many were run, by all workers. */
static _Atomic unsigned slices_wanted;
static _Atomic unsigned slices_run;
static int slices_are_run; /* an eventfd */

static bool run_slice(void *context, struct store_ticker *ticker, int64_t now_s, unsigned max_steps)
{
    (void)context;
    (void)ticker;
    (void)now_s;
    (void)max_steps;
    clock_advance(served.clock, 1);
    if (atomic_fetch_add(&slices_run, 1) + 1 == atomic_load(&slices_wanted)) {
        HOT_ASSERT(eventfd_write(slices_are_run, 1) == 0);
    }
    return atomic_load(&slices_run) < atomic_load(&slices_wanted);
}

static void start_with_slices(unsigned n)
{
    atomic_store(&slices_wanted, n);
    atomic_store(&slices_run, 0);
    slices_are_run = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ck_assert_int_ge(slices_are_run, 0);
    prepare();
    served.config.tick = run_slice;
    start();
}

static void wait_for_slices(void)
{
    struct pollfd done = {.fd = slices_are_run, .events = POLLIN};

    ck_assert_int_eq(poll(&done, 1, PATIENCE_MS), 1);
}

/* A long backlog goes without a pause between the slices: at one each millisecond, of the most looks that it may have,
 * these would take 50 s. */
START_TEST(test_late_expiry_does_not_pause)
{
    start_with_slices(50000 * PACE_LOOKS * N_THREADS);
    wait_for_slices();
    stop();
    (void)close(slices_are_run);
    clean_up();
}
END_TEST

/* Clients are served between the slices, and a worker that is late stops all the same. */
START_TEST(test_late_expiry_serves_and_stops)
{
    int fd;

    start_with_slices(2000 * N_THREADS);
    fd = connect_client();
    talk(fd, "version\r\n", "VERSION 1.6.18\r\n");
    wait_for_slices();
    atomic_store(&slices_wanted, UINT_MAX);
    talk(fd, "set k 0 0 1\r\nx\r\n", "STORED\r\n");
    talk(fd, "get k\r\n", "VALUE k 0 1\r\nx\r\nEND\r\n");
    stop();
    expect_end(fd);
    (void)close(slices_are_run);
    clean_up();
}
END_TEST

/* A client goes while large values are on their way to it: nothing of them stays charged. */
START_TEST(test_leaving_with_a_large_value)
{
    enum { SIZE = 1 << 20, N_GETS = 16 };
    char *value = malloc(SIZE + 1);
    char line[64];
    int fds[4];

    ck_assert_ptr_nonnull(value);
    memset(value, 'v', SIZE);
    value[SIZE] = '\0';
    prepare();
    start();
    fds[0] = connect_client();
    (void)snprintf(line, sizeof line, "set large 0 0 %d\r\n", SIZE);
    ck_assert_int_eq(send(fds[0], line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
    for (size_t sent = 0; sent < SIZE;) {
        ssize_t n = send(fds[0], value + sent, SIZE - sent, MSG_NOSIGNAL);

        ck_assert_int_gt(n, 0);
        sent += (size_t)n;
    }
    talk(fds[0], "\r\n", "STORED\r\n");
    for (size_t i = 1; i < sizeof fds / sizeof fds[0]; i++) {
        fds[i] = connect_client();
        for (size_t n = 0; n < N_GETS; n++) {
            ck_assert_int_eq(send(fds[i], "get large\r\n", 11, MSG_NOSIGNAL), 11);
        }
    }
    for (size_t i = 1; i < sizeof fds / sizeof fds[0]; i++) {
        struct pollfd ready = {.fd = fds[i], .events = POLLIN};

        ck_assert_int_eq(poll(&ready, 1, PATIENCE_MS), 1);
    }
    /* Both by the client and by the stop. */
    ck_assert_int_eq(close(fds[1]), 0);
    set_option("stop-timeout", "100ms");
    stop();
    clean_up();
    free(value);
}
END_TEST

static bool has_row(struct report *report, const char *wanted)
{
    struct slice name;
    struct slice value;
    size_t position = 0;
    char line[256];

    report_release(report);
    net_server_report_conns(served.server, report);
    while (report_next(report, &position, &name, &value)) {
        (void)snprintf(line, sizeof line, "%.*s %.*s", (int)name.size, (const char *)name.data,
                       (int)value.size, (const char *)value.data);
        if (strstr(line, wanted) != NULL) {
            return true;
        }
    }
    return false;
}

/* Each listener and connection has its rows, while it is there. */
START_TEST(test_conns)
{
    struct report report = {.is_cut = false};
    struct net_address self = {.size = sizeof self.socket};
    char address[ADDRESS_TEXT_SIZE];
    char row[ADDRESS_TEXT_SIZE + 32];
    int fd;

    prepare();
    start();
    (void)snprintf(row, sizeof row, ":addr tcp:%s", description(0) + strlen("data "));
    ck_assert(has_row(&report, row));
    ck_assert(has_row(&report, ":state conn_listening"));
    ck_assert(!has_row(&report, "conn_waiting"));
    fd = connect_client();
    talk(fd, "version\r\n", "VERSION 1.6.18\r\n");
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)(void *)&self.socket, &self.size), 0);
    address_format(&self, address, sizeof address);
    (void)snprintf(row, sizeof row, ":addr tcp:%s", address);
    ck_assert(has_row(&report, row));
    (void)snprintf(row, sizeof row, ":listen_addr tcp:%s", description(0) + strlen("data "));
    ck_assert(has_row(&report, row));
    clock_advance(served.clock, 3999);
    ck_assert(has_row(&report, ":secs_since_last_cmd 3"));
    talk(fd, "quit\r\n", "");
    expect_end(fd);
    stop();
    ck_assert(!has_row(&report, ":listen_addr"));
    report_release(&report);
    clean_up();
}
END_TEST

/* A report that is long enough takes no further connection: they are counted. */
START_TEST(test_conns_are_bounded)
{
    struct report report = {.is_cut = false};
    size_t position = 0;
    struct slice name;
    struct slice value;
    int fds[3];

    prepare();
    start();
    for (size_t i = 0; i < 3; i++) {
        fds[i] = connect_client();
        talk(fds[i], "version\r\n", "VERSION 1.6.18\r\n");
    }
    while (report.text.size < CONNS_SIZE_MAX) {
        report_add(&report, "filler", "%400s", "");
    }
    net_server_report_conns(served.server, &report);
    ck_assert_uint_lt(report.text.size, CONNS_SIZE_MAX + 1024);
    while (report_next(&report, &position, &name, &value)) {
    }
    ck_assert(slice_is(name, "connections_left_out"));
    ck_assert(slice_is(value, "3"));
    report_release(&report);
    stop();
    for (size_t i = 0; i < 3; i++) {
        expect_end(fds[i]);
    }
    clean_up();
}
END_TEST

/* What is told about the server as a whole. */
START_TEST(test_gauges)
{
    int fd;

    prepare();
    start();
    fd = connect_client();
    talk(fd, "get", "");
    talk(fd, " k\r\n", "END\r\n");
    ck_assert_uint_eq(figure("accepting_conns"), 1);
    ck_assert_uint_eq(figure("connection_structures"), 1);
    ck_assert_uint_eq(figure("reserved_fds"), 1 + 4 * (N_THREADS + 1));
    ck_assert_uint_eq(figure("read_buf_count"), N_THREADS);
    ck_assert_uint_eq(figure("read_buf_bytes"), N_THREADS * 65536);
    ck_assert_uint_eq(figure("connection_bytes"), 0);
    ck_assert(budget_charge(&served.connections, 77));
    ck_assert_uint_eq(figure("connection_bytes"), 77);
    budget_release(&served.connections, 77);
    stop();
    expect_end(fd);
    ck_assert_uint_eq(figure("accepting_conns"), 0);
    clean_up();
}
END_TEST

SUITE_MAIN("net/server", test_idle_workers_turn, test_never_started, test_stop_with_nobody_there,
           test_listeners, test_admin_listener, test_port_in_use, test_wide_listeners,
           test_no_address, test_create_without_memory, test_serves,
           test_stop_closes_idle_connections, test_too_many_connections, test_wake, test_abandon,
           test_late_expiry_does_not_pause, test_late_expiry_serves_and_stops,
           test_leaving_with_a_large_value, test_conns, test_conns_are_bounded, test_gauges)
