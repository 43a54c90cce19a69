/* The commands that read sessions: get and gets, and gat and gats, which renew them as well.
 *
 * Threads: the context's owner. Memory: replies grow the caller's buffer; a large value is handed on by
 * reference, lent and charged to the budget of replies. */
#include "handlers.h"
#include "sessiond/command/exptime.h"
#include "sessiond/store/value.h"

static bool renews(const struct request *request)
{
    return request->command->mode == MODE_TOUCH || request->command->mode == MODE_TOUCH_WITH_CAS;
}

static bool shows_cas(const struct request *request)
{
    return request->command->mode == MODE_WITH_CAS || request->command->mode == MODE_TOUCH_WITH_CAS;
}

/* A look whose value, if it is a large one, is lent. Otherwise as store_read_begin, or BUSY or
 * TOO_LARGE for the budget's sake. */
static enum sess_status look(struct command_context *context, const struct request *request,
                             struct store_reading *reading)
{
    struct budget *replies = context->shared->replies;
    enum sess_status status = store_read_begin(context->shared->store, request->key, context->hash,
                                               context->now.wall_s, reading);

    if (status == SESS_OK && reading->block != NULL && !value_block_lend(reading->block, replies)) {
        status = reading->value.size > replies->limit ? SESS_TOO_LARGE : SESS_BUSY;
        store_read_end(reading);
    }
    return status;
}

/* The same, and renew. What could make it wait is found out by a look, before anything changes. One that may end
 * the session goes on without it: in a clock's grace it may be hidden from a look. */
static enum sess_status look_and_touch(struct command_context *context,
                                       const struct request *request, struct store_reading *reading)
{
    struct budget *replies = context->shared->replies;
    struct store_expiry expiry = exptime_to_expiry(request->exptime);
    bool may_end = !expiry.is_relative && expiry.seconds != STORE_NO_DEADLINE;
    enum sess_status status = look(context, request, reading);
    struct value_block *foreseen = NULL;

    if (status == SESS_OK) {
        foreseen = reading->block;
        store_read_end(reading);
    } else if (status != SESS_NOT_FOUND || !may_end) {
        return status;
    }
    status = store_read_touch_begin(context->shared->store, request->key, context->hash, expiry,
                                    context->now.wall_s, reading);
    if (status == SESS_OK && reading->block != NULL) {
        /* Another value may have come in between; it is renewed by now, and must not be refused. */
        value_block_lend_always(reading->block, replies);
    }
    if (foreseen != NULL) {
        value_block_take_back(foreseen, replies);
    }
    return status;
}

void put_value(struct command_context *context, const struct store_reading *reading,
               struct buffer *out)
{
    if (reading->block != NULL) {
        context->attached = reading->block;
        context->attached_at = out->size;
    } else {
        buffer_put(out, reading->value);
    }
    reply_put_value_end(out);
}

static void append_value(struct command_context *context, const struct request *request,
                         const struct store_reading *reading, struct buffer *out)
{
    reply_put_value_line(out, request->key, reading->flags, reading->value.size,
                         shows_cas(request) ? &reading->cas : NULL);
    put_value(context, reading, out);
}

static void count_look(struct command_metrics *metrics, const struct request *request,
                       enum sess_status status)
{
    bool is_touch = renews(request);

    metric_add(is_touch ? &metrics->cmd_touch : &metrics->cmd_get, 1);
    if (status == SESS_OK) {
        metric_add(is_touch ? &metrics->touch_hits : &metrics->get_hits, 1);
    } else if (status == SESS_NOT_FOUND) {
        metric_add(is_touch ? &metrics->touch_misses : &metrics->get_misses, 1);
    }
}

/* returns  OK | NOT_FOUND | BUSY | TOO_LARGE (more than all replies together may be) | REFUSED */
static enum sess_status get_one(struct command_context *context, const struct request *request,
                                struct buffer *out)
{
    struct store_reading reading;
    enum sess_status status = renews(request) ? look_and_touch(context, request, &reading)
                                              : look(context, request, &reading);

    if (status == SESS_BUSY) {
        return status;
    }
    if (renews(request) || (status == SESS_OK && reading.has_changed)) {
        note_change(context, &reading.outcome);
    } else {
        note_read(context, &reading.outcome);
    }
    count_look(&context->metrics, request, status);
    if (status == SESS_OK) {
        append_value(context, request, &reading, out);
        store_read_end(&reading);
    }
    return status;
}

/* An error ends the values instead of END. Where keys follow, their values must not come behind it. */
static void answer_error(struct command_context *context, const struct request *request,
                         enum reply reply, struct buffer *out)
{
    answer(request, out, reply);
    context->must_close = reply == REPLY_NO_MEMORY_READING || !request->is_last_key;
}

enum sess_status command_get(struct command_context *context, const struct request *request,
                             struct buffer *out)
{
    enum sess_status status = SESS_NOT_FOUND;

    if (buffer_reserve(out, REPLY_VALUE_MAX + STORE_COPY_MAX + REPLY_LINE_MAX) != SESS_OK) {
        status = SESS_NO_MEMORY;
    } else if (request->key.size > 0) {
        status = get_one(context, request, out);
    }
    switch (status) {
    case SESS_BUSY:
        return status;
    case SESS_NO_MEMORY:
    case SESS_TOO_LARGE:
        answer_error(context, request, REPLY_NO_MEMORY_READING, out);
        break;
    case SESS_REFUSED:
        answer_error(context, request, REPLY_REFUSED, out);
        break;
    default:
        if (request->is_last_key) {
            answer(request, out, REPLY_END);
        }
        break;
    }
    return SESS_OK;
}
