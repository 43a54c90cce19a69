/* Facts about base/slice: runs of bytes, compared and cut. */
#include "sessiond/base/slice.h"

#include "suite.h"

static const struct slice nothing = {NULL, 0};

/* A literal with a NUL inside. */
START_TEST(literal_has_every_byte_but_the_terminator)
{
    struct slice slice = SLICE_LITERAL("a\0b");

    ck_assert_uint_eq(slice.size, 3);
    ck_assert_mem_eq(slice.data, "a\0b", 3);
    ck_assert_uint_eq(SLICE_LITERAL("").size, 0);
}
END_TEST

/* A terminated text. */
START_TEST(from_text_ends_at_the_terminator)
{
    ck_assert_uint_eq(slice_from_text("a\0b").size, 1);
    ck_assert_uint_eq(slice_from_text("").size, 0);
}
END_TEST

/* The same bytes at two places. */
START_TEST(equal_compares_bytes)
{
    char copy[] = "session";

    ck_assert(slice_equal(SLICE_LITERAL("session"), slice_of(copy, 7)));
    ck_assert(!slice_equal(SLICE_LITERAL("session"), SLICE_LITERAL("sessiom")));
    ck_assert(!slice_equal(SLICE_LITERAL("a\0b"), SLICE_LITERAL("a\0c")));
}
END_TEST

/* One slice is the beginning of the other. */
START_TEST(equal_compares_sizes)
{
    ck_assert(!slice_equal(SLICE_LITERAL("session"), SLICE_LITERAL("sessions")));
    ck_assert(!slice_equal(SLICE_LITERAL("sessions"), SLICE_LITERAL("session")));
    ck_assert(!slice_equal(nothing, SLICE_LITERAL("s")));
}
END_TEST

/* Empty slices, with and without a place. */
START_TEST(empty_slices_are_equal)
{
    ck_assert(slice_equal(nothing, nothing));
    ck_assert(slice_equal(nothing, SLICE_LITERAL("")));
}
END_TEST

/* A slice and a text. */
START_TEST(is_compares_with_a_text)
{
    ck_assert(slice_is(SLICE_LITERAL("get"), "get"));
    ck_assert(!slice_is(SLICE_LITERAL("get"), "gets"));
    ck_assert(!slice_is(SLICE_LITERAL("gets"), "get"));
    ck_assert(slice_is(nothing, ""));
}
END_TEST

/* Cuts in the middle, at the start and at the end. */
START_TEST(from_and_first_cut)
{
    struct slice slice = SLICE_LITERAL("session");

    ck_assert(slice_is(slice_from(slice, 3), "sion"));
    ck_assert(slice_is(slice_from(slice, 0), "session"));
    ck_assert(slice_is(slice_from(slice, 7), ""));
    ck_assert(slice_is(slice_first(slice, 3), "ses"));
    ck_assert(slice_is(slice_first(slice, 0), ""));
    ck_assert(slice_is(slice_first(slice, 7), "session"));
}
END_TEST

/* Ends that fit, that are the whole, that are empty, and that are longer. */
START_TEST(ends_with_looks_at_the_end)
{
    struct slice slice = SLICE_LITERAL("session");

    ck_assert(slice_ends_with(slice, SLICE_LITERAL("ion")));
    ck_assert(slice_ends_with(slice, slice));
    ck_assert(slice_ends_with(slice, nothing));
    ck_assert(!slice_ends_with(slice, SLICE_LITERAL("ses")));
    ck_assert(!slice_ends_with(slice, SLICE_LITERAL("a session")));
}
END_TEST

/* Starts that fit, that are the whole, that are empty, and that are longer. */
START_TEST(starts_with_looks_at_the_start)
{
    struct slice slice = SLICE_LITERAL("session");

    ck_assert(slice_starts_with(slice, SLICE_LITERAL("ses")));
    ck_assert(slice_starts_with(slice, slice));
    ck_assert(slice_starts_with(slice, nothing));
    ck_assert(!slice_starts_with(slice, SLICE_LITERAL("ion")));
    ck_assert(!slice_starts_with(slice, SLICE_LITERAL("sessions")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/slice");
    TCase *of = suite_case(suite, "slice_of");
    TCase *equal = suite_case(suite, "slice_equal");
    TCase *cut = suite_case(suite, "slice_from");
    TCase *ends = suite_case(suite, "slice_ends_with");
    TCase *starts = suite_case(suite, "slice_starts_with");

    tcase_add_test(of, literal_has_every_byte_but_the_terminator);
    tcase_add_test(of, from_text_ends_at_the_terminator);
    tcase_add_test(equal, equal_compares_bytes);
    tcase_add_test(equal, equal_compares_sizes);
    tcase_add_test(equal, empty_slices_are_equal);
    tcase_add_test(equal, is_compares_with_a_text);
    tcase_add_test(cut, from_and_first_cut);
    tcase_add_test(ends, ends_with_looks_at_the_end);
    tcase_add_test(starts, starts_with_looks_at_the_start);
    return suite_run(suite);
}
