/* The registry. It knows no room. Threads: filled by one, then read by any. Memory: none. */
#include "sessiond/base/registry.h"

#include <stdio.h>
#include <string.h>

enum { ALIAS_SIZE = 64 };

enum sess_status registry_add_options(struct registry *registry, const struct option_table *table,
                                      void *values, struct sess_error *error)
{
    enum sess_status status;

    if (registry->n_options == REGISTRY_ROOMS_MAX || table->n_rows > OPTION_ROWS_MAX) {
        return error_set(error, SESS_LIMIT, "too many options");
    }
    status = option_bind(&registry->options[registry->n_options], table, values, error);
    if (status == SESS_OK) {
        registry->n_options++;
    }
    return status;
}

static enum sess_status add_table(struct registry *registry, const struct metric_table *table,
                                  registry_sum_fn sum, registry_report_fn report, void *context)
{
    if (registry->n_metrics == REGISTRY_ROOMS_MAX || table->n_rows > METRIC_ROWS_MAX) {
        return SESS_LIMIT;
    }
    registry->metrics[registry->n_metrics++] =
        (struct registry_metrics){.table = table, .sum = sum, .report = report, .context = context};
    return SESS_OK;
}

enum sess_status registry_add_metrics(struct registry *registry, const struct metric_table *table,
                                      registry_sum_fn sum, void *context)
{
    return add_table(registry, table, sum, NULL, context);
}

enum sess_status registry_add_texts(struct registry *registry, const struct metric_table *table,
                                    registry_report_fn report, void *context)
{
    return add_table(registry, table, NULL, report, context);
}

enum sess_status registry_add_section(struct registry *registry, const char *name, const char *doc,
                                      registry_report_fn report, void *context)
{
    if (registry->n_sections == REGISTRY_ROOMS_MAX) {
        return SESS_LIMIT;
    }
    registry->sections[registry->n_sections++] = (struct registry_section){
        .name = name, .doc = doc, .parts = {{report, context}}, .n_parts = 1};
    return SESS_OK;
}

/* The number of the section, or n_sections. */
static size_t find_section(const struct registry *registry, struct slice name)
{
    size_t i = 0;

    while (i < registry->n_sections && !slice_is(name, registry->sections[i].name)) {
        i++;
    }
    return i;
}

enum sess_status registry_extend_section(struct registry *registry, const char *name,
                                         registry_report_fn report, void *context)
{
    size_t i = find_section(registry, slice_from_text(name));

    if (i == registry->n_sections) {
        return SESS_NOT_FOUND;
    }
    if (registry->sections[i].n_parts == REGISTRY_PARTS_MAX) {
        return SESS_LIMIT;
    }
    registry->sections[i].parts[registry->sections[i].n_parts++] =
        (struct registry_part){report, context};
    return SESS_OK;
}

enum sess_status registry_find_option(struct registry *registry, const char *name,
                                      struct option_binding **binding,
                                      const struct option_row **row)
{
    for (size_t i = 0; i < registry->n_options; i++) {
        const struct option_row *found = option_find(&registry->options[i], name);

        if (found != NULL) {
            *binding = &registry->options[i];
            *row = found;
            return SESS_OK;
        }
    }
    return SESS_NOT_FOUND;
}

static void read_table(const struct registry_metrics *metrics, enum registry_scope scope,
                       uint64_t *totals)
{
    memset(totals, 0, METRIC_ROWS_MAX * sizeof *totals);
    if (scope == REGISTRY_SINCE_RESET) {
        metric_begin(metrics->table, &metrics->baseline, totals);
    }
    if (metrics->sum != NULL) {
        metrics->sum(metrics->context, totals);
    }
}

static void report_table(const struct registry_metrics *metrics, struct report *report)
{
    uint64_t totals[METRIC_ROWS_MAX];

    if (metrics->report != NULL) {
        metrics->report(metrics->context, report);
        return;
    }
    read_table(metrics, REGISTRY_SINCE_RESET, totals);
    metric_report(metrics->table, totals, report);
}

enum sess_status registry_report(const struct registry *registry, struct slice section,
                                 struct report *report)
{
    size_t number = find_section(registry, section);

    if (section.size == 0) {
        for (size_t i = 0; i < registry->n_metrics; i++) {
            report_table(&registry->metrics[i], report);
        }
        return SESS_OK;
    }
    if (number == registry->n_sections) {
        return SESS_NOT_FOUND;
    }
    for (size_t i = 0; i < registry->sections[number].n_parts; i++) {
        const struct registry_part *part = &registry->sections[number].parts[i];

        part->report(part->context, report);
    }
    return SESS_OK;
}

void registry_reset(struct registry *registry)
{
    uint64_t totals[METRIC_ROWS_MAX];

    for (size_t i = 0; i < registry->n_metrics; i++) {
        read_table(&registry->metrics[i], REGISTRY_SINCE_START, totals);
        metric_reset(registry->metrics[i].table, &registry->metrics[i].baseline, totals);
    }
}

void registry_read(const struct registry *registry, enum registry_scope scope,
                   struct registry_figures *out)
{
    out->registry = registry;
    for (size_t i = 0; i < registry->n_metrics; i++) {
        read_table(&registry->metrics[i], scope, out->totals[i]);
    }
}

uint64_t registry_figure(const struct registry_figures *figures, const char *name)
{
    for (size_t i = 0; i < figures->registry->n_metrics; i++) {
        const struct metric_table *table = figures->registry->metrics[i].table;

        for (size_t row = 0; row < table->n_rows; row++) {
            if (strcmp(table->rows[row].name, name) == 0) {
                return figures->totals[i][row];
            }
        }
    }
    return 0;
}

void registry_report_aliases(const struct registry_figures *figures, const char *prefix,
                             const struct registry_alias *aliases, size_t n_aliases,
                             struct report *report)
{
    char name[ALIAS_SIZE];

    for (size_t i = 0; i < n_aliases; i++) {
        (void)snprintf(name, sizeof name, "%s%s", prefix, aliases[i].name);
        report_add_u64(report, name,
                       aliases[i].metric == NULL ? 0 : registry_figure(figures, aliases[i].metric));
    }
}

static void report_option(const struct option_binding *binding, const struct option_row *row,
                          struct report *report)
{
    char name[OPTION_TEXT_SIZE];
    char value[OPTION_TEXT_SIZE];

    option_name(row, name, sizeof name);
    for (size_t i = 0; option_format(binding, row, i, value, sizeof value); i++) {
        report_add_word(report, name, value);
    }
}

void registry_report_settings(void *registry, struct report *report)
{
    const struct registry *tables = registry;

    for (size_t i = 0; i < tables->n_options; i++) {
        for (size_t row = 0; row < tables->options[i].table->n_rows; row++) {
            report_option(&tables->options[i], &tables->options[i].table->rows[row], report);
        }
    }
}
