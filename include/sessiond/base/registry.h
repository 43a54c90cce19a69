/* The registry: where each room tells which options, metrics and `stats` sections it has.
 *
 * Readers (`stats`, help, config, docs, later admin and HTTP) walk it and know no room by name.
 * Filled at start by the wiring; from then on read-only, by any thread, but for the baselines of
 * registry_reset. */
#ifndef SESSIOND_BASE_REGISTRY_H
#define SESSIOND_BASE_REGISTRY_H

#include "sessiond/base/metric.h"
#include "sessiond/base/option.h"

enum {
    REGISTRY_ROOMS_MAX = 16, /* entries of each kind */
    REGISTRY_PARTS_MAX = 4,  /* of one section */
};

/* Adds every owner's counters to `totals`, one for each row. Threads: any, concurrently. */
typedef void (*registry_sum_fn)(void *context, uint64_t *totals);

/* Adds lines to the report. Threads: any, concurrently. */
typedef void (*registry_report_fn)(void *context, struct report *report);

struct registry_metrics {
    const struct metric_table *table;
    registry_sum_fn sum;       /* NULL: all totals are 0 */
    registry_report_fn report; /* NULL, or makes the lines of a table of texts */
    void *context;             /* borrowed */
    struct metric_baseline baseline;
};

/* What makes lines of a section. */
struct registry_part {
    registry_report_fn report;
    void *context; /* borrowed */
};

struct registry_section {
    const char *name; /* the word behind `stats` */
    const char *doc;
    struct registry_part parts[REGISTRY_PARTS_MAX]; /* in the order of their lines */
    size_t n_parts;                                 /* 1..REGISTRY_PARTS_MAX */
};

struct registry {
    struct option_binding options[REGISTRY_ROOMS_MAX];
    size_t n_options;
    struct registry_metrics metrics[REGISTRY_ROOMS_MAX];
    size_t n_metrics;
    struct registry_section sections[REGISTRY_ROOMS_MAX];
    size_t n_sections;
};

/* Another name for a number, in a section. */
struct registry_alias {
    const char *name;
    const char *metric; /* the name of its row; NULL: always 0 */
};

enum registry_scope { REGISTRY_SINCE_RESET, REGISTRY_SINCE_START };

/* The numbers of all tables, read once. */
struct registry_figures {
    const struct registry *registry; /* borrowed */
    uint64_t totals[REGISTRY_ROOMS_MAX][METRIC_ROWS_MAX];
};

/** Bind a room's options to `values` (borrowed) and give them their defaults.
 *  returns  OK | LIMIT | INVALID, OUT_OF_RANGE (a wrong default: a bug in the row) */
SESS_MUST_CHECK enum sess_status registry_add_options(struct registry *registry,
                                                      const struct option_table *table,
                                                      void *values, struct sess_error *error);

/** Tell of numbers; `sum` NULL for a table of kind ZERO. returns OK | LIMIT */
SESS_MUST_CHECK enum sess_status registry_add_metrics(struct registry *registry,
                                                      const struct metric_table *table,
                                                      registry_sum_fn sum, void *context);

/** Tell of texts; `report` adds a line for each row of the table, in its order.
 *  returns  OK | LIMIT */
SESS_MUST_CHECK enum sess_status registry_add_texts(struct registry *registry,
                                                    const struct metric_table *table,
                                                    registry_report_fn report, void *context);

/** Tell of a section. returns OK | LIMIT */
SESS_MUST_CHECK enum sess_status registry_add_section(struct registry *registry, const char *name,
                                                      const char *doc, registry_report_fn report,
                                                      void *context);

/** Add lines to the end of a section that somebody told of. returns OK | NOT_FOUND | LIMIT */
SESS_MUST_CHECK enum sess_status registry_extend_section(struct registry *registry,
                                                         const char *name,
                                                         registry_report_fn report, void *context);

/** The binding and row of an option, by its name. returns OK | NOT_FOUND */
SESS_MUST_CHECK enum sess_status registry_find_option(struct registry *registry, const char *name,
                                                      struct option_binding **binding,
                                                      const struct option_row **row);

/** Fill `report`: all metrics for an empty name, else the section of that name.
 *  returns  OK | NOT_FOUND (no such section) */
SESS_MUST_CHECK enum sess_status registry_report(const struct registry *registry,
                                                 struct slice section, struct report *report);

/** Let all counters (METRIC_COUNTER) begin at 0 again, for every reader: `stats reset`. Nobody's
 *  counter is written to. Threads: any, with reports under way. */
void registry_reset(struct registry *registry);

/** Read all numbers. */
void registry_read(const struct registry *registry, enum registry_scope scope,
                   struct registry_figures *out);

/** The number of that name, or 0 when no table has it. */
uint64_t registry_figure(const struct registry_figures *figures, const char *name);

/** Add a line for each alias, `prefix` in front of its name. */
void registry_report_aliases(const struct registry_figures *figures, const char *prefix,
                             const struct registry_alias *aliases, size_t n_aliases,
                             struct report *report);

/** Every option with its value, as a report: `stats settings`. */
void registry_report_settings(void *registry, struct report *report);

#endif
