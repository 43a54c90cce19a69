/* Unit tests of graces: what has expired by a clock that is not believed is hidden, and not lost. */
#include "sessiond/store/grace.h"

#include "sessiond/base/clock.h"
#include "sessiond/store/image.h"
#include "sessiond/store/policy.h"
#include "sessiond/store/walk.h"
#include "store_inside.h"
#include "suite_main.h"
#include "tick.h"

enum {
    DAY_S = 86400,
    MARK_S = FIXTURE_NOW_S,
    WRONG_S = MARK_S + 2 * DAY_S, /* what the clock says */
    PAST_S = MARK_S - 100,
    HIDDEN_S = MARK_S + 1000,
    FAR_S = WRONG_S + DAY_S,
};

#define STEP_MS (INT64_C(1000) * 2 * DAY_S)

struct grace {
    struct store_fixture store;
    struct clock *clock;
};

/* Sessions that are past, hidden and there; the caller's time is the clock's, as it was when it began. */
static void begin_with(struct grace *grace, const struct store_image *more)
{
    struct store_image image = {.kind = IMAGE_SET, .value = SLICE_LITERAL("1"), .cas = 1};

    fixture_prepare(&grace->store);
    grace->store.config.now_s = WRONG_S;
    fixture_start(&grace->store);
    image.key = SLICE_LITERAL("past");
    image.deadline_s = PAST_S;
    ck_assert_int_eq(store_apply(grace->store.store, &image, 1), SESS_OK);
    image.key = SLICE_LITERAL("hidden");
    image.deadline_s = HIDDEN_S;
    ck_assert_int_eq(store_apply(grace->store.store, &image, 1), SESS_OK);
    image.key = SLICE_LITERAL("there");
    image.deadline_s = FAR_S;
    ck_assert_int_eq(store_apply(grace->store.store, &image, 1), SESS_OK);
    ck_assert_int_eq(store_apply(grace->store.store, more, more != NULL), SESS_OK);
    ck_assert_int_eq(clock_create_manual(WRONG_S, &grace->clock), SESS_OK);
    ck_assert(clock_begin(grace->clock, MARK_S));
    store_begin(grace->store.store, WRONG_S, 100, STORE_NO_DEADLINE);
    store_begin_grace(grace->store.store, grace->clock, MARK_S);
    grace->store.now_s = WRONG_S;
}

static void begin(struct grace *grace)
{
    begin_with(grace, NULL);
}

static void end(struct grace *grace)
{
    fixture_close(&grace->store);
    clock_destroy(&grace->clock);
}

static bool is_there(struct grace *grace, const char *key)
{
    return fixture_look(&grace->store, key).status == SESS_OK;
}

static bool is_kept(struct grace *grace, const char *key)
{
    return inside_entry(grace->store.store, slice_from_text(key)) != NULL;
}

static void put_right(struct grace *grace)
{
    clock_step(grace->clock, -STEP_MS);
    ck_assert_int_eq(clock_now(grace->clock).wall_s, MARK_S);
    ck_assert(!clock_is_in_grace(grace->clock));
}

static void run_out(struct grace *grace)
{
    clock_advance(grace->clock, CLOCK_GRACE_MS);
    (void)clock_now(grace->clock);
    ck_assert(!clock_is_in_grace(grace->clock));
    store_end_grace(grace->store.store);
}

START_TEST(looks_are_exact)
{
    struct grace grace;

    begin(&grace);
    ck_assert(!is_there(&grace, "past") && !is_there(&grace, "hidden") &&
              is_there(&grace, "there"));
    ck_assert_int_eq(fixture_write(&grace.store, STORE_REPLACE, "hidden", "2", FAR_S),
                     SESS_NOT_STORED);
    ck_assert_int_eq(fixture_cas(&grace.store, "hidden", "2", 1, FAR_S), SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_touch(&grace.store, "hidden", FAR_S), SESS_NOT_FOUND);
    ck_assert_uint_eq(grace.store.recorder.n_calls, 0);
    ck_assert(!is_there(&grace, "hidden"));
    end(&grace);
}
END_TEST

/* Also while the store has not been told yet that the grace is over; a caller's old time does no harm. */
START_TEST(put_right_it_is_there_again)
{
    struct grace grace;

    begin(&grace);
    ck_assert(!is_there(&grace, "hidden"));
    put_right(&grace);
    ck_assert(is_there(&grace, "hidden") && !is_there(&grace, "past"));
    ck_assert_int_eq(grace.store.now_s, WRONG_S);
    store_end_grace(grace.store.store);
    ck_assert(is_there(&grace, "hidden") && is_there(&grace, "there") && !is_there(&grace, "past"));
    end(&grace);
}
END_TEST

