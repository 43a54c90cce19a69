/* Unit tests of writes under conditions, and of deadlines that are told from now on. */
#include "sessiond/store/store.h"

#include "key_state.h"
#include "suite.h"

enum { LARGE = STORE_COPY_MAX + 1, DEADLINE_S = FIXTURE_NOW_S + 10 };

static struct store_fixture fixture;
static uint8_t bytes[1 << 18];

static void set_up(void)
{
    fixture_open(&fixture);
}

static void tear_down(void)
{
    inside_check_budget(&fixture);
    inside_check_pages(fixture.store);
    fixture_close(&fixture);
}

static uint64_t put(const char *value)
{
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", value, DEADLINE_S), SESS_OK);
    return fixture.outcome.cas;
}

static enum sess_status cas(uint64_t id)
{
    return fixture_cas(&fixture, "key", "new", id, DEADLINE_S + 5);
}

static void check_cas_refused(uint64_t id, enum sess_status status)
{
    struct key_state state = key_state_of(&fixture, "key");
    struct key_state after;

    ck_assert_int_eq(cas(id), status);
    ck_assert_uint_eq(fixture.outcome.cas, 0);
    after = key_state_of(&fixture, "key");
    assert_same_state(&after, &state);
}

/* The id that a look or a write told: the value is stored, and has a new one. */
START_TEST(cas_of_the_latest_id)
{
    uint64_t id = put("old");

    ck_assert_uint_eq(fixture_look(&fixture, "key").cas, id);
    ck_assert_int_eq(cas(id), SESS_OK);
    ck_assert_uint_gt(fixture.outcome.cas, id);
    ck_assert_uint_gt(fixture_look(&fixture, "key").cas, id);
    ck_assert_str_eq(fixture_look(&fixture, "key").value, "new");
    ck_assert_int_eq(entry_deadline(inside_entry(fixture.store, SLICE_LITERAL("key"))),
                     DEADLINE_S + 5);
    ck_assert_int_eq(fixture.recorder.last.mutation.kind, MUTATION_SET);
    ck_assert_int_eq(fixture.recorder.last.mutation.old_deadline_s, DEADLINE_S);
    /* The same id does not work twice. */
    check_cas_refused(id, SESS_EXISTS);
}
END_TEST

/* Any other id: the one before, the one to come, none at all, and one that differs in its high bits. */
START_TEST(cas_of_another_id)
{
    uint64_t before = put("older");
    uint64_t id = put("old");

    check_cas_refused(before, SESS_EXISTS);
    check_cas_refused(id + 1, SESS_EXISTS);
    check_cas_refused(0, SESS_EXISTS);
    check_cas_refused(id | 1ULL << 40, SESS_EXISTS);
    check_cas_refused(UINT64_MAX, SESS_EXISTS);
    ck_assert_uint_eq(fixture.recorder.n_calls, 2);
}
END_TEST

/* The key was never there, was deleted, has expired or was flushed: it is not found, whatever the id. */
START_TEST(cas_of_none)
{
    uint64_t id;

    check_cas_refused(1, SESS_NOT_FOUND);
    id = put("old");
    (void)fixture_delete(&fixture, "key");
    check_cas_refused(id, SESS_NOT_FOUND);
    id = put("old");
    (void)fixture_flush(&fixture, 0);
    check_cas_refused(id, SESS_NOT_FOUND);
    id = put("old");
    fixture.now_s = DEADLINE_S;
    check_cas_refused(id, SESS_NOT_FOUND);
    ck_assert_uint_eq(fixture.recorder.n_calls, 5);
}
END_TEST

/* What changes a value changes its id: an overwrite with the same bytes, a count, an append. What does not
 * leaves it: a touch, a look, and whatever was refused. */
