/* A connection's turn: run what has arrived and reply, until the input or the turn's share ends.
 *
 * Not receiving (round.c), not sockets' readiness (connection.c), not the end of the turn (worker.c).
 * Threads: the connection's worker. Memory: the loop's input and output buffers; what is left of
 * the input is copied to the connection. */
#include "turn.h"

#include "sessiond/base/log.h"
#include "sessiond/net/config.h"

/* How a step of the turn ended. */
enum step {
    STEP_GO_ON, /* try the next request */
    STEP_WAIT,  /* more input is needed */
    STEP_STALL, /* the request stays as it is, until memory or the journal have room */
};

static enum step answer_upload(struct turn *turn)
{
    if (command_upload_finish(&turn_loop(turn)->context, &turn->connection->upload,
                              &turn_loop(turn)->output) == SESS_BUSY) {
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

    if (command_upload_begin(&turn_loop(turn)->context, request, &turn_loop(turn)->output,
                             &connection->upload) != SESS_OK) {
        parser_swallow(&connection->parser, request->value_size);
        return STEP_GO_ON;
    }
    connection_wait_for_input(connection, true);
    return fill_upload(turn);
}

static void tell_binary(struct turn *turn)
{
    metric_add(&turn_loop(turn)->metrics.binary_refused, 1);
    log_limited(&turn_loop(turn)->config->logs->binary, 60, LOG_LEVEL_WARNING,
                "%s speaks memcached's binary protocol, which is refused: for PHP set "
                "memcached.sess_binary_protocol=0, for Dalli 3.2 and later protocol: :meta",
                turn->connection->peer);
}

/* A large value of the reply goes with the connection until it is sent. */
static void take_attached(struct turn *turn)
{
    struct command_context *context = &turn_loop(turn)->context;

    if (context->attached != NULL) {
        outgoing_attach(&turn->connection->outgoing, context->attached,
                        context->attached_at - turn->output_start);
        turn_loop(turn)->attached_size += attached_bytes(context->attached).size;
        context->attached = NULL;
    }
}

/* One more piece of a reply that goes on. A daemon that stops waits for none: what was cut is not whole, and the
 * end of the connection says so. */
static enum step go_on_replying(struct turn *turn)
{
    struct connection *connection = turn->connection;
    enum sess_status status = turn_loop(turn)->is_stopping
                                  ? SESS_CLOSED
                                  : stream_next(connection->stream, &turn_loop(turn)->output);

    if (status == SESS_BUSY) {
        return STEP_STALL;
    }
    if (status != SESS_OK) {
        turn_loop(turn)->context.must_close = status != SESS_NOT_FOUND;
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
        turn_loop(turn)->context.hash = ahead->hash;
        if (command_run(&turn_loop(turn)->context, &ahead->request, &turn_loop(turn)->output) ==
            SESS_BUSY) {
            return STEP_STALL;
        }
        take_attached(turn);
        connection->stream = turn_loop(turn)->context.stream;
        turn_loop(turn)->context.stream = NULL;
        break;
    case PARSE_UPLOAD:
        return begin_upload(turn, &ahead->request);
    case PARSE_ERROR:
        command_reject(&turn_loop(turn)->context, &ahead->request, &turn_loop(turn)->output);
        break;
    case PARSE_CLOSE_BINARY:
        tell_binary(turn);
        turn_loop(turn)->context.must_close = true;
        break;
    case PARSE_CLOSE:
        turn_loop(turn)->context.must_close = true;
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
    size_t made = turn_loop(turn)->output.size - turn->output_start;

    return turn->n_served >= NET_TURN_COMMANDS || made >= LOOP_OUTPUT_SHARE ||
           made >= turn_loop(turn)->config->options->output_limit ||
           turn->connection->outgoing.value != NULL || turn->connection->stream != NULL;
}

/* It is parsed again from where it began. */
static void put_back(struct turn *turn, const struct ahead_request *ahead)
{
    turn->connection->parser = ahead->before;
    turn->input = ahead->input;
}

/* Run requests that are parsed, up to the end of the share. */
static enum step run_parsed(struct turn *turn, const struct ahead_request *requests,
                            unsigned n_requests)
{
    enum step step = STEP_GO_ON;

    for (unsigned i = 0; i < n_requests && step == STEP_GO_ON; i++) {
        const struct ahead_request *next = &requests[i];

        if (turn_loop(turn)->context.must_close) {
            break;
        }
        if (share_is_used_up(turn)) {
            put_back(turn, next);
            break;
        }
        ahead_fetch_value(next);
        step = run_one(turn, next);
        turn->n_served += step == STEP_GO_ON;
        if (step == STEP_STALL && next->result == PARSE_REQUEST) {
            put_back(turn, next);
        }
    }
    return step;
}

static enum step run_some(struct turn *turn)
{
    struct loop *loop = turn_loop(turn);
    unsigned n_requests = ahead_parse(loop->ahead, &turn->connection->parser, turn->input);

