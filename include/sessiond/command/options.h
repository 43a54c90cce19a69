/* The commands' options.
 *
 * Threads: start-up only; read-only afterwards. */
#ifndef SESSIOND_COMMAND_OPTIONS_H
#define SESSIOND_COMMAND_OPTIONS_H

#include "sessiond/base/option.h"

/* The words of flush-all, in their order. */
enum flush_all_choice { FLUSH_ALL_REFUSE, FLUSH_ALL_ALLOW };

#define COMMAND_OPTIONS(X)                                                                         \
    X(flush_all, CHOICE, "refuse", "refuse allow", NULL, OPTION_FIXED,                             \
      "Whether flush_all ends all sessions, as test suites need it, or is refused; both are "      \
      "logged with the peer.")

struct command_options {
    COMMAND_OPTIONS(OPTION_DECLARE)
};
extern const struct option_table command_option_table;

#endif
