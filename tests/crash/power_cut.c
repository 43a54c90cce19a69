/* Power cuts: every state that a disk may be in after one, recovered and held against the oracle.
 *
 * usage: power_cut SEED STATES [DIR]    Records lives until STATES states have been tried. Exits with 1 at the
 * first one that is wrong, says which it is, and leaves its files in DIR, which is there. Each state is recovered
 * twice. Source: durability.md, "What is proved"; the oracle is oracle.h, the disk disk.h. */
#include "recording.h"

#include "sessiond/base/log.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WALL_S = 1700000000,
    SUBSET_MAX = 8,      /* pending calls of which every subset is tried */
    SUBSETS_RANDOM = 24, /* else so many */
    SUBSETS_ONE_IN = 12, /* cuts */
    FILES_MAX = 40,      /* of a state that a recording begins with */
    SEEN_SIZE = 1 << 20,
    CHECKPOINTS_FROM = 4000, /* states: so many do not come without a checkpoint */
};

struct run {
    uint64_t seed;
    const char *wrong_directory; /* NULL: what is wrong is only told */
    struct test_random random;
    uint64_t n_wanted;
    uint64_t n_states;
    uint64_t n_same; /* that had been tried before */
    uint64_t n_recordings;
    uint64_t most_pending;
    uint64_t n_checkpoints; /* that recordings took */
    uint64_t n_images;      /* states that were recovered from one */
    uint64_t n_graces;      /* states whose start was far ahead */
    uint64_t *seen;         /* digests of states, a hash table that forgets */
    struct recording recording;
    struct disk disk;
    /* of one state: where the next recording may begin */
    struct memory_file *files;
    size_t n_files;
    struct history history;
    int64_t wall_s;
    uint64_t shown_cas; /* the highest id that a client may have seen */
    uint64_t began_cas; /* of the recording: what that was when it began */
};

/* One state, and what it may hold. */
struct state {
    struct memory_file *files;
    size_t n_files;
    size_t least; /* changes that it must hold */
    int64_t wall_s;
    const enum fate *fates;
    uint64_t shown_cas;
    int64_t time_s; /* that its store had */
    size_t k;       /* changes that it was found to hold */
    bool has_image; /* it was recovered from a checkpoint */
    bool has_grace; /* its start was far ahead */
};

static const char *const call_names[] = {"open",           "create",   "write",    "read",
                                         "size",           "allocate", "truncate", "sync",
                                         "sync directory", "rename",   "remove"};
static const char *const fate_names[] = {
    "kept", "lost", "torn at 512", "torn at a byte", "some sectors of", "garbled"};

static void print_pending(const struct disk *disk, const enum fate *fates)
{
    for (size_t i = 0; i < disk->n_pending; i++) {
        const struct log_entry *entry = &disk->log->entries[disk->pending[i]];

        (void)printf("  %-15s call %zu: %s file %" PRIu64 " %s %s, %" PRIu64 " + %zu\n",
                     fate_names[fates[i]], disk->pending[i], call_names[entry->call], entry->file,
                     entry->name, entry->to, entry->offset, entry->size);
    }
}

static void print_key(const char *what, const struct key_state *key)
{
    (void)printf(" %s: there %d, digest %" PRIx64 ", %zu bytes, cas %" PRIu64
                 ", stale %d, until %" PRId64 ", asked for %" PRId64 ", held until %" PRId64,
                 what, key->is_there, key->digest, key->size, key->cas, key->is_stale,
                 key->deadline_s, key->asked_s, key->held_until_s);
}

/* Against what the least and all changes make. */
static void print_difference(const struct history *history, size_t least,
                             const struct picture *found, int64_t at_s)
{
    struct picture early;
    struct picture late;

    picture_clear(&early);
    for (size_t i = 0; i < least; i++) {
        picture_apply(&early, &history->changes[i]);
    }
    late = early;
    for (size_t i = least; i < history->n_changes; i++) {
        picture_apply(&late, &history->changes[i]);
    }
    (void)printf("  time %" PRId64 ", flush at %" PRId64 " / %" PRId64 " / %" PRId64 "\n", at_s,
                 found->flush_at_s, early.flush_at_s, late.flush_at_s);
    for (unsigned key = 0; key < ORACLE_KEYS; key++) {
        struct key_state first = picture_look(&early, key, at_s);
        struct key_state last = picture_look(&late, key, at_s);

        if (!key_state_equal(&first, &found->keys[key])) {
            (void)printf("  key %u", key);
            print_key("found", &found->keys[key]);
            print_key("least", &first);
            print_key("all", &last);
            (void)printf("\n");
        }
    }
}

