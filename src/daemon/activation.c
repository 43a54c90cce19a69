/* Sockets that were handed over, by the environment. Threads: start-up only. Memory: the caller's. */
#include "activation.h"

#include "sessiond/base/log.h"
#include "sessiond/base/number.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_DESCRIPTOR = 3 };

static const struct {
    const char *name;
    const char *option; /* what such a socket takes the place of */
} roles[NET_ROLES] = {
    [NET_ROLE_DATA] = {"data", "listen"},
    [NET_ROLE_ADMIN] = {"admin", "admin-listen"},
};

static const char *variable(const char *name)
{
    /* Before any thread that could change it. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    return getenv(name);
}

static bool is_for_us(void)
{
    const char *pid = variable("LISTEN_PID");
    uint64_t number;

    return pid != NULL && number_parse_u64(slice_from_text(pid), INT32_MAX, &number) == SESS_OK &&
           number == (uint64_t)getpid();
}

static enum sess_status find_role(struct slice name, enum net_role *role, struct sess_error *error)
{
    for (unsigned i = 0; i < NET_ROLES; i++) {
        if (slice_is(name, roles[i].name)) {
            *role = (enum net_role)i;
            return SESS_OK;
        }
    }
    return error_set(error, SESS_INVALID,
                     "a socket was handed over by the name '%.*s': set FileDescriptorName=data, or "
                     "=admin for sessionctl",
                     (int)name.size, (const char *)name.data);
}

/* Cuts the next name off, which is empty when there is none. */
static struct slice take_name(const char **rest)
{
    struct slice name = slice_of(*rest, strcspn(*rest, ":"));

    *rest += name.size;
    if (**rest == ':') {
        (*rest)++;
    }
    return name;
}

enum sess_status activation_read(struct activation *out, struct sess_error *error)
{
    const char *count = variable("LISTEN_FDS");
    const char *rest = variable("LISTEN_FDNAMES");
    bool has_names = rest != NULL;
    uint64_t n_sockets;
    enum sess_status status = SESS_OK;

    *out = (struct activation){.n_sockets = 0};
    if (count == NULL || !is_for_us()) {
        return SESS_OK;
    }
    if (number_parse_u64(slice_from_text(count), INT32_MAX, &n_sockets) != SESS_OK) {
        return error_set(error, SESS_INVALID, "LISTEN_FDS: '%s' is no number of sockets", count);
    }
    if (n_sockets > NET_INHERITED_MAX) {
        return error_set(error, SESS_OUT_OF_RANGE,
                         "%" PRIu64 " sockets were handed over: at most %d can be listened with",
                         n_sockets, NET_INHERITED_MAX);
    }
    for (uint64_t i = 0; status == SESS_OK && i < n_sockets; i++) {
        struct net_inherited *socket = &out->sockets[out->n_sockets++];

        *socket = (struct net_inherited){.fd = FIRST_DESCRIPTOR + (int)i, .role = NET_ROLE_DATA};
        if (has_names) {
            status = find_role(take_name(&rest), &socket->role, error);
        }
    }
    return status;
}

void activation_tell(const struct activation *handed)
{
    size_t n_of[NET_ROLES] = {0};

    for (size_t i = 0; i < handed->n_sockets; i++) {
        n_of[handed->sockets[i].role]++;
    }
    for (unsigned role = 0; role < NET_ROLES; role++) {
        if (n_of[role] > 0) {
            log_write(LOG_LEVEL_INFO,
                      "%s is not looked at: sockets for %s were handed over, %zu of them",
                      roles[role].option, roles[role].name, n_of[role]);
        }
    }
}
