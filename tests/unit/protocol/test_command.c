/* Facts about protocol/command: the table of command words. */
#include "sessiond/protocol/command.h"

#include "suite.h"

/* Every row, by its id and by its word. */
START_TEST(rows_stand_at_their_id)
{
    const struct command *row = command_get_row((enum command_id)_i);

    ck_assert_int_eq(row->id, _i);
    ck_assert_ptr_eq(command_find(slice_from_text(row->word)), row);
}
END_TEST

/* Every row: what help and docs need. */
START_TEST(rows_have_their_texts)
{
    const struct command *row = command_get_row((enum command_id)_i);

    ck_assert(slice_starts_with(slice_from_text(row->syntax), slice_from_text(row->word)));
    ck_assert_uint_gt(strlen(row->doc), 0);
    ck_assert_uint_eq(strspn(row->arguments, "kfebcdKZ0watvnxmg~"), strlen(row->arguments));
}
END_TEST

/* Words that are nearly a command. */
START_TEST(find_wants_the_whole_word)
{
    static const char *const words[] = {"", "ge", "gett", "GET", "Get", " get", "get ", "getss"};

    ck_assert_ptr_null(command_find(slice_from_text(words[_i])));
}
END_TEST

/* A word that goes on behind the slice. */
START_TEST(find_reads_no_further_than_the_slice)
{
    ck_assert_ptr_eq(command_find(slice_of("gets", 3)), command_get_row(COMMAND_GET));
    ck_assert_ptr_eq(command_find(slice_of("gets", 4)), command_get_row(COMMAND_GETS));
    ck_assert_ptr_null(command_find(slice_of("get", 4)));
    ck_assert_ptr_null(command_find(slice_of(NULL, 0)));
}
END_TEST

static const struct {
    enum command_id id;
    enum command_mode mode;
    bool takes_data;
    bool takes_keys;
    bool needs_key;
    bool takes_noreply;
} variants[] = {
    {COMMAND_GET, MODE_PLAIN, false, true, true, false},
    {COMMAND_GETS, MODE_WITH_CAS, false, true, true, false},
    {COMMAND_GAT, MODE_TOUCH, false, true, false, false},
    {COMMAND_GATS, MODE_TOUCH_WITH_CAS, false, true, false, false},
    {COMMAND_SET, MODE_SET, true, false, false, true},
    {COMMAND_ADD, MODE_ADD, true, false, false, true},
    {COMMAND_REPLACE, MODE_REPLACE, true, false, false, true},
    {COMMAND_APPEND, MODE_APPEND, true, false, false, true},
    {COMMAND_PREPEND, MODE_PREPEND, true, false, false, true},
    {COMMAND_CAS, MODE_CAS, true, false, false, true},
    {COMMAND_INCR, MODE_INCREMENT, false, false, false, true},
    {COMMAND_DECR, MODE_DECREMENT, false, false, false, true},
    {COMMAND_DELETE, MODE_PLAIN, false, false, false, true},
    {COMMAND_TOUCH, MODE_PLAIN, false, false, false, true},
    {COMMAND_FLUSH_ALL, MODE_PLAIN, false, false, false, true},
    {COMMAND_STATS, MODE_PLAIN, false, false, false, false},
    {COMMAND_QUIT, MODE_PLAIN, false, false, false, false},
};

/* The commands' kinds. */
START_TEST(variants_differ_by_mode)
{
    const struct command *row = command_get_row(variants[_i].id);

    ck_assert_int_eq(row->mode, variants[_i].mode);
    ck_assert_int_eq(command_takes_data(row), variants[_i].takes_data);
    ck_assert_int_eq(command_takes_keys(row), variants[_i].takes_keys);
    ck_assert_int_eq(command_needs_key(row), variants[_i].needs_key);
    ck_assert_int_eq(command_takes_noreply(row), variants[_i].takes_noreply);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protocol/command");
    TCase *rows = suite_case(suite, "command_get_row");
    TCase *find = suite_case(suite, "command_find");

    tcase_add_loop_test(rows, rows_stand_at_their_id, 0, COMMAND_COUNT);
    tcase_add_loop_test(rows, rows_have_their_texts, 0, COMMAND_COUNT);
    tcase_add_loop_test(rows, variants_differ_by_mode, 0, SUITE_ROWS(variants));
    tcase_add_loop_test(find, find_wants_the_whole_word, 0, 8);
    tcase_add_test(find, find_reads_no_further_than_the_slice);
    return suite_run(suite);
}
