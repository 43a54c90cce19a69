/* Unit tests of logout-hold: what begins a hold, what it refuses and what it lets by, and what it takes. Which keys are
 * held: test_policy.c; holds on the disk: unit.journal; in a clock's grace: test_grace.c. */
#include "sessiond/store/image.h"
#include "sessiond/store/policy.h"
#include "sessiond/store/walk.h"

#include "store_fixture.h"
#include "store_inside.h"
#include "suite_main.h"

#include <stddef.h>

enum { HOLD_S = 60, LIFE_S = 1000, END_S = FIXTURE_NOW_S + LIFE_S };

#define KEY SLICE_LITERAL("key")

static struct store_fixture fixture;
static struct policy_options options = {.logout_hold = HOLD_S * UINT64_C(1000)};
static struct policy policy = {.options = &options};

static void open_holding(void)
{
    fixture_prepare(&fixture);
    fixture.config.policy = &policy;
    fixture_start(&fixture);
}

static void make(const char *key)
{
    ck_assert_int_eq(
        fixture_write(&fixture, STORE_SET, key, "a session's value", fixture.now_s + LIFE_S),
        SESS_OK);
}

/* A session that was just deleted. */
static void open_held(void)
{
    open_holding();
    make("key");
    ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_OK);
}

static enum sess_status write_one(struct store_write write)
{
    write.key = KEY;
    write.value = SLICE_LITERAL("7");
    if (write.expiry.seconds == 0) {
        write.expiry = store_expiry_in(LIFE_S);
    }
    return store_write(fixture.store, &write, fixture.now_s, &fixture.outcome);
}

static enum sess_status set_late(void)
{
    return write_one((struct store_write){.mode = STORE_SET});
}

static uint64_t figure(const char *name)
{
    return fixture_figure(&fixture, name);
}

static void assert_nothing_there(void)
{
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    ck_assert_uint_eq(figure("curr_items"), 0);
}

START_TEST(a_delete_is_one_record_with_the_end_of_the_hold)
{
    const struct mutation *mutation = &fixture.recorder.last.mutation;

    open_held();
    ck_assert_uint_eq(fixture.recorder.n_calls, 2);
    ck_assert_int_eq(mutation->kind, MUTATION_DELETE);
    ck_assert_int_eq(mutation->deadline_s, FIXTURE_NOW_S + HOLD_S);
    ck_assert_int_eq(mutation->old_deadline_s, END_S);
    ck_assert(mutation_revokes(mutation));
    ck_assert_uint_eq(figure("sessions_held"), 1);
    ck_assert_uint_eq(figure("sessions_deleted"), 1);
    assert_nothing_there();
    inside_check_budget(&fixture);
    inside_check_pages(fixture.store);
    fixture_close(&fixture);
}
END_TEST

