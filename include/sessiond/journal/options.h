/* The journal's options.
 *
 * Threads: start-up only; afterwards read by any, and what is RELOADABLE may change at any time. Source: durability.md, "Modes". */
#ifndef SESSIOND_JOURNAL_OPTIONS_H
#define SESSIOND_JOURNAL_OPTIONS_H

#include "sessiond/base/option.h"

/* The words of fsync and of sync-revocations, in their order. */
enum fsync_choice { FSYNC_ALWAYS, FSYNC_EVERYSEC, FSYNC_NEVER };
enum revocations_choice { REVOCATIONS_DELETES, REVOCATIONS_OVERWRITES, REVOCATIONS_NO };

#define JOURNAL_OPTIONS(X)                                                                         \
    X(data_dir, TEXT, "auto", NULL, NULL, OPTION_FIXED | OPTION_NONE,                              \
      "Directory where sessions are kept; auto is $STATE_DIRECTORY, else "                         \
      "$XDG_STATE_HOME/sessiond, else ~/.local/state/sessiond; none keeps them in memory only.")   \
    X(fsync, CHOICE, "everysec", "always everysec never", NULL, OPTION_FIXED,                      \
      "When changes are synced to the disk. What was answered survives a crash of the process "    \
      "with each of them, and a power cut with `always`; with `everysec` all of it but the last "  \
      "second, and every logout.")                                                                 \
    X(sync_revocations, CHOICE, "deletes", "deletes overwrites no", NULL, OPTION_RELOADABLE,       \
      "Which changes are synced before they are answered with `fsync = everysec`: what ends a "    \
      "session or shortens its life, or every store over an existing session as well.")            \
    X(sync_min_life, DURATION, "60s", "0s", NULL, OPTION_RELOADABLE,                               \
      "The end of a session that had less than this to live is not waited for: PHP's locks.")

struct journal_options {
    JOURNAL_OPTIONS(OPTION_DECLARE)
};
extern const struct option_table journal_option_table;

#endif
