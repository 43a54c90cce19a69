/* Unit tests of first-write-ttl: which sessions begin with a short life, what gives them the life that was asked for,
 * and what is told of it. On the disk: unit.journal, crash.probation. */
#include "sessiond/store/image.h"
#include "sessiond/store/policy.h"
#include "sessiond/store/walk.h"

#include "store_fixture.h"
#include "store_inside.h"
#include "suite_main.h"

enum {
    FIRST_S = 60,
    LIFE_S = 1000,
    SOON_S = FIXTURE_NOW_S + FIRST_S,
    END_S = FIXTURE_NOW_S + LIFE_S
};

#define KEY SLICE_LITERAL("key")

static struct store_fixture fixture;
static struct policy_options options = {.first_write_ttl = FIRST_S * UINT64_C(1000)};
static struct policy policy = {.options = &options};

static void open_with_policy(void)
{
    fixture_prepare(&fixture);
    fixture.config.policy = &policy;
    fixture_start(&fixture);
}

static const struct entry *entry_of(const char *key)
{
    const struct entry *entry = inside_entry(fixture.store, slice_from_text(key));

    ck_assert_ptr_nonnull(entry);
    return entry;
}

static const struct mutation *told(void)
{
    return &fixture.recorder.last.mutation;
}

/* On probation, to get this deadline; and the journal knows. */
static void assert_on_probation(int64_t deadline_s, int64_t asked_s)
{
    ck_assert_int_eq(entry_deadline(entry_of("key")), deadline_s);
    ck_assert_int_eq(entry_marks(entry_of("key")).asked_s, asked_s);
    ck_assert_msg(!entry_is_renewed(entry_of("key")), "this may be the request that made it");
    ck_assert_int_eq(told()->kind, MUTATION_SET);
    ck_assert(!told()->is_touch);
    ck_assert_int_eq(told()->deadline_s, deadline_s);
    ck_assert_int_eq(told()->marks.asked_s, asked_s);
    inside_check_budget(&fixture);
    inside_check_pages(fixture.store);
}

/* As ever, from the last change that the journal was told of. */
static void assert_free(int64_t deadline_s)
{
    ck_assert_int_eq(entry_deadline(entry_of("key")), deadline_s);
    ck_assert_int_eq(entry_marks(entry_of("key")).asked_s, 0);
    ck_assert_int_eq(told()->deadline_s, deadline_s);
    ck_assert_int_eq(told()->marks.asked_s, 0);
    inside_check_budget(&fixture);
    inside_check_pages(fixture.store);
}

static void set(const char *value, int64_t deadline_s)
{
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", value, deadline_s), SESS_OK);
}

static void open_new(void)
{
    open_with_policy();
    set("value", END_S);
}

START_TEST(a_new_session_has_a_short_life)
{
    const int64_t lives[] = {END_S, STORE_NO_DEADLINE};

    for (size_t i = 0; i < 2; i++) {
        open_with_policy();
        set("value", lives[i]);
        assert_on_probation(SOON_S, lives[i]);
        ck_assert(fixture_holds(&fixture, "key", SLICE_LITERAL("value")));
        fixture.now_s = SOON_S;
        ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
        (void)fixture_tick_all(&fixture);
        ck_assert_uint_eq(fixture_figure(&fixture, "sessions_unused"), 1);
        inside_assert_bare(&fixture);
        fixture_close(&fixture);
    }
}
END_TEST

START_TEST(a_short_one_and_a_lock_are_as_ever)
{
    open_with_policy();
    set("value", SOON_S);
    assert_free(SOON_S);
    ck_assert_int_eq(fixture_write(&fixture, STORE_ADD, "key.lock", "1", END_S), SESS_OK);
    ck_assert_int_eq(entry_deadline(entry_of("key.lock")), END_S);
    fixture_close(&fixture);
}
END_TEST

