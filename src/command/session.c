/* The commands that sessions are made of: get, store, delete, touch. Large values: upload.c.
 *
 * Threads: the context's owner. Memory: replies grow the caller's buffer. */
#include "handlers.h"
#include "sessiond/command/exptime.h"

/* Append one value. A small one is copied under the shard's lock, so its room is made before. */
static void append_value(struct command_context *context, const struct request *request,
                         const struct store_reading *reading, struct buffer *out)
{
    bool with_cas = request->command->mode == MODE_WITH_CAS;

    if (reading->value.size > STORE_COPY_MAX &&
        buffer_reserve(out, REPLY_VALUE_MAX + reading->value.size + REPLY_LINE_MAX) != SESS_OK) {
        reply_put(out, REPLY_NO_MEMORY_READING);
        context->must_close = true;
        return;
    }
    reply_put_value(out, request->key, reading->flags, reading->value,
                    with_cas ? &reading->cas : NULL);
}

static void get_one(struct command_context *context, const struct request *request,
                    struct buffer *out)
{
    struct store_reading reading;
    enum sess_status status =
        store_read_begin(context->shared->store, request->key, context->now.wall_s, &reading);

    metric_add(&context->metrics.cmd_get, 1);
    note_ticket(context, &reading.outcome);
    if (status != SESS_OK) {
        metric_add(&context->metrics.get_misses, 1);
        return;
    }
    append_value(context, request, &reading, out);
    store_read_end(&reading);
    metric_add(&context->metrics.get_hits, 1);
}

enum sess_status command_get(struct command_context *context, const struct request *request,
                             struct buffer *out)
{
    if (buffer_reserve(out, REPLY_VALUE_MAX + STORE_COPY_MAX + REPLY_LINE_MAX) != SESS_OK) {
        reply_put(out, REPLY_NO_MEMORY_READING);
        context->must_close = true;
        return SESS_OK;
    }
    if (request->key.size > 0) {
        get_one(context, request, out);
    }
    if (request->is_last_key && !context->must_close) {
        reply_put(out, REPLY_END);
    }
    return SESS_OK;
}

static enum store_mode store_mode_of(enum command_mode mode)
{
    switch (mode) {
    case MODE_ADD:
        return STORE_ADD;
    case MODE_REPLACE:
        return STORE_REPLACE;
    default:
        return STORE_SET;
    }
}

struct store_write store_write_of(const struct request *request, int64_t now_s)
{
    return (struct store_write){
        .mode = store_mode_of(request->command->mode),
        .key = request->key,
        .value = request->value,
        .flags = request->flags,
        .expiry = store_expiry_at(exptime_to_deadline(request->exptime, now_s)),
    };
}

void answer_store(struct command_context *context, const struct request *request,
                  enum sess_status status, struct buffer *out)
{
    static const enum reply replies[] = {
        [SESS_OK] = REPLY_STORED,           [SESS_NOT_STORED] = REPLY_NOT_STORED,
        [SESS_TOO_LARGE] = REPLY_TOO_LARGE, [SESS_NO_MEMORY] = REPLY_NO_MEMORY,
        [SESS_REFUSED] = REPLY_REFUSED,
    };

    metric_add(&context->metrics.cmd_set, 1);
    if (status == SESS_NO_MEMORY) {
        metric_add(&context->metrics.store_no_memory, 1);
    } else if (status == SESS_TOO_LARGE) {
        metric_add(&context->metrics.store_too_large, 1);
    }
    answer(request, out, replies[status]);
}

enum sess_status command_store(struct command_context *context, const struct request *request,
                               struct buffer *out)
{
    struct store_write write = store_write_of(request, context->now.wall_s);
    struct store_outcome outcome;
    enum sess_status status =
        store_write(context->shared->store, &write, context->now.wall_s, &outcome);

    if (status == SESS_BUSY) {
        return status;
    }
    note_ticket(context, &outcome);
    answer_store(context, request, status, out);
    return SESS_OK;
}

enum sess_status command_delete(struct command_context *context, const struct request *request,
                                struct buffer *out)
{
    struct store_outcome outcome;
    enum sess_status status =
        store_delete(context->shared->store, request->key, context->now.wall_s, &outcome);
    struct command_metrics *metrics = &context->metrics;

    if (status == SESS_BUSY) {
        return status;
    }
    note_ticket(context, &outcome);
    if (status == SESS_REFUSED) {
        answer(request, out, REPLY_REFUSED);
        return SESS_OK;
    }
    metric_add(status == SESS_OK ? &metrics->delete_hits : &metrics->delete_misses, 1);
    answer(request, out, status == SESS_OK ? REPLY_DELETED : REPLY_NOT_FOUND);
    return SESS_OK;
}

enum sess_status command_touch(struct command_context *context, const struct request *request,
                               struct buffer *out)
{
    int64_t now_s = context->now.wall_s;
    struct store_outcome outcome;
    enum sess_status status =
        store_touch(context->shared->store, request->key,
                    store_expiry_at(exptime_to_deadline(request->exptime, now_s)), now_s, &outcome);

    if (status == SESS_BUSY) {
        return status;
    }
    note_ticket(context, &outcome);
    metric_add(&context->metrics.cmd_touch, 1);
    switch (status) {
    case SESS_OK:
        metric_add(&context->metrics.touch_hits, 1);
        answer(request, out, REPLY_TOUCHED);
        break;
    case SESS_NOT_FOUND:
        metric_add(&context->metrics.touch_misses, 1);
        answer(request, out, REPLY_NOT_FOUND);
        break;
    case SESS_NO_MEMORY:
        answer(request, out, REPLY_NO_MEMORY);
        break;
    default:
        answer(request, out, REPLY_REFUSED);
        break;
    }
    return SESS_OK;
}
