/* Unit tests of the journal's time: frames for it alone, a mark that stands still, and a clock that is accepted. */
#include "sessiond/journal/inspect.h"

#include "open_journal.h"

enum {
    DAY_S = 86400,
    LIFE_S = 1000,
    LOOK_MS = 1000, /* the next look is due */
};

#define STEP_MS (INT64_C(1000) * 2 * DAY_S)

/* Nothing runs: the test writes, and looks at the time. */
static void begin(struct open_journal *open)
{
    open_begin(open, FSYNC_EVERYSEC, REVOCATIONS_DELETES);
    store_on_mutation(open->store.store, journal_accept, open->journal);
}

static void again(struct open_journal *open)
{
    journal_destroy(&open->journal);
    fixture_close(&open->store);
    open_recover(open);
    store_on_mutation(open->store.store, journal_accept, open->journal);
    open->store.now_s = clock_now(open->clock).wall_s;
}

static void advance(struct open_journal *open, int64_t seconds)
{
    clock_advance(open->clock, seconds * 1000);
    open->store.now_s = clock_now(open->clock).wall_s;
}

static void write_pending(struct open_journal *open)
{
    (void)pthread_mutex_lock(&open->journal->lock);
    ck_assert(commit_write(open->journal));
    (void)pthread_mutex_unlock(&open->journal->lock);
}

/* A session, in a frame of its own. */
static void set(struct open_journal *open, const char *key, int64_t life_s)
{
    ck_assert_int_eq(fixture_write(&open->store, STORE_SET, key, "1", open->store.now_s + life_s),
                     SESS_OK);
    write_pending(open);
}

static bool is_there(struct open_journal *open, const char *key)
{
    return fixture_look(&open->store, key).status == SESS_OK;
}

static uint64_t n_frames(const struct open_journal *open)
{
    return metric_read(&open->journal->metrics.journal_frames);
}

static int64_t now_s(const struct open_journal *open)
{
    return clock_now(open->clock).wall_s;
}

/* A session that somebody saw expire, in a time that no frame carries. Returns the frames so far. */
static uint64_t begin_expired(struct open_journal *open)
{
    uint64_t before;

    begin(open);
    set(open, "a", LIFE_S);
    before = n_frames(open);
    advance(open, LIFE_S);
    ck_assert(!is_there(open, "a"));
    return before;
}

/* ---- time frames ---- */

START_TEST(what_expired_has_a_frame)
{
    struct open_journal open;
    uint64_t before = begin_expired(&open);

    timekeeper_look(open.journal);
    ck_assert_uint_eq(n_frames(&open), before + 1);
    clock_step(open.clock, -INT64_C(1000) * LIFE_S);
    again(&open);
    ck_assert_int_eq(open.journal->recovered.time_s, FIXTURE_NOW_S + LIFE_S);
    ck_assert_int_eq(now_s(&open), FIXTURE_NOW_S + LIFE_S);
    ck_assert(!is_there(&open, "a"));
    open_end(&open);
}
END_TEST

START_TEST(what_was_taken_back_has_a_frame)
{
    struct open_journal open;

    begin(&open);
    set(&open, "a", LIFE_S);
    advance(&open, LIFE_S);
    (void)fixture_tick_all(&open.store);
    timekeeper_look(open.journal);
    again(&open);
    ck_assert_int_eq(open.journal->recovered.time_s, FIXTURE_NOW_S + LIFE_S);
    open_end(&open);
}
END_TEST

/* Hours of it; and once it has been told, nothing is told again. */
START_TEST(nothing_is_written_when_nothing_expires)
{
    struct open_journal open;
    uint64_t before;

    begin(&open);
    set(&open, "a", LIFE_S);
    set(&open, "b", DAY_S);
    advance(&open, LIFE_S);
    ck_assert(!is_there(&open, "a"));
    timekeeper_look(open.journal);
    before = n_frames(&open);
    for (unsigned i = 0; i < 10000; i++) {
        advance(&open, 1);
        timekeeper_look(open.journal);
    }
    ck_assert(is_there(&open, "b"));
    ck_assert_uint_eq(n_frames(&open), before);
    open_end(&open);
}
END_TEST

