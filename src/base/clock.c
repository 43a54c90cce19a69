/* The clock. Not a timer wheel (store/wheel.c).
 *
 * Threads: any; the wall offset is one atomic. Memory: one struct a clock.
 * The effective wall time is boot time + offset. The offset only grows: by small amounts while NTP
 * slews the system ahead, by a step of up to a day when somebody sets the clock ahead. */
#include "sessiond/base/clock.h"

#include "sessiond/base/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    LARGEST_STEP_MS = 24 * 60 * 60 * 1000, /* a wall clock further ahead is not believed */
    NOTICED_STEP_MS = 2000,                /* smaller differences are slewing, not steps */
};

struct clock {
    bool is_manual;                  /* immutable */
    const _Atomic int64_t *shift_ms; /* immutable; NULL, or the test's file */
    _Atomic int64_t manual_ms;       /* any thread */
    _Atomic int64_t offset_ms;       /* any thread; wall - boot, only grows */
    _Atomic bool step_told;          /* any thread; an ignored step has been logged */
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
    mapping = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (mapping == MAP_FAILED) {
        return SESS_IO;
    }
    clock->shift_ms = mapping;
#else
    (void)clock;
#endif
    return SESS_OK;
}

enum sess_status clock_create(struct clock **out)
{
    struct clock *clock = calloc(1, sizeof *clock);
    enum sess_status status;
    int64_t wall_ms;

    if (clock == NULL) {
        return SESS_NO_MEMORY;
    }
    status = map_test_shift(clock);
    if (status != SESS_OK) {
        free(clock);
        return status;
    }
    wall_ms = read_ms(CLOCK_REALTIME);
    atomic_store(&clock->offset_ms, wall_ms - read_ms(CLOCK_BOOTTIME));
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
    atomic_store(&clock->offset_ms, wall_s * 1000);
    *out = clock;
    return SESS_OK;
}

void clock_destroy(struct clock **clock)
{
    if (*clock != NULL && (*clock)->shift_ms != NULL) {
        (void)munmap((void *)(uintptr_t)(*clock)->shift_ms, sizeof(int64_t));
    }
    free(*clock);
    *clock = NULL;
}

static void tell_ignored_step(struct clock *clock, int64_t ahead_ms)
{
    if (!atomic_exchange(&clock->step_told, true)) {
        log_write(LOG_LEVEL_WARNING,
                  "the wall clock stepped %s by %" PRId64 " s: ignored, sessions keep their time",
                  ahead_ms > 0 ? "ahead" : "back", (ahead_ms > 0 ? ahead_ms : -ahead_ms) / 1000);
    }
}

/* Follow the wall clock as far as the rules allow. */
static int64_t current_offset(struct clock *clock, int64_t wall_ms, int64_t boot_ms)
{
    int64_t offset = atomic_load_explicit(&clock->offset_ms, memory_order_relaxed);
    int64_t ahead = wall_ms - boot_ms - offset;

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

struct instant clock_now(struct clock *clock)
{
    int64_t boot_ms;
    int64_t wall_ms;
    int64_t shift_ms = 0;

    if (clock->is_manual) {
        boot_ms = atomic_load(&clock->manual_ms);
        wall_ms = boot_ms + atomic_load(&clock->offset_ms);
    } else {
        /* The wall first: a pause between the two reads then looks like a wall clock that is behind,
         * which is ignored; the other way round it would put the clock ahead for good. */
        wall_ms = read_ms(CLOCK_REALTIME);
        boot_ms = read_ms(CLOCK_BOOTTIME);
        wall_ms = boot_ms + current_offset(clock, wall_ms, boot_ms);
    }
    if (clock->shift_ms != NULL) {
        shift_ms = atomic_load_explicit(clock->shift_ms, memory_order_relaxed);
    }
    return (struct instant){.wall_s = (wall_ms + shift_ms) / 1000, .boot_ms = boot_ms + shift_ms};
}

void clock_advance(struct clock *clock, int64_t ms)
{
    atomic_fetch_add(&clock->manual_ms, ms);
}
