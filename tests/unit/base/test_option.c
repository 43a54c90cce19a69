/* Facts about base/option: rows to values, by form, range and source. What people read of a row is
 * test_option_print.c. */
#include "sessiond/base/option.h"

#include "suite.h"

#include <string.h>

/* clang-format off */
#define DOOR_OPTIONS(X) \
    X(is_locked, FLAG, "no", NULL, NULL, OPTION_FIXED, "doc") \
    X(door_width, COUNT, "5", "1", "9", OPTION_FIXED, "doc") \
    X(room_size, SIZE, "64k", "1k", "1m", OPTION_NONE, "doc") \
    X(open_time, DURATION, "10s", "1s", "1h", OPTION_RELOADABLE | OPTION_AUTO, "doc") \
    X(colour, CHOICE, "green", "red green blue", NULL, OPTION_FIXED, "doc") \
    X(sign, TEXT, "welcome", NULL, NULL, OPTION_FIXED, "doc") \
    X(bell, TEXT, "none", NULL, NULL, OPTION_NONE, "doc") \
    X(guests, LIST, "anna", NULL, NULL, OPTION_FIXED, "doc") \
    X(free_number, COUNT, "0", NULL, NULL, OPTION_FIXED, "doc") \
    X(latch, MODE, "640", "0", "777", OPTION_FIXED, "doc")

enum { IS_LOCKED, DOOR_WIDTH, ROOM_SIZE, OPEN_TIME, COLOUR, SIGN, BELL, GUESTS, FREE_NUMBER, LATCH, N_ROWS };

struct door_options { DOOR_OPTIONS(OPTION_DECLARE) };

#define ROW(...) OPTION_ROW(door_options, __VA_ARGS__)
static const struct option_row rows[] = { DOOR_OPTIONS(ROW) };
/* clang-format on */

static const struct option_table table = {"door", rows, N_ROWS};

static struct door_options values;
static struct option_binding binding;
static struct sess_error error;

static void set_up(void)
{
    memset(&values, 0xee, sizeof values);
    ck_assert_int_eq(option_bind(&binding, &table, &values, &error), SESS_OK);
}

static enum sess_status assign(int row, const char *text, enum option_source source)
{
    return option_assign(&binding, &rows[row], text, source, &error);
}

static void assert_assigns(int row, const char *text, enum option_source source)
{
    ck_assert_msg(assign(row, text, source) == SESS_OK, "%s", error.text);
}

/* Permissions are octal digits, and nothing else. */
START_TEST(mode_is_octal)
{
    static const char *const wrong[] = {"", "8", "68", "0x1ff", "-1", "rw-", "6 6", "0000660"};

    assert_assigns(LATCH, "0", OPTION_FROM_FILE);
    ck_assert_uint_eq(values.latch, 0);
    assert_assigns(LATCH, "0777", OPTION_FROM_FILE);
    ck_assert_uint_eq(values.latch, 0777);
    for (size_t i = 0; i < SUITE_ROWS(wrong); i++) {
        ck_assert_int_eq(assign(LATCH, wrong[i], OPTION_FROM_FILE), SESS_INVALID);
    }
    ck_assert_int_eq(assign(LATCH, "1000", OPTION_FROM_FILE), SESS_OUT_OF_RANGE);
    ck_assert_uint_eq(values.latch, 0777);
}
END_TEST

/* A fresh binding over memory that held something else. */
START_TEST(bind_assigns_every_default)
{
    ck_assert(!values.is_locked);
    ck_assert_uint_eq(values.door_width, 5);
    ck_assert_uint_eq(values.room_size, 65536);
    ck_assert_uint_eq(values.open_time, 10000);
    ck_assert_uint_eq(values.colour, 1);
    ck_assert_str_eq(values.sign, "welcome");
    ck_assert_str_eq(values.bell, "");
    ck_assert_uint_eq(values.latch, 0640);
    ck_assert_uint_eq(values.guests.n_items, 1);
    ck_assert_str_eq(values.guests.items[0], "anna");
    ck_assert_uint_eq(values.free_number, 0);
    for (size_t i = 0; i < N_ROWS; i++) {
        ck_assert_int_eq(binding.source[i], OPTION_FROM_DEFAULT);
    }
}
END_TEST

