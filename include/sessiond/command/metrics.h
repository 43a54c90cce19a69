/* The commands' counters: one struct for each worker, written by it alone.
 *
 * Source of the names: memcached doc/protocol.txt, "General-purpose statistics". */
#ifndef SESSIOND_COMMAND_METRICS_H
#define SESSIOND_COMMAND_METRICS_H

#include "sessiond/base/metric.h"

#define COMMAND_METRICS(X)                                                                         \
    X(cmd_get, COUNTER, "keys asked for by get and gets")                                          \
    X(cmd_set, COUNTER, "values offered by set, add, replace, append, prepend and cas")            \
    X(cmd_touch, COUNTER, "touch commands, and keys asked for by gat and gats")                    \
    X(cmd_flush, COUNTER, "flush_all commands, the refused ones too")                              \
    X(get_hits, COUNTER, "keys asked for and found")                                               \
    X(get_misses, COUNTER, "keys asked for and not found")                                         \
    X(delete_hits, COUNTER, "sessions deleted by command")                                         \
    X(delete_misses, COUNTER, "delete commands for sessions that were not there")                  \
    X(incr_hits, COUNTER, "numbers added to")                                                      \
    X(incr_misses, COUNTER, "incr commands for sessions that were not there")                      \
    X(decr_hits, COUNTER, "numbers taken from")                                                    \
    X(decr_misses, COUNTER, "decr commands for sessions that were not there")                      \
    X(cas_hits, COUNTER, "cas commands that stored")                                               \
    X(cas_misses, COUNTER, "cas commands for sessions that were not there")                        \
    X(cas_badval, COUNTER, "cas commands for sessions that somebody had changed")                  \
    X(touch_hits, COUNTER, "touches that found their session")                                     \
    X(touch_misses, COUNTER, "touches that did not")                                               \
    X(store_too_large, COUNTER, "values refused for their size")                                   \
    X(store_no_memory, COUNTER, "values refused for lack of memory")                               \
    X(protocol_errors, TOTAL, "lines that were no valid command")

struct command_metrics {
    COMMAND_METRICS(METRIC_DECLARE)
};
extern const struct metric_table command_metric_table;

#endif
