/* How bytes come and go on one connection: two functions, so that TLS can stand in their place.
 *
 * Private to net. Never blocks, never spins. Threads: the connection's worker. */
#ifndef SESSIOND_SRC_NET_TRANSPORT_H
#define SESSIOND_SRC_NET_TRANSPORT_H

#include "sessiond/base/slice.h"
#include "sessiond/base/status.h"

struct transport;

enum { TRANSPORT_PIECES_MAX = 3 }; /* in one send: bytes, a large value, bytes */

struct transport_calls {
    /** One attempt. returns OK (*got > 0) | AGAIN | CLOSED (the peer sends no more) | IO */
    enum sess_status (*recv)(struct transport *transport, uint8_t *place, size_t size, size_t *got);
    /** One attempt to send pieces, none of them empty, one behind the other; *sent may be less than
     *  all. returns OK (*sent > 0) | AGAIN (*sent is not written) | IO */
    enum sess_status (*send)(struct transport *transport, const struct slice *pieces,
                             size_t n_pieces, size_t *sent);
};

struct transport {
    const struct transport_calls *calls; /* immutable */
    int fd;                              /* owned by the connection */
};

/** Plain sockets. */
extern const struct transport_calls transport_plain;

#endif