/* Behind it time is as ever: exact, by the wheel too, and it does not go back. */
START_TEST(put_right_time_goes_on)
{
    struct grace grace;

    begin(&grace);
    put_right(&grace);
    store_end_grace(grace.store.store);
    (void)fixture_tick_all(&grace.store);
    ck_assert(!is_kept(&grace, "past") && is_kept(&grace, "hidden") && is_kept(&grace, "there"));
    clock_advance(grace.clock, INT64_C(1000) * (HIDDEN_S - MARK_S) - 1);
    (void)fixture_tick_all(&grace.store);
    ck_assert(is_kept(&grace, "hidden"));
    clock_advance(grace.clock, 1);
    ck_assert(!is_there(&grace, "hidden"));
    clock_step(grace.clock, -STEP_MS);
    ck_assert(!is_there(&grace, "hidden"));
    (void)fixture_tick_all(&grace.store);
    ck_assert(!is_kept(&grace, "hidden") && is_kept(&grace, "there"));
    ck_assert_uint_eq(fixture_figure(&grace.store, "reclaimed"), 2);
    end(&grace);
}
END_TEST

START_TEST(nothing_is_taken_back)
{
    struct grace grace;

    begin(&grace);
    (void)fixture_tick_all(&grace.store);
    (void)tick_helps(grace.store.store, WRONG_S, SESS_LIMIT, 0);
    (void)tick_helps(grace.store.store, WRONG_S, SESS_NO_MEMORY, 0);
    ck_assert(is_kept(&grace, "past") && is_kept(&grace, "hidden") && is_kept(&grace, "there"));
    ck_assert_uint_eq(fixture_figure(&grace.store, "reclaimed"), 0);
    end(&grace);
}
END_TEST

START_TEST(not_put_right_it_is_taken_back)
{
    struct grace grace;

    begin(&grace);
    run_out(&grace);
    (void)fixture_tick_all(&grace.store);
    ck_assert(!is_kept(&grace, "past") && !is_kept(&grace, "hidden") && is_kept(&grace, "there"));
    clock_step(grace.clock, -STEP_MS);
    ck_assert_int_eq(fixture_write(&grace.store, STORE_ADD, "hidden", "2", FAR_S), SESS_OK);
    end(&grace);
}
END_TEST

/* ---- what ends a hidden session ---- */

static enum sess_status delete_it(struct store_fixture *fixture, const char *key)
{
    return fixture_delete(fixture, key);
}

static enum sess_status touch_it(struct store_fixture *fixture, const char *key)
{
    return fixture_touch(fixture, key, 0);
}

static enum sess_status get_and_touch_it(struct store_fixture *fixture, const char *key)
{
    struct store_reading reading;

    return store_read_touch_begin(fixture->store, slice_from_text(key), 0, store_expiry_at(WRONG_S),
                                  fixture->now_s, &reading);
}

static enum sess_status store_it(struct store_fixture *fixture, const char *key)
{
    return fixture_write(fixture, STORE_SET, key, "2", WRONG_S);
}

static const struct {
    enum sess_status (*end)(struct store_fixture *fixture, const char *key);
    enum sess_status reply;
} ends[] = {
    {delete_it, SESS_NOT_FOUND},
    {touch_it, SESS_NOT_FOUND},
    {get_and_touch_it, SESS_NOT_FOUND},
    {store_it, SESS_OK},
};

START_TEST(what_ends_it_is_journaled)
{
    struct grace grace;
    const struct mutation *told = &grace.store.recorder.last.mutation;

    begin(&grace);
    ck_assert_int_eq(ends[_i].end(&grace.store, "hidden"), ends[_i].reply);
    ck_assert_uint_eq(grace.store.recorder.n_calls, 1);
    ck_assert_int_eq(told->kind, MUTATION_DELETE);
    ck_assert(slice_equal(told->key, SLICE_LITERAL("hidden")) && mutation_revokes(told));
    /* By the mark it had so much to live: whether its end is waited for is judged by that. */
    ck_assert_int_eq(told->old_deadline_s - told->now_s, HIDDEN_S - MARK_S);
    put_right(&grace);
    ck_assert(!is_there(&grace, "hidden") && !is_kept(&grace, "hidden"));
    end(&grace);
}
END_TEST

