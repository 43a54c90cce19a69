/* Plain sockets as a transport. Threads: the connection's worker. Memory: none. */
#include "transport.h"

#include "sessiond/base/failpoint.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

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

static ssize_t send_pieces(int fd, const struct slice *pieces, size_t n_pieces)
{
    struct iovec parts[TRANSPORT_PIECES_MAX];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = n_pieces};

    for (size_t i = 0; i < n_pieces; i++) {
        parts[i] = (struct iovec){.iov_base = (void *)(uintptr_t)pieces[i].data,
                                  .iov_len = pieces[i].size};
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static enum sess_status plain_send(struct transport *transport, const struct slice *pieces,
                                   size_t n_pieces, size_t *sent)
{
    /* Nearly every reply is one piece, and send is the cheaper call. */
    ssize_t n = n_pieces == 1 ? send(transport->fd, pieces[0].data, pieces[0].size, MSG_NOSIGNAL)
                              : send_pieces(transport->fd, pieces, n_pieces);

    if (n < 0) {
        return status_of_errno();
    }
    failpoint("reply.sent");
    *sent = (size_t)n;
    return SESS_OK;
}

const struct transport_calls transport_plain = {.recv = plain_recv, .send = plain_send};
