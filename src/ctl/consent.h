/* What the verbs of a running sessiond share beside the client: how they ask, and how they complain.
 *
 * Private to ctl. Threads: one. */
#ifndef SESSIOND_SRC_CTL_CONSENT_H
#define SESSIOND_SRC_CTL_CONSENT_H

#include "sessiond/base/error.h"
#include "sessiond/ctl/exit.h"

#include <stdbool.h>

/** Tell whoever sits at the terminal what would happen, and whether they mean it. */
bool consent_asked(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Say on standard error why it failed, and how sessionctl ends for that. */
enum ctl_exit complain(enum sess_status status, const struct sess_error *error);

#endif