/* Each as fits the command, the old session's time over or not; and the journal hears of none. */
START_TEST(late_saves_are_refused)
{
    const struct store_count count = {.key = KEY, .delta = 1};
    const struct store_count make_number = {
        .key = KEY, .vivifies = true, .vivified = store_expiry_in(LIFE_S)};
    const struct store_look look = {
        .key = KEY, .vivifies = true, .vivified = store_expiry_in(LIFE_S)};
    struct store_reading reading;
    struct store_sight sight;
    uint64_t number;

    open_held();
    for (fixture.now_s += 0; fixture.now_s < FIXTURE_NOW_S + HOLD_S; fixture.now_s += HOLD_S - 1) {
        ck_assert_int_eq(set_late(), SESS_NOT_STORED);
        ck_assert_int_eq(write_one((struct store_write){.mode = STORE_REPLACE}), SESS_NOT_STORED);
        ck_assert_int_eq(write_one((struct store_write){.mode = STORE_APPEND}), SESS_NOT_STORED);
        ck_assert_int_eq(write_one((struct store_write){.mode = STORE_PREPEND}), SESS_NOT_STORED);
        ck_assert_int_eq(write_one((struct store_write){.mode = STORE_APPEND, .vivifies = true}),
                         SESS_NOT_STORED);
        ck_assert_int_eq(write_one((struct store_write){.mode = STORE_CAS, .cas = 1}),
                         SESS_NOT_FOUND);
        ck_assert_int_eq(
            write_one((struct store_write){.mode = STORE_CAS, .cas = 0, .takes_older = true}),
            SESS_NOT_FOUND);
        ck_assert_int_eq(write_one((struct store_write){.mode = STORE_SET, .new_cas = 5}),
                         SESS_NOT_STORED);
        ck_assert_int_eq(
            store_count(fixture.store, &count, fixture.now_s, &number, &fixture.outcome),
            SESS_NOT_FOUND);
        ck_assert_int_eq(
            store_count(fixture.store, &make_number, fixture.now_s, &number, &fixture.outcome),
            SESS_NOT_STORED);
        ck_assert_int_eq(store_look_begin(fixture.store, &look, fixture.now_s, &reading, &sight),
                         SESS_NOT_FOUND);
        ck_assert_int_eq(fixture_touch(&fixture, "key", END_S), SESS_NOT_FOUND);
        ck_assert_int_eq(fixture_touch(&fixture, "key", 1), SESS_NOT_FOUND);
        ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_NOT_FOUND);
        assert_nothing_there();
    }
    ck_assert_uint_eq(fixture.recorder.n_calls, 2);
    ck_assert_uint_eq(figure("sessions_revived_refused"), 10);
    ck_assert_uint_eq(figure("get_flushed") + figure("get_expired"), 0);
    ck_assert_int_eq(set_late(), SESS_OK);
    ck_assert_uint_eq(figure("curr_items"), 1);
    ck_assert_uint_eq(figure("sessions_held"), 0);
    inside_check_budget(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* A large value arrives in pieces, and is refused at its end. */
START_TEST(a_late_upload_is_refused)
{
    const struct store_write write = {
        .mode = STORE_SET, .key = KEY, .expiry = store_expiry_in(LIFE_S)};
    struct store_upload *upload;
    uint8_t *place;
    size_t size;

    open_held();
    ck_assert_int_eq(store_upload_begin(fixture.store, (size_t)2 * STORE_COPY_MAX, 0, &upload),
                     SESS_OK);
    ck_assert_int_eq(store_upload_place(upload, SIZE_MAX, &place, &size), SESS_OK);
    memset(place, 'x', size);
    store_upload_received(upload, size);
    ck_assert_int_eq(
        store_upload_commit(fixture.store, &upload, &write, fixture.now_s, &fixture.outcome),
        SESS_NOT_STORED);
    ck_assert_ptr_null(upload);
    assert_nothing_there();
    fixture_close(&fixture);
}
END_TEST

/* A new session, in whatever place it finds; and the hold is over with it. */
START_TEST(add_begins_a_new_session)
{
    static const uint8_t large[3 * STORE_COPY_MAX];
    const struct slice values[] = {SLICE_LITERAL(""),
                                   SLICE_LITERAL("longer than a session's value"),
                                   slice_of(large, sizeof large)};

    open_holding();
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        make("key");
        ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_OK);
        ck_assert_int_eq(fixture_write_slice(&fixture, STORE_ADD, "key", values[i], 3, END_S),
                         SESS_OK);
        ck_assert_uint_eq(figure("curr_items"), 1);
        ck_assert_uint_eq(figure("sessions_held"), 0);
        ck_assert(fixture_holds(&fixture, "key", values[i]));
        ck_assert_int_eq(set_late(), SESS_OK);
        inside_check_budget(&fixture);
        inside_check_pages(fixture.store);
    }
    fixture_close(&fixture);
}
END_TEST

/* And what is refused ends no hold. */
START_TEST(an_add_that_fails_leaves_the_hold)
{
    open_held();
    fixture.recorder.answer = MUTATION_REFUSED;
    ck_assert_int_eq(write_one((struct store_write){.mode = STORE_ADD}), SESS_REFUSED);
    fixture.recorder.answer = MUTATION_ACCEPTED;
    ck_assert_int_eq(fixture_write(&fixture, STORE_ADD, "key", "", 1), SESS_OK);
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "", 1), SESS_OK);
    ck_assert_uint_eq(figure("sessions_held"), 1);
    ck_assert_int_eq(set_late(), SESS_NOT_STORED);
    fixture_close(&fixture);
}
END_TEST

/* Ends KEY's session. */
static enum sess_status end_by(unsigned way)
{
    const struct store_expiry past = store_expiry_at(0);
    const struct store_removal removal = {.key = KEY};
    const struct store_removal mark = {
        .key = KEY, .invalidates = true, .renews = true, .expiry = past};
    const struct store_count count = {.key = KEY, .renews = true, .expiry = past};
    const struct store_look look = {.key = KEY, .renews = true, .expiry = past};
    struct store_reading reading;
    struct store_sight sight;
    uint64_t number;
    enum sess_status status;

