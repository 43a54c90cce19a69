/* The registry. It knows no room. Threads: filled by one, then read by any. Memory: none. */
#include "sessiond/base/registry.h"

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

enum sess_status registry_add_metrics(struct registry *registry, const struct metric_table *table,
                                      registry_report_fn report, void *context)
{
    if (registry->n_metrics == REGISTRY_ROOMS_MAX) {
        return SESS_LIMIT;
    }
    registry->metrics[registry->n_metrics++] =
        (struct registry_metrics){.table = table, .report = report, .context = context};
    return SESS_OK;
}

enum sess_status registry_add_section(struct registry *registry, const char *name, const char *doc,
                                      registry_report_fn report, void *context)
{
    if (registry->n_sections == REGISTRY_ROOMS_MAX) {
        return SESS_LIMIT;
    }
    registry->sections[registry->n_sections++] =
        (struct registry_section){.name = name, .doc = doc, .report = report, .context = context};
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

enum sess_status registry_report(const struct registry *registry, struct slice section,
                                 struct report *report)
{
    if (section.size == 0) {
        for (size_t i = 0; i < registry->n_metrics; i++) {
            registry->metrics[i].report(registry->metrics[i].context, report);
        }
        return SESS_OK;
    }
    for (size_t i = 0; i < registry->n_sections; i++) {
        if (slice_is(section, registry->sections[i].name)) {
            registry->sections[i].report(registry->sections[i].context, report);
            return SESS_OK;
        }
    }
    return SESS_NOT_FOUND;
}

static void report_option(const struct option_binding *binding, const struct option_row *row,
                          struct report *report)
{
    char name[OPTION_TEXT_SIZE];
    char value[OPTION_TEXT_SIZE];

    option_name(row, name, sizeof name);
    for (size_t i = 0; option_format(binding, row, i, value, sizeof value); i++) {
        report_add(report, name, "%s", value);
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