static const struct {
    struct option_row row;
    enum sess_status status;
} wrong_rows[] = {
    {{"width", OPTION_COUNT, 0, "five", "1", "9", 0, "doc"}, SESS_INVALID},
    {{"width", OPTION_COUNT, 0, "0", "1", "9", 0, "doc"}, SESS_OUT_OF_RANGE},
    {{"width", OPTION_COUNT, 0, "10", "1", "9", 0, "doc"}, SESS_OUT_OF_RANGE},
    {{"width", OPTION_COUNT, 0, "auto", "1", "9", OPTION_NONE, "doc"}, SESS_INVALID},
    {{"width", OPTION_COUNT, 0, "none", "1", "9", OPTION_AUTO, "doc"}, SESS_INVALID},
    {{"width", OPTION_COUNT, 0, "5", "one", "9", 0, "doc"}, SESS_OUT_OF_RANGE},
    {{"width", OPTION_COUNT, 0, "5", "1", "nine", 0, "doc"}, SESS_OUT_OF_RANGE},
    {{"width", OPTION_FLAG, 0, "maybe", NULL, NULL, 0, "doc"}, SESS_INVALID},
    {{"width", OPTION_CHOICE, 0, "gold", "red green", NULL, 0, "doc"}, SESS_INVALID},
    {{"width", OPTION_TEXT, 0, "", NULL, NULL, 0, "doc"}, SESS_INVALID},
    {{"width", OPTION_LIST, 0, "", NULL, NULL, 0, "doc"}, SESS_INVALID},
    {{"width", (enum option_kind)99, 0, "5", NULL, NULL, 0, "doc"}, SESS_INVALID},
};

/* A row that its author got wrong. */
START_TEST(bind_refuses_a_wrong_row)
{
    struct option_table wrong = {"wrong", &wrong_rows[_i].row, 1};
    struct option_list place = {.n_items = 0};

    error.text[0] = '\0';
    ck_assert_int_eq(option_bind(&binding, &wrong, &place, &error), wrong_rows[_i].status);
    ck_assert_int_eq(error.status, wrong_rows[_i].status);
    ck_assert_int_eq(strncmp(error.text, "width: ", 7), 0);
}
END_TEST

/* Every row by both spellings of its name. */
START_TEST(find_takes_both_spellings)
{
    ck_assert_ptr_eq(option_find(&binding, "door_width"), &rows[DOOR_WIDTH]);
    ck_assert_ptr_eq(option_find(&binding, "door-width"), &rows[DOOR_WIDTH]);
    ck_assert_ptr_eq(option_find(&binding, "free-number"), &rows[FREE_NUMBER]);
}
END_TEST

/* Names that are nearly one. */
START_TEST(find_wants_the_whole_name)
{
    static const char *const names[] = {"door", "door-widths", "Door-Width", "door width", "", "x"};

    ck_assert_ptr_null(option_find(&binding, names[_i]));
}
END_TEST

struct assign_fact {
    int row;
    const char *text;
    enum sess_status status;
    uint64_t value;
};

