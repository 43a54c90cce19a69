/* Unit tests of max-ttl: each way to give a session a deadline, and what is left alone. Which cap a key has:
 * test_policy.c. */
#include "sessiond/store/image.h"
#include "sessiond/store/policy.h"

#include "store_fixture.h"
#include "store_inside.h"
#include "suite_main.h"

enum { CAP_S = 100, END_S = FIXTURE_NOW_S + CAP_S };

static struct store_fixture fixture;
static struct policy_options options;
static struct policy policy;

static void open_capped(void)
{
    struct sess_error error;

    options.max_ttl.n_items = 2;
    (void)snprintf(options.max_ttl.items[0], OPTION_TEXT_SIZE, "%ds", CAP_S);
    (void)snprintf(options.max_ttl.items[1], OPTION_TEXT_SIZE, "free: none");
    ck_assert_int_eq(policy_init(&policy, &options, &error), SESS_OK);
    fixture_prepare(&fixture);
    fixture.config.policy = &policy;
    fixture_start(&fixture);
}

static int64_t deadline_of(const char *key)
{
    const struct entry *entry = inside_entry(fixture.store, slice_from_text(key));

    ck_assert_ptr_nonnull(entry);
    return entry_deadline(entry);
}

static void assert_capped(const char *key, uint64_t n_capped)
{
    ck_assert_int_eq(deadline_of(key), END_S);
    ck_assert_int_eq(fixture.recorder.last.mutation.deadline_s, END_S);
    ck_assert_uint_eq(fixture_figure(&fixture, "sessions_capped"), n_capped);
}

static void write_one(struct store_write write, enum sess_status status)
{
    write.key = slice_from_text("key");
    write.value = slice_from_text("1");
    ck_assert_int_eq(store_write(fixture.store, &write, fixture.now_s, &fixture.outcome), status);
}

START_TEST(no_store_command_goes_beyond_it)
{
    const struct store_expiry long_ones[] = {store_expiry_in(CAP_S + 1), store_expiry_at(END_S + 1),
                                             store_expiry_at(STORE_NO_DEADLINE)};
    uint64_t n_capped = 0;

    open_capped();
    for (size_t i = 0; i < sizeof long_ones / sizeof long_ones[0]; i++) {
        write_one((struct store_write){.mode = STORE_ADD, .expiry = long_ones[i]}, SESS_OK);
        assert_capped("key", ++n_capped);
        ck_assert_int_eq(fixture.outcome.deadline_s, END_S);
        write_one((struct store_write){.mode = STORE_SET, .expiry = long_ones[i]}, SESS_OK);
        assert_capped("key", ++n_capped);
        write_one((struct store_write){.mode = STORE_REPLACE, .expiry = long_ones[i]}, SESS_OK);
        assert_capped("key", ++n_capped);
        write_one((struct store_write){.mode = STORE_CAS,
                                       .expiry = long_ones[i],
                                       .cas = fixture.outcome.cas},
                  SESS_OK);
        assert_capped("key", ++n_capped);
        ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_OK);
        write_one(
            (struct store_write){.mode = STORE_APPEND, .expiry = long_ones[i], .vivifies = true},
            SESS_OK);
        assert_capped("key", ++n_capped);
        ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_OK);
    }
    fixture_close(&fixture);
}
END_TEST

