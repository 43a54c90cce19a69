/* The commands' options.
 *
 * Threads: start-up only; afterwards read by any, and what is RELOADABLE may change at any time. */
#ifndef SESSIOND_COMMAND_OPTIONS_H
#define SESSIOND_COMMAND_OPTIONS_H

#include "sessiond/base/option.h"

/* The words of flush-all, in their order. */
enum flush_all_choice { FLUSH_ALL_REFUSE, FLUSH_ALL_ALLOW };

#define COMMAND_OPTIONS(X)                                                                         \
    X(flush_all, CHOICE, "refuse", "refuse allow", NULL, OPTION_RELOADABLE,                        \
      "Whether flush_all ends all sessions, as test suites need it, or is refused; both are "      \
      "logged with the peer.")

struct command_options {
    COMMAND_OPTIONS(OPTION_DECLARE)
};
extern const struct option_table command_option_table;

#endif
