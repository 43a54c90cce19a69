/* Facts about base/clock: wall time that never runs backwards, and elapsed time. */
#include "sessiond/base/clock.h"

#include "captured.h"
#include "faults.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { SECOND_MS = 1000, HOUR_MS = 3600000, DAY_MS = 86400000, DAY_S = 86400 };

/* A step's seconds are cut in the log, and two clocks' milliseconds differ by one or two: steps stay
 * away from a whole second. */
enum { STEP_MS = HOUR_MS + 500 };

/* What real time may pass between two lines of a test, in a slow build too. */
enum { PATIENCE_S = 20, PATIENCE_MS = 20000 };

static struct clock *machine_clock;

static struct clock *new_clock(void)
{
    struct clock *made = NULL;

    ck_assert_int_eq(clock_create(&made), SESS_OK);
    ck_assert_ptr_nonnull(made);
    return made;
}

static void set_up(void)
{
    machine_clock = new_clock();
}

static void tear_down(void)
{
    clock_destroy(&machine_clock);
}

static int64_t wall_s(void)
{
    return clock_now(machine_clock).wall_s;
}

/* The wall time is `expected_s`, but for the time that this test takes. */
static void assert_wall_is(int64_t expected_s)
{
    int64_t found_s = wall_s();

    ck_assert_int_ge(found_s, expected_s);
    ck_assert_int_le(found_s, expected_s + PATIENCE_S);
}

/* A clock on the machine's clocks. */
START_TEST(now_is_the_wall_time)
{
    assert_wall_is(time(NULL));
}
END_TEST

/* Many looks at one clock. */
START_TEST(now_never_goes_back)
{
    struct instant before = clock_now(machine_clock);

    for (int i = 0; i < 10000; i++) {
        struct instant now = clock_now(machine_clock);

        ck_assert_int_ge(now.wall_s, before.wall_s);
        ck_assert_int_ge(now.boot_ms, before.boot_ms);
        before = now;
    }
}
END_TEST

/* The machine slept: elapsed time and wall time went on. */
START_TEST(now_counts_suspends)
{
    struct instant before = clock_now(machine_clock);
    struct instant after;

    faults_set_asleep(HOUR_MS);
    after = clock_now(machine_clock);
    ck_assert_int_ge(after.boot_ms - before.boot_ms, HOUR_MS);
    ck_assert_int_le(after.boot_ms - before.boot_ms, HOUR_MS + PATIENCE_MS);
    assert_wall_is(before.wall_s + HOUR_MS / SECOND_MS);
}
END_TEST

/* The process pauses between its looks at the two clocks: that is no step of the wall clock. */
START_TEST(pause_between_two_reads_is_no_step)
{
    int64_t before_s = clock_now(machine_clock).wall_s;

    for (int i = 1; i <= 3; i++) {
        faults_sleep_after_next_read(HOUR_MS);
        (void)clock_now(machine_clock);
        assert_wall_is(before_s + (int64_t)i * HOUR_MS / SECOND_MS);
    }
}
END_TEST

/* NTP slews the wall clock ahead. */
START_TEST(small_difference_ahead_is_followed_silently)
{
    int64_t before_s = wall_s();
    const char *text;

    faults_set_wall_ahead(1500);
    captured_start();
    assert_wall_is(before_s + 1);
    text = captured_end();
    ck_assert_str_eq(text, "");
}
END_TEST

/* Somebody sets the wall clock ahead by an hour. */
START_TEST(step_ahead_is_followed)
{
    int64_t before_s = wall_s();
    struct instant elapsed = clock_now(machine_clock);
    const char *text;

    faults_set_wall_ahead(STEP_MS);
    captured_start();
    assert_wall_is(before_s + HOUR_MS / SECOND_MS);
    (void)clock_now(machine_clock);
    text = captured_end();
    ck_assert_ptr_nonnull(strstr(text, " info the wall clock stepped ahead by 3600 s: followed\n"));
    ck_assert_ptr_eq(strchr(text, '\n'), strrchr(text, '\n'));
    ck_assert_int_le(clock_now(machine_clock).boot_ms - elapsed.boot_ms, PATIENCE_MS);
}
END_TEST

