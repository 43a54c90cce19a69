/* Facts about base/registry: what the rooms tell, and what readers find. */
#include "sessiond/base/registry.h"

#include "suite.h"

/* clang-format off */
#define FRONT_OPTIONS(X) \
    X(open_time, DURATION, "10s", "1s", "1h", OPTION_FIXED, "how long the door stays open") \
    X(guests, LIST, "anna", NULL, NULL, OPTION_FIXED, "who may come in")
#define BACK_OPTIONS(X) \
    X(width, COUNT, "5", "1", "9", OPTION_FIXED, "how wide the door is")
#define WRONG_OPTIONS(X) \
    X(height, COUNT, "10", "1", "9", OPTION_FIXED, "a default above its own limit")

struct front_options { FRONT_OPTIONS(OPTION_DECLARE) };
struct back_options { BACK_OPTIONS(OPTION_DECLARE) };
struct wrong_options { WRONG_OPTIONS(OPTION_DECLARE) };

#define FRONT_ROW(...) OPTION_ROW(front_options, __VA_ARGS__)
#define BACK_ROW(...) OPTION_ROW(back_options, __VA_ARGS__)
#define WRONG_ROW(...) OPTION_ROW(wrong_options, __VA_ARGS__)
static const struct option_row front_rows[] = { FRONT_OPTIONS(FRONT_ROW) };
static const struct option_row back_rows[] = { BACK_OPTIONS(BACK_ROW) };
static const struct option_row wrong_rows[] = { WRONG_OPTIONS(WRONG_ROW) };
/* clang-format on */

static const struct option_table front_table = {"front door", front_rows, 2};
static const struct option_table back_table = {"back door", back_rows, 1};
static const struct option_table wrong_table = {"wrong door", wrong_rows, 1};
static const struct metric_table metrics_table = {NULL, 0};

static struct registry registry;
static struct front_options front;
static struct back_options back;
static struct sess_error error;
static struct report report;

static void set_up(void)
{
    registry = (struct registry){.n_options = 0};
    report = (struct report){.is_cut = false};
    ck_assert_int_eq(registry_add_options(&registry, &front_table, &front, &error), SESS_OK);
    ck_assert_int_eq(registry_add_options(&registry, &back_table, &back, &error), SESS_OK);
}

static void tear_down(void)
{
    report_release(&report);
}

static void report_context(void *context, struct report *out)
{
    report_add(out, "from", "%s", (const char *)context);
}

/* The report's next line is `NAME VALUE`. */
static void assert_next(size_t *position, const char *name, const char *value)
{
    struct slice found_name;
    struct slice found_value;

    ck_assert(report_next(&report, position, &found_name, &found_value));
    ck_assert_msg(slice_is(found_name, name) && slice_is(found_value, value), "%s %s, not %s %s",
                  (const char *)found_name.data, (const char *)found_value.data, name, value);
}

static void assert_end(size_t position)
{
    ck_assert_uint_eq(position, report.text.size);
}

/* Two rooms' options. */
START_TEST(add_options_assigns_the_defaults)
{
    ck_assert_uint_eq(registry.n_options, 2);
    ck_assert_uint_eq(front.open_time, 10000);
    ck_assert_str_eq(front.guests.items[0], "anna");
    ck_assert_uint_eq(back.width, 5);
}
END_TEST

/* A row whose default its own limit refuses. */
START_TEST(add_options_refuses_a_wrong_default)
{
    struct wrong_options wrong;

    ck_assert_int_eq(registry_add_options(&registry, &wrong_table, &wrong, &error),
                     SESS_OUT_OF_RANGE);
    ck_assert_str_eq(error.text, "height: '10' will not do: it takes a number, 1 to 9");
}
END_TEST

/* More rooms than there is place for. */
START_TEST(add_options_ends_at_the_limit)
{
    while (registry.n_options < REGISTRY_ROOMS_MAX) {
        ck_assert_int_eq(registry_add_options(&registry, &back_table, &back, &error), SESS_OK);
    }
    ck_assert_int_eq(registry_add_options(&registry, &back_table, &back, &error), SESS_LIMIT);
    ck_assert_uint_eq(registry.n_options, REGISTRY_ROOMS_MAX);
    ck_assert_str_ne(error.text, "");
}
END_TEST

/* A table with more rows than a binding has sources for. */
START_TEST(add_options_refuses_a_long_table)
{
    struct option_table long_table = {"long", back_rows, OPTION_ROWS_MAX + 1};

    ck_assert_int_eq(registry_add_options(&registry, &long_table, &back, &error), SESS_LIMIT);
    ck_assert_uint_eq(registry.n_options, 2);
}
END_TEST

/* Names as in the struct and as people type them, in the first and the last room. */
START_TEST(find_option_looks_into_every_room)
{
    struct option_binding *binding = NULL;
    const struct option_row *row = NULL;

    ck_assert_int_eq(registry_find_option(&registry, "open-time", &binding, &row), SESS_OK);
    ck_assert_ptr_eq(row, &front_rows[0]);
    ck_assert_ptr_eq(binding, &registry.options[0]);
    ck_assert_int_eq(registry_find_option(&registry, "open_time", &binding, &row), SESS_OK);
    ck_assert_ptr_eq(row, &front_rows[0]);
    ck_assert_int_eq(registry_find_option(&registry, "width", &binding, &row), SESS_OK);
    ck_assert_ptr_eq(row, &back_rows[0]);
    ck_assert_ptr_eq(binding, &registry.options[1]);
}
END_TEST

