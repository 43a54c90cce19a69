/* The server: listeners, worker threads and their connections.
 *
 * The only room that uses libevent. Knows requests and replies as bytes and as the command room's
 * calls; nothing of the store's inside. Threads: the calls below are for the one that created it,
 * unless they say otherwise; each worker is a thread of its own. */
#ifndef SESSIOND_NET_SERVER_H
#define SESSIOND_NET_SERVER_H

#include "sessiond/net/config.h"
#include "sessiond/net/metrics.h"

#include <sys/types.h>

struct net_server;

/** Whether `listen` and `admin-listen` are addresses, and such that may be listened on, and whether all
 *  who may connect are known.
 *  returns  OK | INVALID | NOT_FOUND (a host, user or group) | OUT_OF_RANGE | REFUSED (others can reach it,
 *           without insecure_listen) */
SESS_MUST_CHECK enum sess_status net_check_listen(const struct net_options *options,
                                                  struct sess_error *error);

/** Open the listeners and make the workers; nothing is accepted yet.
 *  returns  OK (the caller owns *out) | NO_MEMORY | ADDRESS_IN_USE | INVALID (also what is handed over and is
 *           no listening socket) | NOT_FOUND | IO | REFUSED (a listener that others can reach, without
 *           insecure_listen) */
SESS_MUST_CHECK enum sess_status net_server_create(const struct net_config *config,
                                                   struct net_server **out,
                                                   struct sess_error *error);

/** Open one more listener, of role admin, where `admin-listen = auto` says; before net_server_start.
 *  returns  as net_server_create; on failure the server is as it was */
SESS_MUST_CHECK enum sess_status net_server_open_admin(struct net_server *server,
                                                       const char *address,
                                                       struct sess_error *error);

/** Whether there is a listener of that role. */
bool net_server_has(const struct net_server *server, enum net_role role);

/** Give the files of unix sockets to the user that the process is about to become; not of those that were
 *  handed over. */
void net_server_hand_over(struct net_server *server, uid_t uid, gid_t gid);

/** Start the workers. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status net_server_start(struct net_server *server,
                                                  struct sess_error *error);

/** Number of listeners, and the role and address of each for the ready line; terminated texts. */
size_t net_server_listeners(const struct net_server *server);
void net_server_describe(const struct net_server *server, size_t index, char *out, size_t out_size);

/** Accept connections until `wake_fd` is readable. returns OK | IO */
SESS_MUST_CHECK enum sess_status net_server_accept(struct net_server *server, int wake_fd);

/** Whether each worker has finished a turn since the last call, or its start; each is then woken to have
 *  one, so a call is worth a few system calls for each worker. While workers run. */
bool net_server_has_turned(struct net_server *server);

/** Stop: accept nothing more, answer what has arrived, send it, within stop_timeout; then join the
 *  workers. On a server that was not started it only closes the listeners. */
void net_server_stop(struct net_server *server);

/** Stop at once: every connection is closed, unanswered, then the workers are joined. For a journal that
 *  has failed, and says no to every reply that tells of a change. On a server that was not started it
 *  only closes the listeners. */
void net_server_abandon(struct net_server *server);

/** Wired call, journal to worker: replies may leave that might not before, or there is room for changes
 *  again. Only workers that wait for it are woken; it never blocks. Threads: any, from the server's
 *  creation to its end. */
void net_server_wake(struct net_server *server);

/** Free everything and set *server to NULL. It must not be running. */
void net_server_destroy(struct net_server **server);

/** Add up the metrics of net and of the commands (registry_sum_fn; context is the server). */
void net_server_sum(void *server, uint64_t *totals);
void net_server_sum_commands(void *server, uint64_t *totals);

/** The version of the event library. */
const char *net_server_libevent(void);

/** Add rows about listeners and connections, the section `conns` (registry_report_fn; context is the
 *  server). Of very many connections the last are only counted. Threads: any, while workers run. */
void net_server_report_conns(void *server, struct report *report);

#endif
