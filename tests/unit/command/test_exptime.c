/* Unit tests of exptimes, at every edge. */
#include "sessiond/command/exptime.h"

#include "sessiond/store/store.h"
#include "suite_main.h"

static const int64_t now_s = 1700000000;

/* 0 means no deadline at all. */
START_TEST(test_zero_is_never)
{
    ck_assert_int_eq(exptime_to_deadline(0, now_s), STORE_NO_DEADLINE);
    ck_assert_int_eq(exptime_to_deadline(0, 0), STORE_NO_DEADLINE);
}
END_TEST

/* Every negative exptime is in the past, however far. */
START_TEST(test_negative_has_passed)
{
    static const int64_t exptimes[] = {-1, -2, -now_s, INT64_MIN + 1, INT64_MIN};

    for (size_t i = 0; i < sizeof exptimes / sizeof exptimes[0]; i++) {
        ck_assert_int_le(exptime_to_deadline(exptimes[i], now_s), now_s);
        ck_assert_int_le(exptime_to_deadline(exptimes[i], 0), 0);
    }
}
END_TEST

/* Up to thirty days count from now. */
START_TEST(test_relative)
{
    ck_assert_int_eq(EXPTIME_RELATIVE_MAX, 2592000);
    ck_assert_int_eq(exptime_to_deadline(1, now_s), now_s + 1);
    ck_assert_int_eq(exptime_to_deadline(2591999, now_s), now_s + 2591999);
    ck_assert_int_eq(exptime_to_deadline(2592000, now_s), now_s + 2592000);
}
END_TEST

/* One second more is a date, and in the past. */
START_TEST(test_smallest_date)
{
    ck_assert_int_eq(exptime_to_deadline(2592001, now_s), 2592001);
}
END_TEST

/* Dates to come, after 2038 and 2106 too, are taken as they are; the last of all is never. */
START_TEST(test_dates)
{
    static const int64_t dates[] = {
        1700000001,
        INT32_MAX,
        (int64_t)INT32_MAX + 1,
        UINT32_MAX,
        (int64_t)UINT32_MAX + 1,
        253402300799,
        INT64_MAX - 1,
        INT64_MAX,
    };

    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        ck_assert_int_eq(exptime_to_deadline(dates[i], now_s), dates[i]);
    }
    ck_assert_int_eq(exptime_to_deadline(INT64_MAX, now_s), STORE_NO_DEADLINE);
}
END_TEST

SUITE_MAIN("command/exptime", test_zero_is_never, test_negative_has_passed, test_relative,
           test_smallest_date, test_dates)
