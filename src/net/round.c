/* Gathering a round: connections receive, once each, and what has come is parsed. Not running it (turn.c), not when (worker.c).
 *
 * Threads: the worker's. Memory: the loop's input. */
#include "round.h"

/* Receive once, behind what was left. */
static enum sess_status receive_requests(struct turn *turn, uint8_t *place)
{
    struct connection *connection = turn->connection;
    size_t kept = connection->unread.size;
    size_t got = 0;
    enum sess_status status = SESS_OK;

    if (kept > 0) {
        memcpy(place, connection->unread.data, kept);
        buffer_release(&connection->unread);
    }
    if (!connection->has_more) {
        status = connection->transport.calls->recv(&connection->transport, place + kept,
                                                   LOOP_INPUT_SIZE - kept, &got);
        metric_add(&turn_loop(turn)->metrics.bytes_read, got);
    }
    turn->n_received = kept + got;
    turn->input = slice_of(place, turn->n_received);
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
        metric_add(&turn_loop(turn)->metrics.bytes_read, got);
    }
    return status;
}

/* Receive once. Returns false when the connection was broken, and is gone. */
static bool receive(struct turn *turn, struct connection *connection, uint8_t *place)
{
    bool is_for_upload = connection->upload != NULL && connection->unread.size == 0;

    *turn = (struct turn){.connection = connection, .input = slice_of(place, 0)};
    turn->received = is_for_upload ? receive_upload(turn) : receive_requests(turn, place);
    if (turn->received == SESS_IO) {
        connection_destroy(connection);
        return false;
    }
    connection->has_more = false;
    return true;
}

/* If requests are what comes next. Returns how many they are. */
static unsigned parse(struct turn *turn, struct ahead_request *requests)
{
    struct connection *connection = turn->connection;

    if (turn->input.size == 0 || connection->upload != NULL || connection->stream != NULL) {
        return 0;
    }
    turn->parsed = requests;
    turn->n_parsed = ahead_parse(requests, &connection->parser, turn->input);
    return turn->n_parsed;
}

static bool has_room(const struct round *round)
{
    return round->n_turns < ROUND_TURNS && round->n_requests <= AHEAD_MAX &&
           round->n_received <= LOOP_INPUT_OTHERS;
}

static void take(struct round *round, struct loop *loop, struct connection *connection)
{
    struct turn *turn = &round->turns[round->n_turns];
    bool is_there = receive(turn, connection, loop->input + round->n_received);

    round->n_received += turn->n_received;
    if (is_there) {
        round->n_turns++;
        round->n_requests += parse(turn, &round->requests[round->n_requests]);
    }
}

bool round_gather(struct round *round, struct loop *loop, const struct connection *last)
{
    struct connection *connection;

    round->n_turns = 0;
    round->n_requests = 0;
    round->n_received = 0;
    do {
        connection = connection_unlist(&loop->ready);
        take(round, loop, connection);
    } while (connection != last && has_room(round));
    ahead_fetch(round->requests, round->n_requests, &loop->context);
    return connection == last;
}

void round_end(struct round *round, struct loop *loop)
{
    explicit_bzero(loop->input, round->n_received);
}
