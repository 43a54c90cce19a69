/* The daemon's settings: every room's options as one struct, and what follows from them together.
 *
 * Values come from defaults, a file and the command line, in that order of rank (base/option.h).
 * Threads: start-up only. */
#ifndef SESSIOND_DAEMON_SETTINGS_H
#define SESSIOND_DAEMON_SETTINGS_H

#include "sessiond/base/registry.h"
#include "sessiond/command/options.h"
#include "sessiond/journal/options.h"
#include "sessiond/net/server.h"
#include "sessiond/store/policy.h"
#include "sessiond/store/store.h"

#include <stdio.h>

#define DAEMON_OPTIONS(X)                                                                          \
    X(user, TEXT, "none", NULL, NULL, OPTION_FIXED | OPTION_NONE,                                  \
      "User to become after the listeners are open, when started as root; `root` stays root.")     \
    X(log_level, CHOICE, "info", "error warning info debug", NULL, OPTION_RELOADABLE,              \
      "What is written to standard error.")
struct daemon_options {
    DAEMON_OPTIONS(OPTION_DECLARE)
};
extern const struct option_table daemon_option_table;

struct settings {
    struct net_options net;
    struct store_options store;
    struct policy_options policy;
    struct journal_options journal;
    struct command_options commands;
    struct daemon_options daemon;
};

/* How `memory` is divided. None of the parts can starve another. */
struct memory_split {
    size_t seats;       /* connections that do nothing, max_connections of them */
    size_t connections; /* what connections still have to read or send */
    size_t in_flight;   /* large values on their way in; one more of the largest may come on top */
    size_t journal;     /* changes on their way to the disk; 0 without a data directory */
    size_t batch;       /* of them: bytes of a batch; the rest are the largest values */
    size_t workers;     /* what workers take beyond the memory that the process may take on top */
    size_t data;        /* entries and index */
    size_t max_connections; /* no bytes: how many there are seats for, at most as set */
};

/** Bind all tables to `settings` in the registry, with their defaults.
 *  returns  OK | INVALID, OUT_OF_RANGE, LIMIT (a wrong row: a bug) */
SESS_MUST_CHECK enum sess_status settings_register(struct settings *settings,
                                                   struct registry *registry,
                                                   struct sess_error *error);

/** Divide `memory`. returns OK | OUT_OF_RANGE (the parts asked for are more than half of it, or
 *  connection-memory is too small for the largest values) */
SESS_MUST_CHECK enum sess_status settings_split_memory(const struct settings *settings,
                                                       struct memory_split *out,
                                                       struct sess_error *error);

/** Whether a start with them could go on as far as can be told without opening anything: memory, listeners,
 *  policy, data directory. returns OK | as settings_split_memory, policy_init, net_check_listen and data_dir_find */
SESS_MUST_CHECK enum sess_status settings_check(const struct settings *settings,
                                                struct sess_error *error);

/** Bytes of a journal file that has room for several batches and largest values. */
size_t settings_segment_bytes(const struct settings *settings);

/** Number of workers: as set, or one for each processor that `memory` has room for. */
unsigned settings_threads(const struct settings *settings);

/** The present settings in the form of the config file: `--print-config`. */
void settings_print(const struct registry *registry, FILE *out);

#endif