    ahead_fetch(loop->ahead, n_requests, &loop->context);
    return run_parsed(turn, loop->ahead, n_requests);
}

/* What the turn begins with: the rest of a value or of a reply, or what is parsed. */
static enum step run_first(struct turn *turn)
{
    struct connection *connection = turn->connection;
    enum step step;

    if (connection->upload == NULL && connection->stream == NULL) {
        return run_parsed(turn, turn->parsed, turn->n_parsed);
    }
    step = connection->upload != NULL ? fill_upload(turn) : go_on_replying(turn);
    turn->n_served += step == STEP_GO_ON;
    return step;
}

/* Run what has arrived. */
static void run_requests(struct turn *turn)
{
    struct connection *connection = turn->connection;
    enum step step = run_first(turn);

    while (step == STEP_GO_ON && !turn_loop(turn)->context.must_close) {
        if (share_is_used_up(turn)) {
            connection->has_more = turn->input.size > 0 || connection->stream != NULL;
            metric_add(&turn_loop(turn)->metrics.conn_yields, connection->has_more);
            return;
        }
        step = turn->input.size > 0 ? run_some(turn) : STEP_WAIT;
    }
    connection->is_stalled = step == STEP_STALL;
    connection->has_more = connection->is_stalled;
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
    const struct loop *loop = turn_loop(turn);

    if (turn_loop(turn)->context.must_close) {
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
    struct loop *loop = turn_loop(turn);

    connection->output_start = turn->output_start;
    connection->output_size = loop->output.size - turn->output_start;
    connection->tickets = store_tickets_max(connection->tickets, turn_loop(turn)->context.tickets);
    loop->tickets = store_tickets_max(loop->tickets, connection->tickets);
    connection->is_drained = turn->received == SESS_CLOSED || turn->received == SESS_AGAIN;
    connection->is_closing = is_last_turn(turn);
    if (!connection->is_closing && !keep_rest(turn)) {
        /* What has run is answered all the same. */
        buffer_release(&connection->unread);
        connection->is_closing = true;
    }
    if (turn->n_served > 0) {
        atomic_store_explicit(&connection->last_command_ms, turn_loop(turn)->context.now.boot_ms,
                              memory_order_relaxed);
    }
    connection_show_waiting(connection);
    if (connection->output_size > 0 || connection->is_closing || connection->has_more ||
        loop->is_stopping) {
        connection_enlist(connection, &loop->replied);
    }
}

void turn_run(struct turn *turn)
{
    struct connection *connection = turn->connection;
    struct loop *loop = turn_loop(turn);

    turn->output_start = loop->output.size;
    connection_show(connection, STATE_RUNNING);
    loop->context.now = loop_now(loop);
    loop->context.peer = connection->peer;
    loop->context.is_admin = connection->parser.limits->is_admin;
    loop->context.has_restored = connection->has_restored;
    loop->context.must_close = false;
    loop->context.tickets = (struct store_tickets){.seen = 0};
    run_requests(turn);
    connection->has_restored = loop->context.has_restored;
    end_turn(turn);
}
