/* Unit tests of flushes: a barrier in the sequence of changes, and the sweep behind it. */
#include "flush.h"

#include "key_state.h"
#include "suite_main.h"

#include <pthread.h>
#include <stdio.h>

enum { MANY = 3000, LARGE = STORE_COPY_MAX + 1 };

static uint8_t bytes[1 << 17];

static void put(struct store_fixture *fixture, const char *key)
{
    ck_assert_int_eq(fixture_write(fixture, STORE_SET, key, "value", STORE_NO_DEADLINE), SESS_OK);
}

static void put_many(struct store_fixture *fixture)
{
    for (unsigned i = 0; i < MANY; i++) {
        put(fixture, fixture_numbered(i));
    }
}

static void flush(struct store_fixture *fixture, int64_t at_s)
{
    ck_assert_int_eq(fixture_flush(fixture, at_s), SESS_OK);
}

static unsigned count_live(struct store_fixture *fixture)
{
    unsigned n = 0;

    for (unsigned i = 0; i < MANY; i++) {
        n += fixture_look(fixture, fixture_numbered(i)).status == SESS_OK;
    }
    return n;
}

static void assert_gone(struct store_fixture *fixture, const char *key)
{
    uint64_t result;
    uint64_t cas = fixture->store->shards[0].next_cas;

    ck_assert_int_eq(fixture_look(fixture, key).status, SESS_NOT_FOUND);
    for (uint64_t old_cas = 1; old_cas < 5; old_cas++) {
        ck_assert_int_eq(fixture_cas(fixture, key, "v", old_cas, STORE_NO_DEADLINE),
                         SESS_NOT_FOUND);
    }
    ck_assert_int_eq(fixture_cas(fixture, key, "v", cas, STORE_NO_DEADLINE), SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_write(fixture, STORE_REPLACE, key, "v", STORE_NO_DEADLINE),
                     SESS_NOT_STORED);
    ck_assert_int_eq(fixture_write(fixture, STORE_APPEND, key, "v", STORE_NO_DEADLINE),
                     SESS_NOT_STORED);
    ck_assert_int_eq(fixture_touch(fixture, key, STORE_NO_DEADLINE), SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_count(fixture, key, 1, false, &result), SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_delete(fixture, key), SESS_NOT_FOUND);
}

/* All keys of all shards are gone for every command, before any space came back. */
START_TEST(test_all_are_gone)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    put_many(&fixture);
    flush(&fixture, fixture.now_s);
    ck_assert_uint_eq(count_live(&fixture), 0);
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), MANY);
    fixture.recorder.n_calls = 0;
    assert_gone(&fixture, fixture_numbered(0));
    ck_assert_uint_eq(fixture.recorder.n_calls, 0);
    fixture_close(&fixture);
}
END_TEST

/* Within one second: what was stored before the flush is gone, what is stored after it stays, however
 * often. The time of the flush may be the caller's now, or any before it. */
START_TEST(test_barrier_is_no_comparison_of_seconds)
{
    static const int64_t times[] = {FIXTURE_NOW_S, FIXTURE_NOW_S - 1, 0, -1, INT64_MIN};
    struct store_fixture fixture;

    fixture_open(&fixture);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        put(&fixture, "before");
        flush(&fixture, times[i]);
        put(&fixture, "after");
        ck_assert_int_eq(fixture_look(&fixture, "before").status, SESS_NOT_FOUND);
        ck_assert_int_eq(fixture_look(&fixture, "after").status, SESS_OK);
    }
    fixture.now_s += 100;
    (void)fixture_tick_all(&fixture);
    ck_assert_int_eq(fixture_look(&fixture, "after").status, SESS_OK);
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 1);
    fixture_close(&fixture);
}
END_TEST

/* A flushed key is stored again, in its place and elsewhere, smaller, larger and by reference: it is a new
 * session, and neither sweep nor time brings the old one back. */
