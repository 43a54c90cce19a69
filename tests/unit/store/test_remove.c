/* Unit tests of deletes with conditions, of marks, and of CAS ids that clients choose. */
#include "sessiond/store/image.h"
#include "sessiond/store/store.h"

#include "key_state.h"
#include "suite_main.h"

#define KEY SLICE_LITERAL("key")
#define CLIENTS_CAS (UINT64_MAX - 1)

enum { DEADLINE_S = FIXTURE_NOW_S + 100, LARGE = STORE_COPY_MAX + 1 };

static struct store_fixture fixture;

static enum sess_status apply(struct store_removal removal)
{
    removal.key = KEY;
    return store_remove(fixture.store, &removal, fixture.now_s, &fixture.outcome);
}

static enum sess_status write_as(enum store_mode mode, const char *value, uint64_t cas,
                                 uint64_t new_cas)
{
    struct store_write write = {
        .mode = mode,
        .key = KEY,
        .value = slice_from_text(value),
        .expiry = store_expiry_at(DEADLINE_S),
        .cas = cas,
        .new_cas = new_cas,
    };

    return store_write(fixture.store, &write, fixture.now_s, &fixture.outcome);
}

static void open_with(struct slice value)
{
    fixture_open(&fixture);
    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, "key", value, 7, DEADLINE_S),
                     SESS_OK);
}

static struct slice value_of(size_t size)
{
    static uint8_t bytes[LARGE];

    memset(bytes, 'v', sizeof bytes);
    return slice_of(bytes, size);
}

/* Sizes of values that stand in the entry, and of one that does not. */
static const size_t sizes[] = {0, 5, STORE_COPY_MAX, LARGE};

