/* Settings as a whole. Reading them: config_file.c, command_line.c. Threads: start-up only. */
#include "sessiond/daemon/settings.h"

#include "sessiond/journal/data_dir.h"
#include "sessiond/journal/journal.h"
#include "sessiond/protocol/request.h"

#include <unistd.h>

enum {
    CONNECTIONS_SHARE = 10, /* auto: memory / 10 */
    IN_FLIGHT_SHARE = 16,
    IN_FLIGHT_VALUES = 2,  /* of the largest: one within the budget, and one that may go over it */
    CONNECTION_VALUES = 3, /* of the largest, at least in the connections' part */
    REPLY_VALUES = 2,      /* of them: room that the seats leave for replies */
    LINES_ROOM = 64 << 10, /* bytes: and that they leave for lines around those */
    BATCH_SHARE = 256,
    BATCH_MIN = 64 << 10, /* bytes */
    BATCH_MAX = 1 << 20,
    SEGMENT_SHARE = 16,
    SEGMENT_MIN = 4 << 20, /* bytes */
    SEGMENT_MAX = 64 << 20,
    SEGMENT_UNIT = 4096,
    WORKERS_OUTSIDE = 8 << 20,   /* bytes: the workers' part of what the process may take on top */
    MEMORY_PER_WORKER = 8 << 20, /* at least, for `threads = auto` */
};

#define ROW(...) OPTION_ROW(daemon_options, __VA_ARGS__)
static const struct option_row option_rows[] = {DAEMON_OPTIONS(ROW)};
#undef ROW
const struct option_table daemon_option_table = {
    .title = "Process", .rows = option_rows, .n_rows = sizeof option_rows / sizeof option_rows[0]};

enum sess_status settings_register(struct settings *settings, struct registry *registry,
                                   struct sess_error *error)
{
    enum sess_status status =
        registry_add_options(registry, &net_option_table, &settings->net, error);

    if (status == SESS_OK) {
        status = registry_add_options(registry, &store_option_table, &settings->store, error);
    }
    if (status == SESS_OK) {
        status = registry_add_options(registry, &policy_option_table, &settings->policy, error);
    }
    if (status == SESS_OK) {
        status = registry_add_options(registry, &journal_option_table, &settings->journal, error);
    }
    if (status == SESS_OK) {
        status = registry_add_options(registry, &command_option_table, &settings->commands, error);
    }
    if (status == SESS_OK) {
        status = registry_add_options(registry, &daemon_option_table, &settings->daemon, error);
    }
    return status;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Seats take at most half of the connections' part: a few clients that are slow on purpose fill the
 * other, and others must still find a seat. */
static size_t count_seats(const struct settings *settings, size_t connections)
{
    size_t kept = REPLY_VALUES * settings->store.max_value + LINES_ROOM;
    size_t room = smaller(connections / 2, connections - kept);

    return smaller(settings->net.max_connections, room / NET_CONNECTION_COST);
}

static size_t workers_beyond(const struct settings *settings, size_t max_connections)
{
    size_t each = NET_WORKER_COST + max_connections * NET_DESCRIPTOR_COST;
    size_t all = settings_threads(settings) * each;

    return larger(all, WORKERS_OUTSIDE) - WORKERS_OUTSIDE;
}

static size_t batch_bytes(size_t memory)
{
    return larger(BATCH_MIN, smaller(memory / BATCH_SHARE, BATCH_MAX));
}

static size_t journal_bytes(const struct settings *settings)
{
    return settings->journal.data_dir[0] == '\0'
               ? 0
               : journal_memory(batch_bytes(settings->store.memory), settings->store.max_value);
}

static enum sess_status refuse_memory(size_t memory, struct sess_error *error)
{
    return error_set(error, SESS_OUT_OF_RANGE,
                     "memory = %zum is too little beside connection-memory, max-value and threads: "
                     "less than half would be left for sessions; raise memory",
                     memory >> 20);
}

enum sess_status settings_split_memory(const struct settings *settings, struct memory_split *out,
                                       struct sess_error *error)
{
    size_t memory = settings->store.memory;
    size_t value = settings->store.max_value;
    size_t upload = value + REQUEST_LINE_END_SIZE;
    size_t connections = settings->net.connection_memory;
    size_t in_flight = larger(memory / IN_FLIGHT_SHARE, IN_FLIGHT_VALUES * upload);
    size_t journal = journal_bytes(settings);
    size_t max_connections;
    size_t seats;
    size_t workers;

    if (connections == 0) {
        connections = larger(memory / CONNECTIONS_SHARE, CONNECTION_VALUES * value);
    }
    if (connections < CONNECTION_VALUES * value) {
        return error_set(
            error, SESS_OUT_OF_RANGE,
            "connection-memory = %zuk cannot hold %d values of the largest, as it must: "
            "raise it, or lower max-value",
            connections >> 10, CONNECTION_VALUES);
    }
    if (connections > memory / 2 || in_flight > memory / 2 - connections ||
        journal > memory / 2 - connections - in_flight) {
        return refuse_memory(memory, error);
    }
    max_connections = count_seats(settings, connections);
    seats = max_connections * NET_CONNECTION_COST;
    workers = workers_beyond(settings, max_connections);
    if (workers > memory / 2 - connections - in_flight - journal) {
        return refuse_memory(memory, error);
    }
    *out = (struct memory_split){.seats = seats,
                                 .connections = connections - seats,
                                 .in_flight = in_flight - upload,
                                 .journal = journal,
                                 .batch = batch_bytes(memory),
                                 .workers = workers,
                                 .data = memory - connections - in_flight - journal - workers,
                                 .max_connections = max_connections};
    return SESS_OK;
}

enum sess_status settings_check(const struct settings *settings, struct sess_error *error)
{
    struct memory_split split;
    struct policy policy;
    char path[DATA_DIR_SIZE];
    enum sess_status status = settings_split_memory(settings, &split, error);

    if (status == SESS_OK) {
        status = policy_init(&policy, &settings->policy, error);
    }
    if (status == SESS_OK) {
        status = net_check_listen(&settings->net, error);
    }
    return status == SESS_OK ? data_dir_find(settings->journal.data_dir, path, error) : status;
}

size_t settings_segment_bytes(const struct settings *settings)
{
    size_t memory = settings->store.memory;
    size_t size = larger(SEGMENT_MIN, smaller(memory / SEGMENT_SHARE, SEGMENT_MAX));
    size_t batches = 2 * journal_memory(batch_bytes(memory), settings->store.max_value);

    return larger(size, batches) / SEGMENT_UNIT * SEGMENT_UNIT;
}

unsigned settings_threads(const struct settings *settings)
{
    size_t most = smaller(NET_THREADS_MAX, settings->store.memory / MEMORY_PER_WORKER);
    long processors;

    if (settings->net.threads > 0) {
        return (unsigned)settings->net.threads;
    }
    processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 1 ? 1 : (unsigned)smaller((size_t)processors, most);
}

void settings_print(const struct registry *registry, FILE *out)
{
    (void)fputs("# sessiond.conf: lines of the form `name = value`; `#` begins a comment.\n"
                "# Every option can also be given on the command line, which ranks above this\n"
                "# file: --name VALUE. Options that are not given have their defaults.\n",
                out);
    for (size_t i = 0; i < registry->n_options; i++) {
        option_print_config(out, &registry->options[i]);
    }
}