static void leave_file(const char *directory, const struct memory_file *file)
{
    char path[512];
    FILE *out;

    (void)snprintf(path, sizeof path, "%s/%s", directory, file->name);
    out = fopen(path, "wbe");
    if (out == NULL || fwrite(file->bytes, 1, file->size, out) != file->size) {
        perror(path);
    }
    if (out != NULL) {
        (void)fclose(out);
    }
}

static bool wrong(const struct run *run, const struct state *state, const char *what,
                  const char *more)
{
    const struct disk *disk = &run->disk;

    (void)printf("WRONG, seed %" PRIu64 ", recording %" PRIu64 ", fsync %d, sync-revocations %d: "
                 "cut in front of call %zu, life %u, wall %" PRId64 ": %s: %s\n",
                 run->seed, run->n_recordings, (int)run->recording.options.fsync,
                 (int)run->recording.options.sync_revocations, disk->at, disk->life, state->wall_s,
                 what, more);
    print_pending(disk, state->fates);
    for (size_t i = 0; i < state->n_files; i++) {
        (void)printf("  %s: %zu bytes\n", state->files[i].name, state->files[i].size);
        if (run->wrong_directory != NULL) {
            leave_file(run->wrong_directory, &state->files[i]);
        }
    }
    return false;
}

/* ---- one state ---- */

static bool print_name(void *context, const char *name)
{
    (void)context;
    (void)printf("  left: %s\n", name);
    return true;
}

static const struct history *history_of(const struct run *run)
{
    return &run->recording.histories[run->disk.life];
}

static bool open_state(const struct run *run, const struct state *state, struct subject *subject,
                       struct memory_directory *memory, struct clock *clock)
{
    struct sess_error error;
    enum sess_status status = subject_open(subject, memory, &run->recording.options, clock, &error);

    return status == SESS_OK || wrong(run, state, "recovery failed", error.text);
}

/* What came after the last change that must be there. */
static void print_changes(const struct history *history, size_t least)
{
    for (size_t i = least; i < history->n_changes; i++) {
        const struct change *change = &history->changes[i];

        (void)printf("  change %zu: kind %d%s, key %u, until %" PRId64 " (before %" PRId64
                     "), at %" PRId64 ", carried %" PRId64 "\n",
                     i + 1, (int)change->kind, change->is_touch ? ", a touch" : "", change->key,
                     change->deadline_s, change->old_deadline_s, change->now_s, change->carried_s);
    }
}

static bool check_picture(const struct run *run, struct state *state, const struct picture *found,
                          int64_t at_s)
{
    if (oracle_find(history_of(run), state->least, found, at_s, &state->k)) {
        return true;
    }
    (void)wrong(run, state, "it holds what it must not", "see oracle.h");
    (void)printf("  at least %zu of %zu changes\n", state->least, history_of(run)->n_changes);
    print_changes(history_of(run), run->wrong_directory == NULL ? state->least : 0);
    print_difference(history_of(run), state->least, found, at_s);
    return false;
}

/* Whom the clock hid is there again; but a flush whose time had come by it was one. */
static bool check_put_right(const struct run *run, struct state *state, struct subject *subject)
{
    bool was_flushed = subject->recovered->flush_at_s <= subject->time_s;
    int64_t step_ms = subject_put_right(subject, 0);
    int64_t at_s = clock_now(subject->clock).wall_s;
    struct picture found;
    bool is_good = true;

    subject_look(subject, at_s, &found);
    if (was_flushed) {
        for (unsigned key = 0; is_good && key < ORACLE_KEYS; key++) {
            is_good =
                !found.keys[key].is_there || wrong(run, state, "put right", "a flush is undone");
        }
    } else {
        is_good = check_picture(run, state, &found, at_s);
    }
    clock_step(subject->clock, -step_ms);
    return is_good;
}

static bool check_first(const struct run *run, struct state *state, struct subject *subject,
                        struct picture *found)
{
    state->time_s = subject->time_s;
    state->has_image = subject->recovered->checkpoint != 0;
    state->has_grace = subject->has_grace;
    subject_look(subject, state->wall_s, found);
    return check_picture(run, state, found, subject->time_s) &&
           (!subject->has_grace || check_put_right(run, state, subject));
}

