/* A connection's turn: read once, then parse, run, reply, until the input or the turn's share ends.
 *
 * Not sockets' readiness (connection.c), not the end of the turn (worker.c).
 * Threads: the connection's worker. Memory: the loop's input and output buffers; what is left of
 * the input is copied to the connection. */
#include "turn.h"

#include "sessiond/base/log.h"
#include "sessiond/net/config.h"

enum { UPLOAD_RECV_MAX = 65536 }; /* bytes of a large value in one recv */

/* How a step of the turn ended. */
enum step {
    STEP_GO_ON, /* try the next request */
    STEP_WAIT,  /* more input is needed */
    STEP_STALL, /* the request stays as it is, until memory or the journal have room */
};

struct turn {
    struct connection *connection;
    struct loop *loop;
    struct command_context *context;
    struct slice input;        /* not run yet */
    size_t output_start;       /* of this connection's replies in the loop's output */
    size_t input_size;         /* bytes of the loop's input that were used */
    enum sess_status received; /* how the turn's recv ended */
    unsigned n_served;         /* requests that were answered */
};

static enum step answer_upload(struct turn *turn)
{
    if (command_upload_finish(turn->context, &turn->connection->upload, &turn->loop->output) ==
        SESS_BUSY) {
        return STEP_STALL;
    }
    return STEP_GO_ON;
}

/* The part of a large value that came with its line. */
static enum step fill_upload(struct turn *turn)
{
    struct command_upload *upload = turn->connection->upload;
    uint8_t *place;
    size_t size;

    for (;;) {
        if (command_upload_place(upload, UPLOAD_RECV_MAX, &place, &size) != SESS_OK) {
            return STEP_STALL;
        }
        if (size == 0) {
            return answer_upload(turn);
        }
        if (turn->input.size == 0) {
            return STEP_WAIT;
        }
        size = size < turn->input.size ? size : turn->input.size;
        memcpy(place, turn->input.data, size);
        command_upload_received(upload, size);
        turn->input = slice_from(turn->input, size);
    }
}

static enum step begin_upload(struct turn *turn, const struct request *request)
{
    struct connection *connection = turn->connection;

    if (command_upload_begin(turn->context, request, &turn->loop->output, &connection->upload) !=
        SESS_OK) {
        parser_swallow(&connection->parser, request->value_size);
        return STEP_GO_ON;
    }
    connection_wait_for_input(connection, true);
    return fill_upload(turn);
}

static void tell_binary(struct turn *turn)
{
    metric_add(&turn->loop->metrics.binary_refused, 1);
    log_limited(&turn->loop->config->logs->binary, 60, LOG_LEVEL_WARNING,
                "%s speaks memcached's binary protocol, which is refused: for PHP set "
                "memcached.sess_binary_protocol=0, for Dalli 3.2 and later protocol: :meta",
                turn->connection->peer);
}

/* A large value of the reply goes with the connection until it is sent. */
static void take_attached(struct turn *turn)
{
    struct command_context *context = turn->context;

    if (context->attached != NULL) {
        outgoing_attach(&turn->connection->outgoing, context->attached,
                        context->attached_at - turn->output_start);
        turn->loop->attached_size += attached_bytes(context->attached).size;
        context->attached = NULL;
    }
}

/* One more piece of a reply that goes on. A daemon that stops waits for none: what was cut is not whole, and the
 * end of the connection says so. */
static enum step go_on_replying(struct turn *turn)
{
    struct connection *connection = turn->connection;
    enum sess_status status = turn->loop->is_stopping
                                  ? SESS_CLOSED
                                  : stream_next(connection->stream, &turn->loop->output);

    if (status == SESS_BUSY) {
        return STEP_STALL;
    }
    if (status != SESS_OK) {
        turn->context->must_close = status != SESS_NOT_FOUND;
        stream_end(&connection->stream);
    }
    return STEP_GO_ON;
}

