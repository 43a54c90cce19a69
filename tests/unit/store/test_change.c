/* Unit tests of changes: conditions, failures that change nothing, what the hook is told, touch,
 * and the memory limit. */
#include "change.h"

#include "faults.h"
#include "store_fixture.h"
#include "store_inside.h"
#include "suite_main.h"

#include <stdio.h>
#include <stdlib.h>

#define ITEMS(array) (sizeof(array) / sizeof((array)[0]))

enum { OLD_FLAGS = 7, LARGE = STORE_COPY_MAX + 1 };

static const int64_t far_s = (int64_t)1 << 40;
static uint8_t bytes[1 << 20];

/* What a key was before a change. */
enum before { ABSENT, LIVE, EXPIRED };

static const enum before all_before[] = {ABSENT, LIVE, EXPIRED};
static const enum store_mode all_modes[] = {STORE_SET, STORE_ADD, STORE_REPLACE};

/* Bring "key" into a state. The shard has its index's spare piece afterwards, so that all that is
 * charged later is charged for entries. */
static void bring(struct store_fixture *fixture, enum before before)
{
    ck_assert_int_eq(fixture_write(fixture, STORE_SET, "key", "warm", STORE_NO_DEADLINE), SESS_OK);
    ck_assert_int_eq(fixture_delete(fixture, "key"), SESS_OK);
    if (before != ABSENT) {
        ck_assert_int_eq(fixture_write_slice(fixture, STORE_SET, "key", SLICE_LITERAL("old value"),
                                             OLD_FLAGS, fixture->now_s + 10),
                         SESS_OK);
    }
    if (before == EXPIRED) {
        fixture->now_s += 10;
    }
    fixture->recorder.n_calls = 0;
}

static bool would_store(enum store_mode mode, enum before before)
{
    return mode == STORE_SET || (mode == STORE_ADD) == (before != LIVE);
}

/* All that a failed change must leave as it was. */
struct state {
    struct seen seen;
    int64_t deadline_s;
    const struct entry *entry;
    size_t used;
    uint64_t curr_items;
    uint64_t total_items;
    uint64_t bytes;
    uint64_t ticket;
    uint64_t revocation_ticket;
};

static struct state state_of(struct store_fixture *fixture)
{
    struct state state = {.seen = fixture_look(fixture, "key")};

    state.entry = inside_entry(fixture->store, SLICE_LITERAL("key"));
    state.deadline_s = state.entry == NULL ? 0 : entry_deadline(state.entry);
    state.used = budget_used(&fixture->data);
    state.curr_items = fixture_figure(fixture, "curr_items");
    state.total_items = fixture_figure(fixture, "total_items");
    state.bytes = fixture_figure(fixture, "bytes");
    state.ticket = fixture->outcome.ticket;
    state.revocation_ticket = fixture->outcome.revocation_ticket;
    return state;
}

static void assert_same(const struct state *a, const struct state *b)
{
    ck_assert_int_eq(a->seen.status, b->seen.status);
    ck_assert_uint_eq(a->seen.size, b->seen.size);
    ck_assert_str_eq(a->seen.value, b->seen.value);
    ck_assert_uint_eq(a->seen.flags, b->seen.flags);
    ck_assert_uint_eq(a->seen.cas, b->seen.cas);
    ck_assert_int_eq(a->deadline_s, b->deadline_s);
    ck_assert_ptr_eq(a->entry, b->entry);
    ck_assert_uint_eq(a->used, b->used);
    ck_assert_uint_eq(a->curr_items, b->curr_items);
    ck_assert_uint_eq(a->total_items, b->total_items);
    ck_assert_uint_eq(a->bytes, b->bytes);
    ck_assert_uint_eq(a->ticket, b->ticket);
    ck_assert_uint_eq(a->revocation_ticket, b->revocation_ticket);
}

/* Every byte charged is the index's or an entry's. */
static void check_budget(struct store_fixture *fixture)
{
    ck_assert_uint_eq(budget_used(&fixture->data),
                      inside_index_size(fixture->store) + fixture_figure(fixture, "bytes"));
}

static void assert_holds(struct store_fixture *fixture, const char *value, uint32_t flags,
                         int64_t deadline_s)
{
    struct seen seen = fixture_look(fixture, "key");

    ck_assert_int_eq(seen.status, SESS_OK);
    ck_assert_str_eq(seen.value, value);
    ck_assert_uint_eq(seen.flags, flags);
    ck_assert_int_eq(entry_deadline(inside_entry(fixture->store, SLICE_LITERAL("key"))),
                     deadline_s);
}

