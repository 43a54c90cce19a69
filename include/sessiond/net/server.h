/* The server: listeners, worker threads and their connections.
 *
 * The only room that uses libevent. Knows requests and replies as bytes and as the command room's
 * calls; nothing of the store's inside. Threads: the calls below are for the one that created it;
 * each worker is a thread of its own. */
#ifndef SESSIOND_NET_SERVER_H
#define SESSIOND_NET_SERVER_H

#include "sessiond/base/budget.h"
#include "sessiond/base/option.h"
#include "sessiond/base/report.h"
#include "sessiond/command/command.h"
#include "sessiond/net/metrics.h"

enum { NET_THREADS_MAX = 64 };

#define NET_OPTIONS(X)                                                                             \
    X(listen, LIST, "127.0.0.1:11200", NULL, NULL, OPTION_FIXED,                                   \
      "Where clients connect: HOST:PORT, [V6]:PORT or unix:PATH; port 0 picks a free one.")        \
    X(insecure_listen, FLAG, "no", NULL, NULL, OPTION_FIXED,                                       \
      "Allow listeners that other machines can reach, though nothing is encrypted and nobody is "  \
      "asked for a password.")                                                                     \
    X(threads, COUNT, "auto", "1", "64", OPTION_FIXED | OPTION_AUTO,                               \
      "Worker threads; auto is one for each processor.")                                           \
    X(max_connections, COUNT, "10000", "1", "1000000", OPTION_FIXED,                               \
      "Connections at a time; further ones are told so and closed.")                               \
    X(connection_memory, SIZE, "auto", "1m", NULL, OPTION_FIXED | OPTION_AUTO,                     \
      "Memory for what connections still have to read or send, a part of `memory`; auto is a "     \
      "tenth.")                                                                                    \
    X(line_limit, SIZE, "8k", "1k", "32k", OPTION_FIXED,                                           \
      "Longest command line; the keys of a get may go on for ever.")                               \
    X(command_timeout, DURATION, "10s", "100ms", "1h", OPTION_FIXED | OPTION_NONE,                 \
      "Time for a command line that has begun, and for a small value.")                            \
    X(value_timeout, DURATION, "30s", "100ms", "1h", OPTION_FIXED | OPTION_NONE,                   \
      "Time for a large value that has begun; every 16k of it add a second.")                      \
    X(idle_timeout, DURATION, "none", "1s", NULL, OPTION_FIXED | OPTION_NONE,                      \
      "Time without a command after which a connection is closed.")                                \
    X(output_limit, SIZE, "1m", "64k", "64m", OPTION_FIXED,                                        \
      "Replies made for a connection before it is sent some; it is not read while it does not "    \
      "take them.")                                                                                \
    X(output_timeout, DURATION, "60s", "100ms", "1h", OPTION_FIXED | OPTION_NONE,                  \
      "Time without progress after which a connection that does not take its replies is closed.")  \
    X(stop_timeout, DURATION, "30s", "100ms", "1h", OPTION_FIXED,                                  \
      "Time for connections to take their last replies when the daemon stops.")

struct net_options {
    NET_OPTIONS(OPTION_DECLARE)
};
extern const struct option_table net_option_table;

struct net_server;

struct net_config {
    const struct net_options *options;     /* borrowed */
    const struct command_shared *commands; /* borrowed */
    struct clock *clock;                   /* borrowed */
    struct log_limit *binary_log;          /* one line a minute about the binary protocol; borrowed */
    struct budget *connections;            /* charged for what connections hold back; borrowed */
    size_t max_value_bytes;                /* a larger value is refused by its announced size */
    unsigned n_threads;                    /* 1..NET_THREADS_MAX */
    size_t max_connections;                /* as the system allows them */
    /* Wired call, worker to store: see store_tick. */
    bool (*tick)(void *context, struct store_ticker *ticker, int64_t now_s, unsigned max_steps);
    void *tick_context;
};

/** Open the listeners and make the workers; nothing is accepted yet.
 *  returns  OK (the caller owns *out) | NO_MEMORY | ADDRESS_IN_USE | INVALID | NOT_FOUND | IO |
 *           REFUSED (a listener that others can reach, without insecure_listen) */
SESS_MUST_CHECK enum sess_status net_server_create(const struct net_config *config,
                                                   struct net_server **out,
                                                   struct sess_error *error);

/** Start the workers. returns OK | NO_MEMORY */
SESS_MUST_CHECK enum sess_status net_server_start(struct net_server *server,
                                                  struct sess_error *error);

/** Number of listeners, and the role and address of each for the ready line; terminated texts. */
size_t net_server_listeners(const struct net_server *server);
void net_server_describe(const struct net_server *server, size_t index, char *out,
                         size_t out_size);

/** Accept connections until `wake_fd` is readable. returns OK | IO */
SESS_MUST_CHECK enum sess_status net_server_accept(struct net_server *server, int wake_fd);

/** Stop: accept nothing more, answer what has arrived, send it, within stop_timeout; then join the
 *  workers. No effect on a server that was not started. */
void net_server_stop(struct net_server *server);

/** Free everything and set *server to NULL. It must not be running. */
void net_server_destroy(struct net_server **server);

/** Add the metrics of net and of the commands (registry_report_fn; context is the server). */
void net_server_report(void *server, struct report *report);
void net_server_report_commands(void *server, struct report *report);

#endif