START_TEST(a_change_in_that_second_is_a_frame_enough)
{
    struct open_journal open;
    uint64_t before;

    begin(&open);
    set(&open, "a", LIFE_S);
    advance(&open, LIFE_S);
    ck_assert(!is_there(&open, "a"));
    set(&open, "b", LIFE_S);
    before = n_frames(&open);
    timekeeper_look(open.journal);
    ck_assert_uint_eq(n_frames(&open), before);
    open_end(&open);
}
END_TEST

/* Somebody writes at that moment. */
START_TEST(what_cannot_be_written_now_is_later)
{
    struct open_journal open;
    uint64_t before = begin_expired(&open);

    open.journal->is_writing = true;
    timekeeper_look(open.journal);
    open.journal->is_writing = false;
    ck_assert_uint_eq(n_frames(&open), before);
    timekeeper_look(open.journal);
    ck_assert_uint_eq(n_frames(&open), before + 1);
    open_end(&open);
}
END_TEST

/* By the journal's own threads, without any other change. */
START_TEST(a_time_frame_is_synced)
{
    struct open_journal open;
    uint64_t before;

    begin(&open);
    set(&open, "a", LIFE_S);
    open_start(&open);
    open_await(&open, 0, 1, 1);
    before = n_frames(&open);
    advance(&open, LIFE_S);
    ck_assert(!is_there(&open, "a"));
    for (unsigned tries = 0; n_frames(&open) == before || atomic_load(&open.journal->durable) <
                                                              atomic_load(&open.journal->written);
         tries++) {
        ck_assert_uint_lt(tries, OPEN_TRIES);
        clock_advance(open.clock, 1);
        (void)usleep(1000);
    }
    ck_assert_int_eq(journal_stop(open.journal, &open.error), SESS_OK);
    open_end(&open);
}
END_TEST

/* So that a start after a quiet weekend, and an orderly end, is not far ahead. */
START_TEST(a_stop_carries_its_time)
{
    struct open_journal open;

    begin(&open);
    set(&open, "a", 9 * DAY_S);
    open_start(&open);
    advance(&open, 3 * DAY_S);
    ck_assert_int_eq(journal_stop(open.journal, &open.error), SESS_OK);
    again(&open);
    ck_assert_int_eq(open.journal->recovered.time_s, FIXTURE_NOW_S + 3 * DAY_S);
    ck_assert(!clock_is_in_grace(open.clock));
    open_end(&open);
}
END_TEST

/* ---- a grace ---- */

/* With a session of a life within it, two days ahead of the mark. */
static void begin_grace(struct open_journal *open)
{
    begin(open);
    set(open, "a", LIFE_S);
    clock_step(open->clock, STEP_MS);
    again(open);
    ck_assert(open->journal->is_in_grace && clock_is_in_grace(open->clock));
    ck_assert_int_eq(open->store.now_s, FIXTURE_NOW_S + 2 * DAY_S);
    ck_assert_uint_eq(metric_read(&open->journal->metrics.clock_in_grace), 1);
}

static int64_t mark_of_files(struct open_journal *open)
{
    journal_destroy(&open->journal);
    fixture_close(&open->store);
    open_recover(open);
    return open->journal->recovered.time_s;
}

/* Neither changes nor marks, nor an end of any kind. */
START_TEST(the_mark_stands_still)
{
    struct open_journal open;

    begin_grace(&open);
    set(&open, "b", 9 * DAY_S);
    ck_assert(!is_there(&open, "a"));
    advance(&open, 2);
    timekeeper_look(open.journal);
    write_pending(&open);
    ck_assert_int_eq(mark_of_files(&open), FIXTURE_NOW_S);
    open_start(&open);
    ck_assert_int_eq(journal_stop(open.journal, &open.error), SESS_OK);
    ck_assert_int_eq(mark_of_files(&open), FIXTURE_NOW_S);
    open_end(&open);
}
END_TEST

START_TEST(looks_in_it_write_nothing)
{
    struct open_journal open;
    uint64_t before;

    begin_grace(&open);
    before = n_frames(&open);
    for (unsigned i = 0; i < 100; i++) {
        ck_assert(!is_there(&open, "a"));
        advance(&open, 1);
        timekeeper_look(open.journal);
    }
    ck_assert_uint_eq(n_frames(&open), before);
    open_end(&open);
}
END_TEST

