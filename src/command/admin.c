/* The verbs of admin listeners, but for flush (flush.c). Source: docs/ADMIN-PROTOCOL.md.
 *
 * Threads: the context's owner. Memory: a report for a reload. */
#include "handlers.h"

#include "sessiond/base/log.h"

#include <stdio.h>

enum sess_status command_ping(struct command_context *context, const struct request *request,
                              struct buffer *out)
{
    (void)context;
    answer(request, out, REPLY_OK);
    return SESS_OK;
}

static enum sess_status append_refusal(const struct sess_error *error, struct buffer *out)
{
    char line[ERROR_TEXT_SIZE + sizeof "SERVER_ERROR "];

    (void)snprintf(line, sizeof line, "SERVER_ERROR %s", error->text);
    return reply_append_text(out, line);
}

enum sess_status command_reload(struct command_context *context, const struct request *request,
                                struct buffer *out)
{
    const struct command_shared *shared = context->shared;
    struct report changes = {.is_cut = false};
    struct sess_error error;
    enum sess_status status;

    if (shared->reload == NULL) {
        answer(request, out, REPLY_ERROR);
        return SESS_OK;
    }
    status = shared->reload(shared->reload_context, context->peer, &changes, &error);
    if (status == SESS_BUSY) {
        return status;
    }
    if (status != SESS_OK) {
        status = append_refusal(&error, out);
    } else {
        status = append_report(&changes, out);
        if (status == SESS_OK) {
            answer(request, out, REPLY_OK);
        }
    }
    context->must_close = context->must_close || status != SESS_OK;
    report_release(&changes);
    return SESS_OK;
}

enum sess_status command_dump(struct command_context *context, const struct request *request,
                              struct buffer *out)
{
    const struct command_shared *shared = context->shared;

    if (shared->dump == NULL) {
        answer(request, out, REPLY_ERROR);
    } else if (shared->dump(shared->dump_context, context->now.wall_s, &context->stream) !=
               SESS_OK) {
        answer(request, out, REPLY_NO_MEMORY_READING);
        context->must_close = true;
    } else {
        log_write(LOG_LEVEL_WARNING, "dump for %s: every session is read", context->peer);
    }
    return SESS_OK;
}
