/* Unit tests of changes: conditions, failures that change nothing, what the hook is told, touch,
 * and the memory limit. */
#include "change.h"

#include "faults.h"
#include "key_state.h"
#include "store_fixture.h"
#include "store_inside.h"
#include "suite_main.h"

#include <stdio.h>
#include <stdlib.h>

#define ITEMS(array) (sizeof(array) / sizeof((array)[0]))

enum { OLD_FLAGS = 7, LARGE = STORE_COPY_MAX + 1 };

static const int64_t far_s = (int64_t)1 << 35; /* in 3058 */
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
    struct key_state state;
    enum sess_status status;

    fixture_open(&fixture);
    bring(&fixture, before);
    state = key_state_of(&fixture, "key");
    status = fixture_write_slice(&fixture, mode, "key", value, 3, fixture.now_s + 77);
    if (would_store(mode, before)) {
        ck_assert_int_eq(status, SESS_OK);
        ck_assert_uint_gt(fixture.outcome.cas, state.seen.cas);
        ck_assert_uint_eq(fixture_look(&fixture, "key").size, value.size);
        assert_holds(&fixture, fixture_look(&fixture, "key").value, 3, fixture.now_s + 77);
        ck_assert_int_eq(fixture_look(&fixture, "key").value[0], value.data[0]);
        ck_assert_uint_eq(fixture_figure(&fixture, "total_items"), state.total_items + 1);
    } else {
        struct key_state after = key_state_of(&fixture, "key");

        ck_assert_int_eq(status, SESS_NOT_STORED);
        assert_same_state(&after, &state);
        ck_assert_uint_eq(fixture.recorder.n_calls, 0);
    }
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"),
                      before != ABSENT || would_store(mode, before));
    inside_check_budget(&fixture);
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
            inside_check_budget(&fixture);
            ck_assert_int_eq(
                store_read_begin(fixture.store, SLICE_LITERAL("key"), 0, fixture.now_s, &reading),
                SESS_OK);
            ck_assert(slice_equal(reading.value, slice_of(bytes, sizes[to])));
            store_read_end(&reading);
        }
    }
    fixture_close(&fixture);
}
END_TEST

/* The ways in which a write fails that would have stored. The value is large but for NO_PLACE. */
enum failure { VALUE_TOO_LARGE, BUDGET_FULL, NO_BLOCK, NO_PLACE, NO_PAGE, HOOK_BUSY, HOOK_REFUSED };

static const enum failure all_failures[] = {VALUE_TOO_LARGE, BUDGET_FULL, NO_BLOCK,    NO_PLACE,
                                            NO_PAGE,         HOOK_BUSY,   HOOK_REFUSED};

/* Fill what is left of the page in which the shard of "key" places its entries. */
static void fill_page(struct store_fixture *fixture)
{
    const struct heap *heap = &inside_shard(fixture->store, SLICE_LITERAL("key"))->heap;

    while (heap->page_size - heap->pages[heap->open].end >= LARGE - 1) {
        char name[24];

        inside_neighbour(fixture->store, SLICE_LITERAL("key"), name, sizeof name);
        ck_assert_int_eq(fixture_write_slice(fixture, STORE_SET, name, slice_of(bytes, LARGE - 1),
                                             0, STORE_NO_DEADLINE),
                         SESS_OK);
    }
    fixture->recorder.n_calls = 0;
}

/* Let the next page of a heap be one for which the arena must open further addresses. */
static void use_up_open_pages(struct store_fixture *fixture)
{
    size_t page_size = fixture->store->page_size;

    for (size_t n = inside_heap_size(fixture->store); n % (1 << 21) != 0; n += page_size) {
        ck_assert_ptr_nonnull(arena_take(fixture->store->arena, page_size));
    }
}

static enum sess_status prepare_failure(struct store_fixture *fixture, enum failure failure)
{
    switch (failure) {
    case VALUE_TOO_LARGE:
        return SESS_TOO_LARGE;
    case BUDGET_FULL:
        fixture->data.limit = budget_used(&fixture->data) + 1000;
        return SESS_NO_MEMORY;
    case NO_BLOCK:
        faults_fail_mprotect(1);
        return SESS_NO_MEMORY;
    case NO_PLACE:
        fixture->data.limit = budget_used(&fixture->data);
        return SESS_NO_MEMORY;
    case NO_PAGE:
        use_up_open_pages(fixture);
        faults_fail_mprotect(1);
        return SESS_NO_MEMORY;
    case HOOK_BUSY:
        fixture->recorder.answer = MUTATION_BUSY;
        return SESS_BUSY;
    default:
        fixture->recorder.answer = MUTATION_REFUSED;
        return SESS_REFUSED;
    }
}

