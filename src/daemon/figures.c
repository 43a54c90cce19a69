/* Which figures there are. What they are made of is their rooms' own. Threads: start-up only, but for
 * the report of sessions: any. */
#include "sessiond/daemon/figures.h"

#include "sessiond/daemon/classic.h"
#include "sessiond/daemon/classic_settings.h"
#include "sessiond/store/figures.h"

static const struct registry_alias session_rows[] = {
    {"live", "curr_items"},
    {"created", "sessions_created"},
    {"renewed", "sessions_renewed"},
    {"deleted", "sessions_deleted"},
    {"expired", "reclaimed"},
    {"flushed", "sessions_flushed"},
    {"restored", "sessions_restored"},
    {"capped", "sessions_capped"},
    {"held", "sessions_held"},
    {"revived_refused", "sessions_revived_refused"},
    {"unused", "sessions_unused"},
    {"refused_no_memory", "store_no_memory"},
    {"refused_too_large", "store_too_large"},
};

static const struct registry_alias journal_rows[] = {
    {"parked_connections", "conn_parked_now"},
    {"parked_replies", "conn_parked"},
};

static void report_session_counts(void *registry, struct report *report)
{
    struct registry_figures figures;

    registry_read(registry, REGISTRY_SINCE_START, &figures);
    registry_report_aliases(&figures, "", session_rows,
                            sizeof session_rows / sizeof session_rows[0], report);
}

static enum sess_status add_metrics(struct registry *registry, struct process *process,
                                    struct net_server *server, struct store *store)
{
    const struct {
        const struct metric_table *table;
        registry_sum_fn sum;
        void *context;
    } tables[] = {
        {&process_metric_table, process_sum, process},
        {&net_metric_table, net_server_sum, server},
        {&command_metric_table, net_server_sum_commands, server},
        {&store_metric_table, store_sum, store},
        {&store_index_metric_table, store_sum_index, store},
        {&classic_zero_table, NULL, NULL},
    };
    enum sess_status status =
        registry_add_texts(registry, &process_text_table, process_report_texts, process);

    for (size_t i = 0; status == SESS_OK && i < sizeof tables / sizeof tables[0]; i++) {
        status = registry_add_metrics(registry, tables[i].table, tables[i].sum, tables[i].context);
    }
    return status;
}

static enum sess_status add_sections(struct registry *registry, struct net_server *server,
                                     struct store *store)
{
    const struct {
        const char *name;
        const char *doc; /* NULL: more lines of a section above */
        registry_report_fn report;
        void *context;
    } parts[] = {
        {"settings", "every option with its value, then memcached's names",
         registry_report_settings, registry},
        {"settings", NULL, classic_report_settings, registry},
        {"items", "memcached's figures of items: all sessions are one class", classic_report_items,
         registry},
        {"slabs", "memcached's figures of slabs: all sessions are one class", classic_report_slabs,
         registry},
        {"conns", "listeners and connections, what each is at", net_server_report_conns, server},
        {"sizes", "sessions by their size in memory: each size's upper bound, and how many",
         store_report_sizes, store},
        {"sessions",
         "what became of sessions, how large, how old and how long-lived they are, and when memory will be full",
         report_session_counts, registry},
        {"sessions", NULL, store_report_sessions, store},
        {"shards", "how evenly sessions are spread in memory", store_report_shards, store},
        {"memory", "what the memory of sessions is made of", store_report_footprint, store},
    };
    enum sess_status status = SESS_OK;

    for (size_t i = 0; status == SESS_OK && i < sizeof parts / sizeof parts[0]; i++) {
        status = parts[i].doc == NULL ? registry_extend_section(registry, parts[i].name,
                                                                parts[i].report, parts[i].context)
                                      : registry_add_section(registry, parts[i].name, parts[i].doc,
                                                             parts[i].report, parts[i].context);
    }
    return status;
}

enum sess_status figures_register(struct registry *registry, struct process *process,
                                  struct net_server *server, struct store *store)
{
    enum sess_status status = add_metrics(registry, process, server, store);

    return status == SESS_OK ? add_sections(registry, server, store) : status;
}

static void report_parked(void *registry, struct report *report)
{
    struct registry_figures figures;

    registry_read(registry, REGISTRY_SINCE_START, &figures);
    registry_report_aliases(&figures, "", journal_rows,
                            sizeof journal_rows / sizeof journal_rows[0], report);
}

enum sess_status figures_register_journal(struct registry *registry, struct journal *journal)
{
    enum sess_status status = registry_add_section(
        registry, "journal",
        "how changes get to the disk, what waits for it, and what the last start recovered",
        journal_report, journal);

    return status == SESS_OK ? registry_extend_section(registry, "journal", report_parked, registry)
                             : status;
}

uint64_t figures_count_sessions(const struct registry *registry)
{
    struct registry_figures figures;

    registry_read(registry, REGISTRY_SINCE_START, &figures);
    return registry_figure(&figures, "curr_items");
}
