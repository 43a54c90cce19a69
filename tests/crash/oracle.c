/* Histories and pictures. Memory: a history's changes; without memory the test ends. */
#include "oracle.h"

#include "sessiond/store/terms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t oracle_digest(struct slice bytes)
{
    uint64_t digest = 0xcbf29ce484222325 ^ bytes.size;
    size_t at = 0;
    uint64_t word;

    for (; at + sizeof word <= bytes.size; at += sizeof word) {
        memcpy(&word, bytes.data + at, sizeof word);
        digest = (digest ^ word) * 0x9e3779b97f4a7c15;
        digest ^= digest >> 29;
    }
    for (; at < bytes.size; at++) {
        digest = (digest ^ bytes.data[at]) * 0x100000001b3;
    }
    return digest;
}

struct slice oracle_key(unsigned key)
{
    static char text[8];

    (void)snprintf(text, sizeof text, "key-%02u", key);
    return slice_from_text(text);
}

unsigned oracle_number(struct slice key)
{
    return (unsigned)(key.data[4] - '0') * 10 + key.data[5] - '0';
}

bool change_ends_sooner(const struct change *change)
{
    int64_t end_s = change->marks.asked_s != 0 ? change->marks.asked_s : change->deadline_s;

    return change->kind == MUTATION_DELETE || end_s < change->old_deadline_s;
}

struct change oracle_change(const struct mutation *mutation)
{
    struct change change = {
        .kind = mutation->kind,
        .is_touch = mutation->is_touch,
        .flags = mutation->flags,
        .cas = mutation->cas,
        .marks = mutation->marks,
        .deadline_s = mutation->deadline_s,
        .old_deadline_s = mutation->old_deadline_s,
        .now_s = mutation->now_s,
        .carried_s = mutation->now_s,
    };

    if (mutation->kind == MUTATION_FLUSH) {
        change.is_scheduled = mutation->deadline_s > mutation->now_s;
    } else {
        change.key = oracle_number(mutation->key);
    }
    if (mutation->kind == MUTATION_SET && !mutation->is_touch) {
        change.digest = oracle_digest(mutation->value);
        change.size = mutation->value.size;
    }
    return change;
}

void history_add(struct history *history, const struct change *change)
{
    if (history->n_changes == history->capacity) {
        history->capacity = history->capacity == 0 ? 256 : 2 * history->capacity;
        history->changes = realloc(history->changes, history->capacity * sizeof *history->changes);
        if (history->changes == NULL) {
            abort();
        }
    }
    history->changes[history->n_changes++] = *change;
}

void history_begin(struct history *history, const struct history *other, size_t n_changes)
{
    *history = (struct history){.changes = NULL};
    for (size_t i = 0; i < n_changes; i++) {
        history_add(history, &other->changes[i]);
        history->changes[i].made_ms = INT64_MIN;
    }
}

void history_end(struct history *history)
{
    free(history->changes);
    *history = (struct history){.changes = NULL};
}

void picture_clear(struct picture *picture)
{
    *picture = (struct picture){.flush_at_s = STORE_NO_DEADLINE};
}

static void apply_set(struct key_state *key, const struct change *change)
{
    if (change->is_touch) {
        key->deadline_s = change->deadline_s;
        key->asked_s = 0;
        return;
    }
    *key = (struct key_state){
        .is_there = true,
        .digest = change->digest,
        .size = change->size,
        .flags = change->flags,
        .cas = change->cas,
        .is_stale = change->marks.is_stale,
        .asked_s = change->marks.asked_s,
        .deadline_s = change->deadline_s,
    };
}

/* Who has logged out stays so. */
static void end_sessions(struct picture *picture)
{
    picture->flush_at_s = STORE_NO_DEADLINE;
    for (unsigned key = 0; key < ORACLE_KEYS; key++) {
        picture->keys[key] = (struct key_state){.held_until_s = picture->keys[key].held_until_s};
    }
}

void picture_apply(struct picture *picture, const struct change *change)
{
    switch (change->kind) {
    case MUTATION_SET:
        apply_set(&picture->keys[change->key], change);
        break;
    case MUTATION_DELETE:
        picture->keys[change->key] = (struct key_state){.held_until_s = change->deadline_s};
        break;
    case MUTATION_FLUSH:
        if (change->is_scheduled) {
            picture->flush_at_s = change->deadline_s;
        } else {
            end_sessions(picture);
        }
        break;
    }
}

struct key_state picture_look(const struct picture *picture, unsigned key, int64_t at_s)
{
    struct key_state state = picture->keys[key];

    if (state.held_until_s <= at_s) {
        state.held_until_s = 0;
    }
    if (!state.is_there || state.deadline_s <= at_s || picture->flush_at_s <= at_s) {
        state = (struct key_state){.held_until_s = state.held_until_s};
    }
    return state;
}

bool key_state_equal(const struct key_state *a, const struct key_state *b)
{
    return a->is_there == b->is_there && a->held_until_s == b->held_until_s &&
           (!a->is_there || (a->digest == b->digest && a->size == b->size && a->flags == b->flags &&
                             a->cas == b->cas && a->is_stale == b->is_stale &&
                             a->asked_s == b->asked_s && a->deadline_s == b->deadline_s));
}

/* How many keys differ, looked at anew from key `from` to `to`. */
static unsigned compare(const struct picture *expected, const struct picture *found, int64_t at_s,
                        bool *differs, unsigned from, unsigned to)
{
    unsigned n_different = 0;

    for (unsigned key = from; key < to; key++) {
        struct key_state state = picture_look(expected, key, at_s);
        struct key_state seen = found->keys[key];

        /* A grace shows holds that are over by its clock. */
        seen.held_until_s = seen.held_until_s > at_s ? seen.held_until_s : 0;
        differs[key] = !key_state_equal(&state, &seen);
    }
    for (unsigned key = 0; key < ORACLE_KEYS; key++) {
        n_different += differs[key];
    }
    return n_different;
}

bool oracle_find(const struct history *history, size_t least, const struct picture *found,
                 int64_t at_s, size_t *k)
{
    struct picture picture;
    bool differs[ORACLE_KEYS];
    bool is_found = false;
    int64_t time_s = 0;

    picture_clear(&picture);
    for (size_t i = 0; i <= history->n_changes; i++) {
        const struct change *change = i == 0 ? NULL : &history->changes[i - 1];
        bool is_one = change != NULL && change->kind != MUTATION_FLUSH;
        unsigned n_different;

        if (change != NULL) {
            picture_apply(&picture, change);
            time_s = change->carried_s > time_s ? change->carried_s : time_s;
        }
        n_different = compare(&picture, found, at_s, differs, is_one ? change->key : 0,
                              is_one ? change->key + 1 : ORACLE_KEYS);
        /* The time of a change is part of it: what had expired then has expired now. */
        if (i >= least && n_different == 0 && picture.flush_at_s == found->flush_at_s &&
            time_s <= at_s) {
            is_found = true;
            *k = i;
        }
    }
    return is_found;
}