static void try_mode(enum store_mode mode, enum before before, struct slice value)
{
    struct store_fixture fixture;
    struct state state;
    enum sess_status status;

    fixture_open(&fixture);
    bring(&fixture, before);
    state = state_of(&fixture);
    status = fixture_write_slice(&fixture, mode, "key", value, 3, fixture.now_s + 77);
    if (would_store(mode, before)) {
        ck_assert_int_eq(status, SESS_OK);
        ck_assert_uint_gt(fixture.outcome.cas, state.seen.cas);
        ck_assert_uint_eq(fixture_look(&fixture, "key").size, value.size);
        assert_holds(&fixture, fixture_look(&fixture, "key").value, 3, fixture.now_s + 77);
        ck_assert_int_eq(fixture_look(&fixture, "key").value[0], value.data[0]);
        ck_assert_uint_eq(fixture_figure(&fixture, "total_items"), state.total_items + 1);
    } else {
        struct state after = state_of(&fixture);

        ck_assert_int_eq(status, SESS_NOT_STORED);
        assert_same(&after, &state);
        ck_assert_uint_eq(fixture.recorder.n_calls, 0);
    }
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"),
                      before != ABSENT || would_store(mode, before));
    check_budget(&fixture);
    fixture_close(&fixture);
}

/* set, add and replace of a key that is absent, live or expired, with a small value and a large one. */
START_TEST(test_modes)
{
    memset(bytes, 'L', sizeof bytes);
    for (size_t m = 0; m < ITEMS(all_modes); m++) {
        for (size_t b = 0; b < ITEMS(all_before); b++) {
            try_mode(all_modes[m], all_before[b], SLICE_LITERAL("new value"));
            try_mode(all_modes[m], all_before[b], slice_of(bytes, LARGE));
        }
    }
}
END_TEST

/* Values of every size around the border between a copy and a block, and of the largest size. */
START_TEST(test_sizes)
{
    static const size_t sizes[] = {0, 1, STORE_COPY_MAX - 1, STORE_COPY_MAX, LARGE, 1 << 20};
    struct store_fixture fixture;

    fixture_open(&fixture);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 31 % 251);
    }
    for (size_t from = 0; from < ITEMS(sizes); from++) {
        for (size_t to = 0; to < ITEMS(sizes); to++) {
            struct store_reading reading;

            ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, "key",
                                                 slice_of(bytes, sizes[from]), 0,
                                                 STORE_NO_DEADLINE),
                             SESS_OK);
            ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, "key",
                                                 slice_of(bytes, sizes[to]), 0, STORE_NO_DEADLINE),
                             SESS_OK);
            check_budget(&fixture);
            ck_assert_int_eq(
                store_read_begin(fixture.store, SLICE_LITERAL("key"), fixture.now_s, &reading),
                SESS_OK);
            ck_assert(slice_equal(reading.value, slice_of(bytes, sizes[to])));
            store_read_end(&reading);
        }
    }
    fixture_close(&fixture);
}
END_TEST

/* The ways in which a write fails that would have stored. */
enum failure { VALUE_TOO_LARGE, BUDGET_FULL, FIRST_MALLOC, SECOND_MALLOC, HOOK_BUSY, HOOK_REFUSED };

static const enum failure all_failures[] = {VALUE_TOO_LARGE, BUDGET_FULL, FIRST_MALLOC,
                                            SECOND_MALLOC,   HOOK_BUSY,   HOOK_REFUSED};

static enum sess_status prepare_failure(struct store_fixture *fixture, enum failure failure)
{
    switch (failure) {
    case VALUE_TOO_LARGE:
        return SESS_TOO_LARGE;
    case BUDGET_FULL:
        fixture->data.limit = budget_used(&fixture->data) + 1000;
        return SESS_NO_MEMORY;
    case FIRST_MALLOC:
        faults_fail_allocation(1);
        return SESS_NO_MEMORY;
    case SECOND_MALLOC:
        faults_fail_allocation(2);
        return SESS_NO_MEMORY;
    case HOOK_BUSY:
        fixture->recorder.answer = MUTATION_BUSY;
        return SESS_BUSY;
    default:
        fixture->recorder.answer = MUTATION_REFUSED;
        return SESS_REFUSED;
    }
}

