/* The oracle of the power cuts: what was changed in which order, and which states of it a recovered store may
 * have.
 *
 * The journal keeps changes in the order of the calls, so a recovered store is right if it is what the first
 * k changes made, for one k that is not below the last change that a power cut may not take back: with that
 * nothing acknowledged is lost, nothing comes back, and no batch is there by half. Pure, but for its memory.
 *
 * The rules R1 to R12 of reliability.md 4.5 (by kills of the daemon: test_revocations.py) hold in it like this:
 *
 *     R1, R4, R7   an acknowledged delete, flush, or touch is among the first `least` changes (recording.c: what
 *                  revokes is promised as durable in every mode but `never` and with `sync-revocations = no`)
 *     R2           so is an acknowledged overwrite in `always` and with `overwrites`
 *     R3, R8       what had expired at the time of change k has expired: the store's time is not before it
 *     R5           void: what is refused is no change
 *     R6           what failed is no change: no k makes it
 *     R9           removals and truncations that were lost leave older files and frames: they make no k
 *     R10          checkpoints are named late, not at all, or there twice, as all files of the disk are
 *     R11          half a batch passes only as a first part, which revives nothing; that there is none is shown
 *                  by unit.journal.damage and test_revocations.py
 *     R12          each state is recovered twice, and the second time it is the same (power_cut.c) */
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
    struct store_marks marks;
    int64_t deadline_s;
    int64_t old_deadline_s;
    int64_t now_s;
    int64_t carried_s; /* the time that its frame carries, at least */
    int64_t made_ms;   /* elapsed time of this life; INT64_MIN: of an earlier one */
    uint64_t ticket;   /* in this life */
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
    bool is_stale;
    int64_t deadline_s;
    int64_t asked_s;      /* 0, or on probation: the deadline that it is to get */
    int64_t held_until_s; /* 0: it is not; there or not, but a key that is there is never held */
};

/* What a store holds; also what was found in one, expired keys left out. */
struct picture {
    struct key_state keys[ORACLE_KEYS];
    int64_t flush_at_s; /* STORE_NO_DEADLINE: none is to come */
};

uint64_t oracle_digest(struct slice bytes);

/** A key's text; it holds until the next call. */
struct slice oracle_key(unsigned key);

/** The number in a key's text. */
unsigned oracle_number(struct slice key);

/** The change that a mutation is. */
struct change oracle_change(const struct mutation *mutation);

/** Whether it ends a session, or lets it end earlier: of one on probation counts what it was to get. */
bool change_ends_sooner(const struct change *change);

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
