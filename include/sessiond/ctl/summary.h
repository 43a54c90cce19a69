/* The summary of an inspection, for people and for programs.
 *
 * Not the looking (ctl/check.h). Threads: one. */
#ifndef SESSIOND_CTL_SUMMARY_H
#define SESSIOND_CTL_SUMMARY_H

#include "sessiond/journal/inspection.h"

#include <stdio.h>

/* What was written as a dump. */
struct salvaged {
    const char *path;
    uint64_t n_sessions;
    uint64_t n_uncertain; /* of them */
};

struct summary {
    const char *path;
    const struct inspection *found;
    bool is_in_use;                  /* by a daemon that may be writing */
    const struct salvaged *salvaged; /* NULL: none */
};

/** Lines for a person. */
void summary_print(const struct summary *summary, FILE *out);

/** One JSON object, and a line end. Bytes of paths that are no printable ASCII are \u00XX. */
void summary_print_json(const struct summary *summary, FILE *out);

/** A text between quotes, as JSON has it. */
void summary_print_quoted(const char *text, FILE *out);

#endif