static const struct assign_fact number_facts[] = {
    {IS_LOCKED, "yes", SESS_OK, 1},
    {IS_LOCKED, "no", SESS_OK, 0},
    {IS_LOCKED, "true", SESS_INVALID, 0},
    {IS_LOCKED, "Yes", SESS_INVALID, 0},
    {IS_LOCKED, "1", SESS_INVALID, 0},
    {IS_LOCKED, "", SESS_INVALID, 0},
    {DOOR_WIDTH, "1", SESS_OK, 1},
    {DOOR_WIDTH, "9", SESS_OK, 9},
    {DOOR_WIDTH, "0", SESS_OUT_OF_RANGE, 0},
    {DOOR_WIDTH, "10", SESS_OUT_OF_RANGE, 0},
    {DOOR_WIDTH, "18446744073709551616", SESS_OUT_OF_RANGE, 0},
    {DOOR_WIDTH, "-1", SESS_INVALID, 0},
    {DOOR_WIDTH, "2k", SESS_INVALID, 0},
    {DOOR_WIDTH, "none", SESS_INVALID, 0},
    {DOOR_WIDTH, "auto", SESS_INVALID, 0},
    {DOOR_WIDTH, "", SESS_INVALID, 0},
    {ROOM_SIZE, "1k", SESS_OK, 1024},
    {ROOM_SIZE, "1m", SESS_OK, 1048576},
    {ROOM_SIZE, "1023", SESS_OUT_OF_RANGE, 0},
    {ROOM_SIZE, "1048577", SESS_OUT_OF_RANGE, 0},
    {ROOM_SIZE, "none", SESS_OK, 0},
    {ROOM_SIZE, "None", SESS_INVALID, 0},
    {ROOM_SIZE, "auto", SESS_INVALID, 0},
    {ROOM_SIZE, "0", SESS_OUT_OF_RANGE, 0},
    {ROOM_SIZE, "2s", SESS_INVALID, 0},
    {OPEN_TIME, "1000ms", SESS_OK, 1000},
    {OPEN_TIME, "1h", SESS_OK, 3600000},
    {OPEN_TIME, "999ms", SESS_OUT_OF_RANGE, 0},
    {OPEN_TIME, "3601s", SESS_OUT_OF_RANGE, 0},
    {OPEN_TIME, "auto", SESS_OK, 0},
    {OPEN_TIME, "none", SESS_INVALID, 0},
    {OPEN_TIME, "2k", SESS_INVALID, 0},
    {COLOUR, "red", SESS_OK, 0},
    {COLOUR, "blue", SESS_OK, 2},
    {COLOUR, "gold", SESS_INVALID, 0},
    {COLOUR, "blu", SESS_INVALID, 0},
    {COLOUR, "blues", SESS_INVALID, 0},
    {COLOUR, "red green", SESS_INVALID, 0},
    {COLOUR, "1", SESS_INVALID, 0},
    {FREE_NUMBER, "18446744073709551615", SESS_OK, UINT64_MAX},
};

static uint64_t value_at(int row)
{
    const char *place = (const char *)&values + rows[row].offset;
    uint64_t number;

    if (rows[row].kind == OPTION_FLAG) {
        return *(const bool *)place;
    }
    memcpy(&number, place, sizeof number);
    return number;
}

/* One row of the table above, from the command line. */
START_TEST(assign_number_row)
{
    const struct assign_fact *fact = &number_facts[_i];
    uint64_t before = value_at(fact->row);

    ck_assert_msg(assign(fact->row, fact->text, OPTION_FROM_COMMAND_LINE) == fact->status,
                  "%s '%s'", rows[fact->row].field, fact->text);
    ck_assert_uint_eq(value_at(fact->row), fact->status == SESS_OK ? fact->value : before);
    ck_assert_int_eq(binding.source[fact->row],
                     fact->status == SESS_OK ? OPTION_FROM_COMMAND_LINE : OPTION_FROM_DEFAULT);
}
END_TEST

/* Texts: shorter than the one before, as long as there is room for, longer, and none at all. */
START_TEST(assign_text_keeps_it_whole_or_not_at_all)
{
    char text[OPTION_TEXT_SIZE + 1];

    assert_assigns(SIGN, "hi", OPTION_FROM_FILE);
    ck_assert_str_eq(values.sign, "hi");
    memset(text, 'x', sizeof text);
    text[OPTION_TEXT_SIZE - 1] = '\0';
    assert_assigns(SIGN, text, OPTION_FROM_FILE);
    ck_assert_str_eq(values.sign, text);
    text[OPTION_TEXT_SIZE - 1] = 'x';
    text[OPTION_TEXT_SIZE] = '\0';
    ck_assert_int_eq(assign(SIGN, text, OPTION_FROM_FILE), SESS_OUT_OF_RANGE);
    ck_assert_uint_eq(strlen(values.sign), OPTION_TEXT_SIZE - 1);
    ck_assert_int_eq(assign(SIGN, "", OPTION_FROM_FILE), SESS_INVALID);
    ck_assert_uint_eq(strlen(values.sign), OPTION_TEXT_SIZE - 1);
}
END_TEST

