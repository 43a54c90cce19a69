/* Unit tests of looks that change: what they find, what they leave, what the journal is told, and that one which
 * cannot go through has changed nothing. */
#include "sessiond/store/store.h"

#include "store_fixture.h"
#include "store_inside.h"
#include "suite_main.h"

#define KEY SLICE_LITERAL("key")

enum { DEADLINE_S = FIXTURE_NOW_S + 100, LARGE = STORE_COPY_MAX + 1 };

static struct store_fixture fixture;
static struct store_sight sight;

static enum sess_status look(struct store_look how)
{
    struct store_reading reading;
    enum sess_status status;

    how.key = KEY;
    status = store_look_begin(fixture.store, &how, fixture.now_s, &reading, &sight);
    if (status == SESS_OK) {
        if (how.replies != NULL && reading.block != NULL) {
            value_block_take_back(reading.block, how.replies);
        }
        store_read_end(&reading);
    }
    return status;
}

static void open_with(const char *value)
{
    fixture_open(&fixture);
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", value, DEADLINE_S), SESS_OK);
}

static struct store_marks marks(void)
{
    return entry_marks(inside_entry(fixture.store, KEY));
}

static void invalidate(void)
{
    struct store_removal removal = {.key = KEY, .invalidates = true};

    ck_assert_int_eq(store_remove(fixture.store, &removal, fixture.now_s, &fixture.outcome),
                     SESS_OK);
}

START_TEST(test_sees)
{
    open_with("value");
    fixture.now_s += 7;
    ck_assert_int_eq(look((struct store_look){.leaves_no_trace = true}), SESS_OK);
    ck_assert_int_eq(sight.idle_s, 7);
    ck_assert(!sight.was_fetched && !sight.is_stale && !sight.had_winner && !sight.has_won);
    ck_assert_int_eq(sight.ttl_s, 93);
    ck_assert_int_eq(look((struct store_look){.replies = NULL}), SESS_OK);
    ck_assert_int_eq(sight.idle_s, 7);
    ck_assert(!sight.was_fetched);
    ck_assert_int_eq(look((struct store_look){.replies = NULL}), SESS_OK);
    ck_assert_int_eq(sight.idle_s, 0);
    ck_assert(sight.was_fetched);
    fixture_close(&fixture);
}
END_TEST

/* The journal is asked for a vivified entry, with its winner; the winner of a stale one is memory's alone. */
START_TEST(test_tells_the_journal)
{
    struct store_look vivify = {.vivifies = true, .vivified = store_expiry_in(30), .new_cas = 9};
    const struct mutation *told = &fixture.recorder.last.mutation;

    fixture_open(&fixture);
    ck_assert_int_eq(look(vivify), SESS_OK);
    ck_assert(sight.has_won && !sight.had_winner);
    ck_assert_int_eq(told->kind, MUTATION_SET);
    ck_assert_uint_eq(told->value.size, 0);
    ck_assert_uint_eq(told->cas, 9);
    ck_assert_int_eq(told->deadline_s, FIXTURE_NOW_S + 30);
    ck_assert(told->marks.has_winner && told->marks.is_clients_cas && !told->marks.is_stale);
    ck_assert_int_eq(look(vivify), SESS_OK);
    ck_assert(!sight.has_won && sight.had_winner);
    ck_assert_uint_eq(fixture.recorder.n_calls, 1);
    invalidate();
    ck_assert(told->marks.is_stale && !told->marks.has_winner && !told->marks.is_clients_cas);
    ck_assert_int_eq(look(vivify), SESS_OK);
    ck_assert(sight.has_won && sight.is_stale);
    ck_assert_uint_eq(fixture.recorder.n_calls, 2);
    fixture_close(&fixture);
}
END_TEST

/* Who was not answered has not won: the next one does. */
START_TEST(test_a_look_that_waits_wins_nothing)
{
    static const struct {
        enum mutation_answer answer;
        enum sess_status status;
    } rows[] = {{MUTATION_BUSY, SESS_BUSY}, {MUTATION_REFUSED, SESS_REFUSED}};
    struct store_look touch = {.renews = true, .expiry = store_expiry_in(50)};

    open_with("value");
    invalidate();
    fixture.recorder.answer = rows[_i].answer;
    ck_assert_int_eq(look(touch), rows[_i].status);
    ck_assert(marks().is_stale && !marks().has_winner);
    ck_assert(!entry_is_fetched(inside_entry(fixture.store, KEY)));
    fixture.recorder.answer = MUTATION_ACCEPTED;
    ck_assert_int_eq(look(touch), SESS_OK);
    ck_assert(sight.has_won);
    ck_assert_int_eq(sight.old_ttl_s, 100);
    ck_assert_int_eq(sight.ttl_s, 50);
    fixture_close(&fixture);
}
END_TEST

