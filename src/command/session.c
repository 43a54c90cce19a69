/* The commands that change a session: the store family, delete, touch, incr and decr. Those that read:
 * get.c; large values: upload.c.
 *
 * Threads: the context's owner. Memory: none of its own. */
#include "handlers.h"
#include "sessiond/command/exptime.h"

static enum store_mode store_mode_of(enum command_mode mode)
{
    switch (mode) {
    case MODE_ADD:
        return STORE_ADD;
    case MODE_REPLACE:
        return STORE_REPLACE;
    case MODE_APPEND:
        return STORE_APPEND;
    case MODE_PREPEND:
        return STORE_PREPEND;
    case MODE_CAS:
        return STORE_CAS;
    default:
        return STORE_SET;
    }
}

struct store_write store_write_of(const struct request *request)
{
    return (struct store_write){
        .mode = store_mode_of(request->command->mode),
        .key = request->key,
        .value = request->value,
        .flags = request->flags,
        .expiry = exptime_to_expiry(request->exptime),
        .cas = request->cas,
    };
}

void count_store(struct command_metrics *metrics, bool is_cas, enum sess_status status)
{
    metric_add(&metrics->cmd_set, 1);
    if (status == SESS_NO_MEMORY) {
        metric_add(&metrics->store_no_memory, 1);
    } else if (status == SESS_TOO_LARGE) {
        metric_add(&metrics->store_too_large, 1);
    } else if (!is_cas) {
        return;
    } else if (status == SESS_OK) {
        metric_add(&metrics->cas_hits, 1);
    } else if (status == SESS_EXISTS) {
        metric_add(&metrics->cas_badval, 1);
    } else if (status == SESS_NOT_FOUND) {
        metric_add(&metrics->cas_misses, 1);
    }
}

void answer_store(struct command_context *context, const struct request *request,
                  enum sess_status status, struct buffer *out)
{
    static const enum reply replies[] = {
        [SESS_OK] = REPLY_STORED,           [SESS_NOT_STORED] = REPLY_NOT_STORED,
        [SESS_EXISTS] = REPLY_EXISTS,       [SESS_NOT_FOUND] = REPLY_NOT_FOUND,
        [SESS_TOO_LARGE] = REPLY_TOO_LARGE, [SESS_NO_MEMORY] = REPLY_NO_MEMORY,
        [SESS_REFUSED] = REPLY_REFUSED,
    };
    enum command_mode mode = request->command->mode;

    /* What is sent is within the limit, but not what it would be joined to. */
    if (status == SESS_TOO_LARGE && (mode == MODE_APPEND || mode == MODE_PREPEND)) {
        status = SESS_NOT_STORED;
    }
    count_store(&context->metrics, mode == MODE_CAS, status);
    if (status == SESS_TOO_LARGE || status == SESS_NO_MEMORY) {
        tell_refused(context, request, replies[status]);
    }
    answer(request, out, replies[status]);
}

enum sess_status command_store(struct command_context *context, const struct request *request,
                               struct buffer *out)
{
    struct store_write write = store_write_of(request);
    struct store_outcome outcome;
    enum sess_status status;

    write.hash = context->hash;
    status = store_write(context->shared->store, &write, context->now.wall_s, &outcome);
    if (status == SESS_BUSY) {
        return status;
    }
    note_change(context, &outcome);
    answer_store(context, request, status, out);
    return SESS_OK;
}

enum sess_status command_delete(struct command_context *context, const struct request *request,
                                struct buffer *out)
{
    struct store_outcome outcome;
    enum sess_status status = store_delete(context->shared->store, request->key, context->hash,
                                           context->now.wall_s, &outcome);
    struct command_metrics *metrics = &context->metrics;

    if (status == SESS_BUSY) {
        return status;
    }
    note_change(context, &outcome);
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
    struct store_outcome outcome;
    enum sess_status status =
        store_touch(context->shared->store, request->key, context->hash,
                    exptime_to_expiry(request->exptime), context->now.wall_s, &outcome);

    if (status == SESS_BUSY) {
        return status;
    }
    note_change(context, &outcome);
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
    default:
        answer(request, out, REPLY_REFUSED);
        break;
    }
    return SESS_OK;
}

static void answer_number(const struct request *request, struct buffer *out, uint64_t number)
{
    if (!request->noreply) {
        reply_put_number(out, number);
    }
}

void count_count(struct command_metrics *metrics, bool is_decrement, enum sess_status status)
{
    if (status == SESS_OK) {
        metric_add(is_decrement ? &metrics->decr_hits : &metrics->incr_hits, 1);
    } else if (status == SESS_NOT_FOUND) {
        metric_add(is_decrement ? &metrics->decr_misses : &metrics->incr_misses, 1);
    } else if (status == SESS_NO_MEMORY) {
        metric_add(&metrics->store_no_memory, 1);
    }
}

/* Count and answer the end of incr and decr. */
static void answer_count(struct command_context *context, const struct request *request,
                         enum sess_status status, uint64_t number, struct buffer *out)
{
    count_count(&context->metrics, request->command->mode == MODE_DECREMENT, status);
    switch (status) {
    case SESS_OK:
        answer_number(request, out, number);
        break;
    case SESS_NOT_FOUND:
        answer(request, out, REPLY_NOT_FOUND);
        break;
    case SESS_INVALID:
        answer(request, out, REPLY_NOT_A_NUMBER);
        break;
    case SESS_NO_MEMORY:
        answer(request, out, REPLY_NO_MEMORY);
        break;
    default:
        answer(request, out, REPLY_REFUSED);
        break;
    }
}

enum sess_status command_count(struct command_context *context, const struct request *request,
                               struct buffer *out)
{
    struct store_count count = {.key = request->key,
                                .delta = request->delta,
                                .is_decrement = request->command->mode == MODE_DECREMENT};
    struct store_outcome outcome;
    uint64_t number = 0;
    enum sess_status status =
        store_count(context->shared->store, &count, context->now.wall_s, &number, &outcome);

    if (status == SESS_BUSY) {
        return status;
    }
    note_change(context, &outcome);
    answer_count(context, request, status, number, out);
    return SESS_OK;
}
