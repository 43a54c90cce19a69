/* One worker: a thread, its loop, and the way connections come to it.
 *
 * Private to net. Threads: the calls below are the acceptor's, unless they say otherwise. */
#ifndef SESSIOND_SRC_NET_WORKER_H
#define SESSIOND_SRC_NET_WORKER_H

#include "connection.h"
#include "pace.h"
#include "round.h"
#include "sessiond/base/log.h"

#include <event2/event_struct.h>
#include <pthread.h>

enum {
    WORKER_INBOX_FIRST = 64, /* room for accepted connections at first; max-connections bounds it */
    WORKER_DRAIN_MS = 1000,  /* a stopping worker reads on for so long, if a client never pauses */
    WORKER_STALL_MS = 10,    /* between two tries of stalled connections */
    WORKER_STALLED_TRIES = 64, /* of them at once */
};

/* What a worker is asked to do, in the order of urgency. */
enum worker_stop {
    WORKER_RUN,
    WORKER_STOP,    /* answer what has arrived, within stop-timeout */
    WORKER_ABANDON, /* close every connection unanswered */
};

struct worker {
    /* the owner's thread only */
    struct loop loop;
    struct round round;
    struct event wake_event;
    struct event tick_event;
    struct event stall_event; /* armed while connections are stalled or parked */
    struct event stop_event;  /* armed while stopping */
    struct store_ticker ticker;
    struct pace pace;
    struct log_limit memory_log;

    /* any thread */
    int wake_fd; /* immutable */
    _Atomic enum worker_stop stop_asked;
    _Atomic uint64_t n_turns; /* finished; the owner writes */

    uint64_t n_seen; /* the creator's: turns at its last look */

    /* under inbox_lock */
    pthread_mutex_t inbox_lock;
    struct accepted *inbox;
    size_t n_inbox;
    size_t inbox_capacity;

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
void worker_ask_stop(struct worker *worker, enum worker_stop how);
void worker_join(struct worker *worker);

/** Wake it if something of it waits for the journal (net_server_wake). Threads: any. */
void worker_wake_waiting(struct worker *worker);

/** Whether it has finished a turn since the last call; then it is woken, so that it has one even if there is
 *  nothing to do. */
bool worker_has_turned(struct worker *worker);

/** Hand an accepted connection over. Threads: the acceptor's.
 *  returns  OK (the worker owns the descriptor) | NO_MEMORY */
SESS_MUST_CHECK enum sess_status worker_give(struct worker *worker,
                                             const struct accepted *accepted);

#endif
