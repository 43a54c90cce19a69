/* Process figures. Threads: any. Memory: none. */
#include "sessiond/daemon/process.h"

#include "sessiond/protocol/reply.h"

#include <sys/resource.h>
#include <unistd.h>

static const struct metric_row metric_rows[] = {PROCESS_METRICS(METRIC_ROW)};
const struct metric_table process_metric_table = {
    .rows = metric_rows, .n_rows = sizeof metric_rows / sizeof metric_rows[0]};

static void report_processor_time(struct report *report, const char *name,
                                  const struct timeval *time)
{
    report_add(report, name, "%lld.%06ld", (long long)time->tv_sec, (long)time->tv_usec);
}

void process_report(void *process, struct report *report)
{
    const struct process *self = process;
    struct instant now = clock_now(self->clock);
    struct rusage usage = {0};

    (void)getrusage(RUSAGE_SELF, &usage);
    report_add_u64(report, "pid", (uint64_t)getpid());
    report_add_u64(report, "uptime", (uint64_t)(now.boot_ms - self->started.boot_ms) / 1000);
    report_add_u64(report, "time", (uint64_t)now.wall_s);
    report_add(report, "version", "%s", reply_get_row(REPLY_VERSION)->text + sizeof "VERSION " - 1);
    report_add(report, "sessiond_version", "%s", SESSIOND_VERSION);
    report_add_u64(report, "pointer_size", 8 * sizeof(void *));
    report_processor_time(report, "rusage_user", &usage.ru_utime);
    report_processor_time(report, "rusage_system", &usage.ru_stime);
    report_add_u64(report, "max_connections", self->max_connections);
    report_add_u64(report, "limit_maxbytes", self->memory_bytes);
}
