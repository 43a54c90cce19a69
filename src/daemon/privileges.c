/* User and limits. Not sandboxing. Threads: start-up only. Memory: none. */
#include "sessiond/daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { DESCRIPTORS_KEPT = 64 }; /* for files, listeners and the workers' own */

enum sess_status privileges_check(const char *user, struct sess_error *error)
{
    if (geteuid() == 0 && user[0] == '\0') {
        return error_set(error, SESS_REFUSED,
                         "started as root: set user = sessiond, or --user root to stay root");
    }
    return SESS_OK;
}

static enum sess_status become(const struct passwd *entry, struct sess_error *error)
{
    if (initgroups(entry->pw_name, entry->pw_gid) != 0 || setgid(entry->pw_gid) != 0 ||
        setuid(entry->pw_uid) != 0) {
        return error_set(error, SESS_IO, "cannot become user %s: %s", entry->pw_name,
                         strerror(errno));
    }
    /* Changing the user clears this or sets it by a system-wide choice; memory holds secrets. */
    (void)prctl(PR_SET_DUMPABLE, 0);
    return SESS_OK;
}

enum sess_status privileges_drop(const char *user, struct sess_error *error)
{
    const struct passwd *entry;

    if (user[0] == '\0') {
        return SESS_OK;
    }
    /* Before any thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    entry = getpwnam(user);
    if (entry == NULL) {
        return error_set(error, SESS_NOT_FOUND, "user: there is no user '%s' on this machine",
                         user);
    }
    if (entry->pw_uid == geteuid()) {
        return SESS_OK;
    }
    if (geteuid() != 0) {
        return error_set(error, SESS_REFUSED, "user: only root can become '%s'", user);
    }
    return become(entry, error);
}

size_t privileges_raise_descriptors(size_t wanted)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)wanted + DESCRIPTORS_KEPT;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return wanted;
    }
    if (limit.rlim_cur < needed) {
        limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= needed) {
        return wanted;
    }
    return limit.rlim_cur / 2 > DESCRIPTORS_KEPT ? (size_t)limit.rlim_cur - DESCRIPTORS_KEPT
                                                 : (size_t)limit.rlim_cur / 2;
}
