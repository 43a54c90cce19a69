/* Lists of peers. Not the sockets (listener.c). Threads: any. Memory: the stack. */
#include "peers.h"

#include "sessiond/base/number.h"

#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

enum {
    NAME_SIZE = 64,
    LOOKUP_SIZE = 16384, /* bytes that an entry of a user or group may take */
    GROUPS_MAX = 256,    /* of a peer, beside its first */
};

static bool find_user(const char *name, unsigned *id)
{
    char room[LOOKUP_SIZE];
    struct passwd entry;
    struct passwd *found = NULL;

    if (getpwnam_r(name, &entry, room, sizeof room, &found) != 0 || found == NULL) {
        return false;
    }
    *id = found->pw_uid;
    return true;
}

static bool find_group(const char *name, unsigned *id)
{
    char room[LOOKUP_SIZE];
    struct group entry;
    struct group *found = NULL;

    if (getgrnam_r(name, &entry, room, sizeof room, &found) != 0 || found == NULL) {
        return false;
    }
    *id = found->gr_gid;
    return true;
}

static enum sess_status parse_row(struct slice item, struct peers_row *out,
                                  struct sess_error *error)
{
    bool is_group = slice_starts_with(item, SLICE_LITERAL("@"));
    struct slice name = slice_from(item, is_group ? 1 : 0);
    char text[NAME_SIZE];
    uint64_t number;

    *out = (struct peers_row){.is_group = is_group};
    if (name.size == 0 || name.size >= sizeof text) {
        return error_set(error, SESS_INVALID,
                         "'%.*s' is no user and no @group: write such as www-data,@ops,1000",
                         (int)item.size, (const char *)item.data);
    }
    if (number_parse_u64(name, UINT32_MAX - 1, &number) == SESS_OK) {
        out->id = (unsigned)number;
        return SESS_OK;
    }
    (void)snprintf(text, sizeof text, "%.*s", (int)name.size, (const char *)name.data);
    if (!(is_group ? find_group(text, &out->id) : find_user(text, &out->id))) {
        return error_set(error, SESS_NOT_FOUND, "there is no %s '%s' on this machine",
                         is_group ? "group" : "user", text);
    }
    return SESS_OK;
}

/* Take the next item off `rest`, without blanks at its ends. */
static struct slice next_item(struct slice *rest)
{
    const uint8_t *comma = rest->size == 0 ? NULL : memchr(rest->data, ',', rest->size);
    size_t size = comma == NULL ? rest->size : (size_t)(comma - rest->data);
    struct slice item = slice_first(*rest, size);

    *rest = slice_from(*rest, comma == NULL ? size : size + 1);
    while (item.size > 0 && item.data[0] == ' ') {
        item = slice_from(item, 1);
    }
    while (slice_ends_with(item, SLICE_LITERAL(" "))) {
        item.size--;
    }
    return item;
}

enum sess_status peers_parse(const char *text, struct peers *out, struct sess_error *error)
{
    struct slice rest = slice_from_text(text);
    enum sess_status status = SESS_OK;

    *out = (struct peers){.n_rows = 0};
    while (status == SESS_OK && rest.size > 0) {
        struct slice item = next_item(&rest);

        if (out->n_rows == PEERS_MAX) {
            return error_set(error, SESS_LIMIT, "more than %d users and groups", PEERS_MAX);
        }
        status = parse_row(item, &out->rows[out->n_rows], error);
        out->n_rows++;
    }
    return status;
}

enum sess_status peers_identify(int fd, struct ucred *who)
{
    socklen_t size = sizeof *who;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &size) == 0 ? SESS_OK : SESS_IO;
}

static bool is_in_groups(const gid_t *groups, size_t n_groups, unsigned id)
{
    for (size_t i = 0; i < n_groups; i++) {
        if (groups[i] == id) {
            return true;
        }
    }
    return false;
}

bool peers_may(const struct peers *peers, int fd, const struct ucred *who)
{
    gid_t groups[GROUPS_MAX];
    socklen_t size = sizeof groups;

    if (peers->lets_all_in || who->uid == 0 || who->uid == geteuid()) {
        return true;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0) {
        size = 0; /* more of them than there is room for: the first alone counts */
    }
    for (size_t i = 0; i < peers->n_rows; i++) {
        const struct peers_row *row = &peers->rows[i];

        if (row->is_group
                ? row->id == who->gid || is_in_groups(groups, size / sizeof groups[0], row->id)
                : row->id == who->uid) {
            return true;
        }
    }
    return false;
}
