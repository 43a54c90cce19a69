/* Unit tests of the checkpointer: when a checkpoint is taken, and what goes then and no sooner. */
#include "checkpoint.h"
#include "open_journal.h"

#include <stdio.h>

enum {
    SMALL = 4000,    /* bytes of changes before a checkpoint is due */
    NEVER = 1 << 30, /* so many do not come */
    AGE_MS = 1000,   /* of the last checkpoint, if anything was deleted since */
    LIFE_S = 1000,
    LOOKS_MS = 2 * CHECKPOINT_LOOK_MS + 200, /* it has looked meanwhile */
};

/* What was called, in order. */
struct watch {
    struct open_journal *open;
    uint64_t ticket;            /* must be durable before a checkpoint is named */
    bool was_early;             /* it was not */
    uint64_t image;             /* file of the checkpoint that is made */
    bool is_named;              /* it has its name */
    bool is_safe;               /* the directory was synced since */
    unsigned n_unsafe_removals; /* of journal files and checkpoints, before that */
    unsigned n_removals;
    void (*act)(struct watch *watch); /* when the next frame of an image is written */
    _Atomic bool must_act;
};

/* During a walk. Nobody writes what is accepted here: the directory is in use. */
static void flush_and_set(struct watch *watch)
{
    ck_assert_int_eq(fixture_flush(&watch->open->store, FIXTURE_NOW_S), SESS_OK);
    ck_assert_int_eq(
        fixture_write(&watch->open->store, STORE_SET, "after", "there", STORE_NO_DEADLINE),
        SESS_OK);
}

static void set_another(struct watch *watch)
{
    ck_assert_int_eq(
        fixture_write(&watch->open->store, STORE_SET, "another", "1", STORE_NO_DEADLINE), SESS_OK);
    watch->ticket = watch->open->store.outcome.ticket;
}

/* All shards see what time it is. */
static void let_expire(struct watch *watch)
{
    clock_advance(watch->open->clock, INT64_C(1000) * LIFE_S);
    watch->open->store.now_s = clock_now(watch->open->clock).wall_s;
    (void)fixture_tick_all(&watch->open->store);
}

static void watch_image(struct watch *watch, const struct memory_event *event)
{
    if (event->call == MEMORY_CREATE && strncmp(event->name, "checkpoint-", 11) == 0) {
        watch->image = event->file;
        watch->is_named = false;
        watch->is_safe = false;
    }
    if (event->call == MEMORY_WRITE && event->file == watch->image && event->offset > 0 &&
        watch->must_act) {
        watch->act(watch);
        watch->must_act = false;
    }
}

static void watch_names(void *context, const struct memory_event *event)
{
    struct watch *watch = context;

    watch_image(watch, event);
    if (event->call == MEMORY_RENAME && strncmp(event->to, "checkpoint-", 11) == 0) {
        watch->is_named = true;
        watch->was_early =
            watch->was_early || atomic_load(&watch->open->journal->durable) < watch->ticket;
    }
    if (event->call == MEMORY_SYNC_DIRECTORY && !event->is_begin) {
        watch->is_safe = watch->is_named;
    }
    if (event->call == MEMORY_REMOVE && strstr(event->name, ".new") == NULL) {
        watch->n_removals++;
        watch->n_unsafe_removals += !watch->is_safe;
    }
}

static void begin(struct open_journal *open, struct watch *watch, enum fsync_choice fsync,
                  uint64_t checkpoint_bytes)
{
    open_prepare(open, fsync, REVOCATIONS_DELETES);
    open->config.checkpoint_bytes = checkpoint_bytes;
    open->config.checkpoint_ms = AGE_MS;
    *watch = (struct watch){.open = open};
    memory_directory_observe(open->memory, watch_names, watch);
    open_recover(open);
    store_on_mutation(open->store.store, journal_accept, open->journal);
    open_start(open);
}

static void stop(struct open_journal *open)
{
    ck_assert_int_eq(journal_stop(open->journal, &open->error), SESS_OK);
    journal_destroy(&open->journal);
    fixture_close(&open->store);
}

/* Recover what there is, into another store. */
static void again(struct open_journal *open)
{
    stop(open);
    memory_directory_observe(open->memory, NULL, NULL);
    open_recover(open);
}

static void end(struct open_journal *open)
{
    open_end(open);
}

