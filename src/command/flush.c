/* flush_all: refused on a data listener, unless the settings allow it; and flush, of admin listeners.
 *
 * Threads: the context's owner. Memory: none. */
#include "handlers.h"
#include "sessiond/base/number.h"
#include "sessiond/command/exptime.h"

#include <inttypes.h>
#include <stdio.h>

enum { LOG_INTERVAL_S = 1, WHAT_SIZE = 48 };

/* No word and 0 mean now, as every time that has passed does. */
static enum sess_status read_time(struct slice word, int64_t now_s, int64_t *at_s)
{
    struct store_expiry expiry;
    int64_t exptime = 0;
    enum sess_status status = word.size == 0 ? SESS_OK : number_parse_i64(word, &exptime);

    expiry = exptime_to_expiry(exptime);
    if (exptime == 0) {
        *at_s = now_s;
    } else {
        *at_s = expiry.is_relative ? now_s + expiry.seconds : expiry.seconds;
    }
    return status;
}

static void tell_flush(const struct command_context *context, const char *word, int64_t at_s)
{
    int64_t now_s = context->now.wall_s;
    char what[WHAT_SIZE] = "has ended";

    if (at_s > now_s) {
        (void)snprintf(what, sizeof what, "ends in %" PRId64 " s", at_s - now_s);
    }
    if (context->is_admin) {
        /* Told each time: refusals of others, which share the limit, must not hide it. */
        log_write(LOG_LEVEL_WARNING, "%s from %s: every session %s", word, context->peer, what);
    } else {
        log_limited(context->shared->flush_log, LOG_INTERVAL_S, LOG_LEVEL_WARNING,
                    "%s from %s: every session %s", word, context->peer, what);
    }
}

/* returns  OK | INVALID, OUT_OF_RANGE (no time) | BUSY | REFUSED */
static enum sess_status flush(struct command_context *context, const struct request *request,
                              struct slice word)
{
    struct store_outcome outcome;
    int64_t at_s;
    enum sess_status status = read_time(word, context->now.wall_s, &at_s);

    if (status == SESS_OK) {
        status = store_flush(context->shared->store, at_s, context->now.wall_s, &outcome);
        if (status != SESS_BUSY) {
            note_change(context, &outcome);
        }
    }
    if (status == SESS_OK) {
        tell_flush(context, request->command->word, at_s);
    }
    return status;
}

static enum sess_status flush_and_answer(struct command_context *context,
                                         const struct request *request, struct slice word,
                                         struct buffer *out)
{
    enum sess_status status = flush(context, request, word);

    if (status == SESS_BUSY) {
        return status;
    }
    metric_add(&context->metrics.cmd_flush, 1);
    switch (status) {
    case SESS_OK:
        answer(request, out, REPLY_OK);
        break;
    case SESS_REFUSED:
        answer(request, out, REPLY_REFUSED);
        break;
    default:
        answer(request, out, REPLY_BAD_EXPTIME);
        break;
    }
    return SESS_OK;
}

enum sess_status command_flush_all(struct command_context *context, const struct request *request,
                                   struct buffer *out)
{
    if (context->is_admin || context->shared->options->flush_all == FLUSH_ALL_ALLOW) {
        return flush_and_answer(context, request, request->word, out);
    }
    metric_add(&context->metrics.cmd_flush, 1);
    log_limited(context->shared->flush_log, LOG_INTERVAL_S, LOG_LEVEL_WARNING,
                "flush_all from %s refused: nobody was logged out", context->peer);
    answer(request, out, REPLY_FLUSH_REFUSED);
    return SESS_OK;
}

enum sess_status command_flush(struct command_context *context, const struct request *request,
                               struct buffer *out)
{
    if (request->word.size == 0 || slice_is(request->word, "now")) {
        return flush_and_answer(context, request, slice_first(request->word, 0), out);
    }
    answer(request, out, REPLY_ERROR);
    return SESS_OK;
}
