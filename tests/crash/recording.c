/* Lives and their load. Threads, memory: see the header. */
#include "recording.h"

#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OPS_MAX = 90, /* of a life */
    PROMISES_MAX = 256,
    TRIES_MAX = 200,
    PAUSE_US = 100,
    EXTRA_OPS_MAX = 300, /* of a life that is to see a checkpoint */
    LATE_MS = 1000,      /* everysec: no reply leaves while a change that is older is not synced */
};

/* A reply that waits for the journal. */
struct promise {
    struct store_tickets tickets;
    size_t k;         /* changes that it tells of */
    size_t k_durable; /* of them: that survive a power cut once it has left */
};

struct life {
    struct recording *recording;
    struct memory_directory *memory;
    struct subject subject;
    struct history *history;
    struct clock *clock;
    struct test_random *random;
    struct picture picture; /* after the whole history */
    size_t last_of_key[ORACLE_KEYS];
    size_t last_revocation_of_key[ORACLE_KEYS];
    struct promise promises[PROMISES_MAX];
    size_t n_promises;
    size_t k_said; /* changes that the journal said are durable */
    bool is_stalled;
    uint8_t value[SUBJECT_VALUE_MAX];
    uint64_t n_values;
};

static void observe(void *context, const struct memory_event *event)
{
    struct life *life = context;

    if (event->call == MEMORY_RENAME && strncmp(event->to, "checkpoint-", 11) == 0) {
        atomic_fetch_add(&life->recording->n_checkpoints, 1);
    }
    log_add_call(&life->recording->log, event, clock_now(life->clock).wall_s);
}

static uint64_t below(const struct life *life, uint64_t bound)
{
    return test_random_below(life->random, bound);
}

/* Whether a change must survive a power cut once it is answered: the words of durability.md. */
static bool is_kept(const struct life *life, const struct change *change)
{
    const struct journal_options *options = &life->recording->options;
    bool replaces = change->kind == MUTATION_SET && !change->is_touch;

    if (options->fsync == FSYNC_ALWAYS) {
        return true;
    }
    if (options->fsync == FSYNC_NEVER || options->sync_revocations == REVOCATIONS_NO) {
        return false;
    }
    if (change->kind == MUTATION_FLUSH) {
        return true;
    }
    if (change->old_deadline_s == 0 ||
        change->old_deadline_s - change->now_s < (int64_t)(options->sync_min_life / 1000)) {
        return false;
    }
    return change_ends_sooner(change) ||
           (replaces && options->sync_revocations == REVOCATIONS_OVERWRITES);
}

static void note_change(struct life *life, const struct change *change)
{
    size_t k;

    history_add(life->history, change);
    picture_apply(&life->picture, change);
    k = life->history->n_changes;
    for (unsigned key = 0; key < ORACLE_KEYS; key++) {
        if (change->kind == MUTATION_FLUSH || change->key == key) {
            life->last_of_key[key] = k;
            if (is_kept(life, change)) {
                life->last_revocation_of_key[key] = k;
            }
        }
    }
}

static enum mutation_answer hear(void *context, const struct mutation *mutation,
                                 struct mutation_receipt *receipt)
{
    struct life *life = context;
    struct change change = oracle_change(mutation);
    enum mutation_answer answer;

    change.made_ms = clock_now(life->clock).boot_ms;
    if (life->subject.has_grace) {
        /* When it ends is the journal's affair. */
        change.carried_s = life->subject.recovered->time_s;
    }
    answer = journal_accept(life->subject.journal, mutation, receipt);

    if (answer == MUTATION_ACCEPTED) {
        change.ticket = receipt->ticket;
        note_change(life, &change);
    }
    return answer;
}

/* ---- replies ---- */

/* With everysec: a reply to a change tells that all changes before it that are older than a second are
 * synced. */
