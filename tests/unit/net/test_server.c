/* Unit tests of the server's life: creating, serving, stopping, figures. What connections do is
 * tested in conversations with the daemon. */
#include "sessiond/net/server.h"

#include "command_fixture.h"
#include "faults.h"
#include "sessiond/net/address.h"
#include "suite_main.h"

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
    struct log_limit binary_log;
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
    served.config = (struct net_config){
        .options = &served.options,
        .commands = &served.commands.shared,
        .clock = served.clock,
        .binary_log = &served.binary_log,
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

static void stop(void)
{
    void *result = NULL;

    ck_assert_int_eq(eventfd_write(served.wake_fd, 1), 0);
    ck_assert_int_eq(pthread_join(served.acceptor, &result), 0);
    ck_assert_ptr_eq(result, &served);
    net_server_stop(served.server);
    ck_assert_int_eq(close(served.wake_fd), 0);
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

SUITE_MAIN("net/server", test_never_started, test_stop_with_nobody_there, test_listeners,
           test_port_in_use, test_wide_listeners, test_no_address, test_create_without_memory,
           test_serves, test_stop_closes_idle_connections, test_too_many_connections)