static uint64_t n_taken(const struct open_journal *open)
{
    return metric_read(&open->journal->metrics.checkpoints);
}

static void await(const struct open_journal *open, uint64_t n)
{
    for (unsigned tries = 0; n_taken(open) < n; tries++) {
        ck_assert_uint_lt(tries, OPEN_TRIES);
        (void)usleep(1000);
    }
}

static void write_bytes(struct open_journal *open, const char *key, size_t size, char fill)
{
    static char value[SMALL * 4];
    enum sess_status status = SESS_BUSY;

    memset(value, fill, size);
    for (unsigned tries = 0; status == SESS_BUSY; tries++) {
        status = fixture_write_slice(&open->store, STORE_SET, key, slice_of(value, size), 0,
                                     STORE_NO_DEADLINE);
        ck_assert_uint_lt(tries, OPEN_TRIES);
        (void)usleep(status == SESS_BUSY ? 1000 : 0);
    }
    ck_assert_int_eq(status, SESS_OK);
    open_await(open, 0, open->store.outcome.ticket, 0);
}

static void delete (struct open_journal *open, const char *key)
{
    ck_assert_int_eq(fixture_delete(&open->store, key), SESS_OK);
    open_await(open, 0, open->store.outcome.ticket, 0);
}

static bool is_on_disk(const struct open_journal *open, const char *text)
{
    struct memory_file *files;
    size_t n_files;
    bool is_there = false;

    ck_assert(memory_directory_copy(open->memory, &files, &n_files));
    for (size_t i = 0; i < n_files; i++) {
        is_there = is_there || (files[i].size > 0 &&
                                memmem(files[i].bytes, files[i].size, text, strlen(text)) != NULL);
    }
    memory_files_free(files, n_files);
    return is_there;
}

START_TEST(one_is_due_when_the_journal_is_larger_than_what_lives)
{
    struct open_journal open;
    struct watch watch;

    begin(&open, &watch, FSYNC_EVERYSEC, SMALL);
    write_bytes(&open, "a", SMALL * 3, 'a');
    write_bytes(&open, "b", 100, 'b');
    await(&open, 1);
    ck_assert_uint_ge(metric_read(&open.journal->metrics.checkpoint_bytes), SMALL * 3);
    /* More than SMALL, and less than what lives. */
    write_bytes(&open, "b", SMALL * 2, 'c');
    (void)usleep(LOOKS_MS * 1000);
    ck_assert_uint_eq(n_taken(&open), 1);
    write_bytes(&open, "b", SMALL * 3, 'd');
    await(&open, 2);
    again(&open);
    ck_assert_uint_eq(open.journal->recovered.checkpoint, 2);
    ck_assert_uint_eq(open.journal->recovered.n_images, 2);
    ck_assert_uint_eq(fixture_look(&open.store, "a").size, SMALL * 3);
    ck_assert_int_eq(fixture_look(&open.store, "b").value[0], 'd');
    end(&open);
}
END_TEST

START_TEST(one_is_due_by_age_only_when_something_was_deleted)
{
    struct open_journal open;
    struct watch watch;

    begin(&open, &watch, FSYNC_EVERYSEC, NEVER);
    write_bytes(&open, "a", 100, 'a');
    clock_advance(open.clock, 10 * AGE_MS);
    (void)usleep(LOOKS_MS * 1000);
    ck_assert_uint_eq(n_taken(&open), 0);
    delete (&open, "a");
    await(&open, 1);
    /* Nothing since. */
    clock_advance(open.clock, 10 * AGE_MS);
    (void)usleep(LOOKS_MS * 1000);
    ck_assert_uint_eq(n_taken(&open), 1);
    stop(&open);
    clock_destroy(&open.clock);
    directory_destroy(&open.directory);
}
END_TEST

/* Of a deleted value nothing is left, whether anything else happens or not. */
START_TEST(what_was_deleted_is_on_disk_no_more)
{
    struct open_journal open;
    struct watch watch;

    begin(&open, &watch, (enum fsync_choice)_i, NEVER);
    ck_assert_int_eq(
        fixture_write(&open.store, STORE_SET, "a", "marker-of-a-session", STORE_NO_DEADLINE),
        SESS_OK);
    open_await(&open, 0, open.store.outcome.ticket, 0);
    delete (&open, "a");
    ck_assert(is_on_disk(&open, "marker-of-a-session"));
    clock_advance(open.clock, AGE_MS + 1);
    await(&open, 1);
    ck_assert(!is_on_disk(&open, "marker-of-a-session"));
    again(&open);
    ck_assert_int_eq(fixture_look(&open.store, "a").status, SESS_NOT_FOUND);
    end(&open);
}
END_TEST