START_TEST(cas_sees_every_change)
{
    uint64_t id = put("1");
    uint64_t result;

    (void)put("1");
    check_cas_refused(id, SESS_EXISTS);
    id = fixture_look(&fixture, "key").cas;
    ck_assert_int_eq(fixture_count(&fixture, "key", 0, false, &result), SESS_OK);
    check_cas_refused(id, SESS_EXISTS);
    id = fixture_look(&fixture, "key").cas;
    ck_assert_int_eq(fixture_write(&fixture, STORE_APPEND, "key", "", 0), SESS_OK);
    check_cas_refused(id, SESS_EXISTS);
    id = fixture_look(&fixture, "key").cas;
    ck_assert_int_eq(fixture_touch(&fixture, "key", DEADLINE_S + 100), SESS_OK);
    ck_assert_int_eq(fixture_write(&fixture, STORE_ADD, "key", "v", DEADLINE_S), SESS_NOT_STORED);
    fixture.recorder.answer = MUTATION_REFUSED;
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "v", DEADLINE_S), SESS_REFUSED);
    ck_assert_int_eq(cas(id), SESS_REFUSED);
    fixture.recorder.answer = MUTATION_BUSY;
    ck_assert_int_eq(cas(id), SESS_BUSY);
    fixture.recorder.answer = MUTATION_ACCEPTED;
    ck_assert_int_eq(cas(id), SESS_OK);
}
END_TEST

/* A deleted key that is stored again has another id than it ever had. */
START_TEST(cas_does_not_come_back)
{
    uint64_t id = put("old");

    (void)fixture_delete(&fixture, "key");
    ck_assert_uint_gt(put("old"), id);
    check_cas_refused(id, SESS_EXISTS);
}
END_TEST

/* Large values, and values that change from small to large and back. */
START_TEST(cas_of_large_values)
{
    static const size_t sizes[] = {5, LARGE, 100000, LARGE, 5};

    memset(bytes, 'L', sizeof bytes);
    (void)put("old");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t id = fixture_look(&fixture, "key").cas;
        struct store_write write = {
            .mode = STORE_CAS,
            .key = SLICE_LITERAL("key"),
            .value = slice_of(bytes, sizes[i]),
            .expiry = store_expiry_at(STORE_NO_DEADLINE),
            .cas = id + 1,
        };

        ck_assert_int_eq(store_write(fixture.store, &write, fixture.now_s, &fixture.outcome),
                         SESS_EXISTS);
        write.cas = id;
        ck_assert_int_eq(store_write(fixture.store, &write, fixture.now_s, &fixture.outcome),
                         SESS_OK);
        ck_assert(fixture_holds(&fixture, "key", write.value));
        inside_check_budget(&fixture);
    }
}
END_TEST

/* The deadline has passed: the right id deletes, another one does not. */
START_TEST(cas_dead_on_arrival)
{
    uint64_t id = put("old");

    ck_assert_int_eq(fixture_cas(&fixture, "key", "v", id + 1, 0), SESS_EXISTS);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
    ck_assert_int_eq(fixture_cas(&fixture, "key", "v", id, 0), SESS_OK);
    ck_assert_int_eq(fixture.recorder.last.mutation.kind, MUTATION_DELETE);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_cas(&fixture, "key", "v", id, 0), SESS_NOT_FOUND);
}
END_TEST

/* An id that needs its wide field. */
START_TEST(cas_of_a_wide_id)
{
    uint64_t id;

    fixture_close(&fixture);
    fixture_prepare(&fixture);
    fixture.config.first_cas = (1ULL << 40) - 1;
    fixture_start(&fixture);
    id = put("old");
    ck_assert_int_eq(cas(id), SESS_OK);
    ck_assert_uint_eq(fixture_look(&fixture, "key").cas, 1ULL << 40);
    check_cas_refused(0, SESS_EXISTS);
    check_cas_refused((1ULL << 40) + 1, SESS_EXISTS);
    ck_assert_int_eq(cas(1ULL << 40), SESS_OK);
}
END_TEST

enum { N_THREADS = 4, N_INCREMENTS = 2000 };

struct incrementer {
    pthread_t thread;
    uint64_t n_lost; /* tries that came too late */
    uint64_t n_wrong;
};

