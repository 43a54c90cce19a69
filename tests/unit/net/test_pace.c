/* Unit tests of the pace of expiry. */
#include "pace.h"

#include "suite_main.h"

/* Without a backlog no slice runs. With one it runs when nobody asks, and once in a while when somebody always does. */
START_TEST(test_due)
{
    static const struct {
        bool has_backlog, is_busy;
        int64_t since_us;
        bool is_due;
    } rows[] = {
        {false, false, 0, false},         {false, true, 1000000, false},
        {true, false, 0, true},           {true, false, 1000000, true},
        {true, true, 0, false},           {true, true, PACE_GIVE_US - 1, false},
        {true, true, PACE_GIVE_US, true}, {true, true, 1000000, true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pace pace = {.has_backlog = rows[i].has_backlog, .last_us = 7000};

        ck_assert_msg(pace_is_due(&pace, rows[i].is_busy, 7000 + rows[i].since_us) ==
                          rows[i].is_due,
                      "row %zu", i);
    }
}
END_TEST

/* A slice is ended by its time, and by its steps where the clock stands still. */
START_TEST(test_slice_ends)
{
    ck_assert(pace_goes_on(7000, 7000, 1));
    ck_assert(pace_goes_on(7000, 7000 + PACE_SLICE_US - 1, 2));
    ck_assert(!pace_goes_on(7000, 7000 + PACE_SLICE_US, 2));
    ck_assert(pace_goes_on(7000, 7000, PACE_LOOKS - 1));
    ck_assert(!pace_goes_on(7000, 7000, PACE_LOOKS));
}
END_TEST

SUITE_MAIN("net/pace", test_due, test_slice_ends)