/* Who logged out before the mark is held as by the mark, who does now as by the clock: never for a shorter time. */
START_TEST(holds_are_not_shorter)
{
    static struct policy_options options = {.logout_hold = 60 * 1000};
    static const struct policy policy = {.options = &options};
    const struct store_image hold = {.kind = IMAGE_SET,
                                     .key = SLICE_LITERAL("held"),
                                     .deadline_s = MARK_S + 60,
                                     .marks = {.is_held = true}};
    struct grace grace;

    begin_with(&grace, &hold);
    grace.store.store->config.policy = &policy;
    ck_assert_int_eq(fixture_delete(&grace.store, "hidden"), SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_delete(&grace.store, "there"), SESS_OK);
    for (unsigned i = 0; i < 2; i++) { /* then put right */
        const char *const keys[] = {"held", "hidden", "there"};

        for (size_t key = 0; key < sizeof keys / sizeof keys[0]; key++) {
            ck_assert_int_eq(fixture_write(&grace.store, STORE_SET, keys[key], "late", FAR_S),
                             SESS_NOT_STORED);
        }
        if (i == 0) {
            put_right(&grace);
        }
    }
    end(&grace);
}
END_TEST

START_TEST(what_would_end_it_and_is_refused_does_not)
{
    struct grace grace;

    begin(&grace);
    for (enum mutation_answer answer = MUTATION_BUSY; answer <= MUTATION_REFUSED; answer++) {
        grace.store.recorder.answer = answer;
        ck_assert_int_eq(ends[_i].end(&grace.store, "hidden"),
                         answer == MUTATION_BUSY ? SESS_BUSY : SESS_REFUSED);
    }
    put_right(&grace);
    ck_assert(is_there(&grace, "hidden"));
    end(&grace);
}
END_TEST

/* What is hidden has its CAS id still. */
START_TEST(a_condition_holds_for_what_is_hidden)
{
    struct store_removal removal = {.key = SLICE_LITERAL("hidden"), .compares_cas = true, .cas = 7};
    struct store_outcome outcome;
    struct grace grace;

    begin(&grace);
    ck_assert_int_eq(store_remove(grace.store.store, &removal, WRONG_S, &outcome), SESS_NOT_FOUND);
    ck_assert_uint_eq(grace.store.recorder.n_calls, 0);
    put_right(&grace);
    ck_assert(is_there(&grace, "hidden"));
    end(&grace);
    begin(&grace);
    removal.cas = 1;
    ck_assert_int_eq(store_remove(grace.store.store, &removal, WRONG_S, &outcome), SESS_NOT_FOUND);
    put_right(&grace);
    ck_assert(!is_there(&grace, "hidden"));
    end(&grace);
}
END_TEST

START_TEST(what_is_past_has_no_end_any_more)
{
    struct grace grace;

    begin(&grace);
    ck_assert_int_eq(ends[_i].end(&grace.store, "past"), ends[_i].reply);
    ck_assert_int_eq(ends[_i].end(&grace.store, "nobody"), ends[_i].reply);
    ck_assert_uint_eq(grace.store.recorder.n_calls, 0);
    end(&grace);
}
END_TEST

/* The new value needs another place, and is then refused: the old one has not been given up for it. */
START_TEST(refused_store_over_it_changes_nothing)
{
    static const char value[5000];
    struct grace grace;
    enum sess_status status;

    begin(&grace);
    grace.store.recorder.answer = MUTATION_REFUSED;
    status = fixture_write_slice(&grace.store, STORE_SET, "hidden", slice_of(value, sizeof value),
                                 0, FAR_S);
    ck_assert_int_eq(status, SESS_REFUSED);
    put_right(&grace);
    ck_assert(fixture_holds(&grace.store, "hidden", SLICE_LITERAL("1")));
    end(&grace);
}
END_TEST

START_TEST(store_over_it_stays)
{
    struct grace grace;

    begin(&grace);
    ck_assert_int_eq(fixture_write(&grace.store, STORE_ADD, "hidden", "new", FAR_S), SESS_OK);
    ck_assert_int_eq(grace.store.recorder.last.mutation.old_deadline_s, HIDDEN_S);
    put_right(&grace);
    ck_assert(fixture_holds(&grace.store, "hidden", SLICE_LITERAL("new")));
    end(&grace);
}
END_TEST

/* ---- flushes and walks ---- */

START_TEST(flush_ends_it)
{
    struct grace grace;

    begin(&grace);
    ck_assert_int_eq(fixture_flush(&grace.store, WRONG_S), SESS_OK);
    (void)fixture_tick_all(&grace.store);
    put_right(&grace);
    ck_assert(!is_there(&grace, "hidden") && !is_there(&grace, "there"));
    end(&grace);
}
END_TEST

