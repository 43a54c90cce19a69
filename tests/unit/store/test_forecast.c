/* Unit tests of the forecast: growth that is known, and when it fills what is left. */
#include "forecast.h"

#include "suite_main.h"

enum { START_S = 1700000000, LIMIT = 1000000 };

static struct forecast forecast;

static void open_with(size_t used_bytes)
{
    ck_assert_int_eq(forecast_init(&forecast, START_S, used_bytes), SESS_OK);
}

/* Note every second what a growth of `per_s` makes of the bytes; returns them. */
static size_t grow(int64_t from_s, int64_t to_s, size_t used, size_t per_s)
{
    for (int64_t now_s = from_s; now_s < to_s; now_s++) {
        used += per_s;
        forecast_note(&forecast, now_s + 1, used);
    }
    return used;
}

/* Too early to say, and then as long as the rest lasts at 100 bytes a second. */
START_TEST(test_steady_growth)
{
    size_t used;

    open_with(0);
    ck_assert_int_eq(forecast_full_s(&forecast, START_S, 0, LIMIT), FORECAST_NEVER);
    used = grow(START_S, START_S + 9, 0, 100);
    ck_assert_int_eq(forecast_full_s(&forecast, START_S + 9, used, LIMIT), FORECAST_NEVER);
    used = grow(START_S + 9, START_S + 1000, used, 100);
    ck_assert_uint_eq(used, 100000);
    ck_assert_int_eq(forecast_full_s(&forecast, START_S + 1000, used, LIMIT), 9000);
    ck_assert_int_eq(forecast_full_s(&forecast, START_S + 1000, LIMIT, LIMIT), 0);
    ck_assert_int_eq(forecast_full_s(&forecast, START_S + 1000, LIMIT + 1, LIMIT), 0);
    forecast_fini(&forecast);
}
END_TEST

/* What does not grow is never full; nor is what grows by a byte in ten minutes. */
START_TEST(test_no_growth)
{
    size_t used;

    open_with(5000);
    (void)grow(START_S, START_S + 700, 5000, 0);
    ck_assert_int_eq(forecast_full_s(&forecast, START_S + 700, 5000, LIMIT), FORECAST_NEVER);
    ck_assert_int_eq(forecast_full_s(&forecast, START_S + 700, 4000, LIMIT), FORECAST_NEVER);
    used = (size_t)1 << 40;
    ck_assert_int_eq(forecast_full_s(&forecast, START_S + 700, 5001, used), FORECAST_NEVER);
    forecast_fini(&forecast);
}
END_TEST

/* Only the last ten minutes count: what grew before them is past. */
START_TEST(test_window)
{
    size_t used;

    open_with(0);
    used = grow(START_S, START_S + 1000, 0, 500);
    (void)grow(START_S + 1000, START_S + 1300, used, 0);
    /* 300 of the 600 seconds grew: 250 bytes a second. */
    ck_assert_int_eq(forecast_full_s(&forecast, START_S + 1300, used, LIMIT), 2000);
    (void)grow(START_S + 1300, START_S + 1700, used, 0);
    ck_assert_int_eq(forecast_full_s(&forecast, START_S + 1700, used, LIMIT), FORECAST_NEVER);
    forecast_fini(&forecast);
}
END_TEST

/* One sample in ten seconds is enough: what is told between them is not kept. */
START_TEST(test_samples_are_few)
{
    open_with(0);
    for (int64_t i = 1; i < 10; i++) {
        forecast_note(&forecast, START_S + i, 999999);
    }
    ck_assert_uint_eq(forecast.n_samples, 1);
    forecast_note(&forecast, START_S + 10, 1000);
    forecast_note(&forecast, START_S + 10, 2000);
    ck_assert_uint_eq(forecast.n_samples, 2);
    ck_assert_int_eq(forecast_full_s(&forecast, START_S + 20, 2000, LIMIT), 9980);
    forecast_fini(&forecast);
}
END_TEST

/* After a night's sleep the last sample is the one to judge by. */
START_TEST(test_pause)
{
    size_t used;

    open_with(0);
    used = grow(START_S, START_S + 5000, 0, 10);
    ck_assert_int_eq(forecast_full_s(&forecast, START_S + 5000 + 50000, used + 50000, LIMIT),
                     900000);
    forecast_fini(&forecast);
}
END_TEST

SUITE_MAIN("store/forecast", test_steady_growth, test_no_growth, test_window, test_samples_are_few,
           test_pause)