    switch (way) {
    case 0:
        return fixture_touch(&fixture, "key", fixture.now_s);
    case 1:
        return fixture_write(&fixture, STORE_SET, "key", "x", 1);
    case 2:
        return store_remove(fixture.store, &removal, fixture.now_s, &fixture.outcome);
    case 3:
        return store_remove(fixture.store, &mark, fixture.now_s, &fixture.outcome);
    case 4:
        return store_count(fixture.store, &count, fixture.now_s, &number, &fixture.outcome);
    case 5:
        status = store_read_touch_begin(fixture.store, KEY, 0, past, fixture.now_s, &reading);
        break;
    case 6:
        status = store_look_begin(fixture.store, &look, fixture.now_s, &reading, &sight);
        break;
    default:
        return SESS_INVALID;
    }
    if (status == SESS_OK) {
        ck_assert(slice_is(reading.value, "12345678"));
        store_read_end(&reading);
    }
    return status;
}

START_TEST(whatever_ends_it_by_a_command_begins_a_hold)
{
    for (unsigned way = 0; way < 7; way++) {
        open_holding();
        ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "12345678", END_S), SESS_OK);
        ck_assert_int_eq(end_by(way), SESS_OK);
        assert_nothing_there();
        ck_assert_uint_eq(figure("sessions_held"), 1);
        ck_assert_int_eq(set_late(), SESS_NOT_STORED);
        inside_check_budget(&fixture);
        inside_check_pages(fixture.store);
        fixture_close(&fixture);
    }
}
END_TEST

/* Nor a delete of what is not there, of a lock, or while the option is off. */
START_TEST(expiry_flush_and_marks_begin_none)
{
    const struct store_removal mark = {.key = KEY, .invalidates = true};

    open_holding();
    make("key");
    ck_assert_int_eq(store_remove(fixture.store, &mark, fixture.now_s, &fixture.outcome), SESS_OK);
    ck_assert_int_eq(set_late(), SESS_OK);
    fixture.now_s += LIFE_S;
    ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_NOT_FOUND);
    ck_assert_int_eq(set_late(), SESS_OK);
    ck_assert_int_eq(fixture_flush(&fixture, 0), SESS_OK);
    ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_NOT_FOUND);
    ck_assert_int_eq(set_late(), SESS_OK);
    make("a.lock");
    ck_assert_int_eq(fixture_delete(&fixture, "a.lock"), SESS_OK);
    ck_assert_int_eq(fixture.recorder.last.mutation.deadline_s, 0);
    make("a.lock");
    options.logout_hold = 0;
    ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_OK);
    ck_assert_int_eq(set_late(), SESS_OK);
    options.logout_hold = HOLD_S * UINT64_C(1000);
    ck_assert_uint_eq(figure("sessions_held"), 0);
    ck_assert_uint_eq(figure("sessions_revived_refused"), 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_flush_leaves_it)
{
    open_held();
    make("other");
    ck_assert_int_eq(fixture_flush(&fixture, 0), SESS_OK);
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(figure("sessions_held"), 1);
    ck_assert_uint_eq(figure("sessions_flushed"), 1);
    ck_assert_int_eq(set_late(), SESS_NOT_STORED);
    fixture_close(&fixture);
}
END_TEST

/* Its place comes back, whatever life its session still had; and it counts as no session that expired. */
START_TEST(it_goes_when_its_time_comes)
{
    const int64_t lives_s[] = {1, HOLD_S, INT64_C(10) * LIFE_S, STORE_NO_DEADLINE - FIXTURE_NOW_S};

    for (size_t i = 0; i < sizeof lives_s / sizeof lives_s[0]; i++) {
        open_holding();
        ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "v", FIXTURE_NOW_S + lives_s[i]),
                         SESS_OK);
        ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_OK);
        fixture.now_s = FIXTURE_NOW_S + HOLD_S - 1;
        (void)fixture_tick_all(&fixture);
        ck_assert_int_eq(set_late(), SESS_NOT_STORED);
        fixture.now_s += 2;
        (void)fixture_tick_all(&fixture);
        ck_assert_uint_eq(figure("sessions_held"), 0);
        ck_assert_uint_eq(figure("bytes"), 0);
        ck_assert_uint_eq(figure("reclaimed"), 0);
        inside_assert_bare(&fixture);
        fixture_close(&fixture);
    }
}
END_TEST

