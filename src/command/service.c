/* The commands around the sessions: version, stats, help, quit, and the flush that is refused.
 *
 * Threads: the context's owner. Memory: a report for each `stats`. */
#include "handlers.h"
#include "sessiond/base/log.h"

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

enum sess_status command_flush_all(struct command_context *context, const struct request *request,
                                   struct buffer *out)
{
    metric_add(&context->metrics.cmd_flush, 1);
    log_limited(context->shared->flush_log, 1, LOG_LEVEL_WARNING,
                "flush_all from %s refused: nobody was logged out", context->peer);
    answer(request, out, REPLY_FLUSH_REFUSED);
    return SESS_OK;
}

static enum sess_status append_report(const struct report *report, struct buffer *out)
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

enum sess_status command_stats(struct command_context *context, const struct request *request,
                               struct buffer *out)
{
    struct report report = {.is_cut = false};

    if (registry_report(context->shared->registry, request->word, &report) != SESS_OK) {
        answer(request, out, REPLY_ERROR);
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