/* The wall clock goes ahead by more than a day. */
START_TEST(step_far_ahead_is_ignored_and_told_once)
{
    int64_t before_s = wall_s();
    const char *text;

    faults_set_wall_ahead((int64_t)DAY_MS + 60000);
    captured_start();
    assert_wall_is(before_s);
    assert_wall_is(before_s);
    text = captured_end();
    ck_assert_ptr_nonnull(strstr(text, " warning the wall clock stepped ahead by 864"));
    ck_assert_ptr_nonnull(strstr(text, " s: ignored"));
    ck_assert_ptr_eq(strchr(text, '\n'), strrchr(text, '\n'));
}
END_TEST

/* The wall clock goes back by an hour. */
START_TEST(step_back_is_ignored_and_told_once)
{
    int64_t before_s = wall_s();
    const char *text;

    faults_set_wall_ahead(-STEP_MS);
    captured_start();
    assert_wall_is(before_s);
    assert_wall_is(before_s);
    text = captured_end();
    ck_assert_ptr_nonnull(strstr(text, " warning the wall clock stepped back by 3600 s: ignored"));
    ck_assert_ptr_eq(strchr(text, '\n'), strrchr(text, '\n'));
}
END_TEST

/* NTP slews the wall clock back. */
START_TEST(small_difference_back_is_ignored_silently)
{
    int64_t before_s = wall_s();
    const char *text;

    faults_set_wall_ahead(-1500);
    captured_start();
    assert_wall_is(before_s);
    text = captured_end();
    ck_assert_str_eq(text, "");
}
END_TEST

/* A second step back, after the clock was right again. */
START_TEST(next_ignored_step_is_told_again)
{
    const char *text;

    captured_start();
    faults_set_wall_ahead(-STEP_MS);
    (void)wall_s();
    faults_set_wall_ahead(0);
    (void)wall_s();
    faults_set_wall_ahead(-STEP_MS);
    (void)wall_s();
    text = captured_end();
    ck_assert_ptr_ne(strchr(text, '\n'), strrchr(text, '\n'));
}
END_TEST

/* No memory for a clock. */
START_TEST(create_without_memory_fails)
{
    struct clock *made = NULL;

    faults_fail_allocation(1);
    ck_assert_int_eq(clock_create(&made), SESS_NO_MEMORY);
    ck_assert_ptr_null(made);
    faults_fail_allocation(1);
    ck_assert_int_eq(clock_create_manual(0, &made), SESS_NO_MEMORY);
    ck_assert_ptr_null(made);
}
END_TEST

#ifdef SESSIOND_TEST_HOOKS

