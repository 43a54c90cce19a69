/* Unit tests of the walk: it tells all that is there and stays, whatever else happens meanwhile. */
#include "sessiond/store/walk.h"

#include "compact.h"
#include "store_inside.h"
#include "suite_main.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    SMALL_STORE = 16 << 20,
    KEYS_MAX = 40000,
    SLICE = 16 << 10,
    STEPS_MAX = 1000000,
    LARGE = 100000
};

struct told {
    struct store_fixture *fixture;
    uint8_t times[KEYS_MAX];  /* how often a key was told */
    uint32_t flags[KEYS_MAX]; /* the last that were told of it */
    size_t n_told;
    size_t n_in_slice;
    size_t bytes_in_slice;
    struct value_block *block; /* the last one, referenced */
    unsigned shard;            /* whose slice it is */
    bool was_unlocked;         /* a shard's lock was free while it was told of */
};

static unsigned number_of(struct slice key)
{
    unsigned number = 0;

    for (size_t i = 4; i < key.size; i++) {
        number = number * 10 + (unsigned)(key.data[i] - '0');
    }
    return number;
}

static void hear(void *context, const struct store_image *image, struct value_block *block)
{
    struct told *told = context;
    unsigned number = number_of(image->key);

    HOT_ASSERT(image->kind == IMAGE_SET && number < KEYS_MAX);
    told->times[number]++;
    told->flags[number] = image->flags;
    told->n_told++;
    told->n_in_slice++;
    told->bytes_in_slice += image->key.size + image->value.size;
    if (block != NULL && told->block == NULL) {
        value_block_acquire(block);
        told->block = block;
    }
    if (told->fixture != NULL) {
        pthread_mutex_t *lock = &told->fixture->store->shards[told->shard].lock;

        if (pthread_mutex_trylock(lock) == 0) {
            (void)pthread_mutex_unlock(lock);
            told->was_unlocked = true;
        }
    }
}

static bool step(struct store_fixture *fixture, struct store_walk *walk, struct told *told)
{
    told->n_in_slice = 0;
    told->bytes_in_slice = 0;
    told->shard = walk->shard;
    return store_walk_step(fixture->store, walk, SLICE, hear, told);
}

static void walk_all(struct store_fixture *fixture, struct told *told)
{
    struct store_walk walk = {.shard = 0};
    size_t n_steps = 0;

    while (step(fixture, &walk, told)) {
        HOT_ASSERT(n_steps++ < STEPS_MAX);
    }
}

static void write_flags(struct store_fixture *fixture, unsigned number, uint32_t flags)
{
    HOT_ASSERT(fixture_write_slice(fixture, STORE_SET, fixture_numbered(number),
                                   slice_from_text("value"), flags, STORE_NO_DEADLINE) == SESS_OK);
}

static struct told *begin(struct store_fixture *fixture, unsigned n_keys)
{
    struct told *told = calloc(1, sizeof *told);

    ck_assert_ptr_nonnull(told);
    fixture_open(fixture);
    for (unsigned i = 0; i < n_keys; i++) {
        write_flags(fixture, i, i);
    }
    return told;
}

static void end(struct store_fixture *fixture, struct told *told)
{
    if (told->block != NULL) {
        value_block_release(told->block);
    }
    free(told);
    fixture_close(fixture);
}

START_TEST(an_empty_store_is_walked_through)
{
    struct store_fixture fixture;
    struct told *told = begin(&fixture, 0);

    walk_all(&fixture, told);
    ck_assert_uint_eq(told->n_told, 0);
    end(&fixture, told);
}
END_TEST

START_TEST(every_entry_is_told_once)
{
    struct store_fixture fixture;
    struct told *told = begin(&fixture, KEYS_MAX);

    walk_all(&fixture, told);
    ck_assert_uint_eq(told->n_told, KEYS_MAX);
    for (unsigned i = 0; i < KEYS_MAX; i++) {
        HOT_ASSERT(told->times[i] == 1 && told->flags[i] == i);
    }
    end(&fixture, told);
}
END_TEST

/* Buckets are split in front of it and behind it. */
START_TEST(what_stays_is_told_though_the_index_grows)
{
    enum { FIRST = 4000 };
    struct store_fixture fixture;
    struct told *told = begin(&fixture, FIRST);
    struct store_walk walk = {.shard = 0};
    unsigned n_keys = FIRST;
    bool has_more = true;

    while (has_more) {
        has_more = store_walk_step(fixture.store, &walk, 200, hear, told);
        for (unsigned i = 0; i < 60 && n_keys < KEYS_MAX; i++) {
            write_flags(&fixture, n_keys, n_keys);
            n_keys++;
        }
    }
    ck_assert_uint_eq(n_keys, KEYS_MAX);
    for (unsigned i = 0; i < FIRST; i++) {
        HOT_ASSERT(told->times[i] >= 1 && told->flags[i] == i);
    }
    end(&fixture, told);
}
END_TEST

