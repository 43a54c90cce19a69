/* Facts about base/registry: what the rooms tell, and what readers find. */
#include "sessiond/base/registry.h"

#include "suite.h"

#include <pthread.h>

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

static const struct metric_row door_rows[] = {{"opened", METRIC_COUNTER, "doc"},
                                              {"people_ever", METRIC_TOTAL, "doc"},
                                              {"people_inside", METRIC_GAUGE, "doc"}};
static const struct metric_row lift_rows[] = {{"rides", METRIC_COUNTER, "doc"}};
static const struct metric_row zero_rows[] = {{"fires", METRIC_ZERO, "doc"}};
static const struct metric_row text_rows[] = {{"from", METRIC_TEXT, "doc"}};
static const struct metric_table door_table = {door_rows, 3};
static const struct metric_table lift_table = {lift_rows, 1};
static const struct metric_table zero_table = {zero_rows, 1};
static const struct metric_table text_table = {text_rows, 1};

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

/* The context holds a door's or a lift's figures. */
static void sum_door(void *context, uint64_t *totals)
{
    metric_sum(&door_table, context, totals);
}

static void sum_lift(void *context, uint64_t *totals)
{
    metric_sum(&lift_table, context, totals);
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

/* Texts, numbers and zeros of several rooms, asked for without a section. */
START_TEST(report_without_a_name_has_all_metrics)
{
    char one[] = "one";
    _Atomic uint64_t door[] = {7, 8, 9};
    size_t position = 0;

    ck_assert_int_eq(registry_add_texts(&registry, &text_table, report_context, one), SESS_OK);
    ck_assert_int_eq(registry_add_metrics(&registry, &door_table, sum_door, door), SESS_OK);
    ck_assert_int_eq(registry_add_metrics(&registry, &zero_table, NULL, NULL), SESS_OK);
    ck_assert_ptr_eq(registry.metrics[1].table, &door_table);
    ck_assert_int_eq(registry_report(&registry, slice_of(NULL, 0), &report), SESS_OK);
    assert_next(&position, "from", "one");
    assert_next(&position, "opened", "7");
    assert_next(&position, "people_ever", "8");
    assert_next(&position, "people_inside", "9");
    assert_next(&position, "fires", "0");
    assert_end(position);
}
END_TEST

/* A table with more rows than totals have room for. */
START_TEST(add_metrics_refuses_a_long_table)
{
    struct metric_table long_table = {door_rows, METRIC_ROWS_MAX + 1};

    ck_assert_int_eq(registry_add_metrics(&registry, &long_table, sum_door, NULL), SESS_LIMIT);
    ck_assert_int_eq(registry_add_texts(&registry, &long_table, report_context, NULL), SESS_LIMIT);
    ck_assert_uint_eq(registry.n_metrics, 0);
}
END_TEST

static void add_door_and_lift(void *door, void *lift)
{
    ck_assert_int_eq(registry_add_metrics(&registry, &door_table, sum_door, door), SESS_OK);
    ck_assert_int_eq(registry_add_metrics(&registry, &lift_table, sum_lift, lift), SESS_OK);
    ck_assert_int_eq(registry_add_metrics(&registry, &zero_table, NULL, NULL), SESS_OK);
}

/* Counters begin anew in every room; totals and gauges, and the owners' own counters, do not. */
START_TEST(reset_is_of_counters_alone)
{
    _Atomic uint64_t door[] = {7, 8, 9};
    _Atomic uint64_t lift[] = {5};
    size_t position = 0;

    add_door_and_lift(door, lift);
    registry_reset(&registry);
    metric_add(&door[0], 2);
    metric_add(&door[1], 2);
    metric_add(&door[2], 2);
    ck_assert_int_eq(registry_report(&registry, slice_of(NULL, 0), &report), SESS_OK);
    assert_next(&position, "opened", "2");
    assert_next(&position, "people_ever", "10");
    assert_next(&position, "people_inside", "11");
    assert_next(&position, "rides", "0");
    assert_next(&position, "fires", "0");
    assert_end(position);
    ck_assert_uint_eq(metric_read(&door[0]), 9);
    ck_assert_uint_eq(metric_read(&lift[0]), 5);
}
END_TEST

/* Two resets: the later one counts. */
START_TEST(reset_can_be_repeated)
{
    _Atomic uint64_t door[] = {7, 0, 0};
    _Atomic uint64_t lift[] = {0};
    struct registry_figures figures;

    add_door_and_lift(door, lift);
    registry_reset(&registry);
    metric_add(&door[0], 3);
    registry_reset(&registry);
    metric_add(&door[0], 4);
    registry_read(&registry, REGISTRY_SINCE_RESET, &figures);
    ck_assert_uint_eq(registry_figure(&figures, "opened"), 4);
    registry_read(&registry, REGISTRY_SINCE_START, &figures);
    ck_assert_uint_eq(registry_figure(&figures, "opened"), 14);
}
END_TEST

/* While one counts and others reset, no reader ever sees a counter below 0. */
enum { RESETS = 20000 };

static _Atomic bool is_over;

static void *count(void *counter)
{
    while (!atomic_load(&is_over)) {
        metric_add(counter, 1);
    }
    return NULL;
}

static void *reset(void *unused)
{
    for (int i = 0; i < RESETS; i++) {
        registry_reset(&registry);
    }
    return unused;
}

START_TEST(reset_while_others_read)
{
    static _Atomic uint64_t door[3];
    static _Atomic uint64_t lift[1];
    pthread_t threads[3];
    struct registry_figures figures;

    add_door_and_lift(door, lift);
    ck_assert_int_eq(pthread_create(&threads[0], NULL, count, &door[0]), 0);
    ck_assert_int_eq(pthread_create(&threads[1], NULL, reset, NULL), 0);
    ck_assert_int_eq(pthread_create(&threads[2], NULL, reset, NULL), 0);
    for (int i = 0; i < RESETS; i++) {
        registry_read(&registry, REGISTRY_SINCE_RESET, &figures);
        ck_assert_uint_le(registry_figure(&figures, "opened"), metric_read(&door[0]));
    }
    ck_assert_int_eq(pthread_join(threads[1], NULL), 0);
    ck_assert_int_eq(pthread_join(threads[2], NULL), 0);
    atomic_store(&is_over, true);
    ck_assert_int_eq(pthread_join(threads[0], NULL), 0);
}
END_TEST

/* Numbers by name, in the first and the last table, and one that nobody has. */
START_TEST(figures_are_found_by_name)
{
    _Atomic uint64_t door[] = {7, 8, 9};
    _Atomic uint64_t lift[] = {5};
    struct registry_figures figures;

    add_door_and_lift(door, lift);
    registry_read(&registry, REGISTRY_SINCE_START, &figures);
    ck_assert_uint_eq(registry_figure(&figures, "people_inside"), 9);
    ck_assert_uint_eq(registry_figure(&figures, "rides"), 5);
    ck_assert_uint_eq(registry_figure(&figures, "fires"), 0);
    ck_assert_uint_eq(registry_figure(&figures, "ride"), 0);
}
END_TEST

/* Aliases with a prefix, one of them of nothing. */
START_TEST(aliases_are_lines)
{
    static const struct registry_alias aliases[] = {{"in", "people_inside"}, {"burnt", NULL}};
    _Atomic uint64_t door[] = {7, 8, 9};
    _Atomic uint64_t lift[] = {5};
    struct registry_figures figures;
    size_t position = 0;

    add_door_and_lift(door, lift);
    registry_read(&registry, REGISTRY_SINCE_START, &figures);
    registry_report_aliases(&figures, "house:", aliases, 2, &report);
    assert_next(&position, "house:in", "9");
    assert_next(&position, "house:burnt", "0");
    assert_end(position);
}
END_TEST

/* A section among others. */
START_TEST(report_of_a_section_has_that_section_alone)
{
    char one[] = "one";
    char two[] = "two";
    size_t position = 0;

    ck_assert_int_eq(registry_add_texts(&registry, &text_table, report_context, one), SESS_OK);
    ck_assert_int_eq(registry_add_section(&registry, "first", "doc", report_context, one), SESS_OK);
    ck_assert_int_eq(registry_add_section(&registry, "second", "doc", report_context, two),
                     SESS_OK);
    ck_assert_str_eq(registry.sections[1].doc, "doc");
    ck_assert_int_eq(registry_report(&registry, SLICE_LITERAL("second"), &report), SESS_OK);
    assert_next(&position, "from", "two");
    assert_end(position);
}
END_TEST

/* A section in parts, up to the most it can have. */
START_TEST(section_is_extended)
{
    char one[] = "one";
    char two[] = "two";
    size_t position = 0;

    ck_assert_int_eq(registry_add_section(&registry, "first", "doc", report_context, one), SESS_OK);
    ck_assert_int_eq(registry_add_section(&registry, "other", "doc", report_context, one), SESS_OK);
    ck_assert_int_eq(registry_extend_section(&registry, "first", report_context, two), SESS_OK);
    ck_assert_int_eq(registry_extend_section(&registry, "third", report_context, two),
                     SESS_NOT_FOUND);
    ck_assert_int_eq(registry_report(&registry, SLICE_LITERAL("first"), &report), SESS_OK);
    assert_next(&position, "from", "one");
    assert_next(&position, "from", "two");
    assert_end(position);
    while (registry.sections[0].n_parts < REGISTRY_PARTS_MAX) {
        ck_assert_int_eq(registry_extend_section(&registry, "first", report_context, two), SESS_OK);
    }
    ck_assert_int_eq(registry_extend_section(&registry, "first", report_context, two), SESS_LIMIT);
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
        ck_assert_int_eq(registry_add_metrics(&registry, &door_table, sum_door, NULL), SESS_OK);
        ck_assert_int_eq(registry_add_section(&registry, "name", "doc", report_context, NULL),
                         SESS_OK);
    }
    ck_assert_int_eq(registry_add_metrics(&registry, &door_table, sum_door, NULL), SESS_LIMIT);
    ck_assert_int_eq(registry_add_section(&registry, "name", "doc", report_context, NULL),
                     SESS_LIMIT);
    ck_assert_uint_eq(registry.n_metrics, REGISTRY_ROOMS_MAX);
    ck_assert_uint_eq(registry.n_sections, REGISTRY_ROOMS_MAX);
}
END_TEST