static void try_failure(enum failure failure, enum store_mode mode, enum before before)
{
    struct store_fixture fixture;
    struct state state;
    struct state after;
    enum sess_status expected;
    size_t size = failure == VALUE_TOO_LARGE ? LARGE + 1 : LARGE;

    fixture_prepare(&fixture);
    fixture.config.max_value_bytes = LARGE;
    fixture_start(&fixture);
    bring(&fixture, before);
    state = state_of(&fixture);
    expected = prepare_failure(&fixture, failure);
    ck_assert_int_eq(
        fixture_write_slice(&fixture, mode, "key", slice_of(bytes, size), 3, fixture.now_s + 99),
        expected);
    ck_assert_uint_eq(fixture.outcome.cas, 0);
    after = state_of(&fixture);
    assert_same(&after, &state);
    fixture_close(&fixture);
}

/* A write that fails for size, memory or the journal leaves value, flags, CAS id, deadline, budget
 * and tickets as they were. */
START_TEST(test_failed_write_changes_nothing)
{
    for (size_t f = 0; f < ITEMS(all_failures); f++) {
        for (size_t m = 0; m < ITEMS(all_modes); m++) {
            for (size_t b = 0; b < ITEMS(all_before); b++) {
                if (would_store(all_modes[m], all_before[b])) {
                    try_failure(all_failures[f], all_modes[m], all_before[b]);
                }
            }
        }
    }
}
END_TEST

/* The index cannot grow: what was charged for the entry is given back. */
START_TEST(test_no_room_in_the_index)
{
    struct store_fixture fixture;
    size_t used;

    fixture_open(&fixture);
    used = budget_used(&fixture.data);
    faults_fail_allocation(2); /* behind the entry's own */
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "value", STORE_NO_DEADLINE),
                     SESS_NO_MEMORY);
    ck_assert_uint_eq(budget_used(&fixture.data), used);
    ck_assert_uint_eq(fixture.recorder.n_calls, 0);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    fixture_close(&fixture);
}
END_TEST

/* What a set, add or replace with a deadline that has passed must do. */
static void try_dead_write(enum store_mode mode, enum before before, int64_t deadline_s,
                           size_t size)
{
    struct store_fixture fixture;
    bool stores = would_store(mode, before);
    uint64_t ticket;

    fixture_open(&fixture);
    bring(&fixture, before);
    ticket = fixture.recorder.ticket;
    ck_assert_int_eq(
        fixture_write_slice(&fixture, mode, "key", slice_of(bytes, size), 3, deadline_s),
        stores ? SESS_OK : SESS_NOT_STORED);
    ck_assert_uint_eq(fixture.outcome.cas, 0);
    if (stores && before == LIVE) {
        const struct mutation *told = &fixture.recorder.last.mutation;

        ck_assert_uint_eq(fixture.recorder.n_calls, 1);
        ck_assert_int_eq(told->kind, MUTATION_DELETE);
        ck_assert(slice_is(told->key, "key"));
        ck_assert_int_eq(told->old_deadline_s, fixture.now_s + 10);
        ck_assert_uint_eq(fixture.outcome.ticket, ticket + 1);
        ck_assert_uint_eq(fixture.outcome.revocation_ticket, ticket + 1);
    }
    ck_assert_int_eq(fixture_look(&fixture, "key").status,
                     before == LIVE && !stores ? SESS_OK : SESS_NOT_FOUND);
    if (stores) {
        ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 0);
        ck_assert_uint_eq(fixture_figure(&fixture, "bytes"), 0);
    }
    check_budget(&fixture);
    fixture_close(&fixture);
}

/* The deadline has passed on arrival: the answer is the ordinary one, nothing is kept, and a live key
 * is deleted as by delete. libmemcached's `exist` is such an add. */
START_TEST(test_dead_on_arrival)
{
    static const int64_t deadlines[] = {INT64_MIN, -1, 0, FIXTURE_NOW_S - 1, FIXTURE_NOW_S};

    for (size_t m = 0; m < ITEMS(all_modes); m++) {
        for (size_t b = 0; b < ITEMS(all_before); b++) {
            for (size_t d = 0; d < ITEMS(deadlines); d++) {
                try_dead_write(all_modes[m], all_before[b], deadlines[d], 5);
            }
            try_dead_write(all_modes[m], all_before[b], 0, LARGE);
        }
    }
}
END_TEST

