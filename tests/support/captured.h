/* What a test's own process writes to standard error, as a text.
 *
 * Not the log of a daemon (sessiond_process.py). Standard error goes to a pipe from the start to the
 * end, so nothing may write more than a pipe holds (64 KiB). */
#ifndef SESSIOND_TESTS_SUPPORT_CAPTURED_H
#define SESSIOND_TESTS_SUPPORT_CAPTURED_H

enum { CAPTURED_SIZE = 65536 };

/** Send standard error to the pipe. */
void captured_start(void);

/** Give standard error back. Returns all that was written: static, terminated, until the next start. */
const char *captured_end(void);

#endif
