/* A conversation with a running sessiond, over its admin socket.
 *
 * Knows where the socket is and how an answer ends, not what the verbs mean (ctl/remote.h). Threads: one.
 * Source: docs/ADMIN-PROTOCOL.md. */
#ifndef SESSIOND_CTL_CLIENT_H
#define SESSIOND_CTL_CLIENT_H

#include "sessiond/base/error.h"
#include "sessiond/base/slice.h"

#include <stddef.h>

enum {
    CLIENT_PATH_SIZE = 108,   /* of a unix socket, terminated */
    CLIENT_LINE_SIZE = 65536, /* a line of an answer, with its end */
    CLIENT_PATIENCE_S = 60,   /* without a byte of an answer */
};

struct client {
    int fd;
    char path[CLIENT_PATH_SIZE]; /* of the socket; terminated */
    char text[CLIENT_LINE_SIZE]; /* received, and not taken yet */
    size_t size;
    size_t used; /* bytes of it that are the line that was told last */
};

/* Takes a line of an answer, without its end; not the last one. */
typedef void (*client_line_fn)(void *context, const char *line);

/** Connect. Without a name the socket is looked for at $SESSIOND_ADMIN, or else in the usual places.
 *  named    PATH or unix:PATH, or NULL
 *  returns  OK (client_close) | NOT_FOUND (nobody listens) | REFUSED (this user may not) | OUT_OF_RANGE (a
 *           path too long) | IO */
SESS_MUST_CHECK enum sess_status client_open(const char *named, struct client *out,
                                             struct sess_error *error);

/** Send a line and take its answer. `on_line` may be NULL.
 *  returns  OK (it ends in OK, END or RESET) | REFUSED (in an error, which is the text) | IO */
SESS_MUST_CHECK enum sess_status client_ask(struct client *client, const char *line,
                                            client_line_fn on_line, void *context,
                                            struct sess_error *error);

/** Send bytes, all of them. returns OK | IO */
SESS_MUST_CHECK enum sess_status client_send(struct client *client, struct slice bytes,
                                             struct sess_error *error);

/** The next line, without its end; it holds until the next call. returns OK | IO */
SESS_MUST_CHECK enum sess_status client_line(struct client *client, const char **line,
                                             struct sess_error *error);

/** Receive up to `size` bytes, whatever they are; no line may have been asked for. *got is 0 when sessiond has
 *  closed. returns OK | IO */
SESS_MUST_CHECK enum sess_status client_receive(struct client *client, void *to, size_t size,
                                                size_t *got, struct sess_error *error);

void client_close(struct client *client);

#endif