/* What had expired before may be gone, to make room; nobody could see it. */
static void assert_same_but_dead(const struct key_state *after, struct key_state before)
{
    if (after->entry == NULL) {
        ck_assert_uint_lt(after->bytes, before.bytes);
        before.entry = NULL;
        before.deadline_s = 0;
        before.curr_items--;
        before.bytes = after->bytes;
        ck_assert_uint_le(after->used, before.used);
        before.used = after->used;
    }
    assert_same_state(after, &before);
}

static void try_failure(enum failure failure, enum store_mode mode, enum before before)
{
    struct store_fixture fixture;
    struct key_state state;
    struct key_state after;
    enum sess_status expected;
    bool is_inline = failure == NO_PLACE || failure == NO_PAGE;
    size_t size = is_inline ? LARGE - 1 : LARGE;

    fixture_prepare(&fixture);
    fixture.config.max_value_bytes = LARGE;
    fixture_start(&fixture);
    bring(&fixture, before);
    if (is_inline) {
        fill_page(&fixture);
    }
    state = key_state_of(&fixture, "key");
    expected = prepare_failure(&fixture, failure);
    size += failure == VALUE_TOO_LARGE ? 1 : 0;
    ck_assert_int_eq(
        fixture_write_slice(&fixture, mode, "key", slice_of(bytes, size), 3, fixture.now_s + 99),
        expected);
    ck_assert_uint_eq(fixture.outcome.cas, 0);
    after = key_state_of(&fixture, "key");
    if (before == EXPIRED) {
        assert_same_but_dead(&after, state);
    } else {
        assert_same_state(&after, &state);
    }
    inside_check_budget(&fixture);
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

/* The index cannot grow: nothing is charged for the entry. */
START_TEST(test_no_room_in_the_index)
{
    struct store_fixture fixture;
    size_t used;

    fixture_open(&fixture);
    used = budget_used(&fixture.data);
    fixture.data.limit = used;
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "value", STORE_NO_DEADLINE),
                     SESS_NO_MEMORY);
    ck_assert_uint_eq(budget_used(&fixture.data), used);
    ck_assert_uint_eq(fixture.recorder.n_calls, 0);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    fixture_close(&fixture);
}
END_TEST

static enum sess_status write_with_failing_allocation(struct store_fixture *fixture)
{
    enum sess_status status;

    faults_fail_allocation(1);
    status = fixture_write(fixture, STORE_SET, "key", "value", STORE_NO_DEADLINE);
    faults_fail_allocation(0);
    return status;
}

/* The index has its room, and then the heap has none: for want of budget, or of memory for its list of
 * pages. What the index took is its own for later. */
START_TEST(test_no_room_in_the_heap)
{
    struct store_fixture fixture;
    size_t used;

    fixture_open(&fixture);
    used = budget_used(&fixture.data) + arena_page_size(fixture.store->arena);
    ck_assert_int_eq(write_with_failing_allocation(&fixture), SESS_NO_MEMORY);
    ck_assert_uint_eq(budget_used(&fixture.data), used);
    fixture.data.limit = used;
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "value", STORE_NO_DEADLINE),
                     SESS_NO_MEMORY);
    ck_assert_uint_eq(budget_used(&fixture.data), used);
    fixture.data.limit = SIZE_MAX;
    inside_check_budget(&fixture);
    ck_assert_uint_eq(fixture.recorder.n_calls, 0);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "value", STORE_NO_DEADLINE),
                     SESS_OK);
    inside_check_budget(&fixture);
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
    inside_check_budget(&fixture);
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
    struct key_state state;
    struct key_state after;

    fixture_open(&fixture);
    bring(&fixture, LIVE);
    state = key_state_of(&fixture, "key");
    fixture.recorder.answer = MUTATION_BUSY;
    ck_assert_int_eq(fixture_write(&fixture, STORE_SET, "key", "new", 1), SESS_BUSY);
    fixture.recorder.answer = MUTATION_REFUSED;
    ck_assert_int_eq(fixture_write(&fixture, STORE_REPLACE, "key", "new", 1), SESS_REFUSED);
    after = key_state_of(&fixture, "key");
    assert_same_state(&after, &state);
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
        inside_check_budget(&fixture);
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
        struct key_state state;
        struct key_state after;

        fixture_open(&fixture);
        bring(&fixture, LIVE);
        state = key_state_of(&fixture, "key");
        fixture.recorder.answer = rows[i].answer;
        ck_assert_int_eq(fixture_delete(&fixture, "key"), rows[i].status);
        ck_assert_uint_eq(fixture.outcome.ticket, state.ticket);
        ck_assert_int_eq(fixture_touch(&fixture, "key", fixture.now_s + 50), rows[i].status);
        ck_assert_int_eq(fixture_touch(&fixture, "key", far_s), rows[i].status);
        ck_assert_int_eq(fixture_touch(&fixture, "key", 0), rows[i].status);
        after = key_state_of(&fixture, "key");
        assert_same_state(&after, &state);
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

