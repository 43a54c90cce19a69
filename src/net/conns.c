/* Rows about connections that belong to other threads: what is read of them is immutable
 * or atomic, and their list is held still by its lock for as long as it takes to write CONNS_SIZE_MAX
 * bytes. Memory: the report's. */
#include "conns.h"

#include "connection.h"

#include <stdio.h>

static const char *const state_names[] = {
#define STATE_NAME(id, name) [STATE_##id] = (name),
    CONNECTION_STATES(STATE_NAME)
#undef STATE_NAME
};

/* Name of a row: the descriptor's number and what it says. */
struct row_name {
    char text[32];
};

static struct row_name name_row(int fd, const char *what)
{
    struct row_name name;

    (void)snprintf(name.text, sizeof name.text, "%d:%s", fd, what);
    return name;
}

/* What memcached writes in front of an address of this family; a unix path has it already. */
static const char *transport_of(const struct net_address *address)
{
    switch (address->socket.ss_family) {
    case AF_INET:
        return "tcp:";
    case AF_INET6:
        return "tcp6:";
    default:
        return "";
    }
}

static void add_address(struct report *report, int fd, const char *what,
                        const struct net_address *address)
{
    char text[ADDRESS_TEXT_SIZE];

    address_format(address, text, sizeof text);
    report_add(report, name_row(fd, what).text, "%s%s", transport_of(address), text);
}

static void add_state(struct report *report, int fd, const char *state, int64_t since_ms)
{
    report_add(report, name_row(fd, "state").text, "%s", state);
    report_add_u64(report, name_row(fd, "secs_since_last_cmd").text, (uint64_t)since_ms / 1000);
}

void conns_report_listener(struct report *report, int fd, const struct net_address *address,
                           int64_t since_ms)
{
    add_address(report, fd, "addr", address);
    add_state(report, fd, "conn_listening", since_ms);
}

static void add_connection(struct report *report, const struct connection *connection,
                           int64_t now_ms)
{
    int fd = connection->transport.fd;
    enum connection_state state = atomic_load_explicit(&connection->state, memory_order_relaxed);
    int64_t last_ms = atomic_load_explicit(&connection->last_command_ms, memory_order_relaxed);

    if (connection->listener->socket.ss_family == AF_UNIX) {
        add_address(report, fd, "addr", connection->listener);
    } else {
        report_add(report, name_row(fd, "addr").text, "%s%s", transport_of(connection->listener),
                   connection->peer);
    }
    add_address(report, fd, "listen_addr", connection->listener);
    /* Its owner may have read the clock later. One that has its turn is at a command now. */
    add_state(report, fd, state_names[state],
              state == STATE_RUNNING || last_ms > now_ms ? 0 : now_ms - last_ms);
}

size_t conns_report_loop(struct report *report, struct loop *loop, int64_t now_ms)
{
    size_t n_left_out = 0;

    (void)pthread_mutex_lock(&loop->connections_lock);
    for (const struct connection *connection = loop->connections; connection != NULL;
         connection = connection->next) {
        if (report->text.size < CONNS_SIZE_MAX) {
            add_connection(report, connection, now_ms);
        } else {
            n_left_out++;
        }
    }
    (void)pthread_mutex_unlock(&loop->connections_lock);
    return n_left_out;
}