static size_t count_late(const struct life *life, const struct promise *promise)
{
    int64_t now_ms = clock_now(life->clock).boot_ms;
    size_t k = promise->k;

    if (life->recording->options.fsync != FSYNC_EVERYSEC) {
        return 0;
    }
    while (k > 0 && life->history->changes[k - 1].made_ms >= now_ms - LATE_MS) {
        k--;
    }
    return k;
}

static void keep_promise(struct life *life, const struct promise *promise)
{
    size_t k_late = count_late(life, promise);
    size_t k_durable = promise->k_durable > k_late ? promise->k_durable : k_late;

    log_add(&life->recording->log,
            &(struct log_entry){.kind = LOG_ACK, .k = promise->k, .is_durable = false});
    log_add(&life->recording->log,
            &(struct log_entry){.kind = LOG_ACK, .k = k_durable, .is_durable = true});
}

/* The journal's own word, in all modes. A sync that ended says less: what it reached after it was begun may
 * share a block with what comes next. */
static void note_durable(struct life *life)
{
    uint64_t durable = atomic_load(&life->subject.journal->durable);
    const struct history *history = life->history;
    size_t k = life->k_said;

    while (k < history->n_changes && history->changes[k].ticket <= durable) {
        k++;
    }
    if (k > life->k_said) {
        life->k_said = k;
        log_add(&life->recording->log,
                &(struct log_entry){.kind = LOG_ACK, .k = k, .is_durable = true});
    }
}

static void look_at_promises(struct life *life)
{
    size_t n_left = 0;

    note_durable(life);
    for (size_t i = 0; i < life->n_promises; i++) {
        if (journal_committed(life->subject.journal, &life->promises[i].tickets)) {
            keep_promise(life, &life->promises[i]);
        } else {
            life->promises[n_left++] = life->promises[i];
        }
    }
    life->n_promises = n_left;
}

static void let_go(struct life *life)
{
    if (life->is_stalled) {
        memory_directory_release(life->memory, MEMORY_SYNC);
        life->is_stalled = false;
    }
}

static void pause_a_little(struct life *life)
{
    let_go(life);
    look_at_promises(life);
    (void)usleep(PAUSE_US);
}

static void promise(struct life *life, unsigned key, const struct store_outcome *outcome,
                    bool is_change)
{
    struct promise made = {
        .tickets = {.seen = outcome->ticket,
                    .changed = is_change ? outcome->ticket : 0,
                    .revoked = is_change ? outcome->revocation_ticket : 0},
        .k = is_change ? life->last_of_key[key] : 0,
        .k_durable = is_change ? life->last_revocation_of_key[key] : 0,
    };

    if (life->recording->options.fsync == FSYNC_ALWAYS) {
        made.k = life->last_of_key[key];
        made.k_durable = made.k;
    }
    while (life->n_promises == PROMISES_MAX) {
        pause_a_little(life);
    }
    life->promises[life->n_promises++] = made;
}

/* ---- operations ---- */

static struct slice draw_value(struct life *life)
{
    size_t size =
        below(life, 10) == 0 ? 17000 + below(life, SUBJECT_VALUE_MAX - 17000) : below(life, 700);

    (void)snprintf((char *)life->value, 24, "%020llu", (unsigned long long)++life->n_values);
    for (size_t i = 20; i < size; i++) {
        life->value[i] = (uint8_t)(i * life->n_values);
    }
    return below(life, 6) == 0 ? slice_of(life->value, 8) : slice_of(life->value, size);
}

static struct store_expiry draw_expiry(struct life *life)
{
    static const int64_t ttls[] = {5, 30, 61, 90, 600, 3600, 86400};
    uint64_t which = below(life, 10);

    if (which == 0) {
        return store_expiry_at(STORE_NO_DEADLINE);
    }
    if (which == 1) {
        return store_expiry_at(1);
    }
    return store_expiry_in(ttls[below(life, sizeof ttls / sizeof ttls[0])]);
}

