/* The loop. Memory: a batch's replies for each connection. */
#include "client.h"

#include "check.h"
#include "pace.h"
#include "room.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SILENCE_S = 10,
    EVENTS = 64,
    SHOWN_BYTES = 60,
    CLOSED = -1,
};

struct connection {
    int fd;          /* or CLOSED */
    size_t sent;     /* requests of the current batch */
    size_t answered; /* of them */
    int64_t sent_ns; /* or when it was due */
    char *input;
    size_t input_size;
    struct visit visit;
    struct request requests[DEPTH_MAX];
};

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void fail(struct client *client, const char *what)
{
    client->failed = true;
    (void)fprintf(stderr, "load: %s\n", what);
}

static void report_wrong(struct client *client, const char *input, size_t size,
                         const struct request *request)
{
    struct key_line room;
    const struct key_line *line = workload_line(client->workload, request, 0, &room);

    client->failed = true;
    (void)fprintf(stderr, "load: wrong reply to %s %.*s: ", operation_names[request->operation],
                  line->length - KEY_AT - 3, line->text + KEY_AT);
    for (size_t i = 0; i < size && i < SHOWN_BYTES; i++) {
        bool printable = input[i] >= ' ' && input[i] <= '~';

        (void)fprintf(stderr, printable ? "%c" : "\\x%02x", (unsigned char)input[i]);
    }
    (void)fputs("\n", stderr);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void open_connection(struct client *client, struct connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)client->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    struct timeval patience = {.tv_sec = SILENCE_S};
    int on = 1;

    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
        epoll_ctl(client->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
        perror("load: cannot connect");
        exit(EXIT_FAILURE);
    }
    client->n_opened++;
}

static void close_connection(struct connection *connection)
{
    if (connection->fd != CLOSED) {
        (void)close(connection->fd);
        connection->fd = CLOSED;
    }
}

void client_open(struct client *client, struct workload *workload)
{
    client->workload = workload;
    client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    client->batch_room =
        client->depth * workload->batch * (REQUEST_ROOM + workload_value_max(workload));
    client->output = allocate(client->batch_room, 1);
    client->connections = allocate(client->n_connections, sizeof(*client->connections));
    for (size_t i = 0; i < client->n_connections; i++) {
        client->connections[i].input = allocate(client->batch_room, 1);
        open_connection(client, &client->connections[i]);
    }
}

void client_close(struct client *client)
{
    for (size_t i = 0; i < client->n_connections; i++) {
        close_connection(&client->connections[i]);
        free(client->connections[i].input);
    }
    free(client->connections);
    free(client->output);
    (void)close(client->epoll_fd);
}

/* ---- batches --------------------------------------------------------------------------------- */

static bool may_ask(const struct client *client, const struct connection *connection)
{
    return visit_is_open(&connection->visit) ||
           (client->issued < client->limit && connection->sent_ns < client->end_ns);
}

static bool choose(struct client *client, struct connection *connection, struct request *request)
{
    if (client->filling) {
        return workload_choose_absent(client->workload, request);
    }
    if (!workload_choose(client->workload, &connection->visit, request)) {
        fail(client, "more requests at once than sessions");
        return false;
    }
    return true;
}

static void send_batch(struct client *client, struct connection *connection)
{
    size_t size = 0;

    connection->sent = 0;
    connection->answered = 0;
    if (client->interval_ns == 0) {
        connection->sent_ns = now_ns();
    }
    while (connection->sent < client->depth && may_ask(client, connection)) {
        struct request *request = &connection->requests[connection->sent];

        if (!choose(client, connection, request)) {
            break;
        }
        size += wire_write(client->workload, client->output + size, request);
        connection->sent++;
        client->issued++;
    }
    client->in_flight += connection->sent;
    if (size > 0 && connection->fd == CLOSED) {
        open_connection(client, connection);
    }
    if (size > 0 && send(connection->fd, client->output, size, MSG_NOSIGNAL) != (ssize_t)size) {
        fail(client, "the server took no more requests");
    }
}

static void count(struct client *client, const struct request *request, uint64_t elapsed_ns)
{
    client->in_flight--;
    client->counts[request->operation]++;
    client->n_missed += request->operation == GET && !request->was_there;
    if (!client->filling) {
        latency_add(&client->latency, elapsed_ns);
    }
    workload_answered(client->workload, request);
}