/* The word none, where it switches off and where it is a text like others. */
/* What is printed as a line of a config file must be read again as the same. */
START_TEST(assign_text_refuses_what_no_file_can_say)
{
    static const char *const texts[] = {"#",   "#hi", "a #b", "a\t#b", " a",   "a ",
                                        "\ta", "a\t", "a\nb", "a\rb",  "a\x7f"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_int_eq(assign(SIGN, texts[i], OPTION_FROM_COMMAND_LINE), SESS_INVALID);
        ck_assert_int_eq(assign(GUESTS, texts[i], OPTION_FROM_COMMAND_LINE), SESS_INVALID);
    }
    ck_assert_ptr_nonnull(strstr(error.text, "config file"));
    assert_assigns(SIGN, "a#b c\xc3\xa9", OPTION_FROM_FILE);
}
END_TEST

START_TEST(assign_text_none_needs_its_flag)
{
    assert_assigns(BELL, "ding", OPTION_FROM_FILE);
    ck_assert_str_eq(values.bell, "ding");
    assert_assigns(BELL, "none", OPTION_FROM_FILE);
    ck_assert_str_eq(values.bell, "");
    assert_assigns(SIGN, "none", OPTION_FROM_FILE);
    ck_assert_str_eq(values.sign, "none");
}
END_TEST

/* The file is read first, then the command line. */
START_TEST(command_line_outranks_the_file_behind_it)
{
    assert_assigns(DOOR_WIDTH, "2", OPTION_FROM_FILE);
    ck_assert_uint_eq(values.door_width, 2);
    assert_assigns(DOOR_WIDTH, "3", OPTION_FROM_COMMAND_LINE);
    ck_assert_uint_eq(values.door_width, 3);
}
END_TEST

/* The command line is read first, then the file; each kind. */
START_TEST(command_line_outranks_the_file_before_it)
{
    assert_assigns(DOOR_WIDTH, "3", OPTION_FROM_COMMAND_LINE);
    assert_assigns(DOOR_WIDTH, "2", OPTION_FROM_FILE);
    ck_assert_uint_eq(values.door_width, 3);
    assert_assigns(IS_LOCKED, "yes", OPTION_FROM_COMMAND_LINE);
    assert_assigns(IS_LOCKED, "no", OPTION_FROM_FILE);
    ck_assert(values.is_locked);
    assert_assigns(SIGN, "line", OPTION_FROM_COMMAND_LINE);
    assert_assigns(SIGN, "file", OPTION_FROM_FILE);
    ck_assert_str_eq(values.sign, "line");
    ck_assert_int_eq(binding.source[SIGN], OPTION_FROM_COMMAND_LINE);
}
END_TEST

/* One source gives one option twice. */
START_TEST(last_value_of_a_source_counts)
{
    assert_assigns(DOOR_WIDTH, "2", OPTION_FROM_FILE);
    assert_assigns(DOOR_WIDTH, "3", OPTION_FROM_FILE);
    ck_assert_uint_eq(values.door_width, 3);
}
END_TEST