/* One entry in seven is left, and pages are squeezed in front of the walk, at it and behind it. */
START_TEST(what_stays_is_told_though_it_is_moved)
{
    enum { KEPT_ONE_OF = 7 };
    struct store_fixture fixture;
    struct told *told = calloc(1, sizeof *told);
    struct store_walk walk = {.shard = 0};
    bool has_more = true;
    struct store *store;
    size_t before;

    ck_assert_ptr_nonnull(told);
    fixture_prepare(&fixture);
    budget_init(&fixture.data, SMALL_STORE); /* small pages, several in a shard */
    fixture_start(&fixture);
    store = fixture.store;
    for (unsigned i = 0; i < KEYS_MAX; i++) {
        write_flags(&fixture, i, i);
    }
    before = inside_heap_size(store);
    for (unsigned i = 0; i < KEYS_MAX; i++) {
        HOT_ASSERT(i % KEPT_ONE_OF == 0 ||
                   fixture_delete(&fixture, fixture_numbered(i)) == SESS_OK);
    }
    while (has_more) {
        has_more = store_walk_step(store, &walk, 100, hear, told);
        for (unsigned i = 0; i < store->n_shards; i++) {
            if (compact_pays(&store->shards[i], true)) {
                (void)compact_step(&store->shards[i]);
            }
        }
    }
    ck_assert_uint_lt(inside_heap_size(store), before);
    for (unsigned i = 0; i < KEYS_MAX; i++) {
        HOT_ASSERT(told->times[i] == (i % KEPT_ONE_OF == 0) &&
                   told->flags[i] == (i % KEPT_ONE_OF == 0 ? i : 0));
    }
    end(&fixture, told);
}
END_TEST

START_TEST(what_changes_is_told_in_one_of_its_states)
{
    enum { N = 4000 };
    struct store_fixture fixture;
    struct told *told = begin(&fixture, N);
    struct store_walk walk = {.shard = 0};
    unsigned round = 0;
    bool has_more = true;

    while (has_more) {
        has_more = step(&fixture, &walk, told);
        round++;
        for (unsigned i = round % 16; i < N; i += 16) {
            write_flags(&fixture, i, i + N * round);
        }
        if (round <= N / 2) {
            HOT_ASSERT(fixture_delete(&fixture, fixture_numbered(N - round)) == SESS_OK);
        }
    }
    for (unsigned i = 0; i < N / 4; i++) {
        HOT_ASSERT(told->times[i] >= 1 && told->flags[i] % N == i && told->flags[i] / N <= round);
    }
    end(&fixture, told);
}
END_TEST

START_TEST(what_is_dead_or_flushed_is_left_out)
{
    struct store_fixture fixture;
    struct told *told = begin(&fixture, 0);

    for (unsigned i = 0; i < 1000; i++) {
        HOT_ASSERT(fixture_write(&fixture, STORE_SET, fixture_numbered(i), "v",
                                 i % 2 == 0 ? FIXTURE_NOW_S + 10 : FIXTURE_NOW_S + 1000) ==
                   SESS_OK);
    }
    fixture.now_s += 10;
    /* Shards learn of the time by being used; not one entry is taken away. */
    for (unsigned i = 1000; i < 20000; i++) {
        HOT_ASSERT(fixture_delete(&fixture, fixture_numbered(i)) == SESS_NOT_FOUND);
    }
    walk_all(&fixture, told);
    ck_assert_uint_eq(told->n_told, 500);
    for (unsigned i = 0; i < 1000; i++) {
        HOT_ASSERT(told->times[i] == i % 2);
    }
    ck_assert_int_eq(fixture_flush(&fixture, fixture.now_s), SESS_OK);
    told->n_told = 0;
    walk_all(&fixture, told);
    ck_assert_uint_eq(told->n_told, 0);
    end(&fixture, told);
}
END_TEST

