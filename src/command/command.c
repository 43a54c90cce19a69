/* From a request to its handler, and what all handlers share.
 *
 * Threads: the context's owner. Memory: grows the caller's buffer. */
#include "sessiond/command/command.h"

#include "handlers.h"
#include "sessiond/command/options.h"

#include <inttypes.h>

enum { LOG_INTERVAL_S = 1 };

static const struct metric_row metric_rows[] = {COMMAND_METRICS(METRIC_ROW)};
_Static_assert(sizeof metric_rows / sizeof metric_rows[0] <= METRIC_ROWS_MAX, "totals have room");
const struct metric_table command_metric_table = {
    .rows = metric_rows, .n_rows = sizeof metric_rows / sizeof metric_rows[0]};

#define ROW(...) OPTION_ROW(command_options, __VA_ARGS__)
static const struct option_row option_rows[] = {COMMAND_OPTIONS(ROW)};
#undef ROW
const struct option_table command_option_table = {
    .title = "Commands", .rows = option_rows, .n_rows = sizeof option_rows / sizeof option_rows[0]};

static const command_fn handlers[] = {
#define COMMAND(id, word, arguments, handler, mode, syntax, doc) [COMMAND_##id] = command_##handler,
#include "sessiond/protocol/commands.def"
#undef COMMAND
};

void answer(const struct request *request, struct buffer *out, enum reply reply)
{
    if (!request->noreply) {
        reply_put(out, reply);
    }
}

static void note(struct command_context *context, struct store_tickets tickets)
{
    context->tickets = store_tickets_max(context->tickets, tickets);
}

void note_read(struct command_context *context, const struct store_outcome *outcome)
{
    note(context, (struct store_tickets){.seen = outcome->ticket});
}

void note_change(struct command_context *context, const struct store_outcome *outcome)
{
    note(context, (struct store_tickets){.seen = outcome->ticket,
                                         .changed = outcome->ticket,
                                         .revoked = outcome->revocation_ticket});
}

void tell_refused(const struct command_context *context, const struct request *request,
                  enum reply reply)
{
    uint32_t hash = (uint32_t)hash_bytes(context->shared->log_salt, request->key);

    log_limited(context->shared->store_log, LOG_INTERVAL_S, LOG_LEVEL_WARNING,
                "a session of %zu bytes from %s, key #%08" PRIx32 ", was refused: %s",
                request->value_size, context->peer, hash, reply_get_row(reply)->text);
}

/* Room for any fixed line must be there before anything changes: a change whose reply cannot be
 * written would have to be guessed by the client. */
static bool make_room(struct command_context *context, struct buffer *out)
{
    if (buffer_reserve(out, REPLY_LINE_MAX) != SESS_OK) {
        context->must_close = true;
    }
    return !context->must_close;
}

enum sess_status command_run(struct command_context *context, const struct request *request,
                             struct buffer *out)
{
    if (!make_room(context, out)) {
        return SESS_OK;
    }
    return handlers[request->command->id](context, request, out);
}

uint64_t command_hash(const struct command_context *context, const struct request *request)
{
    return store_hash(context->shared->store, request->key);
}

void command_foresee(const struct command_context *context, uint64_t hash)
{
    store_fetch(context->shared->store, hash);
}

const void *command_foresee_session(const struct command_context *context, uint64_t hash)
{
    return store_fetch_entry(context->shared->store, hash);
}

void command_foresee_value(const void *session)
{
    store_fetch_value(session);
}

void command_reject(struct command_context *context, const struct request *request,
                    struct buffer *out)
{
    if (request->error == REPLY_TOO_LARGE) {
        metric_add(&context->metrics.store_too_large, 1);
        tell_refused(context, request, request->error);
    } else {
        metric_add(&context->metrics.protocol_errors, 1);
    }
    if (make_room(context, out)) {
        answer(request, out, request->error);
    }
    context->must_close = context->must_close || request->must_close;
}

bool command_tick(void *shared, struct store_ticker *ticker, int64_t now_s, unsigned max_steps)
{
    const struct command_shared *self = shared;

    return store_tick(self->store, ticker, now_s, max_steps);
}
