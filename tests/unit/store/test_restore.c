/* Unit tests of restored sessions: what they keep, what they leave alone, and what comes behind them. Those of whom a
 * clock hides: test_grace.c. */
#include "sessiond/store/walk.h"

#include "store_fixture.h"
#include "suite_main.h"

#include <string.h>

static struct store_fixture fixture;

static enum sess_status restore(const char *key, uint64_t cas, struct store_marks marks,
                                int64_t deadline_s)
{
    struct store_write write = {
        .mode = STORE_RESTORE,
        .key = slice_from_text(key),
        .value = slice_from_text("restored"),
        .flags = 5,
        .expiry = store_expiry_at(deadline_s),
        .cas = cas,
        .marks = marks,
    };

    return store_write(fixture.store, &write, fixture.now_s, &fixture.outcome);
}

static struct store_image told;

static void hear(void *context, const struct store_image *image, struct value_block *block)
{
    (void)context;
    (void)block;
    told = *image;
}

/* What the walk says of the one session that there is. */
static void walk(void)
{
    struct store_walk walk = {.shard = 0};

    told = (struct store_image){.cas = 0};
    while (store_walk_step(fixture.store, &walk, SIZE_MAX, hear, NULL)) {
    }
}

static bool same_marks(const struct store_marks *a, const struct store_marks *b)
{
    return a->is_stale == b->is_stale && a->has_winner == b->has_winner &&
           a->is_clients_cas == b->is_clients_cas && a->is_held == b->is_held &&
           a->asked_s == b->asked_s;
}

START_TEST(it_has_all_that_it_had)
{
    const struct store_marks rows[] = {
        {0},
        {.is_stale = true},
        {.is_stale = true, .has_winner = true},
        {.is_stale = true, .has_winner = true, .is_clients_cas = true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct mutation *mutation = &fixture.recorder.last.mutation;

        fixture_open(&fixture);
        ck_assert_int_eq(restore("key", 77, rows[i], FIXTURE_NOW_S + 9), SESS_OK);
        ck_assert_uint_eq(fixture.outcome.cas, 77);
        ck_assert_uint_eq(fixture.outcome.ticket, 1);
        ck_assert_int_eq(mutation->kind, MUTATION_SET);
        ck_assert_uint_eq(mutation->cas, 77);
        ck_assert(same_marks(&mutation->marks, &rows[i]));
        ck_assert_int_eq(mutation->deadline_s, FIXTURE_NOW_S + 9);
        walk();
        ck_assert_uint_eq(told.cas, 77);
        ck_assert_uint_eq(told.flags, 5);
        ck_assert_int_eq(told.deadline_s, FIXTURE_NOW_S + 9);
        ck_assert(same_marks(&told.marks, &rows[i]));
        ck_assert_uint_eq(fixture_figure(&fixture, "sessions_restored"), 1);
        ck_assert_uint_eq(fixture_figure(&fixture, "sessions_created"), 0);
        fixture_close(&fixture);
    }
}
END_TEST

/* One that is there stays, and is not renewed; one that has ended makes room. */
START_TEST(it_replaces_nobody)
{
    fixture_open(&fixture);
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "there", FIXTURE_NOW_S + 2),
                     SESS_OK);
    ck_assert_int_eq(restore("key", 77, (struct store_marks){0}, STORE_NO_DEADLINE),
                     SESS_NOT_STORED);
    ck_assert(fixture_holds(&fixture, "key", slice_from_text("there")));
    ck_assert_uint_eq(fixture.recorder.n_calls, 1);
    fixture.now_s += 2;
    ck_assert_int_eq(restore("key", 77, (struct store_marks){0}, STORE_NO_DEADLINE), SESS_OK);
    ck_assert(fixture_holds(&fixture, "key", slice_from_text("restored")));
    fixture_close(&fixture);
}
END_TEST

/* Behind its deadline it is not stored, and nothing is told to the journal. */
START_TEST(it_does_not_come_back_from_the_dead)
{
    fixture_open(&fixture);
    ck_assert_int_eq(restore("key", 77, (struct store_marks){0}, FIXTURE_NOW_S), SESS_NOT_FOUND);
    ck_assert_int_eq(restore("key", 77, (struct store_marks){0}, 1), SESS_NOT_FOUND);
    ck_assert_uint_eq(fixture.recorder.n_calls, 0);
    ck_assert_int_eq(restore("key", 77, (struct store_marks){0}, FIXTURE_NOW_S + 1), SESS_OK);
    fixture_close(&fixture);
}
END_TEST

/* A later version has a higher id than the one that was restored, unless a client chose that. */
START_TEST(ids_go_on_above_it)
{
    fixture_open(&fixture);
    ck_assert_int_eq(restore("key", 1000, (struct store_marks){0}, STORE_NO_DEADLINE), SESS_OK);
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "new", STORE_NO_DEADLINE), SESS_OK);
    ck_assert_uint_eq(fixture.outcome.cas, 1001);
    ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_OK);
    ck_assert_int_eq(restore("key", 7, (struct store_marks){0}, STORE_NO_DEADLINE), SESS_OK);
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "new", STORE_NO_DEADLINE), SESS_OK);
    ck_assert_uint_gt(fixture.outcome.cas, 1001);
    ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_OK);
    ck_assert_int_eq(restore("key", UINT64_MAX - 1, (struct store_marks){.is_clients_cas = true},
                             STORE_NO_DEADLINE),
                     SESS_OK);
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "new", STORE_NO_DEADLINE), SESS_OK);
    ck_assert_uint_lt(fixture.outcome.cas, 2000);
    fixture_close(&fixture);
}
END_TEST

/* What a flush ended by mistake is there again at once, whatever id it had; only a client's stays as it is. */
START_TEST(a_flush_in_front_of_it_ends_nothing)
{
    const struct store_marks clients = {.is_clients_cas = true};

    fixture_open(&fixture);
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "v", STORE_NO_DEADLINE),
                         SESS_OK);
    }
    ck_assert_int_eq(fixture_flush(&fixture, 0), SESS_OK);
    ck_assert_int_eq(restore("key", 5, (struct store_marks){0}, STORE_NO_DEADLINE), SESS_OK);
    ck_assert_uint_eq(fixture.outcome.cas, 6);
    ck_assert_uint_eq(fixture.recorder.last.mutation.cas, 6);
    ck_assert_int_eq(restore("other", 3, clients, STORE_NO_DEADLINE), SESS_OK);
    ck_assert_uint_eq(fixture.outcome.cas, 3);
    (void)fixture_tick_all(&fixture);
    ck_assert(fixture_holds(&fixture, "key", slice_from_text("restored")));
    ck_assert(fixture_holds(&fixture, "other", slice_from_text("restored")));
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_the_journal_refuses_is_not_restored)
{
    fixture_open(&fixture);
    fixture.recorder.answer = MUTATION_BUSY;
    ck_assert_int_eq(restore("key", 77, (struct store_marks){0}, STORE_NO_DEADLINE), SESS_BUSY);
    fixture.recorder.answer = MUTATION_REFUSED;
    ck_assert_int_eq(restore("key", 77, (struct store_marks){0}, STORE_NO_DEADLINE), SESS_REFUSED);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    fixture.recorder.answer = MUTATION_ACCEPTED;
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "new", STORE_NO_DEADLINE), SESS_OK);
    ck_assert_uint_eq(fixture.outcome.cas, 1);
    fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("store/restore", it_has_all_that_it_had, it_replaces_nobody,
           it_does_not_come_back_from_the_dead, ids_go_on_above_it,
           a_flush_in_front_of_it_ends_nothing, what_the_journal_refuses_is_not_restored)
