/* A server that does as little as one on libevent can: the limit that a store is measured against.
 *
 * One recv a wake, a reply of a fixed text for each request that begins in it, one send. It knows what this bench
 * asks of it and nothing else: get, set, add, touch, delete, told apart by their first letter. It stores nothing,
 * checks nothing, and gives up a connection that sends what it does not expect. A reply to `get` has as many bytes
 * as the mean reply of a store: a key, and a value of VALUE-BYTES.
 *
 *     null_server [VALUE-BYTES]      prints its port as sessiond does; ends by SIGTERM
 *
 * One thread. Not measured here: anything that a session needs. */
#include "room.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    INPUT_ROOM = 1 << 16,
    OUTPUT_ROOM = 1 << 18,
    KEY_LENGTH = 64,
    DEFAULT_VALUE_BYTES = 400, /* the mean of 200 to 600 */
    VALUE_MAX = 1 << 14,
    HEAD_ROOM = KEY_LENGTH + 64,
    BACKLOG = 1024,
};

/* What one thread shares among its connections: an idle one owns an event and a number. */
struct server {
    struct event_base *base;
    char *get_reply;
    size_t get_length;
    char input[INPUT_ROOM], output[OUTPUT_ROOM];
};

struct connection {
    struct server *server;
    struct event *event;
    size_t skip;    /* bytes of a value that are still to come */
    size_t carried; /* bytes of a line that did not end */
    char line[HEAD_ROOM * 2];
};

static void close_connection(struct connection *connection, int fd)
{
    event_free(connection->event);
    (void)close(fd);
    free(connection);
}

/* The number at the end of a line that `end` points behind: of a set, the bytes of its value. */
static size_t last_number(const char *line, const char *end)
{
    size_t number = 0;
    size_t scale = 1;

    for (const char *at = end - 2; at > line && *at >= '0' && *at <= '9'; at--, scale *= 10) {
        number += (size_t)(*at - '0') * scale;
    }
    return number;
}

/* One reply for each line; the bytes behind a set's line are jumped over. Returns the end of the replies. */
static char *answer(struct connection *connection, const char *at, const char *end, char *out)
{
    const struct server *server = connection->server;

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));

        if (newline == NULL || out + server->get_length > server->output + OUTPUT_ROOM) {
            break;
        }
        if (*at == 'g') {
            out = put(out, server->get_reply, server->get_length);
        } else if (*at == 's' || *at == 'a') {
            size_t value = last_number(at, newline) + 2;
            size_t here = (size_t)(end - newline - 1);

            connection->skip = value > here ? value - here : 0;
            newline += value - connection->skip;
            out = put(out, "STORED\r\n", 8);
        } else {
            out = put(out, *at == 'd' ? "DELETED\r\n" : "TOUCHED\r\n", 9);
        }
        at = newline + 1;
    }
    connection->carried = (size_t)(end - at);
    if (connection->carried > 0 && connection->carried <= sizeof(connection->line)) {
        memcpy(connection->line, at, connection->carried);
    }
    return out;
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
    struct connection *connection = argument;
    struct server *server = connection->server;
    size_t carried = connection->carried;
    ssize_t got = recv(fd, server->input + carried, INPUT_ROOM - sizeof(connection->line), 0);
    size_t skipped;
    char *out;

    (void)what;
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) {
            close_connection(connection, fd);
        }
        return;
    }
    memcpy(server->input, connection->line, carried);
    skipped = connection->skip < (size_t)got ? connection->skip : (size_t)got;
    connection->skip -= skipped;
    out =
        answer(connection, server->input + skipped, server->input + carried + got, server->output);
    if (connection->carried > sizeof(connection->line) ||
        (out > server->output && send(fd, server->output, (size_t)(out - server->output),
                                      MSG_NOSIGNAL) != out - server->output)) {
        close_connection(connection, fd);
    }
}

static void on_connection(evutil_socket_t listener, short what, void *argument)
{
    struct server *server = argument;
    struct connection *connection = calloc(1, sizeof(*connection));
    int fd = accept(listener, NULL, NULL);
    int on = 1;

    (void)what;
    if (fd < 0 || evutil_make_socket_nonblocking(fd) != 0 || connection == NULL) {
        perror("null_server: cannot accept");
        exit(EXIT_FAILURE);
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connection->server = server;
    connection->event = event_new(server->base, fd, EV_READ | EV_PERSIST, on_readable, connection);
    if (connection->event == NULL || event_add(connection->event, NULL) != 0) {
        (void)fputs("null_server: no event\n", stderr);
        exit(EXIT_FAILURE);
    }
}

static bool prepare_reply(struct server *server, size_t value_bytes)
{
    server->get_reply = malloc(HEAD_ROOM + value_bytes);
    if (server->get_reply == NULL) {
        return false;
    }
    server->get_length =
        (size_t)sprintf(server->get_reply, "VALUE %0*d 0 %zu\r\n", KEY_LENGTH, 0, value_bytes);
    memset(server->get_reply + server->get_length, 'v', value_bytes);
    memcpy(server->get_reply + server->get_length + value_bytes, "\r\nEND\r\n", 7);
    server->get_length += value_bytes + 7;
    return true;
}

static bool listen_on_loopback(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct event *event = event_new(server->base, fd, EV_READ | EV_PERSIST, on_connection, server);

    if (fd < 0 || event == NULL || bind(fd, (struct sockaddr *)&address, length) != 0 ||
        listen(fd, BACKLOG) != 0 || getsockname(fd, (struct sockaddr *)&address, &length) != 0 ||
        event_add(event, NULL) != 0) {
        return false;
    }
    (void)printf("listening data 127.0.0.1:%u\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    return true;
}

int main(int argc, char **argv)
{
    static struct server server; /* not on the stack: it holds the buffers */
    unsigned long value_bytes = argc > 1 ? strtoul(argv[1], NULL, 10) : DEFAULT_VALUE_BYTES;

    if (argc > 2 || value_bytes == 0 || value_bytes > VALUE_MAX) {
        (void)fputs("usage: null_server [VALUE-BYTES]\n", stderr);
        return EX_USAGE;
    }
    server.base = event_base_new();
    if (server.base == NULL || !prepare_reply(&server, value_bytes) ||
        !listen_on_loopback(&server)) {
        perror("null_server");
        return EXIT_FAILURE;
    }
    return event_base_dispatch(server.base) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