static enum sess_status write_one(struct life *life, unsigned key, int64_t now_s,
                                  struct store_outcome *outcome)
{
    static const enum store_mode modes[] = {STORE_SET,     STORE_SET,    STORE_SET,     STORE_ADD,
                                            STORE_REPLACE, STORE_APPEND, STORE_PREPEND, STORE_CAS};
    struct store_write write = {
        .mode = modes[below(life, sizeof modes / sizeof modes[0])],
        .key = oracle_key(key),
        .value = draw_value(life),
        .flags = (uint32_t)below(life, 1000),
        .expiry = draw_expiry(life),
        .cas = below(life, 3) == 0 ? 7 : life->picture.keys[key].cas,
        .new_cas = below(life, 12) == 0 ? UINT64_MAX / 2 - below(life, 1000) : 0,
    };

    if (write.mode == STORE_APPEND || write.mode == STORE_PREPEND) {
        write.value = slice_first(write.value, write.value.size < 100 ? write.value.size : 100);
    }
    return store_write(life->subject.store, &write, now_s, outcome);
}

/* Marked as out of date, to live as long or otherwise. */
static enum sess_status invalidate_one(struct life *life, unsigned key, int64_t now_s,
                                       struct store_outcome *outcome)
{
    struct store_removal removal = {
        .key = oracle_key(key),
        .invalidates = true,
        .renews = below(life, 2) == 0,
        .expiry = draw_expiry(life),
    };

    return store_remove(life->subject.store, &removal, now_s, outcome);
}

static enum sess_status count_one(struct life *life, unsigned key, int64_t now_s,
                                  struct store_outcome *outcome)
{
    struct store_count count = {
        .key = oracle_key(key), .delta = below(life, 50), .is_decrement = below(life, 2) == 0};
    uint64_t result;

    return store_count(life->subject.store, &count, now_s, &result, outcome);
}

static enum sess_status read_one(struct life *life, unsigned key, int64_t now_s,
                                 struct store_outcome *outcome)
{
    struct store_reading reading;
    enum sess_status status =
        store_read_begin(life->subject.store, oracle_key(key), 0, now_s, &reading);

    *outcome = reading.outcome;
    if (status == SESS_OK) {
        store_read_end(&reading);
    }
    return status;
}

static enum sess_status flush_all(struct life *life, int64_t now_s, struct store_outcome *outcome)
{
    return store_flush(life->subject.store, below(life, 2) == 0 ? now_s : now_s + 4, now_s,
                       outcome);
}

/* One operation; BUSY: it did nothing. */
static enum sess_status try_one(struct life *life, unsigned what, unsigned key,
                                struct store_outcome *outcome)
{
    struct store *store = life->subject.store;
    int64_t now_s = clock_now(life->clock).wall_s;

    now_s = now_s > life->subject.time_s ? now_s : life->subject.time_s;
    if (what < 45) {
        return write_one(life, key, now_s, outcome);
    }
    if (what < 49) {
        return invalidate_one(life, key, now_s, outcome);
    }
    if (what < 60) {
        return store_delete(store, oracle_key(key), 0, now_s, outcome);
    }
    if (what < 80) {
        return store_touch(store, oracle_key(key), 0, draw_expiry(life), now_s, outcome);
    }
    if (what < 88) {
        return count_one(life, key, now_s, outcome);
    }
    if (what < 97) {
        return read_one(life, key, now_s, outcome);
    }
    return flush_all(life, now_s, outcome);
}

static void operate(struct life *life)
{
    unsigned what = (unsigned)below(life, 100);
    unsigned key = (unsigned)below(life, below(life, 2) == 0 ? 4 : ORACLE_KEYS);
    bool is_read = what >= 88 && what < 97;
    struct store_outcome outcome;

    for (unsigned i = 0; i < TRIES_MAX; i++) {
        enum sess_status status = try_one(life, what, key, &outcome);

        if (status != SESS_BUSY && status != SESS_REFUSED) {
            promise(life, key, &outcome, !is_read);
            return;
        }
        pause_a_little(life);
    }
}