/* Of the value, flags and a wide id nothing is left; the key stands for itself, packed or whole. */
START_TEST(it_is_small_and_leaves_no_byte)
{
    static const uint8_t large[2 * STORE_COPY_MAX] = {1};
    const struct entry *entry;

    open_holding();
    ck_assert_int_eq(
        write_one((struct store_write){.mode = STORE_SET, .flags = 7, .new_cas = UINT64_MAX - 1}),
        SESS_OK);
    ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_OK);
    entry = inside_entry(fixture.store, KEY);
    ck_assert_ptr_nonnull(entry);
    ck_assert_uint_eq(entry_size(entry), offsetof(struct entry, packed) + 3);
    ck_assert(entry_is_hold(entry) && entry_cas(entry) == 0 && entry_value(entry).size == 0);
    inside_check_pages(fixture.store);
    ck_assert_int_eq(
        fixture_write_slice(&fixture, STORE_SET, "large", slice_of(large, sizeof large), 0, END_S),
        SESS_OK);
    ck_assert_int_eq(fixture_delete(&fixture, "large"), SESS_OK);
    ck_assert_uint_eq(inside_block_size(fixture.store), 0);
    inside_check_budget(&fixture);
    for (unsigned i = 0; i < 2000; i++) {
        char key[64];

        (void)snprintf(key, sizeof key, "a-prefix-of-all-of-them:%u", i);
        make(key);
        ck_assert_int_eq(fixture_delete(&fixture, key), SESS_OK);
        ck_assert_int_eq(fixture_write(&fixture, STORE_SET, key, "late", END_S), SESS_NOT_STORED);
    }
    ck_assert_uint_eq(figure("sessions_held"), 2002);
    inside_check_budget(&fixture);
    inside_check_pages(fixture.store);
    fixture_close(&fixture);
}
END_TEST

/* Nothing more is taken: not even where nothing more may be. */
START_TEST(a_delete_works_in_full_memory)
{
    unsigned n = 0;
    uint64_t held;

    fixture_prepare(&fixture);
    budget_init(&fixture.data, (size_t)4 << 20);
    fixture.config.policy = &policy;
    fixture_start(&fixture);
    while (fixture_write(&fixture, STORE_SET, fixture_numbered(n), "v", END_S) == SESS_OK) {
        n++;
    }
    held = budget_used(&fixture.store->held);
    for (unsigned i = 0; i < n; i++) {
        ck_assert_int_eq(fixture_delete(&fixture, fixture_numbered(i)), SESS_OK);
        ck_assert_uint_le(budget_used(&fixture.store->held), held);
    }
    ck_assert_uint_eq(figure("sessions_held"), n);
    ck_assert_uint_eq(figure("curr_items"), 0);
    inside_check_budget(&fixture);
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_the_journal_refuses_is_not_held)
{
    open_holding();
    make("key");
    fixture.recorder.answer = MUTATION_BUSY;
    ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_BUSY);
    fixture.recorder.answer = MUTATION_REFUSED;
    ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_REFUSED);
    fixture.recorder.answer = MUTATION_ACCEPTED;
    ck_assert_uint_eq(figure("sessions_held"), 0);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
    ck_assert_int_eq(set_late(), SESS_OK);
    fixture_close(&fixture);
}
END_TEST

static struct store_image told;
static unsigned n_told;

static void hear(void *context, const struct store_image *image, struct value_block *block)
{
    (void)context;
    ck_assert_ptr_null(block);
    told = *image;
    n_told++;
}

static void walk(void)
{
    struct store_walk walk = {.shard = 0};

    n_told = 0;
    while (store_walk_step(fixture.store, &walk, SIZE_MAX, hear, NULL)) {
    }
}

START_TEST(a_walk_tells_those_in_force)
{
    open_held();
    walk();
    ck_assert_uint_eq(n_told, 1);
    ck_assert(told.kind == IMAGE_SET && told.marks.is_held);
    ck_assert(told.value.size == 0 && told.flags == 0 && told.cas == 0);
    ck_assert_int_eq(told.deadline_s, FIXTURE_NOW_S + HOLD_S);
    fixture.now_s += HOLD_S;
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    walk();
    ck_assert_uint_eq(n_told, 0);
    fixture_close(&fixture);
}
END_TEST

static enum sess_status restore(int64_t deadline_s, bool is_hold)
{
    const struct store_write write = {
        .mode = STORE_RESTORE,
        .key = KEY,
        .cas = is_hold ? 0 : 9,
        .expiry = store_expiry_at(deadline_s),
        .marks = {.is_held = is_hold},
    };

    return store_write(fixture.store, &write, fixture.now_s, &fixture.outcome);
}

