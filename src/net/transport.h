/* How bytes come and go on one connection: two functions, so that TLS can stand in their place.
 *
 * Private to net. Never blocks, never spins. Threads: the connection's worker. */
#ifndef SESSIOND_SRC_NET_TRANSPORT_H
#define SESSIOND_SRC_NET_TRANSPORT_H

#include "sessiond/base/slice.h"
#include "sessiond/base/status.h"

struct transport;

struct transport_calls {
    /** One attempt. returns OK (*got > 0) | AGAIN | CLOSED (the peer sends no more) | IO */
    enum sess_status (*recv)(struct transport *transport, uint8_t *place, size_t size, size_t *got);
    /** One attempt; *sent may be less. returns OK (*sent > 0) | AGAIN | IO */
    enum sess_status (*send)(struct transport *transport, struct slice bytes, size_t *sent);
};

struct transport {
    const struct transport_calls *calls; /* immutable */
    int fd;                              /* owned by the connection */
};

/** Plain sockets. */
extern const struct transport_calls transport_plain;

#endif
