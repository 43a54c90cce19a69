/* Unit tests of giving memory back: when, and that it does go. */
#include "trim.h"

#include "suite_main.h"

#include <stdlib.h>
#include <string.h>

/* Only a fall since the last time counts. */
START_TEST(test_when)
{
    static const struct {
        size_t used;
        bool trims;
    } rows[] = {
        {0, false},
        {10 * (size_t)TRIM_FALL, false},
        {9 * (size_t)TRIM_FALL + 1, false},
        {9 * (size_t)TRIM_FALL, true},
        {9 * (size_t)TRIM_FALL, false},
        {8 * (size_t)TRIM_FALL + 1, false},
        {9 * (size_t)TRIM_FALL + 7, false},
        {8 * (size_t)TRIM_FALL + 7, true},
        {0, true},
        {0, false},
    };
    struct trim trim = {.peak = 0};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_msg(trim_after_burst(&trim, rows[i].used) == rows[i].trims, "row %zu", i);
    }
}
END_TEST

SUITE_MAIN("net/trim", test_when)
