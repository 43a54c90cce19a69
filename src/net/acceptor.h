/* The acceptor: listeners, and who gets an accepted connection.
 *
 * Private to net. Each connection goes to the worker that has the fewest: so even a few pooled
 * connections spread evenly. When descriptors or memory run out, accepting pauses; it never loops.
 * Threads: the creator's, but for what is immutable and the metrics. */
#ifndef SESSIOND_SRC_NET_ACCEPTOR_H
#define SESSIOND_SRC_NET_ACCEPTOR_H

#include "listener.h"
#include "peers.h"
#include "sessiond/base/log.h"
#include "worker.h"

struct acceptor;

/* All of `listen`, the admin listener, and what was handed over. */
enum { DOORS_MAX = OPTION_LIST_MAX + 1 + NET_INHERITED_MAX };

struct door {
    struct acceptor *acceptor;
    enum net_role role;
    struct listener listener;
    int fd; /* the listener's; immutable: for those who look while it may be closed */
    struct event readable;
};

struct acceptor {
    /* immutable once it is open */
    const struct net_config *config;
    struct worker *const *workers; /* config->n_threads of them, made before it accepts */
    struct event_base *base;
    struct door doors[DOORS_MAX];
    size_t n_doors;
    struct peers peers[NET_ROLES]; /* who may use unix sockets */
    int64_t opened_ms;             /* elapsed time */

    /* the creator's thread */
    struct event pause_over;
    int64_t paused_ms;          /* elapsed time when accepting paused */
    struct net_metrics metrics; /* any thread reads */
    struct log_limit pause_log;
    struct log_limit reject_log;
    struct log_limit peer_log;
    struct log_limit untold_log;
};

/** Whether all listeners and peers that the options name may be: see net_check_listen. */
SESS_MUST_CHECK enum sess_status acceptor_check(const struct net_options *options,
                                                struct sess_error *error);

/** Open all listeners; nothing is accepted yet. `config` and `workers` are borrowed.
 *  returns  as net_server_create; acceptor_fini is to be called in any case */
SESS_MUST_CHECK enum sess_status acceptor_open(struct acceptor *acceptor,
                                               const struct net_config *config,
                                               struct worker *const *workers,
                                               struct sess_error *error);

/** Open one more listener, of role admin: see net_server_open_admin. */
SESS_MUST_CHECK enum sess_status acceptor_open_admin(struct acceptor *acceptor, const char *address,
                                                     struct sess_error *error);

/** Accept connections until `wake_fd` is readable. returns OK | IO */
SESS_MUST_CHECK enum sess_status acceptor_run(struct acceptor *acceptor, int wake_fd);

/** Close the listeners; no effect when they are closed. */
void acceptor_close(struct acceptor *acceptor);

/** Free what it owns. */
void acceptor_fini(struct acceptor *acceptor);

#endif
