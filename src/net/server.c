/* The server: the acceptor and the workers as a whole, their life and their figures.
 *
 * Accepting happens on the creator's thread (acceptor.c). Threads: the creator's; reports: any.
 * Memory: the struct and its workers. */
#include "sessiond/net/server.h"

#include "acceptor.h"
#include "conns.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

struct net_server {
    struct net_config config; /* immutable */
    struct acceptor acceptor;
    struct worker *workers[NET_THREADS_MAX];
    unsigned n_workers;
    unsigned n_started;
};

#define ROW(...) OPTION_ROW(net_options, __VA_ARGS__)
static const struct option_row option_rows[] = {NET_OPTIONS(ROW)};
#undef ROW
const struct option_table net_option_table = {.title = "Listeners and connections",
                                              .rows = option_rows,
                                              .n_rows = sizeof option_rows / sizeof option_rows[0]};

static const struct metric_row metric_rows[] = {NET_METRICS(METRIC_ROW)};
_Static_assert(sizeof metric_rows / sizeof metric_rows[0] <= METRIC_ROWS_MAX, "totals have room");
const struct metric_table net_metric_table = {.rows = metric_rows,
                                              .n_rows = sizeof metric_rows / sizeof metric_rows[0]};

enum sess_status net_check_listen(const struct net_options *options, struct sess_error *error)
{
    return acceptor_check(options, error);
}

static enum sess_status make_workers(struct net_server *server, struct sess_error *error)
{
    for (unsigned i = 0; i < server->config.n_threads; i++) {
        enum sess_status status = worker_create(&server->config, i, &server->workers[i]);

        if (status != SESS_OK) {
            return error_set(error, status, "cannot make worker %u: %s", i, status_text(status));
        }
        server->n_workers++;
    }
    return SESS_OK;
}

void net_server_hand_over(struct net_server *server, uid_t uid, gid_t gid)
{
    for (size_t i = 0; i < server->acceptor.n_doors; i++) {
        listener_hand_over(&server->acceptor.doors[i].listener, uid, gid);
    }
}

enum sess_status net_server_open_admin(struct net_server *server, const char *address,
                                       struct sess_error *error)
{
    return acceptor_open_admin(&server->acceptor, address, error);
}

bool net_server_has(const struct net_server *server, enum net_role role)
{
    for (size_t i = 0; i < server->acceptor.n_doors; i++) {
        if (server->acceptor.doors[i].role == role) {
            return true;
        }
    }
    return false;
}

static void log_libevent(int severity, const char *text)
{
    log_write(severity >= EVENT_LOG_ERR    ? LOG_LEVEL_ERROR
              : severity == EVENT_LOG_WARN ? LOG_LEVEL_WARNING
                                           : LOG_LEVEL_DEBUG,
              "libevent: %s", text);
}

enum sess_status net_server_create(const struct net_config *config, struct net_server **out,
                                   struct sess_error *error)
{
    struct net_server *server = calloc(1, sizeof *server);
    enum sess_status status;

    if (server == NULL) {
        return error_set(error, SESS_NO_MEMORY, "no memory for the server");
    }
    server->config = *config;
    event_set_log_callback(log_libevent);
    status = acceptor_open(&server->acceptor, &server->config, server->workers, error);
    if (status == SESS_OK) {
        status = make_workers(server, error);
    }
    if (status != SESS_OK) {
        net_server_destroy(&server);
        return status;
    }
    *out = server;
    return SESS_OK;
}

enum sess_status net_server_start(struct net_server *server, struct sess_error *error)
{
    for (unsigned i = 0; i < server->n_workers; i++) {
        if (worker_start(server->workers[i]) != SESS_OK) {
            net_server_stop(server);
            return error_set(error, SESS_NO_MEMORY, "cannot start worker %u", i);
        }
        server->n_started++;
    }
    return SESS_OK;
}

size_t net_server_listeners(const struct net_server *server)
{
    return server->acceptor.n_doors;
}

