/* Error texts. Not status codes (status.c). Threads: any, each with its own struct. Memory: none. */
#include "sessiond/base/error.h"

#include <stdarg.h>
#include <stdio.h>

enum sess_status error_set(struct sess_error *error, enum sess_status status, const char *format,
                           ...)
{
    va_list args;

    error->status = status;
    va_start(args, format);
    (void)vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return status;
}

enum sess_status error_wrap(struct sess_error *error, const char *format, ...)
{
    struct sess_error inner = *error;
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    if (length >= 0 && (size_t)length < sizeof error->text) {
        (void)snprintf(error->text + length, sizeof error->text - (size_t)length, ": %s",
                       inner.text);
    }
    return error->status;
}