/* `stats settings`, with a list of two, one with a blank. */
START_TEST(settings_have_a_line_for_each_value)
{
    size_t position = 0;

    ck_assert_int_eq(
        option_assign(&registry.options[0], &front_rows[1], "bea", OPTION_FROM_FILE, &error),
        SESS_OK);
    ck_assert_int_eq(
        option_assign(&registry.options[0], &front_rows[1], "carl c", OPTION_FROM_FILE, &error),
        SESS_OK);
    registry_report_settings(&registry, &report);
    assert_next(&position, "open-time", "10s");
    assert_next(&position, "guests", "bea");
    assert_next(&position, "guests", "carl%20c");
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
    TCase *metrics = registry_case(suite, "registry_add_metrics");
    TCase *resets = registry_case(suite, "registry_reset");
    TCase *figures = registry_case(suite, "registry_figure");
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
    tcase_add_test(reports, section_is_extended);
    tcase_add_test(metrics, add_ends_at_the_limit);
    tcase_add_test(metrics, add_metrics_refuses_a_long_table);
    tcase_add_test(resets, reset_is_of_counters_alone);
    tcase_add_test(resets, reset_can_be_repeated);
    tcase_add_test(resets, reset_while_others_read);
    tcase_add_test(figures, figures_are_found_by_name);
    tcase_add_test(figures, aliases_are_lines);
    tcase_add_test(settings, settings_have_a_line_for_each_value);
    return suite_run(suite);
}
