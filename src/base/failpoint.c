/* Failpoints: see the header. Threads: any. Memory: none. */
#include "sessiond/base/failpoint.h"

#ifdef SESSIOND_TEST_HOOKS
#include "sessiond/base/number.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of the one place that the process was started for. */
static _Atomic uint64_t n_reached;

/* Whether `spec`, NAME:ACTION:N, names this place; action and N are what follows. */
static bool names(const char *spec, const char *name, const char **action)
{
    size_t size = strlen(name);

    if (spec == NULL || strncmp(spec, name, size) != 0 || spec[size] != ':') {
        return false;
    }
    *action = spec + size + 1;
    return true;
}

void failpoint(const char *name)
{
    const char *action;
    const char *count;
    uint64_t wanted = 1;

    /* Nobody changes the environment. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    if (!names(getenv("SESSIOND_TEST_FAILPOINT"), name, &action)) {
        return;
    }
    count = strchr(action, ':');
    if (count != NULL &&
        number_parse_u64(slice_of(count + 1, strlen(count + 1)), UINT64_MAX, &wanted) != SESS_OK) {
        return;
    }
    if (atomic_fetch_add(&n_reached, 1) + 1 != wanted) {
        return;
    }
    if (strncmp(action, "kill", 4) == 0) {
        (void)kill(getpid(), SIGKILL);
    }
    for (;;) {
        (void)pause();
    }
}
#endif