/* The daemon's test clock: a file of two numbers, one for both clocks, one for the wall clock. */
static int64_t *make_shift_file(char *path)
{
    int file = mkstemp(path);
    int64_t *shift;

    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(ftruncate(file, 2 * sizeof *shift), 0);
    shift = mmap(NULL, 2 * sizeof *shift, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ck_assert(shift != MAP_FAILED);
    close(file);
    ck_assert_int_eq(setenv("SESSIOND_TEST_CLOCK", path, 1), 0);
    return shift;
}

/* A test that moves time forward, twice, while the daemon runs. */
START_TEST(shift_file_moves_both_clocks)
{
    char path[] = "/tmp/sessiond-test-clock-XXXXXX";
    int64_t *shift_ms = make_shift_file(path);
    struct clock *shifted = new_clock();
    struct instant before = clock_now(shifted);
    struct instant after;

    ck_assert_int_eq(unlink(path), 0);
    for (int months = 1; months <= 2; months++) {
        *(volatile int64_t *)shift_ms = (int64_t)months * 30 * DAY_MS;
        after = clock_now(shifted);
        ck_assert_int_ge(after.wall_s - before.wall_s, (int64_t)months * 30 * DAY_S);
        ck_assert_int_le(after.wall_s - before.wall_s, (int64_t)months * 30 * DAY_S + PATIENCE_S);
        ck_assert_int_ge(after.boot_ms - before.boot_ms, (int64_t)months * 30 * DAY_MS);
        ck_assert_int_le(after.boot_ms - before.boot_ms,
                         (int64_t)months * 30 * DAY_MS + PATIENCE_MS);
    }
    *(volatile int64_t *)(shift_ms + 1) = HOUR_MS;
    ck_assert_int_ge(clock_now(shifted).wall_s, after.wall_s + HOUR_MS / SECOND_MS);
    ck_assert_int_le(clock_now(shifted).boot_ms - after.boot_ms, PATIENCE_MS);
    clock_destroy(&shifted);
    ck_assert_int_eq(munmap(shift_ms, 2 * sizeof *shift_ms), 0);
}
END_TEST

/* A file that is not there, and a folder. */
START_TEST(shift_file_must_be_a_file)
{
    struct clock *made = NULL;

    ck_assert_int_eq(setenv("SESSIOND_TEST_CLOCK", "/nonexistent/clock", 1), 0);
    ck_assert_int_eq(clock_create(&made), SESS_IO);
    ck_assert_int_eq(setenv("SESSIOND_TEST_CLOCK", "/", 1), 0);
    ck_assert_int_eq(clock_create(&made), SESS_IO);
    ck_assert_ptr_null(made);
}
END_TEST

#endif

/* A manual clock that nobody moves. */
START_TEST(manual_clock_stands_still)
{
    struct clock *manual = NULL;
    struct instant before;

    ck_assert_int_eq(clock_create_manual(1700000000, &manual), SESS_OK);
    before = clock_now(manual);
    ck_assert_int_eq(before.wall_s, 1700000000);
    faults_set_asleep(HOUR_MS);
    faults_set_wall_ahead(HOUR_MS);
    ck_assert_int_eq(clock_now(manual).wall_s, before.wall_s);
    ck_assert_int_eq(clock_now(manual).boot_ms, before.boot_ms);
    clock_destroy(&manual);
}
END_TEST

/* A manual clock moved on by less than a second, and then by enough for one. */
START_TEST(advance_moves_a_manual_clock)
{
    struct clock *manual = NULL;
    int64_t boot_ms;

    ck_assert_int_eq(clock_create_manual(50, &manual), SESS_OK);
    boot_ms = clock_now(manual).boot_ms;
    clock_advance(manual, 0);
    clock_advance(manual, 999);
    ck_assert_int_eq(clock_now(manual).wall_s, 50);
    ck_assert_int_eq(clock_now(manual).boot_ms, boot_ms + 999);
    clock_advance(manual, 1);
    ck_assert_int_eq(clock_now(manual).wall_s, 51);
    clock_advance(manual, (int64_t)400 * DAY_MS);
    ck_assert_int_eq(clock_now(manual).wall_s, 51 + (int64_t)400 * DAY_S);
    ck_assert_int_eq(clock_now(manual).boot_ms, boot_ms + 1000 + (int64_t)400 * DAY_MS);
    clock_destroy(&manual);
}
END_TEST

/* ---- a start behind a mark ---- */

enum { MARK_S = 1700000000 };

static struct clock *manual_at(int64_t wall_now_s)
{
    struct clock *manual = NULL;

    ck_assert_int_eq(clock_create_manual(wall_now_s, &manual), SESS_OK);
    return manual;
}

static void assert_lines(const char *text, size_t n_lines, const char *part)
{
    size_t n_found = 0;

    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        n_found++;
    }
    ck_assert_msg(n_found == n_lines, "%zu lines: %s", n_found, text);
    ck_assert_msg(strstr(text, part) != NULL, "no '%s' in: %s", part, text);
}

/* An empty directory; one that was left a moment ago, by a clock that was slewed since. */
START_TEST(begin_with_nothing_to_tell)
{
    static const int64_t ahead_s[] = {-2, -1, 0, 1, DAY_S};

    captured_start();
    for (size_t i = 0; i < sizeof ahead_s / sizeof ahead_s[0]; i++) {
        struct clock *manual = manual_at(MARK_S + ahead_s[i]);
        int64_t begin_s = ahead_s[i] > 0 ? MARK_S + ahead_s[i] : MARK_S;

        ck_assert(!clock_begin(manual, 0));
        ck_assert_int_eq(clock_now(manual).wall_s, MARK_S + ahead_s[i]);
        ck_assert(!clock_begin(manual, MARK_S));
        ck_assert(!clock_is_in_grace(manual));
        ck_assert_int_eq(clock_now(manual).wall_s, begin_s);
        clock_advance(manual, 5000);
        ck_assert_int_eq(clock_now(manual).wall_s, begin_s + 5);
        clock_destroy(&manual);
    }
    ck_assert_str_eq(captured_end(), "");
}
END_TEST