/* Takes whole replies off the input and moves the rest to its start. */
static void take_replies(struct client *client, struct connection *connection)
{
    uint64_t elapsed_ns = (uint64_t)(now_ns() - connection->sent_ns);
    char *input = connection->input;
    size_t size = connection->input_size;

    while (connection->answered < connection->sent && size > 0) {
        const struct request *request = &connection->requests[connection->answered];
        long taken = check_reply(client->workload, input, size, request);

        if (taken == REPLY_WRONG) {
            report_wrong(client, input, size, request);
            return;
        }
        if (taken == REPLY_PARTIAL) {
            break;
        }
        input += taken;
        size -= (size_t)taken;
        connection->answered++;
        count(client, request, elapsed_ns);
    }
    if (connection->answered == connection->sent && size > 0) {
        fail(client, "more bytes than were asked for");
    }
    memmove(connection->input, input, size);
    connection->input_size = size;
}

static void end_batch(struct client *client, struct connection *connection)
{
    connection->sent_ns += client->interval_ns;
    if (client->reconnect && !client->filling && !visit_is_open(&connection->visit)) {
        close_connection(connection);
    }
    if (client->interval_ns == 0) {
        send_batch(client, connection);
    }
}

static void receive(struct client *client, struct connection *connection)
{
    ssize_t got = recv(connection->fd, connection->input + connection->input_size,
                       client->batch_room - connection->input_size, MSG_DONTWAIT);

    if (got <= 0) {
        fail(client, got == 0 ? "the server closed a connection" : strerror(errno));
        return;
    }
    connection->input_size += (size_t)got;
    take_replies(client, connection);
    if (!client->failed && connection->answered == connection->sent) {
        end_batch(client, connection);
    }
}

/* ---- phases ---------------------------------------------------------------------------------- */

/* Paced: send what is due. Returns the nanoseconds until more is; -1: nothing more will be. */
static int64_t send_due(struct client *client)
{
    int64_t now = now_ns();
    int64_t wait_ns = -1;

    for (size_t i = 0; i < client->n_connections && client->interval_ns > 0 && !client->failed;
         i++) {
        struct connection *connection = &client->connections[i];
        int64_t until_ns = connection->sent_ns - now;

        if (connection->answered < connection->sent || !may_ask(client, connection)) {
            continue;
        }
        if (until_ns <= 0) {
            send_batch(client, connection);
        } else if (wait_ns < 0 || until_ns < wait_ns) {
            wait_ns = until_ns;
        }
    }
    return wait_ns;
}

static void wait_for_replies(struct client *client, int64_t due_ns)
{
    struct epoll_event events[EVENTS];
    int64_t silence_ns = SILENCE_S * INT64_C(1000000000);
    int n_ready = pace_wait(client->epoll_fd, events, EVENTS, due_ns < 0 ? silence_ns : due_ns);

    if (n_ready < 0 || (n_ready == 0 && due_ns < 0)) {
        fail(client, n_ready == 0 ? "the server says nothing any more" : strerror(errno));
    }
    for (int i = 0; i < n_ready && !client->failed; i++) {
        receive(client, events[i].data.ptr);
    }
}

/* All connections ask at once, or each when it is due first. */
static void begin(struct client *client, int64_t start_ns)
{
    client->interval_ns =
        client->rate == 0 || client->filling
            ? 0
            : pace_interval_ns(client->rate, client->n_connections, client->depth);
    for (size_t i = 0; i < client->n_connections && !client->failed; i++) {
        struct connection *connection = &client->connections[i];

        connection->sent = 0;
        connection->answered = 0;
        if (client->interval_ns == 0) {
            send_batch(client, connection);
        } else {
            connection->sent_ns =
                pace_first_ns(start_ns, client->interval_ns, client->n_connections, i);
        }
    }
}

static double run_phase(struct client *client, uint64_t limit, uint64_t milliseconds)
{
    int64_t start_ns = now_ns();
    int64_t due_ns;

    client->issued = 0;
    client->limit = limit;
    client->end_ns = start_ns + (int64_t)milliseconds * 1000000;
    begin(client, start_ns);
    while (((due_ns = send_due(client)) >= 0 || client->in_flight > 0) && !client->failed) {
        wait_for_replies(client, due_ns);
    }
    return (double)(now_ns() - start_ns) / 1e9;
}

void client_begin_count(struct client *client)
{
    memset(client->counts, 0, sizeof(client->counts));
    memset(&client->latency, 0, sizeof(client->latency));
    client->n_missed = 0;
    client->n_opened = 0;
}

double client_ask(struct client *client, uint64_t limit, uint64_t milliseconds)
{
    client->filling = false;
    return run_phase(client, limit, milliseconds);
}

double client_fill(struct client *client, uint64_t milliseconds)
{
    double seconds;

    client->filling = true;
    seconds = run_phase(client, client->workload->sessions.n, milliseconds);
    if (!client->failed && client->workload->sessions.n_absent > 0) {
        fail(client, "the time was over before every session was stored");
    }
    return seconds;
}
