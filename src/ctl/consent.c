/* Asking and complaining. Threads: one. Memory: the stack. */
#include "consent.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ANSWER_SIZE = 16 };

bool consent_asked(const char *format, ...)
{
    char answer[ANSWER_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputs("\nType yes if that is meant: ", stderr);
    if (fgets(answer, sizeof answer, stdin) == NULL) {
        return false;
    }
    answer[strcspn(answer, "\r\n")] = '\0';
    return strcmp(answer, "yes") == 0;
}

enum ctl_exit complain(enum sess_status status, const struct sess_error *error)
{
    (void)fprintf(stderr, "sessionctl: %s\n", error->text);
    switch (status) {
    case SESS_NOT_FOUND:
        return CTL_UNAVAILABLE;
    case SESS_REFUSED:
        return CTL_REFUSED;
    case SESS_INVALID:
    case SESS_OUT_OF_RANGE:
        return CTL_USAGE;
    default:
        return CTL_IO;
    }
}
