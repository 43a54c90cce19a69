/* The oracle of the power cuts: what was changed in which order, and which states of it a recovered store may
 * have.
 *
 * The journal keeps changes in the order of the calls, so a recovered store is right if it is what the first
 * k changes made, for one k that is not below the last change that a power cut may not take back: with that
 * nothing acknowledged is lost, nothing comes back, and no batch is there by half. Pure, but for its memory. */
#ifndef SESSIOND_TESTS_CRASH_ORACLE_H
#define SESSIOND_TESTS_CRASH_ORACLE_H

#include "sessiond/store/mutation.h"

#include <stdbool.h>
#include <stddef.h>

enum { ORACLE_KEYS = 24 };

/* A change as the store told it, its value as a digest. */
struct change {
    enum mutation_kind kind;
    bool is_touch;
    bool is_scheduled; /* FLUSH */
    unsigned key;
    uint64_t digest;
    size_t size;
    uint32_t flags;
    uint64_t cas;
    int64_t deadline_s;
    int64_t old_deadline_s;
    int64_t now_s;
    int64_t carried_s; /* the time that its frame carries, at least */
    int64_t made_ms;   /* elapsed time of this life; INT64_MIN: of an earlier one */
};

/* All changes of one life, with those that it found when it began. */
struct history {
    struct change *changes;
    size_t n_changes;
    size_t capacity;
};

struct key_state {
    bool is_there;
    uint64_t digest;
    size_t size;
    uint32_t flags;
    uint64_t cas;
    int64_t deadline_s;
};

/* What a store holds; also what was found in one, expired keys left out. */
struct picture {
    struct key_state keys[ORACLE_KEYS];
    int64_t flush_at_s; /* STORE_NO_DEADLINE: none is to come */
};

uint64_t oracle_digest(struct slice bytes);

/** A key's text; it holds until the next call. */
struct slice oracle_key(unsigned key);

/** The change that a mutation is. */
struct change oracle_change(const struct mutation *mutation);

void history_add(struct history *history, const struct change *change);

/** Begin with the first n changes of another one. */
void history_begin(struct history *history, const struct history *other, size_t n_changes);
void history_end(struct history *history);

void picture_clear(struct picture *picture);
void picture_apply(struct picture *picture, const struct change *change);

/** A key as it is seen at a time. */
struct key_state picture_look(const struct picture *picture, unsigned key, int64_t at_s);

bool key_state_equal(const struct key_state *a, const struct key_state *b);

/** Whether `found`, seen at `at_s`, is what the first k changes make, for some k >= least; *k is the highest. */
bool oracle_find(const struct history *history, size_t least, const struct picture *found,
                 int64_t at_s, size_t *k);

#endif
