/* Plain sockets as a transport. Threads: the connection's worker. Memory: none. */
#include "transport.h"

#include <errno.h>
#include <sys/socket.h>

static enum sess_status status_of_errno(void)
{
    return errno == EAGAIN || errno == EINTR ? SESS_AGAIN : SESS_IO;
}

static enum sess_status plain_recv(struct transport *transport, uint8_t *place, size_t size,
                                   size_t *got)
{
    ssize_t n = recv(transport->fd, place, size, 0);

    if (n > 0) {
        *got = (size_t)n;
        return SESS_OK;
    }
    return n == 0 ? SESS_CLOSED : status_of_errno();
}

static enum sess_status plain_send(struct transport *transport, struct slice bytes, size_t *sent)
{
    ssize_t n = send(transport->fd, bytes.data, bytes.size, MSG_NOSIGNAL);

    if (n < 0) {
        return status_of_errno();
    }
    *sent = (size_t)n;
    return SESS_OK;
}

const struct transport_calls transport_plain = {.recv = plain_recv, .send = plain_send};
