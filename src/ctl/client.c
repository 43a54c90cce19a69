/* The client of the admin socket. Threads: one. Memory: the caller's struct. */
#include "sessiond/ctl/client.h"

#include "sessiond/journal/data_dir.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char usual_place[] = "/run/sessiond" ADMIN_SOCKET_NAME;
static const char unix_prefix[] = "unix:";

static enum sess_status set_path(struct client *client, const char *path, struct sess_error *error)
{
    if (strncmp(path, unix_prefix, sizeof unix_prefix - 1) == 0) {
        path += sizeof unix_prefix - 1;
    }
    if (path[0] == '\0' || strlen(path) >= sizeof client->path) {
        return error_set(error, SESS_OUT_OF_RANGE,
                         "'%.120s' is no path of a socket: it takes 1 to %zu bytes", path,
                         sizeof client->path - 1);
    }
    (void)snprintf(client->path, sizeof client->path, "%s", path);
    return SESS_OK;
}

static enum sess_status explain(const struct client *client, struct sess_error *error)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
        return error_set(error, SESS_NOT_FOUND,
                         "no sessiond answers at %s: is it running? Its line `listening admin "
                         "unix:PATH` has the place; name it with --socket or $SESSIOND_ADMIN",
                         client->path);
    case EACCES:
    case EPERM:
        return error_set(error, SESS_REFUSED,
                         "%s: you may not connect: be root or sessiond's user, or set admin-mode "
                         "and admin-allow",
                         client->path);
    default:
        return error_set(error, SESS_IO, "%s: %s", client->path, strerror(errno));
    }
}

/* Connect to client->path. */
static enum sess_status connect_to(struct client *client, struct sess_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = CLIENT_PATIENCE_S};
    enum sess_status status;

    memcpy(address.sun_path, client->path, strlen(client->path) + 1);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0) {
        return error_set(error, SESS_IO, "cannot make a socket: %s", strerror(errno));
    }
    (void)setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(client->fd, (const struct sockaddr *)(const void *)&address, sizeof address) == 0) {
        return SESS_OK;
    }
    status = explain(client, error);
    client_close(client);
    return status;
}

static enum sess_status open_named(struct client *client, const char *path,
                                   struct sess_error *error)
{
    enum sess_status status = set_path(client, path, error);

    return status == SESS_OK ? connect_to(client, error) : status;
}

enum sess_status client_open(const char *named, struct client *out, struct sess_error *error)
{
    char place[DATA_DIR_SIZE + sizeof ADMIN_SOCKET_NAME];
    struct sess_error ignored;
    enum sess_status status;

    out->fd = -1;
    out->size = 0;
    out->used = 0;
    if (named == NULL) {
        /* There is one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
        named = getenv("SESSIOND_ADMIN");
    }
    if (named != NULL && named[0] != '\0') {
        return open_named(out, named, error);
    }
    status = open_named(out, usual_place, error);
    if (status != SESS_NOT_FOUND || data_dir_find("auto", place, &ignored) != SESS_OK) {
        return status;
    }
    (void)snprintf(place + strlen(place), sizeof place - strlen(place), "%s", ADMIN_SOCKET_NAME);
    status = open_named(out, place, error);
    return status == SESS_NOT_FOUND ? error_wrap(error, "%s: there is none; and", usual_place)
                                    : status;
}

/* What was refused may end in a reset behind the last line. */
enum sess_status client_receive(struct client *client, void *to, size_t size, size_t *got,
                                struct sess_error *error)
{
    ssize_t received;

    do {
        received = recv(client->fd, to, size, 0);
    } while (received < 0 && errno == EINTR);
    if (received < 0 && errno == EAGAIN) {
        return error_set(error, SESS_IO, "%s: no answer within %d s", client->path,
                         CLIENT_PATIENCE_S);
    }
    *got = received < 0 ? 0 : (size_t)received;
    return SESS_OK;
}

/* Receive more of a line. */
static enum sess_status receive(struct client *client, struct sess_error *error)
{
    size_t room = sizeof client->text - client->size;
    size_t got = 0;
    enum sess_status status;

    if (room == 0) {
        return error_set(error, SESS_IO, "%s: a line is longer than %zu bytes", client->path,
                         sizeof client->text);
    }
    status = client_receive(client, client->text + client->size, room, &got, error);
    client->size += got;
    if (status == SESS_OK && got == 0) {
        return error_set(
            error, SESS_IO,
            "%s: sessiond closed the connection before it had answered: its log may say why",
            client->path);
    }
    return status;
}

static void drop_line(struct client *client)
{
    client->size -= client->used;
    memmove(client->text, client->text + client->used, client->size);
    client->used = 0;
}

enum sess_status client_line(struct client *client, const char **line, struct sess_error *error)
{
    enum sess_status status = SESS_OK;
    char *end;

    drop_line(client);
    end = memchr(client->text, '\n', client->size);
    while (end == NULL && status == SESS_OK) {
        status = receive(client, error);
        end = memchr(client->text, '\n', client->size);
    }
    if (end == NULL) {
        return status;
    }
    client->used = (size_t)(end - client->text) + 1;
    if (end > client->text && end[-1] == '\r') {
        end--;
    }
    *end = '\0';
    *line = client->text;
    return SESS_OK;
}

static bool is_error(const char *line)
{
    return strcmp(line, "ERROR") == 0 || strncmp(line, "ERROR ", 6) == 0 ||
           strncmp(line, "CLIENT_ERROR ", 13) == 0 || strncmp(line, "SERVER_ERROR ", 13) == 0;
}

static bool is_end(const char *line)
{
    return strcmp(line, "OK") == 0 || strcmp(line, "END") == 0 || strcmp(line, "RESET") == 0;
}

static void send_line(const struct client *client, const char *line)
{
    char text[CLIENT_PATH_SIZE + sizeof "\r\n"];
    int size = snprintf(text, sizeof text, "%s\r\n", line);

    /* Whoever is turned away is told so, though nobody reads this: the answer says what came of it. */
    if (send(client->fd, text, (size_t)size, MSG_NOSIGNAL) < 0) {
        return;
    }
}

enum sess_status client_ask(struct client *client, const char *line, client_line_fn on_line,
                            void *context, struct sess_error *error)
{
    send_line(client, line);
    for (;;) {
        const char *answered;
        enum sess_status status = client_line(client, &answered, error);

        if (status != SESS_OK) {
            return status;
        }
        if (is_error(answered)) {
            return error_set(error, SESS_REFUSED, "%s: %.400s", client->path, answered);
        }
        if (is_end(answered)) {
            return SESS_OK;
        }
        if (on_line != NULL) {
            on_line(context, answered);
        }
    }
}

enum sess_status client_send(struct client *client, struct slice bytes, struct sess_error *error)
{
    while (bytes.size > 0) {
        ssize_t sent = send(client->fd, bytes.data, bytes.size, MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR) {
            return error_set(error, SESS_IO, "%s: sessiond is gone, or closed the connection: %s",
                             client->path, strerror(errno));
        }
        bytes = slice_from(bytes, sent < 0 ? 0 : (size_t)sent);
    }
    return SESS_OK;
}

void client_close(struct client *client)
{
    if (client->fd >= 0) {
        (void)close(client->fd);
        client->fd = -1;
    }
}
