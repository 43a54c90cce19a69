/* A journal that is open in memory, on a clock that the test moves. Its threads run when the test starts them.
 *
 * Failures of the fixture itself end the test. */
#ifndef SESSIOND_TESTS_UNIT_JOURNAL_OPEN_JOURNAL_H
#define SESSIOND_TESTS_UNIT_JOURNAL_OPEN_JOURNAL_H

#include "sessiond/journal/journal.h"
#include "state.h"

#include "memory_directory.h"
#include "store_fixture.h"
#include "suite_main.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    OPEN_BATCH = 1000,
    OPEN_SEGMENT = 1 << 17,
    OPEN_TRIES = 10000, /* looks of a millisecond each, before the test fails */
};

struct open_journal {
    struct memory_directory *memory;
    struct directory *directory;
    struct clock *clock;
    struct store_fixture store;
    struct journal_options options;
    struct journal_config config;
    struct journal *journal;
    _Atomic unsigned n_wakes;
    _Atomic unsigned n_failures;
    struct sess_error error;
};

static inline void open_count(void *counter)
{
    atomic_fetch_add((_Atomic unsigned *)counter, 1);
}

/* Prepare all but the journal, so that a test can change the config. */
static inline void open_prepare(struct open_journal *open, enum fsync_choice fsync,
                                enum revocations_choice revocations)
{
    *open = (struct open_journal){.memory = memory_directory_create()};
    ck_assert_ptr_nonnull(open->memory);
    open->directory = memory_directory_base(open->memory);
    ck_assert_int_eq(clock_create_manual(FIXTURE_NOW_S, &open->clock), SESS_OK);
    open->options.fsync = fsync;
    open->options.sync_revocations = revocations;
    open->options.sync_min_life = 60000;
    open->config = (struct journal_config){
        .options = &open->options,
        .directory = open->directory,
        .clock = open->clock,
        .batch_bytes = OPEN_BATCH,
        .segment_bytes = OPEN_SEGMENT,
        .wake = open_count,
        .wake_context = &open->n_wakes,
        .failed = open_count,
        .failed_context = &open->n_failures,
    };
}

/* As a new process does: make a store, and recover into it what the directory holds. */
static inline void open_recover(struct open_journal *open)
{
    (void)clock_begin(open->clock, 0);
    fixture_open(&open->store);
    open->config.store = open->store.store;
    ck_assert_int_eq(journal_open(&open->config, &open->journal, &open->error), SESS_OK);
}

static inline void open_begin(struct open_journal *open, enum fsync_choice fsync,
                              enum revocations_choice revocations)
{
    open_prepare(open, fsync, revocations);
    open_recover(open);
}

static inline void open_start(struct open_journal *open)
{
    ck_assert_int_eq(journal_start(open->journal, &open->error), SESS_OK);
}

static inline void open_end(struct open_journal *open)
{
    journal_destroy(&open->journal);
    fixture_close(&open->store);
    clock_destroy(&open->clock);
    directory_destroy(&open->directory);
}

static inline struct mutation open_set(const char *key, const char *value)
{
    return (struct mutation){.kind = MUTATION_SET,
                             .key = slice_from_text(key),
                             .value = slice_from_text(value),
                             .cas = 1,
                             .deadline_s = STORE_NO_DEADLINE,
                             .now_s = FIXTURE_NOW_S};
}

static inline struct mutation open_delete(const char *key)
{
    return (struct mutation){.kind = MUTATION_DELETE,
                             .key = slice_from_text(key),
                             .old_deadline_s = STORE_NO_DEADLINE,
                             .now_s = FIXTURE_NOW_S};
}

/* Accept it. Returns its ticket. */
static inline uint64_t open_accept(struct open_journal *open, struct mutation mutation)
{
    struct mutation_receipt receipt;

    ck_assert_int_eq(journal_accept(open->journal, &mutation, &receipt), MUTATION_ACCEPTED);
    ck_assert_uint_gt(receipt.ticket, 0);
    return receipt.ticket;
}

static inline bool open_may_leave(struct open_journal *open, uint64_t seen, uint64_t changed,
                                  uint64_t revoked)
{
    struct store_tickets tickets = {.seen = seen, .changed = changed, .revoked = revoked};

    return journal_committed(open->journal, &tickets);
}

/* Look until it may, as a worker does that is woken. */
static inline void open_await(struct open_journal *open, uint64_t seen, uint64_t changed,
                              uint64_t revoked)
{
    for (unsigned tries = 0; !open_may_leave(open, seen, changed, revoked); tries++) {
        ck_assert_uint_lt(tries, OPEN_TRIES);
        (void)usleep(1000);
    }
}

#endif