START_TEST(the_journal_is_synced_before_the_name_and_nothing_goes_before_it)
{
    struct open_journal open;
    struct watch watch;

    begin(&open, &watch, (enum fsync_choice)_i, NEVER);
    write_bytes(&open, "kept", 100, 'k');
    write_bytes(&open, "a", 100, 'a');
    delete (&open, "a");
    clock_advance(open.clock, AGE_MS + 1);
    await(&open, 1);
    write_bytes(&open, "b", 100, 'b');
    delete (&open, "b");
    watch.act = set_another;
    watch.must_act = true;
    clock_advance(open.clock, AGE_MS + 1);
    await(&open, 2);
    stop(&open);
    ck_assert(!watch.must_act);
    ck_assert_uint_gt(watch.ticket, 0);
    ck_assert(!watch.was_early);
    ck_assert_uint_ge(watch.n_removals, 3);
    ck_assert_uint_eq(watch.n_unsafe_removals, 0);
    clock_destroy(&open.clock);
    directory_destroy(&open.directory);
}
END_TEST

START_TEST(a_flush_to_come_is_still_to_come)
{
    struct open_journal open;
    struct watch watch;

    begin(&open, &watch, FSYNC_EVERYSEC, NEVER);
    write_bytes(&open, "a", 100, 'a');
    ck_assert_int_eq(fixture_flush(&open.store, FIXTURE_NOW_S + 5000), SESS_OK);
    open_await(&open, 0, open.store.outcome.ticket, 0);
    clock_advance(open.clock, AGE_MS + 1);
    await(&open, 1);
    again(&open);
    ck_assert_uint_eq(open.journal->recovered.n_records, 0);
    ck_assert_int_eq(open.journal->recovered.flush_at_s, FIXTURE_NOW_S + 5000);
    ck_assert_int_eq(fixture_look(&open.store, "a").status, SESS_OK);
    end(&open);
}
END_TEST

START_TEST(a_flush_during_the_walk_takes_what_was_told)
{
    enum { N = 200 };
    struct open_journal open;
    struct watch watch;

    begin(&open, &watch, FSYNC_EVERYSEC, NEVER);
    for (unsigned i = 0; i < N; i++) {
        write_bytes(&open, fixture_numbered(i), SMALL * 3, 'a');
    }
    ck_assert_int_eq(fixture_delete(&open.store, fixture_numbered(0)), SESS_OK);
    watch.act = flush_and_set;
    watch.must_act = true;
    clock_advance(open.clock, AGE_MS + 1);
    for (unsigned tries = 0; watch.must_act; tries++) {
        ck_assert_uint_lt(tries, 10 * OPEN_TRIES);
        (void)usleep(100);
    }
    /* The walk has much to tell yet. */
    open_await(&open, 0, open.store.outcome.ticket, 0);
    await(&open, 1);
    again(&open);
    ck_assert_uint_gt(open.journal->recovered.n_images, 0);
    for (unsigned i = 0; i < N; i++) {
        HOT_ASSERT(fixture_look(&open.store, fixture_numbered(i)).status == SESS_NOT_FOUND);
    }
    ck_assert_int_eq(fixture_look(&open.store, "after").status, SESS_OK);
    end(&open);
}
END_TEST

