/* A real store with a real journal over a directory in memory, and what can be seen in it.
 *
 * Not the daemon: no sockets, no workers. Threads: the caller's, and the journal's own if it is started. */
#ifndef SESSIOND_TESTS_CRASH_SUBJECT_H
#define SESSIOND_TESTS_CRASH_SUBJECT_H

#include "memory_directory.h"
#include "oracle.h"

#include "sessiond/journal/journal.h"
#include "sessiond/journal/recovered.h"
#include "sessiond/store/policy.h"
#include "sessiond/store/store.h"

enum {
    SUBJECT_VALUE_MAX = 24 << 10,
    SUBJECT_SEGMENT = 64 << 10,    /* bytes: full soon */
    SUBJECT_CHECKPOINT = 24 << 10, /* bytes of changes between two checkpoints, at least */
    SUBJECT_BATCH = 4 << 10,
    SUBJECT_HOLD_S = 20,
    SUBJECT_FIRST_S = 75, /* long enough that what ends one is waited for */
};

struct subject {
    struct journal_options options;
    struct directory *directory; /* borrowed */
    struct clock *clock;         /* borrowed */
    struct budget data;
    struct budget in_flight;
    struct policy_options
        policy_options; /* deleted keys are held for SUBJECT_HOLD_S, and new ones live so long at first */
    struct policy policy;
    struct store *store;
    struct journal *journal;
    const struct recovered *recovered;
    int64_t time_s;          /* of the store: not before this, but in a grace */
    bool has_grace;          /* the wall clock is far ahead of what is recorded */
    _Atomic bool has_failed; /* the journal has said so */
};

/** Recover from a directory, as a new process. Nothing runs yet. Returns the status of journal_open; `error` says more. */
enum sess_status subject_open(struct subject *subject, struct memory_directory *directory,
                              const struct journal_options *options, struct clock *clock,
                              struct sess_error *error);

/** End it; journal_stop must have been called if it was started. */
void subject_close(struct subject *subject);

/** The same, by a wall clock that is far behind for the moment: the store's time is what is recorded, so that no
 *  deadline behind that hides what is there. */
enum sess_status subject_open_exactly(struct subject *subject, struct memory_directory *directory,
                                      const struct journal_options *options, struct clock *clock,
                                      struct sess_error *error);

/** Let the wall clock be put right, for `ahead_s` seconds ahead of what is recorded. Returns by how many
 *  milliseconds it was stepped. */
int64_t subject_put_right(struct subject *subject, int64_t ahead_s);

/** Everything that is there at the wall time `now_s`, deadlines too, and holds. Only before a hook is set. */
void subject_look(struct subject *subject, int64_t now_s, struct picture *picture);

/** The CAS id that the next new version has. Only before a hook is set; it adds a key of its own. */
uint64_t subject_next_cas(struct subject *subject);

#endif