/* Its time is the caller's, who has read the clock before it was put right. */
START_TEST(flush_at_once_is_at_once)
{
    struct grace grace;

    begin(&grace);
    put_right(&grace);
    ck_assert_int_eq(fixture_flush(&grace.store, WRONG_S), SESS_OK);
    ck_assert_int_le(grace.store.recorder.last.mutation.deadline_s,
                     grace.store.recorder.last.mutation.now_s);
    ck_assert(!is_there(&grace, "there"));
    end(&grace);
}
END_TEST

struct told {
    unsigned n_past;
    unsigned n_hidden;
    unsigned n_there;
};

static void hear(void *context, const struct store_image *image, struct value_block *block)
{
    struct told *told = context;

    (void)block;
    told->n_past += slice_equal(image->key, SLICE_LITERAL("past"));
    told->n_hidden += slice_equal(image->key, SLICE_LITERAL("hidden"));
    told->n_there += slice_equal(image->key, SLICE_LITERAL("there"));
}

static struct told walk(struct grace *grace)
{
    struct store_walk walk = {.shard = 0};
    struct told told = {0};

    while (store_walk_step(grace->store.store, &walk, 1 << 20, hear, &told)) {
    }
    return told;
}

START_TEST(walk_tells_what_is_hidden)
{
    struct grace grace;
    struct told told;

    begin(&grace);
    told = walk(&grace);
    ck_assert(told.n_past == 0 && told.n_hidden == 1 && told.n_there == 1);
    run_out(&grace);
    told = walk(&grace);
    ck_assert(told.n_past == 0 && told.n_hidden == 0 && told.n_there == 1);
    end(&grace);
}
END_TEST

START_TEST(count_expired_tells_looks_and_what_goes)
{
    struct grace grace;

    begin(&grace);
    ck_assert_uint_eq(store_count_expired(grace.store.store), 0);
    ck_assert(!is_there(&grace, "hidden") && is_there(&grace, "there"));
    ck_assert_uint_eq(store_count_expired(grace.store.store), 1);
    run_out(&grace);
    (void)fixture_tick_all(&grace.store);
    ck_assert_uint_eq(store_count_expired(grace.store.store), 3);
    end(&grace);
}
END_TEST

/* Who is hidden is there for a restore: the dump may be older. */
START_TEST(a_restore_replaces_nobody_who_is_hidden)
{
    struct grace grace;
    struct store_write write = {.mode = STORE_RESTORE,
                                .key = SLICE_LITERAL("hidden"),
                                .value = SLICE_LITERAL("2"),
                                .expiry = store_expiry_at(FAR_S),
                                .cas = 7};

    begin(&grace);
    ck_assert_int_eq(
        store_write(grace.store.store, &write, grace.store.now_s, &grace.store.outcome),
        SESS_NOT_STORED);
    write.key = SLICE_LITERAL("past");
    ck_assert_int_eq(
        store_write(grace.store.store, &write, grace.store.now_s, &grace.store.outcome), SESS_OK);
    put_right(&grace);
    ck_assert(fixture_holds(&grace.store, "hidden", slice_from_text("1")));
    end(&grace);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/grace");
    TCase *hides = suite_case(suite, "hides");
    TCase *is_ended = suite_case(suite, "is ended");
    TCase *around = suite_case(suite, "around");

    tcase_add_test(hides, looks_are_exact);
    tcase_add_test(hides, put_right_it_is_there_again);
    tcase_add_test(hides, put_right_time_goes_on);
    tcase_add_test(hides, nothing_is_taken_back);
    tcase_add_test(hides, not_put_right_it_is_taken_back);
    tcase_add_loop_test(is_ended, what_ends_it_is_journaled, 0, SUITE_ROWS(ends));
    tcase_add_loop_test(is_ended, what_would_end_it_and_is_refused_does_not, 0, SUITE_ROWS(ends));
    tcase_add_test(is_ended, a_condition_holds_for_what_is_hidden);
    tcase_add_loop_test(is_ended, what_is_past_has_no_end_any_more, 0, SUITE_ROWS(ends));
    tcase_add_test(is_ended, refused_store_over_it_changes_nothing);
    tcase_add_test(is_ended, store_over_it_stays);
    tcase_add_test(hides, a_restore_replaces_nobody_who_is_hidden);
    tcase_add_test(hides, holds_are_not_shorter);
    tcase_add_test(around, flush_ends_it);
    tcase_add_test(around, flush_at_once_is_at_once);
    tcase_add_test(around, walk_tells_what_is_hidden);
    tcase_add_test(around, count_expired_tells_looks_and_what_goes);
    return suite_run(suite);
}