START_TEST(test_flushed_key_is_stored_again)
{
    static const size_t sizes[] = {0, 5, 200, LARGE};
    static const enum store_mode modes[] = {STORE_ADD, STORE_SET};

    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        struct store_fixture fixture;
        struct slice value = slice_of(bytes, sizes[i / 2]);
        uint64_t cas;

        fixture_open(&fixture);
        (void)fixture_write_slice(&fixture, STORE_SET, "key", slice_of(bytes, sizes[i % 4]), 9,
                                  STORE_NO_DEADLINE);
        cas = fixture.outcome.cas;
        flush(&fixture, 0);
        ck_assert_int_eq(
            fixture_write_slice(&fixture, modes[i % 2], "key", value, 3, FIXTURE_NOW_S + 100),
            SESS_OK);
        ck_assert_uint_gt(fixture.outcome.cas, cas);
        ck_assert_int_eq(fixture.recorder.last.mutation.old_deadline_s, 0);
        ck_assert_uint_eq(fixture_figure(&fixture, "sessions_created"), 2);
        ck_assert_uint_eq(fixture_figure(&fixture, "sessions_renewed"), 0);
        (void)fixture_tick_all(&fixture);
        ck_assert(fixture_holds(&fixture, "key", value));
        ck_assert_uint_eq(fixture_look(&fixture, "key").flags, 3);
        ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 1);
        ck_assert_int_eq(fixture_cas(&fixture, "key", "v", cas, STORE_NO_DEADLINE), SESS_EXISTS);
        inside_check_budget(&fixture);
        fixture_close(&fixture);
    }
}
END_TEST

/* A delayed flush: until its second all is there, and from then on only what is stored then. */
START_TEST(test_delayed)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    put_many(&fixture);
    flush(&fixture, FIXTURE_NOW_S + 10);
    fixture.now_s += 9;
    ck_assert_uint_eq(count_live(&fixture), MANY);
    put(&fixture, "late");
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), MANY + 1);
    fixture.now_s++;
    put(&fixture, "new"); /* the first that its shard hears of this second */
    ck_assert_uint_eq(count_live(&fixture), 0);
    ck_assert_int_eq(fixture_look(&fixture, "late").status, SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_look(&fixture, "new").status, SESS_OK);
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 1);
    fixture.now_s += 1000;
    ck_assert_int_eq(fixture_look(&fixture, "new").status, SESS_OK);
    fixture_close(&fixture);
}
END_TEST

/* Its second passes without anybody asking: the tick sees it, and one that comes much later too. */
START_TEST(test_delayed_is_seen_by_the_tick)
{
    static const int64_t late_s[] = {0, 1, 1000};

    for (size_t i = 0; i < sizeof late_s / sizeof late_s[0]; i++) {
        struct store_fixture fixture;

        fixture_open(&fixture);
        put_many(&fixture);
        flush(&fixture, FIXTURE_NOW_S + 10);
        fixture.now_s = FIXTURE_NOW_S + 10 + late_s[i];
        (void)fixture_tick_all(&fixture);
        ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 0);
        ck_assert_uint_eq(fixture_figure(&fixture, "sessions_flushed"), MANY);
        inside_assert_bare(&fixture);
        fixture_close(&fixture);
    }
}
END_TEST

/* A flush that is still to come is replaced by the next one: by an earlier, by a later, and by one at
 * once, after which none is to come. */
START_TEST(test_next_replaces_the_one_to_come)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    put(&fixture, "key");
    flush(&fixture, FIXTURE_NOW_S + 10);
    flush(&fixture, FIXTURE_NOW_S + 20);
    fixture.now_s = FIXTURE_NOW_S + 19;
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
    flush(&fixture, FIXTURE_NOW_S + 100);
    flush(&fixture, FIXTURE_NOW_S + 30);
    fixture.now_s = FIXTURE_NOW_S + 29;
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
    fixture.now_s = FIXTURE_NOW_S + 30;
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    put(&fixture, "key");
    flush(&fixture, FIXTURE_NOW_S + 40);
    flush(&fixture, 0);
    put(&fixture, "key");
    fixture.now_s = FIXTURE_NOW_S + 100;
    (void)fixture_tick_all(&fixture);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
    fixture_close(&fixture);
}
END_TEST

/* The time of a flush to come passes at the very moment of the next one: both count. */
START_TEST(test_due_one_is_not_lost)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    put(&fixture, "key");
    flush(&fixture, FIXTURE_NOW_S + 10);
    fixture.now_s = FIXTURE_NOW_S + 10;
    flush(&fixture, FIXTURE_NOW_S + 50);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    put(&fixture, "key");
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
    fixture.now_s = FIXTURE_NOW_S + 50;
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    fixture_close(&fixture);
}
END_TEST

/* The flush comes from a caller whose time is behind that of some shards: for the latest of them its second
 * has passed, so it takes effect at once, in all. */