START_TEST(restore_honours_it)
{
    open_held();
    ck_assert_int_eq(restore(END_S, false), SESS_NOT_STORED);
    assert_nothing_there();
    ck_assert_uint_eq(figure("sessions_revived_refused"), 0);
    fixture.now_s += HOLD_S;
    ck_assert_int_eq(restore(END_S, false), SESS_OK);
    ck_assert_uint_eq(figure("sessions_restored"), 1);
    fixture_close(&fixture);
}
END_TEST

/* One of a dump: with the option off, too. It is never made shorter, and no session gives way to it. */
START_TEST(it_can_be_restored)
{
    fixture_open(&fixture);
    ck_assert_int_eq(restore(FIXTURE_NOW_S, true), SESS_NOT_FOUND);
    ck_assert_int_eq(restore(FIXTURE_NOW_S + 9, true), SESS_OK);
    ck_assert_int_eq(fixture.recorder.last.mutation.kind, MUTATION_SET);
    ck_assert(fixture.recorder.last.mutation.marks.is_held);
    ck_assert_int_eq(restore(FIXTURE_NOW_S + 8, true), SESS_NOT_STORED);
    ck_assert_int_eq(restore(FIXTURE_NOW_S + 10, true), SESS_OK);
    ck_assert_int_eq(set_late(), SESS_NOT_STORED);
    assert_nothing_there();
    ck_assert_uint_eq(figure("sessions_restored"), 0);
    ck_assert_uint_eq(figure("sessions_held"), 1);
    fixture.now_s += 10;
    ck_assert_int_eq(set_late(), SESS_OK);
    ck_assert_int_eq(restore(FIXTURE_NOW_S + LIFE_S, true), SESS_NOT_STORED);
    ck_assert_uint_eq(figure("curr_items"), 1);
    inside_check_budget(&fixture);
    fixture_close(&fixture);
}
END_TEST

static void apply(struct store_image image)
{
    image.key = KEY;
    ck_assert_int_eq(store_apply(fixture.store, &image, 1), SESS_OK);
}

static const struct store_image hold = {
    .kind = IMAGE_SET, .deadline_s = FIXTURE_NOW_S + HOLD_S, .marks = {.is_held = true}};
static const struct store_image session = {
    .kind = IMAGE_SET, .value = {(const uint8_t *)"v", 1}, .cas = 3, .deadline_s = END_S};

/* In whatever order a journal over an image says it. */
START_TEST(it_is_what_a_journal_says)
{
    const struct store_image touch = {.kind = IMAGE_TOUCH, .deadline_s = END_S};
    const struct store_image flush = {.kind = IMAGE_FLUSH};
    const struct store_image gone = {.kind = IMAGE_DELETE};
    const struct {
        struct store_image images[3];
        bool is_held;
        uint64_t n_sessions;
    } rows[] = {
        {{hold, touch, flush}, true, 0},    {{session, hold, flush}, true, 0},
        {{hold, session, touch}, false, 1}, {{session, hold, hold}, true, 0},
        {{hold, session, gone}, false, 0},  {{session, hold, gone}, false, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture_open(&fixture);
        for (size_t n = 0; n < 3; n++) {
            apply(rows[i].images[n]);
        }
        store_begin(fixture.store, FIXTURE_NOW_S, 9, STORE_NO_DEADLINE);
        ck_assert_uint_eq(figure("curr_items"), rows[i].n_sessions);
        ck_assert_uint_eq(figure("sessions_held"), rows[i].is_held);
        ck_assert_int_eq(set_late(), rows[i].is_held ? SESS_NOT_STORED : SESS_OK);
        fixture.now_s += HOLD_S;
        (void)fixture_tick_all(&fixture);
        ck_assert_uint_eq(figure("sessions_held"), 0);
        ck_assert_int_eq(set_late(), SESS_OK);
        inside_check_budget(&fixture);
        fixture_close(&fixture);
    }
}
END_TEST

SUITE_MAIN("store/hold", a_delete_is_one_record_with_the_end_of_the_hold, late_saves_are_refused,
           a_late_upload_is_refused, add_begins_a_new_session, an_add_that_fails_leaves_the_hold,
           whatever_ends_it_by_a_command_begins_a_hold, expiry_flush_and_marks_begin_none,
           a_flush_leaves_it, it_goes_when_its_time_comes, it_is_small_and_leaves_no_byte,
           a_delete_works_in_full_memory, what_the_journal_refuses_is_not_held,
           a_walk_tells_those_in_force, restore_honours_it, it_can_be_restored,
           it_is_what_a_journal_says)