/* The journal does not take the deletion that a dead write means: the live key stays. */
START_TEST(test_dead_on_arrival_can_fail)
{
    struct store_fixture fixture;
    struct state state;
    struct state after;

    fixture_open(&fixture);
    bring(&fixture, LIVE);
    state = state_of(&fixture);
    fixture.recorder.answer = MUTATION_BUSY;
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "new", 1), SESS_BUSY);
    fixture.recorder.answer = MUTATION_REFUSED;
    ck_assert_int_eq(fixture_write(&fixture, STORE_REPLACE, "key", "new", 1), SESS_REFUSED);
    after = state_of(&fixture);
    assert_same(&after, &state);
    fixture_close(&fixture);
}
END_TEST

/* delete of a key that is absent, live or expired. */
START_TEST(test_delete)
{
    for (size_t b = 0; b < ITEMS(all_before); b++) {
        struct store_fixture fixture;
        bool is_live = all_before[b] == LIVE;

        fixture_open(&fixture);
        bring(&fixture, all_before[b]);
        ck_assert_int_eq(fixture_delete(&fixture, "key"), is_live ? SESS_OK : SESS_NOT_FOUND);
        ck_assert_uint_eq(fixture.recorder.n_calls, is_live);
        ck_assert_uint_eq(fixture.outcome.cas, 0);
        ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
        ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_NOT_FOUND);
        check_budget(&fixture);
        fixture_close(&fixture);
    }
}
END_TEST

/* delete and touch while the journal is full or takes nothing. */
START_TEST(test_delete_and_touch_can_fail)
{
    static const struct {
        enum mutation_answer answer;
        enum sess_status status;
    } rows[] = {{MUTATION_BUSY, SESS_BUSY}, {MUTATION_REFUSED, SESS_REFUSED}};

    for (size_t i = 0; i < ITEMS(rows); i++) {
        struct store_fixture fixture;
        struct state state;
        struct state after;

        fixture_open(&fixture);
        bring(&fixture, LIVE);
        state = state_of(&fixture);
        fixture.recorder.answer = rows[i].answer;
        ck_assert_int_eq(fixture_delete(&fixture, "key"), rows[i].status);
        ck_assert_uint_eq(fixture.outcome.ticket, state.ticket);
        ck_assert_int_eq(fixture_touch(&fixture, "key", fixture.now_s + 50), rows[i].status);
        ck_assert_int_eq(fixture_touch(&fixture, "key", far_s), rows[i].status);
        ck_assert_int_eq(fixture_touch(&fixture, "key", 0), rows[i].status);
        after = state_of(&fixture);
        assert_same(&after, &state);
        fixture_close(&fixture);
    }
}
END_TEST

/* touch of a key that is not there, or not any more. */
START_TEST(test_touch_of_none)
{
    static const enum before rows[] = {ABSENT, EXPIRED};

    for (size_t i = 0; i < ITEMS(rows); i++) {
        struct store_fixture fixture;

        fixture_open(&fixture);
        bring(&fixture, rows[i]);
        ck_assert_int_eq(fixture_touch(&fixture, "key", fixture.now_s + 100), SESS_NOT_FOUND);
        ck_assert_int_eq(fixture_touch(&fixture, "key", 0), SESS_NOT_FOUND);
        ck_assert_int_eq(fixture_touch(&fixture, "key", far_s), SESS_NOT_FOUND);
        ck_assert_uint_eq(fixture.recorder.n_calls, 0);
        ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
        fixture_close(&fixture);
    }
}
END_TEST

