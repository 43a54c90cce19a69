/* Facts about base/option_print: rows as people read them. Parsing is test_option.c. */
#include "sessiond/base/option.h"

#include "suite.h"

#include <stdlib.h>
#include <string.h>

/* A sentence longer than a line of help. */
#define LONG_DOC                                                                                   \
    "How long the door stays open after somebody has come in, and before anybody else may come "   \
    "in behind; as short as the people outside are many."

/* clang-format off */
#define DOOR_OPTIONS(X) \
    X(is_locked, FLAG, "no", NULL, NULL, OPTION_FIXED, "Whether it is locked.") \
    X(door_width, COUNT, "5", "1", NULL, OPTION_FIXED, "How wide.") \
    X(room_size, SIZE, "64k", "1k", "1m", OPTION_NONE, "How large.") \
    X(open_time, DURATION, "90s", "1s", "1h", OPTION_AUTO, LONG_DOC) \
    X(colour, CHOICE, "green", "red  green blue", NULL, OPTION_FIXED, "Which colour.") \
    X(sign, TEXT, "welcome", NULL, NULL, OPTION_NONE, "What it says.") \
    X(guests, LIST, "anna", NULL, NULL, OPTION_FIXED, "Who may come.")

enum { IS_LOCKED, DOOR_WIDTH, ROOM_SIZE, OPEN_TIME, COLOUR, SIGN, GUESTS, N_ROWS };

struct door_options { DOOR_OPTIONS(OPTION_DECLARE) };

#define ROW(...) OPTION_ROW(door_options, __VA_ARGS__)
static const struct option_row rows[] = { DOOR_OPTIONS(ROW) };
/* clang-format on */

static const struct option_table table = {"door", rows, N_ROWS};

static struct door_options values;
static struct option_binding binding;
static struct sess_error error;

/* What is printed. */
static char *printed;
static size_t printed_size;

static void set_up(void)
{
    ck_assert_int_eq(option_bind(&binding, &table, &values, &error), SESS_OK);
}

static void tear_down(void)
{
    free(printed);
    printed = NULL;
}

static void assign(int row, const char *text)
{
    ck_assert_int_eq(option_assign(&binding, &rows[row], text, OPTION_FROM_FILE, &error), SESS_OK);
}

static void assert_formats(int row, size_t index, const char *expected)
{
    char text[OPTION_TEXT_SIZE];

    ck_assert(option_format(&binding, &rows[row], index, text, sizeof text));
    ck_assert_str_eq(text, expected);
}

/* A name with a '_', one without, and a place that is too small. */
START_TEST(name_is_as_people_type_it)
{
    char name[32];

    option_name(&rows[DOOR_WIDTH], name, sizeof name);
    ck_assert_str_eq(name, "door-width");
    option_name(&rows[COLOUR], name, sizeof name);
    ck_assert_str_eq(name, "colour");
    option_name(&rows[DOOR_WIDTH], name, 6);
    ck_assert_str_eq(name, "door-");
    option_name(&rows[DOOR_WIDTH], name, 1);
    ck_assert_str_eq(name, "");
}
END_TEST

static const char *const forms[N_ROWS][3] = {
    [IS_LOCKED] = {"yes", "no", "yes"},  [DOOR_WIDTH] = {"1", "18446744073709551615", "42"},
    [ROOM_SIZE] = {"2k", "1m", "none"},  [OPEN_TIME] = {"1500ms", "1h", "auto"},
    [COLOUR] = {"red", "green", "blue"}, [SIGN] = {"hi there", "none", "x"},
    [GUESTS] = {"bea", "carl", "dora"},
};

/* Values of each kind, as they were given. */
START_TEST(format_writes_what_assign_reads)
{
    for (size_t i = 0; i < 3; i++) {
        assign(_i, forms[_i][i]);
        assert_formats(_i, _i == GUESTS ? i : 0, forms[_i][i]);
    }
}
END_TEST

/* A value of each kind that is a number. */
START_TEST(number_is_in_the_smallest_unit)
{
    assign(ROOM_SIZE, "none");
    ck_assert_uint_eq(option_number(&binding, &rows[ROOM_SIZE]), 0);
    assign(ROOM_SIZE, "2k");
    ck_assert_uint_eq(option_number(&binding, &rows[ROOM_SIZE]), 2048);
    ck_assert_uint_eq(option_number(&binding, &rows[DOOR_WIDTH]), 5);
    ck_assert_uint_eq(option_number(&binding, &rows[OPEN_TIME]), 90000);
    ck_assert_uint_eq(option_number(&binding, &rows[COLOUR]), 1);
}
END_TEST

/* Items that are not there. */
START_TEST(format_ends_behind_the_last_item)
{
    char text[OPTION_TEXT_SIZE] = "untouched";

    assign(GUESTS, "bea");
    ck_assert(!option_format(&binding, &rows[GUESTS], 1, text, sizeof text));
    ck_assert(!option_format(&binding, &rows[DOOR_WIDTH], 1, text, sizeof text));
    ck_assert_str_eq(text, "untouched");
}
END_TEST

static const char *const ranges[N_ROWS] = {
    [IS_LOCKED] = "yes or no",
    [DOOR_WIDTH] = "a number, at least 1",
    [ROOM_SIZE] = "a size such as 64k, 512m or 2g, 1k to 1m, or none",
    [OPEN_TIME] = "a time such as 500ms, 10s or 14d, 1s to 1h, or auto",
    [COLOUR] = "one of red  green blue",
    [SIGN] = "a text, or none",
    [GUESTS] = "a text; may be given several times",
};

