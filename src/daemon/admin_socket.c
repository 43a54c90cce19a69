/* Where the admin socket is. Threads: start-up only. Memory: the stack. */
#include "admin_socket.h"

#include "sessiond/base/log.h"
#include "sessiond/journal/data_dir.h"

#include <stdio.h>
#include <stdlib.h>

/* systemd names several directories with colons between them; "" when there is none. */
static struct slice runtime_directory(void)
{
    /* Before any thread that could change it. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    const char *value = getenv("RUNTIME_DIRECTORY");

    return value == NULL || value[0] != '/' ? slice_of("", 0)
                                            : slice_of(value, strcspn(value, ":"));
}

void admin_socket_open(struct net_server *server, const char *admin_listen, const char *data_dir)
{
    struct slice directory = runtime_directory();
    char address[DATA_DIR_SIZE + sizeof "unix:" ADMIN_SOCKET_NAME];
    struct sess_error error;

    if (directory.size == 0) {
        directory = slice_from_text(data_dir);
    }
    if (strcmp(admin_listen, "auto") != 0 || net_server_has(server, NET_ROLE_ADMIN) ||
        directory.size == 0) {
        return;
    }
    (void)snprintf(address, sizeof address, "unix:%.*s" ADMIN_SOCKET_NAME, (int)directory.size,
                   (const char *)directory.data);
    if (net_server_open_admin(server, address, &error) != SESS_OK) {
        log_write(LOG_LEVEL_WARNING,
                  "there is no admin socket, so sessionctl has nowhere to connect: %s; set "
                  "admin-listen",
                  error.text);
    }
}