START_TEST(test_shards_are_ahead)
{
    struct store_fixture fixture;
    char other[24];

    fixture_open(&fixture);
    inside_neighbour(fixture.store, SLICE_LITERAL("key"), other, sizeof other);
    put(&fixture, "key");
    put_many(&fixture);
    fixture.now_s = FIXTURE_NOW_S + 20;
    ck_assert_int_eq(fixture_look(&fixture, other).status, SESS_NOT_FOUND);
    fixture.now_s = FIXTURE_NOW_S;
    flush(&fixture, FIXTURE_NOW_S + 10);
    ck_assert_int_eq(fixture.recorder.last.mutation.now_s, FIXTURE_NOW_S + 20);
    ck_assert_uint_eq(count_live(&fixture), 0);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    put_many(&fixture);
    fixture.now_s = FIXTURE_NOW_S + 30;
    ck_assert_uint_eq(count_live(&fixture), MANY);
    fixture_close(&fixture);
}
END_TEST

/* Whoever asks the hook counts: once, with all shards locked, and before anything changes. */
struct witness {
    struct store_fixture *fixture;
    unsigned n_calls;
    struct mutation mutation;
    unsigned n_locked;
    bool was_there;
    enum mutation_answer answer;
};

static enum mutation_answer witness_flush(void *context, const struct mutation *mutation,
                                          struct mutation_receipt *receipt)
{
    struct witness *witness = context;
    struct shard *shards = witness->fixture->store->shards;
    struct shard *shard = inside_shard(witness->fixture->store, SLICE_LITERAL("key"));

    witness->n_calls++;
    witness->mutation = *mutation;
    for (size_t i = 0; i < witness->fixture->store->n_shards; i++) {
        if (pthread_mutex_trylock(&shards[i].lock) == 0) {
            (void)pthread_mutex_unlock(&shards[i].lock);
        } else {
            witness->n_locked++;
        }
    }
    witness->was_there =
        shard_is_live(shard, inside_entry(witness->fixture->store, SLICE_LITERAL("key")));
    receipt->ticket = 77;
    receipt->is_revocation = true;
    return witness->answer;
}

START_TEST(test_hook_is_asked_once)
{
    struct store_fixture fixture;
    struct witness witness = {.fixture = &fixture};

    fixture_open(&fixture);
    put(&fixture, "key");
    store_on_mutation(fixture.store, witness_flush, &witness);
    fixture.now_s = FIXTURE_NOW_S + 5;
    flush(&fixture, FIXTURE_NOW_S + 3);
    ck_assert_uint_eq(witness.n_calls, 1);
    ck_assert_int_eq(witness.mutation.kind, MUTATION_FLUSH);
    ck_assert_uint_eq(witness.mutation.key.size, 0);
    ck_assert_uint_eq(witness.mutation.value.size, 0);
    ck_assert_int_eq(witness.mutation.deadline_s, FIXTURE_NOW_S + 3);
    ck_assert_int_eq(witness.mutation.now_s, FIXTURE_NOW_S + 5);
    ck_assert(mutation_revokes(&witness.mutation));
    ck_assert_uint_eq(witness.n_locked, fixture.store->n_shards);
    ck_assert(witness.was_there);
    ck_assert_uint_eq(fixture.outcome.ticket, 77);
    ck_assert_uint_eq(fixture.outcome.revocation_ticket, 77);
    ck_assert_uint_eq(fixture.outcome.cas, 0);
    for (size_t i = 0; i < fixture.store->n_shards; i++) {
        ck_assert_uint_eq(fixture.store->shards[i].ticket, 77);
        ck_assert_uint_eq(fixture.store->shards[i].revocation_ticket, 77);
        ck_assert_int_eq(pthread_mutex_trylock(&fixture.store->shards[i].lock), 0);
        ck_assert_int_eq(pthread_mutex_unlock(&fixture.store->shards[i].lock), 0);
    }
    fixture_close(&fixture);
}
END_TEST

/* When the time of a delayed flush has come, whoever is first asks once more, with all shards locked, for all
 * of them; a change waits for that, and its record comes behind. */