/* A session with a value of `size` is touched with all kinds of deadlines, one after the other. */
static void try_touches(size_t size)
{
    static const int64_t deadlines[] = {
        FIXTURE_NOW_S + 100, FIXTURE_NOW_S + 1, STORE_NO_DEADLINE,
        FIXTURE_NOW_S + 500, UINT32_MAX,        (int64_t)1 << 40,
        FIXTURE_NOW_S + 200, STORE_NO_DEADLINE, INT64_MAX - 1,
    };
    struct store_fixture fixture;
    int64_t deadline_s = FIXTURE_NOW_S + 10;
    uint64_t cas;

    fixture_open(&fixture);
    memset(bytes, 'T', size);
    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, "key", slice_of(bytes, size),
                                         OLD_FLAGS, deadline_s),
                     SESS_OK);
    cas = fixture.outcome.cas;
    for (size_t i = 0; i < ITEMS(deadlines); i++) {
        const struct mutation *told = &fixture.recorder.last.mutation;
        struct seen seen;

        ck_assert_int_eq(fixture_touch(&fixture, "key", deadlines[i]), SESS_OK);
        ck_assert_uint_eq(fixture.outcome.cas, 0);
        ck_assert_int_eq(told->kind, MUTATION_SET);
        ck_assert_uint_eq(told->cas, cas);
        ck_assert_uint_eq(told->flags, OLD_FLAGS);
        ck_assert_uint_eq(told->value.size, size);
        ck_assert_int_eq(told->deadline_s, deadlines[i]);
        ck_assert_int_eq(told->old_deadline_s, deadline_s);
        ck_assert_uint_eq(fixture.recorder.n_calls, i + 2);
        deadline_s = deadlines[i];
        seen = fixture_look(&fixture, "key");
        ck_assert_uint_eq(seen.cas, cas);
        ck_assert_uint_eq(seen.size, size);
        assert_holds(&fixture, seen.value, OLD_FLAGS, deadline_s);
        ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 1);
        check_budget(&fixture);
    }
    ck_assert_int_eq(fixture_touch(&fixture, "key", fixture.now_s), SESS_OK);
    ck_assert_int_eq(fixture.recorder.last.mutation.kind, MUTATION_DELETE);
    ck_assert_int_eq(fixture.recorder.last.mutation.old_deadline_s, deadline_s);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 0);
    check_budget(&fixture);
    fixture_close(&fixture);
}

/* touch to a longer, a shorter, no, a far and a dead deadline: all but the deadline stays. */
START_TEST(test_touch)
{
    try_touches(9);
    try_touches(LARGE);
}
END_TEST

/* A touch of a far deadline needs a wider entry and there is no memory for it. */
START_TEST(test_far_touch_without_memory)
{
    struct store_fixture fixture;
    struct state state;
    struct state after;

    fixture_open(&fixture);
    bring(&fixture, LIVE);
    state = state_of(&fixture);
    faults_fail_allocation(1);
    ck_assert_int_eq(fixture_touch(&fixture, "key", far_s), SESS_NO_MEMORY);
    after = state_of(&fixture);
    assert_same(&after, &state);
    ck_assert_int_eq(fixture_touch(&fixture, "key", far_s), SESS_OK);
    fixture_close(&fixture);
}
END_TEST

/* A value is written over a live, an expired and an everlasting entry: the hook is told the new state
 * and what it ends. */
START_TEST(test_hook_is_told_the_new_state)
{
    struct store_fixture fixture;
    const struct mutation *told = &fixture.recorder.last.mutation;

    fixture_open(&fixture);
    bring(&fixture, ABSENT);
    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_ADD, "key", SLICE_LITERAL("one"), 11,
                                         FIXTURE_NOW_S + 5),
                     SESS_OK);
    ck_assert_int_eq(told->kind, MUTATION_SET);
    ck_assert(slice_is(told->key, "key"));
    ck_assert(slice_is(told->value, "one"));
    ck_assert_uint_eq(told->flags, 11);
    ck_assert_uint_eq(told->cas, fixture.outcome.cas);
    ck_assert_int_eq(told->deadline_s, FIXTURE_NOW_S + 5);
    ck_assert_int_eq(told->old_deadline_s, 0);

    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "two", STORE_NO_DEADLINE), SESS_OK);
    ck_assert(slice_is(told->value, "two"));
    ck_assert_uint_eq(told->flags, 0);
    ck_assert_uint_eq(told->cas, fixture.outcome.cas);
    ck_assert_int_eq(told->deadline_s, STORE_NO_DEADLINE);
    ck_assert_int_eq(told->old_deadline_s, FIXTURE_NOW_S + 5);

    ck_assert_int_eq(fixture_write(&fixture, STORE_REPLACE, "key", "three", FIXTURE_NOW_S + 9),
                     SESS_OK);
    ck_assert_int_eq(told->old_deadline_s, STORE_NO_DEADLINE);

    fixture.now_s = FIXTURE_NOW_S + 9;
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "four", FIXTURE_NOW_S + 20),
                     SESS_OK);
    ck_assert_int_eq(told->old_deadline_s, 0);
    ck_assert_uint_eq(fixture.recorder.n_calls, 4);
    fixture_close(&fixture);
}
END_TEST

/* What a hook of its own sees of the store's state while it is asked. */
struct peek {
    struct store *store;
    bool was_there;
    char value[16];
    int64_t deadline_s;
};

static enum mutation_answer look_at_present(void *context, const struct mutation *mutation,
                                            struct mutation_receipt *receipt)
{
    struct peek *peek = context;
    const struct entry *entry = inside_entry(peek->store, mutation->key);

