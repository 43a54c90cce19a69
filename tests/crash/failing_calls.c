/* The n-th call that fails, for each n, once and for ever: of the disk, and of the allocator.
 *
 * One life, again and again from the same files: recovery, changes over several segments, a checkpoint, a stop. In it
 * one call fails. Either it goes on, or it ends with an error that says what failed; then a start without
 * faults must find all that was acknowledged and nothing that was ended. After a sync that failed also when the disk
 * has lost what that sync was about; and no sync of that file may have been tried again.
 *
 * usage: failing_calls    exits with 1 at the first life that is wrong. Source: durability.md, "Disk trouble". */
#include "faults.h"
#include "subject.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WALL_S = 1700000000,
    LONG_S = 100000,
    N_OPS = 40,
    PAUSE_US = 50,
    PATIENCE = 400000, /* pauses, until something that must come is said not to */
    LARGE_EVERY = 5,   /* operations */
    LARGE = 18000,     /* bytes: kept by reference */
    N_MOST = 3000,     /* calls of a life: more are none that ends */
};

/* One kind of trouble. */
struct fault {
    const char *what;
    bool is_allocation;
    enum memory_call call;
    enum sess_status status;
    bool must_end; /* nothing may go on after it */
};

static const struct fault faults[] = {
    {"write, IO", false, MEMORY_WRITE, SESS_IO, true},
    {"write, full disk", false, MEMORY_WRITE, SESS_NO_SPACE, false},
    {"sync, IO", false, MEMORY_SYNC, SESS_IO, true},
    {"sync, full disk", false, MEMORY_SYNC, SESS_NO_SPACE, true},
    {"sync of names, IO", false, MEMORY_SYNC_DIRECTORY, SESS_IO, true},
    {"sync of names, full disk", false, MEMORY_SYNC_DIRECTORY, SESS_NO_SPACE, true},
    {"rename, IO", false, MEMORY_RENAME, SESS_IO, true},
    {"rename, full disk", false, MEMORY_RENAME, SESS_NO_SPACE, false},
    {"reserve, IO", false, MEMORY_ALLOCATE, SESS_IO, true},
    {"reserve, full disk", false, MEMORY_ALLOCATE, SESS_NO_SPACE, false},
    {"create, IO", false, MEMORY_CREATE, SESS_IO, true},
    {"create, full disk", false, MEMORY_CREATE, SESS_NO_SPACE, false},
    {"create, no descriptor", false, MEMORY_CREATE, SESS_LIMIT, false},
    {"open, IO", false, MEMORY_OPEN, SESS_IO, false},
    {"open, no descriptor", false, MEMORY_OPEN, SESS_LIMIT, false},
    {"read, IO", false, MEMORY_READ, SESS_IO, true},
    {"size, IO", false, MEMORY_SIZE, SESS_IO, false},
    {"cut, IO", false, MEMORY_TRUNCATE, SESS_IO, true},
    {"cut, full disk", false, MEMORY_TRUNCATE, SESS_NO_SPACE, true},
    {"remove, IO", false, MEMORY_REMOVE, SESS_IO, false},
    {"list, IO", false, MEMORY_LIST, SESS_IO, false},
    {"allocation", true, MEMORY_CALLS, SESS_NO_MEMORY, false},
};

/* A directory and what was acknowledged of it. */
struct past {
    struct memory_file *files;
    size_t n_files;
    struct history history;
};

struct life {
    struct journal_options options;
    struct memory_directory *memory;
    struct clock *clock;
    struct subject subject;
    struct history history;
    size_t n_acked;   /* changes that no crash of the process may take back */
    size_t n_durable; /* nor a power cut */
    bool has_ended;   /* with an error */
    bool is_stuck;
    bool has_spoken; /* a reply might have left after the failure */
    _Atomic unsigned n_checkpoints;
    struct sess_error error;
};

static uint8_t value[LARGE];

static void observe(void *context, const struct memory_event *event)
{
    struct life *life = context;

    if (event->call == MEMORY_RENAME && strncmp(event->to, "checkpoint-", 11) == 0) {
        life->n_checkpoints++;
    }
}

static enum mutation_answer hear(void *context, const struct mutation *mutation,
                                 struct mutation_receipt *receipt)
{
    struct life *life = context;
    struct change change = oracle_change(mutation);
    enum mutation_answer answer = journal_accept(life->subject.journal, mutation, receipt);

    if (answer == MUTATION_ACCEPTED) {
        faults_hold();
        history_add(&life->history, &change);
        faults_let_go();
    }
    return answer;
}

/* Returns false when it is not to come any more. */
static bool pause_a_little(struct life *life, unsigned *tries)
{
    (void)usleep(PAUSE_US);
    life->is_stuck = ++*tries == PATIENCE;
    return !life->is_stuck && !atomic_load(&life->subject.has_failed);
}

static enum sess_status write_one(struct life *life, unsigned op, unsigned key,
                                  struct store_outcome *outcome)
{
    bool is_large = op % LARGE_EVERY == 0;
    struct store_write write = {
        .mode = STORE_SET,
        .key = oracle_key(key),
        .value = slice_of(value, is_large ? LARGE : 300 + op),
        .flags = op,
        .expiry = store_expiry_in(LONG_S + op),
    };