/* A wrong value in the file, for options that the command line sets: each kind of place. */
START_TEST(outranked_value_is_checked_all_the_same)
{
    assert_assigns(DOOR_WIDTH, "3", OPTION_FROM_COMMAND_LINE);
    ck_assert_int_eq(assign(DOOR_WIDTH, "10", OPTION_FROM_FILE), SESS_OUT_OF_RANGE);
    ck_assert_int_eq(assign(DOOR_WIDTH, "x", OPTION_FROM_FILE), SESS_INVALID);
    ck_assert_uint_eq(values.door_width, 3);
    assert_assigns(IS_LOCKED, "yes", OPTION_FROM_COMMAND_LINE);
    ck_assert_int_eq(assign(IS_LOCKED, "x", OPTION_FROM_FILE), SESS_INVALID);
    assert_assigns(SIGN, "line", OPTION_FROM_COMMAND_LINE);
    ck_assert_int_eq(assign(SIGN, "", OPTION_FROM_FILE), SESS_INVALID);
    assert_assigns(GUESTS, "bea", OPTION_FROM_COMMAND_LINE);
    ck_assert_int_eq(assign(GUESTS, "", OPTION_FROM_FILE), SESS_INVALID);
    ck_assert_uint_eq(values.guests.n_items, 1);
    ck_assert_str_eq(values.guests.items[0], "bea");
}
END_TEST

/* The list's items are the words of `expected`. */
static void assert_guests(const char *expected)
{
    size_t n = 0;

    for (; *expected != '\0'; n++) {
        size_t length = strcspn(expected, " ");

        ck_assert_uint_lt(n, values.guests.n_items);
        ck_assert_uint_eq(strlen(values.guests.items[n]), length);
        ck_assert_mem_eq(values.guests.items[n], expected, length);
        expected += length + strspn(expected + length, " ");
    }
    ck_assert_uint_eq(values.guests.n_items, n);
}

/* Values of the file replace the default, those of the command line replace the file's. */
START_TEST(list_is_replaced_by_a_higher_source)
{
    assert_assigns(GUESTS, "bea", OPTION_FROM_FILE);
    assert_guests("bea");
    assert_assigns(GUESTS, "carl", OPTION_FROM_FILE);
    assert_guests("bea carl");
    assert_assigns(GUESTS, "dora", OPTION_FROM_COMMAND_LINE);
    assert_guests("dora");
    assert_assigns(GUESTS, "emil", OPTION_FROM_COMMAND_LINE);
    assert_guests("dora emil");
}
END_TEST

/* The command line is read first, then the file. */
START_TEST(list_is_left_alone_by_a_lower_source)
{
    assert_assigns(GUESTS, "dora", OPTION_FROM_COMMAND_LINE);
    assert_assigns(GUESTS, "bea", OPTION_FROM_FILE);
    assert_assigns(GUESTS, "emil", OPTION_FROM_COMMAND_LINE);
    assert_assigns(GUESTS, "carl", OPTION_FROM_FILE);
    assert_guests("dora emil");
}
END_TEST

/* A wrong first value from a higher source. */
START_TEST(list_survives_a_wrong_value)
{
    assert_assigns(GUESTS, "bea", OPTION_FROM_FILE);
    ck_assert_int_eq(assign(GUESTS, "", OPTION_FROM_COMMAND_LINE), SESS_INVALID);
    assert_guests("bea");
    ck_assert_int_eq(binding.source[GUESTS], OPTION_FROM_FILE);
}
END_TEST

/* As many values as there is place for, one more, and a higher source that begins anew. */
START_TEST(list_ends_at_the_limit)
{
    for (int i = 0; i < OPTION_LIST_MAX; i++) {
        assert_assigns(GUESTS, "g", OPTION_FROM_FILE);
    }
    ck_assert_int_eq(assign(GUESTS, "h", OPTION_FROM_FILE), SESS_LIMIT);
    ck_assert_str_eq(error.text, "guests: given more than 16 times");
    ck_assert_uint_eq(values.guests.n_items, OPTION_LIST_MAX);
    ck_assert_str_eq(values.guests.items[OPTION_LIST_MAX - 1], "g");
    assert_assigns(GUESTS, "h", OPTION_FROM_COMMAND_LINE);
    assert_guests("h");
}
END_TEST