/* ---- a life ---- */

/* In its grace: in the end the clock is put right, or believed. */
static void settle_clock(struct life *life)
{
    uint64_t what = below(life, 40);

    if (what == 0) {
        (void)subject_put_right(&life->subject, (int64_t)below(life, 3000));
    } else if (what == 1) {
        clock_advance(life->clock, CLOCK_GRACE_MS / 2);
    }
}

static void act(struct life *life)
{
    uint64_t what = below(life, 20);

    if (clock_is_in_grace(life->clock)) {
        settle_clock(life);
    }
    if (what == 0) {
        clock_advance(life->clock, (int64_t)below(life, 20000));
    } else if (what < 12) {
        clock_advance(life->clock, (int64_t)below(life, 400));
    }
    if (below(life, 12) == 0) {
        memory_directory_stall(life->memory, MEMORY_SYNC);
        life->is_stalled = true;
    } else if (below(life, 8) == 0) {
        let_go(life);
    }
    operate(life);
    if (below(life, 3) != 0) {
        look_at_promises(life);
    }
    if (below(life, 10) == 0) {
        pause_a_little(life);
    }
}

static bool tell(const char *what, const char *more)
{
    (void)printf("a life could not go on: %s: %s\n", what, more);
    return false;
}

/* After a crash of the process: everything that was acknowledged is there. */
static bool find_past(struct life *life, const struct history *before, size_t n_acked,
                      int64_t wall_s)
{
    struct picture found;
    size_t k;

    subject_look(&life->subject, life->subject.time_s, &found);
    if (!oracle_find(before, n_acked, &found, life->subject.time_s, &k)) {
        subject_close(&life->subject);
        return tell("a life began with what it must not hold", "see oracle.h");
    }
    history_begin(life->history, before, k);
    picture_clear(&life->picture);
    for (size_t i = 0; i < k; i++) {
        struct change change = before->changes[i];

        picture_apply(&life->picture, &change);
    }
    /* What was found is never lost again. */
    for (unsigned key = 0; key < ORACLE_KEYS; key++) {
        life->last_of_key[key] = k;
        life->last_revocation_of_key[key] = k;
    }
    log_add(&life->recording->log, &(struct log_entry){.kind = LOG_LIFE,
                                                       .wall_s = wall_s,
                                                       .life = life->recording->n_lives,
                                                       .k = k,
                                                       .is_durable = true});
    return true;
}

static size_t acked_in(const struct disk_log *log)
{
    size_t n_acked = 0;

    for (size_t i = 0; i < log->n_entries; i++) {
        const struct log_entry *entry = &log->entries[i];

        if (entry->kind == LOG_LIFE) {
            n_acked = entry->k;
        }
        if (entry->kind == LOG_ACK && entry->k > n_acked) {
            n_acked = entry->k;
        }
    }
    return n_acked;
}

/* Returns false if it ended otherwise than it should. */
static bool end_life(struct life *life, bool is_crash)
{
    struct sess_error error;
    enum sess_status status;

    if (is_crash) {
        memory_directory_cut(life->memory);
    } else {
        let_go(life);
    }
    status = journal_stop(life->subject.journal, &error);
    if (!is_crash) {
        look_at_promises(life);
    }
    subject_close(&life->subject);
    memory_directory_restart(life->memory);
    return is_crash || status == SESS_OK || tell("it did not stop", error.text);
}

/* Go on, more slowly, until one has its name; it may be ended before what it replaces is removed. */
static void meet_checkpoint(struct life *life)
{
    for (unsigned i = 0; i < EXTRA_OPS_MAX && life->recording->n_checkpoints == 0; i++) {
        act(life);
        pause_a_little(life);
    }
    for (uint64_t i = below(life, 10); i > 0; i--) {
        pause_a_little(life);
    }
}

