/* Unit tests of when memory is given back. That it goes: tests/integration/test_held_back.py. */
#include "trim.h"

#include "suite_main.h"

/* Only a fall since the last time counts, however short the burst was. */
START_TEST(test_when)
{
    static const size_t fall = TRIM_FALL;
    static const struct {
        size_t used;
        bool trims;
    } rows[] = {
        {0, false},
        {10 * fall, false},
        {9 * fall + 1, false},
        {9 * fall, true},
        {9 * fall, false},
        {8 * fall + 1, false},
        {9 * fall + 7, false},
        {8 * fall + 7, true},
        {0, true},
        {0, false},
    };
    struct trim trim = {.used = 0};
    size_t before = 0;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        trim_note(&trim, before, rows[i].used);
        ck_assert_msg(trim_after_burst(&trim) == rows[i].trims, "row %zu", i);
        before = rows[i].used;
    }
    trim_note(&trim, 0, fall);
    trim_note(&trim, fall, 0);
    ck_assert(trim_after_burst(&trim));
}
END_TEST

SUITE_MAIN("net/trim", test_when)