/* The time of its begin would let a clock that is put back find them missing without having expired. */
START_TEST(what_expired_during_the_walk_expired_by_its_end)
{
    enum { N = 200 };
    struct open_journal open;
    struct watch watch;
    struct reader reader = {.segment = NULL};
    struct recovered found = {.checkpoint = 0};
    struct record end;

    begin(&open, &watch, FSYNC_EVERYSEC, NEVER);
    for (unsigned i = 0; i < N; i++) {
        write_bytes(&open, fixture_numbered(i), SMALL * 3, 'a');
        ck_assert_int_eq(fixture_touch(&open.store, fixture_numbered(i), FIXTURE_NOW_S + LIFE_S),
                         SESS_OK);
    }
    ck_assert_int_eq(fixture_delete(&open.store, fixture_numbered(0)), SESS_OK);
    watch.act = let_expire;
    watch.must_act = true;
    clock_advance(open.clock, AGE_MS + 1);
    await(&open, 1);
    stop(&open);
    ck_assert_int_eq(checkpoint_load(open.directory, NULL, &reader, &end, &found, &open.error),
                     SESS_OK);
    reader_fini(&reader);
    ck_assert_uint_lt(end.offset, N - 1);
    ck_assert_int_le(found.since_s, FIXTURE_NOW_S + 2);
    ck_assert_int_ge(found.time_s, FIXTURE_NOW_S + LIFE_S);
    clock_destroy(&open.clock);
    directory_destroy(&open.directory);
}
END_TEST

/* In the middle of its being named; the maker of segments, which names files too, is held up. */
static void fail_rename(struct open_journal *open, enum sess_status status)
{
    write_bytes(open, "a", 100, 'a');
    delete (open, "a");
    for (unsigned tries = 0; metric_read(&open->journal->metrics.journal_segments) < 2; tries++) {
        ck_assert_uint_lt(tries, OPEN_TRIES);
        (void)usleep(1000);
    }
    memory_directory_stall(open->memory, MEMORY_ALLOCATE);
    memory_directory_fail(open->memory, MEMORY_RENAME, 1, status);
    clock_advance(open->clock, AGE_MS + 1);
}

static const enum sess_status full[] = {SESS_NO_SPACE, SESS_LIMIT};

START_TEST(a_full_disk_gives_it_up_until_later)
{
    struct open_journal open;
    struct watch watch;
    size_t size;

    begin(&open, &watch, FSYNC_EVERYSEC, NEVER);
    fail_rename(&open, full[_i]);
    for (unsigned tries = 0; metric_read(&open.journal->metrics.checkpoints_given_up) < 1;
         tries++) {
        ck_assert_uint_lt(tries, OPEN_TRIES);
        (void)usleep(1000);
    }
    ck_assert_ptr_null(memory_directory_bytes(open.memory, "checkpoint-000000000001.new", &size));
    ck_assert_uint_eq(watch.n_removals, 0);
    memory_directory_release(open.memory, MEMORY_ALLOCATE);
    ck_assert_uint_eq(open.n_failures, 0);
    ck_assert_uint_eq(n_taken(&open), 0);
    clock_advance(open.clock, CHECKPOINT_RETRY_MS + 1);
    await(&open, 1);
    again(&open);
    ck_assert_uint_eq(open.journal->recovered.checkpoint, 1);
    end(&open);
}
END_TEST

START_TEST(any_other_failure_ends_the_journal)
{
    struct open_journal open;
    struct watch watch;

    begin(&open, &watch, FSYNC_EVERYSEC, NEVER);
    fail_rename(&open, SESS_IO);
    for (unsigned tries = 0; open.n_failures == 0; tries++) {
        ck_assert_uint_lt(tries, OPEN_TRIES);
        (void)usleep(1000);
    }
    memory_directory_release(open.memory, MEMORY_ALLOCATE);
    ck_assert_int_eq(journal_stop(open.journal, &open.error), SESS_IO);
    open_end(&open);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal/checkpointer");
    TCase *facts = suite_case(suite, "checkpointer");

    tcase_set_timeout(facts, 0);
    tcase_add_test(facts, one_is_due_when_the_journal_is_larger_than_what_lives);
    tcase_add_test(facts, one_is_due_by_age_only_when_something_was_deleted);
    tcase_add_loop_test(facts, what_was_deleted_is_on_disk_no_more, 0, FSYNC_NEVER + 1);
    tcase_add_loop_test(facts, the_journal_is_synced_before_the_name_and_nothing_goes_before_it, 0,
                        FSYNC_NEVER + 1);
    tcase_add_test(facts, a_flush_to_come_is_still_to_come);
    tcase_add_test(facts, a_flush_during_the_walk_takes_what_was_told);
    tcase_add_test(facts, what_expired_during_the_walk_expired_by_its_end);
    tcase_add_loop_test(facts, a_full_disk_gives_it_up_until_later, 0, SUITE_ROWS(full));
    tcase_add_test(facts, any_other_failure_ends_the_journal);
    return suite_run(suite);
}