START_TEST(a_large_value_is_told_by_reference)
{
    static uint8_t bytes[LARGE];
    struct store_fixture fixture;
    struct told *told = begin(&fixture, 1);

    memset(bytes, 'x', sizeof bytes);
    walk_all(&fixture, told);
    ck_assert_ptr_null(told->block);
    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, "key-1",
                                         slice_of(bytes, sizeof bytes), 0, STORE_NO_DEADLINE),
                     SESS_OK);
    walk_all(&fixture, told);
    ck_assert_ptr_nonnull(told->block);
    ck_assert_int_eq(fixture_delete(&fixture, "key-1"), SESS_OK);
    ck_assert(slice_equal(value_block_bytes(told->block), slice_of(bytes, sizeof bytes)));
    end(&fixture, told);
}
END_TEST

/* A slice ends behind the bucket in which it has told enough. */
START_TEST(a_slice_is_bounded_and_under_its_shards_lock)
{
    enum { N = 20000, BUCKET_MAX = 60 };
    struct store_fixture fixture;
    struct told *told = begin(&fixture, N);
    struct store_walk walk = {.shard = 0};
    bool has_more = true;

    told->fixture = &fixture;
    while (has_more) {
        struct store_walk before = walk;

        has_more = step(&fixture, &walk, told);
        HOT_ASSERT(told->bytes_in_slice < SLICE + BUCKET_MAX * 32);
        HOT_ASSERT(told->n_in_slice <= 64 * BUCKET_MAX);
        HOT_ASSERT(walk.shard > before.shard || walk.bucket <= before.bucket + 64);
        HOT_ASSERT(walk.shard > before.shard || walk.bucket > before.bucket);
    }
    ck_assert(!told->was_unlocked);
    ck_assert_uint_eq(told->n_told, N);
    end(&fixture, told);
}
END_TEST

struct writing {
    struct store *store;
    unsigned first;
    unsigned n;
    _Atomic bool must_end;
};

static void *write_on(void *context)
{
    struct writing *writing = context;

    for (unsigned i = 0; !atomic_load(&writing->must_end); i++) {
        char key[24];
        struct store_write write = {.mode = STORE_SET,
                                    .value = slice_from_text("value"),
                                    .flags = writing->first + i % writing->n,
                                    .expiry = store_expiry_at(STORE_NO_DEADLINE)};
        struct store_outcome outcome;

        (void)snprintf(key, sizeof key, "key-%u", writing->first + i % writing->n);
        write.key = slice_from_text(key);
        HOT_ASSERT(store_write(writing->store, &write, FIXTURE_NOW_S, &outcome) == SESS_OK);
        if (i % 3 == 0) {
            (void)!store_delete(writing->store, write.key, 0, FIXTURE_NOW_S, &outcome);
        }
    }
    return NULL;
}

START_TEST(others_may_write_meanwhile)
{
    enum { STAY = 5000, WRITERS = 2, EACH = 10000 };
    struct store_fixture fixture;
    struct told *told = begin(&fixture, STAY);
    struct writing writings[WRITERS];
    pthread_t threads[WRITERS];

    store_on_mutation(fixture.store, NULL, NULL);
    for (unsigned i = 0; i < WRITERS; i++) {
        writings[i] = (struct writing){.store = fixture.store, .first = STAY + i * EACH, .n = EACH};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_on, &writings[i]), 0);
    }
    for (unsigned i = 0; i < 5; i++) {
        walk_all(&fixture, told);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        atomic_store(&writings[i].must_end, true);
        (void)pthread_join(threads[i], NULL);
    }
    for (unsigned i = 0; i < STAY; i++) {
        HOT_ASSERT(told->times[i] >= 5 && told->flags[i] == i);
    }
    end(&fixture, told);
}
END_TEST

START_TEST(facts_are_those_of_all_shards)
{
    struct store_fixture fixture;
    struct told *told = begin(&fixture, 100);
    struct store_facts facts = store_get_facts(fixture.store);

    ck_assert_int_eq(facts.flush_at_s, STORE_NO_DEADLINE);
    ck_assert_uint_gt(facts.next_cas, fixture.outcome.cas);
    ck_assert_uint_gt(facts.live_bytes, 0);
    ck_assert_int_eq(fixture_flush(&fixture, FIXTURE_NOW_S + 50), SESS_OK);
    ck_assert_int_eq(store_get_facts(fixture.store).flush_at_s, FIXTURE_NOW_S + 50);
    end(&fixture, told);
}
END_TEST

SUITE_MAIN("store/walk", an_empty_store_is_walked_through, every_entry_is_told_once,
           what_stays_is_told_though_the_index_grows, what_stays_is_told_though_it_is_moved,
           what_changes_is_told_in_one_of_its_states, what_is_dead_or_flushed_is_left_out,
           a_large_value_is_told_by_reference, a_slice_is_bounded_and_under_its_shards_lock,
           others_may_write_meanwhile, facts_are_those_of_all_shards)