/* The machine has lost its clock: time runs on from the mark, and nobody is told twice. */
START_TEST(begin_behind_the_mark_goes_on_from_it)
{
    struct clock *manual = manual_at(MARK_S - DAY_S);
    const char *text;

    captured_start();
    ck_assert(!clock_begin(manual, MARK_S));
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(clock_now(manual).wall_s, MARK_S + i);
        clock_advance(manual, SECOND_MS);
    }
    text = captured_end();
    assert_lines(text, 1,
                 " warning the wall clock says 2023-11-13T22:13:20Z, but sessions were kept until "
                 "2023-11-14T22:13:20Z: time goes on from there, 86400 s ahead");
    ck_assert_ptr_nonnull(strstr(text, "--accept-clock"));
    captured_start();
    clock_step(manual, DAY_MS);
    ck_assert_int_eq(clock_now(manual).wall_s, MARK_S + 100);
    clock_step(manual, -HOUR_MS);
    ck_assert_int_eq(clock_now(manual).wall_s, MARK_S + 100);
    assert_lines(captured_end(), 1, "stepped back by 3600 s: ignored");
    clock_destroy(&manual);
}
END_TEST

/* In its grace two days behind the mark. */
static struct clock *manual_in_grace(void)
{
    struct clock *manual = manual_at(MARK_S + 2 * DAY_S);

    ck_assert(clock_begin(manual, MARK_S));
    ck_assert(clock_is_in_grace(manual));
    ck_assert_int_eq(clock_now(manual).wall_s, MARK_S + 2 * DAY_S);
    return manual;
}

START_TEST(begin_far_ahead_is_told)
{
    struct clock *manual = manual_at(MARK_S + DAY_S + 1);
    const char *text;

    captured_start();
    ck_assert(clock_begin(manual, MARK_S));
    text = captured_end();
    assert_lines(
        text, 1,
        " warning the wall clock says 2023-11-15T22:13:21Z, and sessions were last kept at "
        "2023-11-14T22:13:20Z, 86401 s before");
    ck_assert_ptr_nonnull(strstr(text, "within 10 minutes"));
    clock_destroy(&manual);
}
END_TEST

START_TEST(grace_ends_by_elapsed_time)
{
    struct clock *manual = manual_in_grace();
    const char *text;

    captured_start();
    clock_advance(manual, CLOCK_GRACE_MS - 1);
    (void)clock_now(manual);
    ck_assert(clock_is_in_grace(manual));
    clock_advance(manual, 1);
    ck_assert_int_eq(clock_now(manual).wall_s, MARK_S + 2 * DAY_S + CLOCK_GRACE_MS / SECOND_MS);
    ck_assert(!clock_is_in_grace(manual));
    text = captured_end();
    assert_lines(text, 1, " warning the wall clock was not put right: it is believed now");
    captured_start();
    clock_step(manual, -2 * (int64_t)DAY_MS);
    ck_assert_int_eq(clock_now(manual).wall_s, MARK_S + 2 * DAY_S + CLOCK_GRACE_MS / SECOND_MS);
    assert_lines(captured_end(), 1, "stepped back by 172800 s: ignored");
    clock_destroy(&manual);
}
END_TEST