/* What was accepted by the wrong time, and is written when the clock has been put right. */
START_TEST(put_right_the_wrong_time_is_in_no_frame)
{
    struct open_journal open;

    begin_grace(&open);
    ck_assert_int_eq(fixture_write(&open.store, STORE_SET, "b", "1", open.store.now_s + 9 * DAY_S),
                     SESS_OK);
    clock_step(open.clock, -STEP_MS + 7000);
    timekeeper_look(open.journal);
    ck_assert(!open.journal->is_in_grace);
    ck_assert_uint_eq(metric_read(&open.journal->metrics.clock_in_grace), 0);
    write_pending(&open);
    ck_assert_int_eq(mark_of_files(&open), FIXTURE_NOW_S + 7);
    ck_assert(is_there(&open, "a") && is_there(&open, "b"));
    open_end(&open);
}
END_TEST

START_TEST(at_its_end_the_mark_moves)
{
    struct open_journal open;
    int64_t mark_s;

    begin_grace(&open);
    clock_advance(open.clock, CLOCK_GRACE_MS);
    mark_s = now_s(&open);
    timekeeper_look(open.journal);
    ck_assert(!open.journal->is_in_grace);
    (void)fixture_tick_all(&open.store);
    clock_advance(open.clock, LOOK_MS);
    timekeeper_look(open.journal);
    ck_assert_int_eq(mark_of_files(&open), mark_s + 1);
    open_end(&open);
}
END_TEST

/* ---- a clock that is accepted ---- */

/* A session that has expired by a clock a day ahead, two that have not, of which "b" has by the wall clock. */
static void begin_behind(struct open_journal *open)
{
    begin(open);
    set(open, "a", LIFE_S);
    advance(open, DAY_S);
    set(open, "b", LIFE_S);
    set(open, "c", 9 * DAY_S);
    /* Frames that no mark is behind would be copied by the start that accepts the clock. */
    again(open);
    clock_step(open->clock, -INT64_C(1000) * DAY_S);
}

static void accept(struct open_journal *open)
{
    open->config.accepts_clock = true;
    again(open);
    open->config.accepts_clock = false;
}

START_TEST(an_earlier_clock_is_accepted)
{
    struct open_journal open;

    begin_behind(&open);
    accept(&open);
    ck_assert_int_eq(open.journal->recovered.left_time_s, FIXTURE_NOW_S + DAY_S);
    for (unsigned starts = 0; starts < 3; starts++) {
        ck_assert_int_eq(open.journal->recovered.time_s, FIXTURE_NOW_S);
        ck_assert_int_eq(now_s(&open), FIXTURE_NOW_S);
        ck_assert(!is_there(&open, "a") && is_there(&open, "b") && is_there(&open, "c"));
        again(&open);
        ck_assert_int_eq(open.journal->recovered.left_time_s, 0);
    }
    open_end(&open);
}
END_TEST

START_TEST(without_that_it_is_not)
{
    struct open_journal open;

    begin_behind(&open);
    again(&open);
    ck_assert_int_eq(now_s(&open), FIXTURE_NOW_S + DAY_S);
    ck_assert(!is_there(&open, "a") && is_there(&open, "b") && is_there(&open, "c"));
    open_end(&open);
}
END_TEST

START_TEST(a_later_clock_needs_no_acceptance)
{
    struct open_journal open;

    begin(&open);
    set(&open, "a", LIFE_S);
    advance(&open, 10);
    accept(&open);
    ck_assert_int_eq(open.journal->recovered.left_time_s, 0);
    ck_assert_int_eq(now_s(&open), FIXTURE_NOW_S + 10);
    ck_assert(is_there(&open, "a"));
    open_end(&open);
}
END_TEST

