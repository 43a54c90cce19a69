/* Facts about protocol/words: what stands between blanks. */
#include "words.h"

#include "suite.h"

/* Blanks in front, none, and nothing but blanks. */
START_TEST(skip_blanks_stops_at_the_first_other_byte)
{
    ck_assert(slice_is(words_skip_blanks(SLICE_LITERAL("   a b")), "a b"));
    ck_assert(slice_is(words_skip_blanks(SLICE_LITERAL("a b ")), "a b "));
    ck_assert_uint_eq(words_skip_blanks(SLICE_LITERAL("   ")).size, 0);
    ck_assert_uint_eq(words_skip_blanks(slice_of(NULL, 0)).size, 0);
}
END_TEST

/* Bytes that are blanks elsewhere. */
START_TEST(skip_blanks_skips_0x20_alone)
{
    static const char *const texts[] = {"\ta", "\ra", "\na", "\va", "\xa0z"};

    ck_assert(slice_is(words_skip_blanks(slice_from_text(texts[_i])), texts[_i]));
}
END_TEST

/* A line with blanks everywhere. */
START_TEST(next_takes_word_after_word)
{
    struct slice rest = SLICE_LITERAL("  set  k\t1 0 ");

    ck_assert(slice_is(words_next(&rest), "set"));
    ck_assert(slice_is(rest, "  k\t1 0 "));
    ck_assert(slice_is(words_next(&rest), "k\t1"));
    ck_assert(slice_is(words_next(&rest), "0"));
    ck_assert(slice_is(rest, " "));
    ck_assert_uint_eq(words_next(&rest).size, 0);
    ck_assert_uint_eq(rest.size, 0);
    ck_assert_uint_eq(words_next(&rest).size, 0);
}
END_TEST

/* A line of nothing, with and without a place. */
START_TEST(next_of_nothing_is_empty)
{
    struct slice rest = slice_of(NULL, 0);

    ck_assert_uint_eq(words_next(&rest).size, 0);
    rest = SLICE_LITERAL("");
    ck_assert_uint_eq(words_next(&rest).size, 0);
}
END_TEST

/* One word without blanks: the rest is empty and still in the line. */
START_TEST(next_ends_at_the_end)
{
    struct slice line = SLICE_LITERAL("version");
    struct slice rest = line;

    ck_assert(slice_equal(words_next(&rest), line));
    ck_assert_uint_eq(rest.size, 0);
    ck_assert_ptr_eq(rest.data, line.data + line.size);
}
END_TEST

static const struct {
    const char *line;
    const char *word;
} last_words[] = {
    {"delete k noreply", "noreply"},
    {"noreply", "noreply"},
    {"k noreply  ", "noreply"},
    {" a", "a"},
    {"", ""},
    {"   ", ""},
    {"a\tb", "a\tb"},
};

/* Lines with and without blanks behind the last word, and lines without one. */
START_TEST(last_is_the_word_at_the_end)
{
    ck_assert(slice_is(words_last(slice_from_text(last_words[_i].line)), last_words[_i].word));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protocol/words");
    TCase *skip = suite_case(suite, "words_skip_blanks");
    TCase *next = suite_case(suite, "words_next");
    TCase *last = suite_case(suite, "words_last");

    tcase_add_test(skip, skip_blanks_stops_at_the_first_other_byte);
    tcase_add_loop_test(skip, skip_blanks_skips_0x20_alone, 0, 5);
    tcase_add_test(next, next_takes_word_after_word);
    tcase_add_test(next, next_of_nothing_is_empty);
    tcase_add_test(next, next_ends_at_the_end);
    tcase_add_loop_test(last, last_is_the_word_at_the_end, 0, SUITE_ROWS(last_words));
    return suite_run(suite);
}