START_TEST(no_renewal_goes_beyond_it)
{
    const struct store_expiry none = store_expiry_at(STORE_NO_DEADLINE);
    const struct store_count count = {.key = SLICE_LITERAL("key"),
                                      .renews = true,
                                      .expiry = none,
                                      .vivifies = true,
                                      .vivified = none};
    const struct store_look look = {.key = SLICE_LITERAL("key"),
                                    .renews = true,
                                    .expiry = none,
                                    .vivifies = true,
                                    .vivified = none};
    const struct store_removal mark = {
        .key = SLICE_LITERAL("key"), .invalidates = true, .renews = true, .expiry = none};
    struct store_reading reading;
    struct store_sight sight;
    uint64_t number;

    open_capped();
    for (unsigned i = 0; i < 2; i++) { /* made, then renewed */
        ck_assert_int_eq(
            store_count(fixture.store, &count, fixture.now_s, &number, &fixture.outcome), SESS_OK);
        assert_capped("key", 1 + i);
    }
    ck_assert_int_eq(fixture_touch(&fixture, "key", END_S - 1), SESS_OK);
    ck_assert_int_eq(fixture_touch(&fixture, "key", STORE_NO_DEADLINE), SESS_OK);
    assert_capped("key", 3);
    ck_assert_int_eq(fixture_touch(&fixture, "key", STORE_NO_DEADLINE), SESS_OK);
    assert_capped("key", 4);
    ck_assert_int_eq(store_read_touch_begin(fixture.store, slice_from_text("key"), 0, none,
                                            fixture.now_s, &reading),
                     SESS_OK);
    store_read_end(&reading);
    assert_capped("key", 5);
    ck_assert_int_eq(store_remove(fixture.store, &mark, fixture.now_s, &fixture.outcome), SESS_OK);
    assert_capped("key", 6);
    for (unsigned i = 0; i < 2; i++) { /* renewed, then made */
        ck_assert_int_eq(store_look_begin(fixture.store, &look, fixture.now_s, &reading, &sight),
                         SESS_OK);
        store_read_end(&reading);
        assert_capped("key", 7 + i);
        ck_assert_int_eq(sight.ttl_s, CAP_S);
        ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_OK);
    }
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_is_within_it_stays)
{
    open_capped();
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "v", END_S), SESS_OK);
    ck_assert_int_eq(deadline_of("key"), END_S);
    ck_assert_int_eq(fixture_touch(&fixture, "key", END_S - 7), SESS_OK);
    ck_assert_int_eq(deadline_of("key"), END_S - 7);
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "free:key", "v", STORE_NO_DEADLINE),
                     SESS_OK);
    ck_assert_int_eq(deadline_of("free:key"), STORE_NO_DEADLINE);
    ck_assert_uint_eq(fixture_figure(&fixture, "sessions_capped"), 0);
    fixture_close(&fixture);
}
END_TEST

/* They say what was. What is appended to keeps the life that it has. */
START_TEST(recovery_and_restore_are_not_capped)
{
    const struct store_image image = {.kind = IMAGE_SET,
                                      .key = SLICE_LITERAL("applied"),
                                      .cas = 3,
                                      .deadline_s = STORE_NO_DEADLINE};
    const struct store_write restore = {.mode = STORE_RESTORE,
                                        .key = SLICE_LITERAL("restored"),
                                        .cas = 9,
                                        .expiry = store_expiry_at(END_S + 5)};

    open_capped();
    ck_assert_int_eq(store_apply(fixture.store, &image, 1), SESS_OK);
    store_begin(fixture.store, FIXTURE_NOW_S, 4, STORE_NO_DEADLINE);
    ck_assert_int_eq(deadline_of("applied"), STORE_NO_DEADLINE);
    ck_assert_int_eq(store_write(fixture.store, &restore, fixture.now_s, &fixture.outcome),
                     SESS_OK);
    ck_assert_int_eq(deadline_of("restored"), END_S + 5);
    ck_assert_int_eq(fixture_write(&fixture, STORE_APPEND, "applied", "v", 0), SESS_OK);
    ck_assert_int_eq(deadline_of("applied"), STORE_NO_DEADLINE);
    ck_assert_uint_eq(fixture_figure(&fixture, "sessions_capped"), 0);
    fixture_close(&fixture);
}
END_TEST

/* What is asked for and refused is none that was shortened. */
START_TEST(only_what_is_stored_counts)
{
    open_capped();
    fixture.recorder.answer = MUTATION_BUSY;
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "v", STORE_NO_DEADLINE), SESS_BUSY);
    fixture.recorder.answer = MUTATION_ACCEPTED;
    ck_assert_int_eq(fixture_write(&fixture, STORE_REPLACE, "key", "v", STORE_NO_DEADLINE),
                     SESS_NOT_STORED);
    ck_assert_int_eq(fixture_touch(&fixture, "key", STORE_NO_DEADLINE), SESS_NOT_FOUND);
    ck_assert_uint_eq(fixture_figure(&fixture, "sessions_capped"), 0);
    fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("store/cap", no_store_command_goes_beyond_it, no_renewal_goes_beyond_it,
           what_is_within_it_stays, recovery_and_restore_are_not_capped, only_what_is_stored_counts)