/* One request: run, reply. */
static enum step run_one(struct turn *turn, const struct ahead_request *ahead)
{
    struct connection *connection = turn->connection;

    turn->input = ahead->rest;
    switch (ahead->result) {
    case PARSE_REQUEST:
        if (command_run(turn->context, &ahead->request, &turn->loop->output) == SESS_BUSY) {
            return STEP_STALL;
        }
        take_attached(turn);
        connection->stream = turn->context->stream;
        turn->context->stream = NULL;
        break;
    case PARSE_UPLOAD:
        return begin_upload(turn, &ahead->request);
    case PARSE_ERROR:
        command_reject(turn->context, &ahead->request, &turn->loop->output);
        break;
    case PARSE_CLOSE_BINARY:
        tell_binary(turn);
        turn->context->must_close = true;
        break;
    case PARSE_CLOSE:
        turn->context->must_close = true;
        break;
    case PARSE_MORE:
        return STEP_WAIT;
    }
    return STEP_GO_ON;
}

/* One large value is a turn's share, too: the next would have to wait in memory for it. And so is one piece of a
 * reply that goes on. */
static bool share_is_used_up(const struct turn *turn)
{
    size_t made = turn->loop->output.size - turn->output_start;

    return turn->n_served >= NET_TURN_COMMANDS || made >= LOOP_OUTPUT_SHARE ||
           made >= turn->loop->config->options->output_limit ||
           turn->connection->outgoing.value != NULL || turn->connection->stream != NULL;
}

/* It is parsed again from where it began. */
static void put_back(struct turn *turn, const struct ahead_request *ahead)
{
    turn->connection->parser = ahead->before;
    turn->input = ahead->input;
}

/* Run requests that are parsed, up to the end of the share. */
static enum step run_some(struct turn *turn)
{
    struct ahead *ahead = &turn->loop->ahead;
    enum step step = STEP_GO_ON;

    ahead_parse(ahead, &turn->connection->parser, turn->input, turn->context);
    for (unsigned i = 0; i < ahead->n_requests && step == STEP_GO_ON; i++) {
        const struct ahead_request *next = &ahead->requests[i];

        if (turn->context->must_close) {
            break;
        }
        if (share_is_used_up(turn)) {
            put_back(turn, next);
            break;
        }
        step = run_one(turn, next);
        turn->n_served += step == STEP_GO_ON;
        if (step == STEP_STALL && next->result == PARSE_REQUEST) {
            put_back(turn, next);
        }
    }
    return step;
}

/* Run what has arrived. */
static void run_requests(struct turn *turn)
{
    struct connection *connection = turn->connection;
    enum step step = STEP_GO_ON;

    if (connection->upload != NULL) {
        step = fill_upload(turn);
        turn->n_served += step == STEP_GO_ON;
    } else if (connection->stream != NULL) {
        step = go_on_replying(turn);
        turn->n_served += step == STEP_GO_ON;
    }
    while (step == STEP_GO_ON && !turn->context->must_close) {
        if (share_is_used_up(turn)) {
            connection->has_more = turn->input.size > 0 || connection->stream != NULL;
            metric_add(&turn->loop->metrics.conn_yields, connection->has_more);
            return;
        }
        step = turn->input.size > 0 ? run_some(turn) : STEP_WAIT;
    }
    connection->is_stalled = step == STEP_STALL;
    connection->has_more = connection->is_stalled;
}

/* Receive once into the loop's input, behind what was left. */
static enum sess_status receive_requests(struct turn *turn)
{
    struct connection *connection = turn->connection;
    struct loop *loop = turn->loop;
    size_t kept = connection->unread.size;
    size_t got = 0;
    enum sess_status status = SESS_OK;

    if (kept > 0) {
        memcpy(loop->input, connection->unread.data, kept);
        buffer_release(&connection->unread);
    }
    if (!connection->has_more) {
        status = connection->transport.calls->recv(&connection->transport, loop->input + kept,
                                                   LOOP_INPUT_SIZE - kept, &got);
        metric_add(&loop->metrics.bytes_read, got);
    }
    turn->input_size = kept + got;
    turn->input = slice_of(loop->input, turn->input_size);
    return status;
}

