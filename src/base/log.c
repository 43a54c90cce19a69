/* The log sink. Not a log file: the service manager keeps what comes on standard error.
 *
 * Threads: any. Memory: the stack. */
#include "sessiond/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* The log sink: the one mutable global of the house (docs/CONTRIBUTING.md). */
static _Atomic int log_sink_level = LOG_LEVEL_INFO;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void log_set_level(enum log_level level)
{
    atomic_store(&log_sink_level, (int)level);
}

static size_t format_head(char *line, size_t size, enum log_level level)
{
    time_t now = time(NULL);
    struct tm utc;
    size_t used = 0;

    if (gmtime_r(&now, &utc) != NULL) {
        used = strftime(line, size, "%Y-%m-%dT%H:%M:%SZ ", &utc);
    }
    return used + (size_t)snprintf(line + used, size - used, "%s ", level_names[level]);
}

/* Whatever stands in a name or a path: a line is one line, and no terminal obeys it. */
static void blank_controls(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f) {
            text[i] = '?';
        }
    }
}

__attribute__((format(printf, 2, 0))) static void write_line(enum log_level level,
                                                             const char *format, va_list args)
{
    char line[LOG_LINE_SIZE];
    size_t used = format_head(line, sizeof line, level);
    int length = vsnprintf(line + used, sizeof line - used, format, args);

    if (length < 0) {
        return;
    }
    used += (size_t)length;
    if (used > sizeof line - 1) {
        used = sizeof line - 1;
    }
    blank_controls(line, used);
    line[used] = '\n';
    /* Nobody can be told that the log cannot be written. */
    if (write(STDERR_FILENO, line, used + 1) < 0) {
        return;
    }
}

static bool is_written(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_sink_level, memory_order_relaxed);
}

void log_write(enum log_level level, const char *format, ...)
{
    va_list args;

    if (!is_written(level)) {
        return;
    }
    va_start(args, format);
    write_line(level, format, args);
    va_end(args);
}

static int64_t elapsed_s(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec;
}

void log_limited(struct log_limit *limit, int64_t interval_s, enum log_level level,
                 const char *format, ...)
{
    int64_t now;
    int64_t next;
    uint64_t dropped;
    va_list args;

    if (!is_written(level)) {
        return;
    }
    now = elapsed_s();
    next = atomic_load(&limit->next_s);
    if (now < next || !atomic_compare_exchange_strong(&limit->next_s, &next, now + interval_s)) {
        atomic_fetch_add(&limit->dropped, 1);
        return;
    }
    dropped = atomic_exchange(&limit->dropped, 0);
    if (dropped > 0) {
        log_write(level, "%llu lines like the next were left out", (unsigned long long)dropped);
    }
    va_start(args, format);
    write_line(level, format, args);
    va_end(args);
}

const char *log_escape(struct slice bytes, char *out, size_t out_size)
{
    static const char hex[] = "0123456789abcdef";
    size_t used = 0;

    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = bytes.data[i];

        if (byte >= 0x20 && byte < 0x7f && byte != '\\') {
            if (used + 2 > out_size) {
                break;
            }
            out[used++] = (char)byte;
            continue;
        }
        if (used + 5 > out_size) {
            break;
        }
        out[used++] = '\\';
        out[used++] = 'x';
        out[used++] = hex[byte >> 4];
        out[used++] = hex[byte & 15];
    }
    out[used] = '\0';
    return out;
}