    peek->was_there = entry != NULL;
    if (entry != NULL) {
        struct slice value = entry_value(entry);

        memset(peek->value, 0, sizeof peek->value);
        memcpy(peek->value, value.data, value.size);
        peek->deadline_s = entry_deadline(entry);
    }
    receipt->ticket = 1;
    return MUTATION_ACCEPTED;
}

/* The hook is asked before each kind of change: it still finds what was there before. */
START_TEST(test_hook_is_asked_before_the_change)
{
    struct store_fixture fixture;
    struct peek peek = {.was_there = true};

    fixture_open(&fixture);
    peek.store = fixture.store;
    store_on_mutation(fixture.store, look_at_present, &peek);
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "one", 2000000), SESS_OK);
    ck_assert(!peek.was_there);
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "two", 2000001), SESS_OK);
    ck_assert_str_eq(peek.value, "one");
    ck_assert_int_eq(fixture_touch(&fixture, "key", 2000002), SESS_OK);
    ck_assert_str_eq(peek.value, "two");
    ck_assert_int_eq(peek.deadline_s, 2000001);
    ck_assert_int_eq(fixture_touch(&fixture, "key", far_s), SESS_OK);
    ck_assert_int_eq(peek.deadline_s, 2000002);
    ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_OK);
    ck_assert(peek.was_there);
    ck_assert_int_eq(peek.deadline_s, far_s);
    fixture_close(&fixture);
}
END_TEST

/* Nobody is asked: changes come about, and replies wait for nothing. */
START_TEST(test_without_a_hook)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    store_on_mutation(fixture.store, NULL, NULL);
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "one", STORE_NO_DEADLINE), SESS_OK);
    ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_OK);
    ck_assert_uint_eq(fixture.outcome.ticket, 0);
    ck_assert_uint_eq(fixture.outcome.revocation_ticket, 0);
    fixture_close(&fixture);
}
END_TEST

static void assert_tickets(const struct store_fixture *fixture, uint64_t ticket,
                           uint64_t revocation_ticket)
{
    ck_assert_uint_eq(fixture->outcome.ticket, ticket);
    ck_assert_uint_eq(fixture->outcome.revocation_ticket, revocation_ticket);
}

/* Every outcome carries the tickets of its key's shard, a miss too; only what takes a session away or
 * shortens it moves that of revocations. */
START_TEST(test_tickets)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    (void)fixture_look(&fixture, "key");
    assert_tickets(&fixture, 0, 0);
    (void)fixture_write(&fixture, STORE_SET, "key", "v", FIXTURE_NOW_S + 100);
    assert_tickets(&fixture, 1, 0);
    (void)fixture_write(&fixture, STORE_SET, "key", "w", FIXTURE_NOW_S + 100);
    assert_tickets(&fixture, 2, 0);
    (void)fixture_touch(&fixture, "key", FIXTURE_NOW_S + 200);
    assert_tickets(&fixture, 3, 0);
    (void)fixture_touch(&fixture, "key", FIXTURE_NOW_S + 150);
    assert_tickets(&fixture, 4, 4);
    (void)fixture_write(&fixture, STORE_ADD, "key", "x", FIXTURE_NOW_S + 150);
    assert_tickets(&fixture, 4, 4);
    (void)fixture_look(&fixture, "key");
    assert_tickets(&fixture, 4, 4);
    (void)fixture_touch(&fixture, "key", STORE_NO_DEADLINE);
    assert_tickets(&fixture, 5, 4);
    (void)fixture_write(&fixture, STORE_REPLACE, "key", "y", FIXTURE_NOW_S + 300);
    assert_tickets(&fixture, 6, 6);
    (void)fixture_delete(&fixture, "key");
    assert_tickets(&fixture, 7, 7);
    (void)fixture_delete(&fixture, "key");
    assert_tickets(&fixture, 7, 7);
    (void)fixture_look(&fixture, "key");
    assert_tickets(&fixture, 7, 7);
    (void)fixture_write(&fixture, STORE_ADD, "key", "z", FIXTURE_NOW_S + 1);
    assert_tickets(&fixture, 8, 7);
    fixture.now_s = FIXTURE_NOW_S + 1;
    (void)fixture_write(&fixture, STORE_SET, "key", "z", FIXTURE_NOW_S + 2);
    assert_tickets(&fixture, 9, 7);
    fixture_close(&fixture);
}
END_TEST

