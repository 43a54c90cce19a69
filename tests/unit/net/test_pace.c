/* Unit tests of the pace of expiry. */
#include "pace.h"

#include "suite_main.h"

/* Without a backlog no slice runs. With one it runs when nobody asks, and once in a while when somebody always does: more
 * often when it is old. */
START_TEST(test_due)
{
    enum { YOUNG = PACE_LATE_US - 1, OLD = PACE_LATE_US };
    static const struct {
        bool has_backlog, is_busy;
        int64_t age_us, since_us;
        bool is_due;
    } rows[] = {
        {false, false, OLD, 0, false},
        {false, true, OLD, OLD, false},
        {true, false, 0, 0, true},
        {true, false, OLD, 0, true},
        {true, true, YOUNG, 0, false},
        {true, true, YOUNG, PACE_GIVE_US - 1, false},
        {true, true, YOUNG, PACE_GIVE_US, true},
        {true, true, OLD, PACE_LATE_GIVE_US - 1, false},
        {true, true, OLD, PACE_LATE_GIVE_US, true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t now_us = 7000000;
        struct pace pace = {.has_backlog = rows[i].has_backlog,
                            .since_us = now_us - rows[i].age_us,
                            .last_us = now_us - rows[i].since_us};

        ck_assert_msg(pace_is_due(&pace, rows[i].is_busy, now_us) == rows[i].is_due, "row %zu", i);
    }
}
END_TEST

/* A backlog is as old as the first slice that left something; the next one begins anew. */
START_TEST(test_age)
{
    static const struct {
        int64_t now_us;
        bool has_more;
        int64_t since_us;
    } rows[] = {{10, true, 10}, {20, true, 10}, {30, false, 10}, {40, true, 40}, {50, true, 40}};
    struct pace pace = {.has_backlog = false};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pace_note(&pace, rows[i].has_more, rows[i].now_us);
        ck_assert_int_eq(pace.has_backlog, rows[i].has_more);
        ck_assert_int_eq(pace.since_us, rows[i].since_us);
        ck_assert_int_eq(pace.last_us, rows[i].now_us);
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

SUITE_MAIN("net/pace", test_due, test_age, test_slice_ends)
