/* Unit tests of the process figures. */
#include "sessiond/daemon/process.h"

#include "sessiond/base/registry.h"

#include "suite_main.h"

#include <stdlib.h>
#include <unistd.h>

/* The texts have a line for each row of their table, in its order. */
START_TEST(test_text_rows)
{
    struct report report = {.is_cut = false};
    struct slice name;
    struct slice value;
    size_t position = 0;

    process_report_texts(NULL, &report);
    for (size_t i = 0; i < process_text_table.n_rows; i++) {
        ck_assert(report_next(&report, &position, &name, &value));
        ck_assert(slice_is(name, process_text_table.rows[i].name));
        ck_assert_uint_gt(value.size, 0);
        ck_assert_ptr_null(memchr(value.data, ' ', value.size));
    }
    ck_assert(!report_next(&report, &position, &name, &value));
    report_release(&report);
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

START_TEST(test_texts)
{
    struct report report = {.is_cut = false};

    process_report_texts(NULL, &report);
    ck_assert_str_eq(line_of(&report, "version"), "1.6.18");
    ck_assert_str_eq(line_of(&report, "sessiond_version"), SESSIOND_VERSION);
    ck_assert_uint_eq(strspn(line_of(&report, "libevent"), "2."), 2);
    ck_assert_double_ge(strtod(line_of(&report, "rusage_user"), NULL), 0.0);
    /* Six digits behind the point: microseconds. */
    ck_assert_uint_eq(strlen(strchr(line_of(&report, "rusage_system"), '.')), 7);
    report_release(&report);
}
END_TEST

/* At the start, and a quarter of an hour later. */
START_TEST(test_numbers)
{
    struct process process = {.max_connections = 123, .session_bytes = 1 << 30};
    struct registry registry = {.n_metrics = 0};
    struct registry_figures figures;

    ck_assert_int_eq(registry_add_metrics(&registry, &process_metric_table, process_sum, &process),
                     SESS_OK);
    ck_assert_int_eq(clock_create_manual(1700000000, &process.clock), SESS_OK);
    clock_advance(process.clock, 5500);
    process.started = clock_now(process.clock);
    registry_read(&registry, REGISTRY_SINCE_RESET, &figures);
    ck_assert_uint_eq(registry_figure(&figures, "uptime"), 1);
    clock_advance(process.clock, 900000);
    registry_read(&registry, REGISTRY_SINCE_RESET, &figures);
    ck_assert_uint_eq(registry_figure(&figures, "uptime"), 900);
    ck_assert_uint_eq(registry_figure(&figures, "time"), 1700000905);
    ck_assert_uint_eq(registry_figure(&figures, "pid"), (uint64_t)getpid());
    ck_assert_uint_eq(registry_figure(&figures, "pointer_size"), 64);
    ck_assert_uint_eq(registry_figure(&figures, "max_connections"), 123);
    ck_assert_uint_eq(registry_figure(&figures, "limit_maxbytes"), 1 << 30);
    clock_destroy(&process.clock);
}
END_TEST

SUITE_MAIN("daemon/process", test_text_rows, test_texts, test_numbers)