/* Uses KEY. */
static void use_by(unsigned way)
{
    const struct store_look look = {
        .key = KEY, .vivifies = way == 2, .vivified = store_expiry_at(END_S)};
    const struct store_removal mark = {.key = KEY, .invalidates = true};
    struct store_reading reading;
    struct store_sight sight;

    switch (way) {
    case 0:
        ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
        break;
    case 1:
    case 2: /* it would make an entry, but there is one to read */
        ck_assert_int_eq(store_look_begin(fixture.store, &look, fixture.now_s, &reading, &sight),
                         SESS_OK);
        ck_assert(reading.has_changed);
        store_read_end(&reading);
        break;
    case 3:
        ck_assert_int_eq(fixture_write(&fixture, STORE_APPEND, "key", "!", 0), SESS_OK);
        break;
    case 4:
        ck_assert_int_eq(store_remove(fixture.store, &mark, fixture.now_s, &fixture.outcome),
                         SESS_OK);
        break;
    default:
        ck_assert_int_eq(fixture_touch(&fixture, "key", END_S), SESS_OK);
        break;
    }
}

enum { WAYS = 6 };

START_TEST(the_next_use_gives_it_what_was_asked_for)
{
    for (unsigned way = 0; way < WAYS; way++) {
        open_new();
        fixture.now_s += 2;
        use_by(way);
        assert_free(END_S);
        ck_assert_uint_eq(fixture.recorder.n_calls, 2);
        ck_assert_int_eq(told()->old_deadline_s, END_S);
        use_by(0);
        ck_assert_uint_eq(fixture.recorder.n_calls, 2);
        fixture.now_s = END_S - 1;
        (void)fixture_tick_all(&fixture);
        ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
        ck_assert_uint_eq(fixture_figure(&fixture, "sessions_unused"), 0);
        fixture_close(&fixture);
    }
}
END_TEST

