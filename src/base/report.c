/* Reports. Not metrics (metric.c fills reports). Threads: the owner's. Memory: one buffer. */
#include "sessiond/base/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { REPORT_VALUE_SIZE = 512 }; /* longer values are cut */

void report_add(struct report *report, const char *name, const char *format, ...)
{
    char value[REPORT_VALUE_SIZE];
    size_t name_size = strlen(name) + 1;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(value, sizeof value, format, args);
    va_end(args);
    if (buffer_reserve(&report->text, name_size + strlen(value) + 1) != SESS_OK) {
        report->is_cut = true;
        return;
    }
    buffer_put(&report->text, slice_of(name, name_size));
    buffer_put(&report->text, slice_of(value, strlen(value) + 1));
}

void report_add_word(struct report *report, const char *name, const char *text)
{
    static const char blank[] = "%20";
    char value[REPORT_VALUE_SIZE];
    size_t size = 0;

    for (; *text != '\0' && size + sizeof blank <= sizeof value; text++) {
        if (*text == ' ') {
            memcpy(value + size, blank, sizeof blank - 1);
            size += sizeof blank - 1;
        } else {
            value[size++] = *text;
        }
    }
    value[size] = '\0';
    report_add(report, name, "%s", value);
}

void report_add_u64(struct report *report, const char *name, uint64_t value)
{
    report_add(report, name, "%" PRIu64, value);
}

bool report_next(const struct report *report, size_t *position, struct slice *name,
                 struct slice *value)
{
    const char *next;

    if (*position >= report->text.size) {
        return false;
    }
    next = (const char *)report->text.data + *position;
    *name = slice_from_text(next);
    *value = slice_from_text(next + name->size + 1);
    *position += name->size + value->size + 2;
    return true;
}

void report_release(struct report *report)
{
    buffer_release(&report->text);
    report->is_cut = false;
}
