/* memcached's settings. Threads: any. Memory: the stack. */
#include "sessiond/daemon/classic_settings.h"

#include "sessiond/net/config.h"
#include "sessiond/store/terms.h"

/* How a value is made. */
enum setting_source {
    SETTING_TEXT,     /* `text` */
    SETTING_NUMBER,   /* `number` */
    SETTING_FIGURE,   /* the metric `text` */
    SETTING_COUNT,    /* the option `text`: a number, or bytes */
    SETTING_SECONDS,  /* the option `text`: a time */
    SETTING_AS_IT_IS, /* the option `text`, as people write it */
    SETTING_ALLOWED,  /* yes if the option `text` is `allow` */
    SETTING_HOST,     /* of the option `text`: of its first listener with a port */
    SETTING_PORT,     /* likewise */
    SETTING_PATH,     /* likewise, of its first unix listener */
};

struct setting {
    const char *name; /* memcached's */
    enum setting_source source;
    const char *text;
    uint64_t number;
};

/* name, source, text, number */
#define SETTINGS(X)                                                                                \
    X(maxbytes, COUNT, "memory", 0)                                                                \
    X(maxconns, FIGURE, "max_connections", 0)                                                      \
    X(tcpport, PORT, "listen", 0)                                                                  \
    X(udpport, TEXT, "0", 0)                                                                       \
    X(inter, HOST, "listen", 0)                                                                    \
    X(verbosity, TEXT, "0", 0)                                                                     \
    X(oldest, TEXT, "0", 0)                                                                        \
    X(evictions, TEXT, "off", 0)                                                                   \
    X(domain_socket, PATH, "listen", 0)                                                            \
    X(umask, AS_IT_IS, "socket-mode", 0)                                                           \
    X(shutdown_command, TEXT, "no", 0)                                                             \
    X(growth_factor, TEXT, "1.02", 0)                                                              \
    X(chunk_size, TEXT, "8", 0)                                                                    \
    X(num_threads, FIGURE, "threads", 0)                                                           \
    X(num_threads_per_udp, TEXT, "0", 0)                                                           \
    X(stat_key_prefix, TEXT, ":", 0)                                                               \
    X(detail_enabled, TEXT, "no", 0)                                                               \
    X(reqs_per_event, NUMBER, NULL, NET_TURN_COMMANDS)                                             \
    X(cas_enabled, TEXT, "yes", 0)                                                                 \
    X(tcp_backlog, NUMBER, NULL, NET_BACKLOG)                                                      \
    X(binding_protocol, TEXT, "ascii", 0)                                                          \
    X(auth_enabled_sasl, TEXT, "no", 0)                                                            \
    X(auth_enabled_ascii, TEXT, "no", 0)                                                           \
    X(item_size_max, COUNT, "max-value", 0)                                                        \
    X(maxconns_fast, TEXT, "yes", 0)                                                               \
    X(hashpower_init, TEXT, "0", 0)                                                                \
    X(slab_reassign, TEXT, "no", 0)                                                                \
    X(slab_automove, TEXT, "0", 0)                                                                 \
    X(slab_automove_ratio, TEXT, "0.00", 0)                                                        \
    X(slab_automove_window, TEXT, "0", 0)                                                          \
    X(slab_chunk_max, NUMBER, NULL, STORE_COPY_MAX)                                                \
    X(lru_crawler, TEXT, "no", 0)                                                                  \
    X(lru_crawler_sleep, TEXT, "0", 0)                                                             \
    X(lru_crawler_tocrawl, TEXT, "0", 0)                                                           \
    X(tail_repair_time, TEXT, "0", 0)                                                              \
    X(flush_enabled, ALLOWED, "flush-all", 0)                                                      \
    X(dump_enabled, TEXT, "no", 0)                                                                 \
    X(hash_algorithm, TEXT, "siphash13", 0)                                                        \
    X(lru_maintainer_thread, TEXT, "no", 0)                                                        \
    X(lru_segmented, TEXT, "no", 0)                                                                \
    X(hot_lru_pct, TEXT, "0", 0)                                                                   \
    X(warm_lru_pct, TEXT, "0", 0)                                                                  \
    X(hot_max_factor, TEXT, "0.00", 0)                                                             \
    X(warm_max_factor, TEXT, "0.00", 0)                                                            \
    X(temp_lru, TEXT, "no", 0)                                                                     \
    X(temporary_ttl, TEXT, "0", 0)                                                                 \
    X(idle_timeout, SECONDS, "idle-timeout", 0)                                                    \
    X(watcher_logbuf_size, TEXT, "0", 0)                                                           \
    X(worker_logbuf_size, TEXT, "0", 0)                                                            \
    X(read_buf_mem_limit, TEXT, "0", 0)                                                            \
    X(track_sizes, TEXT, "yes", 0)                                                                 \
    X(inline_ascii_response, TEXT, "no", 0)                                                        \
    X(ssl_enabled, TEXT, "no", 0)                                                                  \
    X(num_napi_ids, TEXT, "0", 0)                                                                  \
    X(memory_file, TEXT, "NULL", 0)