/* Receive once, straight into a large value's place. */
static enum sess_status receive_upload(struct turn *turn)
{
    struct connection *connection = turn->connection;
    uint8_t *place;
    size_t size;
    size_t got = 0;
    enum sess_status status =
        command_upload_place(connection->upload, UPLOAD_RECV_MAX, &place, &size);

    if (status != SESS_OK || size == 0) {
        return SESS_OK;
    }
    status = connection->transport.calls->recv(&connection->transport, place, size, &got);
    if (status == SESS_OK) {
        command_upload_received(connection->upload, got);
        metric_add(&turn->loop->metrics.bytes_read, got);
    }
    return status;
}

static enum sess_status receive(struct turn *turn)
{
    struct connection *connection = turn->connection;

    return connection->upload != NULL && connection->unread.size == 0 ? receive_upload(turn)
                                                                      : receive_requests(turn);
}

/* What is not run stays with the connection, and what is begun is given a time to end. */
static bool keep_rest(struct turn *turn)
{
    struct connection *connection = turn->connection;

    if (buffer_append(&connection->unread, turn->input) != SESS_OK) {
        return false;
    }
    connection_wait_for_input(connection, turn->n_served > 0);
    return connection_charge(connection);
}

/* Whether this turn was the connection's last: the client or a command says so, or the daemon stops
 * and what had arrived is answered. */
static bool is_last_turn(const struct turn *turn)
{
    const struct loop *loop = turn->loop;

    if (turn->context->must_close) {
        return true;
    }
    if (turn->connection->has_more) {
        return false;
    }
    return turn->received == SESS_CLOSED ||
           (loop->is_stopping &&
            (turn->received == SESS_AGAIN || loop->context.now.boot_ms >= loop->drain_until_ms));
}

static void end_turn(struct turn *turn)
{
    struct connection *connection = turn->connection;
    struct loop *loop = turn->loop;

    connection->output_start = turn->output_start;
    connection->output_size = loop->output.size - turn->output_start;
    connection->tickets = store_tickets_max(connection->tickets, turn->context->tickets);
    loop->tickets = store_tickets_max(loop->tickets, connection->tickets);
    connection->is_drained = turn->received == SESS_CLOSED || turn->received == SESS_AGAIN;
    connection->is_closing = is_last_turn(turn);
    if (!connection->is_closing && !keep_rest(turn)) {
        /* What has run is answered all the same. */
        buffer_release(&connection->unread);
        connection->is_closing = true;
    }
    if (turn->n_served > 0) {
        atomic_store_explicit(&connection->last_command_ms, turn->context->now.boot_ms,
                              memory_order_relaxed);
    }
    connection_show_waiting(connection);
    if (connection->output_size > 0 || connection->is_closing || connection->has_more ||
        loop->is_stopping) {
        connection_enlist(connection, &loop->replied);
    }
}

void turn_run(struct connection *connection)
{
    struct loop *loop = connection->loop;
    struct turn turn = {
        .connection = connection,
        .loop = loop,
        .context = &loop->context,
        .input = slice_of(loop->input, 0),
        .output_start = loop->output.size,
    };

    turn.received = receive(&turn);
    if (turn.received == SESS_IO) {
        connection_destroy(connection);
    } else {
        connection_show(connection, STATE_RUNNING);
        turn.context->now = loop_now(loop);
        turn.context->peer = connection->peer;
        turn.context->is_admin = connection->parser.limits->is_admin;
        turn.context->has_restored = connection->has_restored;
        turn.context->must_close = false;
        turn.context->tickets = (struct store_tickets){.seen = 0};
        connection->has_more = false;
        run_requests(&turn);
        connection->has_restored = turn.context->has_restored;
        end_turn(&turn);
    }
    explicit_bzero(loop->input, turn.input_size);
}