START_TEST(test_due_one_is_asked_once)
{
    struct store_fixture fixture;
    struct witness witness = {.fixture = &fixture};

    fixture_open(&fixture);
    put(&fixture, "key");
    flush(&fixture, FIXTURE_NOW_S + 10);
    ck_assert_int_eq(fixture.recorder.last.mutation.deadline_s, FIXTURE_NOW_S + 10);
    ck_assert_int_eq(fixture.recorder.last.mutation.now_s, FIXTURE_NOW_S);
    fixture.now_s = FIXTURE_NOW_S + 12;
    store_on_mutation(fixture.store, witness_flush, &witness);
    ck_assert_int_eq(fixture_look(&fixture, "other").status, SESS_NOT_FOUND);
    ck_assert_uint_eq(witness.n_calls, 1);
    ck_assert_int_eq(witness.mutation.kind, MUTATION_FLUSH);
    ck_assert_int_eq(witness.mutation.deadline_s, FIXTURE_NOW_S + 10);
    ck_assert_int_eq(witness.mutation.now_s, FIXTURE_NOW_S + 12);
    ck_assert_uint_eq(witness.n_locked, fixture.store->n_shards);
    ck_assert(witness.was_there);
    for (size_t i = 0; i < fixture.store->n_shards; i++) {
        ck_assert_uint_eq(fixture.store->shards[i].ticket, 77);
        ck_assert_uint_eq(fixture.store->shards[i].revocation_ticket, 77);
    }
    ck_assert_uint_eq(fixture.outcome.ticket, 77);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(witness.n_calls, 1);
    fixture_close(&fixture);
}
END_TEST

/* The time is one for all: once a shard has reached it, a caller who is behind, in a shard that is behind,
 * sees the flush too. */
START_TEST(test_due_one_is_in_effect_everywhere)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    put_many(&fixture);
    flush(&fixture, FIXTURE_NOW_S + 10);
    fixture.now_s = FIXTURE_NOW_S + 10;
    put(&fixture, "new");
    fixture.now_s = FIXTURE_NOW_S + 9;
    ck_assert_uint_eq(count_live(&fixture), 0);
    ck_assert_int_eq(fixture_look(&fixture, "new").status, SESS_OK);
    ck_assert_uint_eq(fixture_figure(&fixture, "get_flushed"), MANY);
    fixture_close(&fixture);
}
END_TEST

/* A journal that takes everything but a flush. */
struct no_flush {
    enum mutation_answer answer; /* to a flush */
    unsigned n_flushes;          /* asked for */
    unsigned n_changes;
};

static enum mutation_answer take_no_flush(void *context, const struct mutation *mutation,
                                          struct mutation_receipt *receipt)
{
    struct no_flush *no_flush = context;

    receipt->ticket = 100;
    if (mutation->kind == MUTATION_FLUSH) {
        no_flush->n_flushes++;
        return no_flush->answer;
    }
    no_flush->n_changes++;
    return MUTATION_ACCEPTED;
}

/* No change of any kind goes through, nor is it asked for. */
static void assert_no_change(struct store_fixture *fixture, enum sess_status status)
{
    uint64_t result;
    struct store_reading reading;

    ck_assert_int_eq(fixture_write(fixture, STORE_SET, "new", "v", STORE_NO_DEADLINE), status);
    ck_assert_int_eq(fixture_write(fixture, STORE_SET, "key", "v", STORE_NO_DEADLINE), status);
    ck_assert_int_eq(fixture_write(fixture, STORE_SET, "key", "v", 0), status);
    ck_assert_int_eq(fixture_write(fixture, STORE_APPEND, "key", "v", 0), status);
    ck_assert_int_eq(fixture_count(fixture, "number", 1, false, &result), status);
    ck_assert_int_eq(fixture_touch(fixture, "key", fixture->now_s + 100), status);
    ck_assert_int_eq(fixture_delete(fixture, "key"), status);
    ck_assert_int_eq(store_read_touch_begin(fixture->store, SLICE_LITERAL("key"), 0,
                                            store_expiry_in(100), fixture->now_s, &reading),
                     status);
    ck_assert_int_eq(fixture_flush(fixture, fixture->now_s + 100), status);
}

/* The journal has no room at the moment at which a delayed flush is due: looks go on and find what is there,
 * and not one change is recorded in front of the flush, else it would be acknowledged and then flushed.
 * When there is room, it comes about. */