#define ROW(name, source, text, number) {#name, SETTING_##source, text, number},
static const struct setting settings[] = {SETTINGS(ROW)};
#undef ROW

static const char unix_prefix[] = "unix:";

/* The first listener that is one of unix, or one with a port. Returns false if there is none. */
static bool find_listener(const struct option_binding *binding, const struct option_row *row,
                          bool is_unix, char *out, size_t out_size)
{
    for (size_t i = 0; option_format(binding, row, i, out, out_size); i++) {
        if ((strncmp(out, unix_prefix, sizeof unix_prefix - 1) == 0) == is_unix) {
            return true;
        }
    }
    return false;
}

/* One part of `HOST:PORT`, `[V6]:PORT` or `unix:PATH`. */
static void report_listener(const struct setting *setting, const struct option_binding *binding,
                            const struct option_row *row, struct report *report)
{
    char listen[OPTION_TEXT_SIZE];
    const char *part = listen;
    char *colon;

    if (!find_listener(binding, row, setting->source == SETTING_PATH, listen, sizeof listen)) {
        report_add(report, setting->name, setting->source == SETTING_PORT ? "0" : "NULL");
        return;
    }
    colon = strrchr(listen, ':');
    if (setting->source == SETTING_PATH) {
        part += sizeof unix_prefix - 1;
    } else if (setting->source == SETTING_PORT) {
        part = colon + 1;
    } else if (listen[0] == '[') {
        part++;
        colon[-1] = '\0';
    } else {
        colon[0] = '\0';
    }
    report_add_word(report, setting->name, part);
}

static void report_option(const struct setting *setting, struct registry *registry,
                          struct report *report)
{
    char value[OPTION_TEXT_SIZE] = "";
    struct option_binding *binding;
    const struct option_row *row;

    if (registry_find_option(registry, setting->text, &binding, &row) != SESS_OK) {
        return;
    }
    switch (setting->source) {
    case SETTING_COUNT:
        report_add_u64(report, setting->name, option_number(binding, row));
        break;
    case SETTING_SECONDS:
        report_add_u64(report, setting->name, option_number(binding, row) / 1000);
        break;
    case SETTING_AS_IT_IS:
        (void)option_format(binding, row, 0, value, sizeof value);
        report_add(report, setting->name, "%s", value);
        break;
    case SETTING_ALLOWED:
        (void)option_format(binding, row, 0, value, sizeof value);
        report_add(report, setting->name, strcmp(value, "allow") == 0 ? "yes" : "no");
        break;
    default:
        report_listener(setting, binding, row, report);
        break;
    }
}

void classic_report_settings(void *registry, struct report *report)
{
    struct registry_figures figures;

    registry_read(registry, REGISTRY_SINCE_START, &figures);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const struct setting *setting = &settings[i];

        switch (setting->source) {
        case SETTING_TEXT:
            report_add(report, setting->name, "%s", setting->text);
            break;
        case SETTING_NUMBER:
            report_add_u64(report, setting->name, setting->number);
            break;
        case SETTING_FIGURE:
            report_add_u64(report, setting->name, registry_figure(&figures, setting->text));
            break;
        default:
            report_option(setting, registry, report);
            break;
        }
    }
}
