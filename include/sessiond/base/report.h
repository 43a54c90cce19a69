/* A report: names and values on their way to whoever asked for figures.
 *
 * Not a wire format: `stats` puts STAT in front, other readers do otherwise. Owned and filled by
 * one thread. Names hold no blank, and a ':' only where memcached's do; values no line end. */
#ifndef SESSIOND_BASE_REPORT_H
#define SESSIOND_BASE_REPORT_H

#include "sessiond/base/buffer.h"

#include <stdbool.h>

struct report {
    struct buffer text; /* name, NUL, value, NUL; again and again */
    bool is_cut;        /* memory ran out: lines are missing */
};

/** Add a line. */
void report_add(struct report *report, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Add a line with a text whose blanks are written as %20: readers split lines at blanks. */
void report_add_word(struct report *report, const char *name, const char *text);

/** Add a line with a number. */
void report_add_u64(struct report *report, const char *name, uint64_t value);

/** Step through the lines: *position is 0 at first. Returns false behind the last one. The slices
 *  hold until the report changes. */
bool report_next(const struct report *report, size_t *position, struct slice *name,
                 struct slice *value);

/** Free what the report holds. */
void report_release(struct report *report);

#endif
