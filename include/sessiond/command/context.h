/* What commands run with: what all workers share, and what each has of its own.
 *
 * Threads: one context for each worker. */
#ifndef SESSIOND_COMMAND_CONTEXT_H
#define SESSIOND_COMMAND_CONTEXT_H

#include "sessiond/base/clock.h"
#include "sessiond/base/hash.h"
#include "sessiond/base/log.h"
#include "sessiond/base/registry.h"
#include "sessiond/base/stream.h"
#include "sessiond/command/metrics.h"
#include "sessiond/command/options.h"
#include "sessiond/store/store.h"
#include "sessiond/store/tickets.h"

/* What all workers share. Immutable after the start, but for the options; everything is borrowed. */
struct command_shared {
    struct store *store;
    struct registry *registry;       /* for stats */
    struct log_limit *flush_log;     /* one line a second about flushes */
    struct log_limit *store_log;     /* one about sessions that were refused */
    const struct hash_key *log_salt; /* for the hash that stands for a key in the log */
    struct budget *replies;          /* charged for attached values, see below */
    const struct command_options *options;
    /* Wired call, command to daemon: read the config file again, and apply all of it that a reload can, or,
     * if anything in it is wrong, nothing. It is done by another thread.
     *  peer     who asks; the same pointer until there is an answer
     *  changes  gets a line for each option whose value is another now: its name, and the new value or that it
     *           needs a restart
     *  returns  OK | BUSY (ask again, until it is done) | REFUSED (nothing changed; the text says why, in
     *           printable ASCII)
     * NULL: there is nothing to reload. */
    enum sess_status (*reload)(void *context, const char *peer, struct report *changes,
                               struct sess_error *error);
    void *reload_context;
    /* Wired call, command to journal: begin a dump of the store as a reply. returns OK | NO_MEMORY
     * NULL: nobody makes any. */
    enum sess_status (*dump)(void *context, int64_t now_s, struct stream **out);
    void *dump_context;
};

/* What one worker, and one connection's turn, run commands with. */
struct command_context {
    const struct command_shared *shared;
    struct command_metrics metrics; /* the owner's thread writes */
    struct instant now;             /* of this turn */
    uint64_t hash;    /* of the request's key as it was sent: what command_hash answered, or 0 */
    const char *peer; /* of this connection, for the log; terminated, borrowed */
    bool is_admin;    /* it came by an admin listener */
    struct store_tickets tickets; /* what the replies so far must wait for; the caller zeroes it */
    bool
        has_restored; /* this connection has, which the log tells once; the caller keeps it for the connection */
    bool must_close; /* quit, or a reply that could not be written */
    /* A large value is not copied: NULL, or the block that belongs into `out` at attached_at. It is lent
     * (store/value.h), and charged to `replies`. The caller takes it over, gives it back with
     * attached_release, and sets this to NULL again before it runs another command. */
    struct value_block *attached;
    size_t attached_at; /* bytes of `out` in front of it */
    /* A reply of any length: NULL, or what makes the rest of it, behind what is in `out`. The caller takes it
     * over, sets this to NULL again, and runs no other command of this connection before it has ended. */
    struct stream *stream;
};

#endif