static bool open_subject(struct life *life, bool is_exact)
{
    struct sess_error error;
    enum sess_status status = (is_exact ? subject_open_exactly : subject_open)(
        &life->subject, life->memory, &life->recording->options, life->clock, &error);

    return status == SESS_OK || tell("it did not open", error.text);
}

static bool run_life(struct life *life, bool is_crash)
{
    struct recording *recording = life->recording;
    const struct history *before = &recording->histories[recording->n_lives];
    size_t n_acked = acked_in(&recording->log);
    uint64_t n_ops = OPS_MAX / 4 + below(life, OPS_MAX);
    struct sess_error error;
    int64_t wall_s;

    if (below(life, 4) == 0) {
        /* While nothing runs: by up to an hour back, or by days ahead. */
        int64_t step_s = (int64_t)below(life, 4) * 2 * 86400 - (int64_t)below(life, 3600);

        clock_step(life->clock, step_s * 1000);
    }
    recording->n_lives++;
    life->history = &recording->histories[recording->n_lives];
    (void)clock_begin(life->clock, 0);
    wall_s = clock_now(life->clock).wall_s;
    if (!open_subject(life, true) || !find_past(life, before, n_acked, wall_s)) {
        return false;
    }
    /* A look lets a flush that is due take effect, and nobody is there yet to journal that. */
    subject_close(&life->subject);
    if (!open_subject(life, false)) {
        return false;
    }
    store_on_mutation(life->subject.store, hear, life);
    if (journal_start(life->subject.journal, &error) != SESS_OK) {
        subject_close(&life->subject);
        return tell("it did not start", error.text);
    }
    life->n_promises = 0;
    life->k_said = life->history->n_changes;
    life->is_stalled = false;
    for (uint64_t i = 0; i < n_ops; i++) {
        act(life);
    }
    meet_checkpoint(life);
    return end_life(life, is_crash);
}

static bool load(struct recording *recording, const struct memory_file *files, size_t n_files,
                 struct memory_directory *memory)
{
    recording->ids = calloc(n_files + 1, sizeof *recording->ids);
    recording->n_files = n_files;
    for (size_t i = 0; recording->ids != NULL && i < n_files; i++) {
        recording->ids[i] =
            memory_directory_add(memory, files[i].name, slice_of(files[i].bytes, files[i].size));
    }
    return recording->ids != NULL &&
           memory_directory_copy(memory, &recording->files, &recording->n_files);
}

bool recording_make(struct recording *recording, const struct journal_options *options,
                    const struct memory_file *files, size_t n_files, const struct history *history,
                    int64_t wall_s, struct test_random *random)
{
    struct memory_directory *memory = memory_directory_create();
    struct directory *base = memory_directory_base(memory);
    struct life *life = calloc(1, sizeof *life);
    unsigned n_lives = 1 + (unsigned)test_random_below(random, RECORDING_LIVES_MAX - 1);
    bool is_good;

    *recording = (struct recording){.options = *options};
    log_init(&recording->log);
    *life = (struct life){.recording = recording, .memory = memory, .random = random};
    life->n_values = test_random_next(random) % 1000000000 * 1000000;
    history_begin(&recording->histories[0], history, history->n_changes);
    log_add(&recording->log,
            &(struct log_entry){
                .kind = LOG_LIFE, .wall_s = wall_s, .k = history->n_changes, .is_durable = true});
    is_good = load(recording, files, n_files, memory) &&
              clock_create_manual(wall_s, &life->clock) == SESS_OK;
    memory_directory_observe(memory, observe, life);
    for (unsigned i = 0; is_good && i < n_lives; i++) {
        is_good = run_life(life, test_random_below(random, 3) != 0);
    }
    directory_destroy(&base);
    clock_destroy(&life->clock);
    free(life);
    return is_good;
}

void recording_end(struct recording *recording)
{
    memory_files_free(recording->files, recording->n_files);
    free(recording->ids);
    for (unsigned i = 0; i <= recording->n_lives; i++) {
        history_end(&recording->histories[i]);
    }
    log_fini(&recording->log);
}