/* A change of one key says nothing about a key of another shard. */
START_TEST(test_tickets_are_of_the_shard)
{
    struct store_fixture fixture;
    struct shard *shard;
    char other[16];
    unsigned number = 0;

    fixture_open(&fixture);
    shard = inside_shard(fixture.store, SLICE_LITERAL("key"));
    do {
        (void)snprintf(other, sizeof other, "other-%u", number++);
    } while (inside_shard(fixture.store, slice_from_text(other)) == shard);
    (void)fixture_write(&fixture, STORE_SET, "key", "v", FIXTURE_NOW_S + 100);
    (void)fixture_delete(&fixture, "key");
    (void)fixture_look(&fixture, other);
    assert_tickets(&fixture, 0, 0);
    fixture_close(&fixture);
}
END_TEST

/* Each write of a key gives a CAS id above the last one, also when it was deleted in between. */
static void check_cas_rises(uint64_t first_cas)
{
    struct store_fixture fixture;
    uint64_t last = first_cas - 1;

    fixture_prepare(&fixture);
    fixture.config.first_cas = first_cas;
    fixture_start(&fixture);
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "v", STORE_NO_DEADLINE),
                         SESS_OK);
        ck_assert_uint_gt(fixture.outcome.cas, last);
        last = fixture.outcome.cas;
        ck_assert_uint_eq(fixture.recorder.last.mutation.cas, last);
        ck_assert_uint_eq(fixture_look(&fixture, "key").cas, last);
        if (i % 3 == 2) {
            ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_OK);
        }
    }
    fixture_close(&fixture);
}

START_TEST(test_cas_rises)
{
    check_cas_rises(1);
    check_cas_rises((1ULL << 40) + 1);
    check_cas_rises(1ULL << 62);
}
END_TEST

/* The same where CAS ids outgrow their narrow field while the store runs. */
START_TEST(test_cas_rises_beyond_40_bits)
{
    check_cas_rises((1ULL << 40) - 2);
}
END_TEST

/* A session is there until one second before its deadline and gone at it, for every command. */
START_TEST(test_expires_at_its_second)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    bring(&fixture, LIVE);
    fixture.now_s = FIXTURE_NOW_S + 9;
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_OK);
    ck_assert_int_eq(fixture_write(&fixture, STORE_ADD, "key", "v", far_s), SESS_NOT_STORED);
    fixture.now_s = FIXTURE_NOW_S + 10;
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_touch(&fixture, "key", far_s), SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_write(&fixture, STORE_REPLACE, "key", "v", far_s), SESS_NOT_STORED);
    fixture_close(&fixture);
}
END_TEST

/* A caller's time is behind the one the shard has seen: what has expired stays expired. */
START_TEST(test_time_back_revives_nobody)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    bring(&fixture, LIVE);
    fixture.now_s = FIXTURE_NOW_S + 10;
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    fixture.now_s = FIXTURE_NOW_S - 1000;
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_touch(&fixture, "key", far_s), SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_delete(&fixture, "key"), SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_write(&fixture, STORE_REPLACE, "key", "v", far_s), SESS_NOT_STORED);
    /* And a deadline that only the slow caller believes in has passed. */
    ck_assert_int_eq(fixture_write(&fixture, STORE_ADD, "key", "v", FIXTURE_NOW_S + 10), SESS_OK);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    fixture_close(&fixture);
}
END_TEST

static const char *numbered(unsigned number)
{
    static char text[24];

    (void)snprintf(text, sizeof text, "n-%u", number);
    return text;
}

/* Keys of 500 bytes until there is no room for another one. Returns how many there are. */
static unsigned fill(struct store_fixture *fixture)
{
    unsigned n = 0;

    while (fixture_write_slice(fixture, STORE_ADD, numbered(n), slice_of(bytes, 500), 0,
                               FIXTURE_NOW_S + 1000) == SESS_OK) {
        n++;
        ck_assert_uint_lt(n, 100000);
    }
    ck_assert_uint_gt(n, 100);
    return n;
}