/* A deadline after the year 4147 is held as that. */
static int64_t as_held(int64_t deadline_s)
{
    return deadline_s > ENTRY_DEADLINE_MAX && deadline_s != STORE_NO_DEADLINE ? ENTRY_DEADLINE_MAX
                                                                              : deadline_s;
}

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
        ck_assert(told->is_touch);
        ck_assert_uint_eq(told->cas, cas);
        ck_assert_uint_eq(told->flags, OLD_FLAGS);
        ck_assert_uint_eq(told->value.size, size);
        ck_assert_mem_eq(told->value.data, bytes,
                         size < FIXTURE_TEXT_MAX ? size : FIXTURE_TEXT_MAX);
        ck_assert_ptr_eq(told->block,
                         entry_block(inside_entry(fixture.store, SLICE_LITERAL("key"))));
        ck_assert_int_eq(told->deadline_s, as_held(deadlines[i]));
        ck_assert_int_eq(told->old_deadline_s, deadline_s);
        ck_assert_uint_eq(fixture.recorder.n_calls, i + 2);
        deadline_s = as_held(deadlines[i]);
        seen = fixture_look(&fixture, "key");
        ck_assert_uint_eq(seen.cas, cas);
        ck_assert_uint_eq(seen.size, size);
        assert_holds(&fixture, seen.value, OLD_FLAGS, deadline_s);
        ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 1);
        inside_check_budget(&fixture);
    }
    ck_assert_int_eq(fixture_touch(&fixture, "key", fixture.now_s), SESS_OK);
    ck_assert_int_eq(fixture.recorder.last.mutation.kind, MUTATION_DELETE);
    ck_assert_int_eq(fixture.recorder.last.mutation.old_deadline_s, deadline_s);
    ck_assert_int_eq(fixture_look(&fixture, "key").status, SESS_NOT_FOUND);
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 0);
    inside_check_budget(&fixture);
    fixture_close(&fixture);
}

/* touch to a longer, a shorter, no, a far and a dead deadline: all but the deadline stays. */
START_TEST(test_touch)
{
    try_touches(9);
    try_touches(LARGE);
}
END_TEST

/* No touch needs memory, not even one to a far deadline or to none. */
START_TEST(test_touch_without_memory)
{
    static const int64_t deadlines[] = {FIXTURE_NOW_S + 1000, ENTRY_DEADLINE_MAX, STORE_NO_DEADLINE,
                                        FIXTURE_NOW_S + 5};
    struct store_fixture fixture;
    struct key_state state;

    fixture_open(&fixture);
    bring(&fixture, LIVE);
    state = key_state_of(&fixture, "key");
    fixture.data.limit = 0;
    for (size_t i = 0; i < ITEMS(deadlines); i++) {
        struct key_state after;

        enum sess_status status;

        faults_fail_allocation(1);
        faults_fail_mprotect(1);
        status = fixture_touch(&fixture, "key", deadlines[i]);
        faults_fail_allocation(0);
        ck_assert_int_eq(status, SESS_OK);
        after = key_state_of(&fixture, "key");
        ck_assert_int_eq(after.deadline_s, deadlines[i]);
        state.deadline_s = deadlines[i];
        state.ticket = after.ticket;
        state.revocation_ticket = after.revocation_ticket;
        assert_same_state(&after, &state);
    }
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

enum { MANY = 100000, REFUSED_IN_A_ROW = 2000, SMALL_STORE = 16 << 20 };

static bool is_there[MANY]; /* by number */

/* Keys of 500 bytes until no shard has room for another one. Returns how many numbers were tried. */
static unsigned fill(struct store_fixture *fixture)
{
    unsigned n = 0;
    unsigned n_refused = 0;

    while (n_refused < REFUSED_IN_A_ROW) {
        enum sess_status status = fixture_write_slice(
            fixture, STORE_ADD, fixture_numbered(n), slice_of(bytes, 500), 0, FIXTURE_NOW_S + 1000);

        is_there[n] = status == SESS_OK;
        n_refused = is_there[n] ? 0 : n_refused + 1;
        n++;
        ck_assert_uint_lt(n, MANY);
    }
    ck_assert_uint_gt(fixture_figure(fixture, "curr_items"), 10000);
    return n;
}

static void open_small(struct store_fixture *fixture)
{
    fixture_prepare(fixture);
    budget_init(&fixture->data, SMALL_STORE);
    fixture_start(fixture);
}

/* What needs no more room: an overwrite of the same size and a touch of all that are there. */
static void renew_all(struct store_fixture *fixture, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (!is_there[i]) {
            continue;
        }
        ck_assert_int_eq(fixture_look(fixture, fixture_numbered(i)).status, SESS_OK);
        ck_assert_int_eq(fixture_write_slice(fixture, STORE_SET, fixture_numbered(i),
                                             slice_of(bytes, 500), 0, FIXTURE_NOW_S + 2000),
                         SESS_OK);
        ck_assert_int_eq(fixture_touch(fixture, fixture_numbered(i), FIXTURE_NOW_S + 3000),
                         SESS_OK);
    }
}

