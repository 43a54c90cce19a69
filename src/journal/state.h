/* The journal's struct, shared by its bodies: journal.c (life), accept.c (changes), commit.c (writing and
 * what may leave), syncer.c, maker.c and checkpointer.c (the threads), timekeeper.c (time), look.c, figures.c.
 *
 * Private to the journal. Lock order: a shard's, the arena's, then `lock`. Nobody holds it during a call of
 * a file, nor when the last reference of a large value may go. */
#ifndef SESSIOND_SRC_JOURNAL_STATE_H
#define SESSIOND_SRC_JOURNAL_STATE_H

#include "writer.h"

#include "sessiond/journal/config.h"
#include "sessiond/journal/metrics.h"
#include "sessiond/journal/recovered.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    JOURNAL_THREADS = 4,
    SYNC_AFTER_MS = 500,  /* everysec: age of the oldest unsynced change at which a sync begins */
    LATE_AFTER_MS = 1000, /* everysec: age at which replies to changes wait for the sync */
    GATHER_SHARE =
        4, /* of the time that the last sync took: a further one waits so long after it */
    GATHER_MAX_US = 1000,        /* at most */
    MARK_AFTER_MS = 1000,        /* after a sync without a frame behind it */
    CHECKPOINT_LOOK_MS = 1000,   /* between two looks whether one is due */
    CHECKPOINT_RETRY_MS = 30000, /* after one that found no room */
    CHECKPOINT_REST_US = 150,    /* between slices of the walk */
    CHECKPOINTER_NICE = 10,      /* of its thread: a tenth of a processor that workers keep busy */
    SPARE_RETRY_MS = 1000,       /* between two tries to make a segment on a full disk */
    SPARE_CHUNK = 1 << 20,       /* bytes that are zeroed and synced at a time */
    SPARE_REST_US = 2000,        /* between them */
};

/* Who turns, or is held up by the disk. */
enum journal_pulse {
    PULSE_FLUSHER,
    PULSE_SYNCER,
    PULSE_MAKER,
    PULSE_CHECKPOINTER,
    PULSE_WRITE, /* of a frame, by whichever thread, a worker maybe; no thread itself */
    JOURNAL_PULSES,
};

/* For journal_turns. */
struct pulse {
    uint64_t n_turns; /* and calls of the disk that have begun or ended */
    uint64_t n_seen;  /* of them at the last look */
    bool is_at_disk;
};

struct journal {
    /* immutable after journal_open */
    struct journal_config config; /* what a reload changes is read from its options */
    enum fsync_choice fsync;
    struct recovered recovered;

    /* any thread; written under `lock` */
    _Atomic uint64_t written; /* every frame up to this sequence is written */
    _Atomic uint64_t durable; /* every frame up to this sequence is synced */
    _Atomic int64_t
        unsynced_since_ms; /* elapsed time of the oldest unsynced change; INT64_MAX: none */
    _Atomic bool has_failed;

    pthread_mutex_t lock;
    pthread_cond_t write_wanted;      /* for the flusher: there is something to write, or to stop */
    pthread_cond_t sync_wanted;       /* for the syncer: something was written or asked for */
    pthread_cond_t spare_wanted;      /* for the maker of segments */
    pthread_cond_t checkpoint_wanted; /* for the checkpointer: a sync ended, or to stop */
    /* under `lock` */
    struct batch batches[2];
    struct batch *pending; /* that changes are added to; the other belongs to who writes */
    struct writer writer;
    bool is_writing;      /* one thread writes the other batch */
    bool is_syncing;      /* a sync has begun and not ended */
    bool is_sync_due;     /* it will begin as soon as nobody writes: nobody begins to */
    bool must_write;      /* the flusher is asked to write what is pending */
    bool must_sync;       /* the syncer is asked not to wait */
    bool is_stopping;     /* no change comes any more */
    bool is_out_of_space; /* the last try to make a segment met a full disk */
    uint64_t last_data;   /* highest sequence of a frame with records */
    int64_t time_s;       /* the latest that a frame carries, also of those that were recovered */
    bool is_in_grace;     /* it stands still; written by the checkpointer alone */
    uint64_t last_mark;   /* the mark that the last written frame carries */
    uint64_t marked;      /* the mark that the last synced frame carries */
    int64_t written_since_ms; /* of the oldest change written since the running sync began */
    int64_t synced_ms;        /* when the last sync ended */
    int64_t synced_us;        /* the same, monotonic */
    int64_t sync_us;          /* how long it took */
    uint64_t log_bytes;       /* of frames since the last checkpoint began */
    bool has_dead;            /* since then something was deleted or overwritten */
    int64_t
        checkpoint_ms; /* when the last one began, or without one the journal; may be before the machine did */
    int64_t checkpoint_not_before_ms; /* after one that found no room */
    uint64_t checkpoint_number;       /* of the last one; 0: none */
    uint64_t start_sequence;          /* what the start has written has lower ones */
    struct batch image;               /* the checkpointer's alone */
    int64_t time_look_ms;             /* likewise: when the next look at the time is due */
    uint64_t n_expired; /* likewise: what store_count_expired said when a frame told it */
    struct pulse pulses[JOURNAL_PULSES];
    struct sess_error failure;
    struct journal_metrics metrics;

    /* the creator's */
    pthread_t threads[JOURNAL_THREADS]; /* flusher, syncer, maker, checkpointer */
    unsigned n_threads;                 /* that were started */
};

/** Elapsed milliseconds. */
int64_t journal_ms(const struct journal *journal);

/** Note that the disk failed; `error` says how. From then on nothing is acknowledged, and nothing is
 *  written or synced. Under the lock; it makes the wired call `failed`, once. */
void journal_fail(struct journal *journal, const struct sess_error *error);

/** Let workers look again at what waits. Not under the lock. */
void journal_wake(struct journal *journal);

/** Let every thread of the journal look what there is to do. Under the lock. */
void journal_news(struct journal *journal);

/** Whether its threads are to end: it is being stopped, or the disk failed. Under the lock; the second takes
 *  it. */
bool journal_is_ending(const struct journal *journal);
bool journal_ask_ending(struct journal *journal);

/** Note that a thread goes on: it has come to the begin of its loop. Under the lock. */
void journal_turn(struct journal *journal, enum journal_pulse pulse);

/** Give the lock up for a job that the disk may hold up as long as it likes, and take it back. */
void journal_to_disk(struct journal *journal, enum journal_pulse pulse);
void journal_from_disk(struct journal *journal, enum journal_pulse pulse);

/** Wait for `us` microseconds, or until there is news. Under the lock, which is given up meanwhile. */
void journal_wait(struct journal *journal, pthread_cond_t *news, int64_t us);

/** Whether the pending batch can be written now by the caller. Under the lock. */
bool commit_can_write(const struct journal *journal);

/** Write the pending batch as a frame, if commit_can_write; the lock is given up meanwhile, and held again
 *  afterwards. A batch without records is a mark. Returns false when it failed. */
bool commit_write(struct journal *journal);

/** The time as a frame carries it: now, but not before that of the last frame; in a grace that one. Under the
 *  lock. */
int64_t journal_time(const struct journal *journal);

/** Once a second, on the checkpointer's thread, not under the lock: write a frame if something expired in a
 *  time that no frame carries; end a grace. */
void timekeeper_look(struct journal *journal);

/** Let an orderly end carry its time, so that the next start is not far ahead of it. Not under the lock. */
void timekeeper_stop(struct journal *journal);

/** The threads. */
void *flusher_run(void *journal);
void *syncer_run(void *journal);
void *maker_run(void *journal);
void *checkpointer_run(void *journal);

#endif
