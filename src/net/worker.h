/* One worker: a thread, its event base, its connections and its buffers.
 *
 * Private to net. A turn is one pass of the event loop: connections read, run and reply into the
 * worker's output buffer; at the end of the turn each of them is sent its part with one send. */
#ifndef SESSIOND_SRC_NET_WORKER_H
#define SESSIOND_SRC_NET_WORKER_H

#include "sessiond/net/address.h"
#include "sessiond/net/server.h"

#include <event2/event_struct.h>
#include <pthread.h>

struct connection;

enum {
    WORKER_INPUT_SIZE = 65536,        /* the input buffer: one recv fits, and a small value with it */
    WORKER_OUTPUT_KEPT = 262144,      /* capacity of the output buffer kept between turns */
    WORKER_OUTPUT_FLUSH = 1 << 20,    /* replies waiting in one turn that are sent before its end */
    WORKER_INBOX_SIZE = 1024,         /* accepted connections on their way to the worker */
    WORKER_TICK_MS = 500,             /* between two looks at what has expired */
    WORKER_TICK_BUSY_MS = 1,          /* the same while there is more to take back */
    WORKER_TICK_STEPS = 128,          /* one slice: well under 50 us */
};

/* Connections of a worker that have the same thing ahead of them, linked through the connection. */
struct connection_list {
    struct connection *first;
    struct connection *last;
};

struct accepted {
    int fd;
    struct net_address peer;
};

struct worker {
    /* immutable after worker_create */
    const struct net_config *config;
    struct parser_limits limits;
    struct event_base *base;
    int wake_fd;

    /* the owner's thread only */
    struct event wake_event;
    struct event tick_event;
    struct event stop_event; /* armed while stopping */
    struct command_context context;
    struct store_ticker ticker;
    struct net_metrics metrics;
    uint8_t *input;        /* WORKER_INPUT_SIZE bytes */
    struct buffer output;  /* replies of this turn, of one connection after the other */
    struct connection_list replied; /* have a part of `output` */
    struct connection_list ready;   /* go on next turn without waiting for the socket */
    struct connection_list stalled; /* wait for memory or the journal: tried again each tick */
    struct connection *connections; /* all of them */
    bool time_is_read;              /* context.now is of this turn */
    bool is_stopping;

    /* any thread */
    _Atomic size_t n_connections; /* given to this worker and not closed yet */
    _Atomic bool stop_asked;

    /* under inbox_lock */
    pthread_mutex_t inbox_lock;
    struct accepted inbox[WORKER_INBOX_SIZE];
    size_t n_inbox;

    pthread_t thread; /* the creator's */
};

/** returns OK (the caller owns *out; nothing runs yet) | NO_MEMORY | IO */
SESS_MUST_CHECK enum sess_status worker_create(const struct net_config *config, unsigned number,
                                               struct worker **out);
/** Frees the worker, which is not running, and sets *worker to NULL. */
void worker_destroy(struct worker **worker);

/** Start its thread. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status worker_start(struct worker *worker);

/** Ask it to stop; then wait until it has. */
void worker_ask_stop(struct worker *worker);
void worker_join(struct worker *worker);

/** Hand an accepted connection over. Threads: the acceptor's.
 *  returns  OK (the worker owns the descriptor) | LIMIT (its inbox is full) */
SESS_MUST_CHECK enum sess_status worker_give(struct worker *worker, const struct accepted *accepted);

/** The time of this turn, read at the first call. Threads: the owner's. */
struct instant worker_now(struct worker *worker);

/** Send all that the turn has produced so far. Threads: the owner's. */
void worker_end_turn(struct worker *worker);

#endif