/* What each row takes. */
START_TEST(range_says_what_a_row_takes)
{
    char text[OPTION_TEXT_SIZE];

    option_range(&rows[_i], text, sizeof text);
    ck_assert_str_eq(text, ranges[_i]);
}
END_TEST

/* A row of no kind: a bug, but not one to crash on. */
START_TEST(range_of_no_kind_is_empty)
{
    struct option_row row = {"x", (enum option_kind)99, 0, "", NULL, NULL, 0, "doc"};
    char text[OPTION_TEXT_SIZE];

    option_range(&row, text, sizeof text);
    ck_assert_str_eq(text, "");
}
END_TEST

/* The whole table as help. */
START_TEST(help_has_a_paragraph_for_each_row)
{
    FILE *out = open_memstream(&printed, &printed_size);

    ck_assert_ptr_nonnull(out);
    option_print_help(out, &table);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_str_eq(printed,
                     "\ndoor:\n"
                     "  --is-locked VALUE   (default no)\n"
                     "      Whether it is locked.\n"
                     "      Takes yes or no.\n"
                     "  --door-width VALUE   (default 5)\n"
                     "      How wide.\n"
                     "      Takes a number, at least 1.\n"
                     "  --room-size VALUE   (default 64k)\n"
                     "      How large.\n"
                     "      Takes a size such as 64k, 512m or 2g, 1k to 1m, or none.\n"
                     "  --open-time VALUE   (default 90s)\n"
                     "      How long the door stays open after somebody has come in, and before\n"
                     "      anybody else may come in behind; as short as the people outside are\n"
                     "      many.\n"
                     "      Takes a time such as 500ms, 10s or 14d, 1s to 1h, or auto.\n"
                     "  --colour VALUE   (default green)\n"
                     "      Which colour.\n"
                     "      Takes one of red  green blue.\n"
                     "  --sign VALUE   (default welcome)\n"
                     "      What it says.\n"
                     "      Takes a text, or none.\n"
                     "  --guests VALUE   (default anna)\n"
                     "      Who may come.\n"
                     "      Takes a text; may be given several times.\n");
}
END_TEST

/* A word that no line has room for, such as an address. */
START_TEST(help_prints_a_word_longer_than_a_line)
{
    static const char word[] = "0123456789012345678901234567890123456789"
                               "0123456789012345678901234567890123456789";
    struct option_row row = {"x", OPTION_COUNT, 0, "0", NULL, NULL, 0, word};
    struct option_table long_words = {"words", &row, 1};

    char place[1000] = "";
    FILE *out = fmemopen(place, sizeof place, "w");

    ck_assert_ptr_nonnull(out);
    option_print_help(out, &long_words);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_ptr_nonnull(strstr(place, "0123456789"));
    ck_assert_ptr_nonnull(strstr(place, "Takes a number."));
}
END_TEST

/* The whole table as a config file, with values from elsewhere. */
START_TEST(config_has_comments_and_present_values)
{
    FILE *out = open_memstream(&printed, &printed_size);

    ck_assert_ptr_nonnull(out);
    assign(ROOM_SIZE, "none");
    assign(GUESTS, "bea");
    assign(GUESTS, "carl");
    option_print_config(out, &binding);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_str_eq(printed,
                     "\n# ---- door ----\n"
                     "\n# Whether it is locked.\n"
                     "# Takes yes or no.\n"
                     "is-locked = no\n"
                     "\n# How wide.\n"
                     "# Takes a number, at least 1.\n"
                     "door-width = 5\n"
                     "\n# How large.\n"
                     "# Takes a size such as 64k, 512m or 2g, 1k to 1m, or none.\n"
                     "room-size = none\n"
                     "\n# How long the door stays open after somebody has come in, and before\n"
                     "# anybody else may come in behind; as short as the people outside are many.\n"
                     "# Takes a time such as 500ms, 10s or 14d, 1s to 1h, or auto.\n"
                     "open-time = 90s\n"
                     "\n# Which colour.\n"
                     "# Takes one of red  green blue.\n"
                     "colour = green\n"
                     "\n# What it says.\n"
                     "# Takes a text, or none.\n"
                     "sign = welcome\n"
                     "\n# Who may come.\n"
                     "# Takes a text; may be given several times.\n"
                     "guests = bea\n"
                     "guests = carl\n");
}
END_TEST

static TCase *print_case(Suite *suite, const char *function)
{
    TCase *facts = suite_case(suite, function);

    tcase_add_checked_fixture(facts, set_up, tear_down);
    return facts;
}

int main(void)
{
    Suite *suite = suite_create("base/option_print");
    TCase *name = print_case(suite, "option_name");
    TCase *format = print_case(suite, "option_format");
    TCase *range = print_case(suite, "option_range");
    TCase *help = print_case(suite, "option_print_help");
    TCase *config = print_case(suite, "option_print_config");

    tcase_add_test(name, name_is_as_people_type_it);
    tcase_add_loop_test(format, format_writes_what_assign_reads, 0, N_ROWS);
    tcase_add_test(print_case(suite, "option_number"), number_is_in_the_smallest_unit);
    tcase_add_test(format, format_ends_behind_the_last_item);
    tcase_add_loop_test(range, range_says_what_a_row_takes, 0, N_ROWS);
    tcase_add_test(range, range_of_no_kind_is_empty);
    tcase_add_test(help, help_has_a_paragraph_for_each_row);
    tcase_add_test(help, help_prints_a_word_longer_than_a_line);
    tcase_add_test(config, config_has_comments_and_present_values);
    return suite_run(suite);
}