/* Marked: value, flags and deadline stay, and no memory is needed. */
START_TEST(test_invalidates)
{
    const struct mutation *told = &fixture.recorder.last.mutation;
    uint64_t before;
    size_t used;

    open_with(value_of(sizes[_i]));
    before = fixture.outcome.cas;
    used = budget_used(&fixture.data);
    fixture.data.limit = used;
    ck_assert_int_eq(apply((struct store_removal){.invalidates = true}), SESS_OK);
    ck_assert_uint_gt(fixture.outcome.cas, before);
    ck_assert(told->marks.is_stale && !told->marks.is_clients_cas);
    ck_assert_uint_eq(told->value.size, sizes[_i]);
    ck_assert_uint_eq(told->flags, 7);
    ck_assert_int_eq(told->deadline_s, DEADLINE_S);
    ck_assert_uint_eq(budget_used(&fixture.data), used);
    ck_assert(fixture_holds(&fixture, "key", value_of(sizes[_i])));
    ck_assert(entry_marks(inside_entry(fixture.store, KEY)).is_stale);
    fixture.data.limit = SIZE_MAX;
    inside_check_budget(&fixture);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_empties)
{
    open_with(value_of(sizes[_i]));
    ck_assert_int_eq(apply((struct store_removal){.empties = true}), SESS_OK);
    ck_assert(fixture_holds(&fixture, "key", slice_of(NULL, 0)));
    ck_assert_uint_eq(fixture_look(&fixture, "key").flags, 0);
    ck_assert(!entry_marks(inside_entry(fixture.store, KEY)).is_stale);
    inside_check_budget(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* Another id, a hook that says no, a CAS id that has no room: all is as it was. */
START_TEST(test_changes_nothing)
{
    struct key_state state;
    struct key_state after;

    open_with(value_of(STORE_COPY_MAX - 1));
    ck_assert_int_eq(apply((struct store_removal){.compares_cas = true, .cas = 99}), SESS_EXISTS);
    state = key_state_of(&fixture, "key");
    ck_assert_int_eq(
        apply((struct store_removal){.compares_cas = true, .cas = 99, .invalidates = true}),
        SESS_EXISTS);
    fixture.recorder.answer = MUTATION_BUSY;
    ck_assert_int_eq(apply((struct store_removal){.invalidates = true}), SESS_BUSY);
    fixture.recorder.answer = MUTATION_REFUSED;
    ck_assert_int_eq(apply((struct store_removal){.empties = true}), SESS_REFUSED);
    ck_assert_int_eq(apply((struct store_removal){.cas = 1, .compares_cas = true}), SESS_REFUSED);
    fixture.recorder.answer = MUTATION_ACCEPTED;
    after = key_state_of(&fixture, "key");
    assert_same_state(&after, &state);
    ck_assert_int_eq(apply((struct store_removal){.cas = 1, .compares_cas = true}), SESS_OK);
    ck_assert_int_eq(apply((struct store_removal){.invalidates = true}), SESS_NOT_FOUND);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_ends_with_a_past_deadline)
{
    open_with(value_of(5));
    ck_assert_int_eq(apply((struct store_removal){.invalidates = true,
                                                  .renews = true,
                                                  .expiry = store_expiry_at(FIXTURE_NOW_S)}),
                     SESS_OK);
    ck_assert_int_eq(fixture.recorder.last.mutation.kind, MUTATION_DELETE);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    fixture_close(&fixture);
}
END_TEST

/* An id that a client chose is the entry's, whatever the shard counts; the next plain write has the shard's. */
START_TEST(test_clients_cas)
{
    static const uint64_t ids[] = {1, 5, (1ULL << 40) - 1, 1ULL << 40, CLIENTS_CAS};
    const struct mutation *told = &fixture.recorder.last.mutation;
    uint64_t before;

    open_with(value_of(5));
    before = fixture.outcome.cas;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        ck_assert_int_eq(write_as(STORE_SET, "a", 0, ids[i]), SESS_OK);
        ck_assert_uint_eq(fixture.outcome.cas, ids[i]);
        ck_assert_uint_eq(fixture_look(&fixture, "key").cas, ids[i]);
        ck_assert_uint_eq(told->cas, ids[i]);
        ck_assert(told->marks.is_clients_cas);
        ck_assert_int_eq(write_as(STORE_CAS, "b", ids[i] + 1, 0), SESS_EXISTS);
    }
    ck_assert_int_eq(write_as(STORE_CAS, "b", CLIENTS_CAS, 0), SESS_OK);
    ck_assert_uint_gt(fixture.outcome.cas, before);
    ck_assert_uint_lt(fixture.outcome.cas, before + 100);
    ck_assert(!told->marks.is_clients_cas);
    fixture_close(&fixture);
}
END_TEST

/* A flush ends what was there, low id or high; what is stored behind it stays, low id or high. */
START_TEST(test_flush_ends_clients_ids)
{
    static const uint64_t ids[] = {1, CLIENTS_CAS};

    fixture_open(&fixture);
    for (unsigned round = 0; round < 3; round++) {
        ck_assert_int_eq(write_as(STORE_SET, "a", 0, ids[_i]), SESS_OK);
        fixture_tick_all(&fixture);
        ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
        ck_assert_int_eq(fixture_flush(&fixture, FIXTURE_NOW_S), SESS_OK);
        ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    }
    ck_assert_int_eq(write_as(STORE_SET, "a", 0, ids[_i]), SESS_OK);
    fixture_tick_all(&fixture);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
    fixture_close(&fixture);
}
END_TEST

/* What recovery applies keeps its marks; a flush in between ends it, and not what comes behind. */
START_TEST(test_recovery)
{
    struct store_image image = {
        .kind = IMAGE_SET,
        .key = KEY,
        .value = SLICE_LITERAL("a"),
        .cas = _i == 0 ? 3 : CLIENTS_CAS,
        .marks = {.is_stale = true, .is_clients_cas = true},
        .deadline_s = DEADLINE_S,
    };
    struct store_image flush = {.kind = IMAGE_FLUSH};

    fixture_open(&fixture);
    ck_assert_int_eq(store_apply(fixture.store, &image, 1), SESS_OK);
    ck_assert_int_eq(store_apply(fixture.store, &flush, 1), SESS_OK);
    ck_assert_ptr_null(inside_entry(fixture.store, KEY));
    ck_assert_int_eq(store_apply(fixture.store, &image, 1), SESS_OK);
    store_begin(fixture.store, fixture.now_s, 1 << 24, STORE_NO_DEADLINE);
    ck_assert_uint_eq(fixture_look(&fixture, "key").cas, image.cas);
    ck_assert(entry_marks(inside_entry(fixture.store, KEY)).is_stale);
    ck_assert_int_eq(write_as(STORE_SET, "b", 0, 0), SESS_OK);
    ck_assert_uint_eq(fixture.outcome.cas, 1 << 24);
    fixture_close(&fixture);
}
END_TEST

/* An older version: only with leave to, below the entry's id, and for no longer than the one before it. */
START_TEST(test_takes_older)
{
    struct store_write write = {.mode = STORE_CAS,
                                .key = KEY,
                                .value = SLICE_LITERAL("old"),
                                .expiry = store_expiry_in(1),
                                .takes_older = true};

    fixture_open(&fixture);
    ck_assert_int_eq(write_as(STORE_SET, "a", 0, 10), SESS_OK);
    write.cas = 11;
    ck_assert_int_eq(store_write(fixture.store, &write, fixture.now_s, &fixture.outcome),
                     SESS_EXISTS);
    write.cas = 9;
    ck_assert_int_eq(store_write(fixture.store, &write, fixture.now_s, &fixture.outcome), SESS_OK);
    ck_assert(entry_marks(inside_entry(fixture.store, KEY)).is_stale);
    ck_assert_int_eq(entry_deadline(inside_entry(fixture.store, KEY)), DEADLINE_S);
    ck_assert(fixture_holds(&fixture, "key", SLICE_LITERAL("old")));
    fixture_close(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/remove");
    TCase *facts = suite_case(suite, "store_remove");
    TCase *ids = suite_case(suite, "clients' CAS ids");

    tcase_add_loop_test(facts, test_invalidates, 0, sizeof sizes / sizeof sizes[0]);
    tcase_add_loop_test(facts, test_empties, 0, sizeof sizes / sizeof sizes[0]);
    tcase_add_test(facts, test_changes_nothing);
    tcase_add_test(facts, test_ends_with_a_past_deadline);
    tcase_add_test(ids, test_clients_cas);
    tcase_add_loop_test(ids, test_flush_ends_clients_ids, 0, 2);
    tcase_add_loop_test(ids, test_recovery, 0, 2);
    tcase_add_test(ids, test_takes_older);
    return suite_run(suite);
}
