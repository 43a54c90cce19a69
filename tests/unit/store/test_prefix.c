/* Unit tests of prefixes: what is learnt from which keys. */
#include "prefix.h"

#include "suite_main.h"
#include "test_random.h"

#include <stdio.h>

static struct prefixes prefixes;
static struct test_random state;

static void begin(void)
{
    prefixes = (struct prefixes){.n_prefixes = 0};
    prefixes_init(&prefixes);
    state.state = 1;
}

/* A key with random letters behind its head, in one of two places. */
static struct slice key_of(const char *head, unsigned place)
{
    static char texts[2][128];
    int size = snprintf(texts[place], sizeof texts[place], "%s%016jx%016jx", head,
                        (uintmax_t)test_random_next(&state), (uintmax_t)test_random_next(&state));

    return slice_of(texts[place], (size_t)size);
}

static void learn(const char *head, const char *other)
{
    struct slice first = key_of(head, 0);

    prefixes_learn(&prefixes, first, key_of(other, 1));
}

static void learn_often(const char *head, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        learn(head, head);
    }
}

static struct slice found(const char *head)
{
    const struct prefix *prefix = prefixes_find(&prefixes, key_of(head, 0));

    return prefix == NULL ? slice_of(NULL, 0) : slice_of(prefix->bytes, prefix->size);
}

/* What the keys share, to the byte, and not before enough of them have voted. */
START_TEST(test_learns_what_keys_share)
{
    static const char head[] = ":1:django.contrib.sessions.cache";

    begin();
    learn_often(head, PREFIX_VOTES - 1);
    ck_assert_uint_eq(prefixes.n_prefixes, 0);
    learn_often(head, 1);
    ck_assert_uint_eq(prefixes.n_prefixes, 1);
    ck_assert(slice_equal(found(head), SLICE_LITERAL(":1:django.contrib.sessions.cache")));
    ck_assert_uint_eq(found("other").size, 0);
    ck_assert_ptr_null(prefixes_find(&prefixes, slice_of(head, sizeof head - 2)));
    ck_assert_ptr_nonnull(prefixes_find(&prefixes, slice_of(head, sizeof head - 1)));
    prefixes_fini(&prefixes);
}
END_TEST

static void check_no_candidate(void)
{
    static const struct prefix_candidate none;

    for (size_t i = 0; i < PREFIX_CANDIDATES; i++) {
        ck_assert_int_eq(memcmp(&prefixes.candidates[i], &none, sizeof none), 0);
    }
}

/* Nothing of a key is kept that the others do not share: it may be of a session that ends. */
START_TEST(test_keeps_nothing_else)
{
    const struct prefix *candidate = NULL;

    begin();
    learn("shared-by-all.two.", "shared-by-all.two.");
    learn_often("shared-by-all.", 3);
    for (size_t i = 0; i < PREFIX_CANDIDATES; i++) {
        if (prefixes.candidates[i].votes > 0) {
            ck_assert_ptr_null(candidate);
            candidate = &prefixes.candidates[i].prefix;
        }
    }
    ck_assert_ptr_nonnull(candidate);
    ck_assert_uint_eq(candidate->size, 14);
    for (size_t i = candidate->size; i < PREFIX_SIZE_MAX; i++) {
        ck_assert_uint_eq(candidate->bytes[i], 0);
    }
    learn("shared-by-all.and-by-two.", "shared-by-all.and-by-two.");
    learn_often("shared-by-all.", PREFIX_VOTES);
    ck_assert_uint_eq(prefixes.n_prefixes, 1);
    for (size_t i = 14; i < PREFIX_SIZE_MAX; i++) {
        ck_assert_uint_eq(prefixes.rows[0].bytes[i], 0);
    }
    check_no_candidate();
    prefixes_fini(&prefixes);
}
END_TEST

/* Whatever a few keys share gives way, and nothing of it stays: even if each pair shares something else. */
START_TEST(test_what_few_share_gives_way)
{
    char head[32];

    begin();
    for (unsigned i = 0; i < PREFIX_CANDIDATES + 1; i++) {
        (void)snprintf(head, sizeof head, "%02u-kind-of-two-keys.", i);
        learn(head, head);
    }
    check_no_candidate();
    for (unsigned i = 0; i < 100 * PREFIX_VOTES; i++) {
        (void)snprintf(head, sizeof head, "%04u-kind-of-two-keys.", i);
        learn(head, head);
        if (i % 3 == 0) {
            learn_often("the-most-have-this.", 1);
        }
    }
    ck_assert_uint_eq(prefixes.n_prefixes, 1);
    ck_assert(slice_is(found("the-most-have-this."), "the-most-have-this."));
    prefixes_fini(&prefixes);
}
END_TEST

