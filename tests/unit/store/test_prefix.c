/* Unit tests of prefixes: what is learnt from which keys. */
#include "prefix.h"

#include "suite_main.h"
#include "test_random.h"

#include <stdio.h>

static struct prefixes prefixes;
static struct test_random state;

static void begin(void)
{
    prefixes = (struct prefixes){.votes = 0};
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

/* Nothing of a key is kept that the others do not share: it may be of a session that ends. */
START_TEST(test_keeps_nothing_else)
{
    begin();
    learn("shared-by-all.and-by-two.", "shared-by-all.and-by-two.");
    ck_assert_uint_eq(prefixes.candidate.size, 25);
    learn_often("shared-by-all.", 3);
    ck_assert_uint_eq(prefixes.candidate.size, 14);
    for (size_t i = prefixes.candidate.size; i < PREFIX_SIZE_MAX; i++) {
        ck_assert_uint_eq(prefixes.candidate.bytes[i], 0);
    }
    learn_often("shared-by-all.", PREFIX_VOTES);
    ck_assert_uint_eq(prefixes.n_prefixes, 1);
    for (size_t i = 14; i < PREFIX_SIZE_MAX; i++) {
        ck_assert_uint_eq(prefixes.rows[0].bytes[i], 0);
        ck_assert_uint_eq(prefixes.candidate.bytes[i], 0);
    }
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
    for (unsigned i = 0; i < PREFIXES_MAX + 10; i++) {
        (void)snprintf(head, sizeof head, "kind-%02u-of-keys.", i);
        learn_often(head, 2 * PREFIX_VOTES);
    }
    ck_assert_uint_eq(prefixes.n_prefixes, PREFIXES_MAX);
    ck_assert(prefixes_are_full(&prefixes));
    for (unsigned i = 0; i < PREFIXES_MAX + 10; i++) {
        (void)snprintf(head, sizeof head, "kind-%02u-of-keys.", i);
        ck_assert(slice_is(found(head), i < PREFIXES_MAX ? head : ""));
    }
    prefixes_fini(&prefixes);
}
END_TEST

SUITE_MAIN("store/prefix", test_learns_what_keys_share, test_keeps_nothing_else,
           test_learns_no_short_ones, test_learns_a_part_of_long_ones, test_many_outvote_few,
           test_known_ones_are_not_learnt_again, test_table_is_full)
