/* Unit tests of the census: sizes against their bounds, ages against ids that tell their time. */
#include "census.h"

#include "suite_main.h"

enum { START_S = 1700000000, DAY_S = 86400 };

static struct census census;

/* The only class that counts an entry; all entries are of one size. */
static size_t class_of(size_t size_bytes)
{
    size_t found = CENSUS_SIZES;

    census_add(&census, size_bytes);
    for (size_t size = 0; size < CENSUS_SIZES; size++) {
        if (census.sizes[size] != 0) {
            HOT_ASSERT(census.sizes[size] == 1);
            HOT_ASSERT(found == CENSUS_SIZES);
            found = size;
        }
    }
    census_remove(&census, size_bytes);
    HOT_ASSERT(census.sizes[found] == 0);
    return found;
}

/* Bounds are 16 B to 128 MiB, four in each octave. */
START_TEST(test_bounds)
{
    ck_assert_uint_eq(census_size_bytes(0), 16);
    ck_assert_uint_eq(census_size_bytes(1), 20);
    ck_assert_uint_eq(census_size_bytes(4), 32);
    ck_assert_uint_eq(census_size_bytes(CENSUS_SIZES - 1), 128 << 20);
    for (size_t size = 4; size < CENSUS_SIZES; size++) {
        ck_assert_uint_eq(census_size_bytes(size), 2 * census_size_bytes(size - 4));
        ck_assert_uint_gt(census_size_bytes(size), census_size_bytes(size - 1));
    }
}
END_TEST

/* A size is in the class of the smallest bound that is not below it. */
START_TEST(test_sizes)
{
    census_init(&census, START_S, 1);
    ck_assert_uint_eq(class_of(0), 0);
    ck_assert_uint_eq(class_of(1), 0);
    for (size_t size = 0; size + 1 < CENSUS_SIZES; size++) {
        ck_assert_uint_eq(class_of(census_size_bytes(size)), size);
        ck_assert_uint_eq(class_of(census_size_bytes(size) + 1), size + 1);
    }
    ck_assert_uint_eq(class_of(census_size_bytes(CENSUS_SIZES - 1)), CENSUS_SIZES - 1);
    ck_assert_uint_eq(class_of((size_t)1 << 40), CENSUS_SIZES - 1);
}
END_TEST

/* Many entries of two sizes. */
START_TEST(test_counts)
{
    census_init(&census, START_S, 1);
    for (size_t i = 0; i < 1000; i++) {
        census_add(&census, 100);
        census_add(&census, 1000);
    }
    for (size_t i = 0; i < 400; i++) {
        census_remove(&census, 100);
    }
    ck_assert_uint_eq(census.sizes[11], 600);
    ck_assert_uint_eq(census_size_bytes(11), 112);
    ck_assert_uint_eq(census.sizes[24], 1000);
    ck_assert_uint_eq(census_size_bytes(24), 1024);
}
END_TEST

/* The id that is next at a time. */
static uint64_t id_at(int64_t time_s)
{
    return 5000 + 3 * (uint64_t)(time_s - START_S);
}

/* Before an age has passed every entry is younger. */
START_TEST(test_young_shard)
{
    census_init(&census, START_S, id_at(START_S));
    for (int64_t now_s = START_S; now_s < START_S + 50; now_s++) {
        census_time(&census, now_s, id_at(now_s));
        for (size_t age = 0; age < CENSUS_AGES; age++) {
            HOT_ASSERT(census_first_cas(&census, age) == id_at(START_S));
        }
    }
}
END_TEST

/* Told of each second for 32 days, it knows every age to an eighth. */
START_TEST(test_ages)
{
    census_init(&census, START_S, id_at(START_S));
    for (int64_t now_s = START_S; now_s < START_S + 34 * DAY_S; now_s++) {
        census_time(&census, now_s, id_at(now_s));
        for (size_t age = 0; age < CENSUS_AGES; age++) {
            uint64_t first = census_first_cas(&census, age);

            if (now_s - START_S > census_age_s(age) * 9 / 8) {
                HOT_ASSERT(first >= id_at(now_s - census_age_s(age) * 9 / 8));
                HOT_ASSERT(first <= id_at(now_s - census_age_s(age) * 7 / 8));
            }
        }
    }
}
END_TEST

/* After a pause longer than an age nothing from before it is that young. */
START_TEST(test_pause)
{
    int64_t now_s = START_S + 3000;

    census_init(&census, START_S, 10);
    census_time(&census, now_s, 20);
    ck_assert_int_eq(census_age_s(1), 600);
    ck_assert_uint_eq(census_first_cas(&census, 0), 20);
    ck_assert_uint_eq(census_first_cas(&census, 1), 20);
    ck_assert_int_eq(census_age_s(3), 6 * 3600);
    ck_assert_uint_eq(census_first_cas(&census, 3), 10);
    census_time(&census, now_s + 400 * DAY_S, 30);
    for (size_t age = 0; age < CENSUS_AGES; age++) {
        ck_assert_uint_eq(census_first_cas(&census, age), 30);
    }
}
END_TEST

SUITE_MAIN("store/census", test_bounds, test_sizes, test_counts, test_young_shard, test_ages,
           test_pause)
