/* User and limits. Not sandboxing. Threads: start-up only. Memory: none. */
#include "sessiond/daemon/privileges.h"

#include "sessiond/net/config.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    DESCRIPTORS_KEPT = 32, /* for files and listeners */
    CONNECTIONS_AT_LEAST = 16,
};

enum sess_status privileges_check(const char *user, struct sess_error *error)
{
    if (geteuid() == 0 && user[0] == '\0') {
        return error_set(error, SESS_REFUSED,
                         "started as root: set user = sessiond, or --user root to stay root");
    }
    return SESS_OK;
}

enum sess_status privileges_find(const char *user, struct identity *out, struct sess_error *error)
{
    const struct passwd *entry;

    *out = (struct identity){.name = ""};
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
    (void)snprintf(out->name, sizeof out->name, "%s", user);
    out->uid = entry->pw_uid;
    out->gid = entry->pw_gid;
    return SESS_OK;
}

enum sess_status privileges_drop(const struct identity *identity, struct sess_error *error)
{
    if (identity->name[0] == '\0') {
        return SESS_OK;
    }
    if (initgroups(identity->name, identity->gid) != 0 || setgid(identity->gid) != 0 ||
        setuid(identity->uid) != 0) {
        return error_set(error, SESS_IO, "cannot become user %s: %s", identity->name,
                         strerror(errno));
    }
    /* Changing the user clears this or sets it by a system-wide choice; memory holds secrets. */
    (void)prctl(PR_SET_DUMPABLE, 0);
    return SESS_OK;
}

size_t privileges_raise_descriptors(size_t wanted, unsigned n_threads)
{
    struct rlimit limit;
    rlim_t kept = DESCRIPTORS_KEPT + (rlim_t)NET_LOOP_DESCRIPTORS * (n_threads + 1);
    rlim_t needed = (rlim_t)wanted + kept;

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
    return limit.rlim_cur < kept + CONNECTIONS_AT_LEAST ? 0 : (size_t)(limit.rlim_cur - kept);
}
