/* The clock. Not a timer wheel (store/wheel.c).
 *
 * Threads: any; the wall offset is one atomic, and a mutex is taken in a grace alone. Memory: one struct a clock.
 * The effective wall time is boot time + offset. The offset only grows: by small amounts while NTP
 * slews the system ahead, by a step of up to a day when somebody sets the clock ahead. In a grace it also
 * shrinks. */
#include "sessiond/base/clock.h"

#include "sessiond/base/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    LARGEST_STEP_MS = 24 * 60 * 60 * 1000, /* a wall clock further ahead is not believed */
    NOTICED_STEP_MS = 2000,                /* smaller differences are slewing, not steps */
    TIME_TEXT_SIZE = 32,
};

/* The test's file. */
struct shift {
    _Atomic int64_t both_ms;
    _Atomic int64_t wall_ms;
};

struct clock {
    bool is_manual;                 /* immutable */
    const struct shift *shift;      /* immutable; NULL, or the test's file */
    int64_t mark_ms;                /* immutable after clock_begin: the clock is never before it */
    _Atomic int64_t manual_boot_ms; /* any thread */
    _Atomic int64_t manual_wall_ms; /* any thread */
    _Atomic int64_t offset_ms;      /* any thread; wall - boot, only grows, but in a grace */
    _Atomic bool step_told;         /* any thread; an ignored step has been logged */
    _Atomic int64_t grace_until_ms; /* elapsed; 0: no grace runs. Written under the lock */
    pthread_mutex_t
        lock; /* in a grace: whoever reads the clocks there and judges by them does so alone */
};

/* Both of the system's clocks. */
struct reading {
    int64_t wall_ms;
    int64_t boot_ms;
};

