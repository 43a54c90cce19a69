/* Facts about base/metric: rows to counters, sums and reports. */
#include "sessiond/base/metric.h"

#include "suite.h"

#define DOOR_METRICS(X)                                                                            \
    X(opened, COUNTER, "times the door was opened")                                                \
    X(people_inside, GAUGE, "people behind the door")                                              \
    X(closed, COUNTER, "times the door was closed")

struct door_metrics {
    DOOR_METRICS(METRIC_DECLARE)
};

static const struct metric_row rows[] = {DOOR_METRICS(METRIC_ROW)};

static const struct metric_table table = {rows, sizeof rows / sizeof rows[0]};

/* The rows of a table. */
START_TEST(row_has_name_kind_and_doc)
{
    ck_assert_uint_eq(table.n_rows, 3);
    ck_assert_str_eq(rows[1].name, "people_inside");
    ck_assert_int_eq(rows[1].kind, METRIC_GAUGE);
    ck_assert_str_eq(rows[1].doc, "people behind the door");
    ck_assert_int_eq(rows[2].kind, METRIC_COUNTER);
}
END_TEST

/* A counter that grows. */
START_TEST(add_adds)
{
    struct door_metrics door = {0};

    metric_add(&door.opened, 1);
    metric_add(&door.opened, 41);
    ck_assert_uint_eq(metric_read(&door.opened), 42);
    ck_assert_uint_eq(metric_read(&door.people_inside), 0);
}
END_TEST

/* Two owners. */
START_TEST(sum_adds_up_the_owners)
{
    struct door_metrics front = {0};
    struct door_metrics back = {0};
    uint64_t totals[3] = {0};

    metric_add(&front.opened, 10);
    metric_add(&front.closed, 9);
    metric_add(&back.opened, 5);
    metric_add(&back.people_inside, UINT64_C(1) << 40);
    metric_sum(&table, &front, totals);
    metric_sum(&table, &back, totals);
    ck_assert_uint_eq(totals[0], 15);
    ck_assert_uint_eq(totals[1], UINT64_C(1) << 40);
    ck_assert_uint_eq(totals[2], 9);
}
END_TEST

/* A reset between two readings, of three kinds of rows. */
START_TEST(reset_moves_where_counters_begin)
{
    struct metric_baseline baseline = {{0}};
    const uint64_t at_reset[3] = {15, 4, 9};
    uint64_t totals[3];

    metric_begin(&table, &baseline, totals);
    ck_assert_uint_eq(totals[0] + 15, 15);
    metric_reset(&table, &baseline, at_reset);
    metric_begin(&table, &baseline, totals);
    ck_assert_uint_eq(totals[0] + 17, 2);
    ck_assert_uint_eq(totals[1] + 4, 4);
    ck_assert_uint_eq(totals[2] + 9, 0);
}
END_TEST

/* The words of the docs. */
START_TEST(kinds_have_words)
{
    ck_assert_str_eq(metric_kind_text(METRIC_COUNTER), "counter");
    ck_assert_str_eq(metric_kind_text(METRIC_TOTAL), "total");
    ck_assert_str_eq(metric_kind_text(METRIC_GAUGE), "gauge");
    ck_assert_str_eq(metric_kind_text(METRIC_ZERO), "always 0");
    ck_assert_str_eq(metric_kind_text(METRIC_TEXT), "text");
}
END_TEST

/* Totals as lines. */
START_TEST(report_has_a_line_for_each_row)
{
    static const char *const expected[] = {"15", "0", "18446744073709551615"};
    const uint64_t totals[3] = {15, 0, UINT64_MAX};
    struct report report = {.is_cut = false};
    struct slice name;
    struct slice value;
    size_t position = 0;

    metric_report(&table, totals, &report);
    for (size_t i = 0; i < table.n_rows; i++) {
        ck_assert(report_next(&report, &position, &name, &value));
        ck_assert(slice_is(name, rows[i].name));
        ck_assert(slice_is(value, expected[i]));
    }
    ck_assert(!report_next(&report, &position, &name, &value));
    report_release(&report);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/metric");
    TCase *add = suite_case(suite, "metric_add");
    TCase *sum = suite_case(suite, "metric_sum");
    TCase *resets = suite_case(suite, "metric_reset");
    TCase *lines = suite_case(suite, "metric_report");

    tcase_add_test(add, row_has_name_kind_and_doc);
    tcase_add_test(add, add_adds);
    tcase_add_test(sum, sum_adds_up_the_owners);
    tcase_add_test(resets, reset_moves_where_counters_begin);
    tcase_add_test(add, kinds_have_words);
    tcase_add_test(lines, report_has_a_line_for_each_row);
    return suite_run(suite);
}