void net_server_describe(const struct net_server *server, size_t index, char *out, size_t out_size)
{
    const struct door *door = &server->acceptor.doors[index];
    char address[ADDRESS_TEXT_SIZE];

    address_format(&door->listener.address, address, sizeof address);
    (void)snprintf(out, out_size, "%s %s", door->role == NET_ROLE_ADMIN ? "admin" : "data",
                   address);
}

enum sess_status net_server_accept(struct net_server *server, int wake_fd)
{
    return acceptor_run(&server->acceptor, wake_fd);
}

bool net_server_has_turned(struct net_server *server)
{
    bool have_all = true;

    for (unsigned i = 0; i < server->n_started; i++) {
        have_all = worker_has_turned(server->workers[i]) && have_all;
    }
    return have_all;
}

static void stop(struct net_server *server, enum worker_stop how)
{
    acceptor_close(&server->acceptor);
    for (unsigned i = 0; i < server->n_started; i++) {
        worker_ask_stop(server->workers[i], how);
    }
    for (unsigned i = 0; i < server->n_started; i++) {
        worker_join(server->workers[i]);
    }
    server->n_started = 0;
}

void net_server_stop(struct net_server *server)
{
    stop(server, WORKER_STOP);
}

void net_server_abandon(struct net_server *server)
{
    stop(server, WORKER_ABANDON);
}

void net_server_wake(struct net_server *server)
{
    for (unsigned i = 0; i < server->n_workers; i++) {
        worker_wake_waiting(server->workers[i]);
    }
}

void net_server_destroy(struct net_server **server)
{
    struct net_server *self = *server;

    if (self == NULL) {
        return;
    }
    net_server_stop(self);
    for (unsigned i = 0; i < self->n_workers; i++) {
        worker_destroy(&self->workers[i]);
    }
    acceptor_fini(&self->acceptor);
    free(self);
    *server = NULL;
}

/* What is not counted as it happens. */
static void fill_gauges(const struct net_server *server, struct net_metrics *gauges)
{
    unsigned n_loops = server->n_workers + 1;
    size_t n_descriptors = server->acceptor.n_doors + (size_t)n_loops * NET_LOOP_DESCRIPTORS;

    metric_add(&gauges->threads, server->n_workers);
    metric_add(&gauges->reserved_fds, n_descriptors);
    metric_add(&gauges->read_buf_count, server->n_workers);
    metric_add(&gauges->read_buf_bytes, (uint64_t)server->n_workers * LOOP_INPUT_SIZE);
    metric_add(&gauges->connection_bytes, budget_used(server->config.connections));
}

void net_server_sum(void *server, uint64_t *totals)
{
    const struct net_server *self = server;
    struct net_metrics gauges = {.threads = 0};

    fill_gauges(self, &gauges);
    metric_sum(&net_metric_table, &gauges, totals);
    metric_sum(&net_metric_table, &self->acceptor.metrics, totals);
    for (unsigned i = 0; i < self->n_workers; i++) {
        metric_sum(&net_metric_table, &self->workers[i]->loop.metrics, totals);
    }
}

void net_server_sum_commands(void *server, uint64_t *totals)
{
    const struct net_server *self = server;

    for (unsigned i = 0; i < self->n_workers; i++) {
        metric_sum(&command_metric_table, &self->workers[i]->loop.context.metrics, totals);
    }
}

const char *net_server_libevent(void)
{
    return event_get_version();
}

void net_server_report_conns(void *server, struct report *report)
{
    const struct net_server *self = server;
    int64_t now_ms = clock_now(self->config.clock).boot_ms;
    size_t n_left_out = 0;

    for (size_t i = 0; i < self->acceptor.n_doors; i++) {
        const struct door *door = &self->acceptor.doors[i];

        conns_report_listener(report, door->fd, &door->listener.address,
                              now_ms - self->acceptor.opened_ms);
    }
    for (unsigned i = 0; i < self->n_workers; i++) {
        n_left_out += conns_report_loop(report, &self->workers[i]->loop, now_ms);
    }
    if (n_left_out > 0) {
        report_add_u64(report, "connections_left_out", n_left_out);
    }
}