START_TEST(test_due_one_finds_no_room)
{
    static const struct {
        enum mutation_answer answer;
        enum sess_status status;
    } answers[] = {{MUTATION_BUSY, SESS_BUSY}, {MUTATION_REFUSED, SESS_REFUSED}};

    for (size_t i = 0; i < 2; i++) {
        struct store_fixture fixture;
        struct no_flush no_flush = {.answer = answers[i].answer};

        fixture_open(&fixture);
        put_many(&fixture);
        put(&fixture, "key");
        ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "number", "1", STORE_NO_DEADLINE),
                         SESS_OK);
        flush(&fixture, FIXTURE_NOW_S + 10);
        store_on_mutation(fixture.store, take_no_flush, &no_flush);
        fixture.now_s = FIXTURE_NOW_S + 15;
        ck_assert_uint_eq(count_live(&fixture), MANY);
        ck_assert_uint_eq(no_flush.n_flushes, MANY);
        assert_no_change(&fixture, answers[i].status);
        ck_assert_uint_eq(no_flush.n_changes, 0);
        ck_assert_int_eq(fixture_touch(&fixture, "none", 0), SESS_NOT_FOUND);
        (void)fixture_tick_all(&fixture);
        ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), MANY + 2);
        ck_assert(fixture_holds(&fixture, "key", SLICE_LITERAL("value")));
        no_flush.answer = MUTATION_ACCEPTED;
        no_flush.n_flushes = 0;
        put(&fixture, "new");
        ck_assert_uint_eq(no_flush.n_flushes, 1);
        ck_assert_uint_eq(no_flush.n_changes, 1);
        ck_assert_uint_eq(count_live(&fixture), 0);
        ck_assert_int_eq(fixture_look(&fixture, "new").status, SESS_OK);
        fixture.now_s += 200;
        ck_assert_int_eq(fixture_look(&fixture, "new").status, SESS_OK);
        ck_assert_uint_eq(no_flush.n_flushes, 1);
        fixture_close(&fixture);
    }
}
END_TEST

/* One that is to come when another is due: two records, and none of the two is forgotten. One at once takes
 * the due one's place: one record. */
START_TEST(test_due_one_and_the_next)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    flush(&fixture, FIXTURE_NOW_S + 10);
    fixture.now_s = FIXTURE_NOW_S + 10;
    flush(&fixture, FIXTURE_NOW_S + 20);
    ck_assert_uint_eq(fixture.recorder.n_calls, 3);
    ck_assert_uint_eq(fixture.outcome.ticket, 3);
    fixture.now_s = FIXTURE_NOW_S + 20;
    flush(&fixture, 0);
    ck_assert_uint_eq(fixture.recorder.n_calls, 4);
    fixture.now_s = FIXTURE_NOW_S + 100;
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(fixture.recorder.n_calls, 4);
    fixture_close(&fixture);
}
END_TEST

enum { N_READERS = 4 };

/* Looks at all keys, each from elsewhere. */
struct reader {
    pthread_t thread;
    struct store_fixture *fixture;
    unsigned first;
    unsigned n_found;
};

static void *read_all(void *context)
{
    struct reader *reader = context;

    for (unsigned i = 0; i < MANY; i++) {
        char key[24];
        struct store_reading reading;

        (void)snprintf(key, sizeof key, "key-%u", (reader->first + i) % MANY);
        if (store_read_begin(reader->fixture->store, slice_from_text(key), 0,
                             reader->fixture->now_s, &reading) == SESS_OK) {
            reader->n_found++;
            store_read_end(&reading);
        }
    }
    return NULL;
}

/* Many are first at the same time: one record, and nobody finds anything. */
START_TEST(test_due_one_among_threads)
{
    struct store_fixture fixture;
    struct reader readers[N_READERS];

    fixture_open(&fixture);
    put_many(&fixture);
    flush(&fixture, FIXTURE_NOW_S + 10);
    fixture.recorder.n_calls = 0;
    fixture.now_s = FIXTURE_NOW_S + 10;
    for (unsigned i = 0; i < N_READERS; i++) {
        readers[i] = (struct reader){.fixture = &fixture, .first = i * MANY / N_READERS};
        ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, read_all, &readers[i]), 0);
    }
    for (unsigned i = 0; i < N_READERS; i++) {
        ck_assert_int_eq(pthread_join(readers[i].thread, NULL), 0);
        ck_assert_uint_eq(readers[i].n_found, 0);
    }
    ck_assert_uint_eq(fixture.recorder.n_calls, 1);
    fixture_close(&fixture);
}
END_TEST

