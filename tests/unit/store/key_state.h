/* All that a change of one key that fails must leave as it was.
 *
 * For tests of the store's room alone. */
#ifndef SESSIOND_TESTS_UNIT_STORE_KEY_STATE_H
#define SESSIOND_TESTS_UNIT_STORE_KEY_STATE_H

#include "store_fixture.h"
#include "store_inside.h"

struct key_state {
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

/** It looks the key up. */
static inline struct key_state key_state_of(struct store_fixture *fixture, const char *key)
{
    struct key_state state = {.seen = fixture_look(fixture, key)};

    state.entry = inside_entry(fixture->store, slice_from_text(key));
    state.deadline_s = state.entry == NULL ? 0 : entry_deadline(state.entry);
    state.used = budget_used(&fixture->data);
    state.curr_items = fixture_figure(fixture, "curr_items");
    state.total_items = fixture_figure(fixture, "total_items");
    state.bytes = fixture_figure(fixture, "bytes");
    state.ticket = fixture->outcome.ticket;
    state.revocation_ticket = fixture->outcome.revocation_ticket;
    return state;
}

static inline void assert_same_state(const struct key_state *a, const struct key_state *b)
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

#endif
