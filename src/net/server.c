/* The server: listeners and the acceptor's loop, and the workers as a whole.
 *
 * Accepting happens on the creator's thread, which gives each connection to the worker that has the
 * fewest: so even a few pooled connections spread evenly. When descriptors or memory run out,
 * accepting pauses; it never loops. Threads: the creator's. Memory: the struct and its workers. */
#include "sessiond/net/server.h"

#include "listener.h"
#include "sessiond/base/log.h"
#include "sessiond/net/address.h"
#include "worker.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPT_PAUSE_US = 100000, ACCEPTS_PER_TURN = 64 };

struct door {
    struct net_server *server;
    struct listener listener;
    struct event readable;
};

struct net_server {
    struct net_config config; /* immutable */
    struct event_base *base;  /* the acceptor's */
    struct door doors[OPTION_LIST_MAX];
    size_t n_doors;
    struct worker *workers[NET_THREADS_MAX];
    unsigned n_workers;
    unsigned n_started;
    struct event pause_over;
    struct net_metrics metrics; /* the acceptor writes */
    struct log_limit pause_log;
    struct log_limit reject_log;
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

static size_t count_connections(const struct net_server *server)
{
    size_t n = 0;

    for (unsigned i = 0; i < server->n_workers; i++) {
        n += atomic_load(&server->workers[i]->loop.n_connections);
    }
    return n;
}

static struct worker *least_loaded(const struct net_server *server)
{
    struct worker *best = server->workers[0];

    for (unsigned i = 1; i < server->n_workers; i++) {
        if (atomic_load(&server->workers[i]->loop.n_connections) <
            atomic_load(&best->loop.n_connections)) {
            best = server->workers[i];
        }
    }
    return best;
}

static void reject(struct net_server *server, int fd)
{
    uint8_t text[REPLY_LINE_MAX];
    struct buffer out = {.data = text, .capacity = sizeof text};

    reply_put(&out, REPLY_TOO_MANY_CONNECTIONS);
    /* A courtesy: the close says the same. */
    if (send(fd, out.data, out.size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        log_write(LOG_LEVEL_DEBUG, "a rejected connection could not be told why");
    }
    (void)close(fd);
    metric_add(&server->metrics.rejected_connections, 1);
    log_limited(&server->reject_log, 1, LOG_LEVEL_WARNING,
                "a connection was rejected: max-connections (%zu) is reached",
                server->config.max_connections);
}

static void set_accepting(struct net_server *server, bool is_accepting)
{
    for (size_t i = 0; i < server->n_doors; i++) {
        if (is_accepting) {
            (void)event_add(&server->doors[i].readable, NULL);
        } else {
            (void)event_del(&server->doors[i].readable);
        }
    }
}

static void pause_accepting(struct net_server *server)
{
    struct timeval time = {.tv_usec = ACCEPT_PAUSE_US};

    set_accepting(server, false);
    (void)event_add(&server->pause_over, &time);
    metric_add(&server->metrics.listen_disabled_num, 1);
    log_limited(&server->pause_log, 1, LOG_LEVEL_WARNING,
                "descriptors or memory are short: accepting pauses; raise the limit of open files, "
                "or lower max-connections");
}

static void place(struct net_server *server, const struct accepted *accepted)
{
    if (count_connections(server) >= server->config.max_connections) {
        reject(server, accepted->fd);
    } else if (worker_give(least_loaded(server), accepted) != SESS_OK) {
        (void)close(accepted->fd);
        pause_accepting(server);
    }
}

static void on_pause_over(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    set_accepting(context, true);
}

static void on_acceptable(evutil_socket_t fd, short what, void *context)
{
    struct door *door = context;
    struct accepted accepted;

    (void)fd;
    (void)what;
    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
        enum sess_status status = listener_accept(&door->listener, &accepted.fd, &accepted.peer);

        if (status == SESS_AGAIN) {
            return;
        }
        if (status == SESS_LIMIT) {
            pause_accepting(door->server);
            return;
        }
        if (status != SESS_OK) {
            log_write(LOG_LEVEL_ERROR, "a listener failed and accepts no more");
            (void)event_del(&door->readable);
            return;
        }
        place(door->server, &accepted);
    }
}

static enum sess_status parse_listen(const struct net_options *options, const char *text,
                                     struct net_address *address, struct sess_error *error)
{
    enum sess_status status = address_parse(text, address, error);

