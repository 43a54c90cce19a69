/* An error with a sentence for the person who starts or runs the daemon.
 *
 * Used where a human reads the outcome (start-up, configuration, files); requests use bare status
 * codes and counters. The text says what was tried, on what, and what to do; a caller that knows
 * more puts its context in front. Logged once, where it is handled. */
#ifndef SESSIOND_BASE_ERROR_H
#define SESSIOND_BASE_ERROR_H

#include "sessiond/base/status.h"

enum { ERROR_TEXT_SIZE = 512 };

struct sess_error {
    enum sess_status status;
    char text[ERROR_TEXT_SIZE]; /* terminated; cut at the end if it is longer */
};

/** Write status and text; returns `status`, so that a caller can `return error_set(...)`. */
enum sess_status error_set(struct sess_error *error, enum sess_status status, const char *format,
                           ...) __attribute__((format(printf, 3, 4)));

/** Put "CONTEXT: " before the text. Returns the status that is already there. */
enum sess_status error_wrap(struct sess_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