/* By the time that was left it had taken effect, though nobody came to see it. */
START_TEST(a_flush_that_was_due_has_been)
{
    struct open_journal open;

    begin(&open);
    set(&open, "a", 9 * DAY_S);
    ck_assert_int_eq(fixture_flush(&open.store, FIXTURE_NOW_S + 50), SESS_OK);
    write_pending(&open);
    clock_advance(open.clock, INT64_C(1000) * DAY_S);
    (void)pthread_mutex_lock(&open.journal->lock);
    ck_assert(commit_write(open.journal));
    (void)pthread_mutex_unlock(&open.journal->lock);
    clock_step(open.clock, -INT64_C(1000) * DAY_S);
    accept(&open);
    for (unsigned starts = 0; starts < 2; starts++) {
        ck_assert_int_eq(open.journal->recovered.flush_at_s, STORE_NO_DEADLINE);
        ck_assert_int_eq(now_s(&open), FIXTURE_NOW_S);
        ck_assert(!is_there(&open, "a"));
        again(&open);
    }
    open_end(&open);
}
END_TEST

static void inspect(struct open_journal *open, struct inspection *found)
{
    struct inspect_config config = {.directory = open->directory, .now_s = FIXTURE_NOW_S};
    struct inspector *inspector;

    ck_assert_int_eq(inspector_create(&config, &inspector, &open->error), SESS_OK);
    *found = *inspector_found(inspector);
    found->segments = NULL;
    inspector_destroy(&inspector);
}

START_TEST(an_inspection_tells_the_same)
{
    struct open_journal open;
    struct inspection found;

    begin_behind(&open);
    inspect(&open, &found);
    ck_assert_int_eq(found.time_s, FIXTURE_NOW_S + DAY_S);
    ck_assert_uint_eq(found.n_sessions, 2);
    ck_assert_uint_eq(found.n_expired, 1);
    accept(&open);
    inspect(&open, &found);
    ck_assert(!found.is_damaged);
    ck_assert_int_eq(found.time_s, FIXTURE_NOW_S);
    ck_assert_uint_eq(found.n_sessions, 2);
    ck_assert_uint_eq(found.n_expired, 0);
    open_end(&open);
}
END_TEST

/* A full disk: the checkpoint must go on in the file with the record, which counts for what was before alone. */
START_TEST(a_checkpoint_in_its_file_does_not_repeat_it)
{
    void *(*const bodies[])(void *) = {flusher_run, syncer_run, checkpointer_run};
    struct open_journal open;
    struct inspection found;

    begin_behind(&open);
    open.config.checkpoint_bytes = 1 << 20;
    open.config.checkpoint_ms = 1;
    accept(&open);
    /* It ends before the time that was left. */
    ck_assert_int_eq(fixture_touch(&open.store, "c", FIXTURE_NOW_S + DAY_S / 2), SESS_OK);
    ck_assert_int_eq(fixture_delete(&open.store, "b"), SESS_OK);
    write_pending(&open);
    clock_advance(open.clock, 2);
    open.journal->is_out_of_space = true;
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_create(&open.journal->threads[i], NULL, bodies[i], open.journal),
                         0);
        open.journal->n_threads++;
    }
    for (unsigned tries = 0; metric_read(&open.journal->metrics.checkpoints) < 1; tries++) {
        ck_assert_uint_lt(tries, OPEN_TRIES);
        (void)usleep(1000);
    }
    ck_assert_int_eq(journal_stop(open.journal, &open.error), SESS_OK);
    inspect(&open, &found);
    ck_assert_int_eq(found.time_s, FIXTURE_NOW_S);
    ck_assert_uint_eq(found.n_sessions, 1);
    again(&open);
    ck_assert_uint_eq(open.journal->recovered.checkpoint, 1);
    ck_assert_int_eq(open.journal->recovered.time_s, FIXTURE_NOW_S);
    ck_assert(is_there(&open, "c") && !is_there(&open, "a") && !is_there(&open, "b"));
    open_end(&open);
}
END_TEST

SUITE_MAIN("journal/timekeeper", what_expired_has_a_frame, what_was_taken_back_has_a_frame,
           nothing_is_written_when_nothing_expires, a_change_in_that_second_is_a_frame_enough,
           what_cannot_be_written_now_is_later, a_time_frame_is_synced, a_stop_carries_its_time,
           the_mark_stands_still, looks_in_it_write_nothing,
           put_right_the_wrong_time_is_in_no_frame, at_its_end_the_mark_moves,
           an_earlier_clock_is_accepted, without_that_it_is_not, a_later_clock_needs_no_acceptance,
           a_flush_that_was_due_has_been, an_inspection_tells_the_same,
           a_checkpoint_in_its_file_does_not_repeat_it)
