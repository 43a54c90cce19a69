/* Status codes: what a call that can fail returns.
 *
 * Not an error text for people (base/error.h) nor for clients (protocol/reply.h).
 * Rule: results come by out-parameter and are written only on success; errno never leaves base or
 * net. Source: docs/CONTRIBUTING.md, "Errors". */
#ifndef SESSIOND_BASE_STATUS_H
#define SESSIOND_BASE_STATUS_H

enum sess_status {
#define STATUS(id, text) SESS_##id,
#include "sessiond/base/status.def"
#undef STATUS
};

/* On a declaration: the caller must look at the result. */
#define SESS_MUST_CHECK __attribute__((warn_unused_result))

/** The row's text: static, terminated, never NULL (also for a value outside the enum). */
const char *status_text(enum sess_status status);

#endif