/* Values that are there grow, one after the other, until one is refused: it stays as it was. */
static void grow_until_refused(struct store_fixture *fixture, unsigned n)
{
    unsigned n_grown = 0;

    for (unsigned i = 0; i < n; i++) {
        enum sess_status status;

        if (!is_there[i]) {
            continue;
        }
        status = fixture_write_slice(fixture, STORE_SET, fixture_numbered(i), slice_of(bytes, 5000),
                                     0, STORE_NO_DEADLINE);
        ck_assert_uint_eq(fixture_look(fixture, fixture_numbered(i)).size,
                          status == SESS_OK ? 5000 : 500);
        if (status != SESS_OK) {
            ck_assert_int_eq(status, SESS_NO_MEMORY);
            break;
        }
        n_grown++;
    }
    ck_assert_uint_gt(n_grown, 0);
    ck_assert_uint_lt(n_grown, 200);
}

/* Sessions end until there is room for a new one again, which what is kept back is not. */
static void make_room_for_one(struct store_fixture *fixture, unsigned n)
{
    const struct store *store = fixture->store;
    unsigned n_deleted = 0;

    for (unsigned i = n; budget_used(&fixture->store->held) + 5000 > store->new_key_limit; i--) {
        ck_assert_int_eq(fixture_write_slice(fixture, STORE_ADD, "new", slice_of(bytes, 5000), 0,
                                             STORE_NO_DEADLINE),
                         SESS_NO_MEMORY);
        ck_assert_uint_gt(i, 0);
        n_deleted += fixture_delete(fixture, fixture_numbered(i - 1)) == SESS_OK;
    }
    ck_assert_uint_gt(n_deleted, 0);
    ck_assert_int_eq(
        fixture_write_slice(fixture, STORE_ADD, "new", slice_of(bytes, 500), 0, STORE_NO_DEADLINE),
        SESS_OK);
}

