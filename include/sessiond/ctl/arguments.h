/* The arguments of sessionctl: a verb, its operand and its options, all of them rows of tables.
 *
 * Threads: start-up only. */
#ifndef SESSIOND_CTL_ARGUMENTS_H
#define SESSIOND_CTL_ARGUMENTS_H

#include "sessiond/base/error.h"

#include <stdio.h>

enum ctl_verb {
#define VERB(id, name, function, operand, doc) VERB_##id,
#include "sessiond/ctl/verbs.def"
#undef VERB
    VERB_HELP, /* of all verbs, or of the one in help_of */
    VERB_VERSION,
};

enum ctl_option {
#define OPTION(verb, id, name, argument, doc) OPTION_##verb##_##id,
#include "sessiond/ctl/options.def"
#undef OPTION
    CTL_OPTIONS, /* their number */
};

struct ctl_verb_row {
    const char *name;
    const char *operand; /* NULL: none; in brackets: it may be missing */
    const char *doc;
};
extern const struct ctl_verb_row ctl_verb_rows[VERB_HELP];

struct ctl_option_row {
    enum ctl_verb verb;
    const char *name;
    const char *argument; /* NULL: none */
    const char *doc;
};
extern const struct ctl_option_row ctl_option_rows[CTL_OPTIONS];

struct ctl_arguments {
    enum ctl_verb verb;
    enum ctl_verb help_of;            /* VERB_HELP: of all */
    const char *operand;              /* of argv; NULL: not given */
    const char *options[CTL_OPTIONS]; /* NULL: not given; else its value, or "" for one without */
};

/** Read argv. returns OK | INVALID (what is wrong is in the text) */
SESS_MUST_CHECK enum sess_status ctl_arguments_read(int argc, char *const argv[],
                                                    struct ctl_arguments *out,
                                                    struct sess_error *error);

/** The help text of a verb, or of all with VERB_HELP. */
void ctl_arguments_print_help(enum ctl_verb verb, FILE *out);

#endif