/* Back, but not far enough; then far enough. Within a day of the mark it is over. */
START_TEST(grace_follows_steps_back)
{
    struct clock *manual = manual_in_grace();

    captured_start();
    clock_step(manual, -HOUR_MS);
    ck_assert_int_eq(clock_now(manual).wall_s, MARK_S + 47 * 3600);
    ck_assert(clock_is_in_grace(manual));
    clock_step(manual, -1500);
    ck_assert_int_eq(clock_now(manual).wall_s, MARK_S + 47 * 3600);
    clock_step(manual, 1500 + HOUR_MS);
    ck_assert_int_eq(clock_now(manual).wall_s, MARK_S + 2 * DAY_S);
    clock_step(manual, -2 * (int64_t)DAY_MS + 10 * SECOND_MS);
    ck_assert_int_eq(clock_now(manual).wall_s, MARK_S + 10);
    ck_assert(!clock_is_in_grace(manual));
    clock_step(manual, -5 * SECOND_MS);
    ck_assert_int_eq(clock_now(manual).wall_s, MARK_S + 10);
    ck_assert_ptr_nonnull(strstr(captured_end(),
                                 " info the wall clock was put right: time goes on from "
                                 "2023-11-14T22:13:30Z"));
    clock_destroy(&manual);
}
END_TEST

START_TEST(grace_never_goes_behind_the_mark)
{
    struct clock *manual = manual_in_grace();

    captured_start();
    clock_step(manual, -9 * (int64_t)DAY_MS);
    ck_assert_int_eq(clock_now(manual).wall_s, MARK_S);
    ck_assert(!clock_is_in_grace(manual));
    clock_advance(manual, 5 * SECOND_MS);
    ck_assert_int_eq(clock_now(manual).wall_s, MARK_S + 5);
    assert_lines(captured_end(), 1, "put right");
    clock_destroy(&manual);
}
END_TEST

START_TEST(grace_ignores_a_step_far_ahead)
{
    struct clock *manual = manual_in_grace();

    captured_start();
    clock_step(manual, 9 * (int64_t)DAY_MS);
    ck_assert_int_eq(clock_now(manual).wall_s, MARK_S + 2 * DAY_S);
    ck_assert(clock_is_in_grace(manual));
    assert_lines(captured_end(), 1, "stepped ahead by 777600 s: ignored");
    clock_destroy(&manual);
}
END_TEST

/* A clock destroyed twice. */
START_TEST(destroy_forgets_the_clock)
{
    struct clock *made = new_clock();

    clock_destroy(&made);
    ck_assert_ptr_null(made);
    clock_destroy(&made);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/clock");
    TCase *create = suite_case(suite, "clock_create");
    TCase *now = suite_case(suite, "clock_now");
    TCase *advance = suite_case(suite, "clock_advance");
    TCase *begin = suite_case(suite, "clock_begin");
    TCase *destroy = suite_case(suite, "clock_destroy");

    tcase_add_test(create, create_without_memory_fails);
#ifdef SESSIOND_TEST_HOOKS
    tcase_add_test(create, shift_file_moves_both_clocks);
    tcase_add_test(create, shift_file_must_be_a_file);
#endif
    tcase_add_checked_fixture(now, set_up, tear_down);
    tcase_add_test(now, now_is_the_wall_time);
    tcase_add_test(now, now_never_goes_back);
    tcase_add_test(now, now_counts_suspends);
    tcase_add_test(now, pause_between_two_reads_is_no_step);
    tcase_add_test(now, small_difference_ahead_is_followed_silently);
    tcase_add_test(now, step_ahead_is_followed);
    tcase_add_test(now, step_far_ahead_is_ignored_and_told_once);
    tcase_add_test(now, step_back_is_ignored_and_told_once);
    tcase_add_test(now, small_difference_back_is_ignored_silently);
    tcase_add_test(now, next_ignored_step_is_told_again);
    tcase_add_test(advance, manual_clock_stands_still);
    tcase_add_test(advance, advance_moves_a_manual_clock);
    tcase_add_test(begin, begin_with_nothing_to_tell);
    tcase_add_test(begin, begin_behind_the_mark_goes_on_from_it);
    tcase_add_test(begin, begin_far_ahead_is_told);
    tcase_add_test(begin, grace_ends_by_elapsed_time);
    tcase_add_test(begin, grace_follows_steps_back);
    tcase_add_test(begin, grace_never_goes_behind_the_mark);
    tcase_add_test(begin, grace_ignores_a_step_far_ahead);
    tcase_add_test(destroy, destroy_forgets_the_clock);
    return suite_run(suite);
}