    if (status == SESS_OK && !address_is_loopback(address) && !options->insecure_listen) {
        status = error_set(error, SESS_REFUSED,
                           "%s can be reached from other machines, unencrypted and by anybody: "
                           "listen on 127.0.0.1, or set insecure-listen = yes",
                           text);
    }
    return status == SESS_OK ? SESS_OK : error_wrap(error, "listen");
}

enum sess_status net_check_listen(const struct net_options *options, struct sess_error *error)
{
    struct net_address address;
    enum sess_status status = SESS_OK;

    for (size_t i = 0; status == SESS_OK && i < options->listen.n_items; i++) {
        status = parse_listen(options, options->listen.items[i], &address, error);
    }
    return status;
}

static enum sess_status open_door(struct net_server *server, const char *text,
                                  struct sess_error *error)
{
    struct door *door = &server->doors[server->n_doors];
    struct net_address address;
    enum sess_status status = parse_listen(server->config.options, text, &address, error);

    if (status == SESS_OK) {
        status = listener_open(&door->listener, &address, error);
    }
    if (status != SESS_OK) {
        return status;
    }
    server->n_doors++;
    door->server = server;
    (void)event_assign(&door->readable, server->base, door->listener.fd, EV_READ | EV_PERSIST,
                       on_acceptable, door);
    return SESS_OK;
}

static enum sess_status open_doors(struct net_server *server, struct sess_error *error)
{
    const struct option_list *listen = &server->config.options->listen;
    enum sess_status status = SESS_OK;

    for (size_t i = 0; status == SESS_OK && i < listen->n_items; i++) {
        status = open_door(server, listen->items[i], error);
    }
    return status;
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
    for (size_t i = 0; i < server->n_doors; i++) {
        listener_hand_over(&server->doors[i].listener, uid, gid);
    }
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
    server->base = event_base_new();
    if (server->base == NULL) {
        free(server);
        return error_set(error, SESS_IO, "cannot make an event loop");
    }
    (void)event_assign(&server->pause_over, server->base, -1, 0, on_pause_over, server);
    metric_add(&server->metrics.threads, config->n_threads);
    status = open_doors(server, error);
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
    return server->n_doors;
}

void net_server_describe(const struct net_server *server, size_t index, char *out, size_t out_size)
{
    char address[ADDRESS_TEXT_SIZE];

    address_format(&server->doors[index].listener.address, address, sizeof address);
    (void)snprintf(out, out_size, "data %s", address);
}

static void on_woken(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)event_base_loopbreak(context);
}

enum sess_status net_server_accept(struct net_server *server, int wake_fd)
{
    struct event woken;
    int result;

    (void)event_assign(&woken, server->base, wake_fd, EV_READ, on_woken, server->base);
    if (event_add(&woken, NULL) != 0) {
        return SESS_IO;
    }
    set_accepting(server, true);
    result = event_base_dispatch(server->base);
    (void)event_del(&woken);
    return result < 0 ? SESS_IO : SESS_OK;
}

void net_server_stop(struct net_server *server)
{
    set_accepting(server, false);
    (void)event_del(&server->pause_over);
    for (size_t i = 0; i < server->n_doors; i++) {
        listener_close(&server->doors[i].listener);
    }
    for (unsigned i = 0; i < server->n_started; i++) {
        worker_ask_stop(server->workers[i]);
    }
    for (unsigned i = 0; i < server->n_started; i++) {
        worker_join(server->workers[i]);
    }
    server->n_started = 0;
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
    event_base_free(self->base);
    free(self);
    *server = NULL;
}

void net_server_sum(void *server, uint64_t *totals)
{
    const struct net_server *self = server;

    metric_sum(&net_metric_table, &self->metrics, totals);
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
