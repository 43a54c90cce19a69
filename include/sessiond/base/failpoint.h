/* Failpoints: named places where a test lets the process die or wait. Only in test builds.
 *
 * SESSIOND_TEST_FAILPOINT=NAME:kill:N  the Nth time that NAME is reached, the process kills itself
 * SESSIOND_TEST_FAILPOINT=NAME:pause:N the Nth time, the thread waits for ever
 * Errors of calls are not its business: base/directory.h. Source: reliability.md 4.2. */
#ifndef SESSIOND_BASE_FAILPOINT_H
#define SESSIOND_BASE_FAILPOINT_H

#ifdef SESSIOND_TEST_HOOKS
/** Threads: any. */
void failpoint(const char *name);
#else
static inline void failpoint(const char *name)
{
    (void)name;
}
#endif

#endif