/* The journal says no: every session is there as before, now and at the time that was asked for. */
START_TEST(test_hook_says_no)
{
    static const struct {
        enum mutation_answer answer;
        enum sess_status status;
    } answers[] = {{MUTATION_BUSY, SESS_BUSY}, {MUTATION_REFUSED, SESS_REFUSED}};

    for (size_t i = 0; i < 2; i++) {
        struct store_fixture fixture;
        struct key_state state;
        struct key_state after;

        fixture_open(&fixture);
        put_many(&fixture);
        put(&fixture, "key");
        state = key_state_of(&fixture, "key");
        fixture.recorder.answer = answers[i].answer;
        ck_assert_int_eq(fixture_flush(&fixture, fixture.now_s), answers[i].status);
        ck_assert_int_eq(fixture_flush(&fixture, fixture.now_s + 5), answers[i].status);
        ck_assert_uint_eq(fixture.outcome.cas, 0);
        after = key_state_of(&fixture, "key");
        assert_same_state(&after, &state);
        fixture.now_s += 5;
        (void)fixture_tick_all(&fixture);
        ck_assert_uint_eq(count_live(&fixture), MANY);
        fixture_close(&fixture);
    }
}
END_TEST

/* Nobody is asked: the flush comes about. */
START_TEST(test_without_a_hook)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    store_on_mutation(fixture.store, NULL, NULL);
    put(&fixture, "key");
    flush(&fixture, 0);
    ck_assert_uint_eq(fixture.outcome.ticket, 0);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    fixture_close(&fixture);
}
END_TEST

/* The space comes back in steps: each slice takes out no more than its steps allow, all is gone in the
 * end, and what was stored meanwhile stays. */
START_TEST(test_sweep_comes_in_slices)
{
    enum { STEPS = 64 };
    struct store_fixture fixture;
    struct store_ticker ticker = {.stride = 1};
    unsigned n_slices = 0;
    uint64_t left = MANY;
    bool has_more = true;

    fixture_open(&fixture);
    put_many(&fixture);
    flush(&fixture, 0);
    while (has_more) {
        uint64_t before = left;

        has_more = store_tick(fixture.store, &ticker, fixture.now_s, STEPS);
        left = fixture_figure(&fixture, "curr_items");
        ck_assert_uint_le(left, before);
        ck_assert_uint_le(before - left, STEPS);
        ck_assert_uint_lt(++n_slices, MANY);
    }
    ck_assert_uint_ge(n_slices, MANY / STEPS);
    ck_assert_uint_eq(fixture_figure(&fixture, "sessions_flushed"), MANY);
    ck_assert_uint_eq(fixture_figure(&fixture, "reclaimed"), 0);
    ck_assert_uint_eq(fixture_figure(&fixture, "sessions_deleted"), 0);
    inside_assert_bare(&fixture);
    inside_check_pages(fixture.store);
    for (size_t i = 0; i < fixture.store->n_shards; i++) {
        ck_assert(flush_is_swept(&fixture.store->shards[i]));
    }
    /* It is over: nothing is left to do. */
    ck_assert(!store_tick(fixture.store, &ticker, fixture.now_s, fixture.store->n_shards));
    fixture_close(&fixture);
}
END_TEST

/* Store keys that all belong into one bucket of the first shard, from a number on. Returns the number
 * behind the last. */
static unsigned put_crowd(struct store_fixture *fixture, unsigned from)
{
    enum { CROWD = 20, BUCKETS = 32 };
    struct store *store = fixture->store;

    for (unsigned n_there = 0; n_there < CROWD; from++) {
        struct slice key = slice_from_text(fixture_numbered(from));
        uint64_t hash = hash_bytes(&store->config.hash_key, key);

        if (shard_of(store, hash) == store->shards && hash % BUCKETS == 0) {
            put(fixture, fixture_numbered(from));
            n_there++;
        }
    }
    ck_assert_uint_le(store->shards[0].index.n_buckets, BUCKETS);
    return from;
}