    memcpy(value, &op, sizeof op);
    return store_write(life->subject.store, &write, life->subject.time_s, outcome);
}

/* Stores, renewals, lives that are cut short, logouts. */
static enum sess_status change_one(struct life *life, unsigned op, struct store_outcome *outcome)
{
    struct store *store = life->subject.store;
    unsigned key = op * 7 % ORACLE_KEYS;
    int64_t now_s = life->subject.time_s;

    switch (op % 8) {
    case 5:
        return store_touch(store, oracle_key(key / 2), 0, store_expiry_in(2 * (int64_t)LONG_S),
                           now_s, outcome);
    case 6:
        return store_touch(store, oracle_key(key / 2), 0, store_expiry_in(LONG_S / 2), now_s,
                           outcome);
    case 3:
    case 7:
        return store_delete(store, oracle_key(key), 0, now_s, outcome);
    default:
        return write_one(life, op, key, outcome);
    }
}

static bool was_revocation(const struct life *life)
{
    const struct change *last = &life->history.changes[life->history.n_changes - 1];

    return last->old_deadline_s != 0 && change_ends_sooner(last);
}

/* One change, and its reply. */
static void operate(struct life *life, unsigned op)
{
    size_t n_before = life->history.n_changes;
    struct store_outcome outcome;
    struct store_tickets tickets;
    unsigned tries = 0;
    enum sess_status status = change_one(life, op, &outcome);

    while (status == SESS_BUSY && pause_a_little(life, &tries)) {
        status = change_one(life, op, &outcome);
    }
    if (life->history.n_changes == n_before) {
        return;
    }
    tickets = (struct store_tickets){
        .seen = outcome.ticket, .changed = outcome.ticket, .revoked = outcome.revocation_ticket};
    while (!journal_committed(life->subject.journal, &tickets)) {
        if (!pause_a_little(life, &tries)) {
            return;
        }
    }
    life->n_acked = life->history.n_changes;
    if (life->options.fsync == FSYNC_ALWAYS || was_revocation(life)) {
        life->n_durable = life->n_acked;
    }
}

static void serve(struct life *life, unsigned n_ops)
{
    unsigned tries = 0;

    store_on_mutation(life->subject.store, hear, life);
    if (journal_start(life->subject.journal, &life->error) != SESS_OK) {
        life->has_ended = true;
        return;
    }
    for (unsigned op = 0; op < n_ops && !atomic_load(&life->subject.has_failed) && !life->is_stuck;
         op++) {
        operate(life, op);
        /* A mark may be due. */
        clock_advance(life->clock, op % 8 == 0 ? 1100 : 20);
    }
    /* One is due, unless there is no room for it. */
    while (life->n_checkpoints == 0 && ++tries < 400 && !atomic_load(&life->subject.has_failed)) {
        (void)usleep(PAUSE_US);
    }
    /* Not even one that waits for nothing: it might tell of what was not kept. */
    life->has_spoken = atomic_load(&life->subject.has_failed) &&
                       journal_committed(life->subject.journal, &(struct store_tickets){.seen = 0});
}

static struct life *begin(const struct past *past, const struct journal_options *options)
{
    struct life *life = calloc(1, sizeof *life);

    if (life == NULL || clock_create_manual(WALL_S, &life->clock) != SESS_OK) {
        abort();
    }
    life->options = *options;
    life->memory = memory_directory_create();
    memory_directory_keep_synced(life->memory);
    for (size_t i = 0; i < past->n_files; i++) {
        (void)memory_directory_add(life->memory, past->files[i].name,
                                   slice_of(past->files[i].bytes, past->files[i].size));
    }
    memory_directory_observe(life->memory, observe, life);
    history_begin(&life->history, &past->history, past->history.n_changes);
    life->n_acked = past->history.n_changes;
    life->n_durable = life->n_acked;
    return life;
}

static void live(struct life *life, unsigned n_ops)
{
    struct sess_error error = {.status = SESS_OK};
    enum sess_status status =
        subject_open(&life->subject, life->memory, &life->options, life->clock, &life->error);

    if (status != SESS_OK) {
        life->has_ended = true;
        return;
    }
    serve(life, n_ops);
    if (journal_stop(life->subject.journal, &error) != SESS_OK) {
        life->has_ended = true;
        life->error = error;
    }
    subject_close(&life->subject);
}

static void end(struct life *life)
{
    struct directory *base = memory_directory_base(life->memory);

    directory_destroy(&base);
    history_end(&life->history);
    clock_destroy(&life->clock);
    free(life);
}

static bool wrong(const struct life *life, const char *what)
{
    (void)printf("%s; the error is: %s\n", what, life->error.text);
    return false;
}

/* A start without faults. */
static bool find_all(struct life *life, size_t least)
{
    struct picture found;
    bool is_good;
    size_t k;

    if (subject_open(&life->subject, life->memory, &life->options, life->clock, &life->error) !=
        SESS_OK) {
        return wrong(life, "it does not start again");
    }
    subject_look(&life->subject, life->subject.time_s, &found);
    is_good = oracle_find(&life->history, least, &found, life->subject.time_s, &k);
    subject_close(&life->subject);
    return is_good || wrong(life, "it holds what it must not");
}

