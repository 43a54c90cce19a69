/* Facts about base/budget: an account that says no before its limit. */
#include "sessiond/base/budget.h"

#include "suite.h"

#include <pthread.h>
#include <stdint.h>

static struct budget budget;

static void set_up(void)
{
    budget_init(&budget, 100);
}

/* A fresh account. */
START_TEST(begins_empty)
{
    ck_assert_uint_eq(budget_used(&budget), 0);
    ck_assert_uint_eq(budget.limit, 100);
}
END_TEST

/* A charge that fills the account to the byte, and one byte more. */
START_TEST(charge_goes_up_to_the_limit)
{
    ck_assert(budget_charge(&budget, 60));
    ck_assert(budget_charge(&budget, 40));
    ck_assert_uint_eq(budget_used(&budget), 100);
    ck_assert(!budget_charge(&budget, 1));
    ck_assert(budget_charge(&budget, 0));
}
END_TEST

/* A charge that does not fit any more, but a smaller one would. */
START_TEST(refused_charge_takes_nothing)
{
    ck_assert(budget_charge(&budget, 60));
    ck_assert(!budget_charge(&budget, 41));
    ck_assert_uint_eq(budget_used(&budget), 60);
    ck_assert(budget_charge(&budget, 40));
}
END_TEST

/* Charges larger than the limit, up to what would wrap the sum. */
START_TEST(charge_refuses_what_never_fits)
{
    ck_assert(!budget_charge(&budget, 101));
    ck_assert(budget_charge(&budget, 50));
    ck_assert(!budget_charge(&budget, SIZE_MAX));
    ck_assert(!budget_charge(&budget, SIZE_MAX - 49));
    ck_assert_uint_eq(budget_used(&budget), 50);
}
END_TEST

/* An account without anything in it. */
START_TEST(limit_zero_refuses_all)
{
    budget_init(&budget, 0);
    ck_assert(!budget_charge(&budget, 1));
    ck_assert(budget_charge(&budget, 0));
}
END_TEST

/* A part of the account is kept back: charges that must leave it alone end there, others go on. */
START_TEST(charge_within_leaves_the_rest)
{
    ck_assert(budget_charge_within(&budget, 90, 97));
    ck_assert(!budget_charge_within(&budget, 8, 97));
    ck_assert_uint_eq(budget_used(&budget), 90);
    ck_assert(budget_charge_within(&budget, 7, 97));
    ck_assert(!budget_charge_within(&budget, 1, 97));
    ck_assert(budget_charge_within(&budget, 3, SIZE_MAX));
    ck_assert(!budget_charge_within(&budget, 1, SIZE_MAX));
    ck_assert_uint_eq(budget_used(&budget), 100);
}
END_TEST

/* Limits of a charge below and above the account's own, and what would wrap the sum. */
START_TEST(charge_within_obeys_the_smaller_limit)
{
    ck_assert(!budget_charge_within(&budget, 1, 0));
    ck_assert(budget_charge_within(&budget, 0, 0));
    ck_assert(!budget_charge_within(&budget, 101, 1000));
    ck_assert(budget_charge_within(&budget, 50, 1000));
    ck_assert(!budget_charge_within(&budget, SIZE_MAX - 49, SIZE_MAX));
    /* More is in use than this charge may see. */
    ck_assert(!budget_charge_within(&budget, 1, 40));
    ck_assert(!budget_charge_within(&budget, 0, 40));
    ck_assert_uint_eq(budget_used(&budget), 50);
}
END_TEST

/* A charge that cannot be refused, over the limit. */
START_TEST(charge_always_goes_over)
{
    budget_charge_always(&budget, 150);
    ck_assert_uint_eq(budget_used(&budget), 150);
    ck_assert(!budget_charge(&budget, 1));
    ck_assert(!budget_charge(&budget, 0));
}
END_TEST

/* Bytes given back. */
START_TEST(release_makes_room)
{
    ck_assert(budget_charge(&budget, 100));
    budget_release(&budget, 30);
    ck_assert_uint_eq(budget_used(&budget), 70);
    ck_assert(budget_charge(&budget, 30));
    ck_assert(!budget_charge(&budget, 1));
}
END_TEST

static void *charge_and_release(void *unused)
{
    for (int i = 0; i < 20000; i++) {
        if (budget_charge(&budget, 60)) {
            ck_assert_uint_ge(budget_used(&budget), 60);
            budget_release(&budget, 60);
        }
    }
    return unused;
}

/* Two threads that want more together than there is. */
START_TEST(threads_leave_nothing_behind)
{
    pthread_t other;

    ck_assert_int_eq(pthread_create(&other, NULL, charge_and_release, NULL), 0);
    (void)charge_and_release(NULL);
    ck_assert_int_eq(pthread_join(other, NULL), 0);
    ck_assert_uint_eq(budget_used(&budget), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/budget");
    TCase *charge = suite_case(suite, "budget_charge");
    TCase *within = suite_case(suite, "budget_charge_within");
    TCase *always = suite_case(suite, "budget_charge_always");
    TCase *release = suite_case(suite, "budget_release");

    tcase_add_checked_fixture(charge, set_up, NULL);
    tcase_add_checked_fixture(within, set_up, NULL);
    tcase_add_checked_fixture(always, set_up, NULL);
    tcase_add_checked_fixture(release, set_up, NULL);
    tcase_add_test(charge, begins_empty);
    tcase_add_test(charge, charge_goes_up_to_the_limit);
    tcase_add_test(charge, refused_charge_takes_nothing);
    tcase_add_test(charge, charge_refuses_what_never_fits);
    tcase_add_test(charge, limit_zero_refuses_all);
    tcase_add_test(within, charge_within_leaves_the_rest);
    tcase_add_test(within, charge_within_obeys_the_smaller_limit);
    tcase_add_test(always, charge_always_goes_over);
    tcase_add_test(release, release_makes_room);
    tcase_add_test(release, threads_leave_nothing_behind);
    return suite_run(suite);
}
