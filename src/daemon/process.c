/* Process figures. Threads: any. Memory: none. */
#include "sessiond/daemon/process.h"

#include "sessiond/net/server.h"
#include "sessiond/protocol/reply.h"

#include <sys/resource.h>
#include <unistd.h>

static const struct metric_row metric_rows[] = {PROCESS_METRICS(METRIC_ROW)};
const struct metric_table process_metric_table = {
    .rows = metric_rows, .n_rows = sizeof metric_rows / sizeof metric_rows[0]};

static const struct metric_row text_rows[] = {PROCESS_TEXTS(METRIC_ROW)};
const struct metric_table process_text_table = {.rows = text_rows,
                                                .n_rows = sizeof text_rows / sizeof text_rows[0]};

/* Admin pages divide by it. */
static uint64_t uptime_s(const struct process *process, struct instant now)
{
    uint64_t seconds = (uint64_t)(now.boot_ms - process->started.boot_ms) / 1000;

    return seconds == 0 ? 1 : seconds;
}

static size_t max_connections(const struct process *process)
{
    size_t set = process->net == NULL ? SIZE_MAX : process->net->max_connections;

    return set < process->max_connections ? set : process->max_connections;
}

void process_sum(void *process, uint64_t *totals)
{
    const struct process *self = process;
    struct instant now = clock_now(self->clock);
    struct process_metrics metrics = {
        .pid = (uint64_t)getpid(),
        .uptime = uptime_s(self, now),
        .time = (uint64_t)now.wall_s,
        .pointer_size = 8 * sizeof(void *),
        .max_connections = max_connections(self),
        .limit_maxbytes = self->session_bytes,
    };

    metric_sum(&process_metric_table, &metrics, totals);
}

static void report_processor_time(struct report *report, const char *name,
                                  const struct timeval *time)
{
    report_add(report, name, "%lld.%06ld", (long long)time->tv_sec, (long)time->tv_usec);
}

void process_report_texts(void *process, struct report *report)
{
    struct rusage usage = {0};

    (void)process;
    (void)getrusage(RUSAGE_SELF, &usage);
    report_add(report, "version", "%s", reply_get_row(REPLY_VERSION)->text + sizeof "VERSION " - 1);
    report_add(report, "sessiond_version", "%s", SESSIOND_VERSION);
    report_add(report, "libevent", "%s", net_server_libevent());
    report_processor_time(report, "rusage_user", &usage.ru_utime);
    report_processor_time(report, "rusage_system", &usage.ru_stime);
}
