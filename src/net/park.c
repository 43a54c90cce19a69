/* Parking. When it is asked and released: worker.c. Threads: the loop's worker. Memory: the replies,
 * copied to their connection and charged to the connections' budget.
 *
 * No wake is lost. A worker first raises `wants_wake` and then asks; the journal first changes what it
 * answers from, and then takes `wants_wake` back and wakes the worker it was raised by (net_server_wake).
 * All of these are in one order. So either the question comes after the change, and the answer is new;
 * or the flag was raised before the journal looked at it, and there is a wake. A connection is parked only
 * after such a question, and at each wake they are all asked for again, in the same way. That the worker
 * parks it only after the wake may have come does not matter: it sees the wake in its next turn. */
#include "park.h"

#include "sessiond/base/failpoint.h"

#include <event2/event.h>

static bool is_committed(const struct loop *loop, const struct store_tickets *tickets)
{
    const struct net_config *config = loop->config;

    return store_tickets_are_none(tickets) || config->committed == NULL ||
           config->committed(config->committed_context, tickets);
}

bool park_ask(struct loop *loop)
{
    bool may_leave = is_committed(loop, &loop->tickets);

    loop->tickets = (struct store_tickets){.seen = 0};
    if (!may_leave) {
        atomic_store(&loop->wants_wake, true);
    }
    return may_leave;
}

/* From then on it waits for what comes. */
static bool settle(struct connection *connection)
{
    if (!is_committed(connection->loop, &connection->tickets)) {
        return false;
    }
    connection->tickets = (struct store_tickets){.seen = 0};
    return true;
}

bool park_may_leave(struct connection *connection)
{
    return connection->output_size == 0 || settle(connection);
}

void park_connection(struct connection *connection)
{
    struct loop *loop = connection->loop;

    if (!connection_keep_output(connection)) {
        connection_destroy(connection);
        return;
    }
    /* It is not read: see on_readable. Most clients send nothing meanwhile, and cost no call then.
     * The disk's delay is not the client's. */
    connection_wait_for_nobody(connection);
    connection_show(connection, STATE_PARKED);
    metric_add(&loop->metrics.conn_parked, 1);
    connection_enlist(connection, &loop->parked);
    failpoint("reply.parked");
}

/* Send, and go on where the connection stopped. */
static void unpark(struct connection *connection)
{
    connection_delist(connection);
    if (event_pending(&connection->io, EV_READ, NULL) == 0) {
        /* UNTESTED: fails only without memory; the connection waits then until the daemon stops. */
        (void)event_add(&connection->io, NULL);
    }
    connection_wait_for_input(connection, true);
    connection_show_waiting(connection);
    connection_flush(connection);
}

void park_release(struct loop *loop)
{
    struct connection *connection = loop->parked.first;

    if (connection != NULL) {
        atomic_store(&loop->wants_wake, true);
    }
    while (connection != NULL) {
        struct connection *next = connection->listed_next;

        if (settle(connection)) {
            unpark(connection);
        }
        connection = next;
    }
}
