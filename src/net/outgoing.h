/* What a connection has to send: bytes, and at most one large value among them, by reference.
 *
 * Private to net. The bytes are fresh ones of this turn, or those that were kept, because the socket
 * did not take them or they may not leave yet; never both, since a connection that has something unsent runs nothing. A large value is sent from
 * where it is: a slow reader costs no copy of it. Threads: the connection's worker. */
#ifndef SESSIOND_SRC_NET_OUTGOING_H
#define SESSIOND_SRC_NET_OUTGOING_H

#include "sessiond/command/attached.h"
#include "transport.h"

enum {
    OUTGOING_SEND_MAX = 1 << 20
}; /* bytes of a value in one send: others want to be served too */

struct outgoing {
    struct buffer unsent;      /* bytes that were kept */
    struct value_block *value; /* NULL, or the large value: reference and charge are owned */
    size_t value_at;           /* where among the bytes it belongs */
    size_t n_sent;             /* of bytes and value together */
};

/** Whether nothing waits to be sent. */
bool outgoing_is_empty(const struct outgoing *outgoing);

/** Take over an attached value that belongs into the fresh bytes at `at`. */
void outgoing_attach(struct outgoing *outgoing, struct value_block *value, size_t at);

/** Send once; what the socket does not take is kept. Bytes and value are let go when they are sent.
 *  returns  OK (*sent bytes are sent, maybe none) | IO (broken) | NO_MEMORY (to keep the rest) */
SESS_MUST_CHECK enum sess_status outgoing_send(struct outgoing *outgoing,
                                               const struct command_shared *shared,
                                               struct transport *transport, struct slice fresh,
                                               size_t *sent);

/** Keep the fresh bytes, to be sent later; nothing is kept yet. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status outgoing_keep(struct outgoing *outgoing, struct slice fresh);

/** Let everything go. */
void outgoing_release(struct outgoing *outgoing, const struct command_shared *shared);

#endif
