/* The commands around the sessions: version, verbosity, stats, help, quit.
 *
 * Threads: the context's owner. Memory: a report for each `stats`. */
#include "handlers.h"

#include <stdio.h>

enum sess_status command_version(struct command_context *context, const struct request *request,
                                 struct buffer *out)
{
    (void)context;
    answer(request, out, REPLY_VERSION);
    return SESS_OK;
}

enum sess_status command_quit(struct command_context *context, const struct request *request,
                              struct buffer *out)
{
    (void)request;
    (void)out;
    context->must_close = true;
    return SESS_OK;
}

enum sess_status command_verbosity(struct command_context *context, const struct request *request,
                                   struct buffer *out)
{
    (void)context;
    answer(request, out, REPLY_OK);
    return SESS_OK;
}

enum sess_status append_report(const struct report *report, struct buffer *out)
{
    size_t position = 0;
    struct slice name;
    struct slice value;
    enum sess_status status = report->is_cut ? SESS_NO_MEMORY : SESS_OK;

    while (status == SESS_OK && report_next(report, &position, &name, &value)) {
        status = reply_append_stat(out, name, value);
    }
    return status == SESS_OK ? buffer_reserve(out, REPLY_LINE_MAX) : status;
}

/* What memcached says to words of `stats` that tell no figures here: no key is ever listed. */
static const struct {
    const char *word;
    const char *argument; /* NULL: any */
    enum reply reply;
} stats_answers[] = {
    {"detail", "on", REPLY_OK},     {"detail", "off", REPLY_OK},
    {"detail", "dump", REPLY_END},  {"detail", NULL, REPLY_DETAIL_USAGE},
    {"cachedump", NULL, REPLY_END}, {"reset", NULL, REPLY_RESET},
};

static enum reply find_stats_answer(const struct request *request)
{
    for (size_t i = 0; i < sizeof stats_answers / sizeof stats_answers[0]; i++) {
        const char *argument = stats_answers[i].argument;

        if (slice_is(request->word, stats_answers[i].word) &&
            (argument == NULL || slice_is(request->argument, argument))) {
            return stats_answers[i].reply;
        }
    }
    return REPLY_ERROR;
}

enum sess_status command_stats(struct command_context *context, const struct request *request,
                               struct buffer *out)
{
    struct report report = {.is_cut = false};

    if (slice_is(request->word, "reset")) {
        registry_reset(context->shared->registry);
    }
    if (registry_report(context->shared->registry, request->word, &report) != SESS_OK) {
        answer(request, out, find_stats_answer(request));
    } else if (append_report(&report, out) == SESS_OK) {
        reply_put(out, REPLY_END);
    } else {
        context->must_close = true;
    }
    report_release(&report);
    return SESS_OK;
}

static enum sess_status append_help(const struct command_context *context, struct buffer *out)
{
    enum sess_status status = reply_append_text(out, "Commands; lines end in CR LF or LF:");
    char line[REPLY_VALUE_MAX];

    for (unsigned id = 0; status == SESS_OK && id < COMMAND_COUNT; id++) {
        const struct command *row = command_get_row((enum command_id)id);

        if (row->mode == MODE_ADMIN && !context->is_admin) {
            continue;
        }
        (void)snprintf(line, sizeof line, "  %-40s %s", row->syntax, row->doc);
        status = reply_append_text(out, line);
    }
    for (size_t i = 0; status == SESS_OK && i < context->shared->registry->n_sections; i++) {
        const struct registry_section *section = &context->shared->registry->sections[i];

        (void)snprintf(line, sizeof line, "  stats %-34s %s", section->name, section->doc);
        status = reply_append_text(out, line);
    }
    return status == SESS_OK ? buffer_reserve(out, REPLY_LINE_MAX) : status;
}

enum sess_status command_help(struct command_context *context, const struct request *request,
                              struct buffer *out)
{
    if (append_help(context, out) == SESS_OK) {
        answer(request, out, REPLY_END);
    } else {
        context->must_close = true;
    }
    return SESS_OK;
}