static bool check_second(const struct run *run, const struct state *state, struct subject *subject,
                         const struct picture *first, size_t n_files)
{
    struct sess_error error;

    struct picture second;

    subject_look(subject, state->wall_s, &second);
    for (unsigned key = 0; key < ORACLE_KEYS; key++) {
        if (!key_state_equal(&first->keys[key], &second.keys[key])) {
            return wrong(run, state, "recovered again it holds", "something else");
        }
    }
    if (first->flush_at_s != second.flush_at_s) {
        return wrong(run, state, "recovered again it has", "another flush to come");
    }
    if (subject->recovered->n_segments + (subject->recovered->checkpoint != 0) != n_files) {
        (void)!directory_list(subject->directory, print_name, NULL, &error);
        return wrong(run, state, "recovery leaves", "a file that is no part of the journal");
    }
    if (subject_next_cas(subject) <= state->shown_cas) {
        return wrong(run, state, "recovered", "it gives out a CAS id again");
    }
    return true;
}

static bool check_twice(const struct run *run, struct state *state, struct memory_directory *memory,
                        struct clock *clock)
{
    struct subject subject;
    struct picture found;
    size_t n_files;
    bool is_good;

    if (!open_state(run, state, &subject, memory, clock)) {
        return false;
    }
    is_good = check_first(run, state, &subject, &found);
    subject_close(&subject);
    n_files = memory_directory_count(memory);
    if (!is_good || !open_state(run, state, &subject, memory, clock)) {
        return false;
    }
    is_good = check_second(run, state, &subject, &found, n_files);
    subject_close(&subject);
    return is_good;
}

static struct memory_directory *make_directory(const struct state *state)
{
    struct memory_directory *memory = memory_directory_create();

    for (size_t i = 0; i < state->n_files; i++) {
        (void)memory_directory_add(memory, state->files[i].name,
                                   slice_of(state->files[i].bytes, state->files[i].size));
    }
    return memory;
}

static struct clock *make_clock(const struct state *state)
{
    struct clock *clock;

    if (clock_create_manual(state->wall_s, &clock) != SESS_OK) {
        abort();
    }
    return clock;
}

static bool check(const struct run *run, struct state *state)
{
    struct memory_directory *memory = make_directory(state);
    struct directory *base = memory_directory_base(memory);
    struct clock *clock = make_clock(state);
    bool is_good = check_twice(run, state, memory, clock);

    directory_destroy(&base);
    clock_destroy(&clock);
    return is_good;
}

/* Which changes it holds, also of what its wall clock hides. */
static bool find_exactly(const struct run *run, struct state *state)
{
    struct memory_directory *memory = make_directory(state);
    struct directory *base = memory_directory_base(memory);
    struct clock *clock = make_clock(state);
    struct subject subject;
    struct picture found;
    struct sess_error error;
    bool is_good =
        subject_open_exactly(&subject, memory, &run->recording.options, clock, &error) == SESS_OK;

    if (is_good) {
        subject_look(&subject, subject.time_s, &found);
        is_good = check_picture(run, state, &found, subject.time_s);
        subject_close(&subject);
    }
    directory_destroy(&base);
    clock_destroy(&clock);
    return is_good;
}

/* ---- which states ---- */

static bool was_seen(struct run *run, const struct state *state)
{
    uint64_t digest = 0x9e3779b97f4a7c15 * (state->least + 1) + run->disk.life;
    uint64_t *slot;

    for (size_t i = 0; i < state->n_files; i++) {
        digest ^= oracle_digest(slice_from_text(state->files[i].name));
        digest = digest * 31 + oracle_digest(slice_of(state->files[i].bytes, state->files[i].size));
    }
    slot = &run->seen[digest % SEEN_SIZE];
    if (*slot == digest) {
        return true;
    }
    *slot = digest;
    return false;
}

/* Of many states one is where the next recording begins. */
static bool keep_for_later(struct run *run, struct state *state)
{
    if (state->n_files > FILES_MAX || test_random_below(&run->random, 200) != 0) {
        return true;
    }
    if (!find_exactly(run, state)) {
        return false;
    }
    memory_files_free(run->files, run->n_files);
    history_end(&run->history);
    run->files = state->files;
    run->n_files = state->n_files;
    run->wall_s = state->time_s;
    run->shown_cas = state->shown_cas;
    history_begin(&run->history, history_of(run), state->k);
    state->files = NULL;
    return true;
}

/* Mostly the clock goes on; it may also have been put back. Or much time may have passed, or seem to have. */
static int64_t draw_wall(struct run *run)
{
    static const int64_t steps_s[] = {0, 0, 0, 1, 3, 50, 700, -5000, 3 * 86400};
    const struct log_entry *entries = run->disk.log->entries;
    int64_t wall_s = steps_s[test_random_below(&run->random, sizeof steps_s / sizeof steps_s[0])];
    size_t at = run->disk.at - 1;

    while (entries[at].wall_s == 0) {
        at--;
    }
    return wall_s + entries[at].wall_s;
}

