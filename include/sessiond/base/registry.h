/* The registry: where each room tells which options, metrics and `stats` sections it has.
 *
 * Readers (`stats`, help, config, docs, later admin and HTTP) walk it and know no room by name.
 * Filled at start by the wiring; read-only, by any thread, from then on. */
#ifndef SESSIOND_BASE_REGISTRY_H
#define SESSIOND_BASE_REGISTRY_H

#include "sessiond/base/metric.h"
#include "sessiond/base/option.h"

enum { REGISTRY_ROOMS_MAX = 16 }; /* entries of each kind */

/* Adds the lines of a table (or section) to the report. Threads: any, concurrently. */
typedef void (*registry_report_fn)(void *context, struct report *report);

struct registry_metrics {
    const struct metric_table *table;
    registry_report_fn report; /* a line for each row of the table, in its order */
    void *context;             /* borrowed */
};

struct registry_section {
    const char *name; /* the word behind `stats` */
    const char *doc;
    registry_report_fn report;
    void *context; /* borrowed */
};

struct registry {
    struct option_binding options[REGISTRY_ROOMS_MAX];
    size_t n_options;
    struct registry_metrics metrics[REGISTRY_ROOMS_MAX];
    size_t n_metrics;
    struct registry_section sections[REGISTRY_ROOMS_MAX];
    size_t n_sections;
};

/** Bind a room's options to `values` (borrowed) and give them their defaults.
 *  returns  OK | LIMIT | INVALID, OUT_OF_RANGE (a wrong default: a bug in the row) */
SESS_MUST_CHECK enum sess_status registry_add_options(struct registry *registry,
                                                      const struct option_table *table,
                                                      void *values, struct sess_error *error);

/** Tell of metrics. returns OK | LIMIT */
SESS_MUST_CHECK enum sess_status registry_add_metrics(struct registry *registry,
                                                      const struct metric_table *table,
                                                      registry_report_fn report, void *context);

/** Tell of a section. returns OK | LIMIT */
SESS_MUST_CHECK enum sess_status registry_add_section(struct registry *registry, const char *name,
                                                      const char *doc, registry_report_fn report,
                                                      void *context);

/** The binding and row of an option, by its name. returns OK | NOT_FOUND */
SESS_MUST_CHECK enum sess_status registry_find_option(struct registry *registry, const char *name,
                                                      struct option_binding **binding,
                                                      const struct option_row **row);

/** Fill `report`: all metrics for an empty name, else the section of that name.
 *  returns  OK | NOT_FOUND (no such section) */
SESS_MUST_CHECK enum sess_status registry_report(const struct registry *registry,
                                                 struct slice section, struct report *report);

/** Every option with its value, as a report: `stats settings`. */
void registry_report_settings(void *registry, struct report *report);

#endif
