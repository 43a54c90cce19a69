/* A store to test with: its budgets, a time that the test moves, and a mutation hook that notes what
 * it is told.
 *
 * Not the store's inside (tests of the store include its private headers themselves). Failures of
 * the fixture itself end the test. */
#ifndef SESSIOND_TESTS_SUPPORT_STORE_FIXTURE_H
#define SESSIOND_TESTS_SUPPORT_STORE_FIXTURE_H

#include "sessiond/store/store.h"

enum {
    FIXTURE_NOW_S = 1000000,
    FIXTURE_TEXT_MAX = 64, /* bytes of a value that are noted */
};

/* A mutation, its key and the value's first bytes copied. */
struct noted_mutation {
    struct mutation mutation; /* its slices point to the texts below */
    uint8_t key[STORE_KEY_MAX];
    uint8_t value[FIXTURE_TEXT_MAX];
};

struct mutation_recorder {
    enum mutation_answer answer; /* to every mutation from now on */
    uint64_t ticket;             /* of the last one that was accepted */
    size_t n_calls;
    struct noted_mutation last;
};

struct store_fixture {
    struct budget data;
    struct budget in_flight;
    struct store_config config;
    struct store *store;
    int64_t now_s;
    struct mutation_recorder recorder;
    struct store_outcome outcome; /* of the last change or look */
};

/* What a look at a key shows. */
struct seen {
    enum sess_status status;
    size_t size;                      /* of the value */
    char value[FIXTURE_TEXT_MAX + 1]; /* its first bytes, terminated */
    uint32_t flags;
    uint64_t cas;
};

/** Set all but the store, so that a test can change the config first. */
void fixture_prepare(struct store_fixture *fixture);

/** Create the store; the recorder is its hook. */
void fixture_start(struct store_fixture *fixture);

/** Both. */
void fixture_open(struct store_fixture *fixture);

/** Destroy the store; not one byte may stay charged. */
void fixture_close(struct store_fixture *fixture);

/** Write a text with flags 0. */
enum sess_status fixture_write(struct store_fixture *fixture, enum store_mode mode, const char *key,
                               const char *value, int64_t deadline_s);

/** Write any value, with flags. */
enum sess_status fixture_write_slice(struct store_fixture *fixture, enum store_mode mode,
                                     const char *key, struct slice value, uint32_t flags,
                                     int64_t deadline_s);

/** Write a text if the key's CAS id is this one. */
enum sess_status fixture_cas(struct store_fixture *fixture, const char *key, const char *value,
                             uint64_t cas, int64_t deadline_s);

/** Add to a number, or take from it. */
enum sess_status fixture_count(struct store_fixture *fixture, const char *key, uint64_t delta,
                               bool is_decrement, uint64_t *result);

enum sess_status fixture_flush(struct store_fixture *fixture, int64_t at_s);

/** Whether this is a key's whole value. It is a look. */
bool fixture_holds(struct store_fixture *fixture, const char *key, struct slice value);

/** "key-7"; the text holds until the next call. */
const char *fixture_numbered(unsigned number);

enum sess_status fixture_delete(struct store_fixture *fixture, const char *key);
enum sess_status fixture_touch(struct store_fixture *fixture, const char *key, int64_t deadline_s);
struct seen fixture_look(struct store_fixture *fixture, const char *key);

/** One of the store's metrics. */
uint64_t fixture_figure(struct store_fixture *fixture, const char *name);

/** Tick all shards, in slices of 128 steps, until nothing is left to do. Returns the slices. */
size_t fixture_tick_all(struct store_fixture *fixture);

#endif