static const struct {
    int row;
    const char *text;
    const char *error;
} error_texts[] = {
    {IS_LOCKED, "maybe", "is-locked: 'maybe' will not do: it takes yes or no"},
    {DOOR_WIDTH, "10", "door-width: '10' will not do: it takes a number, 1 to 9"},
    {DOOR_WIDTH, "x", "door-width: 'x' will not do: it takes a number, 1 to 9"},
    {ROOM_SIZE, "2g",
     "room-size: '2g' will not do: it takes a size such as 64k, 512m or 2g, 1k to 1m, or none"},
    {OPEN_TIME, "2x",
     "open-time: '2x' will not do: it takes a time such as 500ms, 10s or 14d, 1s to 1h, or auto"},
    {COLOUR, "gold", "colour: 'gold' will not do: it takes one of red green blue"},
    {SIGN, "", "sign: '' will not do: it takes a text"},
    {BELL, "", "bell: '' will not do: it takes a text, or none"},
    {GUESTS, "", "guests: '' will not do: it takes a text; may be given several times"},
    {FREE_NUMBER, "-1", "free-number: '-1' will not do: it takes a number"},
};

/* A value refused: the text names the option, the value and what is taken instead. */
START_TEST(error_names_the_option_and_what_it_takes)
{
    enum sess_status status =
        assign(error_texts[_i].row, error_texts[_i].text, OPTION_FROM_COMMAND_LINE);

    ck_assert_int_ne(status, SESS_OK);
    ck_assert_int_eq(error.status, status);
    ck_assert_str_eq(error.text, error_texts[_i].error);
}
END_TEST

/* A value of thousands of bytes: the text still says what is taken. */
START_TEST(error_cuts_the_value)
{
    char text[4000];

    memset(text, '7', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(assign(DOOR_WIDTH, text, OPTION_FROM_FILE), SESS_OUT_OF_RANGE);
    ck_assert_ptr_nonnull(strstr(error.text, "7' will not do: it takes a number, 1 to 9"));
}
END_TEST

static TCase *option_case(Suite *suite, const char *function)
{
    TCase *facts = suite_case(suite, function);

    tcase_add_checked_fixture(facts, set_up, NULL);
    return facts;
}

int main(void)
{
    Suite *suite = suite_create("base/option");
    TCase *bind = option_case(suite, "option_bind");
    TCase *find = option_case(suite, "option_find");
    TCase *form = option_case(suite, "option_assign: form and range");
    TCase *source = option_case(suite, "option_assign: sources");
    TCase *list = option_case(suite, "option_assign: lists");
    TCase *refusal = option_case(suite, "option_assign: errors");

    tcase_add_test(bind, bind_assigns_every_default);
    tcase_add_loop_test(bind, bind_refuses_a_wrong_row, 0, SUITE_ROWS(wrong_rows));
    tcase_add_test(find, find_takes_both_spellings);
    tcase_add_loop_test(find, find_wants_the_whole_name, 0, 6);
    tcase_add_loop_test(form, assign_number_row, 0, SUITE_ROWS(number_facts));
    tcase_add_test(form, assign_text_keeps_it_whole_or_not_at_all);
    tcase_add_test(form, assign_text_refuses_what_no_file_can_say);
    tcase_add_test(form, assign_text_none_needs_its_flag);
    tcase_add_test(source, command_line_outranks_the_file_behind_it);
    tcase_add_test(source, command_line_outranks_the_file_before_it);
    tcase_add_test(source, last_value_of_a_source_counts);
    tcase_add_test(source, outranked_value_is_checked_all_the_same);
    tcase_add_test(list, list_is_replaced_by_a_higher_source);
    tcase_add_test(list, list_is_left_alone_by_a_lower_source);
    tcase_add_test(list, list_survives_a_wrong_value);
    tcase_add_test(list, list_ends_at_the_limit);
    tcase_add_loop_test(refusal, error_names_the_option_and_what_it_takes, 0,
                        SUITE_ROWS(error_texts));
    tcase_add_test(refusal, error_cuts_the_value);
    tcase_add_test(refusal, mode_is_octal);
    return suite_run(suite);
}
