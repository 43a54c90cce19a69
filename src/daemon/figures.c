/* Which figures there are. What they are made of is their rooms' own. Threads: start-up only. */
#include "sessiond/daemon/figures.h"

enum sess_status figures_register(struct registry *registry, struct process *process,
                                  struct net_server *server, struct store *store)
{
    const struct registry_metrics metrics[] = {
        {&process_metric_table, process_report, process},
        {&net_metric_table, net_server_report, server},
        {&command_metric_table, net_server_report_commands, server},
        {&store_metric_table, store_report, store},
    };
    enum sess_status status = SESS_OK;

    for (size_t i = 0; status == SESS_OK && i < sizeof metrics / sizeof metrics[0]; i++) {
        status =
            registry_add_metrics(registry, metrics[i].table, metrics[i].report, metrics[i].context);
    }
    if (status == SESS_OK) {
        status = registry_add_section(registry, "settings", "every option with its value",
                                      registry_report_settings, registry);
    }
    return status == SESS_OK ? registry_add_section(registry, "conns",
                                                    "listeners and connections, what each is at",
                                                    net_server_report_conns, server)
                             : status;
}