static bool try_increment(struct incrementer *self)
{
    struct store_reading reading;
    struct store_outcome outcome;
    uint64_t number;
    struct store_write write = {.mode = STORE_CAS,
                                .key = SLICE_LITERAL("key"),
                                .value = slice_of(&number, sizeof number),
                                .expiry = store_expiry_at(STORE_NO_DEADLINE)};
    enum sess_status status =
        store_read_begin(fixture.store, SLICE_LITERAL("key"), 0, FIXTURE_NOW_S, &reading);

    if (status != SESS_OK) {
        self->n_wrong++;
        return true;
    }
    memcpy(&number, reading.value.data, sizeof number);
    number++;
    write.cas = reading.cas;
    store_read_end(&reading);
    status = store_write(fixture.store, &write, FIXTURE_NOW_S, &outcome);
    self->n_lost += status == SESS_EXISTS;
    self->n_wrong += status != SESS_EXISTS && status != SESS_OK;
    return status == SESS_OK;
}

static void *increment(void *context)
{
    for (unsigned i = 0; i < N_INCREMENTS; i++) {
        while (!try_increment(context)) {
        }
    }
    return NULL;
}

/* Four threads count by look and cas: not one count is lost. */
START_TEST(cas_loses_nothing)
{
    struct incrementer incrementers[N_THREADS] = {{.n_lost = 0}};
    uint64_t number = 0;

    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, "key",
                                         slice_of(&number, sizeof number), 0, STORE_NO_DEADLINE),
                     SESS_OK);
    store_on_mutation(fixture.store, NULL, NULL);
    for (size_t i = 0; i < N_THREADS; i++) {
        ck_assert_int_eq(pthread_create(&incrementers[i].thread, NULL, increment, &incrementers[i]),
                         0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        ck_assert_int_eq(pthread_join(incrementers[i].thread, NULL), 0);
        ck_assert_uint_eq(incrementers[i].n_wrong, 0);
    }
    number = N_THREADS * N_INCREMENTS;
    ck_assert(fixture_holds(&fixture, "key", slice_of(&number, sizeof number)));
}
END_TEST

static enum sess_status put_for(const char *key, int64_t ttl_s)
{
    struct store_write write = {.mode = STORE_SET,
                                .key = slice_from_text(key),
                                .value = SLICE_LITERAL("v"),
                                .expiry = store_expiry_in(ttl_s)};

    return store_write(fixture.store, &write, fixture.now_s, &fixture.outcome);
}

static int64_t deadline_of(const char *key)
{
    return entry_deadline(inside_entry(fixture.store, slice_from_text(key)));
}

/* Another caller's time is seconds ahead. A session of one second counts from what its shard knows: it is
 * not dead on arrival, in any mode, nor touched into its grave. */
START_TEST(relative_counts_from_the_shards_time)
{
    struct store_reading reading;

    fixture.now_s = FIXTURE_NOW_S + 3;
    (void)fixture_look(&fixture, "key");
    fixture.now_s = FIXTURE_NOW_S;
    ck_assert_int_eq(put_for("key", 1), SESS_OK);
    ck_assert_uint_ne(fixture.outcome.cas, 0);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
    ck_assert_int_eq(deadline_of("key"), FIXTURE_NOW_S + 4);
    ck_assert_int_eq(fixture.recorder.last.mutation.deadline_s, FIXTURE_NOW_S + 4);
    ck_assert_int_eq(fixture.recorder.last.mutation.now_s, FIXTURE_NOW_S + 3);
    ck_assert_int_eq(store_touch(fixture.store, SLICE_LITERAL("key"), 0, store_expiry_in(2),
                                 fixture.now_s, &fixture.outcome),
                     SESS_OK);
    ck_assert_int_eq(deadline_of("key"), FIXTURE_NOW_S + 5);
    ck_assert_int_eq(store_read_touch_begin(fixture.store, SLICE_LITERAL("key"), 0,
                                            store_expiry_in(1), fixture.now_s, &reading),
                     SESS_OK);
    store_read_end(&reading);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
    ck_assert_int_eq(deadline_of("key"), FIXTURE_NOW_S + 4);
    fixture.now_s = FIXTURE_NOW_S + 4;
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
}
END_TEST

