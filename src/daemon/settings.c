/* Settings as a whole. Reading them: config_file.c, command_line.c. Threads: start-up only. */
#include "sessiond/daemon/settings.h"

#include "sessiond/protocol/request.h"

#include <unistd.h>

enum {
    CONNECTIONS_SHARE = 10, /* auto: memory / 10 */
    IN_FLIGHT_SHARE = 16,
    IN_FLIGHT_VALUES = 2, /* of the largest: one within the budget, and one that may go over it */
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

enum sess_status settings_split_memory(const struct settings *settings, struct memory_split *out,
                                       struct sess_error *error)
{
    size_t memory = settings->store.memory;
    size_t connections = settings->net.connection_memory;
    size_t values = IN_FLIGHT_VALUES * (settings->store.max_value + REQUEST_LINE_END_SIZE);
    size_t in_flight = larger(memory / IN_FLIGHT_SHARE, values);

    if (connections == 0) {
        connections = larger(memory / CONNECTIONS_SHARE, values);
    }
    if (connections > memory / 2 || in_flight > memory / 2 - connections) {
        return error_set(error, SESS_OUT_OF_RANGE,
                         "memory = %zum is too little beside connection-memory and max-value: less "
                         "than half would be left for sessions; raise memory",
                         memory >> 20);
    }
    *out = (struct memory_split){.connections = connections,
                                 .in_flight = in_flight - values / IN_FLIGHT_VALUES,
                                 .data = memory - connections - in_flight};
    return SESS_OK;
}

unsigned settings_threads(const struct settings *settings)
{
    long processors;

    if (settings->net.threads > 0) {
        return (unsigned)settings->net.threads;
    }
    processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (processors < 1) {
        return 1;
    }
    return processors > NET_THREADS_MAX ? NET_THREADS_MAX : (unsigned)processors;
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
