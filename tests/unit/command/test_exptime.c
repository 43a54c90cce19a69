/* Unit tests of exptimes, at every edge. */
#include "sessiond/command/exptime.h"

#include "suite_main.h"

static void assert_at(int64_t exptime, int64_t deadline_s)
{
    struct store_expiry expiry = exptime_to_expiry(exptime);

    ck_assert(!expiry.is_relative);
    ck_assert_int_eq(expiry.seconds, deadline_s);
}

static void assert_in(int64_t exptime, int64_t ttl_s)
{
    struct store_expiry expiry = exptime_to_expiry(exptime);

    ck_assert(expiry.is_relative);
    ck_assert_int_eq(expiry.seconds, ttl_s);
}

/* 0 means no end at all. */
START_TEST(test_zero_is_never)
{
    assert_at(0, STORE_NO_DEADLINE);
}
END_TEST

/* Every negative exptime is in the past, however far, and whatever the time is. */
START_TEST(test_negative_has_passed)
{
    assert_at(-1, 0);
    assert_at(-1700000000, 0);
    assert_at(INT64_MIN + 1, 0);
    assert_at(INT64_MIN, 0);
}
END_TEST

/* So is one that lost its sign in 32 bits, down to -2^28. */
START_TEST(test_negative_without_sign_has_passed)
{
    assert_at(4294967295, 0);
    assert_at(4294967295 - 499, 0);
    assert_at(4026531840, 0);
}
END_TEST

/* Up to thirty days count from the time that the key's shard has. */
START_TEST(test_relative)
{
    ck_assert_int_eq(EXPTIME_RELATIVE_MAX, 2592000);
    assert_in(1, 1);
    assert_in(2591999, 2591999);
    assert_in(2592000, 2592000);
}
END_TEST

/* One second more is a date, of 1970. */
START_TEST(test_smallest_date)
{
    assert_at(2592001, 2592001);
}
END_TEST

/* Dates to come, after 2038 and 2106 too, are taken as they are; the last of all is never. */
START_TEST(test_dates)
{
    static const int64_t dates[] = {
        1700000001, INT32_MAX,    (int64_t)INT32_MAX + 1, 4026531839,
        4294967296, 253402300799, INT64_MAX - 1,          INT64_MAX,
    };

    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        assert_at(dates[i], dates[i]);
    }
    ck_assert_int_eq(INT64_MAX, STORE_NO_DEADLINE);
}
END_TEST

SUITE_MAIN("command/exptime", test_zero_is_never, test_negative_has_passed,
           test_negative_without_sign_has_passed, test_relative, test_smallest_date, test_dates)