/* An absolute deadline is the caller's word: one that the shard's time has passed is dead. */
START_TEST(absolute_does_not)
{
    fixture.now_s = FIXTURE_NOW_S + 3;
    (void)fixture_look(&fixture, "key");
    fixture.now_s = FIXTURE_NOW_S;
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "v", FIXTURE_NOW_S + 3), SESS_OK);
    ck_assert_uint_eq(fixture.outcome.cas, 0);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
}
END_TEST

/* Spans up to those that no clock reaches: what an entry cannot hold is its latest deadline. */
START_TEST(relative_spans)
{
    static const struct {
        int64_t ttl_s;
        int64_t deadline_s;
    } rows[] = {
        {1, FIXTURE_NOW_S + 1},
        {2592000, FIXTURE_NOW_S + 2592000},
        {ENTRY_DEADLINE_MAX - FIXTURE_NOW_S - 1, ENTRY_DEADLINE_MAX - 1},
        {ENTRY_DEADLINE_MAX - FIXTURE_NOW_S, ENTRY_DEADLINE_MAX},
        {ENTRY_DEADLINE_MAX - FIXTURE_NOW_S + 1, ENTRY_DEADLINE_MAX},
        {INT64_MAX - 1, ENTRY_DEADLINE_MAX},
        {STORE_NO_DEADLINE, STORE_NO_DEADLINE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(put_for("key", rows[i].ttl_s), SESS_OK);
        ck_assert_int_eq(deadline_of("key"), rows[i].deadline_s);
        ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
    }
}
END_TEST

/* The same for absolute ones. */
START_TEST(absolute_deadlines)
{
    static const struct {
        int64_t told_s;
        int64_t deadline_s;
    } rows[] = {
        {FIXTURE_NOW_S + 1, FIXTURE_NOW_S + 1},
        {UINT32_MAX, UINT32_MAX},
        {(int64_t)UINT32_MAX + 1, (int64_t)UINT32_MAX + 1},
        {ENTRY_DEADLINE_MAX, ENTRY_DEADLINE_MAX},
        {ENTRY_DEADLINE_MAX + 1, ENTRY_DEADLINE_MAX},
        {INT64_MAX - 1, ENTRY_DEADLINE_MAX},
        {STORE_NO_DEADLINE, STORE_NO_DEADLINE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "v", rows[i].told_s), SESS_OK);
        ck_assert_int_eq(deadline_of("key"), rows[i].deadline_s);
        ck_assert_int_eq(fixture.recorder.last.mutation.deadline_s, rows[i].deadline_s);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/write");
    TCase *cases[] = {suite_case(suite, "STORE_CAS"), suite_case(suite, "store_expiry")};

    for (size_t i = 0; i < 2; i++) {
        tcase_set_timeout(cases[i], 0);
        tcase_add_checked_fixture(cases[i], set_up, tear_down);
    }
    tcase_add_test(cases[0], cas_of_the_latest_id);
    tcase_add_test(cases[0], cas_of_another_id);
    tcase_add_test(cases[0], cas_of_none);
    tcase_add_test(cases[0], cas_sees_every_change);
    tcase_add_test(cases[0], cas_does_not_come_back);
    tcase_add_test(cases[0], cas_of_large_values);
    tcase_add_test(cases[0], cas_dead_on_arrival);
    tcase_add_test(cases[0], cas_of_a_wide_id);
    tcase_add_test(cases[0], cas_loses_nothing);
    tcase_add_test(cases[1], relative_counts_from_the_shards_time);
    tcase_add_test(cases[1], absolute_does_not);
    tcase_add_test(cases[1], relative_spans);
    tcase_add_test(cases[1], absolute_deadlines);
    return suite_run(suite);
}
