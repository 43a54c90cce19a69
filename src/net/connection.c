/* A connection's life, timers and output. Requests are turn.c.
 *
 * Threads: its worker's. Memory: the struct; unread and unsent bytes while there are any, charged to
 * the connections' budget. */
#include "connection.h"

#include "sessiond/base/log.h"

#include <event2/event.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    VALUE_BYTES_PER_SECOND = 16384,
    FAREWELL_MS = 1000,      /* for the peer to take its last reply and close */
    FAREWELL_SIZE = 1 << 20, /* bytes of what it still sends that are read and dropped */
    /* Of a connection: its place in libevent's heap of timers, and in the inbox; both double. */
    PLACES_COST = 2 * (sizeof(void *) + sizeof(struct accepted)),
    UPLOAD_COST =
        640, /* of a large value that has begun: the request's copy, and what the store knows */
};
_Static_assert(sizeof(struct connection) + PLACES_COST + UPLOAD_COST + NET_CONNECTION_FREE <=
                   NET_CONNECTION_COST,
               "a connection takes no more than is said");

/* How many are on a list: of the lists that are counted. */
static void count_listed(const struct connection_list *list, uint64_t n)
{
    if (list->gauge != NULL) {
        metric_add(list->gauge, n);
    }
}

void connection_delist(struct connection *connection)
{
    struct connection_list *list = connection->listed;
    struct connection *next = connection->listed_next;
    struct connection *previous = connection->listed_previous;

    if (list == NULL) {
        return;
    }
    *(previous == NULL ? &list->first : &previous->listed_next) = next;
    *(next == NULL ? &list->last : &next->listed_previous) = previous;
    connection->listed = NULL;
    count_listed(list, -(uint64_t)1);
}

void connection_enlist(struct connection *connection, struct connection_list *list)
{
    if (connection->listed != NULL) {
        return;
    }
    connection->listed = list;
    connection->listed_next = NULL;
    connection->listed_previous = list->last;
    *(list->last == NULL ? &list->first : &list->last->listed_next) = connection;
    list->last = connection;
    count_listed(list, 1);
}

struct connection *connection_unlist(struct connection_list *list)
{
    struct connection *first = list->first;

    if (first != NULL) {
        connection_delist(first);
    }
    return first;
}

static void watch(struct connection *connection, short what,
                  void (*callback)(evutil_socket_t, short, void *))
{
    (void)event_del(&connection->io);
    (void)event_assign(&connection->io, connection->loop->base, connection->transport.fd,
                       (short)(what | EV_PERSIST), callback, connection);
    /* UNTESTED: fails only without memory; the connection waits then until the daemon stops. */
    (void)event_add(&connection->io, NULL);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct connection *connection = context;

    (void)fd;
    (void)what;
    if (connection->listed == &connection->loop->parked) {
        /* It stays readable: looking at it again and again would only burn time. */
        (void)event_del(&connection->io);
        return;
    }
    /* No effect while it is on another list: its turn has just been. */
    connection_enlist(connection, &connection->loop->ready);
}

/* The socket may have room for more only long after the peer took some: ask the kernel. */
static int bytes_in_kernel(const struct connection *connection)
{
    int waiting = 0;

    return ioctl(connection->transport.fd, SIOCOUTQ, &waiting) == 0 ? waiting : 0;
}

/* Bytes of the large value, or of the refused block, that is arriving. */
static uint64_t value_size(const struct connection *connection)
{
    return connection->upload != NULL ? command_upload_size(connection->upload)
                                      : connection->parser.swallow;
}

static uint64_t time_for(const struct connection *connection, enum connection_wait wait)
{
    const struct net_options *options = connection->loop->config->options;

    switch (wait) {
    case WAIT_COMMAND:
        return options->command_timeout;
    case WAIT_VALUE:
        return options->value_timeout == 0
                   ? 0
                   : options->value_timeout +
                         value_size(connection) * 1000 / VALUE_BYTES_PER_SECOND;
    case WAIT_OUTPUT:
        return options->output_timeout;
    case WAIT_IDLE:
        return options->idle_timeout;
    case WAIT_FAREWELL:
        return FAREWELL_MS;
    default:
        return 0;
    }
}

static void wait_for(struct connection *connection, enum connection_wait wait, bool has_progress)
{
    uint64_t ms = time_for(connection, wait);

    if (ms == 0) {
        wait = WAIT_NONE;
    }
    if (connection->wait == wait && (wait == WAIT_NONE || !has_progress)) {
        return;
    }
    connection->wait = wait;
    connection->in_kernel = wait == WAIT_OUTPUT ? bytes_in_kernel(connection) : 0;
    if (wait == WAIT_NONE) {
        (void)event_del(&connection->timer);
    } else {
        loop_arm(&connection->timer, ms);
    }
}