/* Ids of changes that were acknowledged, lost since or not: a client may still come with one. */
static uint64_t shown_cas(const struct run *run)
{
    uint64_t cas = run->began_cas;

    for (size_t i = 0; i < run->disk.n_acked; i++) {
        const struct change *change = &history_of(run)->changes[i];

        cas = change->cas > cas && !change->marks.is_clients_cas ? change->cas : cas;
    }
    return cas;
}

static bool try_state(struct run *run, const enum fate *fates)
{
    struct state state = {.fates = fates, .least = run->disk.n_acked, .shown_cas = shown_cas(run)};
    bool is_good = true;

    for (size_t i = 0; i < run->disk.n_pending; i++) {
        if (fates[i] != FATE_KEPT) {
            state.least = run->disk.n_durable;
        }
    }
    disk_build(&run->disk, fates, &run->random, &state.files, &state.n_files);
    state.wall_s = draw_wall(run);
    if (was_seen(run, &state)) {
        run->n_same++;
    } else {
        run->n_states++;
        is_good = check(run, &state);
        run->n_images += state.has_image;
        run->n_graces += state.has_grace;
        if (is_good) {
            is_good = keep_for_later(run, &state);
        }
    }
    memory_files_free(state.files, state.n_files);
    return is_good;
}

static bool is_write(const struct disk *disk, size_t pending)
{
    return disk->log->entries[disk->pending[pending]].call == MEMORY_WRITE;
}

static void fill(enum fate *fates, size_t from, size_t to, enum fate fate)
{
    for (size_t i = from; i < to; i++) {
        fates[i] = fate;
    }
}

static bool try_all_or_nothing(struct run *run)
{
    enum fate fates[DISK_PENDING_MAX];

    fill(fates, 0, run->disk.n_pending, FATE_KEPT);
    if (!try_state(run, fates)) {
        return false;
    }
    fill(fates, 0, run->disk.n_pending, FATE_LOST);
    return try_state(run, fates);
}

/* Every subset, or some. */
static bool try_subsets(struct run *run)
{
    size_t n = run->disk.n_pending;
    uint64_t n_subsets = n <= SUBSET_MAX ? (uint64_t)1 << n : SUBSETS_RANDOM;
    enum fate fates[DISK_PENDING_MAX];
    bool is_good = true;

    for (uint64_t subset = 0; is_good && subset < n_subsets; subset++) {
        uint64_t kept_in_8 = test_random_below(&run->random, 8) + 1;

        for (size_t i = 0; i < n; i++) {
            bool is_kept = n <= SUBSET_MAX ? (subset >> i & 1) != 0
                                           : test_random_below(&run->random, 9) < kept_in_8;

            fates[i] = is_kept ? FATE_KEPT : FATE_LOST;
        }
        is_good = try_state(run, fates);
    }
    return is_good;
}

/* Each write torn, by each way; behind it all is lost, or some. */
static bool try_torn(struct run *run)
{
    size_t n = run->disk.n_pending;
    enum fate fates[DISK_PENDING_MAX];
    bool is_good = true;

    for (size_t i = n > SUBSET_MAX ? n - SUBSET_MAX : 0; i < n; i++) {
        for (enum fate fate = FATE_TORN_SECTORS; is_good && fate <= FATE_GARBLED; fate++) {
            bool is_last = test_random_below(&run->random, 2) == 0;

            fill(fates, 0, i, FATE_KEPT);
            fates[i] = is_write(&run->disk, i) ? fate : FATE_LOST;
            fill(fates, i + 1, n, FATE_LOST);
            for (size_t j = i + 1; !is_last && j < n; j++) {
                fates[j] = test_random_below(&run->random, 2) == 0 ? FATE_KEPT : FATE_LOST;
            }
            is_good = try_state(run, fates);
        }
    }
    return is_good;
}

/* Anything at all. */
static bool try_any(struct run *run)
{
    enum fate fates[DISK_PENDING_MAX];

    for (size_t i = 0; i < run->disk.n_pending; i++) {
        fates[i] = (enum fate)test_random_below(&run->random, FATE_GARBLED + 1);
        if (fates[i] > FATE_LOST && !is_write(&run->disk, i)) {
            fates[i] = FATE_KEPT;
        }
    }
    return try_state(run, fates);
}

