/* What commands run with: what all workers share, and what each has of its own.
 *
 * Threads: one context for each worker. */
#ifndef SESSIOND_COMMAND_CONTEXT_H
#define SESSIOND_COMMAND_CONTEXT_H

#include "sessiond/base/clock.h"
#include "sessiond/base/log.h"
#include "sessiond/base/registry.h"
#include "sessiond/command/metrics.h"
#include "sessiond/store/store.h"
#include "sessiond/store/tickets.h"

/* What all workers share. Immutable after the start; everything is borrowed. */
struct command_shared {
    struct store *store;
    struct registry *registry;   /* for stats */
    struct log_limit *flush_log; /* one line a second about flushes */
    struct budget *replies;      /* charged for attached values, see below */
    bool may_flush;              /* flush_all does what it says */
};

/* What one worker, and one connection's turn, run commands with. */
struct command_context {
    const struct command_shared *shared;
    struct command_metrics metrics; /* the owner's thread writes */
    struct instant now;             /* of this turn */
    const char *peer;               /* of this connection, for the log; terminated, borrowed */
    bool is_admin;                  /* it came by an admin listener */
    struct store_tickets tickets; /* what the replies so far must wait for; the caller zeroes it */
    bool must_close;              /* quit, or a reply that could not be written */
    /* A large value is not copied: NULL, or the block that belongs into `out` at attached_at. It is lent
     * (store/value.h), and charged to `replies`. The caller takes it over, gives it back with
     * attached_release, and sets this to NULL again before it runs another command. */
    struct value_block *attached;
    size_t attached_at; /* bytes of `out` in front of it */
};

#endif