/* A value that cannot be lent now, or ever. Nothing is lent behind it. */
START_TEST(test_lends_first)
{
    static uint8_t large[LARGE];
    struct budget replies;
    struct store_look how = {.replies = &replies, .renews = true, .expiry = store_expiry_in(50)};

    fixture_open(&fixture);
    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, "key", slice_of(large, sizeof large),
                                         0, DEADLINE_S),
                     SESS_OK);
    invalidate();
    budget_init(&replies, LARGE - 1);
    ck_assert_int_eq(look(how), SESS_TOO_LARGE);
    budget_init(&replies, LARGE);
    ck_assert(budget_charge(&replies, 1));
    ck_assert_int_eq(look(how), SESS_BUSY);
    ck_assert(!marks().has_winner);
    ck_assert_int_eq(entry_deadline(inside_entry(fixture.store, KEY)), DEADLINE_S);
    budget_release(&replies, 1);
    fixture.recorder.answer = MUTATION_BUSY;
    ck_assert_int_eq(look(how), SESS_BUSY);
    ck_assert_uint_eq(budget_used(&replies), 0);
    fixture.recorder.answer = MUTATION_ACCEPTED;
    ck_assert_int_eq(look(how), SESS_OK);
    ck_assert_uint_eq(budget_used(&replies), 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_vivifies_nothing_that_has_ended)
{
    struct store_look dead = {.vivifies = true, .vivified = store_expiry_at(FIXTURE_NOW_S)};

    fixture_open(&fixture);
    ck_assert_int_eq(look(dead), SESS_NOT_FOUND);
    ck_assert_uint_eq(fixture.recorder.n_calls, 0);
    ck_assert_int_eq(look((struct store_look){.renews = true, .expiry = store_expiry_in(5)}),
                     SESS_NOT_FOUND);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_vivifies_nothing_without_memory)
{
    struct store_look how = {.vivifies = true, .vivified = store_expiry_in(30)};

    fixture_open(&fixture);
    fixture.data.limit = budget_used(&fixture.data);
    ck_assert_int_eq(look(how), SESS_NO_MEMORY);
    fixture.data.limit = SIZE_MAX;
    ck_assert_int_eq(look(how), SESS_OK);
    ck_assert(sight.has_won);
    fixture_close(&fixture);
}
END_TEST

/* The time that is left against the one that was said: less is a win, as much is none. */
START_TEST(test_recaches)
{
    struct store_look how = {.recaches = true, .recache = store_expiry_in(100)};

    open_with("value");
    ck_assert_int_eq(look(how), SESS_OK);
    ck_assert(!sight.has_won);
    how.recache = store_expiry_in(101);
    how.renews = true;
    how.expiry = store_expiry_in(200);
    how.recaches_renewed = true;
    ck_assert_int_eq(look(how), SESS_OK);
    ck_assert(!sight.has_won);
    how.expiry = store_expiry_in(50);
    how.recaches_renewed = false;
    ck_assert_int_eq(look(how), SESS_OK);
    ck_assert(!sight.has_won);
    ck_assert_int_eq(look(how), SESS_OK);
    ck_assert(sight.has_won);
    ck_assert_int_eq(look(how), SESS_OK);
    ck_assert(!sight.has_won && sight.had_winner);
    fixture_close(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/look");
    TCase *facts = suite_case(suite, "store_look_begin");

    tcase_add_test(facts, test_sees);
    tcase_add_test(facts, test_tells_the_journal);
    tcase_add_loop_test(facts, test_a_look_that_waits_wins_nothing, 0, 2);
    tcase_add_test(facts, test_lends_first);
    tcase_add_test(facts, test_vivifies_nothing_that_has_ended);
    tcase_add_test(facts, test_vivifies_nothing_without_memory);
    tcase_add_test(facts, test_recaches);
    return suite_run(suite);
}