/* Names of no option: unknown, a beginning, longer, empty. */
START_TEST(find_option_wants_the_whole_name)
{
    static const char *const names[] = {"depth", "open", "open-time-s", "widt", ""};
    struct option_binding *binding = NULL;
    const struct option_row *row = NULL;

    ck_assert_int_eq(registry_find_option(&registry, names[_i], &binding, &row), SESS_NOT_FOUND);
    ck_assert_ptr_null(binding);
    ck_assert_ptr_null(row);
}
END_TEST

/* Metrics of two rooms, asked for without a section. */
START_TEST(report_without_a_name_has_all_metrics)
{
    char one[] = "one";
    char two[] = "two";
    size_t position = 0;

    ck_assert_int_eq(registry_add_metrics(&registry, &metrics_table, report_context, one), SESS_OK);
    ck_assert_int_eq(registry_add_metrics(&registry, &metrics_table, report_context, two), SESS_OK);
    ck_assert_ptr_eq(registry.metrics[1].table, &metrics_table);
    ck_assert_int_eq(registry_report(&registry, slice_of(NULL, 0), &report), SESS_OK);
    assert_next(&position, "from", "one");
    assert_next(&position, "from", "two");
    assert_end(position);
}
END_TEST

/* A section among others. */
START_TEST(report_of_a_section_has_that_section_alone)
{
    char one[] = "one";
    char two[] = "two";
    size_t position = 0;

    ck_assert_int_eq(registry_add_metrics(&registry, &metrics_table, report_context, one), SESS_OK);
    ck_assert_int_eq(registry_add_section(&registry, "first", "doc", report_context, one), SESS_OK);
    ck_assert_int_eq(registry_add_section(&registry, "second", "doc", report_context, two),
                     SESS_OK);
    ck_assert_str_eq(registry.sections[1].doc, "doc");
    ck_assert_int_eq(registry_report(&registry, SLICE_LITERAL("second"), &report), SESS_OK);
    assert_next(&position, "from", "two");
    assert_end(position);
}
END_TEST

/* A section that no room has told of. */
START_TEST(report_of_an_unknown_section_fails)
{
    char one[] = "one";

    ck_assert_int_eq(registry_add_section(&registry, "first", "doc", report_context, one), SESS_OK);
    ck_assert_int_eq(registry_report(&registry, SLICE_LITERAL("firs"), &report), SESS_NOT_FOUND);
    ck_assert_int_eq(registry_report(&registry, SLICE_LITERAL("firsts"), &report), SESS_NOT_FOUND);
    assert_end(0);
}
END_TEST

/* More metrics and sections than there is place for. */
START_TEST(add_ends_at_the_limit)
{
    for (int i = 0; i < REGISTRY_ROOMS_MAX; i++) {
        ck_assert_int_eq(registry_add_metrics(&registry, &metrics_table, report_context, NULL),
                         SESS_OK);
        ck_assert_int_eq(registry_add_section(&registry, "name", "doc", report_context, NULL),
                         SESS_OK);
    }
    ck_assert_int_eq(registry_add_metrics(&registry, &metrics_table, report_context, NULL),
                     SESS_LIMIT);
    ck_assert_int_eq(registry_add_section(&registry, "name", "doc", report_context, NULL),
                     SESS_LIMIT);
    ck_assert_uint_eq(registry.n_metrics, REGISTRY_ROOMS_MAX);
    ck_assert_uint_eq(registry.n_sections, REGISTRY_ROOMS_MAX);
}
END_TEST

/* `stats settings`, with a list of two. */
START_TEST(settings_have_a_line_for_each_value)
{
    size_t position = 0;

    ck_assert_int_eq(
        option_assign(&registry.options[0], &front_rows[1], "bea", OPTION_FROM_FILE, &error),
        SESS_OK);
    ck_assert_int_eq(
        option_assign(&registry.options[0], &front_rows[1], "carl", OPTION_FROM_FILE, &error),
        SESS_OK);
    registry_report_settings(&registry, &report);
    assert_next(&position, "open-time", "10s");
    assert_next(&position, "guests", "bea");
    assert_next(&position, "guests", "carl");
    assert_next(&position, "width", "5");
    assert_end(position);
}
END_TEST

static TCase *registry_case(Suite *suite, const char *function)
{
    TCase *facts = suite_case(suite, function);

    tcase_add_checked_fixture(facts, set_up, tear_down);
    return facts;
}

int main(void)
{
    Suite *suite = suite_create("base/registry");
    TCase *options = registry_case(suite, "registry_add_options");
    TCase *find = registry_case(suite, "registry_find_option");
    TCase *reports = registry_case(suite, "registry_report");
    TCase *settings = registry_case(suite, "registry_report_settings");

    tcase_add_test(options, add_options_assigns_the_defaults);
    tcase_add_test(options, add_options_refuses_a_wrong_default);
    tcase_add_test(options, add_options_ends_at_the_limit);
    tcase_add_test(options, add_options_refuses_a_long_table);
    tcase_add_test(find, find_option_looks_into_every_room);
    tcase_add_loop_test(find, find_option_wants_the_whole_name, 0, 5);
    tcase_add_test(reports, report_without_a_name_has_all_metrics);
    tcase_add_test(reports, report_of_a_section_has_that_section_alone);
    tcase_add_test(reports, report_of_an_unknown_section_fails);
    tcase_add_test(reports, add_ends_at_the_limit);
    tcase_add_test(settings, settings_have_a_line_for_each_value);
    return suite_run(suite);
}