/* At the memory limit new sessions get an error; whatever needs no more room works. */
START_TEST(test_at_the_memory_limit)
{
    struct store_fixture fixture;
    unsigned n;
    size_t used;

    fixture_prepare(&fixture);
    budget_init(&fixture.data, (size_t)2 << 20);
    fixture_start(&fixture);
    n = fill(&fixture);
    used = budget_used(&fixture.data);
    ck_assert_uint_le(used, fixture.data.limit);
    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, "new", slice_of(bytes, 2000), 0,
                                         STORE_NO_DEADLINE),
                     SESS_NO_MEMORY);
    ck_assert_uint_eq(budget_used(&fixture.data), used);
    for (unsigned i = 0; i < n; i++) {
        ck_assert_int_eq(fixture_look(&fixture, numbered(i)).status, SESS_OK);
        ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, numbered(i), slice_of(bytes, 500),
                                             0, FIXTURE_NOW_S + 2000),
                         SESS_OK);
        ck_assert_int_eq(fixture_touch(&fixture, numbered(i), FIXTURE_NOW_S + 3000), SESS_OK);
    }
    ck_assert_uint_eq(budget_used(&fixture.data), used);
    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, numbered(0), slice_of(bytes, 5000), 0,
                                         STORE_NO_DEADLINE),
                     SESS_NO_MEMORY);
    ck_assert_uint_eq(fixture_look(&fixture, numbered(0)).size, 500);
    ck_assert_int_eq(fixture_touch(&fixture, numbered(1), far_s), SESS_OK);
    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, numbered(2), slice_of(bytes, 100), 0,
                                         STORE_NO_DEADLINE),
                     SESS_OK);
    ck_assert_int_eq(fixture_delete(&fixture, numbered(3)), SESS_OK);
    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_ADD, numbered(3), slice_of(bytes, 500), 0,
                                         STORE_NO_DEADLINE),
                     SESS_OK);
    check_budget(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* All sessions of a full store are deleted: nothing but the index is charged any more. */
START_TEST(test_delete_gives_all_memory_back)
{
    struct store_fixture fixture;
    unsigned n;

    fixture_prepare(&fixture);
    budget_init(&fixture.data, (size_t)2 << 20);
    fixture_start(&fixture);
    n = fill(&fixture);
    for (unsigned i = 0; i < n; i++) {
        ck_assert_int_eq(fixture_delete(&fixture, numbered(i)), SESS_OK);
    }
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 0);
    ck_assert_uint_eq(fixture_figure(&fixture, "bytes"), 0);
    ck_assert_uint_eq(budget_used(&fixture.data), inside_index_size(fixture.store));
    /* The refused one may have been the first to make its shard's index grow. */
    ck_assert_uint_ge(fill(&fixture), n);
    fixture_close(&fixture);
}
END_TEST

/* A key with a secret of 100 bytes; its entry's memory is watched. */
static void watch_secret(struct store_fixture *fixture)
{
    struct entry *entry;

    memset(bytes, 'S', 100);
    ck_assert_int_eq(
        fixture_write_slice(fixture, STORE_SET, "key", slice_of(bytes, 100), 0, FIXTURE_NOW_S + 10),
        SESS_OK);
    entry = inside_entry(fixture->store, SLICE_LITERAL("key"));
    faults_watch_free(entry->packed - offsetof(struct entry, packed), sizeof *entry + 100);
}

static void assert_zeroed(void)
{
    ck_assert(faults_was_freed());
    /* The timer's own numbers may stay. */
    ck_assert_uint_lt(faults_left_in_freed(), sizeof(struct wheel_timer));
}

/* A value that was overwritten, deleted or touched into the past is not left in free memory. */
START_TEST(test_old_values_are_zeroed)
{
    struct store_fixture fixture;

    fixture_open(&fixture);
    watch_secret(&fixture);
    (void)fixture_write(&fixture, STORE_SET, "key", "v", STORE_NO_DEADLINE);
    assert_zeroed();
    watch_secret(&fixture);
    (void)fixture_delete(&fixture, "key");
    assert_zeroed();
    watch_secret(&fixture);
    (void)fixture_touch(&fixture, "key", 1);
    assert_zeroed();
    watch_secret(&fixture);
    (void)fixture_touch(&fixture, "key", far_s);
    assert_zeroed();
    fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("store/change", test_modes, test_sizes, test_failed_write_changes_nothing,
           test_no_room_in_the_index, test_dead_on_arrival, test_dead_on_arrival_can_fail,
           test_delete, test_delete_and_touch_can_fail, test_touch_of_none, test_touch,
           test_far_touch_without_memory, test_hook_is_told_the_new_state,
           test_hook_is_asked_before_the_change, test_without_a_hook, test_tickets,
           test_tickets_are_of_the_shard, test_cas_rises, test_cas_rises_beyond_40_bits,
           test_expires_at_its_second, test_time_back_revives_nobody, test_at_the_memory_limit,
           test_delete_gives_all_memory_back, test_old_values_are_zeroed)