static bool tells_what_failed(const struct life *life, const struct fault *fault)
{
    const char *text = life->error.text;

    if (fault->is_allocation) {
        return text[0] != '\0';
    }
    return strstr(text, "a call that was to fail") != NULL &&
           (strstr(text, "journal-") != NULL || strstr(text, "checkpoint-") != NULL ||
            strstr(text, "the directory") != NULL);
}

static bool judge(struct life *life, const struct fault *fault)
{
    if (life->is_stuck) {
        return wrong(life, "it hangs");
    }
    if (life->has_spoken) {
        return wrong(life, "it lets replies leave after the failure");
    }
    if (life->has_ended && life->error.status == SESS_DAMAGED) {
        return wrong(life, "it says that there is damage");
    }
    if (life->has_ended && !tells_what_failed(life, fault)) {
        return wrong(life, "it does not say what failed");
    }
    if (!life->has_ended && fault->must_end) {
        return wrong(life, "it went on");
    }
    if (memory_directory_resyncs(life->memory) > 0) {
        return wrong(life, "it synced again what could not be synced");
    }
    memory_directory_restart(life->memory);
    if (memory_directory_lose(life->memory) > 0) {
        return find_all(life, life->n_durable);
    }
    return find_all(life, life->n_acked);
}

static void arm(struct life *life, const struct fault *fault, unsigned n, bool is_for_ever)
{
    if (fault->is_allocation) {
        (is_for_ever ? faults_fail_allocations_from : faults_fail_allocation)(n);
    } else {
        (is_for_ever ? memory_directory_fail_from
                     : memory_directory_fail)(life->memory, fault->call, n, fault->status);
    }
}

/* Returns whether the call did fail; *is_good: whether all was well then. */
static bool try_one(const struct past *past, const struct journal_options *options,
                    const struct fault *fault, unsigned n, bool is_for_ever, bool *is_good)
{
    struct life *life = begin(past, options);
    bool has_fired;

    arm(life, fault, n, is_for_ever);
    live(life, N_OPS);
    has_fired = fault->is_allocation ? faults_failed_allocations() > 0
                                     : memory_directory_failed(life->memory) > 0;
    faults_fail_allocation(0);
    *is_good = !has_fired || judge(life, fault);
    if (!*is_good) {
        (void)printf("WRONG: %s, call %u%s, fsync %d, at %zu of %zu changes acknowledged\n",
                     fault->what, n, is_for_ever ? " and all behind it" : "", (int)options->fsync,
                     life->n_acked, life->history.n_changes);
    }
    end(life);
    return has_fired;
}

static bool try_all(const struct past *past, const struct journal_options *options,
                    const struct fault *fault, bool is_for_ever)
{
    bool is_good = true;
    unsigned n = 1;

    while (n < N_MOST && try_one(past, options, fault, n, is_for_ever, &is_good) && is_good) {
        n++;
    }
    (void)printf("%-26s %-8s fsync %d: %u lives\n", fault->what, is_for_ever ? "for ever" : "once",
                 (int)options->fsync, n - 1);
    if (is_good && n == 1) {
        (void)printf("WRONG: there is no such call\n");
    }
    return is_good && n > 1 && n < N_MOST;
}

/* Killed in the middle of its work: segments, a checkpoint, frames behind the last mark. */
static void make_past(const struct journal_options *options, struct past *past)
{
    const struct past nothing = {.files = NULL};
    struct life *life = begin(&nothing, options);
    struct sess_error error;

    if (subject_open(&life->subject, life->memory, options, life->clock, &error) != SESS_OK) {
        abort();
    }
    serve(life, N_OPS);
    *past = (struct past){.files = NULL};
    history_begin(&past->history, &life->history, life->history.n_changes);
    memory_directory_cut(life->memory);
    if (life->n_checkpoints == 0 || life->n_acked != life->history.n_changes ||
        !memory_directory_copy(life->memory, &past->files, &past->n_files)) {
        abort();
    }
    (void)!journal_stop(life->subject.journal, &error);
    subject_close(&life->subject);
    end(life);
}

int main(void)
{
    static const struct journal_options modes[] = {
        {.fsync = FSYNC_ALWAYS, .sync_min_life = 60000},
        {.fsync = FSYNC_EVERYSEC, .sync_revocations = REVOCATIONS_DELETES, .sync_min_life = 60000},
    };
    bool is_good = true;

    /* Each life needs the same memory again. */
    (void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    for (size_t mode = 0; is_good && mode < sizeof modes / sizeof modes[0]; mode++) {
        struct past past;

        make_past(&modes[mode], &past);
        for (size_t i = 0; is_good && i < sizeof faults / sizeof faults[0]; i++) {
            is_good = try_all(&past, &modes[mode], &faults[i], false) &&
                      try_all(&past, &modes[mode], &faults[i], true);
        }
        memory_files_free(past.files, past.n_files);
        history_end(&past.history);
    }
    return is_good ? 0 : 1;
}