static bool is_in_request(const struct connection *connection)
{
    return connection->unread.size > 0 || !parser_is_between(&connection->parser);
}

void connection_wait_for_nobody(struct connection *connection)
{
    wait_for(connection, WAIT_NONE, false);
}

void connection_wait_for_input(struct connection *connection, bool has_progress)
{
    enum connection_wait wait = is_in_request(connection) ? WAIT_COMMAND : WAIT_IDLE;

    if (value_size(connection) > 0) {
        wait = WAIT_VALUE;
    }
    wait_for(connection, wait, has_progress);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    struct connection *connection = context;

    (void)fd;
    (void)what;
    if (connection->wait == WAIT_OUTPUT && bytes_in_kernel(connection) < connection->in_kernel) {
        wait_for(connection, WAIT_OUTPUT, true);
        return;
    }
    if (connection->wait != WAIT_FAREWELL) {
        metric_add(&connection->loop->metrics.idle_kicks, 1);
    }
    connection_destroy(connection);
}

void connection_show(struct connection *connection, enum connection_state state)
{
    atomic_store_explicit(&connection->state, state, memory_order_relaxed);
}

void connection_show_waiting(struct connection *connection)
{
    enum connection_state state = STATE_WAITING;

    if (connection->is_stalled) {
        state = STATE_STALLED;
    } else if (value_size(connection) > 0) {
        state = connection->upload != NULL ? STATE_NREAD : STATE_SWALLOW;
    } else if (is_in_request(connection)) {
        state = STATE_READ;
    }
    connection_show(connection, state);
}

/* `stats conns` of other threads walk the list. */
static void join(struct connection *connection)
{
    struct loop *loop = connection->loop;

    (void)pthread_mutex_lock(&loop->connections_lock);
    connection->next = loop->connections;
    if (connection->next != NULL) {
        connection->next->previous = connection;
    }
    loop->connections = connection;
    (void)pthread_mutex_unlock(&loop->connections_lock);
}

static void leave(struct connection *connection)
{
    struct loop *loop = connection->loop;

    (void)pthread_mutex_lock(&loop->connections_lock);
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    *(connection->previous == NULL ? &loop->connections : &connection->previous->next) =
        connection->next;
    (void)pthread_mutex_unlock(&loop->connections_lock);
}

/* As the log tells it: all who come by a unix socket have the same address. */
static void name_peer(const struct accepted *accepted, char *out, size_t out_size)
{
    if (accepted->listener->socket.ss_family == AF_UNIX) {
        (void)snprintf(out, out_size, "uid %u, pid %d", (unsigned)accepted->who.uid,
                       (int)accepted->who.pid);
    } else {
        address_format(&accepted->peer, out, out_size);
    }
}

enum sess_status connection_create(struct loop *loop, const struct accepted *accepted)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL) {
        (void)close(accepted->fd);
        atomic_fetch_sub(&loop->n_connections, 1);
        return SESS_NO_MEMORY;
    }
    connection->loop = loop;
    connection->transport = (struct transport){.calls = &transport_plain, .fd = accepted->fd};
    connection->listener = accepted->listener;
    name_peer(accepted, connection->peer, sizeof connection->peer);
    parser_init(&connection->parser, &loop->limits[accepted->role]);
    trim_note(&loop->trim, 0, NET_CONNECTION_COST);
    atomic_init(&connection->last_command_ms, loop_now(loop).boot_ms);
    join(connection);
    log_limited(&loop->config->logs->come, 1, LOG_LEVEL_DEBUG, "connection from %s",
                connection->peer);
    metric_add(&loop->metrics.curr_connections, 1);
    metric_add(&loop->metrics.connection_structures, 1);
    metric_add(&loop->metrics.total_connections, 1);
    (void)event_assign(&connection->timer, loop->base, -1, 0, on_timer, connection);
    (void)event_assign(&connection->io, loop->base, accepted->fd, EV_READ | EV_PERSIST, on_readable,
                       connection);
    if (event_add(&connection->io, NULL) != 0) {
        connection_destroy(connection);
        return SESS_NO_MEMORY;
    }
    wait_for(connection, WAIT_IDLE, true);
    return SESS_OK;
}

void connection_destroy(struct connection *connection)
{
    struct loop *loop = connection->loop;

    log_limited(&loop->config->logs->gone, 1, LOG_LEVEL_DEBUG, "connection from %s closed",
                connection->peer);
    (void)event_del(&connection->io);
    (void)event_del(&connection->timer);
    connection_delist(connection);
    command_upload_abort(&connection->upload);
    stream_end(&connection->stream);
    leave(connection);
    buffer_release(&connection->unread);
    outgoing_release(&connection->outgoing, loop->context.shared);
    budget_release(loop->config->connections, connection->charged);
    trim_note(&loop->trim, NET_CONNECTION_COST + connection->charged, 0);
    (void)close(connection->transport.fd);
    free(connection);
    metric_add(&loop->metrics.curr_connections, -(uint64_t)1);
    metric_add(&loop->metrics.connection_structures, -(uint64_t)1);
    atomic_fetch_sub(&loop->n_connections, 1);
}

