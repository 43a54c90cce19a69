/* The admin socket where `admin-listen = auto` says.
 *
 * Private to the daemon. Threads: start-up only: it reads the environment. */
#ifndef SESSIOND_SRC_DAEMON_ADMIN_SOCKET_H
#define SESSIOND_SRC_DAEMON_ADMIN_SOCKET_H

#include "sessiond/net/server.h"

/** Open it, for `auto`; nothing to do for another value, or when one was handed over. To be called when the data directory is this
 *  process's, before the server starts. One that cannot be opened is told in the log, and is no reason
 *  not to serve: sessions come first.
 *  data_dir  the path, or "" */
void admin_socket_open(struct net_server *server, const char *admin_listen, const char *data_dir);

#endif
