/* What the service manager is told of the daemon's life, and when.
 *
 * Private to the daemon. Without a service manager all of it does nothing. Threads: the first, and start-up reads the
 * environment. Source: sd_notify(3), sd_watchdog_enabled(3); docs/decisions/0020-service.md. */
#ifndef SESSIOND_SRC_DAEMON_SUPERVISOR_H
#define SESSIOND_SRC_DAEMON_SUPERVISOR_H

#include "notifier.h"
#include "sessiond/base/error.h"

#include <stdint.h>

struct supervisor {
    struct notifier notifier;
    int timer;         /* a timerfd, of the looks; -1: there is nobody to tell */
    uint64_t look_us;  /* between two of them */
    bool has_watchdog; /* a daemon that says nothing is ended */
};

/** Find out what the service manager wants. returns OK | IO */
SESS_MUST_CHECK enum sess_status supervisor_open(struct supervisor *supervisor,
                                                 struct sess_error *error);
void supervisor_close(struct supervisor *supervisor);

/** It recovers: the start may take longer. `done` of `all` bytes of a file are read; 0 of 0: it begins
 *  (journal_config.progress; context is the supervisor). */
void supervisor_recovering(void *supervisor, uint64_t done, uint64_t all);

/** Clients can connect. From here on there are looks. */
void supervisor_ready(struct supervisor *supervisor, uint64_t n_sessions);

/** Readable when a look is due; -1: never. */
int supervisor_fd(const struct supervisor *supervisor);

/** Whether a look is due; it is then taken as begun. */
bool supervisor_is_due(struct supervisor *supervisor);

/** The result of a look.
 *  stuck  who has done nothing since the last one; NULL: nobody, and the watchdog is fed */
void supervisor_look(const struct supervisor *supervisor, uint64_t n_sessions, const char *stuck);

/** The config file is read again; it was. */
void supervisor_reloading(const struct supervisor *supervisor);
void supervisor_reloaded(const struct supervisor *supervisor);

/** It stops, which may take so long beside the last sync. */
void supervisor_stopping(const struct supervisor *supervisor, uint64_t stop_timeout_ms);

/** It ends for this reason; control characters are not told. */
void supervisor_failed(const struct supervisor *supervisor, const char *reason);

#endif