static bool try_cut(struct run *run)
{
    if (run->disk.n_pending > run->most_pending) {
        run->most_pending = run->disk.n_pending;
    }
    if (!try_all_or_nothing(run)) {
        return false;
    }
    if (run->disk.n_pending > 0 && !try_any(run)) {
        return false;
    }
    return run->disk.n_pending == 0 || test_random_below(&run->random, SUBSETS_ONE_IN) != 0 ||
           (try_subsets(run) && try_torn(run));
}

static bool try_all_cuts(struct run *run)
{
    const struct disk_log *log = &run->recording.log;
    bool is_good = true;

    disk_begin(&run->disk, log, run->recording.files, run->recording.ids, run->recording.n_files);
    while (is_good && run->n_states < run->n_wanted) {
        bool is_end = run->disk.at == log->n_entries;

        /* In front of each call: what was promised before it counts. */
        if (is_end || log->entries[run->disk.at].kind == LOG_CALL) {
            is_good = try_cut(run);
        }
        if (is_end) {
            break;
        }
        disk_step(&run->disk);
    }
    disk_end(&run->disk);
    return is_good;
}

static struct journal_options options_of(const struct run *run)
{
    static const struct journal_options modes[] = {
        {.fsync = FSYNC_ALWAYS, .sync_min_life = 60000},
        {.fsync = FSYNC_EVERYSEC, .sync_revocations = REVOCATIONS_DELETES, .sync_min_life = 60000},
        {.fsync = FSYNC_NEVER, .sync_min_life = 60000},
        {.fsync = FSYNC_EVERYSEC, .sync_revocations = REVOCATIONS_OVERWRITES},
        {.fsync = FSYNC_EVERYSEC, .sync_revocations = REVOCATIONS_NO},
    };

    return modes[run->n_recordings % (sizeof modes / sizeof modes[0])];
}

/* Every other recording begins with an empty directory. */
static void forget_begin(struct run *run)
{
    memory_files_free(run->files, run->n_files);
    history_end(&run->history);
    run->files = NULL;
    run->n_files = 0;
    run->wall_s = WALL_S;
    run->shown_cas = 0;
}

static bool record(struct run *run)
{
    struct journal_options options = options_of(run);
    bool is_good;

    if (test_random_below(&run->random, 2) == 0) {
        forget_begin(run);
    }
    run->n_recordings++;
    run->began_cas = run->shown_cas;
    is_good = recording_make(&run->recording, &options, run->files, run->n_files, &run->history,
                             run->wall_s, &run->random);
    if (!is_good) {
        (void)printf("seed %" PRIu64 ", recording %" PRIu64 "\n", run->seed, run->n_recordings);
    }
    run->n_checkpoints += run->recording.n_checkpoints;
    is_good = is_good && try_all_cuts(run);
    recording_end(&run->recording);
    return is_good;
}

int main(int argc, char **argv)
{
    struct run *run = calloc(1, sizeof *run);
    bool is_good = true;

    if (argc < 3 || argc > 4 || run == NULL) {
        (void)fprintf(stderr, "usage: power_cut SEED STATES [DIR]\n");
        return 64;
    }
    /* Clocks are wrong here in thousands of ways. */
    log_set_level(LOG_LEVEL_ERROR);
    /* Each state needs the same memory again. */
    (void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    run->seed = strtoull(argv[1], NULL, 10);
    run->n_wanted = strtoull(argv[2], NULL, 10);
    run->wrong_directory = argv[3];
    run->random = (struct test_random){.state = run->seed};
    run->wall_s = WALL_S;
    run->seen = calloc(SEEN_SIZE, sizeof *run->seen);
    if (run->seen == NULL) {
        abort();
    }
    while (is_good && run->n_states < run->n_wanted) {
        is_good = record(run);
    }
    if (is_good && run->n_wanted >= CHECKPOINTS_FROM &&
        (run->n_images == 0 || run->n_graces == 0)) {
        (void)printf("no state of them had a checkpoint, or a clock far ahead\n");
        is_good = false;
    }
    (void)printf("power cuts: seed %" PRIu64 ", %" PRIu64 " states of %" PRIu64
                 " recordings (%" PRIu64 " more were the same), %" PRIu64 " checkpoints, %" PRIu64
                 " states with one, %" PRIu64 " with a clock far ahead, at most %" PRIu64
                 " calls unsynced: %s\n",
                 run->seed, run->n_states, run->n_recordings, run->n_same, run->n_checkpoints,
                 run->n_images, run->n_graces, run->most_pending, is_good ? "all right" : "WRONG");
    forget_begin(run);
    free(run->seen);
    free(run);
    return is_good ? 0 : 1;
}
