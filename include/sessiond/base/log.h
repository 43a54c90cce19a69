/* The log: one line an event, to standard error.
 *
 * Not metrics, and never a key or a value: where a line has to tell one key from another it has a hash of it,
 * salted anew for each process (command: tell_refused). Lines that a client can cause go through a log_limit,
 * so that nobody can flood the log. Form: `2026-11-22T23:53:24Z warning text`. */
#ifndef SESSIOND_BASE_LOG_H
#define SESSIOND_BASE_LOG_H

#include "sessiond/base/slice.h"

#include <stdatomic.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum { LOG_LINE_SIZE = 1024 }; /* longer lines are cut */

/* At most one line in `interval_s`; the next one tells how many were left out. */
struct log_limit {
    _Atomic int64_t next_s;   /* elapsed seconds from which a line may pass */
    _Atomic uint64_t dropped; /* since the last line */
};

/** Say what is written from now on (default: info and above). Threads: any. */
void log_set_level(enum log_level level);

/** Write one line; a control character in it becomes `?`. Threads: any; a line is one write. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Write one line unless `limit` let one pass less than `interval_s` ago. Threads: any. */
void log_limited(struct log_limit *limit, int64_t interval_s, enum log_level level,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/** Client bytes made printable: what is not printable ASCII, and '\\', as \xNN; terminated; cut to
 *  fit. Returns `out`. */
const char *log_escape(struct slice bytes, char *out, size_t out_size);

#endif
