/* Unit tests of the policy's texts: which cap a key has, and which keys are held. What comes of it in the store:
 * test_cap.c and test_hold.c. */
#include "sessiond/store/policy.h"
#include "sessiond/store/store.h"

#include "suite_main.h"

static struct policy_options options;
static struct policy policy;
static struct sess_error error;

static void set_caps(const char *const *texts)
{
    options.max_ttl.n_items = 0;
    for (size_t i = 0; texts[i] != NULL; i++) {
        (void)snprintf(options.max_ttl.items[options.max_ttl.n_items++], OPTION_TEXT_SIZE, "%s",
                       texts[i]);
    }
}

static int64_t cap_of(const char *key)
{
    return policy_cap_s(&policy, slice_from_text(key));
}

START_TEST(none_caps_nothing)
{
    struct option_binding binding;

    ck_assert_int_eq(option_bind(&binding, &policy_option_table, &options, &error), SESS_OK);
    ck_assert_int_eq(policy_init(&policy, &options, &error), SESS_OK);
    ck_assert_uint_eq(policy.n_caps, 0);
    ck_assert_int_eq(cap_of("key"), POLICY_NO_CAP);
    ck_assert_int_eq(policy_cap_s(NULL, slice_from_text("key")), POLICY_NO_CAP);
    ck_assert_int_eq(policy_hold_s(&policy, slice_from_text("key")), 0);
    ck_assert_int_eq(policy_hold_s(NULL, slice_from_text("key")), 0);
}
END_TEST

/* In whatever order they are given. */
START_TEST(the_longest_prefix_counts)
{
    const char *const orders[][6] = {
        {"14d", "a: 1h", "a:b: 2h", "a:b:c 1500ms", "a:x none", NULL},
        {"a:b:c 1500ms", "a:x none", "a:b: 2h", "a: 1h", "14d", NULL},
        {"a:b: 2h", "14d", "a:x none", "a:b:c 1500ms", "a: 1h", NULL},
    };

    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        set_caps(orders[i]);
        ck_assert_int_eq(policy_init(&policy, &options, &error), SESS_OK);
        ck_assert_int_eq(cap_of("key"), INT64_C(14) * 86400);
        ck_assert_int_eq(cap_of("a"), INT64_C(14) * 86400);
        ck_assert_int_eq(cap_of("a:"), 3600);
        ck_assert_int_eq(cap_of("a:c"), 3600);
        ck_assert_int_eq(cap_of("a:b:d"), 7200);
        ck_assert_int_eq(cap_of("a:b:cd"), 2);
        ck_assert_int_eq(cap_of("a:xy"), POLICY_NO_CAP);
    }
}
END_TEST

START_TEST(without_one_for_all_others_have_none)
{
    set_caps((const char *const[]){"a: 1h", NULL});
    ck_assert_int_eq(policy_init(&policy, &options, &error), SESS_OK);
    ck_assert_int_eq(cap_of("b"), POLICY_NO_CAP);
}
END_TEST

START_TEST(texts_of_another_form_are_refused)
{
    const char *const texts[] = {"soon",  "a: soon", "a: b 1h", "0s",
                                 "999ms", "a: 0s",   "a: -1s",  "a b none"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        set_caps((const char *const[]){texts[i], NULL});
        ck_assert_int_eq(policy_init(&policy, &options, &error), SESS_INVALID);
        ck_assert_ptr_nonnull(strstr(error.text, texts[i]));
    }
    set_caps((const char *const[]){"a: 1h", "a: 2h", NULL});
    ck_assert_int_eq(policy_init(&policy, &options, &error), SESS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "twice"));
}
END_TEST

START_TEST(keys_with_the_word_lock_are_not_held)
{
    const char *const locks[] = {"lock", "memc.sess.key.lock.0123", "0123.lock", "lock:0123",
                                 "a-lock-b"};
    const char *const others[] = {"key",
                                  "loc",
                                  "block",
                                  "locks",
                                  "a1lock",
                                  "lock1",
                                  "aLockb",
                                  "clock:lockA.xlock",
                                  ":1:django.contrib.sessions.cacheq0lockx"};

    set_caps((const char *const[]){NULL});
    ck_assert_int_eq(policy_init(&policy, &options, &error), SESS_OK);
    options.logout_hold = 1500;
    for (size_t i = 0; i < sizeof locks / sizeof locks[0]; i++) {
        ck_assert_int_eq(policy_hold_s(&policy, slice_from_text(locks[i])), 0);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ck_assert_int_eq(policy_hold_s(&policy, slice_from_text(others[i])), 2);
    }
    options.logout_hold = 0;
}
END_TEST

SUITE_MAIN("store/policy", none_caps_nothing, the_longest_prefix_counts,
           without_one_for_all_others_have_none, texts_of_another_form_are_refused,
           keys_with_the_word_lock_are_not_held)