/* The request that has made it may read and write it again: that is no second one. */
START_TEST(the_same_second_does_not_count)
{
    open_new();
    fixture.now_s += 1;
    use_by(0);
    ck_assert_uint_eq(fixture.recorder.n_calls, 1);
    assert_on_probation(SOON_S, END_S);
    set("another value", END_S + 5);
    assert_on_probation(SOON_S, END_S + 5);
    use_by(3);
    assert_on_probation(SOON_S, END_S + 5);
    ck_assert_int_eq(fixture_touch(&fixture, "key", STORE_NO_DEADLINE), SESS_OK);
    assert_on_probation(SOON_S, STORE_NO_DEADLINE);
    ck_assert(fixture_holds(&fixture, "key", SLICE_LITERAL("another value!")));
    fixture.now_s += 1;
    set("more", END_S);
    assert_free(END_S);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_shorter_life_is_a_shorter_life)
{
    open_new();
    ck_assert_int_eq(fixture_touch(&fixture, "key", SOON_S - 5), SESS_OK);
    assert_free(SOON_S - 5);
    fixture_close(&fixture);
    open_new();
    set("value", SOON_S - 5);
    assert_free(SOON_S - 5);
    fixture_close(&fixture);
    open_new();
    ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_OK);
    ck_assert_int_eq(told()->kind, MUTATION_DELETE);
    ck_assert_msg(told()->old_deadline_s == END_S,
                  "if it came back, its next use would give it that");
    inside_assert_bare(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* Who only asks what there is leaves it as it is. */
START_TEST(a_look_that_leaves_no_trace_changes_nothing)
{
    const struct store_look look = {.key = KEY, .leaves_no_trace = true};
    struct store_reading reading;
    struct store_sight sight;

    open_new();
    fixture.now_s += 5;
    ck_assert_int_eq(store_look_begin(fixture.store, &look, fixture.now_s, &reading, &sight),
                     SESS_OK);
    ck_assert(!reading.has_changed);
    store_read_end(&reading);
    assert_on_probation(SOON_S, END_S);
    fixture_close(&fixture);
}
END_TEST

/* A look is answered in any case; the next one tries again. */
START_TEST(what_the_journal_refuses_is_not_given)
{
    struct store_reading reading;

    open_new();
    fixture.now_s += 5;
    for (enum mutation_answer answer = MUTATION_BUSY; answer <= MUTATION_REFUSED; answer++) {
        fixture.recorder.answer = answer;
        ck_assert_int_eq(store_read_begin(fixture.store, KEY, 0, fixture.now_s, &reading), SESS_OK);
        ck_assert(!reading.has_changed);
        store_read_end(&reading);
        ck_assert_int_eq(entry_marks(entry_of("key")).asked_s, END_S);
    }
    fixture.recorder.answer = MUTATION_ACCEPTED;
    ck_assert_int_eq(store_read_begin(fixture.store, KEY, 0, fixture.now_s, &reading), SESS_OK);
    ck_assert(reading.has_changed);
    ck_assert_uint_eq(reading.outcome.ticket, fixture.recorder.ticket);
    ck_assert(slice_is(reading.value, "value"));
    store_read_end(&reading);
    assert_free(END_S);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_large_session_too)
{
    static const uint8_t large[2 * STORE_COPY_MAX] = {7};
    struct store_reading reading;

    open_with_policy();
    ck_assert_int_eq(
        fixture_write_slice(&fixture, STORE_SET, "key", slice_of(large, sizeof large), 9, END_S),
        SESS_OK);
    assert_on_probation(SOON_S, END_S);
    fixture.now_s += 2;
    ck_assert_int_eq(store_read_begin(fixture.store, KEY, 0, fixture.now_s, &reading), SESS_OK);
    ck_assert(reading.has_changed && reading.flags == 9);
    ck_assert_uint_eq(reading.outcome.ticket, fixture.recorder.ticket);
    ck_assert(slice_equal(reading.value, slice_of(large, sizeof large)));
    store_read_end(&reading);
    assert_free(END_S);
    fixture_close(&fixture);
}
END_TEST

static struct store_image heard;

static void hear(void *context, const struct store_image *image, struct value_block *block)
{
    (void)context;
    (void)block;
    heard = *image;
}

/* Through an image and a start: it is on probation still, and any use of it counts; a touch of the journal's ends it. */
START_TEST(it_outlives_a_start)
{
    const struct store_image touch = {.kind = IMAGE_TOUCH, .key = KEY, .deadline_s = END_S};

    for (unsigned is_touched = 0; is_touched < 2; is_touched++) {
        struct store_walk walk = {.shard = 0};
        const struct store_image image = {.kind = IMAGE_SET,
                                          .key = KEY,
                                          .value = SLICE_LITERAL("value"),
                                          .cas = 5,
                                          .deadline_s = SOON_S,
                                          .marks = {.asked_s = END_S}};

        open_with_policy();
        ck_assert_int_eq(store_apply(fixture.store, &image, 1), SESS_OK);
        ck_assert_int_eq(store_apply(fixture.store, &touch, is_touched), SESS_OK);
        store_begin(fixture.store, FIXTURE_NOW_S, 9, STORE_NO_DEADLINE);
        while (store_walk_step(fixture.store, &walk, SIZE_MAX, hear, NULL)) {
        }
        ck_assert_int_eq(heard.deadline_s, is_touched ? END_S : SOON_S);
        ck_assert_int_eq(heard.marks.asked_s, is_touched ? 0 : END_S);
        ck_assert(fixture_holds(&fixture, "key", SLICE_LITERAL("value")));
        ck_assert_uint_eq(fixture.recorder.n_calls, is_touched ? 0 : 1);
        ck_assert_int_eq(entry_deadline(entry_of("key")), END_S);
        inside_check_budget(&fixture);
        fixture_close(&fixture);
    }
}
END_TEST

SUITE_MAIN("store/probation", a_new_session_has_a_short_life, a_short_one_and_a_lock_are_as_ever,
           the_next_use_gives_it_what_was_asked_for, the_same_second_does_not_count,
           a_shorter_life_is_a_shorter_life, a_look_that_leaves_no_trace_changes_nothing,
           what_the_journal_refuses_is_not_given, a_large_session_too, it_outlives_a_start)