bool connection_charge(struct connection *connection)
{
    struct budget *budget = connection->loop->config->connections;
    size_t held = connection->unread.capacity + connection->outgoing.unsent.capacity;

    held -= held < NET_CONNECTION_FREE ? held : (size_t)NET_CONNECTION_FREE;
    if (held > connection->charged && !budget_charge(budget, held - connection->charged)) {
        metric_add(&connection->loop->metrics.closed_for_memory, 1);
        return false;
    }
    if (held < connection->charged) {
        budget_release(budget, connection->charged - held);
    }
    trim_note(&connection->loop->trim, connection->charged, held);
    connection->charged = held;
    return true;
}

/* The socket takes bytes again. */
static void on_writable(evutil_socket_t fd, short what, void *context)
{
    struct connection *connection = context;

    (void)fd;
    (void)what;
    connection_flush(connection);
}

static void pause_reading(struct connection *connection)
{
    if (!connection->is_writing) {
        connection->is_writing = true;
        connection_show(connection, STATE_SENDING);
        watch(connection, EV_WRITE, on_writable);
    }
}

/* All replies are sent: go on where the last turn ended. */
static void resume_reading(struct connection *connection)
{
    struct loop *loop = connection->loop;

    if (connection->is_writing) {
        connection->is_writing = false;
        watch(connection, EV_READ, on_readable);
        connection_wait_for_input(connection, true);
        connection_show_waiting(connection);
    }
    if (connection->is_stalled) {
        /* Its socket may stay readable: looking at it again and again would only burn time. */
        (void)event_del(&connection->io);
        connection_enlist(connection, &loop->stalled);
    } else if (connection->has_more || loop->is_stopping) {
        connection_enlist(connection, &loop->ready);
    }
}

void connection_try_again(struct connection *connection)
{
    connection->is_stalled = false;
    (void)event_add(&connection->io, NULL);
    connection_enlist(connection, &connection->loop->ready);
}

/* Its part of the loop's output. */
static struct slice fresh_output(const struct connection *connection)
{
    struct slice output = buffer_slice(&connection->loop->output);

    return slice_first(slice_from(output, connection->output_start), connection->output_size);
}

bool connection_keep_output(struct connection *connection)
{
    enum sess_status status = outgoing_keep(&connection->outgoing, fresh_output(connection));

    connection->output_size = 0;
    return status == SESS_OK && connection_charge(connection);
}

/* Send once. Returns false when the connection is broken or holds back more than it may. */
static bool send_output(struct connection *connection)
{
    struct loop *loop = connection->loop;
    size_t sent;
    enum sess_status status =
        outgoing_send(&connection->outgoing, loop->context.shared, &connection->transport,
                      fresh_output(connection), &sent);

    connection->output_size = 0;
    metric_add(&loop->metrics.bytes_written, sent);
    if (status != SESS_OK) {
        return false;
    }
    if (!outgoing_is_empty(&connection->outgoing)) {
        wait_for(connection, WAIT_OUTPUT, sent > 0);
    }
    return connection_charge(connection);
}

/* Drop what the peer still sends, until it closes, but not for ever. */
static void on_farewell(evutil_socket_t fd, short what, void *context)
{
    struct connection *connection = context;
    struct loop *loop = connection->loop;
    size_t got = 0;
    enum sess_status status = connection->transport.calls->recv(&connection->transport, loop->input,
                                                                LOOP_INPUT_SIZE, &got);

    (void)fd;
    (void)what;
    explicit_bzero(loop->input, got);
    connection->farewell_size += got;
    if (status == SESS_CLOSED || status == SESS_IO || connection->farewell_size > FAREWELL_SIZE) {
        connection_destroy(connection);
    }
}

/* Closing a socket that holds unread bytes resets it, and the peer may lose its last reply. So the
 * sending side is closed first, and the rest when the peer has closed its own, or after a while. */
static void say_farewell(struct connection *connection)
{
    if (connection->is_drained || shutdown(connection->transport.fd, SHUT_WR) != 0) {
        connection_destroy(connection);
        return;
    }
    connection->is_writing = false;
    connection_show(connection, STATE_CLOSING);
    watch(connection, EV_READ, on_farewell);
    wait_for(connection, WAIT_FAREWELL, true);
}

void connection_flush(struct connection *connection)
{
    if (!send_output(connection)) {
        connection_destroy(connection);
    } else if (!outgoing_is_empty(&connection->outgoing)) {
        pause_reading(connection);
    } else if (connection->is_closing) {
        say_farewell(connection);
    } else {
        resume_reading(connection);
    }
}
