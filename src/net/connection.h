/* One client connection.
 *
 * Private to net. An idle connection owns no buffer. It is in one of three states: reading requests
 * (upload NULL), receiving a large value (upload set), or paused because it still has replies to send
 * (outgoing is not empty): the socket does not take them, or a large value is among them, behind which
 * nothing is run before it is sent. A reply may go on for many turns, one piece each (stream set); it is not
 * read meanwhile. Plus parked, when what is outgoing may not leave yet (park.c), and
 * closing, when it is the last that the connection gets.
 * Threads: its worker's. */
#ifndef SESSIOND_SRC_NET_CONNECTION_H
#define SESSIOND_SRC_NET_CONNECTION_H

#include "loop.h"
#include "outgoing.h"
#include "sessiond/command/command.h"
#include "sessiond/net/address.h"

#include <event2/event_struct.h>

/* What a connection is given time for. */
enum connection_wait { WAIT_NONE, WAIT_COMMAND, WAIT_VALUE, WAIT_OUTPUT, WAIT_IDLE, WAIT_FAREWELL };

/* What others see of a connection: memcached's names for it (`stats conns`). */
#define CONNECTION_STATES(X)                                                                       \
    X(WAITING, "conn_waiting")   /* for a request */                                               \
    X(READ, "conn_read")         /* a line or a small value has begun */                           \
    X(NREAD, "conn_nread")       /* receiving a large value */                                     \
    X(SWALLOW, "conn_swallow")   /* dropping a value that was refused */                           \
    X(RUNNING, "conn_parse_cmd") /* having its turn */                                             \
    X(STALLED, "conn_io_queue")  /* waiting for memory or for the journal */                       \
    X(PARKED, "conn_io_pending") /* its replies wait for the disk */                               \
    X(SENDING, "conn_mwrite")    /* the socket does not take its replies */                        \
    X(CLOSING, "conn_closing")   /* has had its last reply */
#define CONNECTION_STATE_ID(id, name) STATE_##id,
enum connection_state { CONNECTION_STATES(CONNECTION_STATE_ID) };
#undef CONNECTION_STATE_ID

/* What a turn touches stands together. */
struct connection {
    struct loop *loop; /* immutable */

    /* the owner only */
    struct transport transport;
    struct connection *listed_next; /* in the list it is on, if any */
    struct connection *listed_previous;
    struct connection_list *listed; /* ready, replied, stalled, parked, or NULL */

    /* written by the owner, read by any thread that holds the loop's lock */
    _Atomic int64_t last_command_ms; /* elapsed time; at first when it came */
    _Atomic enum connection_state state;

    /* the owner only */
    enum connection_wait wait; /* what `timer` is armed for */
    struct parser parser;
    struct command_upload *upload;
    struct buffer unread;         /* input that is not run yet */
    struct stream *stream;        /* NULL, or what makes the rest of a reply: nothing else is run */
    struct store_tickets tickets; /* what its next reply waits for */
    size_t output_start;          /* of its part in the loop's output */
    size_t output_size;
    size_t charged;    /* to the connections' budget, for unread and unsent bytes */
    bool has_more;     /* unread may hold what can be run without reading */
    bool is_stalled;   /* and that waits for memory or for the journal */
    bool has_restored; /* the log has told of it */
    bool is_closing;   /* nothing is run any more */
    bool is_drained;   /* all that the peer has sent is read */
    bool is_writing;   /* `io` waits for the socket to take more */
    struct outgoing outgoing;
    struct event io; /* readable, or writable while paused */
    struct event timer;
    int in_kernel;        /* bytes sent but not taken by the peer when `timer` was armed */
    size_t farewell_size; /* bytes dropped since its last reply */

    /* written by the owner, read by any thread that holds the loop's lock */
    struct connection *next; /* all of the loop's */
    struct connection *previous;

    /* immutable */
    const struct net_address *listener; /* borrowed */
    char peer[64];                      /* terminated: an address, or who is at a unix socket */
};

/* An accepted connection on its way to its worker. */
struct accepted {
    int fd;
    enum net_role role;                 /* of the listener */
    const struct net_address *listener; /* where it came; lives as long as the workers */
    union {
        struct net_address peer;
        struct ucred who; /* where the listener is a unix socket */
    };
};

/** Take over an accepted connection: OK | NO_MEMORY (it is closed). From then on it puts itself on the
 *  loop's ready list when there is something to read. */
SESS_MUST_CHECK enum sess_status connection_create(struct loop *loop,
                                                   const struct accepted *accepted);

/** Close and free. */
void connection_destroy(struct connection *connection);

/** Put on a list; no effect when it is on one already. */
void connection_enlist(struct connection *connection, struct connection_list *list);

/** Take it off its list, if it is on one. */
void connection_delist(struct connection *connection);

/** Take the first off a list, or NULL. */
struct connection *connection_unlist(struct connection_list *list);

/** Give it time for what it has begun: a value, a command, or the next one. The time counts from now
 *  if it waited for something else before or if there was progress. */
void connection_wait_for_input(struct connection *connection, bool has_progress);

/** Stop its time. */
void connection_wait_for_nobody(struct connection *connection);

/** Move its part of the loop's output to the connection, to be sent later.
 *  Returns false when there is no memory for it: the connection is to be closed. */
bool connection_keep_output(struct connection *connection);

/** Send its part of the loop's output, keep the rest, pause or close it as needed. The connection
 *  may be gone afterwards. */
void connection_flush(struct connection *connection);

/** Let others see what it is at. */
void connection_show(struct connection *connection, enum connection_state state);

/** The same for one that has had its turn, from what it waits for. */
void connection_show_waiting(struct connection *connection);

/** Let a stalled connection have another turn. */
void connection_try_again(struct connection *connection);

/** Charge what it holds back. Returns false when that is over the budget: it is to be closed. */
bool connection_charge(struct connection *connection);

#endif