static int64_t read_ms(clockid_t id)
{
    struct timespec now;

    /* UNTESTED: cannot fail for the two ids used here. */
    if (clock_gettime(id, &now) != 0) {
        return 0;
    }
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum sess_status map_test_shift(struct clock *clock)
{
#ifdef SESSIOND_TEST_HOOKS
    /* Start-up only, before any thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    const char *path = getenv("SESSIOND_TEST_CLOCK");
    void *mapping;
    int fd;

    if (path == NULL) {
        return SESS_OK;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return SESS_IO;
    }
    mapping = mmap(NULL, sizeof(struct shift), PROT_READ, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (mapping == MAP_FAILED) {
        return SESS_IO;
    }
    clock->shift = mapping;
#else
    (void)clock;
#endif
    return SESS_OK;
}

static struct reading read_clocks(const struct clock *clock)
{
    struct reading shift = {0};
    struct reading now;

    if (clock->shift != NULL) {
        shift.boot_ms = atomic_load_explicit(&clock->shift->both_ms, memory_order_relaxed);
        shift.wall_ms = atomic_load_explicit(&clock->shift->wall_ms, memory_order_relaxed);
    }
    /* The wall first: a pause between the two reads then looks like a wall clock that is behind,
     * which is ignored; the other way round it would put the clock ahead for good. */
    now.wall_ms = clock->is_manual ? atomic_load(&clock->manual_wall_ms) : read_ms(CLOCK_REALTIME);
    now.boot_ms = clock->is_manual ? atomic_load(&clock->manual_boot_ms) : read_ms(CLOCK_BOOTTIME);
    now.wall_ms += shift.boot_ms + shift.wall_ms;
    now.boot_ms += shift.boot_ms;
    return now;
}

static void begin(struct clock *clock)
{
    struct reading now = read_clocks(clock);

    (void)pthread_mutex_init(&clock->lock, NULL);
    atomic_store(&clock->offset_ms, now.wall_ms - now.boot_ms);
}

enum sess_status clock_create(struct clock **out)
{
    struct clock *clock = calloc(1, sizeof *clock);
    enum sess_status status;

    if (clock == NULL) {
        return SESS_NO_MEMORY;
    }
    status = map_test_shift(clock);
    if (status != SESS_OK) {
        free(clock);
        return status;
    }
    begin(clock);
    *out = clock;
    return SESS_OK;
}

enum sess_status clock_create_manual(int64_t wall_s, struct clock **out)
{
    struct clock *clock = calloc(1, sizeof *clock);

    if (clock == NULL) {
        return SESS_NO_MEMORY;
    }
    clock->is_manual = true;
    atomic_store(&clock->manual_wall_ms, wall_s * 1000);
    begin(clock);
    *out = clock;
    return SESS_OK;
}

void clock_destroy(struct clock **clock)
{
    struct clock *self = *clock;

    if (self == NULL) {
        return;
    }
    if (self->shift != NULL) {
        (void)munmap((void *)(uintptr_t)self->shift, sizeof *self->shift);
    }
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
    *clock = NULL;
}

static const char *time_text(int64_t time_ms, char *out)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm utc;

    if (gmtime_r(&seconds, &utc) == NULL ||
        strftime(out, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) {
        out[0] = '?';
        out[1] = '\0';
    }
    return out;
}

static void tell_ignored_step(struct clock *clock, int64_t ahead_ms)
{
    if (atomic_exchange(&clock->step_told, true)) {
        return;
    }
    if (ahead_ms > 0) {
        log_write(LOG_LEVEL_WARNING,
                  "the wall clock stepped ahead by %" PRId64
                  " s: ignored, sessions keep their time; if it is right now, restart sessiond",
                  ahead_ms / 1000);
    } else {
        log_write(LOG_LEVEL_WARNING,
                  "the wall clock stepped back by %" PRId64 " s: ignored, sessions keep their time",
                  -ahead_ms / 1000);
    }
}

/* Follow the wall clock as far as the rules allow. */
static int64_t current_offset(struct clock *clock, struct reading now)
{
    int64_t offset = atomic_load_explicit(&clock->offset_ms, memory_order_relaxed);
    int64_t ahead = now.wall_ms - now.boot_ms - offset;

    if (ahead > LARGEST_STEP_MS || ahead < -NOTICED_STEP_MS) {
        tell_ignored_step(clock, ahead);
        return offset;
    }
    if (ahead > -NOTICED_STEP_MS / 2) {
        /* Not at the very edge, where two clocks that are read in turn would tell it again and again. */
        atomic_store_explicit(&clock->step_told, false, memory_order_relaxed);
    }
    if (ahead <= 0) {
        return offset;
    }
    /* Another thread may have moved it meanwhile: then its value is as good. */
    if (atomic_compare_exchange_strong(&clock->offset_ms, &offset, offset + ahead)) {
        if (ahead > NOTICED_STEP_MS) {
            log_write(LOG_LEVEL_INFO, "the wall clock stepped ahead by %" PRId64 " s: followed",
                      ahead / 1000);
        }
        return offset + ahead;
    }
    return offset;
}

/* ---- the start, and the grace behind it ---- */

static void tell_behind(const struct clock *clock, struct reading now)
{
    char wall[TIME_TEXT_SIZE];
    char mark[TIME_TEXT_SIZE];

    log_write(
        LOG_LEVEL_WARNING,
        "the wall clock says %s, but sessions were kept until %s: time goes on from there, %" PRId64
        " s ahead, so that none that has expired comes back; if that time was wrong, start "
        "once with --accept-clock",
        time_text(now.wall_ms, wall), time_text(clock->mark_ms, mark),
        (clock->mark_ms - now.wall_ms) / 1000);
}

static void tell_grace(const struct clock *clock, struct reading now)
{
    char wall[TIME_TEXT_SIZE];
    char mark[TIME_TEXT_SIZE];

    log_write(
        LOG_LEVEL_WARNING,
        "the wall clock says %s, and sessions were last kept at %s, %" PRId64
        " s before: if it is wrong, put it right within %d minutes, and nobody is lost; if it "
        "is right, there is nothing to do",
        time_text(now.wall_ms, wall), time_text(clock->mark_ms, mark),
        (now.wall_ms - clock->mark_ms) / 1000, CLOCK_GRACE_MS / 60000);
}

bool clock_begin(struct clock *clock, int64_t mark_s)
{
    struct reading now = read_clocks(clock);
    int64_t behind_ms = mark_s * 1000 - now.wall_ms;
    bool has_grace = mark_s != 0 && -behind_ms > LARGEST_STEP_MS;
    bool is_told = behind_ms > NOTICED_STEP_MS;

    clock->mark_ms = mark_s * 1000;
    atomic_store(&clock->offset_ms, now.wall_ms - now.boot_ms + (behind_ms > 0 ? behind_ms : 0));
    atomic_store(&clock->step_told, is_told);
    atomic_store(&clock->grace_until_ms, has_grace ? now.boot_ms + CLOCK_GRACE_MS : 0);
    if (is_told) {
        tell_behind(clock, now);
    }
    if (has_grace) {
        tell_grace(clock, now);
    }
    return has_grace;
}

bool clock_is_in_grace(const struct clock *clock)
{
    return atomic_load(&clock->grace_until_ms) != 0;
}

/* Under the lock: as ever, but a step back is followed. */
static int64_t offset_in_grace(struct clock *clock, struct reading now)
{
    int64_t wall = now.wall_ms > clock->mark_ms ? now.wall_ms : clock->mark_ms;

    if (wall - now.boot_ms - atomic_load(&clock->offset_ms) < -NOTICED_STEP_MS) {
        atomic_store(&clock->offset_ms, wall - now.boot_ms);
    }
    return current_offset(clock, (struct reading){.wall_ms = wall, .boot_ms = now.boot_ms});
}

static void end_grace(struct clock *clock, struct reading now, bool is_right)
{
    char text[TIME_TEXT_SIZE];

    /* A wall clock that was put to before the mark need not be told of once more. */
    atomic_store(&clock->step_told, now.wall_ms < clock->mark_ms);
    atomic_store(&clock->grace_until_ms, 0);
    if (is_right) {
        log_write(LOG_LEVEL_INFO,
                  "the wall clock was put right: time goes on from %s, and nobody was lost",
                  time_text(now.boot_ms + atomic_load(&clock->offset_ms), text));
    } else {
        log_write(
            LOG_LEVEL_WARNING,
            "the wall clock was not put right: it is believed now, and what has expired by %s goes",
            time_text(now.boot_ms + atomic_load(&clock->offset_ms), text));
    }
}

static struct reading now_in_grace(struct clock *clock)
{
    struct reading now;
    int64_t offset;
    bool is_right;

    (void)pthread_mutex_lock(&clock->lock);
    now = read_clocks(clock);
    offset = clock_is_in_grace(clock) ? offset_in_grace(clock, now) : current_offset(clock, now);
    is_right = now.boot_ms + offset - clock->mark_ms <= LARGEST_STEP_MS;
    if (clock_is_in_grace(clock) &&
        (is_right || now.boot_ms >= atomic_load(&clock->grace_until_ms))) {
        end_grace(clock, now, is_right);
    }
    (void)pthread_mutex_unlock(&clock->lock);
    return (struct reading){.wall_ms = now.boot_ms + offset, .boot_ms = now.boot_ms};
}

struct instant clock_now(struct clock *clock)
{
    struct reading now;

    if (clock_is_in_grace(clock)) {
        now = now_in_grace(clock);
    } else {
        now = read_clocks(clock);
        now.wall_ms = now.boot_ms + current_offset(clock, now);
    }
    return (struct instant){.wall_s = now.wall_ms / 1000, .boot_ms = now.boot_ms};
}

void clock_advance(struct clock *clock, int64_t ms)
{
    /* The wall last: in between it is behind, which is ignored. */
    atomic_fetch_add(&clock->manual_boot_ms, ms);
    atomic_fetch_add(&clock->manual_wall_ms, ms);
}

void clock_step(struct clock *clock, int64_t ms)
{
    atomic_fetch_add(&clock->manual_wall_ms, ms);
}
