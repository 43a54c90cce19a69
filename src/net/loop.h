/* What a worker's connections share: the event base, the turn's time, buffers and lists.
 *
 * Private to net. A turn is one pass of the event loop: connections that are ready read, run and reply
 * into `output`; at the end of the turn each of them is sent its part with one send.
 * Threads: the worker's. */
#ifndef SESSIOND_SRC_NET_LOOP_H
#define SESSIOND_SRC_NET_LOOP_H

#include "ahead.h"
#include "sessiond/command/context.h"
#include "sessiond/net/config.h"
#include "sessiond/net/metrics.h"
#include "sessiond/protocol/parser.h"
#include "trim.h"

#include <pthread.h>

struct connection;
struct event;

enum {
    LOOP_INPUT_SIZE = 65536,     /* of one connection: one recv fits, and a small value with it */
    LOOP_INPUT_OTHERS = 16384,   /* of those in front of it in the same round (round.h) */
    LOOP_OUTPUT_FLUSH = 1 << 18, /* replies waiting in one turn that are sent before its end */
    LOOP_OUTPUT_SHARE = 1 << 17, /* replies of one connection that end its turn */
    LOOP_REPLY_MAX = 1 << 17,    /* the longest reply: a report, bounded by its tables */
    LOOP_OUTPUT_SIZE = 1 << 19,  /* so the output buffer never grows: the sum of these */
    LOOP_STACK_USED = 1 << 16,   /* of a worker's thread */
    LOOP_REPORT_SIZE = 3 << 16,  /* a report that is being made, and its smaller self as it grows */
};

/* Connections that have the same thing ahead of them, linked through the connection. */
struct connection_list {
    struct connection *first;
    struct connection *last;
    _Atomic uint64_t *gauge; /* NULL, or counts those that are on it */
};

struct loop {
    /* immutable after loop_init */
    const struct net_config *config;
    struct parser_limits limits[NET_ROLES];
    struct event_base *base;
    uint8_t *input; /* LOOP_INPUT_OTHERS + LOOP_INPUT_SIZE bytes */

    /* changing */
    struct command_context context;
    struct net_metrics metrics;
    struct ahead_request ahead[AHEAD_MAX + AHEAD_VALUES]; /* of the connection whose turn it is */
    struct buffer output;           /* replies of this turn, of one connection after the other; all
                                       of its room is made at the start */
    struct connection_list ready;   /* have a turn next */
    struct connection_list replied; /* have a part of `output`, or are to be closed or paused */
    struct connection_list stalled; /* wait for memory or the journal */
    struct connection_list parked;  /* have replies that wait for the disk: park.c */
    struct store_tickets tickets;   /* the highest of this turn's connections */
    struct trim trim;               /* what connections take */
    size_t attached_size;           /* bytes of large values in this turn's replies */
    bool time_is_read;              /* context.now is of this turn */
    bool is_stopping;
    int64_t drain_until_ms;  /* elapsed time up to which a stopping loop still reads */
    _Atomic bool wants_wake; /* something waits for the journal, which takes this back as it wakes
                                     the worker; any thread */
    _Atomic size_t n_connections; /* given to this worker and not closed yet; any thread reads */

    /* The owner alone adds and takes out, under connections_lock; others look under it. */
    pthread_mutex_t connections_lock;
    struct connection *connections; /* all of them */
};

/** returns OK | NO_MEMORY | IO (no event base) */
SESS_MUST_CHECK enum sess_status loop_init(struct loop *loop, const struct net_config *config);

/** Free what the loop owns; no connection is left. */
void loop_fini(struct loop *loop);

/** Arm a timer of this loop to fire in `ms`, anew if it is armed. */
void loop_arm(struct event *timer, uint64_t ms);

/** The time of this turn, read at the first call. */
struct instant loop_now(struct loop *loop);

#endif