/* A bucket that overflows, with new keys in front of flushed ones in the end, is swept to its end. */
START_TEST(test_sweep_takes_overflow_pieces)
{
    struct store_fixture fixture;
    unsigned next;

    fixture_open(&fixture);
    next = put_crowd(&fixture, 0);
    flush(&fixture, 0);
    (void)put_crowd(&fixture, next);
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(fixture_figure(&fixture, "sessions_flushed"),
                      fixture_figure(&fixture, "curr_items"));
    inside_check_budget(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* Keys come while the sweep is under way, so many that its index grows: none of them is taken, all of
 * the old ones are. */
START_TEST(test_sweep_while_the_index_grows)
{
    struct store_fixture fixture;
    struct store_ticker ticker = {.stride = 1};
    char key[24];

    fixture_open(&fixture);
    put_many(&fixture);
    flush(&fixture, 0);
    for (unsigned i = 0; i < 10 * MANY; i++) {
        (void)snprintf(key, sizeof key, "new-%u", i);
        put(&fixture, key);
        (void)store_tick(fixture.store, &ticker, fixture.now_s, 2);
    }
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), (uint64_t)10 * MANY);
    ck_assert_uint_eq(fixture_figure(&fixture, "sessions_flushed"), MANY);
    ck_assert_uint_eq(count_live(&fixture), 0);
    inside_check_budget(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* A second flush while the first is swept: it begins anew, and takes all that came between. */
START_TEST(test_flush_during_a_sweep)
{
    struct store_fixture fixture;
    struct store_ticker ticker = {.stride = 1};

    fixture_open(&fixture);
    put_many(&fixture);
    flush(&fixture, 0);
    (void)store_tick(fixture.store, &ticker, fixture.now_s, MANY / 2);
    put_many(&fixture);
    flush(&fixture, 0);
    (void)fixture_tick_all(&fixture);
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 0);
    inside_assert_bare(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* Large values are released by the sweep; a reader keeps its own. */
START_TEST(test_sweep_releases_blocks)
{
    struct store_fixture fixture;
    struct store_reading reading;

    fixture_open(&fixture);
    memset(bytes, 'L', sizeof bytes);
    for (unsigned i = 0; i < 20; i++) {
        ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, fixture_numbered(i),
                                             slice_of(bytes, sizeof bytes), 0, STORE_NO_DEADLINE),
                         SESS_OK);
    }
    ck_assert_int_eq(
        store_read_begin(fixture.store, SLICE_LITERAL("key-7"), 0, fixture.now_s, &reading),
        SESS_OK);
    flush(&fixture, 0);
    (void)fixture_tick_all(&fixture);
    inside_assert_bare(&fixture);
    ck_assert(slice_equal(reading.value, slice_of(bytes, sizeof bytes)));
    store_read_end(&reading);
    fixture_close(&fixture);
}
END_TEST

/* A look at a flushed session is counted as that, one at an expired session as the other; one that is
 * both is expired. */
START_TEST(test_misses_are_counted)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    put(&fixture, "flushed");
    (void)fixture_write(&fixture, STORE_SET, "both", "v", FIXTURE_NOW_S + 1);
    flush(&fixture, 0);
    (void)fixture_write(&fixture, STORE_SET, "expired", "v", FIXTURE_NOW_S + 1);
    fixture.now_s++;
    (void)fixture_look(&fixture, "none");
    ck_assert_uint_eq(fixture_figure(&fixture, "get_flushed"), 0);
    ck_assert_uint_eq(fixture_figure(&fixture, "get_expired"), 0);
    (void)fixture_look(&fixture, "flushed");
    ck_assert_uint_eq(fixture_figure(&fixture, "get_flushed"), 1);
    ck_assert_uint_eq(fixture_figure(&fixture, "get_expired"), 0);
    (void)fixture_look(&fixture, "expired");
    ck_assert_uint_eq(fixture_figure(&fixture, "get_expired"), 1);
    (void)fixture_look(&fixture, "both");
    ck_assert_uint_eq(fixture_figure(&fixture, "get_flushed"), 1);
    ck_assert_uint_eq(fixture_figure(&fixture, "get_expired"), 2);
    fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("store/flush", test_all_are_gone, test_barrier_is_no_comparison_of_seconds,
           test_flushed_key_is_stored_again, test_delayed, test_delayed_is_seen_by_the_tick,
           test_next_replaces_the_one_to_come, test_due_one_is_not_lost, test_shards_are_ahead,
           test_hook_is_asked_once, test_due_one_is_asked_once,
           test_due_one_is_in_effect_everywhere, test_due_one_finds_no_room,
           test_due_one_and_the_next, test_due_one_among_threads, test_hook_says_no,
           test_without_a_hook, test_sweep_comes_in_slices, test_sweep_takes_overflow_pieces,
           test_sweep_while_the_index_grows, test_flush_during_a_sweep, test_sweep_releases_blocks,
           test_misses_are_counted)
