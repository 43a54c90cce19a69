/* Unit tests of the process figures. */
#include "sessiond/daemon/process.h"

#include "suite_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The report has a line for each row of the table, in its order. */
START_TEST(test_rows)
{
    struct process process = {.max_connections = 0};
    struct report report = {.is_cut = false};
    struct slice name;
    struct slice value;
    size_t position = 0;

    ck_assert_int_eq(clock_create_manual(1700000000, &process.clock), SESS_OK);
    process_report(&process, &report);
    for (size_t i = 0; i < process_metric_table.n_rows; i++) {
        const struct metric_row *row = &process_metric_table.rows[i];

        ck_assert(report_next(&report, &position, &name, &value));
        ck_assert(slice_is(name, row->name));
        ck_assert_uint_gt(value.size, 0);
        if (row->kind != METRIC_TEXT) {
            ck_assert_uint_eq(strspn((const char *)value.data, "0123456789"), value.size);
        }
    }
    ck_assert(!report_next(&report, &position, &name, &value));
    report_release(&report);
    clock_destroy(&process.clock);
}
END_TEST

static const char *line_of(const struct report *report, const char *wanted)
{
    struct slice name;
    struct slice value;
    size_t position = 0;

    while (report_next(report, &position, &name, &value)) {
        if (slice_is(name, wanted)) {
            return (const char *)value.data;
        }
    }
    return "";
}

/* A quarter of an hour after the start. */
START_TEST(test_values)
{
    struct process process = {.max_connections = 123, .memory_bytes = 1 << 30};
    struct report report = {.is_cut = false};
    char pid[24];

    ck_assert_int_eq(clock_create_manual(1700000000, &process.clock), SESS_OK);
    clock_advance(process.clock, 5500);
    process.started = clock_now(process.clock);
    clock_advance(process.clock, 900000);
    process_report(&process, &report);
    (void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
    ck_assert_str_eq(line_of(&report, "pid"), pid);
    ck_assert_str_eq(line_of(&report, "uptime"), "900");
    ck_assert_str_eq(line_of(&report, "time"), "1700000905");
    ck_assert_str_eq(line_of(&report, "version"), "1.6.18");
    ck_assert_str_eq(line_of(&report, "sessiond_version"), SESSIOND_VERSION);
    ck_assert_str_eq(line_of(&report, "pointer_size"), "64");
    ck_assert_str_eq(line_of(&report, "max_connections"), "123");
    ck_assert_str_eq(line_of(&report, "limit_maxbytes"), "1073741824");
    ck_assert_double_ge(strtod(line_of(&report, "rusage_user"), NULL), 0.0);
    /* Six digits behind the point: microseconds. */
    ck_assert_uint_eq(strlen(strchr(line_of(&report, "rusage_system"), '.')), 7);
    report_release(&report);
    clock_destroy(&process.clock);
}
END_TEST

SUITE_MAIN("daemon/process", test_rows, test_values)