/* At the memory limit new sessions get an error; whatever needs no more room works. */
START_TEST(test_at_the_memory_limit)
{
    struct store_fixture fixture;
    const struct budget *held;
    unsigned n;
    size_t used;

    open_small(&fixture);
    held = &fixture.store->held;
    n = fill(&fixture);
    used = budget_used(&fixture.data);
    ck_assert_uint_le(atomic_load(&held->used), fixture.store->new_key_limit);
    ck_assert_uint_gt(atomic_load(&held->used), fixture.store->new_key_limit - 8192);
    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, "new", slice_of(bytes, 2000), 0,
                                         STORE_NO_DEADLINE),
                     SESS_NO_MEMORY);
    ck_assert_uint_eq(budget_used(&fixture.data), used);
    renew_all(&fixture, n);
    ck_assert_uint_eq(budget_used(&fixture.data), used);
    grow_until_refused(&fixture, n);
    ck_assert_uint_le(budget_used(&fixture.data), fixture.data.limit);
    ck_assert_uint_le(atomic_load(&held->used), held->limit);
    ck_assert_uint_gt(atomic_load(&held->used), held->limit - 2 * 8192);
    ck_assert_int_eq(fixture_touch(&fixture, fixture_numbered(n / 2), far_s), SESS_OK);
    ck_assert_int_eq(fixture_write_slice(&fixture, STORE_SET, fixture_numbered(n / 2 + 1),
                                         slice_of(bytes, 100), 0, STORE_NO_DEADLINE),
                     SESS_OK);
    ck_assert_int_eq(fixture_delete(&fixture, fixture_numbered(n / 2 + 2)), SESS_OK);
    make_room_for_one(&fixture, n);
    inside_check_budget(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* All sessions of a full store are deleted: nothing but the index is charged any more, and a page of
 * each shard. */
START_TEST(test_delete_gives_all_memory_back)
{
    struct store_fixture fixture;
    unsigned n;
    uint64_t n_items;

    open_small(&fixture);
    n = fill(&fixture);
    n_items = fixture_figure(&fixture, "curr_items");
    for (unsigned i = 0; i < n; i++) {
        ck_assert_int_eq(fixture_delete(&fixture, fixture_numbered(i)),
                         is_there[i] ? SESS_OK : SESS_NOT_FOUND);
    }
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 0);
    ck_assert_uint_eq(fixture_figure(&fixture, "bytes"), 0);
    inside_assert_bare(&fixture);
    (void)fill(&fixture);
    ck_assert_uint_ge(fixture_figure(&fixture, "curr_items"), n_items);
    fixture_close(&fixture);
}
END_TEST

enum { SECRET_SIZE = 100, SECRET = 'S' };

/* A key with a secret, between two others. Returns its place. */
static const struct entry *write_secret(struct store_fixture *fixture)
{
    const struct entry *entry;
    char name[24];

    memset(bytes, SECRET, SECRET_SIZE);
    (void)fixture_delete(fixture, "key");
    for (unsigned i = 0; i < 3; i++) {
        if (i == 1) {
            ck_assert_int_eq(fixture_write_slice(fixture, STORE_SET, "key",
                                                 slice_of(bytes, SECRET_SIZE), 0,
                                                 FIXTURE_NOW_S + 10),
                             SESS_OK);
        } else {
            inside_neighbour(fixture->store, SLICE_LITERAL("key"), name, sizeof name);
            ck_assert_int_eq(fixture_write(fixture, STORE_SET, name, "other", STORE_NO_DEADLINE),
                             SESS_OK);
        }
    }
    entry = inside_entry(fixture->store, SLICE_LITERAL("key"));
    /* Not in the header, whose bytes may be anything. */
    ck_assert_uint_eq(inside_count(entry->packed, SECRET_SIZE + 17, SECRET), SECRET_SIZE);
    return entry;
}

static void assert_zeroed(const struct entry *entry)
{
    ck_assert_uint_eq(inside_count(entry->packed, SECRET_SIZE + 17, SECRET), 0);
}

/* A value that was overwritten, in its place and elsewhere, deleted or touched into the past is not left
 * in free memory. */
START_TEST(test_old_values_are_zeroed)
{
    struct store_fixture fixture;
    const struct entry *entry;

    fixture_open(&fixture);
    entry = write_secret(&fixture);
    (void)fixture_write(&fixture, STORE_SET, "key", "v", STORE_NO_DEADLINE);
    assert_zeroed(entry);
    entry = write_secret(&fixture);
    memset(bytes, 'x', 300);
    (void)fixture_write_slice(&fixture, STORE_SET, "key", slice_of(bytes, 300), 0,
                              STORE_NO_DEADLINE);
    assert_zeroed(entry);
    entry = write_secret(&fixture);
    (void)fixture_delete(&fixture, "key");
    assert_zeroed(entry);
    entry = write_secret(&fixture);
    (void)fixture_touch(&fixture, "key", 1);
    assert_zeroed(entry);
    fixture_close(&fixture);
}
END_TEST

SUITE_MAIN("store/change", test_modes, test_sizes, test_failed_write_changes_nothing,
           test_no_room_in_the_index, test_no_room_in_the_heap, test_dead_on_arrival,
           test_dead_on_arrival_can_fail, test_delete, test_delete_and_touch_can_fail,
           test_touch_of_none, test_touch, test_touch_without_memory,
           test_hook_is_told_the_new_state, test_hook_is_asked_before_the_change,
           test_without_a_hook, test_tickets, test_tickets_are_of_the_shard, test_cas_rises,
           test_cas_rises_beyond_40_bits, test_expires_at_its_second, test_time_back_revives_nobody,
           test_at_the_memory_limit, test_delete_gives_all_memory_back, test_old_values_are_zeroed)