/* Short heads, and none. */
START_TEST(test_learns_no_short_ones)
{
    begin();
    learn_often("1234567", 10 * PREFIX_VOTES);
    learn_often("", 10 * PREFIX_VOTES);
    learn("shared-by-all.", "not-shared-by");
    ck_assert_uint_eq(prefixes.n_prefixes, 0);
    /* Some of the first kind shared 8 bytes by chance: they are outvoted. */
    learn_often("12345678", 4 * PREFIX_VOTES);
    ck_assert(slice_is(found("12345678"), "12345678"));
    prefixes_fini(&prefixes);
}
END_TEST

/* A longer one is cut at the most. */
START_TEST(test_learns_a_part_of_long_ones)
{
    static const char head[] =
        "0123456789012345678901234567890123456789012345678901234567890123456789";

    begin();
    learn_often(head, PREFIX_VOTES);
    ck_assert(slice_equal(found(head), slice_of(head, PREFIX_SIZE_MAX)));
    prefixes_fini(&prefixes);
}
END_TEST

/* Few keys of one kind come first, then many of another. */
START_TEST(test_many_outvote_few)
{
    begin();
    learn_often("memc.sess.key.", 10);
    learn_often("lock.memc.sess.key.", 2 * PREFIX_VOTES);
    ck_assert_uint_eq(prefixes.n_prefixes, 1);
    ck_assert(slice_is(found("lock.memc.sess.key."), "lock.memc.sess.key."));
    learn_often("memc.sess.key.", PREFIX_VOTES);
    ck_assert_uint_eq(prefixes.n_prefixes, 2);
    ck_assert(slice_is(found("memc.sess.key."), "memc.sess.key."));
    ck_assert(slice_is(found("lock.memc.sess.key."), "lock.memc.sess.key."));
    prefixes_fini(&prefixes);
}
END_TEST

/* Many kinds take turns, and none has more keys than all others together. */
START_TEST(test_kinds_take_turns)
{
    static const char *const heads[] = {"memc.sess.key.", "shop:session:", "laravel_cache:",
                                        "_session_id:2::", "wordpress_logged_in."};

    begin();
    for (unsigned i = 0; i < 3 * PREFIX_VOTES; i++) {
        for (size_t k = 0; k < SUITE_ROWS(heads); k++) {
            learn_often(heads[k], 1);
        }
    }
    ck_assert_uint_eq(prefixes.n_prefixes, SUITE_ROWS(heads));
    for (size_t k = 0; k < SUITE_ROWS(heads); k++) {
        ck_assert(slice_is(found(heads[k]), heads[k]));
    }
    prefixes_fini(&prefixes);
}
END_TEST

/* One key of the same application that begins almost alike does not cost all others a part of their prefix. */
START_TEST(test_a_stray_key_cuts_nothing)
{
    static const char head[] = ":1:django.contrib.sessions.cache";

    begin();
    learn(head, ":1:django.contrib.auth");
    learn_often(head, PREFIX_VOTES / 2);
    learn(head, ":1:django.contrib.auth");
    learn_often(head, PREFIX_VOTES / 2);
    ck_assert(slice_is(found(head), head));
    prefixes_fini(&prefixes);
}
END_TEST

/* Keys of a prefix that is known teach nothing. */
START_TEST(test_known_ones_are_not_learnt_again)
{
    begin();
    learn_often("memc.sess.key.", 10 * PREFIX_VOTES);
    ck_assert_uint_eq(prefixes.n_prefixes, 1);
    prefixes_fini(&prefixes);
}
END_TEST

/* More kinds than there is room for: the first ones stay, and nothing is written behind. */
START_TEST(test_table_is_full)
{
    char head[32];

    begin();
    learn("what-two-keys-share.", "what-two-keys-share.");
    for (unsigned i = 0; i < PREFIXES_MAX + 10; i++) {
        (void)snprintf(head, sizeof head, "kind-%02u-of-keys.", i);
        learn_often(head, 2 * PREFIX_VOTES);
    }
    ck_assert_uint_eq(prefixes.n_prefixes, PREFIXES_MAX);
    ck_assert(prefixes_are_full(&prefixes));
    check_no_candidate();
    for (unsigned i = 0; i < PREFIXES_MAX + 10; i++) {
        (void)snprintf(head, sizeof head, "kind-%02u-of-keys.", i);
        ck_assert(slice_is(found(head), i < PREFIXES_MAX ? head : ""));
    }
    prefixes_fini(&prefixes);
}
END_TEST

SUITE_MAIN("store/prefix", test_learns_what_keys_share, test_keeps_nothing_else,
           test_what_few_share_gives_way, test_learns_no_short_ones,
           test_learns_a_part_of_long_ones, test_many_outvote_few, test_kinds_take_turns,
           test_a_stray_key_cuts_nothing, test_known_ones_are_not_learnt_again, test_table_is_full)
