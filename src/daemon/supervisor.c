/* Telling the service manager. Threads: the first. Memory: a timer's descriptor and a socket's. */
#include "supervisor.h"

#include "sessiond/base/log.h"
#include "sessiond/base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define US_PER_S UINT64_C(1000000)

enum {
    LOOK_S = 10,      /* between two looks; less where the watchdog wants it */
    LOOKS = 4,        /* within the watchdog's time, so that one may fail or come late */
    PROGRESS_S = 60,  /* recovery gets on within this time, or is ended */
    LAST_SYNC_S = 60, /* the same for what a stop writes */
};

static const char *variable(const char *name)
{
    /* Before any thread that could change it. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    return getenv(name);
}

static uint64_t number_of(const char *name)
{
    const char *text = variable(name);
    uint64_t number;

    return text != NULL && number_parse_u64(slice_from_text(text), INT64_MAX, &number) == SESS_OK
               ? number
               : 0;
}

/* Time within which the watchdog wants to hear; 0: there is none, or it is another process's. */
static uint64_t watchdog_us(void)
{
    bool is_ours =
        variable("WATCHDOG_PID") == NULL || number_of("WATCHDOG_PID") == (uint64_t)getpid();

    return is_ours ? number_of("WATCHDOG_USEC") : 0;
}

static uint64_t look_us(uint64_t watchdog)
{
    uint64_t most = LOOK_S * US_PER_S;

    return watchdog >= LOOKS && watchdog / LOOKS < most ? watchdog / LOOKS : most;
}

static bool arm(const struct supervisor *supervisor)
{
    struct timespec span = {.tv_sec = (time_t)(supervisor->look_us / US_PER_S),
                            .tv_nsec = (long)(supervisor->look_us % US_PER_S) * 1000};
    struct itimerspec looks = {.it_interval = span, .it_value = span};

    return timerfd_settime(supervisor->timer, 0, &looks, NULL) == 0;
}

enum sess_status supervisor_open(struct supervisor *supervisor, struct sess_error *error)
{
    uint64_t watchdog = watchdog_us();

    *supervisor = (struct supervisor){
        .timer = -1, .look_us = look_us(watchdog), .has_watchdog = watchdog > 0};
    notifier_open(&supervisor->notifier);
    if (!notifier_is_open(&supervisor->notifier)) {
        return SESS_OK;
    }
    supervisor->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return supervisor->timer >= 0
               ? SESS_OK
               : error_set(error, SESS_IO, "cannot make a timer: %s", strerror(errno));
}

void supervisor_close(struct supervisor *supervisor)
{
    if (supervisor->timer >= 0) {
        (void)close(supervisor->timer);
        supervisor->timer = -1;
    }
    notifier_close(&supervisor->notifier);
}

void supervisor_recovering(void *supervisor, uint64_t done, uint64_t all)
{
    const struct supervisor *self = supervisor;

    if (all == 0) {
        notifier_tell(&self->notifier, "STATUS=recovering\nEXTEND_TIMEOUT_USEC=%" PRIu64,
                      PROGRESS_S * US_PER_S);
    } else {
        notifier_tell(&self->notifier,
                      "STATUS=recovering: %" PRIu64 " of %" PRIu64
                      " MiB\nEXTEND_TIMEOUT_USEC=%" PRIu64,
                      done >> 20, all >> 20, PROGRESS_S * US_PER_S);
    }
}

void supervisor_ready(struct supervisor *supervisor, uint64_t n_sessions)
{
    notifier_tell(&supervisor->notifier, "READY=1\nSTATUS=%" PRIu64 " live sessions", n_sessions);
    if (supervisor->timer >= 0 && !arm(supervisor)) {
        log_write(LOG_LEVEL_ERROR, "cannot set a timer: the watchdog is not fed");
    }
}

int supervisor_fd(const struct supervisor *supervisor)
{
    return supervisor->timer;
}

bool supervisor_is_due(struct supervisor *supervisor)
{
    uint64_t n_passed;

    return supervisor->timer >= 0 &&
           read(supervisor->timer, &n_passed, sizeof n_passed) == (ssize_t)sizeof n_passed;
}

void supervisor_look(const struct supervisor *supervisor, uint64_t n_sessions, const char *stuck)
{
    if (!supervisor->has_watchdog) {
        notifier_tell(&supervisor->notifier, "STATUS=%" PRIu64 " live sessions", n_sessions);
    } else if (stuck == NULL) {
        notifier_tell(&supervisor->notifier, "WATCHDOG=1\nSTATUS=%" PRIu64 " live sessions",
                      n_sessions);
    } else {
        log_write(LOG_LEVEL_ERROR, "%s does not go on: the watchdog is not fed", stuck);
        notifier_tell(&supervisor->notifier, "STATUS=%s does not go on", stuck);
    }
}

void supervisor_reloading(const struct supervisor *supervisor)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    notifier_tell(&supervisor->notifier, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                  (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / 1000);
}

void supervisor_reloaded(const struct supervisor *supervisor)
{
    notifier_tell(&supervisor->notifier, "READY=1");
}

void supervisor_stopping(const struct supervisor *supervisor, uint64_t stop_timeout_ms)
{
    notifier_tell(&supervisor->notifier,
                  "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=%" PRIu64,
                  stop_timeout_ms * 1000 + LAST_SYNC_S * US_PER_S);
}

void supervisor_failed(const struct supervisor *supervisor, const char *reason)
{
    char line[ERROR_TEXT_SIZE];

    (void)log_escape(slice_from_text(reason), line, sizeof line);
    notifier_tell(&supervisor->notifier, "STATUS=%s", line);
}
