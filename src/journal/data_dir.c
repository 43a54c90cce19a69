/* The data directory's path. Threads: start-up only. Memory: none. */
#include "sessiond/journal/data_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *variable(const char *name)
{
    /* Before any thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    const char *value = getenv(name);

    return value == NULL ? "" : value;
}

/* Returns the bytes that the whole path has. */
static int compose(char *out, const char *base, size_t base_size, const char *rest)
{
    return snprintf(out, DATA_DIR_SIZE, "%.*s%s", (int)base_size, base, rest);
}

enum sess_status data_dir_find(const char *value, char *out, struct sess_error *error)
{
    const struct {
        const char *base;
        const char *rest;
    } defaults[] = {
        {variable("STATE_DIRECTORY"), ""},
        {variable("XDG_STATE_HOME"), "/sessiond"},
        {variable("HOME"), "/.local/state/sessiond"},
    };
    int size = compose(out, value, strlen(value), "");

    if (strcmp(value, "auto") == 0) {
        size = -1;
        for (size_t i = 0; size < 0 && i < sizeof defaults / sizeof defaults[0]; i++) {
            const char *base = defaults[i].base;

            if (base[0] == '/') {
                /* systemd names several directories with colons between them. */
                size = compose(out, base, strcspn(base, ":"), defaults[i].rest);
            }
        }
    }
    if (size < 0) {
        return error_set(
            error, SESS_NOT_FOUND,
            "data-dir: none of $STATE_DIRECTORY, $XDG_STATE_HOME and $HOME is set: name "
            "a directory, or none to keep sessions in memory only");
    }
    return size < DATA_DIR_SIZE
               ? SESS_OK
               : error_set(error, SESS_OUT_OF_RANGE, "data-dir: the path is longer than %d bytes",
                           DATA_DIR_SIZE - 1);
}
