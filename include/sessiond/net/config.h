/* The net's options, and what a server is made with.
 *
 * Threads: start-up only; afterwards read by any, and what is RELOADABLE may change at any time. */
#ifndef SESSIOND_NET_CONFIG_H
#define SESSIOND_NET_CONFIG_H

#include "sessiond/base/budget.h"
#include "sessiond/base/log.h"
#include "sessiond/base/option.h"
#include "sessiond/command/context.h"

enum {
    NET_THREADS_MAX = 64,
    NET_LOOP_DESCRIPTORS = 4, /* of an event loop: epoll, two for its signals, one to wake it */
    NET_TURN_COMMANDS = 128,  /* of one connection in one turn */
    NET_BACKLOG = 1024,       /* connections that the kernel keeps for a listener */
    NET_ADMIN_SEATS = 4,      /* connections beyond max-connections that admin listeners take */
    NET_INHERITED_MAX = OPTION_LIST_MAX, /* sockets that are handed over at the start */
};

/* What the net takes beside its buffers: upper bounds in bytes, for those who divide memory. */
enum {
    NET_CONNECTION_COST = 2112, /* a connection with the little that it may always hold back */
    NET_CONNECTION_FREE = 512,  /* of it: a reply that waits for the disk must find room, whoever
                                   has used up the rest */
    NET_WORKER_COST = 1 << 20,  /* a worker with its buffers, its stack and a report being made */
    NET_DESCRIPTOR_COST = 48,   /* in each worker for each connection that there may be: libevent
                                   keeps an entry for every descriptor number it has ever seen */
};

/* What a listener is for. */
enum net_role {
    NET_ROLE_DATA,  /* sessions: the memcached protocol */
    NET_ROLE_ADMIN, /* the same, and the verbs of mode ADMIN */
    NET_ROLES,      /* their number */
};

#define NET_OPTIONS(X)                                                                             \
    X(listen, LIST, "127.0.0.1:11200", NULL, NULL, OPTION_FIXED,                                   \
      "Where clients connect: HOST:PORT, [V6]:PORT or unix:PATH; port 0 picks a free one.")        \
    X(insecure_listen, FLAG, "no", NULL, NULL, OPTION_FIXED,                                       \
      "Allow listeners that other machines can reach, though nothing is encrypted and nobody is "  \
      "asked for a password.")                                                                     \
    X(socket_mode, MODE, "660", "0", "777", OPTION_FIXED,                                          \
      "Permissions of the files of unix sockets that `listen` names.")                             \
    X(socket_allow, TEXT, "none", NULL, NULL, OPTION_FIXED | OPTION_NONE,                          \
      "Who may connect to them beside root and the daemon's own user: users and @groups, by name " \
      "or number, with commas between them; none is everybody whom socket-mode lets in.")          \
    X(admin_listen, TEXT, "auto", NULL, NULL, OPTION_FIXED | OPTION_NONE,                          \
      "Where sessionctl connects: unix:PATH; HOST:PORT only with insecure-listen. auto is "        \
      "unix:$RUNTIME_DIRECTORY/admin.sock, else unix:DATA-DIR/admin.sock, else none.")             \
    X(admin_mode, MODE, "600", "0", "777", OPTION_FIXED,                                           \
      "Permissions of the file of that unix socket.")                                              \
    X(admin_allow, TEXT, "none", NULL, NULL, OPTION_FIXED | OPTION_NONE,                           \
      "Who may connect to it beside root and the daemon's own user, in the form of socket-allow; " \
      "admin-mode must let them in, too.")                                                         \
    X(threads, COUNT, "auto", "1", "64", OPTION_FIXED | OPTION_AUTO,                               \
      "Worker threads; auto is one for each processor, and at most one for each 8m of memory.")    \
    X(max_connections, COUNT, "10000", "1", "1000000", OPTION_RELOADABLE,                          \
      "Connections at a time; further ones are told so and closed. A reload raises it no higher "  \
      "than it was at the start.")                                                                 \
    X(connection_memory, SIZE, "auto", "1m", NULL, OPTION_FIXED | OPTION_AUTO,                     \
      "Memory for connections and what they still have to read or send, a part of `memory`; at "   \
      "least three of the largest values; auto is a tenth.")                                       \
    X(line_limit, SIZE, "8k", "1k", "32k", OPTION_FIXED,                                           \
      "Longest command line; the keys of a get may go on for ever.")                               \
    X(command_timeout, DURATION, "10s", "100ms", "1h", OPTION_RELOADABLE | OPTION_NONE,            \
      "Time for a command line that has begun, and for a small value.")                            \
    X(value_timeout, DURATION, "30s", "100ms", "1h", OPTION_RELOADABLE | OPTION_NONE,              \
      "Time for a large value that has begun; every 16k of it add a second.")                      \
    X(idle_timeout, DURATION, "none", "1s", NULL, OPTION_RELOADABLE | OPTION_NONE,                 \
      "Time without a command after which a connection is closed.")                                \
    X(output_limit, SIZE, "1m", "64k", "64m", OPTION_RELOADABLE,                                   \
      "Replies made for a connection before it is sent some, at most 128k of them; it is not "     \
      "read while it does not take them.")                                                         \
    X(output_timeout, DURATION, "60s", "100ms", "1h", OPTION_RELOADABLE | OPTION_NONE,             \
      "Time without progress after which a connection that does not take its replies is closed.")  \
    X(stop_timeout, DURATION, "30s", "100ms", "1h", OPTION_RELOADABLE,                             \
      "Time for connections to take their last replies when the daemon stops.")

struct net_options {
    NET_OPTIONS(OPTION_DECLARE)
};
extern const struct option_table net_option_table;

/* Lines of the log that clients cause: each kind has its limit, whichever worker writes it. */
struct net_logs {
    struct log_limit binary; /* one a minute */
    struct log_limit come;   /* one a second, as all below */
    struct log_limit gone;
};

/* A socket that somebody else listens with, and hands over. */
struct net_inherited {
    int fd;
    enum net_role role;
};

struct net_config {
    const struct net_options *options;     /* borrowed */
    const struct command_shared *commands; /* borrowed */
    struct clock *clock;                   /* borrowed */
    struct net_logs *logs;                 /* borrowed */
    struct budget *connections;            /* charged for what connections hold back; borrowed */
    size_t max_value_bytes;                /* a larger value is refused by its announced size */
    size_t inline_value_bytes;             /* a larger value is received straight into its place */
    unsigned n_threads;                    /* 1..NET_THREADS_MAX */
    size_t max_connections;                /* as the system allows them */
    /* For a role that has any of these, what its option names is not opened. The server owns them once it is
     * made. Borrowed until then; at most NET_INHERITED_MAX. */
    const struct net_inherited *inherited;
    size_t n_inherited;
    /* Wired call, worker to store: see store_tick. */
    bool (*tick)(void *context, struct store_ticker *ticker, int64_t now_s, unsigned max_steps);
    void *tick_context;
    /* Wired call, worker to journal: whether replies with these tickets may leave; NULL: always. It may
     * write what is pending, but never waits. Each worker asks once a turn in which there was any ticket,
     * and again for each connection when that is a no. If these may leave, so may replies of which no
     * ticket is higher. After a no, net_server_wake is to be called when that may have changed; what the
     * answer is made of must then be read and written under one lock, or by sequentially consistent
     * atomics, so that a worker which has missed the change does not miss the wake. */
    bool (*committed)(void *context, const struct store_tickets *tickets);
    void *committed_context;
};

#endif
